#include "proxy/proxy_loop.h"

#include <errno.h>
#include <poll.h>

#include <http_core.h>
#include <http_log.h>
#include <apr_portable.h>

#include "config/configuration.h"
#include "output/client_waits.h"

APLOG_USE_MODULE(passenger);

enum {
    RECEIVE_SIZE = 32 * 1024,
    RECEIVE_LEAST = 8 * 1024,         /* with less room than this left, what came is sent first */
    FILES_LIMIT = 8,                  /* with so many open files in the brigade, too */
    IDLE_MILLISECONDS = 5,            /* a worker silent for so long: the client gets what there is */
    FLUSH_MILLISECONDS = 50,          /* the longest that a little is held back from the client */
    POLLED_MILLISECONDS = 1000,       /* how often to look at a client's socket: httpd may have closed it */
    UNPOLLED_MILLISECONDS = 250,      /* how often to look whether a client that cannot be polled is still there */
    UNPOLLED_BODY_MILLISECONDS = 20,  /* the same, at most, for more of its body */
    UNPOLLED_ROOM_MICROSECONDS = 50   /* the same, at least, for room for more of the response */
};

/* 1. Where the loop stands. */

/* Whether nobody is there to get an answer. */
static int is_client_gone(const passenger_proxy *proxy)
{
    return proxy->client_has_left || proxy->sender.client_has_left || proxy->r->connection->aborted
           || proxy->output.status != APR_SUCCESS;
}

/* Whether nothing more is expected from the worker. */
static int is_answered(const passenger_proxy *proxy)
{
    return proxy->parser.state > PASSENGER_RESPONSE_BODY;
}

/* Whether the worker has answered, but the client has not got everything. */
static int is_delivering(const passenger_proxy *proxy)
{
    if (proxy->parser.state == PASSENGER_RESPONSE_BROKEN) {
        /* What came before the break is sent, unless all of it can still become an error. */
        return proxy->output.has_started && passenger_output_buffer_is_keeping(&proxy->output);
    }
    return proxy->parser.state == PASSENGER_RESPONSE_COMPLETE && passenger_output_buffer_is_pending(&proxy->output);
}

static int is_over(const passenger_proxy *proxy)
{
    return is_client_gone(proxy) || proxy->outcome != PASSENGER_PROXY_BY_RESPONSE
           || (is_answered(proxy) && !is_delivering(proxy));
}

/* Whether something came that may not have reached the client. */
static int is_unflushed(const passenger_proxy *proxy)
{
    return proxy->unflushed_since != 0 && proxy->parser.state == PASSENGER_RESPONSE_BODY
           && proxy->output.status == APR_SUCCESS;
}

/* 2. From the worker to the client. */

/* The brigade has been sent or kept, as far as that was possible. When it is empty, nothing points into the received
 * bytes any more. */
static void note_sent(passenger_proxy *proxy)
{
    proxy->parser.file_count = 0;
    if (APR_BRIGADE_EMPTY(proxy->output.brigade)) {
        proxy->received_used = 0;
    }
}

/* Sends or keeps what the parser has produced. */
static void send_response(passenger_proxy *proxy, int flush)
{
    int is_last = proxy->parser.state == PASSENGER_RESPONSE_COMPLETE;
    /* httpd reads the rest of the body before it sends what it holds back, and the client may wait for the answer
     * before it sends that rest. If more than a little is left, nobody reads it: then the connection has to end. */
    if (is_last && !proxy->body->is_finished) {
        flush = 1;
        if (!passenger_request_body_is_nearly_read(proxy->body)) {
            proxy->r->connection->keepalive = AP_CONN_CLOSE;
        }
    }
    if (proxy->parser.overriding_status == 0) {
        passenger_output_buffer_send(&proxy->output, (is_last ? PASSENGER_OUTPUT_LAST : 0)
                                                         | (flush ? PASSENGER_OUTPUT_FLUSH : 0));
    }
    note_sent(proxy);
    proxy->unflushed_since = flush ? 0 : passenger_monotonic_now();
}

