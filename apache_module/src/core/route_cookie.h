/* route_cookie.h: the cookie that leads a client back to its worker (PassengerStickySessions).
 *
 * What a client sends is untrusted: only 16 lowercase hexadecimal digits are a route. Knows no httpd, no allocation, no
 * I/O. Any thread.
 */
#ifndef JUMPSEAT_ROUTE_COOKIE_H
#define JUMPSEAT_ROUTE_COOKIE_H

#include "core/route.h"

/* Finds the first cookie of exactly that name whose value, quoted or not, is a route, and copies it to `route`.
 * `header`: a Cookie header's value (RFC 6265, section 4.2; httpd joins several of them with commas), or NULL.
 * Returns 0 when there is none; `route` is then empty. */
int passenger_route_cookie_find(const char *header, const char *name, char route[PASSENGER_ROUTE_SIZE]);

/* Whether cookie attributes (`HttpOnly; Path=/shop`) name a path. */
int passenger_route_cookie_has_path(const char *attributes);

#endif
