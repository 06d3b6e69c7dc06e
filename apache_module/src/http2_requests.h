/* http2_requests.h: the requests of ours that came over HTTP/2, so that a stop of httpd ends them.
 *
 * At a stop, or a restart that is not graceful, httpd closes the sockets of its threads and waits until these have
 * noticed, for nine seconds. Two kinds of HTTP/2 connections do not notice. One has a thread that waits for its client
 * to take bytes: poll() does not tell that the socket has been closed. The other waits, without a thread, for its client
 * to allow more bytes, while the threads of its streams wait for it. See docs/decisions/022. One memory per child,
 * shared by its threads behind a lock.
 */
#ifndef JUMPSEAT_HTTP2_REQUESTS_H
#define JUMPSEAT_HTTP2_REQUESTS_H

#include <httpd.h>
#include <apr_ring.h>

/* Lives in the frame of whoever processes the request. */
typedef struct passenger_http2_request {
    APR_RING_ENTRY(passenger_http2_request) link;
    conn_rec *connection;   /* the client's; NULL: the request came in another way */
    int socket;             /* a descriptor of our own for it; -1: there was none */
    int is_told;            /* the connection has been told to end */
} passenger_http2_request;

/* Hooks that a stop runs. */
void passenger_http2_requests_register(void);

/* Hook child_init, after that of mod_http2. */
void passenger_http2_requests_child_init(apr_pool_t *child_pool);

/* Around a request, of whatever protocol; both in the request's thread. Never block for long. */
void passenger_http2_request_begin(passenger_http2_request *it, request_rec *r);
void passenger_http2_request_end(passenger_http2_request *it);

#endif
