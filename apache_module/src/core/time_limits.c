#include "core/time_limits.h"

#include <string.h>

enum { MICROSECONDS = 1000 * 1000 };

void passenger_time_limits_begin(passenger_time_limits *limits, int64_t now, int queue_seconds, int request_seconds)
{
    memset(limits, 0, sizeof(*limits));
    limits->began = now;
    limits->start_before = queue_seconds > 0 ? now + (int64_t)queue_seconds * MICROSECONDS : 0;
    limits->request_time = request_seconds > 0 ? (int64_t)request_seconds * MICROSECONDS : 0;
}

void passenger_time_limits_take(passenger_time_limits *limits, int64_t now)
{
    if (limits->taken == 0) {
        limits->taken = now;
    }
}

int64_t passenger_time_limits_next(const passenger_time_limits *limits)
{
    if (limits->taken == 0) {
        return limits->start_before;
    }
    return limits->request_time > 0 ? limits->taken + limits->request_time : 0;
}

passenger_time_state passenger_time_limits_state(const passenger_time_limits *limits, int64_t now)
{
    int64_t next = passenger_time_limits_next(limits);
    if (next == 0 || now < next) {
        return PASSENGER_TIME_LEFT;
    }
    return limits->taken == 0 ? PASSENGER_QUEUE_TIME_OVER : PASSENGER_REQUEST_TIME_OVER;
}
