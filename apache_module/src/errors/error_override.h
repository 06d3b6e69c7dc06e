/* error_override.h: PassengerErrorOverride: httpd's ErrorDocument in place of the body of an app's error.
 *
 * The headers that describe the body are dropped with it; the app's other headers stay (WWW-Authenticate, Retry-After,
 * Set-Cookie). For the thread that processes the request; everything lives in its pool. Nothing blocks.
 */
#ifndef JUMPSEAT_ERROR_OVERRIDE_H
#define JUMPSEAT_ERROR_OVERRIDE_H

#include <httpd.h>

#include "core/response_head.h"

/* Whether httpd is to answer instead of the app. Never for the request of an ErrorDocument itself. */
int passenger_error_override_applies(request_rec *r, const passenger_response_head *head);

/* Prepares the request: the handler is to return the head's status. */
void passenger_error_override_begin(request_rec *r, const passenger_response_head *head);

#endif
