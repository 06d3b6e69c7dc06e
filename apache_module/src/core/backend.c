#include "core/backend.h"

#include <errno.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/closer.h"

static int connect_socket(int descriptor, const struct sockaddr_un *address)
{
    while (connect(descriptor, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

void passenger_backend_adopt(passenger_backend *backend, int socket)
{
    memset(backend, 0, sizeof(*backend));
    backend->socket = socket;
    backend->descriptor_to_send = -1;
}

int passenger_backend_connect(passenger_backend *backend, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    passenger_backend_adopt(backend, -1);
    if (strlen(path) >= sizeof(address.sun_path)) {
        return ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    backend->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (backend->socket < 0) {
        return errno;
    }
    int error = connect_socket(backend->socket, &address);
    if (error != 0) {
        passenger_backend_close(backend);
    }
    return error;
}

void passenger_backend_queue(passenger_backend *backend, const char *bytes, size_t length)
{
    struct iovec *piece = backend->unsent[0].iov_len == 0 ? &backend->unsent[0] : &backend->unsent[1];
    piece->iov_base = (void *)bytes;
    piece->iov_len = length;
}

int passenger_backend_is_sending(const passenger_backend *backend)
{
    return backend->unsent[0].iov_len > 0 || backend->unsent[1].iov_len > 0;
}

static void attach_descriptor(struct msghdr *message, char *control, size_t size, int descriptor)
{
    message->msg_control = control;
    message->msg_controllen = size;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
}

static void drop_sent(passenger_backend *backend, size_t sent)
{
    for (int index = 0; index < PASSENGER_BACKEND_QUEUE_LENGTH; index++) {
        struct iovec *piece = &backend->unsent[index];
        size_t part = sent < piece->iov_len ? sent : piece->iov_len;
        if (part > 0) {
            piece->iov_base = (char *)piece->iov_base + part;
            piece->iov_len -= part;
            sent -= part;
        }
    }
}

passenger_backend_status passenger_backend_send(passenger_backend *backend)
{
    while (passenger_backend_is_sending(backend)) {
        _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
        struct msghdr message = {.msg_iov = backend->unsent, .msg_iovlen = PASSENGER_BACKEND_QUEUE_LENGTH};
        if (backend->descriptor_to_send >= 0) {
            attach_descriptor(&message, control, sizeof(control), backend->descriptor_to_send);
        }
        ssize_t sent = sendmsg(backend->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) {
            backend->descriptor_to_send = -1;
            backend->has_sent = 1;
            drop_sent(backend, (size_t)sent);
        }
        else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return PASSENGER_BACKEND_AGAIN;
        }
        else if (errno == EPIPE || errno == ECONNRESET) {
            memset(backend->unsent, 0, sizeof(backend->unsent));
            return PASSENGER_BACKEND_CLOSED;
        }
        else if (errno != EINTR) {
            return PASSENGER_BACKEND_FAILED;
        }
    }
    return PASSENGER_BACKEND_OK;
}

enum { MOST_DESCRIPTORS = 253 };  /* that the kernel passes with one message (SCM_MAX_FD) */

/* Keeps the descriptors that came with a message; closes those for which there is no room. */
static void keep_descriptors(passenger_backend *backend, struct msghdr *message)
{
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + index * sizeof(int), sizeof(int));
            if (backend->descriptor_count < PASSENGER_BACKEND_DESCRIPTORS) {
                backend->descriptors[backend->descriptor_count++] = descriptor;
            }
            else {
                passenger_close_later(descriptor);
            }
        }
    }
}

passenger_backend_status passenger_backend_receive(passenger_backend *backend, char *bytes, size_t size,
                                                   size_t *length)
{
    /* Room for all: the kernel would close here what has no room, and that may block. */
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(MOST_DESCRIPTORS * sizeof(int))];
    struct iovec room = {.iov_base = bytes, .iov_len = size};
    struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t received;
    do {
        received = recvmsg(backend->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    *length = received > 0 ? (size_t)received : 0;
    if (received > 0) {
        keep_descriptors(backend, &message);
        return PASSENGER_BACKEND_OK;
    }
    /* A worker that closes with unread bytes resets the connection: for us that is its end. */
    if (received == 0 || errno == ECONNRESET) {
        backend->is_at_end = 1;
        backend->is_reset = received < 0;
        return PASSENGER_BACKEND_CLOSED;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK ? PASSENGER_BACKEND_AGAIN : PASSENGER_BACKEND_FAILED;
}

int passenger_backend_is_read(const passenger_backend *backend)
{
    int unread;
    return ioctl(backend->socket, SIOCOUTQ, &unread) == 0 && unread == 0;
}

int passenger_backend_take_descriptor(passenger_backend *backend)
{
    if (backend->descriptor_count == 0) {
        return -1;
    }
    int oldest = backend->descriptors[0];
    backend->descriptor_count--;
    memmove(backend->descriptors, backend->descriptors + 1, (size_t)backend->descriptor_count * sizeof(int));
    return oldest;
}

/* What is in the socket: more than 0 if bytes, 0 at its end, -1 if there is nothing now. */
static ssize_t look_into(int descriptor)
{
    char byte;
    return recv(descriptor, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
}

int passenger_backend_is_quiet(int socket)
{
    return look_into(socket) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/* Closes the socket. If the worker has sent more than was received, there may be descriptors in it, and the kernel
 * would close these here, too: this socket is closed elsewhere. Most workers have closed their end by now; of the
 * others nothing comes any more after the shutdown. */
static void close_socket(int descriptor, int is_at_end)
{
    ssize_t found = is_at_end ? 0 : look_into(descriptor);
    if (found < 0 && shutdown(descriptor, SHUT_RD) == 0) {
        found = look_into(descriptor);
    }
    if (found > 0) {
        passenger_close_later(descriptor);
    }
    else {
        close(descriptor);
    }
}

void passenger_backend_close(passenger_backend *backend)
{
    while (backend->descriptor_count > 0) {
        passenger_close_later(backend->descriptors[--backend->descriptor_count]);
    }
    if (backend->socket >= 0) {
        close_socket(backend->socket, backend->is_at_end);
        backend->socket = -1;
    }
    memset(backend->unsent, 0, sizeof(backend->unsent));
}
