#include "config/site.h"

#include <http_core.h>
#include <util_md5.h>
#include <apr_strings.h>

#include "config/configuration.h"

static const char *or_empty(const char *text)
{
    return text != NULL ? text : "";
}

const char *passenger_site_of(const server_rec *server, apr_pool_t *pool)
{
    const core_server_config *core = ap_get_core_module_config(server->module_config);
    const passenger_dir_options *options = ap_get_module_config(server->lookup_defaults, &passenger_module);
    const char *facts = apr_psprintf(pool, "%s\n%s\n%s\n%d\n%s\n%s",
                                     or_empty(server->server_hostname),
                                     or_empty(server->addrs != NULL ? server->addrs->virthost : NULL),
                                     or_empty(core->ap_document_root),
                                     passenger_dir_enabled(options),
                                     or_empty(passenger_dir_app_root(options)),
                                     or_empty(passenger_dir_app_group_name(options)));

    return ap_md5(pool, (const unsigned char *)facts);
}
