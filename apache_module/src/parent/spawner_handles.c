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
static int are_open;        /* in this process; Invariant: only in httpd's parent */
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

/* Runs in each child that httpd's parent forks, before fork() returns there: async-signal-safe calls only. The children of
 * these children come by here, too: for them there is nothing to be done any more. */
static void close_in_child(void)
{
    if (!are_open) {
        return;
    }
    are_open = 0;
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

/* Moves a descriptor above the standard streams, which the spawner gets anew: httpd may have been started without some of
 * them. Returns 0, or an errno, and the descriptor is closed. */
static int move_above_streams(int *descriptor)
{
    int moved;
    int error = 0;

    if (*descriptor > STDERR_FILENO) {
        return 0;
    }
    moved = fcntl(*descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    error = moved < 0 ? errno : 0;
    close(*descriptor);
    *descriptor = moved;
    return error;
}

/* Keeps a pair of ends that has just been made. */
static apr_status_t keep(int ends[2], int *first, int *second)
{
    int errors[2] = {move_above_streams(&ends[0]), move_above_streams(&ends[1])};

    if (errors[0] == 0 && errors[1] == 0) {
        *first = ends[0];
        *second = ends[1];
        are_open = 1;
        return APR_SUCCESS;
    }
    for (int i = 0; i < 2; i++) {
        if (errors[i] == 0) {
            close(ends[i]);
        }
    }
    return errors[0] != 0 ? errors[0] : errors[1];
}

static apr_status_t open_store(void)
{
    int ends[2];
    apr_status_t status;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    status = keep(ends, &handles.store_read, &handles.store_write);
    if (status == APR_SUCCESS) {
        enlarge(handles.store_write, STORE_BYTES);
    }
    return status;
}

static apr_status_t open_lifeline(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return errno;
    }
    return keep(ends, &handles.lifeline_read, &handles.lifeline_write);
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
    apr_status_t status;

    close_handle(&handles.control);
    close_handle(&handles.spawner_control);
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return errno;
    }
    status = keep(ends, &handles.control, &handles.spawner_control);
    if (status == APR_SUCCESS) {
        enlarge(handles.control, CONTROL_BYTES);
    }
    return status;
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
