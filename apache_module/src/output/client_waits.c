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

static struct {
    int is_used;               /* 0: without threads, or too early; nothing is remembered then */
    pthread_mutex_t lock;      /* of what follows; it outlives every pool */
    struct wait_ring waits;
    int is_stopping;           /* and not gracefully */
} memory = {.lock = PTHREAD_MUTEX_INITIALIZER};

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

/* Not the descriptor itself: httpd closes that first, and its number may be another's by then. */
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
    *wait = (passenger_client_wait){.connection = memory.is_used ? c : NULL, .socket = -1};
    if (wait->connection == NULL) {
        return;
    }
    wait->socket = own_descriptor_of(c);
    pthread_mutex_lock(&memory.lock);
    APR_RING_INSERT_TAIL(&memory.waits, wait, passenger_client_wait, link);
    if (memory.is_stopping) {
        shut_down(wait);
    }
    pthread_mutex_unlock(&memory.lock);
}

void passenger_client_wait_end(passenger_client_wait *wait)
{
    if (wait->connection == NULL) {
        return;
    }
    pthread_mutex_lock(&memory.lock);
    APR_RING_REMOVE(wait, link);
    pthread_mutex_unlock(&memory.lock);
    if (wait->socket >= 0) {
        close(wait->socket);
    }
}

/* Hook child_stopping, in the child's main thread. The sockets are closed by now: this wakes those who wait for them. */
static void shut_down_connections(apr_pool_t *child_pool, int is_graceful)
{
    (void)child_pool;
    if (is_graceful || !memory.is_used) {
        return;
    }
    pthread_mutex_lock(&memory.lock);
    memory.is_stopping = 1;
    for (passenger_client_wait *wait = APR_RING_FIRST(&memory.waits);
         wait != APR_RING_SENTINEL(&memory.waits, passenger_client_wait, link); wait = APR_RING_NEXT(wait, link)) {
        shut_down(wait);
    }
    pthread_mutex_unlock(&memory.lock);
}

/* A connection that has not been told yet, and is now marked as told; NULL: there is none. */
static conn_rec *next_connection(void)
{
    conn_rec *found = NULL;
    pthread_mutex_lock(&memory.lock);
    for (passenger_client_wait *wait = APR_RING_FIRST(&memory.waits);
         wait != APR_RING_SENTINEL(&memory.waits, passenger_client_wait, link); wait = APR_RING_NEXT(wait, link)) {
        if (!wait->is_told && (found == NULL || found == wait->connection)) {
            found = wait->connection;
            wait->is_told = 1;
        }
    }
    pthread_mutex_unlock(&memory.lock);
    return found;
}

/* The threads of the MPM have ended: a connection that still has requests, over HTTP/2, waits for its client without a
 * thread, and nobody would end it. mod_http2's own hook does: it aborts the streams and waits for their threads. */
static apr_status_t end_connections(void *unused)
{
    (void)unused;
    if (memory.is_stopping) {
        for (conn_rec *c = next_connection(); c != NULL; c = next_connection()) {
            c->aborted = 1;   /* the client is given nothing more, also no farewell: that could wait for it */
            ap_run_pre_close_connection(c);
        }
    }
    return APR_SUCCESS;
}

void passenger_client_waits_child_init(apr_pool_t *child_pool)
{
    APR_RING_INIT(&memory.waits, passenger_client_wait, link);
    /* Without threads, a stop comes as a signal, amid anything. */
    memory.is_used = mpm_is(AP_MPMQ_IS_THREADED);
    /* Other MPMs have a thread for each connection. Runs before mod_http2's, which waits for the threads of streams. */
    if (memory.is_used && mpm_is(AP_MPMQ_IS_ASYNC)) {
        apr_pool_pre_cleanup_register(child_pool, NULL, end_connections);
    }
}

void passenger_client_waits_register(void)
{
    ap_hook_child_stopping(shut_down_connections, NULL, NULL, APR_HOOK_MIDDLE);
}
