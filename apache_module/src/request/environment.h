/* environment.h: the CGI variables that the app gets (PEP 3333, RFC 3875 section 4.1), and nothing else.
 *
 * Everything lives in the request's pool; for the thread that processes the request. Nothing blocks, but the name of
 * the client's host, where HostnameLookups asks for it.
 */
#ifndef JUMPSEAT_ENVIRONMENT_H
#define JUMPSEAT_ENVIRONMENT_H

#include <httpd.h>

#include "core/message.h"
#include "request/mapping.h"

/* The target as the client sent it, in origin form, unless a rewrite has replaced it: then the new path, escaped anew.
 * Slashes that httpd has decoded (AllowEncodedSlashes On) stay decoded, unless PassengerAllowEncodedSlashes is on. */
const char *passenger_environment_target(request_rec *r, const passenger_mapping *mapping);

/* The variables of this request as the head of a request, without those of the tail: CONTENT_LENGTH (`content_length`, 0 for none) first.
 * Variables that modules and SetEnv left in r->subprocess_env come last and never replace one of the server's. */
passenger_message *passenger_environment_of(request_rec *r, const passenger_mapping *mapping,
                                            apr_off_t content_length);

/* Adds the variables that are the same for many requests: those of the server, the connection and the app. */
void passenger_environment_add_tail(passenger_message *head, request_rec *r, const passenger_mapping *mapping);

/* Whether the client came by TLS, or the administrator says so (SetEnvIf HTTPS, behind a proxy that ends TLS). */
int passenger_environment_is_https(request_rec *r);

#endif
