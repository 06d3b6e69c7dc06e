/* backend_reader.h: a thread that takes what a worker sends while the request's own thread waits for the client.
 *
 * For clients that can only be given something by waiting for them (HTTP/2). What it takes lies in a spool until the
 * request's thread receives it. All functions are for that thread; the reader's own shares nothing else with it. Knows
 * no httpd.
 */
#ifndef JUMPSEAT_BACKEND_READER_H
#define JUMPSEAT_BACKEND_READER_H

#include <pthread.h>
#include <stdint.h>

#include "core/backend.h"
#include "output/response_spool.h"

typedef struct passenger_backend_reader {
    passenger_backend *backend;       /* the request's: descriptors end there */
    passenger_backend source;         /* the same connection; the reader's */
    int is_started;
    int event;                        /* an eventfd, readable while there is something to be received */
    char *buffer;                     /* malloc'ed; the reader's */
    pthread_t thread;
    pthread_mutex_t lock;             /* of all that follows */
    pthread_cond_t changed;           /* room has been made, or it is to stop */
    passenger_response_spool spool;
    passenger_backend arrived;        /* no connection: the descriptors that came with what lies in the spool */
    passenger_backend_status status;  /* OK until the worker has closed or failed */
    int is_stopping;
    int64_t patience;                 /* ns for which it may still wait for the client rather than use the file */
} passenger_backend_reader;

/* Starts reading from a connected backend, from which nothing is received otherwise until it is stopped. `limit`,
 * `open` and `context` are the spool's; `open` is called by the reader. Returns 0 or an errno, and then nothing runs. */
int passenger_backend_reader_start(passenger_backend_reader *reader, passenger_backend *backend, int64_t limit,
                                   passenger_response_spool_open open, void *context);

/* As passenger_backend_receive(): never waits. */
passenger_backend_status passenger_backend_reader_receive(passenger_backend_reader *reader, char *bytes, size_t size,
                                                          size_t *length);

/* What made the spool's file useless, an errno, or 0. */
int passenger_backend_reader_file_error(passenger_backend_reader *reader);

/* Shuts the connection down, ends the thread and frees what it had. May be called again, or without a start. */
void passenger_backend_reader_stop(passenger_backend_reader *reader);

#endif
