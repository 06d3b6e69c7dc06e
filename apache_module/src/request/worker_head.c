#include "request/worker_head.h"

#include <http_log.h>
#include <apr_strings.h>

#include "core/capabilities.h"
#include "core/message.h"
#include "request/environment.h"
#include "request/http_head.h"

APLOG_USE_MODULE(passenger);

static int can(const passenger_worker_head *head, passenger_capability wanted)
{
    return passenger_capabilities_include(head->address->capabilities, wanted);
}

/* Tells the worker until when it may begin the request. */
static void add_start_before(const passenger_worker_head *head, passenger_message *message)
{
    if (head->limits->start_before != 0) {
        /* In nanoseconds. */
        passenger_message_add(message, "JUMPSEAT_START_BEFORE",
                              apr_psprintf(head->r->pool, "%" APR_INT64_T_FMT "000",
                                           (apr_int64_t)head->limits->start_before));
    }
}

/* Our extensions on both wires, as far as the loader has them. The token is a secret: who does not know what it is does
 * not get it. */
static void add_extensions(const passenger_worker_head *head, passenger_message *message)
{
    if (can(head, PASSENGER_CAPABILITY_TOKEN)) {
        passenger_message_add(message, "JUMPSEAT_TOKEN", head->address->token);
    }
    if (head->wants_acknowledgement) {
        passenger_message_add(message, "JUMPSEAT_ACKNOWLEDGE", "1");
        if (head->limits->request_time != 0) {
            passenger_message_add_number(message, "JUMPSEAT_TIME_LIMIT", apr_time_as_msec(head->limits->request_time));
        }
    }
}

/* Whether the worker is to say when the client gets `100 Continue`. */
static int wants_expectation(const passenger_worker_head *head)
{
    return !head->body->is_finished && head->r->expecting_100 && can(head, PASSENGER_CAPABILITY_EXPECT);
}

/* Those of SCGI alone: what HTTP has headers for. */
static void add_extensions_of_scgi(const passenger_worker_head *head, passenger_message *message)
{
    if (can(head, PASSENGER_CAPABILITY_FRAMES)) {
        passenger_message_add(message, "JUMPSEAT_FRAMED", "1");
    }
    passenger_message_add(message, "JUMPSEAT_BODY",
                          passenger_request_body_mode(head->body, head->address->capabilities));
    if (can(head, PASSENGER_CAPABILITY_KEEP_ALIVE)) {
        passenger_message_add(message, "JUMPSEAT_KEEP", "1");
    }
    if (wants_expectation(head)) {
        passenger_message_add(message, "JUMPSEAT_EXPECT", "100-continue");
    }
}

static int answer_too_long(const passenger_worker_head *head)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, head->r, PSGLOGNO(2122)
                  "the request's headers and variables are more than 1 MiB: answered 431");
    return HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
}

/* The tail of the head is the same for many requests of the app: a loader that knows it need not read it again. */
static int encode_scgi(const passenger_worker_head *head, const char **bytes, size_t *size)
{
    passenger_message *message = passenger_environment_of(head->r, head->mapping, head->body->length);
    if (head->wants_acknowledgement || head->has_start_before) {
        add_start_before(head, message);
    }
    int tail = message->fields->nelts;
    passenger_environment_add_tail(message, head->r, head->mapping);
    add_extensions_of_scgi(head, message);
    add_extensions(head, message);
    if (can(head, PASSENGER_CAPABILITY_TAIL)) {
        passenger_message_end_tail(message, tail);
    }
    *bytes = passenger_message_encode(message, PASSENGER_REQUEST_HEAD_LIMIT, size);
    return *bytes != NULL ? OK : answer_too_long(head);
}

static int encode_http(const passenger_worker_head *head, const char **bytes, size_t *size)
{
    passenger_message *extensions = passenger_message_create(head->r->pool, 4);
    passenger_http_request request = passenger_http_head_of(head->r, head->mapping, head->body);
    add_extensions(head, extensions);
    if (head->wants_acknowledgement) {
        add_start_before(head, extensions);
    }
    request.extensions = extensions;
    request.expects_continue = wants_expectation(head);
    request.may_be_kept = can(head, PASSENGER_CAPABILITY_KEEP_ALIVE);
    switch (passenger_http_request_write(&request, head->r->pool, bytes, size)) {
    case PASSENGER_HTTP_REQUEST_OK:
        break;
    case PASSENGER_HTTP_REQUEST_TOO_LONG:
        return answer_too_long(head);
    case PASSENGER_HTTP_REQUEST_MALFORMED:
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, head->r, PSGLOGNO(2123)
                      "the request's method, target or a header has a byte that cannot be sent to the app: answered 400");
        return HTTP_BAD_REQUEST;
    }
    return OK;
}

int passenger_worker_head_encode(const passenger_worker_head *head, const char **bytes, size_t *size)
{
    return can(head, PASSENGER_CAPABILITY_HTTP) ? encode_http(head, bytes, size) : encode_scgi(head, bytes, size);
}
