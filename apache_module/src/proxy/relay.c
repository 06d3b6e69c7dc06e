#include "proxy/relay.h"

#include <sys/socket.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "errors/error_answer.h"
#include "errors/error_override.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"
#include "proxy/response_file.h"
#include "proxy/response_start.h"

APLOG_USE_MODULE(passenger);

enum {
    HELD_FILES_LIMIT = 8,
    DROPPED_LIMIT = 64 * 1024,      /* bytes of a body in whose place httpd answers, that are read */
    DROPPING_MILLISECONDS = 500     /* how long they are waited for */
};

const char *passenger_relay_about(const passenger_relay *relay)
{
    const request_rec *r = relay->r;
    const char *route = relay->head.route;
    return apr_pstrcat(r->pool, "app ", relay->app, ", ", r->method, " ", r->uri, route[0] != '\0' ? ", worker " : "",
                       route, NULL);
}

static void *allocate(void *pool, size_t size)
{
    return apr_palloc(pool, size);
}

void passenger_relay_begin(passenger_relay *relay, request_rec *r, passenger_backend *backend)
{
    memset(relay, 0, sizeof(*relay));
    relay->r = r;
    relay->backend = backend;
    relay->state = PASSENGER_RELAY_HEAD;
    relay->expected = -1;
    passenger_delivery_begin(&relay->delivery, r);
    passenger_head_begin(&relay->head, allocate, r->pool);
    passenger_frames_begin(&relay->frames);
}

static void begin_response(passenger_relay *relay)
{
    request_rec *r = relay->r;
    relay->state = PASSENGER_RELAY_BODY;
    if (relay->head.error_id[0] != '\0') {
        passenger_error_id_adopt(r, relay->head.error_id);
    }
    if (passenger_error_override_applies(r, &relay->head)) {
        passenger_error_override_begin(r, &relay->head);
        relay->is_bodyless = 1;
        relay->overridden_since = passenger_monotonic_now();
        return;
    }
    passenger_response_start(r, &relay->head);
    relay->is_bodyless = r->header_only || AP_STATUS_IS_HEADER_ONLY(r->status);
    relay->expected = relay->is_bodyless ? -1 : relay->head.content_length;
}

static void feed_head(passenger_relay *relay, const char **bytes, size_t *length)
{
    size_t taken;
    passenger_head_status status = passenger_head_feed(&relay->head, *bytes, *length, &taken);
    *bytes += taken;
    *length -= taken;
    if (status == PASSENGER_HEAD_COMPLETE) {
        begin_response(relay);
    }
    else if (status == PASSENGER_HEAD_CONTINUE) {
        relay->wants_continue = 1;
    }
    else if (status == PASSENGER_HEAD_TAKEN) {
        relay->is_taken = 1;
    }
    else if (status == PASSENGER_HEAD_LATE) {
        relay->is_late = 1;
    }
    else if (status == PASSENGER_HEAD_REFUSED) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, relay->r, PSGLOGNO(2040)
                      "the app's response %s: \"%s\"; answered 502 (%s; error id %s)",
                      passenger_head_refusal_text(relay->head.refusal), relay->head.subject,
                      passenger_relay_about(relay), passenger_error_id(relay->r));
        relay->state = PASSENGER_RELAY_BAD_HEAD;
    }
}

static void break_off(passenger_relay *relay)
{
    relay->state = PASSENGER_RELAY_BROKEN;
}

/* Counts body bytes against Content-Length. Returns 0, and the response is broken, when there are too many. */
static int count(passenger_relay *relay, int64_t length)
{
    if (relay->expected < 0) {
        return 1;
    }
    if (length > relay->expected) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, relay->r, PSGLOGNO(2041)
                      "the app's response is longer than its Content-Length of %" APR_INT64_T_FMT " (%s; error id %s)",
                      (apr_int64_t)relay->head.content_length, passenger_relay_about(relay),
                      passenger_error_id(relay->r));
        break_off(relay);
        return 0;
    }
    relay->expected -= length;
    return 1;
}

static int is_overridden(const passenger_relay *relay)
{
    return relay->overridden_since != 0;
}

/* The body that nobody gets is read to its end, for the app's sake, unless that would take long. */
static void drop_rest(passenger_relay *relay, int takes_long)
{
    if (takes_long) {
        relay->state = PASSENGER_RELAY_COMPLETE;
    }
}

