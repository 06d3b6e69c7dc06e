#include "config/settings.h"

#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <apr_strings.h>

#include <http_core.h>
#include <http_log.h>

#include "config/configuration.h"
#include "config/value_check.h"
#include "core/generated/constants.h"

APLOG_USE_MODULE(passenger);

/* The longest name below the registry: pids have at most seven digits on Linux; the longest socket is a worker's
 * own. */
#define LONGEST_SOCKET "/httpd-4194304/apps/0123456789abcdef.0123456789abcdef.sock"

/* Of the configuration that is being read, or was read last; in its pool. Written in httpd's parent only. */
static struct {
    passenger_server_options *server;
    apr_array_header_t *warnings;       /* of const char * */
    apr_table_t *ignored;               /* the names that have been warned of */
} settings;

void passenger_settings_begin(apr_pool_t *configuration_pool)
{
    settings.server = passenger_server_options_create(configuration_pool);
    passenger_configuration_set_server(settings.server);
    settings.warnings = apr_array_make(configuration_pool, 4, sizeof(const char *));
    settings.ignored = apr_table_make(configuration_pool, 4);
}

static void warn_later(const cmd_parms *command, const char *name, const char *what)
{
    const ap_directive_t *at = command->directive;

    APR_ARRAY_PUSH(settings.warnings, const char *) =
        apr_psprintf(command->pool, "%s %s (%s:%d)", name, what, at->filename, at->line_num);
}

/* As warn_later, for the first time that the name comes up. */
static void warn_once(const cmd_parms *command, const char *name, const char *what)
{
    if (apr_table_get(settings.ignored, name) == NULL) {
        apr_table_setn(settings.ignored, name, "");
        warn_later(command, name, what);
    }
}

/* NULL when the directive may stand here, else why not. */
static const char *check_place(cmd_parms *command, const passenger_option *option)
{
    if (option->server_wide && command->server->is_virtual) {
        warn_later(command, command->cmd->name, "stands in a <VirtualHost> but holds for the whole server");
    }
    return ap_check_cmd_context(command, option->forbidden);
}

/* Remembers a line of a .htaccess that needs permission. Returns what is wrong with it, or NULL. */
static const char *note_line(cmd_parms *command, passenger_dir_config *config, const char *value)
{
    const passenger_option *option = command->info;

    if (!option->needs_allow_htaccess || !passenger_is_in_htaccess(command)) {
        return NULL;
    }
    return passenger_htaccess_add(command, &config->htaccess, command->cmd->name, value, 1);
}

/* Where the option's value is kept. */
static void *field_of(const passenger_option *option, void *dir_config)
{
    passenger_dir_config *config = dir_config;

    return (char *)(option->server_wide ? (void *)settings.server : config->options) + option->offset;
}

static const char *name_error(cmd_parms *command, const char *wrong)
{
    return wrong == NULL ? NULL : apr_pstrcat(command->pool, command->cmd->name, ": ", wrong, NULL);
}

const char *passenger_set_flag(cmd_parms *command, void *dir_config, int on)
{
    const passenger_option *option = command->info;
    const char *misplaced = check_place(command, option);

    if (misplaced == NULL) {
        *(int *)field_of(option, dir_config) = on;
    }
    return misplaced;
}

/* The sockets below the registry must fit into sun_path. */
static const char *check_registry(apr_pool_t *pool, const char *value, const char **result)
{
    const char *wrong = passenger_check_created_directory(pool, value, result);
    size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path) - sizeof LONGEST_SOCKET;

    if (wrong == NULL && strlen(*result) > room) {
        wrong = apr_psprintf(pool, "%s has %lu bytes; with more than %lu, the names of sockets below it would exceed "
                             "the system's limit", *result, (unsigned long)strlen(*result), (unsigned long)room);
    }
    return wrong;
}

static const char *check_group(apr_pool_t *pool, const passenger_option *option, const char *value,
                               const char **result)
{
    const char *choice_error = option->choices != NULL
                                   ? passenger_check_choice(pool, value, option->choices, result) : "no choices";

    return choice_error == NULL ? NULL : passenger_check_group(pool, value, result);
}

/* Checks a value that is kept as a string. */
static const char *check_string(apr_pool_t *pool, const passenger_option *option, const char *value,
                                const char **result)
{
    switch (option->kind) {
    case PASSENGER_CHOICE:
        return passenger_check_choice(pool, value, option->choices, result);
    case PASSENGER_TOKEN:
        return passenger_check_token(pool, value, result);
    case PASSENGER_TEXT:
    case PASSENGER_COOKIE_ATTRIBUTES:
        return passenger_check_text(pool, value, result);
    case PASSENGER_PATH_IN_APP:
        return passenger_check_path_in_app(pool, value, result);
    case PASSENGER_FILE_IN_APP:
        return passenger_check_file_in_app(pool, value, result);
    case PASSENGER_DIRECTORY:
        return passenger_check_directory(pool, value, result);
    case PASSENGER_CREATED_DIRECTORY:
        return check_registry(pool, value, result);
    case PASSENGER_READ_FILE:
        return passenger_check_read_file(pool, value, result);
    case PASSENGER_WRITTEN_FILE:
        return passenger_check_written_file(pool, value, result);
    case PASSENGER_INTERPRETER:
        return passenger_check_interpreter(pool, value, result);
    case PASSENGER_USER:
        return passenger_check_user(pool, value, result);
    case PASSENGER_GROUP:
        return check_group(pool, option, value, result);
    case PASSENGER_URI_SET:
        return passenger_check_base_uri(pool, value, result);
    case PASSENGER_URL_LIST:
        return passenger_check_url(pool, value, result);
    case PASSENGER_FLAG:
    case PASSENGER_INTEGER:
    case PASSENGER_SETTINGS:
        break;
    }
    return "has no text as its value";
}

