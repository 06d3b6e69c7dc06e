/* mod_passenger.c: the module's record and all its hooks: the one file that knows every folder. */
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>
#include <http_log.h>
#include <http_request.h>
#include <mpm_common.h>

#include "config/configuration.h"
#include "config/settings.h"
#include "core/idle_connections.h"
#include "output/client_waits.h"
#include "output/output_filter.h"
#include "parent/spawner_process.h"
#include "request/app_detection.h"
#include "request/handler.h"
#include "request/mapping.h"
#include "request/overflow_report.h"
#include "request/registration.h"

#if !AP_MODULE_MAGIC_AT_LEAST(20120211, 110)   /* the hook child_stopping */
#error "Jumpseat needs Apache httpd 2.4.49 or newer; these headers are of an older one"
#endif

APLOG_USE_MODULE(passenger);

/* 1. The configuration, in httpd's parent. */

static void *create_dir_config(apr_pool_t *pool, char *directory)
{
    passenger_dir_config *config = apr_pcalloc(pool, sizeof *config);

    (void)directory;
    config->options = passenger_dir_options_create(pool);
    return config;
}

static void *merge_dir_config(apr_pool_t *pool, void *outer_config, void *inner_config)
{
    const passenger_dir_config *outer = outer_config;
    const passenger_dir_config *inner = inner_config;
    passenger_dir_config *merged = apr_palloc(pool, sizeof *merged);

    merged->options = passenger_dir_options_merge(pool, outer->options, inner->options);
    merged->environment = passenger_app_environment_merge(pool, &outer->environment, &inner->environment);
    merged->htaccess = passenger_htaccess_merge(pool, outer->htaccess, inner->htaccess);
    return merged;
}

static int begin_configuration(apr_pool_t *configuration, apr_pool_t *logs, apr_pool_t *temporary)
{
    (void)logs;
    (void)temporary;
    passenger_settings_begin(configuration);
    return OK;
}

static int check_configuration(apr_pool_t *configuration, apr_pool_t *logs, apr_pool_t *temporary, server_rec *server)
{
    const char *wrong = passenger_settings_complete(configuration);

    (void)logs;
    (void)temporary;
    if (wrong != NULL) {
        ap_log_error(APLOG_MARK, APLOG_STARTUP | APLOG_ERR, 0, server, PSGLOGNO(1000) "%s", wrong);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

/* httpd -t: starts nothing, but shows the warnings. */
static void test_configuration(apr_pool_t *configuration, server_rec *server)
{
    (void)configuration;
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        passenger_settings_warn(server);
    }
}

/* 2. The spawner, in httpd's parent. */

/* httpd reads its configuration twice when it starts: only the second time counts. */
static int use_configuration(apr_pool_t *configuration, apr_pool_t *logs, apr_pool_t *temporary, server_rec *server)
{
    (void)configuration;
    (void)logs;
    (void)temporary;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG
        || ap_state_query(AP_SQ_RUN_MODE) != AP_SQ_RM_NORMAL) {
        return OK;
    }
    passenger_settings_warn(server);
    return passenger_spawner_configure(server) == APR_SUCCESS ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

static int monitor_spawner(apr_pool_t *pool, server_rec *server)
{
    (void)pool;
    passenger_spawner_monitor(server);
    return OK;
}

/* 3. Requests, in httpd's children. */

static void check_lock(server_rec *server, apr_status_t rv, const char *owner)
{
    if (rv != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rv, server, PSGLOGNO(2206)
                     "cannot make the lock of %s: this process of httpd does without that", owner);
    }
}

static void begin_child(apr_pool_t *pool, server_rec *server)
{
    check_lock(server, passenger_detection_child_init(pool), "the cache of app folders");
    check_lock(server, passenger_registration_child_init(pool), "the cache of app sockets");
    check_lock(server, passenger_overflow_report_child_init(pool), "the counts of refused requests");
    passenger_client_waits_child_init(pool);
}

/* When the child begins to end, gracefully or not: requests may still be in progress. */
static void end_child(apr_pool_t *pool, int is_graceful)
{
    (void)pool;
    (void)is_graceful;
    passenger_idle_connections_stop();
}

static void register_request_hooks(void)
{
    static const char *const before_types[] = {"mod_negotiation.c", "mod_mime.c", NULL};
    static const char *const after_rewriting[] = {"mod_rewrite.c", "mod_proxy.c", NULL};

    passenger_output_register();
    passenger_client_waits_register();
    ap_hook_child_init(begin_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(end_child, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_translate_name(passenger_mapping_save_uri, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_perdir_config(passenger_mapping_check_htaccess, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_type_checker(passenger_mapping_decide, NULL, before_types, APR_HOOK_FIRST);
    /* After those that replace a request, before mod_dir, which comes last of all. */
    ap_hook_fixups(passenger_mapping_set_handler, after_rewriting, NULL, APR_HOOK_FIRST);
    ap_hook_handler(passenger_handle_request, NULL, NULL, APR_HOOK_MIDDLE);
}

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_pre_config(begin_configuration, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_configuration, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_test_config(test_configuration, NULL, NULL, APR_HOOK_MIDDLE);
    /* When the banner is complete and the daemons of other modules have been forked. */
    ap_hook_post_config(use_configuration, NULL, NULL, APR_HOOK_REALLY_LAST);
    ap_hook_monitor(monitor_spawner, NULL, NULL, APR_HOOK_MIDDLE);
    register_request_hooks();
}

module AP_MODULE_DECLARE_DATA passenger_module = {
    STANDARD20_MODULE_STUFF,
    create_dir_config,
    merge_dir_config,
    NULL,
    NULL,
    passenger_commands,
    register_hooks,
    AP_MODULE_FLAG_NONE
};
