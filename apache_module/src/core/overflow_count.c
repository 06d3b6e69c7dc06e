#include "core/overflow_count.h"

#include <stdlib.h>

#include <apr_hash.h>
#include <apr_strings.h>

enum { INTERVAL = 1000 * 1000 };   /* microseconds between two that are taken */

typedef struct entry {
    uint64_t count;
    char group[];                  /* the key, with its NUL */
} entry;

struct passenger_overflow_count {
    apr_hash_t *entries;           /* group -> entry, malloc'ed. Invariant: no more than `capacity` */
    size_t capacity;
    int64_t taken_at;              /* when something was last taken; 0: never */
};

static entry *entry_at(const apr_hash_index_t *position)
{
    return apr_hash_this_val((apr_hash_index_t *)position);
}

static apr_status_t free_entries(void *data)
{
    passenger_overflow_count *counts = data;
    for (apr_hash_index_t *at = apr_hash_first(NULL, counts->entries); at != NULL; at = apr_hash_next(at)) {
        free(entry_at(at));
    }
    return APR_SUCCESS;
}

passenger_overflow_count *passenger_overflow_count_create(apr_pool_t *parent, size_t capacity)
{
    apr_pool_t *pool;
    apr_pool_create(&pool, parent);
    apr_pool_tag(pool, "passenger_overflow_count");
    passenger_overflow_count *counts = apr_pcalloc(pool, sizeof(*counts));
    counts->entries = apr_hash_make(pool);
    counts->capacity = capacity;
    apr_pool_cleanup_register(pool, counts, free_entries, apr_pool_cleanup_null);
    return counts;
}

static entry *create_entry(passenger_overflow_count *counts, const char *group)
{
    size_t size = strlen(group) + 1;
    entry *created = apr_hash_count(counts->entries) < counts->capacity ? malloc(sizeof(*created) + size) : NULL;
    if (created != NULL) {
        created->count = 0;
        memcpy(created->group, group, size);
        apr_hash_set(counts->entries, created->group, APR_HASH_KEY_STRING, created);
    }
    return created;
}

void passenger_overflow_count_add(passenger_overflow_count *counts, const char *group, uint64_t count)
{
    entry *counted = apr_hash_get(counts->entries, group, APR_HASH_KEY_STRING);
    if (counted == NULL) {
        counted = create_entry(counts, group);
    }
    if (counted != NULL) {
        counted->count += count;
    }
}

int passenger_overflow_count_is_empty(const passenger_overflow_count *counts)
{
    return apr_hash_count(counts->entries) == 0;
}

static entry *largest(const passenger_overflow_count *counts)
{
    entry *found = NULL;
    for (apr_hash_index_t *at = apr_hash_first(NULL, counts->entries); at != NULL; at = apr_hash_next(at)) {
        if (found == NULL || entry_at(at)->count > found->count) {
            found = entry_at(at);
        }
    }
    return found;
}

int passenger_overflow_count_take(passenger_overflow_count *counts, int64_t now, apr_pool_t *pool,
                                  passenger_overflow *taken)
{
    if (counts->taken_at != 0 && now - counts->taken_at < INTERVAL) {
        return 0;
    }
    entry *due = largest(counts);
    if (due == NULL) {
        return 0;
    }
    *taken = (passenger_overflow){.group = apr_pstrdup(pool, due->group), .count = due->count};
    apr_hash_set(counts->entries, due->group, APR_HASH_KEY_STRING, NULL);
    free(due);
    counts->taken_at = now;
    return 1;
}
