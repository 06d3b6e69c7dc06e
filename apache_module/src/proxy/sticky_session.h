/* sticky_session.h: which worker a client's session belongs to (PassengerStickySessions).
 *
 * The route in the client's cookie leads to the worker's own socket; the route of the worker that has answered goes
 * into the cookie of the response. One per request, for the thread that processes it; everything lives in the request's
 * pool. Nothing blocks.
 */
#ifndef JUMPSEAT_STICKY_SESSION_H
#define JUMPSEAT_STICKY_SESSION_H

#include <httpd.h>

#include "config/generated/options.h"
#include "core/route_cookie.h"

typedef struct passenger_sticky_session {
    const passenger_dir_options *options; /* those of the request */
    int is_on;                            /* for this request */
    const char *base_uri;                 /* where the app is mounted */
    int is_https;                         /* how the client came: a cookie for TLS alone is Secure */
    char route[PASSENGER_ROUTE_SIZE];     /* of the client's cookie; empty: it has none that can be one */
} passenger_sticky_session;

/* Reads the client's cookie. `base_uri` must live as long as the request. */
void passenger_sticky_session_begin(passenger_sticky_session *session, request_rec *r, const char *base_uri,
                                    int is_https);

/* The path of the own socket of the worker that the cookie names, in the group whose socket is `group_socket`; NULL
 * when the cookie names none. Whether such a worker lives is for connect() to find out. */
const char *passenger_sticky_session_socket(const passenger_sticky_session *session, request_rec *r,
                                            const char *group_socket);

/* Sets the cookie when `route`, of the worker that has answered (empty: it has none), is not that of the client's
 * cookie. To be called when the response's own headers are set and before they are sent. A response that is meant
 * for shared caches goes without a cookie; any other one that gets the cookie is made private. */
void passenger_sticky_session_set_cookie(const passenger_sticky_session *session, request_rec *r, const char *route);

#endif
