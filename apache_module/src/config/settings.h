/* Directives: what httpd calls for each line of its configuration that names one of ours.
 *
 * Called by httpd only, while it reads its configuration (parent, single thread) or a .htaccess file (any worker thread:
 * only for the directives that may stand there, and then without any shared state). Values are checked here; each
 * function gives NULL or, in the pool of the configuration, what is wrong. httpd adds file and line.
 */
#ifndef PASSENGER_SETTINGS_H
#define PASSENGER_SETTINGS_H

#include <httpd.h>
#include <http_config.h>

#include "config/generated/options.h"

/* The setters that the generated command table names. The command's info is its passenger_option. */
const char *passenger_set_flag(cmd_parms *command, void *dir_options, int on);
const char *passenger_set_value(cmd_parms *command, void *dir_options, const char *value);
const char *passenger_add_value(cmd_parms *command, void *dir_options, const char *value);
const char *passenger_set_setting(cmd_parms *command, void *dir_options, const char *name, const char *value);
const char *passenger_ignore(cmd_parms *command, void *dir_options, const char *rest_of_line);

/* pre_config: forgets what an earlier configuration set. All that is set lives in `configuration_pool`. */
void passenger_settings_begin(apr_pool_t *configuration_pool);

/* The server-wide options being read, or read last. Never NULL after passenger_settings_begin. */
passenger_server_options *passenger_settings_server(void);

/* When all has been read: fills in the defaults that are found at run time and checks what concerns several options.
 * NULL, or what is wrong, in `pool`. */
const char *passenger_settings_complete(apr_pool_t *pool);

/* Logs, once each, what was noticed while reading: directives without effect, server-wide ones inside <VirtualHost>. */
void passenger_settings_warn(server_rec *server);

#endif
