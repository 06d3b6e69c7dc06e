/* What is configured, for the code that handles requests.
 *
 * Everything given out belongs to the configuration (or, for passenger_options_of, possibly to the request) and is not
 * to be changed or kept beyond it. Nothing here blocks or allocates; any thread of an httpd child may call it.
 */
#ifndef PASSENGER_CONFIGURATION_H
#define PASSENGER_CONFIGURATION_H

#include <httpd.h>
#include <http_config.h>

#include "config/generated/options.h"

extern module AP_MODULE_DECLARE_DATA passenger_module;

/* The options in force for the request, as merged so far: before the location walk without those of <Location>. Read them
 * through passenger_dir_*() of options.h. Never NULL. */
const passenger_dir_options *passenger_options_of(const request_rec *request);

/* The options of the whole server; read them through passenger_server_*(). The folders that are found at run time
 * (data_buffer_dir, instance_registry_dir) are filled in. Never NULL in a child. */
const passenger_server_options *passenger_server_wide_options(void);

/* The name of the server's ErrorLog as the spawner knows it (`error_log` of a register message): as configured, or empty
 * for the main server's log and for a server without a log of its own. */
const char *passenger_error_log_name(const server_rec *server);

/* Identifies a virtual host from one configuration to the next: 32 hex digits, made of its name, its address, its
 * DocumentRoot and what is said of apps at its level. The spawner ends apps that are configured no more: it learns which
 * those are from the requests that come and, for apps that nobody asks for, from whether their virtual host is still there.
 * In `pool`; once the configuration has been read; in httpd's parent or a child. */
const char *passenger_vhost_id(const server_rec *server, apr_pool_t *pool);

#endif
