/* client_waits.h: the threads that wait for their clients inside httpd, so that a stop of httpd ends these waits.
 *
 * At a stop, or a restart that is not graceful, httpd closes the sockets of its threads and waits for nine seconds
 * until they have noticed. Two kinds do not notice. A thread that waits for its client in poll() is not told that the
 * socket has been closed. And a connection of HTTP/2 whose client allows no more bytes has no thread at all, while the
 * threads of its streams wait for it. See docs/decisions/022. One register per child, shared by its threads behind a
 * lock.
 */
#ifndef JUMPSEAT_CLIENT_WAITS_H
#define JUMPSEAT_CLIENT_WAITS_H

#include <httpd.h>
#include <apr_ring.h>

/* Lives in the stack frame of whoever waits. */
typedef struct passenger_client_wait {
    APR_RING_ENTRY(passenger_client_wait) link;
    conn_rec *connection;   /* the client's own, not that of a stream; NULL: this wait is not registered */
    int socket;             /* a descriptor of our own for it; -1: there was none */
    int is_ended;           /* the connection has been ended because httpd stops */
} passenger_client_wait;

/* Registers the hooks that run at a stop: once, by the module's register_hooks. */
void passenger_client_waits_register(void);

/* Hook child_init, after that of mod_http2. */
void passenger_client_waits_child_init(apr_pool_t *child_pool);

/* Around what may block for the client; both in the same thread. Over HTTP/2 that is the whole request. They do not
 * block but for the lock. */
void passenger_client_wait_begin(passenger_client_wait *wait, request_rec *r);
void passenger_client_wait_end(passenger_client_wait *wait);

/* Whether the request is a stream of a connection that others share. */
int passenger_client_is_shared(const request_rec *r);

#endif
