#include "core/group_cache.h"

#include <stdlib.h>
#include <string.h>

#include <apr_hash.h>

typedef struct entry {
    passenger_group_address address;
    uint64_t last_used;    /* by the cache's own clock, which counts calls */
    char texts[];          /* key, socket path and token, each with its NUL */
} entry;

struct passenger_group_cache {
    apr_hash_t *entries;   /* key -> entry, malloc'ed. Invariant: no more than `capacity` */
    size_t capacity;
    uint64_t clock;
};

uint64_t passenger_digest(uint64_t digest, const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    do {
        digest = (digest ^ *byte) * UINT64_C(1099511628211);
    } while (*byte++ != '\0');
    return digest;
}

static entry *entry_at(const apr_hash_index_t *position)
{
    return apr_hash_this_val((apr_hash_index_t *)position);
}

static void free_entry(entry *freed)
{
    passenger_worker_load_release(freed->address.load);
    free(freed);
}

static apr_status_t free_entries(void *data)
{
    passenger_group_cache *cache = data;
    for (apr_hash_index_t *at = apr_hash_first(NULL, cache->entries); at != NULL; at = apr_hash_next(at)) {
        free_entry(entry_at(at));
    }
    return APR_SUCCESS;
}

passenger_group_cache *passenger_group_cache_create(apr_pool_t *parent, size_t capacity)
{
    apr_pool_t *pool;
    apr_pool_create(&pool, parent);
    apr_pool_tag(pool, "passenger_group_cache");
    passenger_group_cache *cache = apr_pcalloc(pool, sizeof(*cache));
    cache->entries = apr_hash_make(pool);
    cache->capacity = capacity;
    apr_pool_cleanup_register(pool, cache, free_entries, apr_pool_cleanup_null);
    return cache;
}

int passenger_group_cache_find(passenger_group_cache *cache, const char *key, passenger_group_address *address)
{
    entry *found = apr_hash_get(cache->entries, key, APR_HASH_KEY_STRING);
    if (found == NULL) {
        return 0;
    }
    found->last_used = ++cache->clock;
    *address = found->address;
    return 1;
}

/* The hash does not copy keys: an entry leaves it before it is freed. */
static void remove_entry(passenger_group_cache *cache, entry *removed)
{
    apr_hash_set(cache->entries, removed->texts, APR_HASH_KEY_STRING, NULL);
    free_entry(removed);
}

static entry *least_recently_used(passenger_group_cache *cache)
{
    entry *oldest = NULL;
    for (apr_hash_index_t *at = apr_hash_first(NULL, cache->entries); at != NULL; at = apr_hash_next(at)) {
        if (oldest == NULL || entry_at(at)->last_used < oldest->last_used) {
            oldest = entry_at(at);
        }
    }
    return oldest;
}

/* A new entry with copies of the texts; NULL without memory. */
static entry *create_entry(const char *key, passenger_group_address address)
{
    size_t key_size = strlen(key) + 1;
    size_t path_size = strlen(address.socket_path) + 1;
    size_t token_size = strlen(address.token) + 1;
    entry *created = malloc(sizeof(*created) + key_size + path_size + token_size);
    if (created != NULL) {
        created->address = address;
        passenger_worker_load_hold(address.load);
        memcpy(created->texts, key, key_size);
        created->address.socket_path = memcpy(created->texts + key_size, address.socket_path, path_size);
        created->address.token = memcpy(created->texts + key_size + path_size, address.token, token_size);
    }
    return created;
}

int passenger_group_cache_store(passenger_group_cache *cache, const char *key, passenger_group_address address)
{
    entry *stored = create_entry(key, address);
    if (stored == NULL) {
        return 0;
    }
    stored->last_used = ++cache->clock;
    entry *replaced = apr_hash_get(cache->entries, key, APR_HASH_KEY_STRING);
    if (replaced == NULL && apr_hash_count(cache->entries) >= cache->capacity) {
        replaced = least_recently_used(cache);
    }
    if (replaced != NULL) {
        remove_entry(cache, replaced);
    }
    apr_hash_set(cache->entries, stored->texts, APR_HASH_KEY_STRING, stored);
    return 1;
}

void passenger_group_cache_remove(passenger_group_cache *cache, const char *key, passenger_group_address address)
{
    entry *found = apr_hash_get(cache->entries, key, APR_HASH_KEY_STRING);
    if (found != NULL && strcmp(found->address.socket_path, address.socket_path) == 0
        && strcmp(found->address.token, address.token) == 0 && found->address.capabilities == address.capabilities) {
        remove_entry(cache, found);
    }
}

size_t passenger_group_cache_count(const passenger_group_cache *cache)
{
    return apr_hash_count(cache->entries);
}
