/* client_waits.h: requests whose threads may wait for their clients inside httpd, so that a stop of httpd ends them.
 *
 * At a stop, or a restart that is not graceful, httpd closes the sockets of its threads and waits until these have
 * noticed, for nine seconds. Two kinds do not notice. A thread that waits for its client in poll() is not told that the
 * socket has been closed. And an HTTP/2 connection whose client allows no more bytes has no thread at all, while the
 * threads of its streams wait for it. See docs/decisions/022. One memory per child, shared by its threads behind a lock.
 */
#ifndef JUMPSEAT_CLIENT_WAITS_H
#define JUMPSEAT_CLIENT_WAITS_H

#include <httpd.h>
#include <apr_ring.h>

/* Lives in the frame of whoever waits. */
typedef struct passenger_client_wait {
    APR_RING_ENTRY(passenger_client_wait) link;
    conn_rec *connection;   /* the client's own; NULL: it is not remembered */
    int socket;             /* a descriptor of our own for it; -1: there was none */
    int is_told;            /* the connection has been told to end */
} passenger_client_wait;

/* Hooks that a stop runs. */
void passenger_client_waits_register(void);

/* Hook child_init, after that of mod_http2. */
void passenger_client_waits_child_init(apr_pool_t *child_pool);

/* Around what may wait; both in the same thread. For HTTP/2 this is the whole of a request. Never block for long. */
void passenger_client_wait_begin(passenger_client_wait *wait, request_rec *r);
void passenger_client_wait_end(passenger_client_wait *wait);

/* Whether the request is a stream of a connection that others share. */
int passenger_client_is_shared(const request_rec *r);

#endif
