#include "proxy/exchange_wait.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

#include <http_log.h>

#include "config/configuration.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"

APLOG_USE_MODULE(passenger);

enum {
    IDLE_MILLISECONDS = 5,           /* a worker silent for so long: the client gets what there is */
    WATCHED_MILLISECONDS = 1000,     /* how often to look at a client's socket: poll() does not tell that httpd has closed it */
    UNWATCHED_MILLISECONDS = 250,    /* how often to look whether a client that cannot be polled is still there */
    UNWATCHED_BODY_MILLISECONDS = 20    /* the same, at most, for more of its body */
};

static int earlier(int timeout, apr_interval_time_t milliseconds)
{
    if (milliseconds < 0) {
        milliseconds = 0;
    }
    if (milliseconds > INT_MAX) {
        milliseconds = INT_MAX;
    }
    return timeout < 0 || milliseconds < timeout ? (int)milliseconds : timeout;
}

int passenger_exchange_is_unflushed(const passenger_exchange *exchange)
{
    return exchange->held_since != 0 && exchange->relay.state == PASSENGER_RELAY_BODY;
}

int passenger_exchange_is_waiting_for_body(const passenger_exchange *exchange)
{
    return exchange->starved_since != 0 && exchange->continue_at == 0;
}

/* When to look again after a client that cannot be polled: while its body is waited for, as soon as it has been silent. */
static apr_interval_time_t unwatched_timeout_of(const passenger_exchange *exchange, apr_time_t now)
{
    if (exchange->starved_since == 0) {
        return UNWATCHED_MILLISECONDS;
    }
    apr_interval_time_t silent = apr_time_as_msec(now - exchange->starved_since);
    return silent < UNWATCHED_BODY_MILLISECONDS ? silent + 1 : UNWATCHED_BODY_MILLISECONDS;
}

/* How long to wait for events: milliseconds. */
static int timeout_of(const passenger_exchange *exchange)
{
    int timeout = -1;
    apr_time_t now = passenger_monotonic_now();
    if (passenger_exchange_is_unflushed(exchange)) {
        timeout = earlier(IDLE_MILLISECONDS, PASSENGER_HOLD_MILLISECONDS - apr_time_as_msec(now - exchange->held_since));
    }
    if (exchange->continue_at != 0) {
        timeout = earlier(timeout, apr_time_as_msec(exchange->continue_at - now) + 1);
    }
    if (passenger_exchange_is_waiting_for_body(exchange)) {
        timeout = earlier(timeout, apr_time_as_msec(exchange->starved_since + exchange->r->server->timeout - now) + 1);
    }
    timeout = earlier(timeout, exchange->client < 0 ? unwatched_timeout_of(exchange, now) : WATCHED_MILLISECONDS);
    int64_t limit = passenger_time_limits_next(exchange->limits);
    if (limit != 0 && !passenger_relay_is_answered(&exchange->relay)) {
        timeout = earlier(timeout, apr_time_as_msec(limit - now) + 1);
    }
    apr_time_t deadline = passenger_relay_deadline(&exchange->relay);
    return deadline != 0 ? earlier(timeout, apr_time_as_msec(deadline - now) + 1) : timeout;
}

/* What is to be heard of the client: that it has left; that it takes more of the response; more body, if the worker
 * waits for it. A client that shuts down its side in the middle of the body is found out by reading; until that is done,
 * to hear of it would be idle. */
static short events_of_client(const passenger_exchange *exchange)
{
    int takes_more = passenger_outlet_is_busy(&exchange->relay.delivery.outlet) ? POLLOUT : 0;
    if (exchange->body->is_finished || !exchange->takes_body) {
        return (short)(POLLRDHUP | takes_more);
    }
    return (short)((exchange->starved_since != 0 ? POLLIN : 0) | takes_more);
}

/* The worker as poll() is to see it: not at all when there is nothing to be heard, because its end would be for ever. */
static struct pollfd watched_worker(const passenger_exchange *exchange)
{
    int hears = exchange->relay.delivery.is_stuck || exchange->reader.is_started ? 0 : POLLIN;
    int sends = passenger_backend_is_sending(exchange->backend) ? POLLOUT : 0;
    return (struct pollfd){.fd = hears || sends ? exchange->backend->socket : -1, .events = (short)(hears | sends)};
}

static struct pollfd watched_reader(const passenger_exchange *exchange)
{
    return (struct pollfd){.fd = exchange->reader.is_started ? exchange->reader.event : -1, .events = POLLIN};
}

passenger_exchange_events passenger_exchange_wait(passenger_exchange *exchange)
{
    struct pollfd watched[3] = {watched_worker(exchange),
                                {.fd = exchange->client, .events = events_of_client(exchange)},
                                watched_reader(exchange)};
    int count = poll(watched, 3, timeout_of(exchange));
    if (count < 0 && errno != EINTR) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, errno, exchange->r, PSGLOGNO(2102) "cannot wait for the worker");
        passenger_relay_end_of_input(&exchange->relay);
    }
    if (count <= 0) {
        return (passenger_exchange_events){.worker_spoke = 0};
    }
    /* Not valid: httpd ends, and does not wait for requests. */
    exchange->has_left |= (watched[1].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
    /* A worker that is not to be heard now, because there is no room for what it says, may still take more of us. */
    int worker_spoke = (watched[0].events & POLLIN) != 0 && watched[0].revents != 0;
    return (passenger_exchange_events){.worker_spoke = worker_spoke || watched[2].revents != 0,
                                       .client_takes = (watched[1].revents & POLLOUT) != 0};
}
