/* handler.h: the content handler: one request from its body to its answer.
 *
 * The request goes to a client's own worker first (PassengerStickySessions), then to whichever of the group accepts it.
 * A worker that ends before it has accepted the request has done nothing: the request is given to another one, as long
 * as its body can be given again.
 */
#ifndef JUMPSEAT_HANDLER_H
#define JUMPSEAT_HANDLER_H

#include <httpd.h>

/* Hook handler: answers the requests that the mapping has given to an app, and declines the others. Blocks for client,
 * worker and, with a group that this child does not know yet, the spawner. Any thread of a child; one request each. */
int passenger_handle_request(request_rec *r);

#endif
