/* settings.h: the setters of the directives: httpd calls one for each line of its configuration that names one of ours.
 *
 * Called by httpd only, while it reads its configuration (parent, single thread) or a .htaccess file (any worker
 * thread: only for the directives that may stand there, and then without any shared state). Values are checked here;
 * each function returns NULL or, in the pool of the configuration, what is wrong with the line; httpd adds file and
 * line. Checks of paths and users may block as file systems and name services do.
 */
#ifndef JUMPSEAT_SETTINGS_H
#define JUMPSEAT_SETTINGS_H

#include <httpd.h>
#include <http_config.h>

#include "config/generated/options.h"

/* The module's directives, ended by an empty one: generated/commands.c. */
extern const command_rec passenger_commands[];

/* The setters that these name. The command's info is its passenger_option; its
 * module configuration is a passenger_dir_config (app_environment.h). */
const char *passenger_set_flag(cmd_parms *command, void *dir_config, int on);
const char *passenger_set_value(cmd_parms *command, void *dir_config, const char *value);
const char *passenger_add_value(cmd_parms *command, void *dir_config, const char *value);
const char *passenger_set_setting(cmd_parms *command, void *dir_config, const char *name, const char *value);
const char *passenger_ignore(cmd_parms *command, void *dir_config, const char *rest_of_line);

/* Hook pre_config: begins with nothing set. All that is set lives in `configuration_pool`. */
void passenger_settings_begin(apr_pool_t *configuration_pool);

/* Hook check_config, when all lines have been read: fills in the defaults that are found at run time, and checks what
 * concerns several options. Returns NULL or, in `pool`, what is wrong. */
const char *passenger_settings_complete(apr_pool_t *pool);

/* Logs, once each, what was noticed while the lines were read: directives without effect, server-wide ones inside
 * <VirtualHost>. */
void passenger_settings_warn(server_rec *server);

#endif
