#include "proxy/response_parser.h"

#include <http_core.h>
#include <http_protocol.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "core/capabilities.h"
#include "core/deadlines.h"
#include "errors/error_answer.h"
#include "errors/error_override.h"
#include "proxy/response_file.h"

enum {
    HINTS_LIMIT = 8 * 1024,         /* longest head of a `103` that the client gets */
    DROPPED_LIMIT = 64 * 1024,      /* most bytes that are read of a body in whose place httpd answers */
    DROPPING_MILLISECONDS = 500     /* how long the parser waits for them */
};

static void *allocate(void *pool, size_t size)
{
    return apr_palloc(pool, size);
}

void passenger_response_parser_begin(passenger_response_parser *parser, request_rec *r, passenger_backend *backend,
                                     apr_bucket_brigade *brigade, unsigned capabilities)
{
    *parser = (passenger_response_parser){.r = r, .backend = backend, .brigade = brigade,
                                          .state = PASSENGER_RESPONSE_HEAD, .expected = -1};
    passenger_head_begin(&parser->head, allocate, r->pool);
    parser->head.expects_http = passenger_capabilities_include(capabilities, PASSENGER_CAPABILITY_HTTP);
    if (passenger_capabilities_include(capabilities, PASSENGER_CAPABILITY_FRAMES)) {
        passenger_frames_begin(&parser->frames);
    }
    else {
        passenger_frames_begin_raw(&parser->frames);
    }
}

/* Gives the app's headers to httpd, in order and as often as they come. Content-Type is set by httpd's own function,
 * for filters by type and the charset; it never changes the handler. */
static void set_headers(request_rec *r, const passenger_response_head *head)
{
    size_t position = 0;
    const char *name;
    const char *value;
    r->content_type = NULL;
    r->content_encoding = NULL;
    r->content_languages = NULL;
    while (passenger_head_next(head, &position, &name, &value)) {
        if (strcasecmp(name, "Content-Type") == 0) {
            ap_set_content_type(r, value);
        }
        else if (strcasecmp(name, "Content-Length") != 0) {
            apr_table_addn(r->headers_out, name, value);
        }
    }
    int shows_version = passenger_server_show_version_in_header(passenger_server_wide_options());
    apr_table_addn(r->headers_out, "X-Powered-By", shows_version ? "Jumpseat " JUMPSEAT_VERSION : "Jumpseat");
    apr_table_setn(r->headers_out, "Status",
                   r->status_line != NULL ? r->status_line : ap_get_status_line_ex(r->pool, r->status));
}

/* Makes the app's response head httpd's. */
static void set_response(request_rec *r, const passenger_response_head *head)
{
    const char *line = passenger_head_status_line(head);
    /* When this is the request of an ErrorDocument, the page does not turn the error into a success. */
    if (head->status != HTTP_OK || !ap_is_HTTP_ERROR(r->status)) {
        r->status = head->status;
        r->status_line = line[3] != '\0' ? line : apr_pstrcat(r->pool, line, " ", NULL);
    }
    set_headers(r, head);
    if (head->content_length >= 0 && r->status != HTTP_NO_CONTENT) {
        ap_set_content_length(r, head->content_length);
    }
}

/* How the body behind a head of HTTP ends (RFC 9112, section 6.3). */
static void begin_http_body(passenger_response_parser *parser)
{
    passenger_response_head *head = &parser->head;
    passenger_http_framing framing = PASSENGER_HTTP_UNTIL_CLOSE;
    if (parser->r->header_only || AP_STATUS_IS_HEADER_ONLY(head->status)) {
        framing = PASSENGER_HTTP_NO_BODY;
    }
    else if (head->is_chunked) {
        framing = PASSENGER_HTTP_CHUNKED;
        head->asks_for_chunks = 1;
    }
    else if (head->content_length >= 0) {
        framing = PASSENGER_HTTP_LENGTH;
    }
    passenger_http_body_begin(&parser->http, framing, head->content_length);
}

static void begin_response(passenger_response_parser *parser)
{
    request_rec *r = parser->r;
    parser->state = PASSENGER_RESPONSE_BODY;
    if (parser->head.is_http) {
        begin_http_body(parser);
    }
    if (parser->head.error_id[0] != '\0') {
        passenger_error_id_set(r, parser->head.error_id);
    }
    if (passenger_error_override_applies(r, &parser->head)) {
        passenger_error_override_begin(r, &parser->head);
        parser->is_bodyless = 1;
        parser->overriding_status = parser->head.status;
        parser->overridden_since = passenger_monotonic_now();
        return;
    }
    set_response(r, &parser->head);
    parser->is_bodyless = r->header_only || AP_STATUS_IS_HEADER_ONLY(r->status)
                          || (parser->head.is_http && parser->http.framing == PASSENGER_HTTP_NO_BODY);
    parser->expected = parser->is_bodyless ? -1 : parser->head.content_length;
    if (parser->head.asks_for_chunks && !parser->is_bodyless) {
        /* httpd computes a Content-Length only when nothing, not even this, goes out before the end. */
        APR_BRIGADE_INSERT_TAIL(parser->brigade, apr_bucket_flush_create(r->connection->bucket_alloc));
    }
}

