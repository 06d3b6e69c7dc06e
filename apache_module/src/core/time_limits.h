/* time_limits.h: how long a request may wait for a worker, and how long the worker may take for it
 * (PassengerMaxRequestQueueTime and PassengerMaxRequestTime; docs/protocol.md, section 2).
 *
 * Times are microseconds of CLOCK_MONOTONIC (monotonic.h), the clock that the worker looks at, too. Pure data: the caller brings the
 * present time. One per request, for one thread.
 */
#ifndef JUMPSEAT_TIME_LIMITS_H
#define JUMPSEAT_TIME_LIMITS_H

#include <stdint.h>

typedef enum passenger_time_state {
    PASSENGER_TIME_LEFT,
    PASSENGER_QUEUE_TIME_OVER,     /* no worker has taken the request, and none will run it from now on */
    PASSENGER_REQUEST_TIME_OVER    /* a worker has had it for as long as it may */
} passenger_time_state;

typedef struct passenger_time_limits {
    int64_t began;             /* when the request began to wait */
    int64_t start_before;      /* when it has waited too long; 0: it may wait for ever */
    int64_t request_time;      /* how long a worker may take; 0: as long as it likes */
    int64_t taken;             /* when a worker took it; 0: none has */
} passenger_time_limits;

/* Begins to wait. The limits are in seconds; 0: there is none. */
void passenger_time_limits_begin(passenger_time_limits *limits, int64_t now, int queue_seconds, int request_seconds);

/* A worker has taken the request; only the first time counts. */
void passenger_time_limits_take(passenger_time_limits *limits, int64_t now);

/* When the limit that holds now is reached; 0: none holds. */
int64_t passenger_time_limits_next(const passenger_time_limits *limits);

/* Whether that limit is reached. */
passenger_time_state passenger_time_limits_state(const passenger_time_limits *limits, int64_t now);

#endif
