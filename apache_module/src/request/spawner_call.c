#include "request/spawner_call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/deadlines.h"
#include "core/netstring.h"

enum {
    PAUSE_MILLISECONDS = 50,      /* between attempts */
    ATTEMPT_SECONDS = 5           /* most for one answer: a spawner that hangs may be replaced meanwhile */
};

static int milliseconds_until(apr_time_t deadline)
{
    apr_time_t left = deadline - passenger_monotonic_now();
    return left > 0 ? (int)apr_time_as_msec(left) + 1 : 0;
}

static apr_status_t connect_to(const char *path, int *descriptor)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path)) {
        return ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    *descriptor = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*descriptor < 0) {
        return errno;
    }
    if (connect(*descriptor, (struct sockaddr *)&address, sizeof(address)) != 0) {
        apr_status_t rv = errno;
        close(*descriptor);
        return rv;
    }
    return APR_SUCCESS;
}

apr_status_t passenger_spawner_send(const char *path, const char *message, apr_size_t length)
{
    int descriptor;
    apr_status_t rv = connect_to(path, &descriptor);
    if (rv == APR_SUCCESS) {
        rv = send(descriptor, message, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? errno : APR_SUCCESS;
        close(descriptor);
    }
    return rv;
}

/* Waits for the answer's packet. */
static apr_status_t receive(int descriptor, char *bytes, apr_size_t size, apr_time_t deadline, apr_size_t *length)
{
    for (;;) {
        ssize_t received = recv(descriptor, bytes, size, MSG_DONTWAIT);
        if (received > 0) {
            *length = (apr_size_t)received;
            return APR_SUCCESS;
        }
        if (received == 0) {
            return ECONNRESET;
        }
        if (errno != EAGAIN && errno != EINTR) {
            return errno;
        }
        struct pollfd waiting = {.fd = descriptor, .events = POLLIN};
        if (poll(&waiting, 1, milliseconds_until(deadline)) == 0) {
            return APR_TIMEUP;
        }
    }
}

/* One attempt, to its end. */
static apr_status_t attempt(const char *path, const char *question, apr_size_t length, char *bytes, apr_time_t deadline,
                            apr_size_t *received)
{
    int descriptor;
    apr_status_t rv = connect_to(path, &descriptor);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (send(descriptor, question, length, MSG_NOSIGNAL) < 0) {
        rv = errno;
    }
    else {
        rv = receive(descriptor, bytes, PASSENGER_CONTROL_MESSAGE_LIMIT, deadline, received);
    }
    close(descriptor);
    return rv;
}

/* Whether another attempt may succeed: the spawner is being restarted, or its queue is full. */
static int is_temporary(apr_status_t rv)
{
    return rv == ENOENT || rv == ECONNREFUSED || rv == ECONNRESET || rv == EPIPE || rv == EAGAIN || rv == ENOTCONN
           || rv == APR_TIMEUP;
}

apr_status_t passenger_spawner_ask(apr_pool_t *pool, const char *path, const char *question, apr_size_t length,
                                   apr_time_t deadline, passenger_answer *answer)
{
    char *bytes = apr_palloc(pool, PASSENGER_CONTROL_MESSAGE_LIMIT);
    apr_status_t rv;
    answer->bytes = bytes;
    for (;;) {
        apr_time_t now = passenger_monotonic_now();
        apr_time_t until = now + apr_time_from_sec(ATTEMPT_SECONDS);
        rv = attempt(path, question, length, bytes, until < deadline ? until : deadline, &answer->length);
        if (!is_temporary(rv) || passenger_monotonic_now() >= deadline) {
            return rv;
        }
        poll(NULL, 0, PAUSE_MILLISECONDS);
    }
}
