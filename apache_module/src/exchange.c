#include "exchange.h"

#include <errno.h>
#include <poll.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_portable.h>

#include "configuration.h"
#include "log_numbers.h"

APLOG_USE_MODULE(passenger);

enum {
    RECEIVE_SIZE = 32 * 1024,
    RECEIVE_LEAST = 8 * 1024,        /* with less room than this left, what came is passed on first */
    OUTGOING_SIZE = 32 * 1024,
    IDLE_MILLISECONDS = 5,           /* a worker silent for so long: the client gets what there is */
    HOLD_MILLISECONDS = 50,          /* the longest that a trickle is held back */
    UNWATCHED_MILLISECONDS = 250,    /* how often to look whether a client that cannot be polled is still there */
    UNWATCHED_BODY_MILLISECONDS = 20,   /* the same, at most, for more of its body */
    CONTINUE_SECONDS = 1,            /* for workers that do not say when they read the body */
    STATUS_CLIENT_LEFT = 499         /* for the access log only */
};

static int is_client_gone(const passenger_exchange *exchange)
{
    return exchange->has_left || exchange->r->connection->aborted
           || exchange->relay.state == PASSENGER_RELAY_CLIENT_LEFT;
}

static int is_over(const passenger_exchange *exchange)
{
    passenger_relay_state state = exchange->relay.state;
    return is_client_gone(exchange) || (state != PASSENGER_RELAY_HEAD && state != PASSENGER_RELAY_BODY);
}

static void say_continue(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    if (exchange->continue_at != 0 && !exchange->relay.has_passed) {
        int status = r->status;
        const char *line = r->status_line;
        r->status = HTTP_CONTINUE;
        r->status_line = NULL;
        ap_send_interim_response(r, 0);
        r->status = status;
        r->status_line = line;
    }
    exchange->continue_at = 0;
    exchange->starved_since = exchange->starved_since != 0 ? apr_time_now() : 0;
}

/* The client's body cannot be read: the worker must not take what it has for the whole. */
static void stop_body(passenger_exchange *exchange, apr_status_t rv)
{
    exchange->takes_body = 0;
    if (exchange->r->connection->aborted || APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_ECONNRESET(rv)
        || APR_STATUS_IS_ECONNABORTED(rv)) {
        exchange->has_left = 1;
        return;
    }
    exchange->request_status = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, exchange->r, PSGLOGNO(2100)
                  "the request body cannot be read to its end while it is streamed");
}

/* Queues the next piece of a streamed body, if the client has sent one. Returns 1 when something is queued. */
static int queue_body(passenger_exchange *exchange)
{
    passenger_request_body *body = exchange->body;
    apr_size_t length;
    if (!exchange->takes_body || body->is_finished) {
        exchange->starved_since = 0;
        return 0;
    }
    apr_status_t rv = passenger_request_body_read(body, exchange->outgoing, OUTGOING_SIZE, &length);
    if (rv == APR_EAGAIN) {
        exchange->starved_since = exchange->starved_since != 0 ? exchange->starved_since : apr_time_now();
        return 0;
    }
    exchange->starved_since = 0;
    if (rv != APR_SUCCESS) {
        stop_body(exchange, rv);
        return 0;
    }
    /* Some of the body has come: the client waits for no `100` any more. */
    exchange->continue_at = 0;
    if (length > 0) {
        passenger_backend_queue(exchange->backend, exchange->outgoing, length);
    }
    return length > 0;
}

/* Sends as much as the worker takes and the client has given. */
static void send_request(passenger_exchange *exchange)
{
    passenger_backend_status status = passenger_backend_send(exchange->backend);
    while (status == PASSENGER_BACKEND_OK && queue_body(exchange)) {
        status = passenger_backend_send(exchange->backend);
    }
    if (status == PASSENGER_BACKEND_FAILED) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, errno, exchange->r, PSGLOGNO(2101) "cannot send to the worker");
    }
    if (status == PASSENGER_BACKEND_CLOSED || status == PASSENGER_BACKEND_FAILED) {
        /* It may have answered before it closed: what it said is still to be read. */
        exchange->takes_body = 0;
    }
}

