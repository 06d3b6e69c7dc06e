#include "output/client_waits.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <http_connection.h>
#include <http_core.h>
#include <mpm_common.h>
#include <apr_portable.h>

APR_RING_HEAD(wait_ring, passenger_client_wait);

/* Of this httpd child. */
static struct {
    int is_used;               /* 0: without threads, or before child_init: no wait is registered then */
    pthread_mutex_t lock;      /* of what follows; it outlives every pool */
    struct wait_ring waits;
    int is_stopping;           /* and not gracefully */
} child = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void shut_down(const passenger_client_wait *wait)
{
    if (wait->socket >= 0) {
        shutdown(wait->socket, SHUT_RDWR);
    }
}

static int mpm_is(int property)
{
    int answer = 0;
    return ap_mpm_query(property, &answer) == APR_SUCCESS && answer != AP_MPMQ_NOT_SUPPORTED;
}

/* A copy of the client's descriptor: httpd closes its own first, and the number may soon belong to another file. */
static int own_descriptor_of(conn_rec *c)
{
    apr_os_sock_t descriptor;
    apr_socket_t *client = ap_get_conn_socket(c);
    if (client == NULL || apr_os_sock_get(&descriptor, client) != APR_SUCCESS) {
        return -1;
    }
    return fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
}

int passenger_client_is_shared(const request_rec *r)
{
    return r->connection->master != NULL;
}

void passenger_client_wait_begin(passenger_client_wait *wait, request_rec *r)
{
    conn_rec *c = passenger_client_is_shared(r) ? r->connection->master : r->connection;
    *wait = (passenger_client_wait){.connection = child.is_used ? c : NULL, .socket = -1};
    if (wait->connection == NULL) {
        return;
    }
    wait->socket = own_descriptor_of(c);
    pthread_mutex_lock(&child.lock);
    APR_RING_INSERT_TAIL(&child.waits, wait, passenger_client_wait, link);
    if (child.is_stopping) {
        shut_down(wait);
    }
    pthread_mutex_unlock(&child.lock);
}

void passenger_client_wait_end(passenger_client_wait *wait)
{
    if (wait->connection == NULL) {
        return;
    }
    pthread_mutex_lock(&child.lock);
    APR_RING_REMOVE(wait, link);
    pthread_mutex_unlock(&child.lock);
    if (wait->socket >= 0) {
        close(wait->socket);
    }
}

/* Hook child_stopping, in the child's main thread. httpd has closed the sockets; this wakes the threads that wait
 * there. */
static void shut_down_connections(apr_pool_t *child_pool, int is_graceful)
{
    (void)child_pool;
    if (is_graceful || !child.is_used) {
        return;
    }
    pthread_mutex_lock(&child.lock);
    child.is_stopping = 1;
    for (passenger_client_wait *wait = APR_RING_FIRST(&child.waits);
         wait != APR_RING_SENTINEL(&child.waits, passenger_client_wait, link); wait = APR_RING_NEXT(wait, link)) {
        shut_down(wait);
    }
    pthread_mutex_unlock(&child.lock);
}

/* A connection that has not been ended yet, and is now marked as ended; NULL: there is none. */
static conn_rec *next_connection(void)
{
    conn_rec *found = NULL;
    pthread_mutex_lock(&child.lock);
    for (passenger_client_wait *wait = APR_RING_FIRST(&child.waits);
         wait != APR_RING_SENTINEL(&child.waits, passenger_client_wait, link); wait = APR_RING_NEXT(wait, link)) {
        if (!wait->is_ended && (found == NULL || found == wait->connection)) {
            found = wait->connection;
            wait->is_ended = 1;
        }
    }
    pthread_mutex_unlock(&child.lock);
    return found;
}

/* Called when the threads of the MPM have ended. A connection of HTTP/2 that still has requests waits for its client
 * without a thread, and nobody would end it. mod_http2's hook does: it aborts the streams and waits for their
 * threads. */
static apr_status_t end_connections(void *unused)
{
    (void)unused;
    if (child.is_stopping) {
        for (conn_rec *c = next_connection(); c != NULL; c = next_connection()) {
            c->aborted = 1;   /* sends nothing more, also no GOAWAY: sending could block */
            ap_run_pre_close_connection(c);
        }
    }
    return APR_SUCCESS;
}

void passenger_client_waits_child_init(apr_pool_t *child_pool)
{
    APR_RING_INIT(&child.waits, passenger_client_wait, link);
    /* Without threads, httpd stops a child by a signal, at any point of the code. */
    child.is_used = mpm_is(AP_MPMQ_IS_THREADED);
    /* Other MPMs have a thread for each connection. This cleanup runs before that of mod_http2, which waits for the
     * threads of the streams. */
    if (child.is_used && mpm_is(AP_MPMQ_IS_ASYNC)) {
        apr_pool_pre_cleanup_register(child_pool, NULL, end_connections);
    }
}

void passenger_client_waits_register(void)
{
    ap_hook_child_stopping(shut_down_connections, NULL, NULL, APR_HOOK_MIDDLE);
}
