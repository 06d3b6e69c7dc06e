#include "config/app_environment.h"

#include <stdlib.h>

#include <apr_strings.h>

/* The table in `*field` to add to; made when it is first needed. Only while its scope is being read. */
static apr_table_t *table_of(apr_pool_t *pool, const apr_table_t **field)
{
    if (*field == NULL) {
        *field = apr_table_make(pool, 4);
    }
    return (apr_table_t *)*field;
}

/* Whether mod_env has the directive, too. Without it nobody has, as far as the administrator knows. */
static const char *check_mod_env(const cmd_parms *command)
{
    return ap_find_linked_module("mod_env.c") != NULL
               ? NULL : apr_pstrcat(command->pool, command->cmd->name, " needs mod_env, which is not loaded", NULL);
}

/* Remembers a variable of a .htaccess file, and checks that mod_env is there. */
static const char *note_variable(cmd_parms *command, passenger_dir_config *config, const char *name, const char *value)
{
    if (passenger_is_in_htaccess(command)) {
        passenger_htaccess_add(command, &config->htaccess, name, value, 0);
    }
    return check_mod_env(command);
}

const char *passenger_setenv(cmd_parms *command, void *dir_config, const char *name, const char *value)
{
    passenger_dir_config *config = dir_config;

    apr_table_setn(table_of(command->pool, &config->environment.set), name, value != NULL ? value : "");
    return note_variable(command, config, name, value != NULL ? value : "");
}

const char *passenger_passenv(cmd_parms *command, void *dir_config, const char *name)
{
    passenger_dir_config *config = dir_config;
    const char *value = getenv(name);

    if (value != NULL) {
        apr_table_setn(table_of(command->pool, &config->environment.set), name, apr_pstrdup(command->pool, value));
    }
    return note_variable(command, config, name, value != NULL ? value : "");
}

const char *passenger_unsetenv(cmd_parms *command, void *dir_config, const char *name)
{
    passenger_dir_config *config = dir_config;

    apr_table_unset(table_of(command->pool, &config->environment.set), name);
    apr_table_setn(table_of(command->pool, &config->environment.unset), name, "");
    return note_variable(command, config, name, "");
}

static int set_in(void *table, const char *name, const char *value)
{
    apr_table_setn(table, name, value);
    return 1;
}

static int unset_in(void *table, const char *name, const char *unused)
{
    (void)unused;
    apr_table_unset(table, name);
    return 1;
}

/* What is in `under` or in `over`; the values of `over` win. */
static const apr_table_t *united(apr_pool_t *pool, const apr_table_t *under, const apr_table_t *over)
{
    apr_table_t *both;

    if (under == NULL || over == NULL) {
        return under == NULL ? over : under;
    }
    both = apr_table_copy(pool, under);
    apr_table_do(set_in, both, over, NULL);
    return both;
}

passenger_app_environment passenger_app_environment_merge(apr_pool_t *pool, const passenger_app_environment *outer,
                                                          const passenger_app_environment *inner)
{
    const apr_table_t *inherited = outer->set;

    if (inherited != NULL && inner->unset != NULL) {
        apr_table_t *left = apr_table_copy(pool, inherited);

        apr_table_do(unset_in, left, inner->unset, NULL);
        inherited = left;
    }
    return (passenger_app_environment){.set = united(pool, inherited, inner->set),
                                       .unset = united(pool, outer->unset, inner->unset)};
}
