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

#include "core/monotonic.h"

/* More apps than this in one child: the memory is emptied and fills again. */
enum { REMEMBERED_LIMIT = 1024 };

typedef struct finding {
    apr_time_t looked;
    passenger_detection detection;
    const char *target;      /* of a link; NULL for a file */
} finding;

static struct {
    apr_thread_mutex_t *lock;   /* NULL until child_init: nothing is remembered then */
    apr_pool_t *pool;
    apr_hash_t *findings;       /* "f" or "l" and the path -> finding */
    unsigned stored;            /* texts that took memory of the pool. Invariant: < REMEMBERED_LIMIT */
} memory;

static void forget_all(void)
{
    apr_pool_clear(memory.pool);
    memory.findings = apr_hash_make(memory.pool);
    memory.stored = 0;
}

void passenger_detection_child_init(apr_pool_t *child_pool)
{
    apr_pool_create(&memory.pool, child_pool);
    apr_pool_tag(memory.pool, "passenger_detection");
    forget_all();
    if (apr_thread_mutex_create(&memory.lock, APR_THREAD_MUTEX_DEFAULT, child_pool) != APR_SUCCESS) {
        memory.lock = NULL;
    }
}

static int recall(apr_pool_t *pool, const char *key, int seconds, finding *found)
{
    if (memory.lock == NULL || seconds == 0) {
        return 0;
    }
    apr_thread_mutex_lock(memory.lock);
    const finding *remembered = apr_hash_get(memory.findings, key, APR_HASH_KEY_STRING);
    int fresh = remembered != NULL && passenger_monotonic_now() - remembered->looked < apr_time_from_sec(seconds);
    if (fresh) {
        *found = *remembered;
        found->target = remembered->target != NULL ? apr_pstrdup(pool, remembered->target) : NULL;
    }
    apr_thread_mutex_unlock(memory.lock);
    return fresh;
}

static void remember(const char *key, int seconds, const finding *found)
{
    if (memory.lock == NULL || seconds == 0) {
        return;
    }
    apr_thread_mutex_lock(memory.lock);
    finding *remembered = apr_hash_get(memory.findings, key, APR_HASH_KEY_STRING);
    /* A link's text takes memory each time it is looked at again: only emptying everything gives it back. */
    if ((remembered == NULL || found->target != NULL) && ++memory.stored >= REMEMBERED_LIMIT) {
        forget_all();
        remembered = NULL;
    }
    if (remembered == NULL) {
        remembered = apr_palloc(memory.pool, sizeof(*remembered));
        apr_hash_set(memory.findings, apr_pstrdup(memory.pool, key), APR_HASH_KEY_STRING, remembered);
    }
    *remembered = *found;
    remembered->target = found->target != NULL ? apr_pstrdup(memory.pool, found->target) : NULL;
    apr_thread_mutex_unlock(memory.lock);
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
    finding found = {0};
    const char *key = apr_pstrcat(pool, "f", path, NULL);
    if (!recall(pool, key, seconds, &found)) {
        struct stat status;
        found.looked = passenger_monotonic_now();
        found.detection = classify(stat(path, &status) != 0);
        remember(key, seconds, &found);
    }
    return found.detection;
}

/* The path without `..`, if that is still the same place: with other links on the way it need not be. */
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
    finding found = {0};
    const char *key = apr_pstrcat(pool, "l", path, NULL);
    if (!recall(pool, key, seconds, &found)) {
        struct stat status;
        found.looked = passenger_monotonic_now();
        found.detection = classify(lstat(path, &status) != 0);
        found.target = found.detection == PASSENGER_APP_FOUND && S_ISLNK(status.st_mode) ? follow_once(pool, path)
                                                                                          : path;
        remember(key, seconds, &found);
    }
    *target = found.target;
    return found.detection;
}