/* The worker will not take the request any more. */
static void set_not_taken(passenger_proxy *proxy)
{
    proxy->outcome = proxy->may_go_elsewhere ? PASSENGER_PROXY_NOT_ACCEPTED : PASSENGER_PROXY_QUEUE_TIMEOUT;
}

static void set_timeout(passenger_proxy *proxy, passenger_time_state state)
{
    if (state == PASSENGER_QUEUE_TIMEOUT) {
        set_not_taken(proxy);
    }
    else if (state == PASSENGER_REQUEST_TIMEOUT) {
        proxy->outcome = PASSENGER_PROXY_REQUEST_TIMEOUT;
    }
}

/* Whether the worker has closed a kept connection without the request, or with one that may be sent again. */
static int has_closed_before(const passenger_proxy *proxy)
{
    const passenger_backend *backend = proxy->backend;
    if (proxy->reuse == PASSENGER_REUSE_NONE || proxy->has_received) {
        return 0;
    }
    return proxy->reuse == PASSENGER_REUSE_REPEATABLE || !backend->has_sent || backend->is_reset;
}

/* The worker has closed the connection: before it accepted the request, because its time was over, or in its answer. */
static void end_response(passenger_proxy *proxy, passenger_backend_status status)
{
    const passenger_time_limits *limits = proxy->limits;
    if (has_closed_before(proxy) && !is_over(proxy)) {
        proxy->outcome = PASSENGER_PROXY_NOT_ACCEPTED;
        return;
    }
    if (proxy->wants_acknowledgement && !is_over(proxy)) {
        int is_silent = proxy->parser.state == PASSENGER_RESPONSE_HEAD && proxy->parser.head.used == 0;
        set_timeout(proxy, passenger_time_limits_state(limits, passenger_monotonic_now()));
        if (proxy->outcome == PASSENGER_PROXY_BY_RESPONSE
            && passenger_time_limits_is_refused(limits, is_silent, status == PASSENGER_BACKEND_CLOSED)) {
            proxy->outcome = PASSENGER_PROXY_NOT_ACCEPTED;
        }
    }
    if (proxy->outcome != PASSENGER_PROXY_BY_RESPONSE) {
        return;
    }
    passenger_response_parser_end_of_input(&proxy->parser, status == PASSENGER_BACKEND_CLOSED);
    passenger_proxy_log_fault(proxy);
    if (proxy->parser.state == PASSENGER_RESPONSE_COMPLETE) {
        send_response(proxy, 0);
    }
}

/* Whether the worker's beginning with the request has to be noted. */
static int waits_for_start(const passenger_proxy *proxy)
{
    return proxy->wants_acknowledgement || proxy->may_go_elsewhere;
}

/* Parses what has just come, and notes what has begun with it: the worker's time, the response. */
static void parse_response(passenger_proxy *proxy, const char *bytes, size_t length)
{
    passenger_response_parser *parser = &proxy->parser;
    passenger_response_parser_feed(parser, bytes, length);
    passenger_proxy_log_fault(proxy);
    if (waits_for_start(proxy) && (parser->is_acknowledged || parser->state != PASSENGER_RESPONSE_HEAD)) {
        passenger_time_limits_accept(proxy->limits, passenger_monotonic_now());
    }
    if (parser->is_too_late) {
        set_not_taken(proxy);
    }
    if (!proxy->has_head
        && (parser->state == PASSENGER_RESPONSE_BODY || parser->state == PASSENGER_RESPONSE_COMPLETE)) {
        proxy->has_head = 1;
        passenger_sticky_session_set_cookie(proxy->session, proxy->r, parser->head.route);
    }
    if (proxy->unflushed_since == 0) {
        proxy->unflushed_since = passenger_monotonic_now();
    }
    if (parser->wants_continue) {
        parser->wants_continue = 0;
        passenger_request_sender_continue(&proxy->sender, proxy->output.has_started);
    }
}