/* As check_string, for a line of a .htaccess file, too. There no file is looked at: whoever writes a .htaccess would
 * learn what Apache's user sees, and Apache's user need not see what the app's user sees. The spawner finds out. */
static const char *check_line(cmd_parms *command, const passenger_option *option, const char *value,
                              const char **result)
{
    int names_file = option->kind == PASSENGER_DIRECTORY || option->kind == PASSENGER_WRITTEN_FILE
                     || (option->kind == PASSENGER_INTERPRETER && strchr(value, '/') != NULL);

    if (names_file && passenger_is_in_htaccess(command)) {
        return passenger_check_absolute_path(command->pool, value, result);
    }
    return check_string(command->pool, option, value, result);
}

const char *passenger_set_value(cmd_parms *command, void *dir_config, const char *value)
{
    const passenger_option *option = command->info;
    void *field = field_of(option, dir_config);
    const char *misplaced = check_place(command, option);
    const char *checked = NULL;
    const char *wrong;

    if (misplaced != NULL) {
        return misplaced;
    }
    if (option->kind == PASSENGER_INTEGER) {
        return name_error(command, passenger_check_integer(command->pool, value, option->minimum, option->maximum,
                                                           field));
    }
    wrong = check_line(command, option, value, &checked);
    if (wrong == NULL) {
        *(const char **)field = checked;
        return note_line(command, dir_config, checked);
    }
    return name_error(command, wrong);
}

const char *passenger_add_value(cmd_parms *command, void *dir_config, const char *value)
{
    const passenger_option *option = command->info;
    apr_array_header_t **list = field_of(option, dir_config);
    const char *misplaced = check_place(command, option);
    const char *checked = NULL;
    const char *wrong;

    if (misplaced != NULL) {
        return misplaced;
    }
    wrong = check_line(command, option, value, &checked);
    if (wrong != NULL) {
        return name_error(command, wrong);
    }
    if (*list == NULL) {
        *list = apr_array_make(command->pool, 2, sizeof(const char *));
    }
    if (*checked != '\0') {
        APR_ARRAY_PUSH(*list, const char *) = checked;
    }
    return note_line(command, dir_config, checked);
}

/* The name in messages of a setting; NULL when it has no effect. */
static const char *name_in_messages(const passenger_option *option, const char *name)
{
    const char *const *names = option->choices;

    while (names[0] != NULL && strcmp(names[0], name) != 0) {
        names += 2;
    }
    return names[0] != NULL ? names[1] : NULL;
}

const char *passenger_set_setting(cmd_parms *command, void *dir_config, const char *name, const char *value)
{
    const passenger_option *option = command->info;
    apr_table_t **values = field_of(option, dir_config);
    const char *misplaced = check_place(command, option);
    const char *known = name_in_messages(option, name);
    const char *checked, *wrong;

    if (misplaced != NULL) {
        return misplaced;
    }
    wrong = passenger_check_text(command->pool, value, &checked);
    if (wrong != NULL) {
        return name_error(command, wrong);
    }
    if (known == NULL) {
        warn_once(command, apr_pstrcat(command->pool, command->cmd->name, " ", name, NULL), "has no effect");
        return NULL;
    }
    if (*values == NULL) {
        *values = apr_table_make(command->pool, 4);
    }
    apr_table_set(*values, known, checked);
    return NULL;
}

const char *passenger_ignore(cmd_parms *command, void *dir_config, const char *rest_of_line)
{
    (void)dir_config;
    (void)rest_of_line;
    /* A .htaccess file is read in a child, per request: there is nothing to be said about it at start. */
    if (!passenger_is_in_htaccess(command)) {
        warn_once(command, command->cmd->name, "has no effect");
    }
    return NULL;
}

static int is_directory(apr_pool_t *pool, const char *path)
{
    const char *unused;

    return path != NULL && passenger_check_directory(pool, path, &unused) == NULL;
}

const char *passenger_settings_complete(apr_pool_t *pool)
{
    passenger_server_options *server = settings.server;
    const char *temporary = getenv("TMPDIR");
    const char *name, *wrong;

    if (server->data_buffer_dir == NULL) {
        server->data_buffer_dir = is_directory(pool, temporary) ? apr_pstrdup(pool, temporary) : "/tmp";
    }
    if (server->instance_registry_dir == NULL) {
        server->instance_registry_dir = geteuid() == 0 ? PASSENGER_REGISTRY_OF_ROOT
                                                       : apr_psprintf(pool, PASSENGER_REGISTRY_OF_USER, geteuid());
    }
    if (server->spawner_config_file == NULL && access(PASSENGER_SPAWNER_CONFIGURATION, F_OK) == 0) {
        server->spawner_config_file = PASSENGER_SPAWNER_CONFIGURATION;
    }
    if (server->default_user == NULL && geteuid() == 0) {
        wrong = passenger_check_user(pool, passenger_server_default_user(server), &name);
        return wrong == NULL ? NULL : apr_pstrcat(pool, "PassengerDefaultUser is not set, and of its default: ", wrong,
                                                  NULL);
    }
    return NULL;
}

void passenger_settings_warn(server_rec *server)
{
    for (int i = 0; i < settings.warnings->nelts; i++) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server, PSGLOGNO(1001) "%s",
                     APR_ARRAY_IDX(settings.warnings, i, const char *));
    }
}
