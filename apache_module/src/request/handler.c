#include "request/handler.h"

#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <http_request.h>

#include "request/app_detection.h"
#include "output/client_outlet.h"
#include "output/client_waits.h"
#include "request/dispatch.h"
#include "errors/error_answer.h"
#include "request/mapping.h"
#include "request/overflow_report.h"
#include "request/registration.h"
#include "input/request_body.h"

static int answer_request(request_rec *r, const passenger_mapping *mapping)
{
    passenger_request_body body;
    int status;

    /* Step 1: the body, so that a slow upload takes no worker. */
    status = passenger_request_body_prepare(r, &body);
    if (status == OK) {
        /* Step 2: to a worker, and the response back. */
        status = passenger_dispatch(r, mapping, &body);
        if (status != OK && !body.is_finished) {
            /* httpd would read the rest of the body before it sends the error. */
            r->connection->keepalive = AP_CONN_CLOSE;
        }
        passenger_request_body_close(&body);
    }
    /* Step 3: what has gone wrong becomes an answer. */
    return status != OK ? passenger_error_answer(r, status) : OK;
}

static int answer_shared_client(request_rec *r, const passenger_mapping *mapping)
{
    passenger_client_wait wait;
    passenger_client_wait_begin(&wait, r);
    int status = answer_request(r, mapping);
    passenger_client_wait_end(&wait);
    return status;
}

static int handle_request(request_rec *r)
{
    passenger_mapping *mapping = passenger_mapping_of(r);

    if (mapping == NULL || !mapping->is_mine || strcmp(r->handler, PASSENGER_HANDLER) != 0) {
        return DECLINED;
    }
    passenger_overflow_report_go_on(r);
    return passenger_client_is_shared(r) ? answer_shared_client(r, mapping) : answer_request(r, mapping);
}

static void begin_child(apr_pool_t *pool, server_rec *server)
{
    (void)server;
    passenger_detection_child_init(pool);
    passenger_registration_child_init(pool);
    passenger_overflow_report_child_init(pool);
    passenger_client_waits_child_init(pool);
}

void passenger_request_register_hooks(apr_pool_t *pool)
{
    static const char *const typing[] = {"mod_negotiation.c", "mod_mime.c", NULL};
    static const char *const speaking_http2[] = {"mod_http2.c", NULL};
    static const char *const rewriting[] = {"mod_rewrite.c", "mod_proxy.c", NULL};
    (void)pool;
    passenger_outlet_register();
    passenger_client_waits_register();
    ap_hook_child_init(begin_child, speaking_http2, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(passenger_mapping_remember, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_type_checker(passenger_mapping_decide, NULL, typing, APR_HOOK_FIRST);
    /* After those that replace a request, before mod_dir, which comes last of all. */
    ap_hook_fixups(passenger_mapping_take, rewriting, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handle_request, NULL, NULL, APR_HOOK_MIDDLE);
}