/* Receives what has come, once. Returns 0 when there was nothing. */
static int receive_response(passenger_proxy *proxy)
{
    const passenger_response_parser *parser = &proxy->parser;
    char *start = proxy->received + proxy->received_used;
    size_t room = RECEIVE_SIZE - proxy->received_used;
    size_t length;
    passenger_backend_status status = passenger_backend_receive(proxy->backend, start, room, &length);
    if (status == PASSENGER_BACKEND_AGAIN) {
        return 0;
    }
    if (status != PASSENGER_BACKEND_OK) {
        end_response(proxy, status);
        return 1;
    }
    proxy->received_used += length;
    proxy->has_received = 1;
    parse_response(proxy, start, length);
    if (parser->state == PASSENGER_RESPONSE_COMPLETE
        || (parser->state == PASSENGER_RESPONSE_BODY
            && (RECEIVE_SIZE - proxy->received_used < RECEIVE_LEAST || parser->file_count >= FILES_LIMIT))) {
        send_response(proxy, 0);
    }
    else if (parser->state == PASSENGER_RESPONSE_HEAD) {
        proxy->received_used = 0;
    }
    return 1;
}

/* 3. Waiting. */

/* When to look again after the client. One that cannot be polled and whose body the worker waits for: the sooner, the
 * shorter it has been silent. */
static apr_interval_time_t client_timeout(const passenger_proxy *proxy, apr_time_t now)
{
    if (proxy->client_socket >= 0) {
        return POLLED_MILLISECONDS;
    }
    if (proxy->sender.body_awaited_since == 0) {
        return UNPOLLED_MILLISECONDS;
    }
    apr_interval_time_t silence = apr_time_as_msec(now - proxy->sender.body_awaited_since);
    return silence < UNPOLLED_BODY_MILLISECONDS ? silence + 1 : UNPOLLED_BODY_MILLISECONDS;
}

/* How long to wait for events, in milliseconds: until check_limits() or check_times() has something to do. */
static int timeout_of(const passenger_proxy *proxy)
{
    apr_time_t now = passenger_monotonic_now();
    int timeout = passenger_poll_timeout(-1, client_timeout(proxy, now));
    if (is_unflushed(proxy)) {
        timeout = passenger_poll_timeout(timeout, IDLE_MILLISECONDS);
        timeout = passenger_poll_timeout(timeout, FLUSH_MILLISECONDS - apr_time_as_msec(now - proxy->unflushed_since));
    }
    if (!is_answered(proxy)) {
        timeout = passenger_poll_deadline(timeout, passenger_time_limits_deadline(proxy->limits), now);
    }
    timeout = passenger_poll_deadline(timeout, passenger_request_sender_deadline(&proxy->sender), now);
    apr_time_t dropping = passenger_response_parser_deadline(&proxy->parser);
    return passenger_poll_deadline(timeout, dropping != 0 ? dropping : passenger_output_buffer_deadline(&proxy->output), now);
}

/* What to poll the client for: that it has left; that it takes more of the response; more body, if the worker waits for
 * it. Reading the body shows a client that shuts down its side in the middle of it; until then POLLRDHUP would wake us
 * again and again. */
static short client_events(const passenger_proxy *proxy)
{
    int takes_more = proxy->output.client.busy_since != 0 ? POLLOUT : 0;
    if (proxy->body->is_finished || !proxy->sender.worker_takes_body) {
        return (short)(POLLRDHUP | takes_more);
    }
    return (short)((proxy->sender.body_awaited_since != 0 ? POLLIN : 0) | takes_more);
}

/* The worker for poll(): left out when nothing is to be received or sent, because its end would wake us for ever. */
static struct pollfd polled_worker(const passenger_proxy *proxy)
{
    int receives = proxy->output.is_full ? 0 : POLLIN;
    int sends = passenger_backend_is_sending(proxy->backend) ? POLLOUT : 0;
    return (struct pollfd){.fd = receives || sends ? proxy->backend->socket : -1, .events = (short)(receives | sends)};
}

