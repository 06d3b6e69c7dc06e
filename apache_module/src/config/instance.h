/* instance.h: this httpd as its spawner and its children know it: a folder, a socket, a secret.
 *
 * The only place that makes these names. They hold for the life of this httpd and lie in static storage, which outlasts
 * every restart (the shared object is never unloaded); a child of httpd has its copy, from the time of its fork.
 * Nothing blocks, except that the creation looks at the registry folder.
 */
#ifndef JUMPSEAT_INSTANCE_H
#define JUMPSEAT_INSTANCE_H

#include <stdint.h>

#include <apr_errno.h>

typedef struct passenger_instance {
    const char *directory;      /* <PassengerInstanceRegistryDir>/httpd-<pid of httpd's parent>, and in a shared
                                   folder -<8 hex digits> */
    const char *spawner_socket; /* <directory>/spawner.sock; fits sun_path */
    const char *token;          /* 64 hex digits; never to be logged or sent to an app */
    uint64_t epoch;             /* the number of the configuration that is in force here, from 1 */
} passenger_instance;

/* The instance; NULL while there is none (httpd -t, or the first spawner could not be prepared). Any process and
 * thread. */
const passenger_instance *passenger_instance_get(void);

/* Makes the instance, whose epoch is 0. Once, in httpd's parent, when the configuration has been read. */
apr_status_t passenger_instance_create(void);

/* Counts the configuration that has just been read. In httpd's parent. */
void passenger_instance_begin_epoch(void);

/* Whether the configuration that has just been read would give the instance another folder. In httpd's parent. */
int passenger_instance_would_move(void);

#endif
