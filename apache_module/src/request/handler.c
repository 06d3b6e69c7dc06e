#include "request/handler.h"

#include <errno.h>
#include <string.h>

#include <http_log.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "core/capabilities.h"
#include "core/idle_connections.h"
#include "errors/error_answer.h"
#include "output/client_waits.h"
#include "proxy/proxy_loop.h"
#include "request/environment.h"
#include "request/mapping.h"
#include "request/overflow_report.h"
#include "request/registration.h"
#include "request/worker_head.h"

APLOG_USE_MODULE(passenger);

enum {
    CONNECT_ATTEMPTS = 3,
    FORWARD_ATTEMPTS = 3,       /* of one request, to workers that end before they accept it */
    ONE_READ = 16 * 1024,       /* bytes: what a worker reads of a request at once on a kept connection */
    KEPT_BODY_LIMIT = 8 * 1024, /* bytes: a longer body needs a new connection */
    RACE_MILLISECONDS = 2,      /* how long a request waits for a worker that was free, and may just have got another */
    BUSY_MILLISECONDS = 20      /* the same for one that was expected to be free sooner */
};

/* A request on its way to a worker. */
typedef struct forward_context {
    request_rec *r;
    const passenger_mapping *mapping;
    passenger_request_body *body;
    passenger_group group;
    passenger_backend backend;
    passenger_sticky_session session;
    passenger_time_limits limits;
    const char *connected_to;    /* the path of the socket */
    int may_reuse;               /* no kept connection has failed yet */
    int is_read_at_once;         /* the request is short enough for a worker to read all of it or nothing */
    passenger_kept_connection kept;   /* how it is connected */
    int is_to_own_socket;        /* connected to the socket of the worker that the client's cookie names */
} forward_context;

/* For a line of the log: the app, the request without its query, the worker if the client's cookie chose ctx. */
static const char *describe(const forward_context *ctx)
{
    request_rec *r = ctx->r;
    return apr_pstrcat(r->pool, "app ", ctx->group.key, ", ", r->method, " ", r->uri,
                       ctx->is_to_own_socket ? ", worker " : "", ctx->is_to_own_socket ? ctx->session.route : "",
                       NULL);
}

/* Whether the loader of the group, which has been found, has this capability. */
static int can(const forward_context *ctx, passenger_capability wanted)
{
    return passenger_capabilities_include(ctx->group.address.capabilities, wanted);
}

/* Whether the worker is to say when it accepts the request. */
static int wants_acknowledgement(const forward_context *ctx)
{
    return can(ctx, PASSENGER_CAPABILITY_ACKNOWLEDGE)
           && (ctx->session.is_on || ctx->limits.start_before != 0 || ctx->limits.request_time != 0);
}

/* The request begins to wait for a worker. */
static void begin_limits(forward_context *ctx)
{
    const passenger_dir_options *options = passenger_options_of(ctx->r);
    passenger_time_limits_begin(&ctx->limits, passenger_monotonic_now(), passenger_dir_max_request_queue_time(options),
                                passenger_dir_max_request_time(options));
}

/* Whether a kept connection will do. A worker may close it at any moment. If it speaks HTTP, nobody knows then whether it
 * has read the request: it must be one that may be sent twice. Otherwise it must be one that is read at once or not at
 * all (docs/decisions/033-kept-connections.md). */
static int may_use_kept(const forward_context *ctx)
{
    const passenger_request_body *body = ctx->body;
    if (!ctx->may_reuse || !can(ctx, PASSENGER_CAPABILITY_KEEP_ALIVE)) {
        return 0;
    }
    if (can(ctx, PASSENGER_CAPABILITY_HTTP)) {
        return body->kind == PASSENGER_BODY_NONE
               && (ctx->r->method_number == M_GET || ctx->r->method_number == M_OPTIONS);
    }
    return body->kind == PASSENGER_BODY_NONE
           || (body->kind == PASSENGER_BODY_MEMORY && body->is_finished && body->length <= KEPT_BODY_LIMIT);
}

/* 1. Connecting. */

/* Whether no connection at all can be opened now, wherever it leads. */
static int is_out_of_descriptors(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* There is no connection: `error` says why. Returns the status that the client gets. */
static int answer_unavailable(const forward_context *ctx, int error)
{
    request_rec *r = ctx->r;
    const char *id = passenger_error_id(r);
    passenger_error_retry_later(r);
    if (error == EAGAIN) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, PSGLOGNO(2120)
                      "the request queue of the app %s is full (PassengerMaxRequestQueueSize): answered 503 (error id "
                      "%s)", ctx->group.key, id);
        passenger_overflow_report_add(r, ctx->group.key);
    }
    else if (is_out_of_descriptors(error)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, error, r, PSGLOGNO(2134)
                      "this process of httpd cannot open a connection to the app %s: answered 503 (error id %s)",
                      ctx->group.key, id);
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, error, r, PSGLOGNO(2121)
                      "cannot connect to the app %s at %s: answered 503 (error id %s)", ctx->group.key,
                      ctx->group.address.socket_path, id);
    }
    return HTTP_SERVICE_UNAVAILABLE;
}

