#include "output/read_ahead.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/deadlines.h"

enum { STACK_SIZE = 256 * 1024 };

static const int64_t STALL = PASSENGER_STALL_MILLISECONDS * INT64_C(1000);

static void signal_request_thread(const passenger_read_ahead *reader)
{
    uint64_t one = 1;
    ssize_t written = write(reader->readable, &one, sizeof(one));
    (void)written;  /* full: it is readable anyway */
}

/* While the memory is full, waits for the client to make room, within the budget. With the lock. */
static void wait_for_client(passenger_read_ahead *reader, size_t length)
{
    while (!reader->is_stopping && reader->stall_budget > 0
           && passenger_response_spool_needs_file(&reader->spool, length)) {
        apr_time_t began = passenger_monotonic_now();
        apr_time_t until = began + (reader->stall_budget < STALL ? reader->stall_budget : STALL);
        struct timespec deadline = {.tv_sec = (time_t)apr_time_sec(until),
                                    .tv_nsec = (long)apr_time_usec(until) * 1000};
        int is_slow = pthread_cond_timedwait(&reader->changed, &reader->lock, &deadline) == ETIMEDOUT;
        reader->stall_budget = is_slow ? 0 : reader->stall_budget - (passenger_monotonic_now() - began);
    }
}

/* Keeps what has been received; waits for room when there is none. With the lock. */
static void keep_received(passenger_read_ahead *reader, size_t length)
{
    wait_for_client(reader, length);
    while (!reader->is_stopping && !passenger_response_spool_add(&reader->spool, reader->buffer, length)) {
        pthread_cond_wait(&reader->changed, &reader->lock);
    }
}

/* As many as there is room for. */
static void move_descriptors(passenger_backend *from, passenger_backend *to)
{
    while (from->descriptor_count > 0 && to->descriptor_count < PASSENGER_BACKEND_DESCRIPTORS) {
        to->descriptors[to->descriptor_count++] = passenger_backend_take_descriptor(from);
    }
}

static int is_running(const passenger_read_ahead *reader)
{
    return !reader->is_stopping && reader->status == PASSENGER_BACKEND_OK;
}

/* Receives once and keeps it. Descriptors go to the request's thread before more is received, so that each is there
 * with its frame. */
static void receive_once(passenger_read_ahead *reader)
{
    size_t length;
    struct pollfd watched = {.fd = reader->source.socket, .events = POLLIN};
    if (poll(&watched, 1, -1) < 0 && errno != EINTR) {
        return;
    }
    passenger_backend_status status = passenger_backend_receive(&reader->source, reader->buffer,
                                                                PASSENGER_RESPONSE_SPOOL_PIECE, &length);
    if (status == PASSENGER_BACKEND_AGAIN) {
        return;
    }
    pthread_mutex_lock(&reader->lock);
    reader->status = status;
    if (status == PASSENGER_BACKEND_OK) {
        keep_received(reader, length);
    }
    move_descriptors(&reader->source, &reader->received);
    signal_request_thread(reader);
    while (is_running(reader) && reader->received.descriptor_count > 0) {
        pthread_cond_wait(&reader->changed, &reader->lock);
    }
    pthread_mutex_unlock(&reader->lock);
}

static int goes_on(passenger_read_ahead *reader)
{
    pthread_mutex_lock(&reader->lock);
    int runs = is_running(reader);
    pthread_mutex_unlock(&reader->lock);
    return runs;
}

static void *run(void *data)
{
    passenger_read_ahead *reader = data;
    while (goes_on(reader)) {
        receive_once(reader);
    }
    return NULL;
}

/* Signals are for httpd's own threads. */
static int start_thread(passenger_read_ahead *reader)
{
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&reader->thread, &attributes, run, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

static void begin_lock(passenger_read_ahead *reader)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void release(passenger_read_ahead *reader)
{
    reader->source.socket = -1;    /* it is the request's */
    passenger_backend_close(&reader->source);
    passenger_backend_close(&reader->received);
    passenger_response_spool_end(&reader->spool);
    if (reader->spool.descriptor >= 0) {
        close(reader->spool.descriptor);
        reader->spool.descriptor = -1;
    }
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    free(reader->buffer);
    close(reader->readable);
    reader->is_started = 0;
}

int passenger_read_ahead_start(passenger_read_ahead *reader, passenger_backend *backend, int64_t limit,
                                   passenger_response_spool_open open, void *context)
{
    memset(reader, 0, sizeof(*reader));
    reader->backend = backend;
    reader->source = (passenger_backend){.socket = backend->socket, .descriptor_to_send = -1};
    reader->received = (passenger_backend){.socket = -1, .descriptor_to_send = -1};
    reader->stall_budget = PASSENGER_STALL_BUDGET_MILLISECONDS * INT64_C(1000);
    reader->buffer = malloc(PASSENGER_RESPONSE_SPOOL_PIECE);
    reader->readable = reader->buffer != NULL ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (reader->readable < 0) {
        int error = errno;
        free(reader->buffer);
        return error;
    }
    passenger_response_spool_begin(&reader->spool, limit, open, context);
    begin_lock(reader);
    int error = start_thread(reader);
    if (error != 0) {
        release(reader);
        return error;
    }
    reader->is_started = 1;
    return 0;
}

static passenger_backend_status receive_kept(passenger_read_ahead *reader, char *bytes, size_t size, size_t *length)
{
    const char *kept = passenger_response_spool_peek(&reader->spool, length);
    if (kept == NULL) {
        passenger_backend_status at_end = reader->status == PASSENGER_BACKEND_OK ? PASSENGER_BACKEND_AGAIN
                                                                                 : reader->status;
        return *length > 0 ? PASSENGER_BACKEND_FAILED : at_end;
    }
    *length = *length < size ? *length : size;
    memcpy(bytes, kept, *length);
    passenger_response_spool_discard(&reader->spool, *length);
    return PASSENGER_BACKEND_OK;
}

passenger_backend_status passenger_read_ahead_receive(passenger_read_ahead *reader, char *bytes, size_t size,
                                                          size_t *length)
{
    uint64_t count;
    pthread_mutex_lock(&reader->lock);
    move_descriptors(&reader->received, reader->backend);
    passenger_backend_status status = receive_kept(reader, bytes, size, length);
    if (status == PASSENGER_BACKEND_AGAIN) {
        ssize_t got = read(reader->readable, &count, sizeof(count));
        (void)got;  /* nothing: it was not readable */
    }
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    return status;
}

int passenger_read_ahead_file_error(passenger_read_ahead *reader)
{
    pthread_mutex_lock(&reader->lock);
    int error = reader->spool.file_error;
    pthread_mutex_unlock(&reader->lock);
    return error;
}

void passenger_read_ahead_stop(passenger_read_ahead *reader)
{
    if (!reader->is_started) {
        return;
    }
    pthread_mutex_lock(&reader->lock);
    reader->is_stopping = 1;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    shutdown(reader->source.socket, SHUT_RDWR);
    pthread_join(reader->thread, NULL);
    release(reader);
}
