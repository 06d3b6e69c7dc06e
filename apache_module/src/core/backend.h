/* backend.h: one connection to the socket of an app group.
 *
 * Plain non-blocking sockets; knows nothing of requests. The owner closes it, by passenger_backend_close(), which also
 * closes descriptors that came and were not taken. For one thread.
 */
#ifndef JUMPSEAT_BACKEND_H
#define JUMPSEAT_BACKEND_H

#include <stddef.h>
#include <sys/uio.h>

enum {
    PASSENGER_BACKEND_PIECES = 2,       /* runs of bytes that may wait to be sent */
    PASSENGER_BACKEND_DESCRIPTORS = 8   /* that may wait to be taken; further ones are closed */
};

typedef enum passenger_backend_status {
    PASSENGER_BACKEND_OK,
    PASSENGER_BACKEND_AGAIN,     /* not now: poll */
    PASSENGER_BACKEND_CLOSED,    /* receiving: end of file. Sending: the worker takes nothing more */
    PASSENGER_BACKEND_FAILED     /* see errno */
} passenger_backend_status;

typedef struct passenger_backend {
    int socket;                                        /* -1: not connected */
    struct iovec pieces[PASSENGER_BACKEND_PIECES];     /* still to be sent; they belong to the caller */
    int attached;                                      /* to be sent with the first byte, -1: none; the caller's */
    int descriptors[PASSENGER_BACKEND_DESCRIPTORS];    /* received, not yet taken, in order; owned */
    int descriptor_count;
} passenger_backend;

/* Connects without waiting. Returns 0 or an errno: EAGAIN means that the queue is full. */
int passenger_backend_connect(passenger_backend *backend, const char *path);

/* Adds bytes to be sent; they must stay until they are. At most PASSENGER_BACKEND_PIECES at a time. */
void passenger_backend_queue(passenger_backend *backend, const char *bytes, size_t length);

/* Whether queued bytes wait to be sent. */
int passenger_backend_is_sending(const passenger_backend *backend);

/* Sends what it can: OK when nothing is left. After CLOSED nothing is queued any more. */
passenger_backend_status passenger_backend_send(passenger_backend *backend);

/* Receives up to `size` bytes, and descriptors. OK with `*length` > 0, or why not. */
passenger_backend_status passenger_backend_receive(passenger_backend *backend, char *bytes, size_t size,
                                                   size_t *length);

/* The oldest descriptor that came, now the caller's; -1 when there is none. */
int passenger_backend_take_descriptor(passenger_backend *backend);

void passenger_backend_close(passenger_backend *backend);

#endif