static void take_data(passenger_relay *relay)
{
    const passenger_frames *frames = &relay->frames;
    if (is_overridden(relay)) {
        relay->dropped += frames->length;
        drop_rest(relay, relay->dropped > DROPPED_LIMIT);
    }
    else if (!relay->is_bodyless && count(relay, (int64_t)frames->length)) {
        apr_bucket *bucket = apr_bucket_transient_create((const char *)frames->data, frames->length,
                                                         relay->r->connection->bucket_alloc);
        APR_BRIGADE_INSERT_TAIL(relay->delivery.brigade, bucket);
    }
}

static void take_file(passenger_relay *relay)
{
    int descriptor = passenger_backend_take_descriptor(relay->backend);
    int64_t offset = relay->frames.file_offset;
    int64_t length = relay->is_bodyless ? 0 : relay->frames.file_length;
    if (!count(relay, length) || length == 0) {
        passenger_response_file_drop(descriptor);
    }
    else if (!passenger_response_file_append(relay->r, relay->delivery.brigade, descriptor, offset, length)) {
        break_off(relay);
    }
    else {
        relay->file_count++;
    }
}

static void take_end(passenger_relay *relay)
{
    if (relay->expected > 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, relay->r, PSGLOGNO(2042)
                      "the app's response is %" APR_INT64_T_FMT " bytes shorter than its Content-Length of %"
                      APR_INT64_T_FMT " (%s; error id %s)", (apr_int64_t)relay->expected,
                      (apr_int64_t)relay->head.content_length, passenger_relay_about(relay),
                      passenger_error_id(relay->r));
        break_off(relay);
        return;
    }
    if (!is_overridden(relay)) {
        APR_BRIGADE_INSERT_TAIL(relay->delivery.brigade, apr_bucket_eos_create(relay->r->connection->bucket_alloc));
    }
    relay->state = PASSENGER_RELAY_COMPLETE;
}

/* Takes one event of the body; returns 0 when the bytes are used up. */
static int feed_body(passenger_relay *relay, const char **bytes, size_t *length)
{
    const unsigned char *next = (const unsigned char *)*bytes;
    passenger_frame_event event = passenger_frames_next(&relay->frames, &next, length);
    *bytes = (const char *)next;
    switch (event) {
    case PASSENGER_FRAME_MORE:
        return 0;
    case PASSENGER_FRAME_DATA:
        take_data(relay);
        break;
    case PASSENGER_FRAME_FILE:
        take_file(relay);
        break;
    case PASSENGER_FRAME_END:
        take_end(relay);
        break;
    case PASSENGER_FRAME_BAD_SIZE:
    case PASSENGER_FRAME_AFTER_END:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, relay->r, PSGLOGNO(2043)
                      "the worker broke the protocol: a bad frame (%s; error id %s)", passenger_relay_about(relay),
                      passenger_error_id(relay->r));
        break_off(relay);
        break;
    }
    return 1;
}

void passenger_relay_feed(passenger_relay *relay, const char *bytes, size_t length)
{
    while (relay->state == PASSENGER_RELAY_HEAD && length > 0) {
        feed_head(relay, &bytes, &length);
    }
    while (relay->state == PASSENGER_RELAY_BODY && feed_body(relay, &bytes, &length)) {
        continue;
    }
    if (relay->state == PASSENGER_RELAY_COMPLETE && length > 0 && !is_overridden(relay)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, relay->r, PSGLOGNO(2044)
                      "the worker broke the protocol: bytes behind the end of the body (%s; error id %s)",
                      passenger_relay_about(relay), passenger_error_id(relay->r));
        break_off(relay);
    }
}

void passenger_relay_end_of_input(passenger_relay *relay)
{
    if (relay->state == PASSENGER_RELAY_HEAD) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, relay->r, PSGLOGNO(2045)
                      "the worker ended the connection before a complete response head; answered 502 (%s; error id %s)",
                      passenger_relay_about(relay), passenger_error_id(relay->r));
        relay->state = PASSENGER_RELAY_BAD_HEAD;
    }
    else if (relay->state == PASSENGER_RELAY_BODY) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, relay->r, PSGLOGNO(2046)
                      "the worker ended the connection in the middle of the response: the app failed there, and its log says "
                      "why, or the worker died (%s; error id %s)",
                      passenger_relay_about(relay), passenger_error_id(relay->r));
        break_off(relay);
    }
}

int passenger_relay_is_full(const passenger_relay *relay)
{
    return relay->file_count >= HELD_FILES_LIMIT;
}

static void note_client(passenger_relay *relay)
{
    relay->file_count = 0;
    if (relay->delivery.status != APR_SUCCESS) {
        relay->state = PASSENGER_RELAY_CLIENT_LEFT;
    }
}

