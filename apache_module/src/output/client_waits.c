#include "output/client_waits.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mpm_common.h>
#include <apr_portable.h>

#include "config/configuration.h"

APLOG_USE_MODULE(passenger);

APR_RING_HEAD(wait_ring, passenger_client_wait);

/* Of this httpd child. */
static struct {
    int is_used;               /* 0: without threads, or before child_init: no wait is registered then */
    pthread_mutex_t lock;      /* of what follows; it outlives every pool */
    struct wait_ring waits;
    int is_stopping;           /* and not gracefully */
    int stop_event;            /* an eventfd, readable from then on and for ever; -1: there is none */
} child = {.lock = PTHREAD_MUTEX_INITIALIZER, .stop_event = -1};

static int is_threaded(void)
{
    int answer = 0;
    return ap_mpm_query(AP_MPMQ_IS_THREADED, &answer) == APR_SUCCESS && answer != AP_MPMQ_NOT_SUPPORTED;
}

/* A copy of the client's descriptor: httpd closes its own first, and the number may soon belong to another file. */
static int own_descriptor_of(conn_rec *c)
{
    apr_os_sock_t descriptor;
    apr_socket_t *client = ap_get_conn_socket(c);
    if (client == NULL || apr_os_sock_get(&descriptor, client) != APR_SUCCESS) {
        return -1;
    }
    return fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

int passenger_client_is_shared(const request_rec *r)
{
    return r->connection->master != NULL;
}

void passenger_client_wait_begin(passenger_client_wait *wait, request_rec *r)
{
    conn_rec *c = passenger_client_is_shared(r) ? r->connection->master : r->connection;
    wait->socket = child.is_used ? own_descriptor_of(c) : -1;
    if (wait->socket < 0) {
        return;
    }
    pthread_mutex_lock(&child.lock);
    APR_RING_INSERT_TAIL(&child.waits, wait, passenger_client_wait, link);
    if (child.is_stopping) {
        shutdown(wait->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&child.lock);
}

void passenger_client_wait_end(passenger_client_wait *wait)
{
    if (wait->socket < 0) {
        return;
    }
    pthread_mutex_lock(&child.lock);
    APR_RING_REMOVE(wait, link);
    pthread_mutex_unlock(&child.lock);
    close(wait->socket);
}

/* Hook child_stopping, in the child's main thread. httpd has closed the sockets; this wakes the threads that wait. */
static void end_waits(apr_pool_t *child_pool, int is_graceful)
{
    uint64_t one = 1;
    (void)child_pool;
    if (is_graceful || !child.is_used) {
        return;
    }
    pthread_mutex_lock(&child.lock);
    child.is_stopping = 1;
    for (passenger_client_wait *wait = APR_RING_FIRST(&child.waits);
         wait != APR_RING_SENTINEL(&child.waits, passenger_client_wait, link); wait = APR_RING_NEXT(wait, link)) {
        shutdown(wait->socket, SHUT_RDWR);
    }
    pthread_mutex_unlock(&child.lock);
    /* Only now: who hears of it ends, and its connection is not registered any more. */
    if (child.stop_event >= 0) {
        ssize_t written = write(child.stop_event, &one, sizeof(one));
        (void)written;   /* an eventfd that is written to once takes it */
    }
}

void passenger_client_waits_child_init(apr_pool_t *child_pool)
{
    (void)child_pool;
    APR_RING_INIT(&child.waits, passenger_client_wait, link);
    /* Without threads, httpd stops a child by a signal, at any point of the code. */
    child.is_used = is_threaded();
    if (child.is_used) {
        child.stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (child.stop_event < 0) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, errno, ap_server_conf, PSGLOGNO(2205)
                         "cannot make the descriptor that ends waiting requests at a stop of httpd: a stop takes some "
                         "seconds longer");
        }
    }
}

int passenger_client_waits_stop_event(void)
{
    return child.stop_event;
}

void passenger_client_waits_register(void)
{
    ap_hook_child_stopping(end_waits, NULL, NULL, APR_HOOK_MIDDLE);
}
