#include "proxy/proxy_loop.h"

#include <sys/socket.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "errors/error_answer.h"

APLOG_USE_MODULE(passenger);

enum { STATUS_CLIENT_LEFT = 499 };   /* for the access log only */

/* For a line of the log: the app, the request without its query, the worker where it is known. */
static const char *describe(const passenger_proxy *proxy)
{
    const char *route = proxy->parser.head.route;
    return apr_pstrcat(proxy->r->pool, "app ", proxy->app, ", ", proxy->r->method, " ", proxy->r->uri,
                       route[0] != '\0' ? ", worker " : "", route, NULL);
}

static void log_bad_head(const passenger_proxy *proxy)
{
    const passenger_response_head *head = &proxy->parser.head;
    request_rec *r = proxy->r;
    if (head->refusal == PASSENGER_HEAD_NOT_REFUSED) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2045)
                      "the worker ended the connection before a complete response head; answered 502 (%s; error id %s)",
                      describe(proxy), passenger_error_id(r));
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2040)
                      "the app's response %s: \"%s\"; answered 502 (%s; error id %s)",
                      passenger_head_refusal_text(head->refusal), head->subject, describe(proxy),
                      passenger_error_id(r));
    }
}

static void log_broken_body(const passenger_proxy *proxy)
{
    const passenger_response_parser *parser = &proxy->parser;
    request_rec *r = proxy->r;
    const char *whose = describe(proxy);
    const char *id = passenger_error_id(r);
    switch (parser->fault) {
    case PASSENGER_RESPONSE_TOO_LONG:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2041)
                      "the app's response is longer than its Content-Length of %" APR_INT64_T_FMT " (%s; error id %s)",
                      (apr_int64_t)parser->head.content_length, whose, id);
        break;
    case PASSENGER_RESPONSE_TOO_SHORT:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2042)
                      "the app's response is %" APR_INT64_T_FMT " bytes shorter than its Content-Length of %"
                      APR_INT64_T_FMT " (%s; error id %s)", (apr_int64_t)parser->expected,
                      (apr_int64_t)parser->head.content_length, whose, id);
        break;
    case PASSENGER_RESPONSE_BAD_FRAME:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2043)
                      "the worker broke the protocol: a bad frame (%s; error id %s)", whose, id);
        break;
    case PASSENGER_RESPONSE_BAD_CHUNK:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2048)
                      "the app's response has a chunk or trailer that is malformed (%s; error id %s)", whose, id);
        break;
    case PASSENGER_RESPONSE_BEHIND_END:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2044)
                      "the worker broke the protocol: bytes behind the end of the body (%s; error id %s)", whose, id);
        break;
    case PASSENGER_RESPONSE_APP_FAILED:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2047)
                      "the app failed in the middle of the response: its log says why, with the same error id (%s; "
                      "error id %s)", whose, id);
        break;
    case PASSENGER_RESPONSE_CUT:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2046)
                      "the worker ended the connection in the middle of the response: either the app failed, and its "
                      "log says why, or the worker died (%s; error id %s)", whose, id);
        break;
    case PASSENGER_RESPONSE_BAD_FILE:
    case PASSENGER_RESPONSE_NO_FAULT:
        break;
    }
}

void passenger_proxy_log_fault(passenger_proxy *proxy)
{
    passenger_response_state state = proxy->parser.state;
    if (proxy->has_logged_fault || (state != PASSENGER_RESPONSE_BAD_HEAD && state != PASSENGER_RESPONSE_BROKEN)) {
        return;
    }
    proxy->has_logged_fault = 1;
    if (state == PASSENGER_RESPONSE_BAD_HEAD) {
        log_bad_head(proxy);
    }
    else {
        log_broken_body(proxy);
    }
}

/* As if the app had said nothing. The request of an ErrorDocument keeps the error's status: by it httpd knows that
 * it must not ask for that page again. */
static int answer_error(request_rec *r, int status)
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

/* Whether the client was told how many bytes there are; a filter may have taken back the app's Content-Length. */
static int has_told_length(const request_rec *r)
{
    while (r->main != NULL) {
        r = r->main;
    }
    return apr_table_get(r->headers_out, "Content-Length") != NULL;
}

/* Ends a response that has begun so that no client can take it for complete. `filters`: where the end is passed to. */
static int cut_response(passenger_proxy *proxy, ap_filter_t *filters)
{
    request_rec *r = proxy->r;
    conn_rec *c = r->connection;
    apr_bucket_brigade *brigade = proxy->output.brigade;
    c->keepalive = AP_CONN_CLOSE;
    r->no_cache = 1;
    if (r->main != NULL) {
        r->main->no_cache = 1;
    }
    /* The error makes the chunk filter leave out the last chunk, and mod_http2 reset the stream. */
    APR_BRIGADE_INSERT_TAIL(brigade, ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(c->bucket_alloc));
    proxy->output.status = ap_pass_brigade(filters, brigade);
    apr_brigade_cleanup(brigade);
    r->eos_sent = 1;   /* httpd need not send it through the other filters */
    if (proxy->output.status == AP_FILTER_ERROR) {
        /* A filter had held everything back: the client got an error page instead. */
        return AP_FILTER_ERROR;
    }
    if (r->proto_num < HTTP_VERSION(1, 1) && !has_told_length(r)) {
        reset_connection(r);
    }
    return OK;
}

