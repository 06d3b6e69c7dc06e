#include "config/configuration.h"

#include <string.h>

#include <apr_strings.h>
#include <http_core.h>
#include <http_main.h>
#include <util_md5.h>

static const passenger_server_options *server_options;

const passenger_dir_options *passenger_options_of(const request_rec *request)
{
    const passenger_dir_config *config = ap_get_module_config(request->per_dir_config, &passenger_module);

    return config->options;
}

const apr_table_t *passenger_app_environment_of(const request_rec *request)
{
    const passenger_dir_config *config = ap_get_module_config(request->per_dir_config, &passenger_module);

    return config->environment.set;
}

const passenger_htaccess *passenger_htaccess_of(const request_rec *request)
{
    const passenger_dir_config *config = ap_get_module_config(request->per_dir_config, &passenger_module);

    return config->htaccess;
}

void passenger_configuration_set_server(const passenger_server_options *options)
{
    server_options = options;
}

const passenger_server_options *passenger_server_wide_options(void)
{
    return server_options;
}

const char *passenger_error_log_name(const server_rec *server)
{
    const char *main_name = ap_server_conf->error_fname;

    if (server->error_fname == NULL || (main_name != NULL && strcmp(server->error_fname, main_name) == 0)) {
        return "";
    }
    return server->error_fname;
}

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

const char *passenger_vhost_id(const server_rec *server, apr_pool_t *pool)
{
    const core_server_config *core = ap_get_core_module_config(server->module_config);
    const passenger_dir_config *config = ap_get_module_config(server->lookup_defaults, &passenger_module);
    const passenger_dir_options *options = config->options;
    const char *facts = apr_psprintf(pool, "%s\n%s\n%s\n%d\n%s\n%s",
                                     or_empty(server->server_hostname),
                                     or_empty(server->addrs != NULL ? server->addrs->virthost : NULL),
                                     or_empty(core->ap_document_root),
                                     passenger_dir_enabled(options),
                                     or_empty(passenger_dir_app_root(options)),
                                     or_empty(passenger_dir_app_group_name(options)));

    return ap_md5(pool, (const unsigned char *)facts);
}
