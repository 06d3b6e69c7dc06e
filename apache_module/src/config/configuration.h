/* configuration.h: what is configured, for the code that uses it, and what every file that logs needs.
 *
 * Whatever these functions return belongs to the configuration (passenger_options_of: possibly to the request): nobody
 * may change it or keep it longer. Nothing here blocks; any thread of an httpd child may call it, and httpd's parent.
 */
#ifndef JUMPSEAT_CONFIGURATION_H
#define JUMPSEAT_CONFIGURATION_H

#include <httpd.h>
#include <http_config.h>

#include "config/app_environment.h"
#include "config/generated/options.h"

extern module AP_MODULE_DECLARE_DATA passenger_module;

/* The number of a log line. Each line from debug up has its own, so that it can be searched for and looked up
 * (docs/log-messages.md). 1000 to 1999: configuration and the spawner's process. 2000 to 2999: requests. */
#define PSGLOGNO(n) "JS" #n ": "

/* The options in force for the request, as far as they are merged: before httpd has walked the locations, without those
 * of <Location>. Read them through passenger_dir_*() of options.h. Never NULL. */
const passenger_dir_options *passenger_options_of(const request_rec *request);

/* What SetEnv, PassEnv and UnsetEnv give the app of the request; NULL when that is nothing. */
const apr_table_t *passenger_app_environment_of(const request_rec *request);

/* What .htaccess files say of the app of the request; NULL when that is nothing. */
const passenger_htaccess *passenger_htaccess_of(const request_rec *request);

/* The options of the whole server; read them through passenger_server_*(). The folders whose default is found at run
 * time (data_buffer_dir, instance_registry_dir) are filled in. Never NULL once a configuration has been read. */
const passenger_server_options *passenger_server_wide_options(void);

/* For settings.c, which reads the configuration: what the function above returns from now on. */
void passenger_configuration_set_server(const passenger_server_options *options);

/* The name of the server's ErrorLog as the spawner knows it (`error_log` of a register message): as configured, or
 * empty for the main server's log and for a server without a log of its own. */
const char *passenger_error_log_name(const server_rec *server);

/* Identifies a virtual host from one configuration to the next: 32 hex digits, made of its name, its address, its
 * DocumentRoot and what is said of apps at its level. The spawner ends apps that are no longer configured. It learns
 * which those are from the requests that come and, for apps that nobody asks for, from whether their virtual host is
 * still there. Allocated in `pool`. Not before the configuration has been read. */
const char *passenger_vhost_id(const server_rec *server, apr_pool_t *pool);

#endif