/* Gives up the response. Returns what the handler returns: `status` as long as nothing has been sent, else OK. */
static int give_up(passenger_proxy *proxy, int status)
{
    request_rec *r = proxy->r;
    apr_brigade_cleanup(proxy->output.brigade);
    if (!proxy->output.has_started) {
        return answer_error(r, status);
    }
    /* With the end, filters would pass what they hold, and mod_http2 would wait for the client of a busy stream. */
    int is_past_filters = passenger_output_buffer_needs_polling(&proxy->output) && r->sent_bodyct != 0;
    return cut_response(proxy, is_past_filters ? r->proto_output_filters : r->output_filters);
}

/* Cuts a response that nobody takes any more from the filters that change bodies, which may have failed, or hold much.
 * Does nothing when its head has not been sent. */
static void cut_past_filters(passenger_proxy *proxy)
{
    if (proxy->r->sent_bodyct != 0) {
        apr_brigade_cleanup(proxy->output.brigade);
        cut_response(proxy, proxy->r->proto_output_filters);
    }
}

/* A filter takes nothing more, although the client is there. httpd answers, if nothing has been sent. */
static int end_after_filter(passenger_proxy *proxy)
{
    request_rec *r = proxy->r;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, proxy->output.status, r, PSGLOGNO(2104)
                  "an output filter has failed before the response was complete");
    r->connection->keepalive = AP_CONN_CLOSE;
    cut_past_filters(proxy);
    return AP_FILTER_ERROR;
}

/* Nothing may be sent that a client with a half-closed connection could take for an answer. */
int passenger_proxy_end_without_client(passenger_proxy *proxy)
{
    request_rec *r = proxy->r;
    if (!proxy->client_has_left && !proxy->sender.client_has_left && !r->connection->aborted) {
        return end_after_filter(proxy);
    }
    ap_log_rerror(APLOG_MARK, APLOG_INFO, proxy->output.status, r, PSGLOGNO(2103)
                  "the client left before the response was complete");
    if (proxy->output.status == AP_FILTER_ERROR) {
        return AP_FILTER_ERROR;
    }
    if (!proxy->output.has_started) {
        r->status = STATUS_CLIENT_LEFT;
        r->status_line = "499 Client Left";
    }
    r->connection->aborted = 1;
    r->connection->keepalive = AP_CONN_CLOSE;
    /* The client may have taken nothing for too long, and go on. mod_http2 would end the stream as a complete one. */
    cut_past_filters(proxy);
    return OK;
}

static int answer_queue_timeout(passenger_proxy *proxy)
{
    double waited = (double)(passenger_monotonic_now() - proxy->limits->queued_at) / APR_USEC_PER_SEC;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, proxy->r, PSGLOGNO(2130)
                  "no worker has accepted the request in %.1f s (PassengerMaxRequestQueueTime): answered 504 "
                  "(%s; error id %s)", waited, describe(proxy),
                  passenger_error_id(proxy->r));
    passenger_error_retry_later(proxy->r);
    return give_up(proxy, HTTP_GATEWAY_TIME_OUT);
}

static int answer_request_timeout(passenger_proxy *proxy)
{
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, proxy->r, PSGLOGNO(2131)
                  "the worker has taken longer than %d s (PassengerMaxRequestTime%s): %s (%s; error id %s)",
                  (int)apr_time_sec(proxy->limits->request_time),
                  proxy->wants_acknowledgement ? "" : ", with the time in the queue",
                  proxy->output.has_started ? "the response is cut" : "answered 504",
                  describe(proxy),
                  passenger_error_id(proxy->r));
    return give_up(proxy, HTTP_GATEWAY_TIME_OUT);
}

int passenger_proxy_end(passenger_proxy *proxy)
{
    if (proxy->parser.overriding_status != 0) {
        return proxy->parser.overriding_status;
    }
    switch (proxy->outcome) {
    case PASSENGER_PROXY_QUEUE_TIMEOUT:
        return answer_queue_timeout(proxy);
    case PASSENGER_PROXY_REQUEST_TIMEOUT:
        return answer_request_timeout(proxy);
    case PASSENGER_PROXY_NOT_ACCEPTED:
        return HTTP_BAD_GATEWAY;
    case PASSENGER_PROXY_BY_RESPONSE:
        break;
    }
    if (proxy->sender.body_error != 0 && !proxy->output.has_started) {
        return give_up(proxy, proxy->sender.body_error);
    }
    return proxy->parser.state != PASSENGER_RESPONSE_COMPLETE ? give_up(proxy, HTTP_BAD_GATEWAY) : OK;
}
