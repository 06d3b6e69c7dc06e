/* backend.h: one connection to the socket of an app group.
 *
 * Plain non-blocking sockets; knows no httpd and nothing of requests. One per attempt to forward a request, for one
 * thread. The owner closes it by passenger_backend_close(), which also closes received descriptors that nobody took. No
 * function blocks, whatever the worker has sent (closer.h).
 */
#ifndef JUMPSEAT_BACKEND_H
#define JUMPSEAT_BACKEND_H

#include <stddef.h>
#include <sys/uio.h>

enum {
    PASSENGER_BACKEND_QUEUE_LENGTH = 2,  /* runs of bytes that may wait to be sent */
    PASSENGER_BACKEND_DESCRIPTORS = 8    /* received ones that may wait to be taken; further ones are closed */
};

typedef enum passenger_backend_status {
    PASSENGER_BACKEND_OK,
    PASSENGER_BACKEND_AGAIN,     /* not now: poll */
    PASSENGER_BACKEND_CLOSED,    /* receiving: end of file. Sending: the worker takes nothing more */
    PASSENGER_BACKEND_FAILED     /* see errno */
} passenger_backend_status;

typedef struct passenger_backend {
    int socket;                                          /* -1: not connected */
    struct iovec unsent[PASSENGER_BACKEND_QUEUE_LENGTH]; /* queued bytes; they belong to the caller */
    int descriptor_to_send;                              /* goes with the first byte; the caller's; -1: none */
    int descriptors[PASSENGER_BACKEND_DESCRIPTORS];      /* received, not yet taken, in order; owned */
    int descriptor_count;
    int is_at_end;                                       /* nothing more can be received */
    int has_sent;                                        /* a byte has been sent */
    int is_reset;                                        /* the worker has ended without reading all that was sent */
} passenger_backend;

/* Connects without waiting. Returns 0 or an errno: EAGAIN means that the queue is full. */
int passenger_backend_connect(passenger_backend *backend, const char *path);

/* Makes a connected socket of this kind the backend's; -1: it is not connected. */
void passenger_backend_adopt(passenger_backend *backend, int socket);

/* Whether a connected socket is open and has nothing to be received. */
int passenger_backend_is_quiet(int socket);

/* Whether all that was sent has been read by the worker. */
int passenger_backend_is_read(const passenger_backend *backend);

/* Queues bytes, which must stay valid until they are sent. At most PASSENGER_BACKEND_QUEUE_LENGTH runs at a time. */
void passenger_backend_queue(passenger_backend *backend, const char *bytes, size_t length);

/* Whether queued bytes wait to be sent. */
int passenger_backend_is_sending(const passenger_backend *backend);

/* Sends what it can: OK when nothing is left. After CLOSED nothing is queued any more. */
passenger_backend_status passenger_backend_send(passenger_backend *backend);

/* Receives up to `size` bytes, and descriptors. OK with `*length` > 0, or why not. */
passenger_backend_status passenger_backend_receive(passenger_backend *backend, char *bytes, size_t size,
                                                   size_t *length);

/* The oldest received descriptor, now the caller's; -1 when there is none. */
int passenger_backend_take_descriptor(passenger_backend *backend);

/* Closes the connection and what was received with it. May be called again. */
void passenger_backend_close(passenger_backend *backend);

#endif
