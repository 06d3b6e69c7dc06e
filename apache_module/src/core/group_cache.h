/* group_cache.h: what an httpd child knows about app groups: key -> socket path and token.
 *
 * Bounded: the entry that was used longest ago makes room. Its memory is its own (malloc), because entries come and
 * go as long as the child lives. Knows no httpd. Not thread-safe: the owner (registration.c) holds a lock.
 */
#ifndef JUMPSEAT_GROUP_CACHE_H
#define JUMPSEAT_GROUP_CACHE_H

#include <stddef.h>
#include <stdint.h>

typedef struct passenger_group_cache passenger_group_cache;

/* Points into the cache: copy it before the lock is released. */
typedef struct passenger_group_address {
    const char *socket_path;
    const char *token;
} passenger_group_address;

/* A cache of at most `capacity` (>= 1) entries, or NULL without memory. */
passenger_group_cache *passenger_group_cache_create(size_t capacity);

/* Releases the cache with all entries; NULL is allowed. */
void passenger_group_cache_destroy(passenger_group_cache *cache);

/* Returns 1 and fills `address` when `key` is known. */
int passenger_group_cache_find(passenger_group_cache *cache, const char *key, passenger_group_address *address);

/* Copies key and address into the cache, replacing what it knew. Returns 0 without memory (the cache is unchanged). */
int passenger_group_cache_store(passenger_group_cache *cache, const char *key, passenger_group_address address);

/* Forgets `key`, but only while it still leads to `socket_path` and `token`: another thread may have learnt better. */
void passenger_group_cache_forget(passenger_group_cache *cache, const char *key, passenger_group_address address);

size_t passenger_group_cache_count(const passenger_group_cache *cache);

/* FNV-1a over `text` and a terminator, begun with PASSENGER_DIGEST_START and continued with the result. */
#define PASSENGER_DIGEST_START UINT64_C(14695981039346656037)
uint64_t passenger_digest(uint64_t digest, const char *text);

#endif
