/* proxy_loop.h: one request and its response over one connection to a worker, both ways at once.
 *
 * Sends while it receives, because an app may answer before it has read the body, and watches the client, so that an
 * app whose client has left is told so within a second. proxy_loop.c moves the bytes: request_sender.h to the worker;
 * response_parser.h and output_buffer.h to the client. proxy_end.c decides what the client gets when the loop is over.
 * One per attempt to forward a request, for the thread that processes it.
 */
#ifndef JUMPSEAT_PROXY_LOOP_H
#define JUMPSEAT_PROXY_LOOP_H

#include <httpd.h>

#include "core/backend.h"
#include "core/deadlines.h"
#include "core/idle_connections.h"
#include "output/output_buffer.h"
#include "proxy/request_sender.h"
#include "proxy/response_parser.h"
#include "proxy/sticky_session.h"

typedef enum passenger_proxy_outcome {
    PASSENGER_PROXY_BY_RESPONSE,       /* not decided yet, or decided by the state of the parser */
    PASSENGER_PROXY_NOT_ACCEPTED,      /* the worker ended, or its kept connection, before it accepted the request; not
                                          logged */
    PASSENGER_PROXY_QUEUE_TIMEOUT,     /* no worker has accepted the request in time, and none will run it */
    PASSENGER_PROXY_REQUEST_TIMEOUT    /* the worker has not answered in time */
} passenger_proxy_outcome;

/* What is known of the request when its connection ends before anything has come from the worker. */
typedef enum passenger_reuse {
    PASSENGER_REUSE_NONE,            /* a new connection: the worker has it */
    PASSENGER_REUSE_REPEATABLE,      /* a kept one: it may be sent once more, whatever the worker has done */
    PASSENGER_REUSE_READ_AT_ONCE     /* a kept one: the worker has read all of it, or nothing and the kernel says so */
} passenger_reuse;

typedef struct passenger_proxy {
    /* Set by the caller. */
    request_rec *r;
    const char *app;                            /* the app group's key, for the log */
    passenger_backend *backend;                 /* connected, with the head queued; the caller closes it */
    passenger_request_body *body;
    passenger_time_limits *limits;              /* begun, and sent if the loader acknowledges nothing */
    const passenger_sticky_session *session;    /* begun */
    unsigned capabilities;                      /* of the app's loader; see capabilities.h */
    int wants_acknowledgement;                  /* the worker was asked to say when it accepts the request */
    const char *keep_as;                        /* the socket's path, by which the connection is kept; NULL: it is not */
    passenger_kept_connection *kept;            /* which connection this is */
    passenger_reuse reuse;                      /* of it */
    int may_go_elsewhere;                       /* if the worker has not taken the request by limits->start_before */

    /* Set by the loop; zero before. Times are those of passenger_monotonic_now(). */
    passenger_proxy_outcome outcome;
    passenger_request_sender sender;
    passenger_response_parser parser;
    passenger_output_buffer output;     /* what the parser has produced */
    char *received;                     /* what the worker sent; the brigade may still point into it */
    apr_size_t received_used;
    apr_time_t unflushed_since;         /* when what has not been flushed came; 0: all is flushed */
    int has_received;                   /* something has come from the worker */
    int has_head;                       /* the response's head has come */
    int has_logged_fault;               /* of the response */
    int client_socket;                  /* -1: the client cannot be polled (HTTP/2) */
    int client_has_left;
} passenger_proxy;

/* Runs the loop to its end: blocks until the response is over, waiting for worker and client together. Returns what the
 * handler returns; with the outcome NOT_ACCEPTED the request may be given to another worker instead. */
int passenger_proxy_run(passenger_proxy *proxy);

/* The rest is in proxy_end.c, for the loop alone. */

/* Logs what is wrong with the response, once, if anything is. To be called whenever the parser has got something. */
void passenger_proxy_log_fault(passenger_proxy *proxy);

/* Decides what the client gets in the end. To be called once, when nothing more is to come. Returns what the handler
 * returns. May block for the client. */
int passenger_proxy_end(passenger_proxy *proxy);

/* The same when nobody is there to get an answer. */
int passenger_proxy_end_without_client(passenger_proxy *proxy);

#endif
