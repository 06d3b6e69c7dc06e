#include "config/htaccess.h"

#include <string.h>

#include <apr_strings.h>

#include <http_core.h>

#include "core/deadlines.h"
#include "core/group_cache.h"

int passenger_is_in_htaccess(const cmd_parms *command)
{
    return ap_check_cmd_context((cmd_parms *)command, NOT_IN_HTACCESS) != NULL;
}

const char *passenger_htaccess_add(cmd_parms *command, const passenger_htaccess **said, const char *directive,
                                   const char *value, int needs_permission)
{
    const ap_configfile_t *file = command->config_file;
    passenger_htaccess *added;

    /* A module that makes .htaccess files up may give them any name: then nobody can say whose they are. */
    if (needs_permission && (file == NULL || file->name == NULL || file->name[0] != '/')) {
        return apr_pstrcat(command->pool, command->cmd->name, " must stand in a file", NULL);
    }
    added = apr_palloc(command->pool, sizeof *added);
    *added = (passenger_htaccess){
        .before = *said, .file = file != NULL && file->name != NULL ? file->name : "",
        .line = command->directive->line_num, .directive = directive, .value = value,
        .needs_permission = needs_permission, .read_at = passenger_monotonic_now()};
    *said = added;
    return NULL;
}

const passenger_htaccess *passenger_htaccess_merge(apr_pool_t *pool, const passenger_htaccess *outer,
                                                   const passenger_htaccess *inner)
{
    const passenger_htaccess *merged = outer;
    const passenger_htaccess **end = &merged;

    if (outer == NULL || inner == NULL) {
        return outer == NULL ? inner : outer;
    }
    for (; inner != NULL; inner = inner->before) {
        passenger_htaccess *copy = apr_pmemdup(pool, inner, sizeof *inner);

        copy->before = outer;
        *end = copy;
        end = &copy->before;
    }
    return merged;
}

const passenger_htaccess *passenger_htaccess_choice(const passenger_htaccess *said)
{
    while (said != NULL && !said->needs_permission) {
        said = said->before;
    }
    return said;
}

uint64_t passenger_htaccess_digest(const passenger_htaccess *said)
{
    uint64_t digest = PASSENGER_DIGEST_START;

    for (; said != NULL; said = said->before) {
        digest = passenger_digest(digest, said->file);
        digest = passenger_digest(passenger_digest(digest, said->directive), said->value);
    }
    return digest;
}

void passenger_htaccess_to_wire(const passenger_htaccess *said, passenger_message *message)
{
    const char *last = "";

    passenger_message_add_number(message, "htaccess_read_at", said->read_at);
    for (; said != NULL; said = said->before) {
        /* The lines of one file follow each other. */
        if (strcmp(said->file, last) != 0) {
            passenger_message_add(message, "htaccess", said->file);
            last = said->file;
        }
    }
}
