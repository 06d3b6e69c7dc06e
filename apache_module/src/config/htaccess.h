/* htaccess.h: what .htaccess files say of the app of a request.
 *
 * Whoever may write a .htaccess is not the administrator. So each of its lines that concerns an app is remembered with
 * the name of its file: the directives that need PassengerAllowHtaccess, and beside them the variables of mod_env. Where
 * that is off, a request with such a directive fails. Where it is on, the spawner is told the names of the files; it
 * checks whose they are before it does what they say (docs/decisions/027-htaccess.md).
 * Without such a line nothing is allocated and nothing is done. Nothing here blocks. Any thread of an httpd child.
 */
#ifndef JUMPSEAT_HTACCESS_H
#define JUMPSEAT_HTACCESS_H

#include <stdint.h>

#include <httpd.h>
#include <http_config.h>

#include "core/message.h"

/* One line, and what was said before it. In the pool of the request; nobody changes it once it has been read. */
typedef struct passenger_htaccess {
    const struct passenger_htaccess *before;  /* earlier lines, then those of outer folders; NULL: this is the first */
    const char *file;                         /* as httpd opened it; absolute */
    int line;
    const char *directive;                    /* or the name of the variable */
    const char *value;
    int needs_permission;                     /* that of PassengerAllowHtaccess */
    apr_time_t read_at;                       /* by the monotonic clock */
} passenger_htaccess;

/* Whether the line that is being read stands in a .htaccess file. */
int passenger_is_in_htaccess(const cmd_parms *command);

/* Remembers the line that is being read, which stands in a .htaccess: `*said` becomes the newest. Returns NULL or what
 * is wrong with it, as a setter does. */
const char *passenger_htaccess_add(cmd_parms *command, const passenger_htaccess **said, const char *directive,
                                   const char *value, int needs_permission);

/* All lines of `outer` and then those of `inner`, a scope within it. Allocates only if there are both. */
const passenger_htaccess *passenger_htaccess_merge(apr_pool_t *pool, const passenger_htaccess *outer,
                                                   const passenger_htaccess *inner);

/* The newest line that needs permission, or NULL. */
const passenger_htaccess *passenger_htaccess_choice(const passenger_htaccess *said);

/* A digest of every line with its file, as passenger_digest() of group_cache.h makes it. */
uint64_t passenger_htaccess_digest(const passenger_htaccess *said);

/* Adds the names of the files, and when the last line was read. */
void passenger_htaccess_to_wire(const passenger_htaccess *said, passenger_message *message);

#endif
