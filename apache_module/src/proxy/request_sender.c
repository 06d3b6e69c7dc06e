#include "proxy/request_sender.h"

#include <errno.h>
#include <unistd.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>

#include "config/configuration.h"
#include "core/capabilities.h"
#include "core/deadlines.h"
#include "errors/error_answer.h"

APLOG_USE_MODULE(passenger);

enum {
    OUTGOING_SIZE = 32 * 1024,
    PARTS_AT_ONCE = 32,             /* then the loop looks at the response, the client and the clock again */
    CONTINUE_SECONDS = 1            /* for workers that do not say when they read the body */
};

void passenger_request_sender_begin(passenger_request_sender *sender, request_rec *r, passenger_backend *backend,
                                    passenger_request_body *body, unsigned capabilities)
{
    *sender = (passenger_request_sender){.r = r, .backend = backend, .body = body, .worker_takes_body = 1};
    if (body->kind == PASSENGER_BODY_FILE
        && !passenger_capabilities_include(capabilities, PASSENGER_CAPABILITY_BODY_FILE)) {
        sender->file_length = body->length;
    }
    if (!body->is_finished || sender->file_length > 0) {
        sender->outgoing = apr_palloc(r->pool, OUTGOING_SIZE);
    }
    if (!body->is_finished && r->expecting_100) {
        sender->continue_at = passenger_monotonic_now() + apr_time_from_sec(CONTINUE_SECONDS);
        if (!passenger_capabilities_include(capabilities, PASSENGER_CAPABILITY_EXPECT)) {
            passenger_request_sender_continue(sender, 0);
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

/* Queues the next part of the body's file. When that cannot be read, returns 0 and the request fails: the worker must
 * not take what it has for the whole. pread() because a worker of another attempt may have moved the file's offset. */
static int queue_file(passenger_request_sender *sender)
{
    apr_off_t left = sender->file_length - sender->file_sent;
    size_t size = left < OUTGOING_SIZE ? (size_t)left : OUTGOING_SIZE;
    ssize_t length;
    do {
        length = pread(sender->body->descriptor, sender->outgoing, size, sender->file_sent);
    } while (length < 0 && errno == EINTR);
    if (length <= 0) {
        apr_status_t rv = length < 0 ? errno : APR_EOF;
        sender->worker_takes_body = 0;
        sender->body_error = HTTP_INTERNAL_SERVER_ERROR;
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, sender->r, PSGLOGNO(2105)
                      "cannot read the request body's file (PassengerDataBufferDir), which the worker gets in parts "
                      "(%s %s, error id %s)", sender->r->method, sender->r->uri, passenger_error_id(sender->r));
        return 0;
    }
    sender->file_sent += (apr_off_t)length;
    passenger_backend_queue(sender->backend, sender->outgoing, (size_t)length);
    return 1;
}

/* Queues the next part of a body that is sent by parts, if there is one. Returns 1 when something is queued. */
static int queue_body(passenger_request_sender *sender)
{
    apr_size_t length;
    if (sender->worker_takes_body && sender->file_sent < sender->file_length) {
        return queue_file(sender);
    }
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
    /* The last part stays queued: so the loop comes back as soon as the worker takes more. */
    for (int parts = 1; status == PASSENGER_BACKEND_OK && queue_body(sender) && parts < PARTS_AT_ONCE; parts++) {
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

int passenger_request_sender_is_done(const passenger_request_sender *sender)
{
    return sender->worker_takes_body && sender->body->is_finished && sender->file_sent == sender->file_length
           && !passenger_backend_is_sending(sender->backend);
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
