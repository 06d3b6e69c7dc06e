/* error_override.h: PassengerErrorOverride: httpd's ErrorDocument in place of the body of an app's error.
 *
 * What the app says about the body is dropped with it; its other headers stay (a challenge, when to come again, a
 * cookie). For the thread that processes the request.
 */
#ifndef JUMPSEAT_ERROR_OVERRIDE_H
#define JUMPSEAT_ERROR_OVERRIDE_H

#include <httpd.h>

#include "core/response_head.h"

/* Whether httpd is to answer instead of the app. Never for the page of an ErrorDocument itself. */
int passenger_error_override_applies(request_rec *r, const passenger_response_head *head);

/* Makes the request ready for the head's status to be returned from the handler. */
void passenger_error_override_begin(request_rec *r, const passenger_response_head *head);

/* Whether that has been done. */
int passenger_error_override_is_on(const request_rec *r);

#endif
