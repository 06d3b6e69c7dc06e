#include "handler.h"

#include <errno.h>

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

#include "app_detection.h"
#include "backend.h"
#include "configuration.h"
#include "environment.h"
#include "exchange.h"
#include "log_numbers.h"
#include "mapping.h"
#include "netstring.h"
#include "registration.h"
#include "request_body.h"

APLOG_USE_MODULE(passenger);

enum { CONNECT_ATTEMPTS = 3, RETRY_AFTER_SECONDS = 1 };

static int report_full(request_rec *r, const passenger_group *group)
{
    ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, PSGLOGNO(2120)
                  "the request queue of the app %s is full (PassengerMaxRequestQueueSize): answered 503", group->key);
    apr_table_setn(r->err_headers_out, "Retry-After", apr_itoa(r->pool, RETRY_AFTER_SECONDS));
    return HTTP_SERVICE_UNAVAILABLE;
}

/* Connects to the group's socket; asks the spawner again when it is not there any more. */
static int connect_to_app(request_rec *r, const passenger_mapping *mapping, passenger_group *group,
                          passenger_backend *backend)
{
    int error = 0;
    for (int attempt = 0; attempt < CONNECT_ATTEMPTS; attempt++) {
        int status = passenger_group_find(r, mapping, group);
        if (status != OK) {
            return status;
        }
        error = passenger_backend_connect(backend, group->address.socket_path);
        if (error == 0) {
            return OK;
        }
        if (error == EAGAIN) {
            return report_full(r, group);
        }
        passenger_group_forget(group);
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, error, r, PSGLOGNO(2121) "cannot connect to the app %s at %s", group->key,
                  group->address.socket_path);
    return HTTP_SERVICE_UNAVAILABLE;
}

/* Encodes the request's head and queues it, with the body or the descriptor of its file. */
static int queue_request(request_rec *r, const passenger_mapping *mapping, const passenger_group *group,
                         const passenger_request_body *body, passenger_backend *backend)
{
    apr_array_header_t *fields = passenger_environment_of(r, mapping, body->length);
    passenger_environment_add(fields, "JUMPSEAT_TOKEN", group->address.token);
    passenger_environment_add(fields, "JUMPSEAT_FRAMED", "1");
    passenger_environment_add(fields, "JUMPSEAT_BODY", passenger_request_body_mode(body));
    if (!body->is_finished && r->expecting_100) {
        passenger_environment_add(fields, "JUMPSEAT_EXPECT", "100-continue");
    }
    const passenger_field *first = (const passenger_field *)fields->elts;
    size_t size = passenger_netstring_size(first, (size_t)fields->nelts, PASSENGER_REQUEST_HEAD_LIMIT);
    char *head = size > 0 ? apr_palloc(r->pool, size) : NULL;
    if (head == NULL
        || passenger_netstring_write(first, (size_t)fields->nelts, head, size) != PASSENGER_NETSTRING_OK) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2122)
                      "the request's headers and variables are more than 1 MiB: answered 431");
        return HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;
    }
    passenger_backend_queue(backend, head, size);
    backend->attached = body->descriptor;
    if (body->kind == PASSENGER_BODY_MEMORY && body->length > 0) {
        passenger_backend_queue(backend, body->bytes, (size_t)body->length);
    }
    return OK;
}

static int handle_request(request_rec *r)
{
    passenger_mapping *mapping = passenger_mapping_of(r);
    passenger_request_body body;
    passenger_backend backend = {.socket = -1, .attached = -1};
    passenger_group group;
    passenger_exchange exchange;
    int status;

    if (mapping == NULL || !mapping->is_mine || strcmp(r->handler, PASSENGER_HANDLER) != 0) {
        return DECLINED;
    }
    /* Step 1: the body, so that a slow upload takes no worker. */
    status = passenger_request_body_prepare(r, &body);
    if (status != OK) {
        return status;
    }
    /* Steps 2 and 3: a connection to the app, and what it is to be told. */
    if ((status = connect_to_app(r, mapping, &group, &backend)) != OK
        || (status = queue_request(r, mapping, &group, &body, &backend)) != OK) {
        goto cleanup;
    }
    /* Step 4: send it, relay the response. */
    status = passenger_exchange_run(&exchange, r, &backend, &body);

cleanup:
    if (status != OK && !body.is_finished) {
        /* httpd would read the rest of the body before it sends the error. */
        r->connection->keepalive = AP_CONN_CLOSE;
    }
    passenger_backend_close(&backend);
    passenger_request_body_close(&body);
    return status;
}

static void begin_child(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    passenger_detection_child_init(pool);
    passenger_registration_child_init(pool);
}

void passenger_request_register_hooks(apr_pool_t *pool)
{
    static const char *const typing[] = {"mod_negotiation.c", "mod_mime.c", NULL};
    static const char *const rewriting[] = {"mod_rewrite.c", "mod_proxy.c", NULL};
    (void)pool;
    ap_hook_child_init(begin_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(passenger_mapping_remember, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_type_checker(passenger_mapping_decide, NULL, typing, APR_HOOK_FIRST);
    /* After those that replace a request, before mod_dir, which comes last of all. */
    ap_hook_fixups(passenger_mapping_take, rewriting, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handle_request, NULL, NULL, APR_HOOK_MIDDLE);
}