/* The same for poll(). A client that cannot be polled and has no room now is looked at again: often while it takes
 * much, seldom when it has taken nothing for long. Returns whether it is time for that when nothing comes. */
static int set_timeout_of_poll(const passenger_proxy *proxy, struct timespec *timeout)
{
    apr_interval_time_t wait = apr_time_from_msec(timeout_of(proxy));
    int is_for_room = 0;
    if (passenger_output_buffer_needs_polling(&proxy->output)) {
        apr_interval_time_t room = (passenger_monotonic_now() - proxy->output.client.busy_since) / 4;
        room = room > UNPOLLED_ROOM_MICROSECONDS ? room : UNPOLLED_ROOM_MICROSECONDS;
        is_for_room = room < wait;
        wait = is_for_room ? room : wait;
    }
    *timeout = (struct timespec){.tv_sec = (time_t)apr_time_sec(wait), .tv_nsec = (long)apr_time_usec(wait) * 1000};
    return is_for_room;
}

/* Nothing can be waited for, without memory: whoever is waited for counts as gone. */
static void end_without_waiting(passenger_proxy *proxy, int error)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, error, proxy->r, PSGLOGNO(2102) "cannot wait for worker and client");
    if (is_answered(proxy)) {
        proxy->output.status = error;
        return;
    }
    passenger_response_parser_end_of_input(&proxy->parser, 0);
    passenger_proxy_log_fault(proxy);
}

typedef struct proxy_events {
    int worker_is_readable;    /* or has closed */
    int worker_is_idle;        /* for as long as was waited */
    int client_is_writable;    /* or may be */
} proxy_events;

