/* registration.h: where the socket of an app group is, and what its loader can do. The child asks the spawner once and
 * then caches the answer.
 *
 * One cache per httpd child, shared by its threads behind a lock; it lives as long as the child.
 */
#ifndef JUMPSEAT_REGISTRATION_H
#define JUMPSEAT_REGISTRATION_H

#include <httpd.h>

#include "config/htaccess.h"
#include "core/group_cache.h"
#include "request/mapping.h"

enum { PASSENGER_REGISTRATION_SECONDS = 10 };   /* most that one question to the spawner takes */

/* Where a request of this mapping is to go. Everything lives in the request's pool. */
typedef struct passenger_group {
    const char *key;                   /* the spawner's name for the group */
    const char *cache_key;             /* with virtual host and environment: what one registration is for */
    const passenger_htaccess *htaccess;   /* what .htaccess files say of the app; NULL: nothing that needed permission */
    passenger_group_address address;   /* set by passenger_group_find() */
} passenger_group;

/* Hook child_init: makes the cache. Returns why it has no lock: it is not used then. */
apr_status_t passenger_registration_child_init(apr_pool_t *child_pool);

/* Fills `group` from the cache or by asking the spawner, which may block: up to PASSENGER_REGISTRATION_SECONDS while
 * the spawner is being restarted. Returns OK or an HTTP status, logged. Any thread of a child. */
int passenger_group_find(request_rec *r, const passenger_mapping *mapping, passenger_group *group);

/* The address did not work: the next passenger_group_find() asks again. Any thread of a child. */
void passenger_group_forget(const passenger_group *group);

#endif