/* Passes on what the relay holds; afterwards the bytes that came are not needed any more. */
static void pass(passenger_exchange *exchange, int flush)
{
    passenger_relay *relay = &exchange->relay;
    /* httpd reads the rest of the body before it sends what it holds back, and the client may wait for the answer
     * before it sends that rest. More than a little is not to be read: then the connection has to end. */
    if (relay->state == PASSENGER_RELAY_COMPLETE && !exchange->body->is_finished) {
        flush = 1;
        if (!passenger_request_body_is_nearly_read(exchange->body)) {
            exchange->r->connection->keepalive = AP_CONN_CLOSE;
        }
    }
    passenger_relay_pass(relay, flush);
    exchange->received_used = 0;
    exchange->held_since = flush ? 0 : apr_time_now();
}

/* Receives what has come, once. Returns 0 when there was nothing. */
static int receive_response(passenger_exchange *exchange)
{
    passenger_relay *relay = &exchange->relay;
    char *start = exchange->received + exchange->received_used;
    size_t length;
    passenger_backend_status status = passenger_backend_receive(exchange->backend, start,
                                                                RECEIVE_SIZE - exchange->received_used, &length);
    if (status == PASSENGER_BACKEND_AGAIN) {
        return 0;
    }
    if (status != PASSENGER_BACKEND_OK) {
        passenger_relay_end_of_input(relay);
        return 1;
    }
    exchange->received_used += length;
    passenger_relay_feed(relay, start, length);
    if (exchange->held_since == 0) {
        exchange->held_since = apr_time_now();
    }
    if (relay->wants_continue) {
        relay->wants_continue = 0;
        say_continue(exchange);
    }
    if (relay->state == PASSENGER_RELAY_COMPLETE
        || (relay->state == PASSENGER_RELAY_BODY
            && (RECEIVE_SIZE - exchange->received_used < RECEIVE_LEAST || passenger_relay_is_full(relay)))) {
        pass(exchange, 0);
    }
    else if (relay->state == PASSENGER_RELAY_HEAD) {
        exchange->received_used = 0;
    }
    return 1;
}

static int earlier(int timeout, apr_interval_time_t milliseconds)
{
    if (milliseconds < 0) {
        milliseconds = 0;
    }
    return timeout < 0 || milliseconds < timeout ? (int)milliseconds : timeout;
}

/* Whether something came that the client has not been given for certain. */
static int is_unflushed(const passenger_exchange *exchange)
{
    return exchange->held_since != 0 && exchange->relay.state == PASSENGER_RELAY_BODY;
}

/* Whether the client is late with its body, and not because it waits for a `100`. */
static int is_waiting_for_body(const passenger_exchange *exchange)
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

/* How long to wait for events: milliseconds, -1: without end. */
static int timeout_of(const passenger_exchange *exchange)
{
    int timeout = -1;
    apr_time_t now = apr_time_now();
    if (is_unflushed(exchange)) {
        timeout = earlier(IDLE_MILLISECONDS, HOLD_MILLISECONDS - apr_time_as_msec(now - exchange->held_since));
    }
    if (exchange->continue_at != 0) {
        timeout = earlier(timeout, apr_time_as_msec(exchange->continue_at - now) + 1);
    }
    if (is_waiting_for_body(exchange)) {
        timeout = earlier(timeout, apr_time_as_msec(exchange->starved_since + exchange->r->server->timeout - now) + 1);
    }
    if (exchange->client < 0) {
        timeout = earlier(timeout, unwatched_timeout_of(exchange, now));
    }
    return timeout;
}

/* What is to be heard of the client: that it has left; more body, if the worker waits for it. A client that shuts down
 * its side in the middle of the body is found out by reading; until that is done, to hear of it would be idle. */
static short events_of_client(const passenger_exchange *exchange)
{
    if (exchange->body->is_finished || !exchange->takes_body) {
        return POLLRDHUP;
    }
    return exchange->starved_since != 0 ? POLLIN : 0;
}

