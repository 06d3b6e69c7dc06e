#include "core/deadlines.h"

#include <limits.h>
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

passenger_time_state passenger_time_limits_check(const passenger_time_limits *limits,
                                                 const passenger_time_source *source)
{
    passenger_time_state state = passenger_time_limits_state(limits, source->now(source->context));
    while (state == PASSENGER_QUEUE_TIMEOUT && source->receive(source->context)) {
        state = passenger_time_limits_state(limits, source->now(source->context));
    }
    return state;
}

int passenger_time_limits_is_refused(const passenger_time_limits *limits, int is_silent, int is_orderly)
{
    return is_silent && is_orderly && limits->accepted_at == 0;
}

int passenger_poll_timeout(int timeout, int64_t milliseconds)
{
    milliseconds = milliseconds > 0 ? milliseconds : 0;
    if (milliseconds > INT_MAX) {
        milliseconds = INT_MAX;
    }
    return timeout < 0 || milliseconds < timeout ? (int)milliseconds : timeout;
}

int passenger_poll_deadline(int timeout, int64_t deadline, int64_t now)
{
    return deadline != 0 ? passenger_poll_timeout(timeout, apr_time_as_msec(deadline - now) + 1) : timeout;
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

void passenger_start_backoff_ended(passenger_start_backoff *backoff, int opened, int64_t lived)
{
    int has_started = opened || lived >= (int64_t)PASSENGER_STARTED_SECONDS * SECOND;
    backoff->failed_starts = has_started ? 0 : backoff->failed_starts + 1;
    backoff->crash_loop = opened && lived < (int64_t)PASSENGER_CRASH_LOOP_SECONDS * SECOND;
}

int passenger_start_backoff_delay(const passenger_start_backoff *backoff)
{
    int doublings = backoff->failed_starts - 2;
    if (doublings < 0) {
        return backoff->crash_loop ? PASSENGER_CRASH_LOOP_SECONDS : 0;
    }
    return doublings >= 5 ? PASSENGER_LONGEST_DELAY_SECONDS : 1 << doublings;
}
