#include "output/counted_buckets.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct passenger_bucket_counter {
    atomic_size_t bytes;
    atomic_size_t references;    /* one of the owner's pool, one of each bucket */
};

/* What is in front of the bytes of a bucket. */
typedef struct counted_bytes {
    passenger_bucket_counter *counter;
    apr_size_t length;
    char bytes[];
} counted_bytes;

static void release(passenger_bucket_counter *counter)
{
    if (atomic_fetch_sub(&counter->references, 1) == 1) {
        free(counter);
    }
}

static apr_status_t release_by_owner(void *counter)
{
    release(counter);
    return APR_SUCCESS;
}

passenger_bucket_counter *passenger_bucket_counter_create(apr_pool_t *pool)
{
    passenger_bucket_counter *counter = malloc(sizeof(*counter));
    if (counter != NULL) {
        atomic_init(&counter->bytes, 0);
        atomic_init(&counter->references, 1);
        apr_pool_cleanup_register(pool, counter, release_by_owner, apr_pool_cleanup_null);
    }
    return counter;
}

/* The bucket that held them is destroyed. */
static void free_counted(void *bytes)
{
    counted_bytes *counted = (counted_bytes *)((char *)bytes - offsetof(counted_bytes, bytes));
    atomic_fetch_sub(&counted->counter->bytes, counted->length);
    release(counted->counter);
    free(counted);
}

static counted_bytes *create_counted(passenger_bucket_counter *counter, apr_size_t length)
{
    counted_bytes *counted = malloc(sizeof(*counted) + length);
    if (counted != NULL) {
        counted->counter = counter;
        counted->length = length;
        atomic_fetch_add(&counter->bytes, length);
        atomic_fetch_add(&counter->references, 1);
    }
    return counted;
}

static int is_in_memory(const apr_bucket *bucket)
{
    return APR_BUCKET_IS_HEAP(bucket) || APR_BUCKET_IS_TRANSIENT(bucket) || APR_BUCKET_IS_POOL(bucket)
           || APR_BUCKET_IS_IMMORTAL(bucket);
}

int passenger_bucket_counter_takes(const apr_bucket_brigade *brigade)
{
    apr_size_t room = PASSENGER_COUNTED_LIMIT;
    for (const apr_bucket *bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (APR_BUCKET_IS_METADATA(bucket) || is_in_memory(bucket)) {
            continue;
        }
        /* An unknown length is the largest number. */
        if (bucket->length > room) {
            return 0;
        }
        room -= bucket->length;
    }
    return 1;
}

/* Reads the buckets of data from `first` on, up to the limit, to one of metadata, or to the end of the brigade: `*end`.
 * What is beyond the limit, or behind what was read of a file, gets a bucket of its own. */
static apr_status_t read_run(apr_bucket_brigade *brigade, apr_bucket *first, apr_bucket **end, apr_size_t *total)
{
    apr_bucket *bucket = first;
    apr_status_t rv = APR_SUCCESS;
    *total = 0;
    while (rv == APR_SUCCESS && *total < PASSENGER_COUNTED_LIMIT && bucket != APR_BRIGADE_SENTINEL(brigade)
           && !APR_BUCKET_IS_METADATA(bucket)) {
        const char *bytes;
        apr_size_t length;
        rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
        if (rv == APR_SUCCESS && length > PASSENGER_COUNTED_LIMIT - *total) {
            length = PASSENGER_COUNTED_LIMIT - *total;
            rv = apr_bucket_split(bucket, length);
        }
        if (rv == APR_SUCCESS) {
            *total += length;
            bucket = APR_BUCKET_NEXT(bucket);
        }
    }
    *end = bucket;
    return rv;
}

/* Puts a counted bucket in the place of the buckets from `first` up to `end`, which have been read. */
static apr_status_t replace_run(passenger_bucket_counter *counter, apr_bucket *first, apr_bucket *end,
                                apr_size_t total, apr_bucket_alloc_t *list)
{
    counted_bytes *counted = create_counted(counter, total);
    apr_size_t used = 0;
    if (counted == NULL) {
        return APR_ENOMEM;
    }
    while (first != end) {
        apr_bucket *next = APR_BUCKET_NEXT(first);
        const char *bytes;
        apr_size_t length = 0;
        apr_bucket_read(first, &bytes, &length, APR_BLOCK_READ);
        memcpy(counted->bytes + used, bytes, length);
        used += length;
        apr_bucket_delete(first);
        first = next;
    }
    APR_BUCKET_INSERT_BEFORE(end, apr_bucket_heap_create(counted->bytes, total, free_counted, list));
    return APR_SUCCESS;
}

apr_status_t passenger_bucket_counter_add(passenger_bucket_counter *counter, apr_bucket_brigade *brigade)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
    apr_status_t rv = APR_SUCCESS;
    while (rv == APR_SUCCESS && bucket != APR_BRIGADE_SENTINEL(brigade)) {
        apr_bucket *first = bucket;
        apr_size_t total;
        if (APR_BUCKET_IS_METADATA(bucket)) {
            bucket = APR_BUCKET_NEXT(bucket);
            continue;
        }
        rv = read_run(brigade, first, &bucket, &total);
        if (rv == APR_SUCCESS) {
            rv = replace_run(counter, first, bucket, total, brigade->bucket_alloc);
        }
    }
    return rv;
}

apr_size_t passenger_bucket_counter_bytes(const passenger_bucket_counter *counter)
{
    return atomic_load(&((passenger_bucket_counter *)counter)->bytes);
}
