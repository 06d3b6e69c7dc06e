#include "request/app_detection.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_file_info.h>
#include <apr_hash.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>
#include <apr_time.h>

#include "core/deadlines.h"

/* With more apps than this in one child the cache is emptied and fills again. */
enum { CACHE_LIMIT = 1024 };

typedef struct result {
    apr_time_t checked_at;
    passenger_detection detection;
    const char *target;      /* of a link; NULL for a file */
} result;

static struct {
    apr_thread_mutex_t *lock;   /* NULL before child_init: nothing is cached then */
    apr_pool_t *pool;
    apr_hash_t *results;        /* "f" or "l" and the path -> result */
    unsigned stored;            /* texts in the pool. Invariant: < CACHE_LIMIT */
} cache;

static void clear_cache(void)
{
    apr_pool_clear(cache.pool);
    cache.results = apr_hash_make(cache.pool);
    cache.stored = 0;
}

void passenger_detection_child_init(apr_pool_t *child_pool)
{
    apr_pool_create(&cache.pool, child_pool);
    apr_pool_tag(cache.pool, "passenger_detection");
    clear_cache();
    if (apr_thread_mutex_create(&cache.lock, APR_THREAD_MUTEX_DEFAULT, child_pool) != APR_SUCCESS) {
        cache.lock = NULL;
    }
}

static int find_cached(apr_pool_t *pool, const char *key, int seconds, result *found)
{
    if (cache.lock == NULL || seconds == 0) {
        return 0;
    }
    apr_thread_mutex_lock(cache.lock);
    const result *cached = apr_hash_get(cache.results, key, APR_HASH_KEY_STRING);
    int fresh = cached != NULL && passenger_monotonic_now() - cached->checked_at < apr_time_from_sec(seconds);
    if (fresh) {
        *found = *cached;
        found->target = cached->target != NULL ? apr_pstrdup(pool, cached->target) : NULL;
    }
    apr_thread_mutex_unlock(cache.lock);
    return fresh;
}

static void store(const char *key, int seconds, const result *found)
{
    if (cache.lock == NULL || seconds == 0) {
        return;
    }
    apr_thread_mutex_lock(cache.lock);
    result *cached = apr_hash_get(cache.results, key, APR_HASH_KEY_STRING);
    /* A link's target takes memory of the pool each time it is stored: only clearing the pool gives it back. */
    if ((cached == NULL || found->target != NULL) && ++cache.stored >= CACHE_LIMIT) {
        clear_cache();
        cached = NULL;
    }
    if (cached == NULL) {
        cached = apr_palloc(cache.pool, sizeof(*cached));
        apr_hash_set(cache.results, apr_pstrdup(cache.pool, key), APR_HASH_KEY_STRING, cached);
    }
    *cached = *found;
    cached->target = found->target != NULL ? apr_pstrdup(cache.pool, found->target) : NULL;
    apr_thread_mutex_unlock(cache.lock);
}

static passenger_detection classify(int failed)
{
    if (!failed) {
        return PASSENGER_APP_FOUND;
    }
    return errno == EACCES || errno == EPERM ? PASSENGER_APP_FORBIDDEN : PASSENGER_APP_ABSENT;
}

passenger_detection passenger_detect_file(apr_pool_t *pool, const char *path, int seconds)
{
    result found = {0};
    const char *key = apr_pstrcat(pool, "f", path, NULL);
    if (!find_cached(pool, key, seconds, &found)) {
        struct stat status;
        found.checked_at = passenger_monotonic_now();
        found.detection = classify(stat(path, &status) != 0);
        store(key, seconds, &found);
    }
    return found.detection;
}

/* The path without `..`, if it leads to the same place: with links on the way it may not. */
static const char *simplify(apr_pool_t *pool, const char *path)
{
    struct stat as_given;
    struct stat simplified;
    char *shorter;
    if (apr_filepath_merge(&shorter, NULL, path, APR_FILEPATH_NOTRELATIVE, pool) == APR_SUCCESS
        && stat(path, &as_given) == 0 && stat(shorter, &simplified) == 0 && as_given.st_dev == simplified.st_dev
        && as_given.st_ino == simplified.st_ino) {
        return shorter;
    }
    return path;
}

/* One step along a link: relative targets begin at the link's folder. */
static const char *follow_once(apr_pool_t *pool, const char *path)
{
    char text[PATH_MAX];
    ssize_t length = readlink(path, text, sizeof(text) - 1);
    if (length < 0) {
        return path;
    }
    text[length] = '\0';
    if (text[0] == '/') {
        return simplify(pool, apr_pstrdup(pool, text));
    }
    const char *slash = strrchr(path, '/');
    const char *folder = apr_pstrmemdup(pool, path, (apr_size_t)(slash - path) + 1);
    return simplify(pool, apr_pstrcat(pool, folder, text, NULL));
}

passenger_detection passenger_detect_link(apr_pool_t *pool, const char *path, int seconds, const char **target)
{
    result found = {0};
    const char *key = apr_pstrcat(pool, "l", path, NULL);
    if (!find_cached(pool, key, seconds, &found)) {
        struct stat status;
        found.checked_at = passenger_monotonic_now();
        found.detection = classify(lstat(path, &status) != 0);
        found.target = found.detection == PASSENGER_APP_FOUND && S_ISLNK(status.st_mode) ? follow_once(pool, path)
                                                                                          : path;
        store(key, seconds, &found);
    }
    *target = found.target;
    return found.detection;
}
