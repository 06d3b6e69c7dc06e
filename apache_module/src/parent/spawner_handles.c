#include "parent/spawner_handles.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    STORE_BYTES = 16 * 1024 * 1024,     /* a kilobyte or so for each app group and process */
    CONTROL_BYTES_LIMIT = 256 * 1024 * 1024,
    CONTROL_BYTES = 1024 * 1024         /* the same for each ErrorLog: httpd need not wait for a spawner that starts */
};

#define NO_HANDLES {PASSENGER_NO_HANDLE, PASSENGER_NO_HANDLE, PASSENGER_NO_HANDLE, \
                    PASSENGER_NO_HANDLE, PASSENGER_NO_HANDLE, PASSENGER_NO_HANDLE}

static const passenger_spawner_handles no_handles = NO_HANDLES;
static passenger_spawner_handles handles = NO_HANDLES;
static int forking_spawner;
static int watching_forks;

const passenger_spawner_handles *passenger_spawner_handles_get(void)
{
    return &handles;
}

static void close_handle(int *handle)
{
    if (*handle != PASSENGER_NO_HANDLE) {
        close(*handle);
        *handle = PASSENGER_NO_HANDLE;
    }
}

/* Runs in each child that httpd's parent forks, before fork() returns there: async-signal-safe calls only. */
static void close_in_child(void)
{
    close_handle(&handles.control);
    close_handle(&handles.lifeline_write);
    if (!forking_spawner) {
        close_handle(&handles.spawner_control);
        close_handle(&handles.lifeline_read);
        close_handle(&handles.store_read);
        close_handle(&handles.store_write);
    }
    /* The spawner gets the numbers of its descriptors and may close them: forks of the spawner must not close what
     * later has these numbers. */
    handles = no_handles;
    forking_spawner = 0;
}

/* Room for what is sent and not yet received. Beyond the kernel's limit where this process may do that; less is
 * enough. */
static void enlarge(int socket, int bytes)
{
    if (setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0) {
        setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    }
}

static apr_status_t open_store(void)
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    handles.store_read = ends[0];
    handles.store_write = ends[1];
    enlarge(handles.store_write, STORE_BYTES);
    return APR_SUCCESS;
}

static apr_status_t open_lifeline(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    handles.lifeline_read = ends[0];
    handles.lifeline_write = ends[1];
    return APR_SUCCESS;
}

apr_status_t passenger_spawner_handles_open(void)
{
    apr_status_t status = APR_SUCCESS;

    if (!watching_forks) {
        status = pthread_atfork(NULL, NULL, close_in_child);
        watching_forks = status == APR_SUCCESS;
    }
    if (status == APR_SUCCESS && handles.store_read == PASSENGER_NO_HANDLE) {
        status = open_store();
    }
    if (status == APR_SUCCESS && handles.lifeline_read == PASSENGER_NO_HANDLE) {
        status = open_lifeline();
    }
    return status;
}

apr_status_t passenger_spawner_handles_renew_control(void)
{
    int ends[2];

    close_handle(&handles.control);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    handles.control = ends[0];
    handles.spawner_control = ends[1];
    enlarge(handles.control, CONTROL_BYTES);
    return APR_SUCCESS;
}

void passenger_spawner_handles_enlarge_control(size_t bytes)
{
    if (bytes > CONTROL_BYTES) {
        enlarge(handles.control, bytes < CONTROL_BYTES_LIMIT ? (int)bytes : CONTROL_BYTES_LIMIT);
    }
}

void passenger_spawner_handles_fork_begins(void)
{
    forking_spawner = 1;
}

void passenger_spawner_handles_fork_ended(void)
{
    forking_spawner = 0;
    close_handle(&handles.spawner_control);
}

void passenger_spawner_handles_close_control(void)
{
    close_handle(&handles.control);
}

void passenger_spawner_handles_close_lifeline(void)
{
    close_handle(&handles.lifeline_write);
}
