/* exchange.h: one request and its response over one connection, both ways at once.
 *
 * Sends while it receives, because an app may answer before it has read the body, and watches the client, so that an
 * app whose client has left is told so within a second. Blocks until the response is over, waiting on the worker and
 * the client together. For the thread that processes the request.
 */
#ifndef JUMPSEAT_EXCHANGE_H
#define JUMPSEAT_EXCHANGE_H

#include <httpd.h>

#include "core/backend.h"
#include "output/backend_reader.h"
#include "proxy/relay.h"
#include "input/request_body.h"
#include "proxy/sticky_session.h"
#include "core/time_limits.h"

typedef enum passenger_exchange_verdict {
    PASSENGER_EXCHANGE_GOES_ON,            /* or has ended as the relay's state says */
    PASSENGER_EXCHANGE_NOT_TAKEN,          /* the worker has ended without having seen the request; not logged */
    PASSENGER_EXCHANGE_QUEUE_TIME_OVER,    /* no worker has taken the request in time, and none will run it */
    PASSENGER_EXCHANGE_REQUEST_TIME_OVER   /* the worker has not answered in time */
} passenger_exchange_verdict;

typedef struct passenger_exchange {
    /* Set by the caller. */
    request_rec *r;
    const char *app;                            /* the app group's key, for the log */
    passenger_backend *backend;                 /* connected, with the head queued; the caller closes it */
    passenger_request_body *body;
    passenger_time_limits *limits;              /* begun */
    const passenger_sticky_session *session;    /* begun */
    int wants_sign;                             /* the worker was asked to say when it takes the request */
    /* Set here; zero before. */
    passenger_exchange_verdict verdict;
    passenger_backend_reader reader;    /* of a client that cannot be polled; see exchange_input.h */
    int is_reader_refused;              /* it could not be started */
    apr_size_t passed;                  /* bytes that have been passed on */
    passenger_relay relay;
    char *received;                     /* what the worker sent and the relay may still point into */
    apr_size_t received_used;
    char *outgoing;                     /* the piece of a streamed body that is being sent */
    int client;                         /* the client's socket, -1: cannot be watched (HTTP/2) */
    int takes_body;                     /* the worker still takes request body */
    /* Times are those of passenger_monotonic_now(). */
    apr_time_t starved_since;           /* since when the client has sent no more body; 0: it is not waited for */
    apr_time_t continue_at;             /* when to say `100` without the worker's word; 0: not to be said */
    apr_time_t held_since;              /* when what has not been flushed came; 0: all is flushed */
    int has_head;                       /* the response's head has come */
    int has_left;                       /* the client has */
    int request_status;                 /* an HTTP status when the request body cannot be read; else 0 */
} passenger_exchange;

/* Runs it to its end. Returns what the handler returns; with the verdict NOT_TAKEN the request may be given to another
 * worker instead. */
int passenger_exchange_run(passenger_exchange *exchange);

#endif