/* Sends the client a `103` with the headers that have come. */
static void send_early_hints(passenger_response_parser *parser)
{
    request_rec *r = parser->r;
    apr_table_t *headers = r->headers_out;
    const char *line = r->status_line;
    int status = r->status;
    size_t position = 0;
    const char *name;
    const char *value;
    if (parser->head.used > HINTS_LIMIT) {
        return;
    }
    r->headers_out = apr_table_make(r->pool, 4);
    while (passenger_head_next(&parser->head, &position, &name, &value)) {
        apr_table_addn(r->headers_out, name, value);
    }
    r->status = HTTP_EARLY_HINTS;
    r->status_line = NULL;
    ap_send_interim_response(r, 1);
    r->headers_out = headers;
    r->status_line = line;
    r->status = status;
}

static void feed_head(passenger_response_parser *parser, const char **bytes, size_t *length)
{
    size_t consumed;
    passenger_head_status status = passenger_head_feed(&parser->head, *bytes, *length, &consumed);
    *bytes += consumed;
    *length -= consumed;
    if (status == PASSENGER_HEAD_COMPLETE) {
        begin_response(parser);
    }
    else if (status == PASSENGER_HEAD_CONTINUE) {
        parser->wants_continue = 1;
    }
    else if (status == PASSENGER_HEAD_EARLY_HINTS) {
        send_early_hints(parser);
    }
    else if (status == PASSENGER_HEAD_ACKNOWLEDGED) {
        parser->is_acknowledged = 1;
    }
    else if (status == PASSENGER_HEAD_TOO_LATE) {
        parser->is_too_late = 1;
    }
    else if (status == PASSENGER_HEAD_REFUSED) {
        parser->state = PASSENGER_RESPONSE_BAD_HEAD;
    }
}

static void break_off(passenger_response_parser *parser, passenger_response_fault fault)
{
    parser->state = PASSENGER_RESPONSE_BROKEN;
    parser->fault = fault;
}

/* Counts body bytes against Content-Length. Returns 0, and the response is broken, when there are too many. */
static int count(passenger_response_parser *parser, int64_t length)
{
    if (parser->expected < 0) {
        return 1;
    }
    if (length > parser->expected) {
        break_off(parser, PASSENGER_RESPONSE_TOO_LONG);
        return 0;
    }
    parser->expected -= length;
    return 1;
}

static void append_data(passenger_response_parser *parser, const char *data, size_t length)
{
    if (parser->overriding_status != 0) {
        /* Nobody gets this body. It is read to its end, for the app's sake, unless that takes long. */
        parser->dropped += length;
        if (parser->dropped > DROPPED_LIMIT) {
            parser->state = PASSENGER_RESPONSE_COMPLETE;
        }
    }
    else if (!parser->is_bodyless && count(parser, (int64_t)length)) {
        apr_bucket *bucket = apr_bucket_transient_create(data, length, parser->r->connection->bucket_alloc);
        APR_BRIGADE_INSERT_TAIL(parser->brigade, bucket);
    }
}

static void append_file(passenger_response_parser *parser)
{
    int descriptor = passenger_backend_take_descriptor(parser->backend);
    int64_t offset = parser->frames.file_offset;
    int64_t length = parser->is_bodyless ? 0 : parser->frames.file_length;
    if (!count(parser, length) || length == 0) {
        passenger_response_file_drop(descriptor);
    }
    else if (!passenger_response_file_append(parser->r, parser->brigade, descriptor, offset, length)) {
        break_off(parser, PASSENGER_RESPONSE_BAD_FILE);
    }
    else {
        parser->file_count++;
    }
}

/* Whether nobody can disagree with us about where the response ends. A backend that sends a body where there is none
 * (HEAD, 304) may send it late. */
static int is_framed_by_http(const passenger_response_parser *parser)
{
    const passenger_response_head *head = &parser->head;
    if (!head->is_http || parser->http.framing == PASSENGER_HTTP_UNTIL_CLOSE) {
        return 0;
    }
    return parser->http.framing != PASSENGER_HTTP_NO_BODY
           || (!parser->r->header_only && !head->is_chunked && head->content_length <= 0);
}