/* Finds the group. If its loader takes only bodies with a length, one of unknown length is read whole now, before a
 * worker is connected; until then the request has waited for its client only. */
static int find_group(forward_context *ctx)
{
    int status = passenger_group_find(ctx->r, ctx->mapping, &ctx->group);
    if (status == OK && ctx->body->kind == PASSENGER_BODY_FRAMED && !can(ctx, PASSENGER_CAPABILITY_FRAMED_BODY)) {
        status = passenger_request_body_buffer(ctx->body);
        begin_limits(ctx);
    }
    return status;
}

/* Connects to the socket at `path`, if possible by a connection that was kept. Returns 0 or an errno. */
static int connect_to_socket(forward_context *ctx, const char *path)
{
    /* A worker that the client's cookie names is waited for. */
    passenger_worker_load *load = path == ctx->group.address.socket_path ? ctx->group.address.load : NULL;
    ctx->connected_to = path;
    ctx->kept = (passenger_kept_connection){0};
    if (may_use_kept(ctx) && passenger_idle_connections_take(path, load, &ctx->backend, &ctx->kept)) {
        return 0;
    }
    return passenger_backend_connect(&ctx->backend, path);
}

/* Until when the worker at the end of a kept connection may take the request: after that it goes elsewhere. 0: as long as
 * any worker may. */
static int64_t kept_deadline(const forward_context *ctx)
{
    if (ctx->kept.load == NULL) {
        return 0;
    }
    return passenger_monotonic_now()
           + apr_time_from_msec(ctx->kept.worker_is_busy ? BUSY_MILLISECONDS : RACE_MILLISECONDS);
}

/* Connects to the group's socket; asks the spawner again when the socket is not there any more. */
static int connect_to_group(forward_context *ctx)
{
    int error = 0;
    for (int attempt = 0; attempt < CONNECT_ATTEMPTS; attempt++) {
        int status = find_group(ctx);
        if (status != OK) {
            return status;
        }
        error = connect_to_socket(ctx, ctx->group.address.socket_path);
        if (error == 0 || error == EAGAIN || is_out_of_descriptors(error)) {
            break;
        }
        passenger_group_forget(&ctx->group);
    }
    return error == 0 ? OK : answer_unavailable(ctx, error);
}

/* Connects to the worker that the client's cookie names, if there is one and it lives; else to the group. */
static int connect_to_app(forward_context *ctx, int is_first)
{
    ctx->is_to_own_socket = 0;
    if (!ctx->session.is_on || !is_first || ctx->session.route[0] == '\0') {
        return connect_to_group(ctx);
    }
    int status = find_group(ctx);
    if (status != OK) {
        return status;
    }
    const char *own = can(ctx, PASSENGER_CAPABILITY_ACKNOWLEDGE)
                          ? passenger_sticky_session_socket(&ctx->session, ctx->r, ctx->group.address.socket_path)
                          : NULL;
    int error = own != NULL ? connect_to_socket(ctx, own) : ENOENT;
    if (error == EAGAIN) {
        return answer_unavailable(ctx, error);
    }
    ctx->is_to_own_socket = error == 0;
    return error == 0 ? OK : connect_to_group(ctx);
}

/* 2. The request on the connection. */

/* Encodes the request's head and queues it, with a body in memory or the descriptor of its file. */
static int queue_request(forward_context *ctx, const passenger_time_limits *limits)
{
    passenger_request_body *body = ctx->body;
    const char *bytes;
    size_t size;
    const passenger_worker_head head = {
        .r = ctx->r, .mapping = ctx->mapping, .body = body, .address = &ctx->group.address, .limits = limits,
        .wants_acknowledgement = wants_acknowledgement(ctx), .has_start_before = ctx->kept.load != NULL};
    body->is_chunked = can(ctx, PASSENGER_CAPABILITY_HTTP);
    int status = passenger_worker_head_encode(&head, &bytes, &size);
    if (status != OK) {
        return status;
    }
    ctx->is_read_at_once = !body->is_chunked && size + (size_t)body->length <= ONE_READ;
    passenger_backend_queue(&ctx->backend, bytes, size);
    ctx->backend.descriptor_to_send = can(ctx, PASSENGER_CAPABILITY_BODY_FILE) ? body->descriptor : -1;
    if (body->kind == PASSENGER_BODY_MEMORY && body->length > 0) {
        passenger_backend_queue(&ctx->backend, body->bytes, (size_t)body->length);
    }
    return OK;
}

/* 3. Forwarding. */

/* Whether the end of a kept connection would not say whether the worker has the request. */
static int is_too_long_for_kept(const forward_context *ctx)
{
    return ctx->kept.is_kept && !can(ctx, PASSENGER_CAPABILITY_HTTP) && !ctx->is_read_at_once;
}

/* What the end of the connection says about the request. */
static passenger_reuse reuse_of(const forward_context *ctx)
{
    if (!ctx->kept.is_kept) {
        return PASSENGER_REUSE_NONE;
    }
    return can(ctx, PASSENGER_CAPABILITY_HTTP) ? PASSENGER_REUSE_REPEATABLE : PASSENGER_REUSE_READ_AT_ONCE;
}

