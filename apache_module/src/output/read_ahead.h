/* read_ahead.h: a thread that takes what a worker sends while the request's own thread waits for the client.
 *
 * For clients that cannot be polled (HTTP/2): sending to them blocks. What the thread reads lies in a spool until the
 * request's thread receives it. All functions are for the request's thread; the thread of the read-ahead shares nothing
 * with it but what the lock guards. One per response; passenger_read_ahead_stop() frees what it had. No function waits
 * for worker or client; the file of the spool may block as disks do. Knows no httpd.
 */
#ifndef JUMPSEAT_READ_AHEAD_H
#define JUMPSEAT_READ_AHEAD_H

#include <pthread.h>
#include <stdint.h>

#include "core/backend.h"
#include "output/response_spool.h"

typedef struct passenger_read_ahead {
    passenger_backend *backend;       /* the request's: received descriptors end there */
    passenger_backend source;         /* the same connection; the thread's */
    int is_started;
    int readable;                     /* an eventfd, readable while there is something to receive */
    char *buffer;                     /* malloc'ed; the thread's */
    pthread_t thread;
    pthread_mutex_t lock;             /* of all that follows */
    pthread_cond_t changed;           /* there is room again, or the thread is to stop */
    passenger_response_spool spool;
    passenger_backend received;       /* no connection: the descriptors that came with what lies in the spool */
    passenger_backend_status status;  /* OK until the worker has closed or failed */
    int is_stopping;
    int64_t stall_budget;             /* microseconds for which the thread may still wait rather than use the file */
} passenger_read_ahead;

/* Starts to read from a connected backend. Nobody else receives from it until the read-ahead is stopped. `limit`,
 * `open` and `context` are the spool's; the thread calls `open`. Returns 0, or an errno: then nothing runs. */
int passenger_read_ahead_start(passenger_read_ahead *reader, passenger_backend *backend, int64_t limit,
                               passenger_response_spool_open open, void *context);

/* As passenger_backend_receive(): never waits for the worker. */
passenger_backend_status passenger_read_ahead_receive(passenger_read_ahead *reader, char *bytes, size_t size,
                                                      size_t *length);

/* The errno that ended the use of the spool's file, or 0. */
int passenger_read_ahead_file_error(passenger_read_ahead *reader);

/* Shuts the connection down, ends the thread and frees what it had. May be called again, or without a start. */
void passenger_read_ahead_stop(passenger_read_ahead *reader);

#endif
