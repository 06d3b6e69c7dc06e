#include "output/backend_reader.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { STACK_SIZE = 256 * 1024, NANOSECONDS = 1000000000 };

/* Nanoseconds. A client that takes nothing for so long is slow, and its response goes into a file; how long, in all, the
 * worker waits for one that is not. As in delivery.c. */
static const int64_t STALL = 10 * 1000 * 1000;
static const int64_t PATIENCE = 250 * 1000 * 1000;

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * NANOSECONDS + time.tv_nsec;
}

static void tell(const passenger_backend_reader *reader)
{
    uint64_t one = 1;
    ssize_t written = write(reader->event, &one, sizeof(one));
    (void)written;  /* full: it is readable anyway */
}

/* Waits, while the memory is full, for the client to make room, as long as patience lasts. With the lock. */
static void be_patient(passenger_backend_reader *reader, size_t length)
{
    while (!reader->is_stopping && reader->patience > 0
           && passenger_response_spool_needs_file(&reader->spool, length)) {
        int64_t began = now();
        int64_t until = began + (reader->patience < STALL ? reader->patience : STALL);
        struct timespec deadline = {.tv_sec = (time_t)(until / NANOSECONDS), .tv_nsec = (long)(until % NANOSECONDS)};
        int is_slow = pthread_cond_timedwait(&reader->changed, &reader->lock, &deadline) == ETIMEDOUT;
        reader->patience = is_slow ? 0 : reader->patience - (now() - began);
    }
}

/* Keeps what has come; waits for room when there is none. With the lock. */
static void keep(passenger_backend_reader *reader, size_t length)
{
    be_patient(reader, length);
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

static int is_going_on(const passenger_backend_reader *reader)
{
    return !reader->is_stopping && reader->status == PASSENGER_BACKEND_OK;
}

/* Receives once and keeps it. A descriptor goes over before more is received, so that each meets its frame. */
static void take_once(passenger_backend_reader *reader)
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
        keep(reader, length);
    }
    move_descriptors(&reader->source, &reader->arrived);
    tell(reader);
    while (is_going_on(reader) && reader->arrived.descriptor_count > 0) {
        pthread_cond_wait(&reader->changed, &reader->lock);
    }
    pthread_mutex_unlock(&reader->lock);
}

static int has_more(passenger_backend_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    int going_on = is_going_on(reader);
    pthread_mutex_unlock(&reader->lock);
    return going_on;
}

static void *run(void *data)
{
    passenger_backend_reader *reader = data;
    while (has_more(reader)) {
        take_once(reader);
    }
    return NULL;
}

/* Signals are for httpd's own threads. */
static int start_thread(passenger_backend_reader *reader)
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

static void begin_lock(passenger_backend_reader *reader)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void release(passenger_backend_reader *reader)
{
    reader->source.socket = -1;    /* it is the request's */
    passenger_backend_close(&reader->source);
    passenger_backend_close(&reader->arrived);
    passenger_response_spool_end(&reader->spool);
    if (reader->spool.descriptor >= 0) {
        close(reader->spool.descriptor);
        reader->spool.descriptor = -1;
    }
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    free(reader->buffer);
    close(reader->event);
    reader->is_started = 0;
}

int passenger_backend_reader_start(passenger_backend_reader *reader, passenger_backend *backend, int64_t limit,
                                   passenger_response_spool_open open, void *context)
{
    memset(reader, 0, sizeof(*reader));
    reader->backend = backend;
    reader->source = (passenger_backend){.socket = backend->socket, .attached = -1};
    reader->arrived = (passenger_backend){.socket = -1, .attached = -1};
    reader->patience = PATIENCE;
    reader->buffer = malloc(PASSENGER_RESPONSE_SPOOL_PIECE);
    reader->event = reader->buffer != NULL ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (reader->event < 0) {
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

static passenger_backend_status receive_kept(passenger_backend_reader *reader, char *bytes, size_t size, size_t *length)
{
    const char *kept = passenger_response_spool_peek(&reader->spool, length);
    if (kept == NULL) {
        passenger_backend_status at_end = reader->status == PASSENGER_BACKEND_OK ? PASSENGER_BACKEND_AGAIN
                                                                                 : reader->status;
        return *length > 0 ? PASSENGER_BACKEND_FAILED : at_end;
    }
    *length = *length < size ? *length : size;
    memcpy(bytes, kept, *length);
    passenger_response_spool_drop(&reader->spool, *length);
    return PASSENGER_BACKEND_OK;
}

passenger_backend_status passenger_backend_reader_receive(passenger_backend_reader *reader, char *bytes, size_t size,
                                                          size_t *length)
{
    uint64_t count;
    pthread_mutex_lock(&reader->lock);
    move_descriptors(&reader->arrived, reader->backend);
    passenger_backend_status status = receive_kept(reader, bytes, size, length);
    if (status == PASSENGER_BACKEND_AGAIN) {
        ssize_t got = read(reader->event, &count, sizeof(count));
        (void)got;  /* nothing: it was not readable */
    }
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    return status;
}

int passenger_backend_reader_file_error(passenger_backend_reader *reader)
{
    pthread_mutex_lock(&reader->lock);
    int error = reader->spool.file_error;
    pthread_mutex_unlock(&reader->lock);
    return error;
}

void passenger_backend_reader_stop(passenger_backend_reader *reader)
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
