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

/* Receives a packet of at most PASSENGER_CONTROL_MESSAGE_LIMIT bytes, and into `*passed` the descriptor that may come with
 * it. Returns as recvmsg(). */
static ssize_t receive_packet(int socket, char *bytes, int *passed)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
    struct iovec room = {.iov_base = bytes, .iov_len = PASSENGER_CONTROL_MESSAGE_LIMIT};
    struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t received = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    const struct cmsghdr *header = received > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        memcpy(passed, CMSG_DATA(header), sizeof(int));
    }
    return received;
}

/* Waits for the answer's packet. */
static apr_status_t receive(int descriptor, int stop_event, apr_time_t deadline, char *bytes, passenger_answer *answer)
{
    for (;;) {
        ssize_t received = receive_packet(descriptor, bytes, &answer->descriptor);
        if (received > 0) {
            answer->length = (apr_size_t)received;
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
static apr_status_t attempt(const passenger_question *question, apr_time_t deadline, char *bytes,
                            passenger_answer *answer)
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
        rv = receive(descriptor, question->stop_event, deadline, bytes, answer);
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
    apr_status_t rv;
    char *bytes = apr_palloc(pool, PASSENGER_CONTROL_MESSAGE_LIMIT);
    *answer = (passenger_answer){.bytes = bytes, .descriptor = -1};
    for (;;) {
        apr_time_t now = passenger_monotonic_now();
        apr_time_t until = now + apr_time_from_sec(ATTEMPT_SECONDS);
        rv = attempt(question, until < question->deadline ? until : question->deadline, bytes, answer);
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
    address->load = NULL;
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