void passenger_relay_pass(passenger_relay *relay, int flush)
{
    int last = relay->state == PASSENGER_RELAY_COMPLETE ? PASSENGER_DELIVERY_LAST : 0;
    if (is_overridden(relay)) {
        return;
    }
    passenger_delivery_pass(&relay->delivery, last | (flush ? PASSENGER_DELIVERY_FLUSH : 0));
    note_client(relay);
}

void passenger_relay_continue(passenger_relay *relay)
{
    passenger_delivery_continue(&relay->delivery);
    note_client(relay);
}

int passenger_relay_is_answered(const passenger_relay *relay)
{
    return relay->state != PASSENGER_RELAY_HEAD && relay->state != PASSENGER_RELAY_BODY;
}

int passenger_relay_is_delivering(const passenger_relay *relay)
{
    const passenger_delivery *delivery = &relay->delivery;
    if (relay->state == PASSENGER_RELAY_BROKEN) {
        /* What came before the cut, unless all of it can still become an error. */
        return delivery->has_passed && passenger_delivery_is_keeping(delivery);
    }
    return relay->state == PASSENGER_RELAY_COMPLETE && passenger_delivery_is_pending(delivery);
}

void passenger_relay_keep_times(passenger_relay *relay, apr_time_t now)
{
    if (is_overridden(relay) && relay->state == PASSENGER_RELAY_BODY) {
        drop_rest(relay, now - relay->overridden_since >= apr_time_from_msec(DROPPING_MILLISECONDS));
        return;
    }
    passenger_delivery_keep_times(&relay->delivery, now);
    note_client(relay);
}

apr_time_t passenger_relay_deadline(const passenger_relay *relay)
{
    if (is_overridden(relay) && relay->state == PASSENGER_RELAY_BODY) {
        return relay->overridden_since + apr_time_from_msec(DROPPING_MILLISECONDS);
    }
    return passenger_delivery_deadline(&relay->delivery);
}

int passenger_relay_overriding_status(const passenger_relay *relay)
{
    return is_overridden(relay) ? relay->head.status : 0;
}

/* As if the app had said nothing. For the page of an ErrorDocument that means the error's status: by it httpd knows that
 * it must not ask for that page again. */
static int answer_instead(request_rec *r, int status)
{
    r->status = r->prev != NULL && ap_is_HTTP_ERROR(r->prev->status) ? r->prev->status : HTTP_OK;
    r->status_line = NULL;
    r->content_type = NULL;
    r->clength = 0;
    apr_table_clear(r->headers_out);
    return status;
}

/* HTTP/1.0 without a length ends with the connection: only a reset tells the client that something is missing. */
static void reset_connection(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_socket_t *client = c->master == NULL ? ap_get_conn_socket(c) : NULL;
    apr_os_sock_t descriptor;
    if (client != NULL && apr_os_sock_get(&descriptor, client) == APR_SUCCESS) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    }
    c->aborted = 1;
}

/* Whether the client was told how many bytes there are; a filter may have taken back what the app said. */
static int has_told_length(const request_rec *r)
{
    while (r->main != NULL) {
        r = r->main;
    }
    return apr_table_get(r->headers_out, "Content-Length") != NULL;
}

int passenger_relay_give_up(passenger_relay *relay, int status)
{
    request_rec *r = relay->r;
    conn_rec *c = r->connection;
    apr_brigade_cleanup(relay->delivery.brigade);
    if (!relay->delivery.has_passed) {
        return answer_instead(r, status);
    }
    /* The error makes the chunk filter leave out the last chunk, and HTTP/2 reset the stream. */
    c->keepalive = AP_CONN_CLOSE;
    r->no_cache = 1;
    if (r->main != NULL) {
        r->main->no_cache = 1;
    }
    APR_BRIGADE_INSERT_TAIL(relay->delivery.brigade, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(relay->delivery.brigade, apr_bucket_eos_create(c->bucket_alloc));
    relay->delivery.status = ap_pass_brigade(r->output_filters, relay->delivery.brigade);
    apr_brigade_cleanup(relay->delivery.brigade);
    if (relay->delivery.status == AP_FILTER_ERROR) {
        /* A filter had held everything back: the client got an error page instead. */
        return AP_FILTER_ERROR;
    }
    if (r->proto_num < HTTP_VERSION(1, 1) && !has_told_length(r)) {
        reset_connection(r);
    }
    return OK;
}

void passenger_relay_end(passenger_relay *relay)
{
    passenger_delivery_end(&relay->delivery);
}
