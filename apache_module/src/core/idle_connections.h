/* idle_connections.h: connections to backends that wait for another request (capability `keep-alive`).
 *
 * One store for the process, an httpd child. Any thread may call; nothing blocks but for a lock that is held for a
 * moment. A thread of this file closes what has waited too long, or what the backend has closed: it begins with the
 * first connection. Knows no httpd and nothing of requests.
 */
#ifndef JUMPSEAT_IDLE_CONNECTIONS_H
#define JUMPSEAT_IDLE_CONNECTIONS_H

#include "core/backend.h"

enum {
    PASSENGER_IDLE_LIMIT = 64,             /* most connections that wait; then the oldest one makes room */
    PASSENGER_IDLE_MILLISECONDS = 1000     /* the longest that one waits: less than servers of HTTP usually do */
};

/* Takes the connection of `backend`, which led to the socket at `path`, and on which nothing is expected any more. It is
 * closed instead where it cannot be kept. The backend is not connected afterwards. */
void passenger_idle_connections_put(const char *path, passenger_backend *backend);

/* Connects `backend`, which is not connected, by the newest connection to `path` that is still good. Returns 0 when
 * there is none. The backend may close it at any moment. */
int passenger_idle_connections_take(const char *path, passenger_backend *backend);

/* The process ends: closes all, and keeps none from now on. */
void passenger_idle_connections_stop(void);

/* How many wait. For tests and figures. */
int passenger_idle_connections_count(void);

#endif
