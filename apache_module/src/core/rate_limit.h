/* rate_limit.h: how often something may be done for each of many.
 *
 * Each has a number of times at once, and then so many a second. There is a fixed number of places, found by a digest: a
 * place that two share gives both of them less. So nothing grows, whoever comes. Pure data: the caller brings the
 * present time. Nothing blocks. Not thread-safe: the owner (registration.c) holds a lock around each call. Knows no
 * httpd.
 */
#ifndef JUMPSEAT_RATE_LIMIT_H
#define JUMPSEAT_RATE_LIMIT_H

#include <stdint.h>

enum { PASSENGER_RATE_PLACES = 1024 };

/* All zero: nothing has been done yet. */
typedef struct passenger_rate_limit {
    int64_t interval;        /* microseconds until it may be done once more; > 0 */
    int64_t burst;           /* how often it may be done at once; > 0 */
    int64_t paid_until[PASSENGER_RATE_PLACES];    /* what was done at each place takes until then */
} passenger_rate_limit;

/* Whether it may be done once more at `now` (microseconds of a clock that never goes back) for the one with this digest.
 * If so, it counts as done. */
int passenger_rate_limit_take(passenger_rate_limit *limit, uint64_t digest, int64_t now);

/* The number of the period of this length (microseconds; > 0) in which `now` is. Periods begin at another moment for
 * each digest, so that what is done once in each is not done for all at the same time. */
int64_t passenger_rate_period(uint64_t digest, int64_t now, int64_t length);

#endif