/* Waits until worker or client is ready, or a time is up. Notes when the client has left. */
static proxy_events wait_for_events(passenger_proxy *proxy)
{
    struct pollfd polled[3] = {polled_worker(proxy),
                               {.fd = proxy->client_socket, .events = client_events(proxy)},
                               {.fd = passenger_client_waits_stop_event(), .events = POLLIN}};
    struct timespec timeout;
    int is_for_room = set_timeout_of_poll(proxy, &timeout);
    int count = ppoll(polled, 3, &timeout, NULL);
    if (count < 0 && errno != EINTR) {
        end_without_waiting(proxy, errno);
    }
    int may_have_room = passenger_output_buffer_needs_polling(&proxy->output);
    if (count <= 0) {
        return (proxy_events){.worker_is_idle = !is_for_room, .client_is_writable = may_have_room};
    }
    /* POLLNVAL: httpd ends, and has closed the socket. A stream is only told that httpd ends. */
    proxy->client_has_left |= (polled[1].revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0;
    proxy->client_has_left |= polled[2].revents != 0;
    /* A worker that is only sent to, because there is no room for what it says, is not readable. */
    int worker_is_readable = (polled[0].events & POLLIN) != 0 && polled[0].revents != 0;
    return (proxy_events){.worker_is_readable = worker_is_readable, .worker_is_idle = !worker_is_readable,
                          .client_is_writable = (polled[1].revents & POLLOUT) != 0 || may_have_room};
}

/* 4. What is due, and the loop itself. */

static int64_t present_time(void *proxy)
{
    (void)proxy;
    return passenger_monotonic_now();
}

static int receive_more(void *proxy)
{
    return !is_over(proxy) && receive_response(proxy);
}

/* Checks the limits of the request. Without an acknowledgement, a worker has begun with what it has read by then: it
 * looks at the clock after reading. */
static void check_limits(passenger_proxy *proxy)
{
    const passenger_time_source source = {.now = present_time, .receive = receive_more, .context = proxy};
    passenger_time_state state = PASSENGER_TIME_LEFT;
    if (!is_answered(proxy)) {
        state = passenger_time_limits_check(proxy->limits, &source);
    }
    if (state == PASSENGER_QUEUE_TIMEOUT && !proxy->wants_acknowledgement
        && passenger_backend_is_read(proxy->backend)) {
        passenger_time_limits_accept(proxy->limits, passenger_monotonic_now());
        return;
    }
    if (!is_over(proxy)) {
        set_timeout(proxy, state);
    }
}

static void check_times(passenger_proxy *proxy, int worker_is_idle)
{
    apr_time_t now = passenger_monotonic_now();
    if (passenger_response_parser_deadline(&proxy->parser) != 0) {
        passenger_response_parser_check_times(&proxy->parser, now);
    }
    else {
        passenger_output_buffer_check_times(&proxy->output, now);
    }
    note_sent(proxy);
    passenger_request_sender_check_times(&proxy->sender, now, proxy->output.has_started);
    if (is_unflushed(proxy)
        && (worker_is_idle || now - proxy->unflushed_since >= apr_time_from_msec(FLUSH_MILLISECONDS))) {
        send_response(proxy, 1);
    }
}

static void begin(passenger_proxy *proxy)
{
    request_rec *r = proxy->r;
    conn_rec *c = r->connection;
    apr_socket_t *client = c->master == NULL ? ap_get_conn_socket(c) : NULL;
    apr_os_sock_t descriptor;
    proxy->client_socket = client != NULL && apr_os_sock_get(&descriptor, client) == APR_SUCCESS ? descriptor : -1;
    proxy->received = apr_palloc(r->pool, RECEIVE_SIZE);
    passenger_request_sender_begin(&proxy->sender, r, proxy->backend, proxy->body, proxy->capabilities);
    passenger_output_buffer_begin(&proxy->output, r);
    passenger_response_parser_begin(&proxy->parser, r, proxy->backend, proxy->output.brigade, proxy->capabilities);
    proxy->parser.head.acknowledgement_allowed = proxy->wants_acknowledgement;
    proxy->parser.head.too_late_allowed = proxy->may_go_elsewhere && !proxy->wants_acknowledgement;
    proxy->parser.head.continue_allowed = proxy->sender.continue_at != 0;
}

/* The exchange with the worker is over. Its connection is kept, if it can take another request. */
static void release_backend(passenger_proxy *proxy)
{
    if (proxy->keep_as != NULL && proxy->parser.may_keep_connection
        && proxy->parser.state == PASSENGER_RESPONSE_COMPLETE && passenger_request_sender_is_done(&proxy->sender)) {
        passenger_idle_connections_put(proxy->keep_as, proxy->parser.slot, proxy->backend);
    }
    passenger_idle_connections_done(proxy->kept);
    passenger_request_sender_stop(&proxy->sender);
    passenger_backend_close(proxy->backend);
}

/* Waits once, and does what has become possible or due. */
static void turn(passenger_proxy *proxy)
{
    proxy_events events = wait_for_events(proxy);
    if (events.client_is_writable && !is_over(proxy)) {
        passenger_output_buffer_resume(&proxy->output);
        note_sent(proxy);
    }
    if (events.worker_is_readable && !is_over(proxy)) {
        receive_response(proxy);
    }
    if (!is_over(proxy)) {
        check_limits(proxy);
    }
    if (is_over(proxy)) {
        return;
    }
    if (is_answered(proxy) && proxy->backend->socket >= 0) {
        /* The worker is free, whatever the client still has to get. */
        release_backend(proxy);
    }
    check_times(proxy, events.worker_is_idle);
    passenger_request_sender_send(&proxy->sender);
}

int passenger_proxy_run(passenger_proxy *proxy)
{
    begin(proxy);
    passenger_request_sender_send(&proxy->sender);
    while (!is_over(proxy) && proxy->sender.body_error == 0) {
        turn(proxy);
    }
    int status = is_client_gone(proxy) ? passenger_proxy_end_without_client(proxy) : passenger_proxy_end(proxy);
    release_backend(proxy);
    passenger_output_buffer_close(&proxy->output);
    return status;
}
