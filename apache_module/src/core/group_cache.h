/* group_cache.h: what an httpd child knows about app groups: key -> socket path, token and capabilities.
 *
 * Bounded: the entry that was used longest ago makes room. The cache belongs to its pool; the entries are malloc'ed,
 * because they come and go as long as the child lives. Nothing blocks. Not thread-safe: the owner (registration.c)
 * holds a lock around each call. Knows no httpd.
 */
#ifndef JUMPSEAT_GROUP_CACHE_H
#define JUMPSEAT_GROUP_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

#include "core/worker_load.h"

typedef struct passenger_group_cache passenger_group_cache;

/* Points into the cache: copy it before the lock is released. */
typedef struct passenger_group_address {
    const char *socket_path;
    const char *token;
    unsigned capabilities;    /* of the group's loader; see capabilities.h */
    passenger_worker_load *load;   /* what is known of its workers; NULL: nothing. A reference, of whoever has the address */
    uint64_t restart_file;    /* a digest of how the restart file stood before the spawner was asked; 0: nobody looked */
} passenger_group_address;

/* An empty cache of at most `capacity` (>= 1) entries. It has a pool of its own below `parent`,
 * which other threads may use; the end of `parent` frees it with all entries. */
passenger_group_cache *passenger_group_cache_create(apr_pool_t *parent, size_t capacity);

/* Returns 1 and fills `address` when `key` is known. `load` stays the cache's: hold it before the lock is released. */
int passenger_group_cache_find(passenger_group_cache *cache, const char *key, passenger_group_address *address);

/* Copies key and address into the cache, with a reference of its own to `load`, replacing what it knew. Returns 0 without
 * memory (the cache is unchanged). */
int passenger_group_cache_store(passenger_group_cache *cache, const char *key, passenger_group_address address);

/* Removes `key`, but only while it has this address: another thread may have stored a newer one. */
void passenger_group_cache_remove(passenger_group_cache *cache, const char *key, passenger_group_address address);

size_t passenger_group_cache_count(const passenger_group_cache *cache);

/* FNV-1a over `text` and its NUL, begun with PASSENGER_DIGEST_START and continued with the result. */
#define PASSENGER_DIGEST_START UINT64_C(14695981039346656037)
uint64_t passenger_digest(uint64_t digest, const char *text);

#endif
