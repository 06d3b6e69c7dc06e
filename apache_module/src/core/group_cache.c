#include "core/group_cache.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    char *texts;           /* key, socket path and token, each with its NUL, in one allocation; NULL: free */
    const char *socket_path;
    const char *token;
    uint64_t digest;       /* of the key: compared first */
    uint64_t last_used;    /* by the cache's own clock, which counts calls */
} entry;

struct passenger_group_cache {
    uint64_t clock;
    size_t capacity;
    size_t count;          /* Invariant: entries[0..count) are in use, the rest is free; count <= capacity */
    entry entries[];
};

uint64_t passenger_digest(uint64_t digest, const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    do {
        digest = (digest ^ *byte) * UINT64_C(1099511628211);
    } while (*byte++ != '\0');
    return digest;
}

passenger_group_cache *passenger_group_cache_create(size_t capacity)
{
    if (capacity == 0 || capacity > ((size_t)-1 - sizeof(passenger_group_cache)) / sizeof(entry)) {
        return NULL;
    }
    passenger_group_cache *cache = calloc(1, sizeof(*cache) + capacity * sizeof(entry));
    if (cache != NULL) {
        cache->capacity = capacity;
    }
    return cache;
}

void passenger_group_cache_destroy(passenger_group_cache *cache)
{
    for (size_t index = 0; cache != NULL && index < cache->count; index++) {
        free(cache->entries[index].texts);
    }
    free(cache);
}

static entry *lookup(passenger_group_cache *cache, const char *key)
{
    uint64_t digest = passenger_digest(PASSENGER_DIGEST_START, key);
    for (size_t index = 0; index < cache->count; index++) {
        entry *candidate = &cache->entries[index];
        if (candidate->digest == digest && strcmp(candidate->texts, key) == 0) {
            return candidate;
        }
    }
    return NULL;
}

int passenger_group_cache_find(passenger_group_cache *cache, const char *key, passenger_group_address *address)
{
    entry *found = lookup(cache, key);
    if (found == NULL) {
        return 0;
    }
    found->last_used = ++cache->clock;
    address->socket_path = found->socket_path;
    address->token = found->token;
    return 1;
}

static entry *least_recently_used(passenger_group_cache *cache)
{
    entry *oldest = &cache->entries[0];
    for (size_t index = 1; index < cache->count; index++) {
        if (cache->entries[index].last_used < oldest->last_used) {
            oldest = &cache->entries[index];
        }
    }
    return oldest;
}

/* Fills a fresh entry with copies of the texts; returns 0 without memory. */
static int fill(entry *fresh, const char *key, passenger_group_address address)
{
    size_t key_size = strlen(key) + 1;
    size_t path_size = strlen(address.socket_path) + 1;
    size_t token_size = strlen(address.token) + 1;
    fresh->texts = malloc(key_size + path_size + token_size);
    if (fresh->texts == NULL) {
        return 0;
    }
    memcpy(fresh->texts, key, key_size);
    fresh->socket_path = memcpy(fresh->texts + key_size, address.socket_path, path_size);
    fresh->token = memcpy(fresh->texts + key_size + path_size, address.token, token_size);
    fresh->digest = passenger_digest(PASSENGER_DIGEST_START, key);
    return 1;
}

int passenger_group_cache_store(passenger_group_cache *cache, const char *key, passenger_group_address address)
{
    entry fresh;
    if (!fill(&fresh, key, address)) {
        return 0;
    }
    fresh.last_used = ++cache->clock;
    entry *place = lookup(cache, key);
    if (place == NULL && cache->count < cache->capacity) {
        place = &cache->entries[cache->count++];
    }
    else if (place == NULL) {
        place = least_recently_used(cache);
    }
    free(place->texts);
    *place = fresh;
    return 1;
}

void passenger_group_cache_forget(passenger_group_cache *cache, const char *key, passenger_group_address address)
{
    entry *found = lookup(cache, key);
    if (found == NULL || strcmp(found->socket_path, address.socket_path) != 0
        || strcmp(found->token, address.token) != 0) {
        return;
    }
    entry *last = &cache->entries[--cache->count];
    free(found->texts);
    *found = *last;
    memset(last, 0, sizeof(*last));
}

size_t passenger_group_cache_count(const passenger_group_cache *cache)
{
    return cache->count;
}
