/* route_cookie.h: routes, and the cookie that leads a client back to its worker (PassengerStickySessions).
 *
 * A route is the random name of one worker among those of its group, and of its own socket: 16 lowercase hexadecimal
 * digits (docs/protocol.md, section 2). What clients and workers send is untrusted: nothing else passes for one. Knows
 * no httpd, no allocation, no I/O. Any thread; nothing blocks.
 */
#ifndef JUMPSEAT_ROUTE_COOKIE_H
#define JUMPSEAT_ROUTE_COOKIE_H

#include <stddef.h>

#include "core/generated/constants.h"

enum { PASSENGER_ROUTE_SIZE = PASSENGER_ROUTE_LENGTH + 1 };

/* Whether `text`, `length` bytes long, is a route. */
int passenger_route_is_valid(const char *text, size_t length);

/* Finds the first cookie of exactly that name whose value, quoted or not, is a route, and copies it to `route`.
 * `header`: a Cookie header's value (RFC 6265, section 4.2; httpd joins several of them with commas), or NULL.
 * Returns 0 when there is none; `route` is then empty. */
int passenger_route_cookie_find(const char *header, const char *name, char route[PASSENGER_ROUTE_SIZE]);

/* Whether cookie attributes (`HttpOnly; Path=/shop`) name a path. */
int passenger_route_cookie_has_path(const char *attributes);

#endif
