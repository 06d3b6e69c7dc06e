/* response_start.h: an app's response head as httpd's response.
 *
 * For the thread that processes the request.
 */
#ifndef JUMPSEAT_RESPONSE_START_H
#define JUMPSEAT_RESPONSE_START_H

#include <httpd.h>

#include "core/response_head.h"

/* Sets status and headers of the request's response. `head` is complete and lives as long as the request. */
void passenger_response_start(request_rec *r, const passenger_response_head *head);

#endif
