#include "config/configuration.h"

#include <string.h>

#include <http_main.h>

#include "config/settings.h"
#include "parent/spawner_process.h"

const passenger_dir_options *passenger_options_of(const request_rec *request)
{
    return ap_get_module_config(request->per_dir_config, &passenger_module);
}

const passenger_server_options *passenger_server_wide_options(void)
{
    return passenger_settings_server();
}

const passenger_instance *passenger_instance_facts(void)
{
    return passenger_spawner_instance();
}

const char *passenger_error_log_name(const server_rec *server)
{
    const char *main_name = ap_server_conf->error_fname;

    if (server->error_fname == NULL || (main_name != NULL && strcmp(server->error_fname, main_name) == 0)) {
        return "";
    }
    return server->error_fname;
}
