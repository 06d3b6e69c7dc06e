/* deadlines.h: what time alone decides: how long a request may wait and run, and when a spawner counts as hanging.
 *
 * Pure data but for passenger_monotonic_now(): the caller brings the present time. Times are microseconds of
 * CLOCK_MONOTONIC, the clock that the workers look at, too. An administrator who sets the time of day does not move it.
 * Nothing blocks. Knows no httpd.
 */
#ifndef JUMPSEAT_DEADLINES_H
#define JUMPSEAT_DEADLINES_H

#include <stdint.h>
#include <time.h>

#include <apr_time.h>

/* The present time. Comparable with such times of this machine only, never with apr_time_now(). Any thread. */
static inline apr_time_t passenger_monotonic_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_make(now.tv_sec, now.tv_nsec / 1000);
}

/* 1. How long a request may wait for a worker (PassengerMaxRequestQueueTime) and how long the worker may take for it
 * (PassengerMaxRequestTime); docs/protocol.md, section 2. One per request, for the thread that processes it. */

typedef enum passenger_time_state {
    PASSENGER_TIME_LEFT,
    PASSENGER_QUEUE_TIMEOUT,     /* no worker has accepted the request, and none will run it from now on */
    PASSENGER_REQUEST_TIMEOUT    /* a worker has had it for as long as it may */
} passenger_time_state;

typedef struct passenger_time_limits {
    int64_t queued_at;         /* when the request began to wait */
    int64_t start_before;      /* when it has waited too long; 0: it may wait for ever */
    int64_t request_time;      /* how long a worker may take; 0: as long as it likes */
    int64_t accepted_at;       /* when a worker accepted it, or it was sent to one that does not say so; 0: none has */
} passenger_time_limits;

/* The request begins to wait. The limits are in seconds; 0: there is none. */
void passenger_time_limits_begin(passenger_time_limits *limits, int64_t now, int queue_seconds, int request_seconds);

/* A worker has accepted the request; only the first time counts. */
void passenger_time_limits_accept(passenger_time_limits *limits, int64_t now);

/* The request is sent to a worker that will not say when it accepts it: there is no limit for waiting, and the worker's
 * time, which includes the waiting, begins now. */
void passenger_time_limits_send(passenger_time_limits *limits, int64_t now);

/* When the limit that holds now is reached; 0: none holds. */
int64_t passenger_time_limits_deadline(const passenger_time_limits *limits);

/* Whether that limit is reached. */
passenger_time_state passenger_time_limits_state(const passenger_time_limits *limits, int64_t now);

/* What a limit looks at: the present time, and what has come from the worker. Receives and notes it, once; returns 0 when
 * there is nothing, or nothing is to be received any more. */
typedef struct passenger_time_source {
    int64_t (*now)(void *context);
    int (*receive)(void *context);
    void *context;
} passenger_time_source;

/* The state now. A worker acknowledges the request before it looks at the same clock: so the queue time is over only
 * when all that has come by then was received and no acknowledgement was there: then nobody runs the request. */
passenger_time_state passenger_time_limits_check(const passenger_time_limits *limits,
                                                 const passenger_time_source *source);

/* Whether a worker that has closed the connection has not accepted the request, which another one may get then.
 * `is_silent`: nothing of a response came; `is_orderly`: receiving did not fail, so that all that was sent is known. */
int passenger_time_limits_is_refused(const passenger_time_limits *limits, int is_silent, int is_orderly);

/* A timeout of poll() in milliseconds (-1: none), made as short as this other one; one that has passed is 0. */
int passenger_poll_timeout(int timeout, int64_t milliseconds);

/* The same for a deadline (0: none). The wait never ends before it: nobody would find it reached. */
int passenger_poll_deadline(int timeout, int64_t deadline, int64_t now);

/* 2. For how long the spawner has been silent, as far as httpd's parent was awake to notice
 * (docs/decisions/023-a-spawner-that-hangs.md). One per spawner, in httpd's parent. */

enum {
    PASSENGER_HEARTBEAT_TIMEOUT_SECONDS = 30,   /* a spawner that is silent for so long hangs */
    PASSENGER_HEARTBEAT_CHECK_SECONDS = 10      /* most that one check adds: httpd's parent checks about so often */
};

typedef struct passenger_heartbeat {
    int64_t checked_at;
    int64_t silence;    /* how long nothing came, by the checks */
} passenger_heartbeat;

/* From `now` on the spawner gives signs of life. */
void passenger_heartbeat_begin(passenger_heartbeat *heartbeat, int64_t now);

/* One check. `has_beaten`: whether there was a sign of life since the last one. Returns whether the spawner hangs. */
int passenger_heartbeat_check(passenger_heartbeat *heartbeat, int64_t now, int has_beaten);

/* 3. How long the next spawner waits before it begins, after one that has ended. One in httpd's parent. */

enum {
    PASSENGER_STARTED_SECONDS = 10,      /* a spawner that lived so long did start, whether it opened its socket or not */
    PASSENGER_CRASH_LOOP_SECONDS = 1,    /* the shortest time between the starts of two spawners that did open it */
    PASSENGER_LONGEST_DELAY_SECONDS = 30
};

/* All zero: none has ended, or somebody may have repaired something since. */
typedef struct passenger_start_backoff {
    int failed_starts;    /* in a row: spawners that ended before they opened their socket */
    int crash_loop;       /* the last one opened it, and lived for less than PASSENGER_CRASH_LOOP_SECONDS */
} passenger_start_backoff;

/* A spawner has ended that lived so long (microseconds). `opened`: whether it has opened its socket. */
void passenger_start_backoff_ended(passenger_start_backoff *backoff, int opened, int64_t lived);

/* Seconds that the next spawner waits: 0 after one that worked; more and more while none can start. In a crash loop there
 * is one start a second. */
int passenger_start_backoff_delay(const passenger_start_backoff *backoff);

#endif
