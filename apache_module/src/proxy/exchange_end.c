#include "proxy/exchange_end.h"

#include <http_log.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "errors/error_answer.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"

APLOG_USE_MODULE(passenger);

enum {
    RETRY_AFTER_SECONDS = 1,
    STATUS_CLIENT_LEFT = 499         /* for the access log only */
};

int passenger_exchange_is_client_gone(const passenger_exchange *exchange)
{
    return exchange->has_left || exchange->r->connection->aborted
           || exchange->relay.state == PASSENGER_RELAY_CLIENT_LEFT;
}

/* Nobody is there to answer: nothing may be sent that a half-closed client could take for an answer. */
static int end_without_client(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    ap_log_rerror(APLOG_MARK, APLOG_INFO, exchange->relay.delivery.status, r, PSGLOGNO(2103)
                  "the client left before the response was complete");
    if (exchange->relay.delivery.status == AP_FILTER_ERROR) {
        return AP_FILTER_ERROR;
    }
    if (!exchange->relay.delivery.has_passed) {
        r->status = STATUS_CLIENT_LEFT;
        r->status_line = "499 Client Left";
    }
    r->connection->aborted = 1;
    r->connection->keepalive = AP_CONN_CLOSE;
    return OK;
}

static int answer_queue_time(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    double waited = (double)(passenger_monotonic_now() - exchange->limits->began) / APR_USEC_PER_SEC;
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, PSGLOGNO(2130)
                  "no worker has taken the request in %.1f s (PassengerMaxRequestQueueTime): answered 504 "
                  "(%s; error id %s)", waited, passenger_relay_about(&exchange->relay), passenger_error_id(r));
    apr_table_setn(r->err_headers_out, "Retry-After", apr_itoa(r->pool, RETRY_AFTER_SECONDS));
    return passenger_relay_give_up(&exchange->relay, HTTP_GATEWAY_TIME_OUT);
}

static int answer_request_time(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    passenger_relay *relay = &exchange->relay;
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2131)
                  "the worker has taken longer than %d s (PassengerMaxRequestTime): %s (%s; error id %s)",
                  (int)apr_time_sec(exchange->limits->request_time),
                  relay->delivery.has_passed ? "the response is cut" : "answered 504", passenger_relay_about(relay),
                  passenger_error_id(r));
    return passenger_relay_give_up(relay, HTTP_GATEWAY_TIME_OUT);
}

int passenger_exchange_end(passenger_exchange *exchange)
{
    passenger_relay *relay = &exchange->relay;
    if (passenger_exchange_is_client_gone(exchange)) {
        return end_without_client(exchange);
    }
    if (passenger_relay_overriding_status(relay) != 0) {
        return passenger_relay_overriding_status(relay);
    }
    switch (exchange->verdict) {
    case PASSENGER_EXCHANGE_QUEUE_TIME_OVER:
        return answer_queue_time(exchange);
    case PASSENGER_EXCHANGE_REQUEST_TIME_OVER:
        return answer_request_time(exchange);
    case PASSENGER_EXCHANGE_NOT_TAKEN:
        return HTTP_BAD_GATEWAY;
    case PASSENGER_EXCHANGE_GOES_ON:
        break;
    }
    if (exchange->request_status != 0 && !relay->delivery.has_passed) {
        return passenger_relay_give_up(relay, exchange->request_status);
    }
    return relay->state != PASSENGER_RELAY_COMPLETE ? passenger_relay_give_up(relay, HTTP_BAD_GATEWAY) : OK;
}
