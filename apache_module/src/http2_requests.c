#include "http2_requests.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <http_connection.h>
#include <http_core.h>
#include <mpm_common.h>
#include <apr_portable.h>
#include <apr_thread_mutex.h>

typedef struct passenger_http2_request request;
APR_RING_HEAD(request_ring, passenger_http2_request);

static struct {
    apr_thread_mutex_t *lock;   /* NULL: without threads, or memory for it; nothing is remembered then */
    struct request_ring under_way;
    int is_stopping;            /* and not gracefully */
} memory;

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

void passenger_http2_request_begin(request *it, request_rec *r)
{
    *it = (request){.connection = memory.lock != NULL ? r->connection->master : NULL, .socket = -1};
    if (it->connection == NULL) {
        return;
    }
    it->socket = own_descriptor_of(it->connection);
    apr_thread_mutex_lock(memory.lock);
    APR_RING_INSERT_TAIL(&memory.under_way, it, passenger_http2_request, link);
    apr_thread_mutex_unlock(memory.lock);
}

void passenger_http2_request_end(request *it)
{
    if (it->connection == NULL) {
        return;
    }
    apr_thread_mutex_lock(memory.lock);
    APR_RING_REMOVE(it, link);
    apr_thread_mutex_unlock(memory.lock);
    if (it->socket >= 0) {
        close(it->socket);
    }
}

/* Hook child_stopping, in the child's main thread. The sockets are closed by now: this wakes those who wait for them. */
static void shut_down_connections(apr_pool_t *child_pool, int is_graceful)
{
    (void)child_pool;
    if (is_graceful || memory.lock == NULL) {
        return;
    }
    apr_thread_mutex_lock(memory.lock);
    memory.is_stopping = 1;
    for (request *it = APR_RING_FIRST(&memory.under_way);
         it != APR_RING_SENTINEL(&memory.under_way, passenger_http2_request, link); it = APR_RING_NEXT(it, link)) {
        if (it->socket >= 0) {
            shutdown(it->socket, SHUT_RDWR);
        }
    }
    apr_thread_mutex_unlock(memory.lock);
}

/* The connection of a request that has not been told yet, with all of its requests marked as told; NULL: there is none. */
static conn_rec *next_connection(void)
{
    conn_rec *found = NULL;
    apr_thread_mutex_lock(memory.lock);
    for (request *it = APR_RING_FIRST(&memory.under_way);
         it != APR_RING_SENTINEL(&memory.under_way, passenger_http2_request, link); it = APR_RING_NEXT(it, link)) {
        if (!it->is_told && (found == NULL || found == it->connection)) {
            found = it->connection;
            it->is_told = 1;
        }
    }
    apr_thread_mutex_unlock(memory.lock);
    return found;
}

/* The threads of the MPM have ended: a connection that still has requests waits for its client without a thread, and
 * nobody would end it. mod_http2's own hook does: it aborts the streams and waits for their threads. */
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

void passenger_http2_requests_child_init(apr_pool_t *child_pool)
{
    APR_RING_INIT(&memory.under_way, passenger_http2_request, link);
    /* Without threads, a stop comes as a signal, amid anything. */
    if (!mpm_is(AP_MPMQ_IS_THREADED)
        || apr_thread_mutex_create(&memory.lock, APR_THREAD_MUTEX_DEFAULT, child_pool) != APR_SUCCESS) {
        memory.lock = NULL;
        return;
    }
    /* Other MPMs have a thread for each connection. Runs before mod_http2's, which waits for the threads of streams. */
    if (mpm_is(AP_MPMQ_IS_ASYNC)) {
        apr_pool_pre_cleanup_register(child_pool, NULL, end_connections);
    }
}

void passenger_http2_requests_register(void)
{
    ap_hook_child_stopping(shut_down_connections, NULL, NULL, APR_HOOK_MIDDLE);
}