/* The times of one attempt. */
static passenger_time_limits limits_of_attempt(const forward_context *ctx)
{
    passenger_time_limits limits = ctx->limits;
    int64_t deadline = kept_deadline(ctx);
    if (!can(ctx, PASSENGER_CAPABILITY_ACKNOWLEDGE)) {
        passenger_time_limits_send(&limits, passenger_monotonic_now());
    }
    if (deadline != 0 && (limits.start_before == 0 || deadline < limits.start_before)) {
        limits.start_before = deadline;
    }
    return limits;
}

/* One attempt. `*accepted` is 0 when the worker has ended before it accepted the request. */
static int attempt(forward_context *ctx, int is_first, int *accepted)
{
    passenger_proxy proxy = {.r = ctx->r, .backend = &ctx->backend, .body = ctx->body, .session = &ctx->session};
    int status;
    *accepted = 1;
    if ((status = connect_to_app(ctx, is_first)) == OK) {
        passenger_time_limits limits = limits_of_attempt(ctx);
        proxy.may_go_elsewhere = ctx->kept.load != NULL;
        if ((status = queue_request(ctx, &limits)) == OK && is_too_long_for_kept(ctx)) {
            *accepted = 0;
        }
        else if (status == OK) {
            proxy.app = ctx->group.key;
            proxy.limits = &limits;
            proxy.capabilities = ctx->group.address.capabilities;
            proxy.wants_acknowledgement = wants_acknowledgement(ctx);
            proxy.keep_as = can(ctx, PASSENGER_CAPABILITY_KEEP_ALIVE) ? ctx->connected_to : NULL;
            proxy.kept = &ctx->kept;
            proxy.reuse = reuse_of(ctx);
            status = passenger_proxy_run(&proxy);
            *accepted = proxy.outcome != PASSENGER_PROXY_NOT_ACCEPTED;
        }
    }
    passenger_idle_connections_done(&ctx->kept);
    passenger_backend_close(&ctx->backend);
    return status;
}

/* Forwards the request and the response. Returns OK when the client has got its answer, or the status that it is to
 * get: logged. */
static int forward_request(request_rec *r, const passenger_mapping *mapping, passenger_request_body *body)
{
    const passenger_dir_options *options = passenger_options_of(r);
    forward_context ctx = {.r = r, .mapping = mapping, .body = body, .may_reuse = 1,
                           .backend = {.socket = -1, .descriptor_to_send = -1}};
    int accepted;
    passenger_sticky_session_begin(&ctx.session, r, mapping->base_uri,
                                   passenger_dir_sticky_sessions(options) && passenger_environment_is_https(r));
    begin_limits(&ctx);
    for (int count = 1;; count++) {
        int status = attempt(&ctx, count == 1, &accepted);
        if (accepted) {
            return status;
        }
        if (ctx.kept.is_kept) {
            ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r, PSGLOGNO(2136)
                          "the worker of a kept connection has not got the request, which goes over a new one (%s)",
                          describe(&ctx));
            ctx.may_reuse = 0;
            count--;
            continue;
        }
        if (count == FORWARD_ATTEMPTS || !passenger_request_body_rewind(body)) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2132)
                          "the worker ended before it accepted the request: answered 502 (%s; error id %s)",
                          describe(&ctx), passenger_error_id(r));
            return status;
        }
        ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, PSGLOGNO(2133)
                      "the worker ended before it accepted the request, which goes to another worker (%s)",
                      describe(&ctx));
    }
}

/* 4. The handler. */

static int answer_request(request_rec *r, const passenger_mapping *mapping)
{
    passenger_request_body body;
    int status;

    /* Step 1: the body, so that a slow upload takes no worker. */
    status = passenger_request_body_prepare(r, &body);
    if (status == OK) {
        /* Step 2: to a worker, and the response back. */
        status = forward_request(r, mapping, &body);
        if (status != OK && !body.is_finished) {
            /* httpd would read the rest of the body before it sends the error. */
            r->connection->keepalive = AP_CONN_CLOSE;
        }
        passenger_request_body_close(&body);
    }
    /* Step 3: what has gone wrong becomes an answer. */
    return status != OK ? passenger_error_answer(r, status) : OK;
}

int passenger_handle_request(request_rec *r)
{
    const passenger_mapping *mapping = passenger_mapping_of(r);
    passenger_client_wait wait;
    if (mapping == NULL || !mapping->is_for_app || strcmp(r->handler, PASSENGER_HANDLER) != 0) {
        return DECLINED;
    }
    passenger_overflow_report_send_due(r);
    if (!passenger_client_is_shared(r)) {
        return answer_request(r, mapping);
    }
    /* A stream of HTTP/2 may wait for its client at any point of the request. */
    passenger_client_wait_begin(&wait, r);
    int status = answer_request(r, mapping);
    passenger_client_wait_end(&wait);
    return status;
}