/* Waits until the worker or the client has something for us, or a time is up. Returns 0 when the worker was silent. */
static int wait_for_events(passenger_exchange *exchange)
{
    int sending = passenger_backend_is_sending(exchange->backend);
    struct pollfd watched[2] = {
        {.fd = exchange->backend->socket, .events = (short)(POLLIN | (sending ? POLLOUT : 0))},
        {.fd = exchange->client, .events = events_of_client(exchange)}};
    int count = poll(watched, 2, timeout_of(exchange));
    if (count < 0 && errno != EINTR) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, errno, exchange->r, PSGLOGNO(2102) "cannot wait for the worker");
        passenger_relay_end_of_input(&exchange->relay);
        return 1;
    }
    if (count > 0 && (watched[1].revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        exchange->has_left = 1;
    }
    return count > 0 && watched[0].revents != 0;
}

static void keep_times(passenger_exchange *exchange, int worker_spoke)
{
    apr_time_t now = apr_time_now();
    if (exchange->continue_at != 0 && now >= exchange->continue_at) {
        say_continue(exchange);
    }
    if (is_waiting_for_body(exchange) && now - exchange->starved_since >= exchange->r->server->timeout) {
        stop_body(exchange, APR_TIMEUP);
    }
    if (is_unflushed(exchange)
        && (!worker_spoke || now - exchange->held_since >= apr_time_from_msec(HOLD_MILLISECONDS))) {
        pass(exchange, 1);
    }
}

static void begin(passenger_exchange *exchange, request_rec *r, passenger_backend *backend,
                  passenger_request_body *body)
{
    conn_rec *c = r->connection;
    apr_socket_t *client = c->master == NULL ? ap_get_conn_socket(c) : NULL;
    apr_os_sock_t descriptor;
    memset(exchange, 0, sizeof(*exchange));
    exchange->r = r;
    exchange->backend = backend;
    exchange->body = body;
    exchange->takes_body = 1;
    exchange->client = client != NULL && apr_os_sock_get(&descriptor, client) == APR_SUCCESS ? descriptor : -1;
    exchange->received = apr_palloc(r->pool, RECEIVE_SIZE);
    passenger_relay_begin(&exchange->relay, r, backend);
    if (!body->is_finished) {
        exchange->outgoing = apr_palloc(r->pool, OUTGOING_SIZE);
        if (r->expecting_100) {
            exchange->continue_at = apr_time_now() + apr_time_from_sec(CONTINUE_SECONDS);
            exchange->relay.head.continue_allowed = 1;
        }
    }
}

/* Nobody is there to answer: nothing may be sent that a half-closed client could take for an answer. */
static int end_without_client(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, exchange->relay.filter_status, r, PSGLOGNO(2103)
                  "the client left before the response was complete");
    if (exchange->relay.filter_status == AP_FILTER_ERROR) {
        return AP_FILTER_ERROR;
    }
    if (!exchange->relay.has_passed) {
        r->status = STATUS_CLIENT_LEFT;
        r->status_line = "499 Client Left";
    }
    r->connection->aborted = 1;
    r->connection->keepalive = AP_CONN_CLOSE;
    return OK;
}

static int end(passenger_exchange *exchange)
{
    passenger_relay *relay = &exchange->relay;
    if (is_client_gone(exchange)) {
        return end_without_client(exchange);
    }
    if (exchange->request_status != 0 && !relay->has_passed) {
        passenger_relay_give_up(relay);
        return exchange->request_status;
    }
    if (relay->state != PASSENGER_RELAY_COMPLETE) {
        return passenger_relay_give_up(relay);
    }
    return OK;
}

int passenger_exchange_run(passenger_exchange *exchange, request_rec *r, passenger_backend *backend,
                           passenger_request_body *body)
{
    begin(exchange, r, backend, body);
    send_request(exchange);
    while (!is_over(exchange) && exchange->request_status == 0) {
        int worker_spoke = wait_for_events(exchange);
        if (is_over(exchange)) {
            break;
        }
        if (worker_spoke) {
            receive_response(exchange);
        }
        if (!is_over(exchange)) {
            keep_times(exchange, worker_spoke);
            send_request(exchange);
        }
    }
    return end(exchange);
}
