/* sticky_session.h: which worker a client's session belongs to (PassengerStickySessions).
 *
 * The route that the client's cookie names leads to the worker's own socket; the route of the worker that has served it
 * goes into the cookie of the response. For the thread that processes the request; everything lives in its pool.
 */
#ifndef JUMPSEAT_STICKY_SESSION_H
#define JUMPSEAT_STICKY_SESSION_H

#include <httpd.h>

#include "request/mapping.h"
#include "core/route.h"

typedef struct passenger_sticky_session {
    int is_on;                            /* for this request; else nothing of the rest is set */
    const char *base_uri;
    char shown[PASSENGER_ROUTE_SIZE];     /* by the client; empty: none that can be one */
} passenger_sticky_session;

/* Finds out what the client shows. */
void passenger_sticky_session_begin(passenger_sticky_session *session, request_rec *r, const passenger_mapping *mapping);

/* The path of the own socket of the worker that the client shows, in the group whose socket is `group_socket`; NULL
 * when it shows none. Whether such a worker lives is for connect() to find out. */
const char *passenger_sticky_session_socket(const passenger_sticky_session *session, request_rec *r,
                                            const char *group_socket);

/* Sets the cookie when `route`, of the worker whose response this is (empty: it has none), is not the one that the
 * client has shown. To be called when the response's own headers are set and before they are sent. A response that is
 * meant for shared caches goes without; any other one that gets the cookie is made private. */
void passenger_sticky_session_keep(const passenger_sticky_session *session, request_rec *r, const char *route);

#endif
