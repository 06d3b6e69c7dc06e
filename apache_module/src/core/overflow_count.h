/* overflow_count.h: how many requests have been refused because a queue was full, by app group, since it was last told.
 *
 * Bounded: with `capacity` groups waiting to be told, those of further ones are not counted. Knows no httpd; its memory is
 * its own (malloc), because groups come and go as long as the child lives. Not thread-safe: the owner holds a lock.
 */
#ifndef JUMPSEAT_OVERFLOW_COUNT_H
#define JUMPSEAT_OVERFLOW_COUNT_H

#include <stddef.h>
#include <stdint.h>

typedef struct passenger_overflow_count passenger_overflow_count;

/* What is to be told. */
typedef struct passenger_overflow {
    char *group;       /* malloc: whoever has taken it frees it */
    uint64_t count;    /* Invariant: > 0 */
} passenger_overflow;

/* Room for `capacity` (>= 1) groups, or NULL without memory. */
passenger_overflow_count *passenger_overflow_count_create(size_t capacity);

/* Releases all; NULL is allowed. */
void passenger_overflow_count_destroy(passenger_overflow_count *counts);

/* Counts `count` refused requests of `group`. */
void passenger_overflow_count_add(passenger_overflow_count *counts, const char *group, uint64_t count);

/* Whether something waits to be told. */
int passenger_overflow_count_is_empty(const passenger_overflow_count *counts);

/* Takes out what is to be told at `now` (microseconds of a clock that never goes back): the group with the most refused
 * requests, once a second at most. Returns 0 when it is not yet time, or there is none. */
int passenger_overflow_count_take(passenger_overflow_count *counts, int64_t now, passenger_overflow *taken);

#endif
