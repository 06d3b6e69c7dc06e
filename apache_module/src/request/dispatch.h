/* dispatch.h: one request on its way to a worker, with as many attempts as are allowed.
 *
 * A client's own worker first (PassengerStickySessions), then whichever of the group takes it. A worker that ends
 * before it has seen the request has done nothing: the request is given to another one, as long as its body can be given
 * again. Waits for the worker and the client. For the thread that processes the request.
 */
#ifndef JUMPSEAT_DISPATCH_H
#define JUMPSEAT_DISPATCH_H

#include <httpd.h>

#include "request/mapping.h"
#include "input/request_body.h"

/* Delivers the request and relays the response. `body` is prepared and stays the caller's. Returns OK when the client
 * has got its answer, or the status that it is to get, logged. */
int passenger_dispatch(request_rec *r, const passenger_mapping *mapping, passenger_request_body *body);

#endif
