/* exchange.h: one request and its response over one connection, both ways at once.
 *
 * Sends while it receives, because an app may answer before it has read the body, and watches the client, so that an
 * app whose client has left is told so within a second. Blocks until the response is over, waiting on the worker and
 * the client together. For the thread that processes the request.
 */
#ifndef JUMPSEAT_EXCHANGE_H
#define JUMPSEAT_EXCHANGE_H

#include <httpd.h>

#include "backend.h"
#include "relay.h"
#include "request_body.h"

typedef struct passenger_exchange {
    request_rec *r;
    passenger_backend *backend;         /* connected, with the head queued; the caller closes it */
    passenger_request_body *body;
    passenger_relay relay;
    char *received;                     /* what the worker sent and the relay may still point into */
    apr_size_t received_used;
    char *outgoing;                     /* the piece of a streamed body that is being sent */
    int client;                         /* the client's socket, -1: cannot be watched (HTTP/2) */
    int takes_body;                     /* the worker still takes request body */
    apr_time_t starved_since;           /* since when the client has sent no more body; 0: it is not waited for */
    apr_time_t continue_at;             /* when to say `100` without the worker's word; 0: not to be said */
    apr_time_t held_since;              /* when what has not been flushed came; 0: all is flushed */
    int has_left;                       /* the client has */
    int request_status;                 /* an HTTP status when the request body cannot be read; else 0 */
} passenger_exchange;

/* Runs it to its end. Returns what the handler returns. */
int passenger_exchange_run(passenger_exchange *exchange, request_rec *r, passenger_backend *backend,
                           passenger_request_body *body);

#endif
