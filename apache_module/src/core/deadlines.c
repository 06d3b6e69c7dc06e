#include "core/deadlines.h"

#include <string.h>

enum { SECOND = 1000 * 1000 };

void passenger_time_limits_begin(passenger_time_limits *limits, int64_t now, int queue_seconds, int request_seconds)
{
    memset(limits, 0, sizeof(*limits));
    limits->queued_at = now;
    limits->start_before = queue_seconds > 0 ? now + (int64_t)queue_seconds * SECOND : 0;
    limits->request_time = request_seconds > 0 ? (int64_t)request_seconds * SECOND : 0;
}

void passenger_time_limits_accept(passenger_time_limits *limits, int64_t now)
{
    if (limits->accepted_at == 0) {
        limits->accepted_at = now;
    }
}

void passenger_time_limits_send(passenger_time_limits *limits, int64_t now)
{
    limits->start_before = 0;
    passenger_time_limits_accept(limits, now);
}

int64_t passenger_time_limits_deadline(const passenger_time_limits *limits)
{
    if (limits->accepted_at == 0) {
        return limits->start_before;
    }
    return limits->request_time > 0 ? limits->accepted_at + limits->request_time : 0;
}

passenger_time_state passenger_time_limits_state(const passenger_time_limits *limits, int64_t now)
{
    int64_t deadline = passenger_time_limits_deadline(limits);
    if (deadline == 0 || now < deadline) {
        return PASSENGER_TIME_LEFT;
    }
    return limits->accepted_at == 0 ? PASSENGER_QUEUE_TIMEOUT : PASSENGER_REQUEST_TIMEOUT;
}

void passenger_heartbeat_begin(passenger_heartbeat *heartbeat, int64_t now)
{
    heartbeat->checked_at = now;
    heartbeat->silence = 0;
}

int passenger_heartbeat_check(passenger_heartbeat *heartbeat, int64_t now, int has_beaten)
{
    const int64_t most = (int64_t)PASSENGER_HEARTBEAT_CHECK_SECONDS * SECOND;
    int64_t since = now - heartbeat->checked_at;
    if (since < 0) {
        return 0;   /* it has not begun yet */
    }
    heartbeat->checked_at = now;
    if (has_beaten) {
        heartbeat->silence = 0;
        return 0;
    }
    /* A longer time without a check means that this process was frozen or suspended, and so perhaps was the spawner. */
    heartbeat->silence += since < most ? since : most;
    return heartbeat->silence >= (int64_t)PASSENGER_HEARTBEAT_TIMEOUT_SECONDS * SECOND;
}
