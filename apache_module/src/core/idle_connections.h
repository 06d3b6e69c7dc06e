/* idle_connections.h: connections to backends that wait for another request (capability `keep-alive`).
 *
 * One store for the process, an httpd child. Any thread may call; nothing blocks but for a lock that is held for a
 * moment. A thread of this file closes what has waited too long, or what the backend has closed: it begins with the
 * first connection. Knows no httpd and nothing of requests.
 */
#ifndef JUMPSEAT_IDLE_CONNECTIONS_H
#define JUMPSEAT_IDLE_CONNECTIONS_H

#include "core/backend.h"
#include "core/worker_load.h"

enum {
    PASSENGER_IDLE_LIMIT = 256,            /* most connections that wait; then the oldest one makes room */
    PASSENGER_IDLE_MILLISECONDS = 1000     /* the longest that one waits: less than servers of HTTP usually do */
};

/* Which connection a request has taken. All zero: a new one. */
typedef struct passenger_kept_connection {
    int is_kept;
    int worker_is_busy;             /* the request is expected to wait for a moment */
    int slot;                       /* of the worker, if `load` is set */
    passenger_worker_load *load;    /* knows of the request until passenger_idle_connections_done(); the caller's */
} passenger_kept_connection;

/* Takes the connection of `backend`, which led to the socket at `path`, and on which nothing is expected any more. It is
 * closed instead where it cannot be kept. The backend is not connected afterwards. `slot`: of the worker, or
 * PASSENGER_NO_WORKER. */
void passenger_idle_connections_put(const char *path, int slot, passenger_backend *backend);

/* Connects `backend`, which is not connected, by a connection to `path` that is still good: the newest. With `load`, it is
 * the newest one to a free worker; if no worker is free, one to the worker that will soonest be. Returns 0 when there is
 * none, or none whose worker will be free within PASSENGER_LONGEST_WAIT. The backend may close it at any moment.
 * `*taken` is to be given to passenger_idle_connections_done() in both cases. */
int passenger_idle_connections_take(const char *path, passenger_worker_load *load, passenger_backend *backend,
                                    passenger_kept_connection *taken);

/* The worker is done with the request that has taken a connection, or will not get it. May be called again. `taken` says
 * all but `load` after it. */
void passenger_idle_connections_done(passenger_kept_connection *taken);

/* The process ends: closes all, and keeps none from now on. */
void passenger_idle_connections_stop(void);

/* How many wait. For tests and figures. */
int passenger_idle_connections_count(void);

#endif
