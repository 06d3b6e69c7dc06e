/* counted_buckets.h: bytes that are handed on in buckets, counted until the buckets are destroyed: so their sender
 * learns when the receiver has taken them.
 *
 * A counter is for the thread that sends. The buckets may outlive it, and any thread may destroy them. Nothing
 * blocks, except reading a bucket as its kind does. Knows no httpd.
 */
#ifndef JUMPSEAT_COUNTED_BUCKETS_H
#define JUMPSEAT_COUNTED_BUCKETS_H

#include <apr_buckets.h>
#include <apr_pools.h>

typedef struct passenger_bucket_counter passenger_bucket_counter;

/* A counter that its pool ends. NULL without memory. */
passenger_bucket_counter *passenger_bucket_counter_create(apr_pool_t *pool);

enum { PASSENGER_COUNTED_LIMIT = 64 * 1024 };   /* most bytes of one counted bucket */

/* Whether passenger_bucket_counter_add() may take the brigade: not when it would read more than
 * PASSENGER_COUNTED_LIMIT bytes, or nobody knows how many, of files or pipes into memory. */
int passenger_bucket_counter_takes(const apr_bucket_brigade *brigade);

/* Puts counted buckets of memory in the place of those of data: as few as the limit allows. Metadata stays.
 * Returns why a bucket could not be read, or APR_ENOMEM: what the brigade then holds is of no use any more. */
apr_status_t passenger_bucket_counter_add(passenger_bucket_counter *counter, apr_bucket_brigade *brigade);

/* How many bytes are in buckets that have not been destroyed yet. */
apr_size_t passenger_bucket_counter_bytes(const passenger_bucket_counter *counter);

#endif
