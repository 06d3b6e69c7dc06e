#include "proxy/exchange.h"

#include <errno.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_portable.h>

#include "config/configuration.h"
#include "proxy/exchange_end.h"
#include "proxy/exchange_input.h"
#include "proxy/exchange_wait.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"

APLOG_USE_MODULE(passenger);

enum {
    RECEIVE_SIZE = 32 * 1024,
    RECEIVE_LEAST = 8 * 1024,        /* with less room than this left, what came is passed on first */
    OUTGOING_SIZE = 32 * 1024,
    CONTINUE_SECONDS = 1             /* for workers that do not say when they read the body */
};

static int is_over(const passenger_exchange *exchange)
{
    return passenger_exchange_is_client_gone(exchange) || exchange->verdict != PASSENGER_EXCHANGE_GOES_ON
           || (passenger_relay_is_answered(&exchange->relay) && !passenger_relay_is_delivering(&exchange->relay));
}

static void say_continue(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    if (exchange->continue_at != 0 && !exchange->relay.delivery.has_passed) {
        int status = r->status;
        const char *line = r->status_line;
        r->status = HTTP_CONTINUE;
        r->status_line = NULL;
        ap_send_interim_response(r, 0);
        r->status = status;
        r->status_line = line;
    }
    exchange->continue_at = 0;
    exchange->starved_since = exchange->starved_since != 0 ? passenger_monotonic_now() : 0;
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
        exchange->starved_since = exchange->starved_since != 0 ? exchange->starved_since : passenger_monotonic_now();
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

/* The bytes that came are not needed any more when they have been passed on or kept. */
static void make_room(passenger_exchange *exchange)
{
    if (APR_BRIGADE_EMPTY(exchange->relay.delivery.brigade)) {
        exchange->received_used = 0;
    }
}

/* Passes on, or keeps, what the relay holds. */
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
    passenger_exchange_read_ahead(exchange);
    passenger_relay_pass(relay, flush);
    exchange->held_since = flush ? 0 : passenger_monotonic_now();
    make_room(exchange);
}

/* Goes on with what waits for the client. */
static void pass_more(passenger_exchange *exchange)
{
    passenger_relay_continue(&exchange->relay);
    make_room(exchange);
}

static void judge(passenger_exchange *exchange, passenger_time_state state)
{
    if (state == PASSENGER_QUEUE_TIME_OVER) {
        exchange->verdict = PASSENGER_EXCHANGE_QUEUE_TIME_OVER;
    }
    else if (state == PASSENGER_REQUEST_TIME_OVER) {
        exchange->verdict = PASSENGER_EXCHANGE_REQUEST_TIME_OVER;
    }
}

/* The worker has closed the connection: before it took the request, because its time was over, or amid its answer. */
static void take_end(passenger_exchange *exchange, passenger_backend_status status)
{
    const passenger_time_limits *limits = exchange->limits;
    passenger_relay *relay = &exchange->relay;
    if (exchange->wants_sign && !is_over(exchange)) {
        int is_silent = relay->state == PASSENGER_RELAY_HEAD && relay->head.used == 0;
        judge(exchange, passenger_time_limits_state(limits, passenger_monotonic_now()));
        /* When receiving fails, nobody knows what the worker has said. */
        if (exchange->verdict == PASSENGER_EXCHANGE_GOES_ON && is_silent && limits->taken == 0
            && status == PASSENGER_BACKEND_CLOSED) {
            exchange->verdict = PASSENGER_EXCHANGE_NOT_TAKEN;
        }
    }
    if (exchange->verdict == PASSENGER_EXCHANGE_GOES_ON) {
        passenger_relay_end_of_input(relay);
    }
}

/* What the bytes that were just fed have begun: the worker's time, the response. */
static void note_beginnings(passenger_exchange *exchange)
{
    passenger_relay *relay = &exchange->relay;
    if (exchange->wants_sign && (relay->is_taken || relay->state != PASSENGER_RELAY_HEAD)) {
        passenger_time_limits_take(exchange->limits, passenger_monotonic_now());
    }
    if (relay->is_late) {
        judge(exchange, PASSENGER_QUEUE_TIME_OVER);
    }
    if (!exchange->has_head && (relay->state == PASSENGER_RELAY_BODY || relay->state == PASSENGER_RELAY_COMPLETE)) {
        exchange->has_head = 1;
        passenger_sticky_session_keep(exchange->session, exchange->r, relay->head.route);
    }
}