static void end_body(passenger_response_parser *parser)
{
    if (parser->expected > 0) {
        break_off(parser, PASSENGER_RESPONSE_TOO_SHORT);
        return;
    }
    if (parser->overriding_status == 0) {
        APR_BRIGADE_INSERT_TAIL(parser->brigade, apr_bucket_eos_create(parser->r->connection->bucket_alloc));
    }
    parser->state = PASSENGER_RESPONSE_COMPLETE;
    /* Behind a head without a body some backends send one all the same, when this has long been over: the next client
     * would get it. */
    parser->may_keep_connection = parser->head.is_http
                                      ? is_framed_by_http(parser) && !parser->head.is_last && !parser->is_bodyless
                                      : parser->frames.is_kept;
    parser->slot = parser->frames.is_kept ? (int)parser->frames.slot : PASSENGER_NO_WORKER;
}

/* The same of a body of HTTP. */
static int feed_http_body(passenger_response_parser *parser, const char **bytes, size_t *length)
{
    switch (passenger_http_body_next(&parser->http, bytes, length)) {
    case PASSENGER_HTTP_BODY_MORE:
        return 0;
    case PASSENGER_HTTP_BODY_DATA:
        append_data(parser, parser->http.data, parser->http.length);
        break;
    case PASSENGER_HTTP_BODY_END:
        end_body(parser);
        break;
    case PASSENGER_HTTP_BODY_BAD_CHUNK:
        break_off(parser, PASSENGER_RESPONSE_BAD_CHUNK);
        break;
    }
    return 1;
}

/* Takes one event of the body; returns 0 when the bytes are used up. */
static int feed_body(passenger_response_parser *parser, const char **bytes, size_t *length)
{
    if (parser->head.is_http) {
        return feed_http_body(parser, bytes, length);
    }
    const unsigned char *next = (const unsigned char *)*bytes;
    passenger_frame_event event = passenger_frames_next(&parser->frames, &next, length);
    *bytes = (const char *)next;
    switch (event) {
    case PASSENGER_FRAME_MORE:
        return 0;
    case PASSENGER_FRAME_DATA:
        append_data(parser, (const char *)parser->frames.data, parser->frames.length);
        break;
    case PASSENGER_FRAME_FILE:
        append_file(parser);
        break;
    case PASSENGER_FRAME_END:
        end_body(parser);
        break;
    case PASSENGER_FRAME_FAILURE:
        passenger_error_id_set(parser->r, parser->frames.error_id);
        break_off(parser, PASSENGER_RESPONSE_APP_FAILED);
        break;
    case PASSENGER_FRAME_BAD_SIZE:
    case PASSENGER_FRAME_AFTER_END:
        break_off(parser, PASSENGER_RESPONSE_BAD_FRAME);
        break;
    }
    return 1;
}

void passenger_response_parser_feed(passenger_response_parser *parser, const char *bytes, size_t length)
{
    while (parser->state == PASSENGER_RESPONSE_HEAD && length > 0) {
        feed_head(parser, &bytes, &length);
    }
    while (parser->state == PASSENGER_RESPONSE_BODY && feed_body(parser, &bytes, &length)) {
        continue;
    }
    if (parser->state != PASSENGER_RESPONSE_COMPLETE || length == 0) {
        return;
    }
    parser->may_keep_connection = 0;
    /* A body behind a head that has none is dropped. */
    if (parser->overriding_status == 0 && !(parser->head.is_http && parser->is_bodyless)) {
        break_off(parser, PASSENGER_RESPONSE_BEHIND_END);
    }
}

void passenger_response_parser_end_of_input(passenger_response_parser *parser, int is_closed)
{
    if (parser->state == PASSENGER_RESPONSE_HEAD) {
        parser->state = PASSENGER_RESPONSE_BAD_HEAD;
    }
    else if (parser->state == PASSENGER_RESPONSE_BODY) {
        int is_complete = parser->head.is_http ? passenger_http_body_end_of_input(&parser->http)
                                               : passenger_frames_end_of_input(&parser->frames);
        if (is_closed && is_complete) {
            end_body(parser);
        }
        else {
            break_off(parser, PASSENGER_RESPONSE_CUT);
        }
    }
}

apr_time_t passenger_response_parser_deadline(const passenger_response_parser *parser)
{
    int is_dropping = parser->overriding_status != 0 && parser->state == PASSENGER_RESPONSE_BODY;
    return is_dropping ? parser->overridden_since + apr_time_from_msec(DROPPING_MILLISECONDS) : 0;
}

void passenger_response_parser_check_times(passenger_response_parser *parser, apr_time_t now)
{
    apr_time_t deadline = passenger_response_parser_deadline(parser);
    if (deadline != 0 && now >= deadline) {
        parser->state = PASSENGER_RESPONSE_COMPLETE;
    }
}
