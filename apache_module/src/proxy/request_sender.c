#include "proxy/request_sender.h"

#include <errno.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include "config/configuration.h"
#include "core/deadlines.h"

APLOG_USE_MODULE(passenger);

enum {
    OUTGOING_SIZE = 32 * 1024,
    CONTINUE_SECONDS = 1            /* for workers that do not say when they read the body */
};

void passenger_request_sender_begin(passenger_request_sender *sender, request_rec *r, passenger_backend *backend,
                                    passenger_request_body *body)
{
    *sender = (passenger_request_sender){.r = r, .backend = backend, .body = body, .worker_takes_body = 1};
    if (!body->is_finished) {
        sender->outgoing = apr_palloc(r->pool, OUTGOING_SIZE);
        if (r->expecting_100) {
            sender->continue_at = passenger_monotonic_now() + apr_time_from_sec(CONTINUE_SECONDS);
        }
    }
}

/* The client's body cannot be read: the worker must not take what it has for the whole. */
static void give_up_body(passenger_request_sender *sender, apr_status_t rv)
{
    sender->worker_takes_body = 0;
    if (sender->r->connection->aborted || APR_STATUS_IS_EOF(rv) || APR_STATUS_IS_ECONNRESET(rv)
        || APR_STATUS_IS_ECONNABORTED(rv)) {
        sender->client_has_left = 1;
        return;
    }
    sender->body_error = ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, sender->r, PSGLOGNO(2100)
                  "the streamed request body cannot be read to its end");
}

/* Queues the next part of a streamed body, if the client has sent one. Returns 1 when something is queued. */
static int queue_body(passenger_request_sender *sender)
{
    apr_size_t length;
    if (!sender->worker_takes_body || sender->body->is_finished) {
        sender->body_awaited_since = 0;
        return 0;
    }
    apr_status_t rv = passenger_request_body_read(sender->body, sender->outgoing, OUTGOING_SIZE, &length);
    if (rv == APR_EAGAIN) {
        sender->body_awaited_since = sender->body_awaited_since != 0 ? sender->body_awaited_since
                                                                     : passenger_monotonic_now();
        return 0;
    }
    sender->body_awaited_since = 0;
    if (rv != APR_SUCCESS) {
        give_up_body(sender, rv);
        return 0;
    }
    /* Some of the body has come: the client waits for no `100` any more. */
    sender->continue_at = 0;
    if (length > 0) {
        passenger_backend_queue(sender->backend, sender->outgoing, length);
    }
    return length > 0;
}

void passenger_request_sender_send(passenger_request_sender *sender)
{
    passenger_backend_status status = passenger_backend_send(sender->backend);
    while (status == PASSENGER_BACKEND_OK && queue_body(sender)) {
        status = passenger_backend_send(sender->backend);
    }
    if (status == PASSENGER_BACKEND_FAILED) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, errno, sender->r, PSGLOGNO(2101) "cannot send to the worker");
    }
    if (status == PASSENGER_BACKEND_CLOSED || status == PASSENGER_BACKEND_FAILED) {
        /* The worker may have answered before it closed: its answer is still to be read. */
        sender->worker_takes_body = 0;
    }
}

void passenger_request_sender_continue(passenger_request_sender *sender, int is_answered)
{
    request_rec *r = sender->r;
    if (sender->continue_at != 0 && !is_answered) {
        int status = r->status;
        const char *line = r->status_line;
        r->status = HTTP_CONTINUE;
        r->status_line = NULL;
        ap_send_interim_response(r, 0);
        r->status = status;
        r->status_line = line;
    }
    sender->continue_at = 0;
    sender->body_awaited_since = sender->body_awaited_since != 0 ? passenger_monotonic_now() : 0;
}

void passenger_request_sender_stop(passenger_request_sender *sender)
{
    sender->worker_takes_body = 0;
    sender->continue_at = sender->body_awaited_since = 0;
}

/* When the client is too late with its body; 0: nobody waits for it, or the client waits for a `100`. */
static apr_time_t body_deadline(const passenger_request_sender *sender)
{
    return sender->body_awaited_since != 0 && sender->continue_at == 0
               ? sender->body_awaited_since + sender->r->server->timeout : 0;
}

apr_time_t passenger_request_sender_deadline(const passenger_request_sender *sender)
{
    return sender->continue_at != 0 ? sender->continue_at : body_deadline(sender);
}

void passenger_request_sender_check_times(passenger_request_sender *sender, apr_time_t now, int is_answered)
{
    if (sender->continue_at != 0 && now >= sender->continue_at) {
        passenger_request_sender_continue(sender, is_answered);
    }
    if (body_deadline(sender) != 0 && now >= body_deadline(sender)) {
        give_up_body(sender, APR_TIMEUP);
    }
}
