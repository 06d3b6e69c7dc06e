/* registration.h: where the socket of an app group is, asked of the spawner once and then remembered by the child.
 *
 * Also finds out which variables SetEnv and PassEnv give, because those go into the environment of the app's processes.
 */
#ifndef JUMPSEAT_REGISTRATION_H
#define JUMPSEAT_REGISTRATION_H

#include <httpd.h>

#include "core/group_cache.h"
#include "request/mapping.h"

/* Where a request of this mapping is to go. Everything lives in the request's pool. */
typedef struct passenger_group {
    const char *key;                   /* the spawner's name for the group */
    const char *cache_key;             /* with server and environment: what one registration stands for */
    passenger_group_address address;   /* set by passenger_group_find() */
} passenger_group;

/* Hook child_init: makes the child's memory of groups. */
void passenger_registration_child_init(apr_pool_t *child_pool);

/* Fills `group` from memory or by asking the spawner, which may block: up to PASSENGER_REGISTRATION_SECONDS while the
 * spawner is being restarted. Returns OK or an HTTP status, logged. Any thread. */
int passenger_group_find(request_rec *r, const passenger_mapping *mapping, passenger_group *group);

/* The address did not work: the next find asks again. */
void passenger_group_forget(const passenger_group *group);

enum { PASSENGER_REGISTRATION_SECONDS = 10 };

#endif
