/* app_environment.h: the variables that SetEnv, PassEnv and UnsetEnv of mod_env give an app: they go into the
 * environment of its processes (docs/protocol.md, section 4, `env:NAME`).
 *
 * Several modules of httpd may handle one directive. mod_env sets r->subprocess_env, where variables of other modules
 * and of each request are too; here the three directives alone are remembered, by scope, as mod_env merges them.
 * Called as settings.h says. Nothing blocks.
 */
#ifndef JUMPSEAT_APP_ENVIRONMENT_H
#define JUMPSEAT_APP_ENVIRONMENT_H

#include <httpd.h>
#include <http_config.h>
#include <apr_tables.h>

#include "config/generated/options.h"
#include "config/htaccess.h"

/* Of one scope. Its tables belong to the configuration and are not to be changed once it has been read. */
typedef struct passenger_app_environment {
    const apr_table_t *set;       /* name -> value; NULL: nothing */
    const apr_table_t *unset;     /* names that outer scopes give and this one does not; NULL: none */
} passenger_app_environment;

/* The module's configuration of a server, directory or location. */
typedef struct passenger_dir_config {
    passenger_dir_options *options;          /* Invariant: not NULL */
    passenger_app_environment environment;
    const passenger_htaccess *htaccess;      /* what .htaccess files say of the app; NULL: nothing */
} passenger_dir_config;

/* What holds in `inner`, a scope within `outer`; its tables may be theirs. */
passenger_app_environment passenger_app_environment_merge(apr_pool_t *pool, const passenger_app_environment *outer,
                                                          const passenger_app_environment *inner);

/* The setters of the three directives, beside those of mod_env, without which the directives are refused. The command's
 * module configuration is a passenger_dir_config. */
const char *passenger_setenv(cmd_parms *command, void *dir_config, const char *name, const char *value);
const char *passenger_passenv(cmd_parms *command, void *dir_config, const char *name);
const char *passenger_unsetenv(cmd_parms *command, void *dir_config, const char *name);

/* Their rows in the module's command table: arguments and places as in mod_env. */
#define PASSENGER_APP_ENVIRONMENT_COMMANDS \
    AP_INIT_TAKE12("SetEnv", passenger_setenv, NULL, OR_FILEINFO, \
        "With mod_env: the app's processes get the variable in their environment, too."), \
    AP_INIT_ITERATE("PassEnv", passenger_passenv, NULL, OR_FILEINFO, \
        "With mod_env: the app's processes get the variables of httpd in their environment, too."), \
    AP_INIT_ITERATE("UnsetEnv", passenger_unsetenv, NULL, OR_FILEINFO, \
        "With mod_env: the app's processes do not get the variables in their environment.")

#endif
