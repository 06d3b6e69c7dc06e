/* The clock for everything that is waited for: an administrator who sets the time of day does not move it. */
#ifndef PASSENGER_MONOTONIC_H
#define PASSENGER_MONOTONIC_H

#include <time.h>

#include <apr_time.h>

/* CLOCK_MONOTONIC in APR's unit, microseconds; comparable with others of this machine only, never with apr_time_now(). */
static inline apr_time_t passenger_monotonic_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return apr_time_make(now.tv_sec, now.tv_nsec / 1000);
}

#endif
