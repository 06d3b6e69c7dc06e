#include "request/spawner_call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/capabilities.h"
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

/* Waits until there is something to be received (by -1: for the time only). APR_SUCCESS, APR_TIMEUP, ECANCELED when
 * httpd stops, or why nothing can be waited for. */
static apr_status_t wait_readable(int descriptor, int stop_event, int milliseconds)
{
    struct pollfd polled[2] = {{.fd = descriptor, .events = POLLIN}, {.fd = stop_event, .events = POLLIN}};
    int count = poll(polled, 2, milliseconds);
    if (count < 0) {
        return errno == EINTR ? APR_SUCCESS : errno;
    }
    if (polled[1].revents != 0) {
        return ECANCELED;
    }
    return count > 0 ? APR_SUCCESS : APR_TIMEUP;
}

/* Waits for the answer's packet. */
static apr_status_t receive(int descriptor, int stop_event, char *bytes, apr_size_t size, apr_time_t deadline,
                            apr_size_t *length)
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
        apr_status_t rv = wait_readable(descriptor, stop_event, milliseconds_until(deadline));
        if (rv != APR_SUCCESS) {
            return rv;
        }
    }
}

/* One attempt, to its end. `bytes` has room for PASSENGER_CONTROL_MESSAGE_LIMIT bytes. */
static apr_status_t attempt(const passenger_question *question, char *bytes, apr_time_t deadline, apr_size_t *received)
{
    int descriptor;
    apr_status_t rv = connect_to(question->path, &descriptor);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    if (send(descriptor, question->bytes, question->length, MSG_NOSIGNAL) < 0) {
        rv = errno;
    }
    else {
        rv = receive(descriptor, question->stop_event, bytes, PASSENGER_CONTROL_MESSAGE_LIMIT, deadline, received);
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

apr_status_t passenger_spawner_ask(apr_pool_t *pool, const passenger_question *question, passenger_answer *answer)
{
    char *bytes = apr_palloc(pool, PASSENGER_CONTROL_MESSAGE_LIMIT);
    apr_status_t rv;
    answer->bytes = bytes;
    for (;;) {
        apr_time_t now = passenger_monotonic_now();
        apr_time_t until = now + apr_time_from_sec(ATTEMPT_SECONDS);
        rv = attempt(question, bytes, until < question->deadline ? until : question->deadline, &answer->length);
        if (!is_temporary(rv) || passenger_monotonic_now() >= question->deadline) {
            return rv;
        }
        apr_status_t paused = wait_readable(-1, question->stop_event, PAUSE_MILLISECONDS);
        if (paused != APR_SUCCESS && paused != APR_TIMEUP) {
            return paused;
        }
    }
}

passenger_answer_kind passenger_answer_read(const passenger_answer *answer, passenger_group_address *address,
                                            const char **reason)
{
    const char *type = passenger_netstring_find(answer->bytes, answer->length, "type");
    address->socket_path = passenger_netstring_find(answer->bytes, answer->length, "socket");
    address->token = passenger_netstring_find(answer->bytes, answer->length, "app_token");
    address->capabilities =
        passenger_capabilities_parse(passenger_netstring_find(answer->bytes, answer->length, "capabilities"));
    *reason = passenger_netstring_find(answer->bytes, answer->length, "reason");
    if (type != NULL && strcmp(type, "refused") == 0) {
        return PASSENGER_ANSWER_REFUSED;
    }
    return type != NULL && strcmp(type, "registered") == 0 && address->socket_path != NULL && address->token != NULL
               ? PASSENGER_ANSWER_REGISTERED : PASSENGER_ANSWER_MALFORMED;
}
