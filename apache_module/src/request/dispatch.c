#include "request/dispatch.h"

#include <errno.h>

#include <http_log.h>
#include <apr_strings.h>

#include "core/backend.h"
#include "config/configuration.h"
#include "request/environment.h"
#include "errors/error_answer.h"
#include "proxy/exchange.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"
#include "core/message.h"
#include "request/overflow_report.h"
#include "request/registration.h"
#include "proxy/sticky_session.h"
#include "core/time_limits.h"

APLOG_USE_MODULE(passenger);

enum {
    CONNECT_ATTEMPTS = 3,
    DELIVERIES = 3,             /* of one request to workers that end before they have seen it */
    RETRY_AFTER_SECONDS = 1
};

typedef struct dispatch {
    request_rec *r;
    const passenger_mapping *mapping;
    passenger_request_body *body;
    passenger_group group;
    passenger_backend backend;
    passenger_sticky_session session;
    passenger_time_limits limits;
    int wants_sign;              /* the worker is to say when it takes the request */
    int is_to_own;               /* connected to the socket of the worker that the client has shown */
} dispatch;

static int ask_to_come_again(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Retry-After", apr_itoa(r->pool, RETRY_AFTER_SECONDS));
    return HTTP_SERVICE_UNAVAILABLE;
}

static int report_full(const dispatch *it)
{
    request_rec *r = it->r;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, PSGLOGNO(2120)
                  "the request queue of the app %s is full (PassengerMaxRequestQueueSize): answered 503 (error id %s)",
                  it->group.key, passenger_error_id(r));
    passenger_overflow_report_add(r, it->group.key);
    return ask_to_come_again(r);
}

static int report_shortage(const dispatch *it, int error)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, error, it->r, PSGLOGNO(2134)
                  "this process of httpd cannot open a connection to the app %s: answered 503 (error id %s)",
                  it->group.key, passenger_error_id(it->r));
    return ask_to_come_again(it->r);
}

/* Whether no connection at all can be made now, wherever it leads. */
static int is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* Connects to the group's socket; asks the spawner again when it is not there any more. */
static int connect_to_group(dispatch *it)
{
    int error = 0;
    for (int attempt = 0; attempt < CONNECT_ATTEMPTS; attempt++) {
        int status = passenger_group_find(it->r, it->mapping, &it->group);
        if (status != OK) {
            return status;
        }
        error = passenger_backend_connect(&it->backend, it->group.address.socket_path);
        if (error == 0) {
            return OK;
        }
        if (error == EAGAIN) {
            return report_full(it);
        }
        if (is_shortage(error)) {
            return report_shortage(it, error);
        }
        passenger_group_forget(&it->group);
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, error, it->r, PSGLOGNO(2121)
                  "cannot connect to the app %s at %s: answered 503 (error id %s)", it->group.key,
                  it->group.address.socket_path, passenger_error_id(it->r));
    return ask_to_come_again(it->r);
}

/* Connects to the worker that the client has shown, if it has and that one lives, else to the group. */
static int connect_to_app(dispatch *it, int is_first)
{
    it->is_to_own = 0;
    if (!it->session.is_on || !is_first || it->session.shown[0] == '\0') {
        return connect_to_group(it);
    }
    int status = passenger_group_find(it->r, it->mapping, &it->group);
    if (status != OK) {
        return status;
    }
    const char *own = passenger_sticky_session_socket(&it->session, it->r, it->group.address.socket_path);
    int error = own != NULL ? passenger_backend_connect(&it->backend, own) : ENOENT;
    if (error == EAGAIN) {
        return report_full(it);
    }
    it->is_to_own = error == 0;
    return error == 0 ? OK : connect_to_group(it);
}

