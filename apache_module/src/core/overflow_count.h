/* overflow_count.h: how many requests were refused because a queue was full, by app group, since the spawner was last
 * told.
 *
 * Bounded: while `capacity` groups wait to be told, requests of further groups are not counted. The store belongs to
 * its pool; the entries are malloc'ed, because groups come and go as long as the child lives. Nothing blocks. Not
 * thread-safe: the owner (overflow_report.c) holds a lock around each call. Knows no httpd.
 */
#ifndef JUMPSEAT_OVERFLOW_COUNT_H
#define JUMPSEAT_OVERFLOW_COUNT_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>

typedef struct passenger_overflow_count passenger_overflow_count;

/* What the spawner is to be told. */
typedef struct passenger_overflow {
    const char *group;
    uint64_t count;    /* Invariant: > 0 */
} passenger_overflow;

/* An empty store for at most `capacity` (>= 1) groups. It has a pool of its own below `parent`, whose end frees it with
 * all entries: later calls take nothing of `parent`, which other threads may use meanwhile. */
passenger_overflow_count *passenger_overflow_count_create(apr_pool_t *parent, size_t capacity);

/* Counts `count` refused requests of `group`. */
void passenger_overflow_count_add(passenger_overflow_count *counts, const char *group, uint64_t count);

/* Whether nothing waits to be told. */
int passenger_overflow_count_is_empty(const passenger_overflow_count *counts);

/* Takes out what is to be told at `now` (microseconds of a clock that never goes back): the group with the most
 * refused requests, once a second at most; its name is copied into `pool`. Returns 0 when it is not yet time, or
 * there is none. */
int passenger_overflow_count_take(passenger_overflow_count *counts, int64_t now, apr_pool_t *pool,
                                  passenger_overflow *taken);

#endif