/* Receives what has come, once. Returns 0 when there was nothing. */
static int receive_response(passenger_exchange *exchange)
{
    passenger_relay *relay = &exchange->relay;
    char *start = exchange->received + exchange->received_used;
    size_t length;
    passenger_backend_status status = passenger_exchange_receive(exchange, start,
                                                                 RECEIVE_SIZE - exchange->received_used, &length);
    if (status == PASSENGER_BACKEND_AGAIN) {
        return 0;
    }
    if (status != PASSENGER_BACKEND_OK) {
        take_end(exchange, status);
        return 1;
    }
    exchange->received_used += length;
    passenger_relay_feed(relay, start, length);
    note_beginnings(exchange);
    if (exchange->held_since == 0) {
        exchange->held_since = passenger_monotonic_now();
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

/* The worker is free as soon as it has answered, whatever the client still has to be given. */
static void let_worker_go(passenger_exchange *exchange)
{
    if (passenger_relay_is_answered(&exchange->relay) && exchange->backend->socket >= 0) {
        exchange->takes_body = 0;
        exchange->continue_at = exchange->starved_since = 0;
        passenger_exchange_end_input(exchange);
    }
}

static void keep_times(passenger_exchange *exchange, int worker_spoke)
{
    apr_time_t now = passenger_monotonic_now();
    passenger_relay_keep_times(&exchange->relay, now);
    make_room(exchange);
    if (exchange->continue_at != 0 && now >= exchange->continue_at) {
        say_continue(exchange);
    }
    if (passenger_exchange_is_waiting_for_body(exchange)
        && now - exchange->starved_since >= exchange->r->server->timeout) {
        stop_body(exchange, APR_TIMEUP);
    }
    if (passenger_exchange_is_unflushed(exchange)
        && (!worker_spoke || now - exchange->held_since >= apr_time_from_msec(PASSENGER_HOLD_MILLISECONDS))) {
        pass(exchange, 1);
    }
}

/* Looks at the clock. A worker gives its sign before it looks at the same clock, so a sign that is not there when the
 * queue time is over comes from nobody who runs the request. */
static void keep_limits(passenger_exchange *exchange)
{
    passenger_time_limits *limits = exchange->limits;
    if (passenger_time_limits_next(limits) == 0 || passenger_relay_is_answered(&exchange->relay)) {
        return;
    }
    passenger_time_state state = passenger_time_limits_state(limits, passenger_monotonic_now());
    while (state == PASSENGER_QUEUE_TIME_OVER && !is_over(exchange) && receive_response(exchange)) {
        state = passenger_time_limits_state(limits, passenger_monotonic_now());
    }
    if (!is_over(exchange)) {
        judge(exchange, state);
    }
}

static void begin(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    passenger_request_body *body = exchange->body;
    conn_rec *c = r->connection;
    apr_socket_t *client = c->master == NULL ? ap_get_conn_socket(c) : NULL;
    apr_os_sock_t descriptor;
    exchange->takes_body = 1;
    exchange->client = client != NULL && apr_os_sock_get(&descriptor, client) == APR_SUCCESS ? descriptor : -1;
    exchange->received = apr_palloc(r->pool, RECEIVE_SIZE);
    passenger_relay_begin(&exchange->relay, r, exchange->backend);
    exchange->relay.app = exchange->app;
    exchange->relay.head.taken_allowed = exchange->wants_sign;
    if (!body->is_finished) {
        exchange->outgoing = apr_palloc(r->pool, OUTGOING_SIZE);
        if (r->expecting_100) {
            exchange->continue_at = passenger_monotonic_now() + apr_time_from_sec(CONTINUE_SECONDS);
            exchange->relay.head.continue_allowed = 1;
        }
    }
}

/* Waits once, and deals with what has come of it. */
static void take_turn(passenger_exchange *exchange)
{
    passenger_exchange_events events = passenger_exchange_wait(exchange);
    if (events.client_takes && !is_over(exchange)) {
        pass_more(exchange);
    }
    if (events.worker_spoke && !is_over(exchange)) {
        receive_response(exchange);
    }
    if (!is_over(exchange)) {
        keep_limits(exchange);
    }
    if (!is_over(exchange)) {
        let_worker_go(exchange);
        keep_times(exchange, events.worker_spoke);
        send_request(exchange);
    }
}

int passenger_exchange_run(passenger_exchange *exchange)
{
    begin(exchange);
    send_request(exchange);
    while (!is_over(exchange) && exchange->request_status == 0) {
        take_turn(exchange);
    }
    int status = passenger_exchange_end(exchange);
    passenger_exchange_end_input(exchange);
    passenger_relay_end(&exchange->relay);
    return status;
}