static void add_extensions(const dispatch *it, passenger_message *head)
{
    request_rec *r = it->r;
    const passenger_time_limits *limits = &it->limits;
    passenger_message_add(head, "JUMPSEAT_TOKEN", it->group.address.token);
    passenger_message_add(head, "JUMPSEAT_FRAMED", "1");
    passenger_message_add(head, "JUMPSEAT_BODY", passenger_request_body_mode(it->body));
    if (!it->body->is_finished && r->expecting_100) {
        passenger_message_add(head, "JUMPSEAT_EXPECT", "100-continue");
    }
    if (it->wants_sign) {
        passenger_message_add(head, "JUMPSEAT_TAKEN", "1");
    }
    if (limits->start_before != 0) {
        passenger_message_add(head, "JUMPSEAT_START_BEFORE",
                              apr_psprintf(r->pool, "%" APR_INT64_T_FMT "000", (apr_int64_t)limits->start_before));
    }
    if (limits->request_time != 0) {
        passenger_message_add_number(head, "JUMPSEAT_TIME_LIMIT", apr_time_as_msec(limits->request_time));
    }
}

/* Encodes the request's head and queues it, with the body or the descriptor of its file. */
static int queue_request(dispatch *it)
{
    const passenger_request_body *body = it->body;
    passenger_message *head = passenger_environment_of(it->r, it->mapping, body->length);
    add_extensions(it, head);
    size_t size;
    const char *bytes = passenger_message_encode(head, PASSENGER_REQUEST_HEAD_LIMIT, &size);
    if (bytes == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, it->r, PSGLOGNO(2122)
                      "the request's headers and variables are more than 1 MiB: answered 431");
        return HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    }
    passenger_backend_queue(&it->backend, bytes, size);
    it->backend.attached = body->descriptor;
    if (body->kind == PASSENGER_BODY_MEMORY && body->length > 0) {
        passenger_backend_queue(&it->backend, body->bytes, (size_t)body->length);
    }
    return OK;
}

/* One attempt. `*was_seen` is 0 when the worker has ended without having seen the request. */
static int attempt(dispatch *it, int is_first, int *was_seen)
{
    passenger_exchange exchange = {.r = it->r, .backend = &it->backend, .body = it->body, .limits = &it->limits,
                                   .session = &it->session, .wants_sign = it->wants_sign};
    int status;
    *was_seen = 1;
    if ((status = connect_to_app(it, is_first)) == OK && (status = queue_request(it)) == OK) {
        exchange.app = it->group.key;
        status = passenger_exchange_run(&exchange);
        *was_seen = exchange.verdict != PASSENGER_EXCHANGE_NOT_TAKEN;
    }
    passenger_backend_close(&it->backend);
    return status;
}

static const char *about(const dispatch *it)
{
    request_rec *r = it->r;
    return apr_pstrcat(r->pool, "app ", it->group.key, ", ", r->method, " ", r->uri, it->is_to_own ? ", worker " : "",
                       it->is_to_own ? it->session.shown : "", NULL);
}

int passenger_dispatch(request_rec *r, const passenger_mapping *mapping, passenger_request_body *body)
{
    const passenger_dir_options *options = passenger_options_of(r);
    dispatch it = {.r = r, .mapping = mapping, .body = body, .backend = {.socket = -1, .attached = -1}};
    int was_seen;
    passenger_sticky_session_begin(&it.session, r, mapping);
    passenger_time_limits_begin(&it.limits, passenger_monotonic_now(), passenger_dir_max_request_queue_time(options),
                                passenger_dir_max_request_time(options));
    it.wants_sign = it.session.is_on || it.limits.start_before != 0 || it.limits.request_time != 0;
    for (int count = 1;; count++) {
        int status = attempt(&it, count == 1, &was_seen);
        if (was_seen) {
            return status;
        }
        if (count == DELIVERIES || !passenger_request_body_rewind(body)) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2132)
                          "the worker ended before it took the request; answered 502 (%s; error id %s)", about(&it),
                          passenger_error_id(r));
            return status;
        }
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, PSGLOGNO(2133)
                      "the worker ended before it took the request, which goes to another one (%s)", about(&it));
    }
}
