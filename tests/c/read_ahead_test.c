#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "output/read_ahead.h"
#include "check.h"

enum { MEGABYTE = 1024 * 1024 };

static int open_file(void *context)
{
    FILE **file = context;
    *file = tmpfile();
    return fileno(*file);
}

static int open_nothing(void *context)
{
    (void)context;
    errno = ENOSPC;
    return -1;
}

typedef struct connection {
    passenger_backend backend;
    passenger_read_ahead reader;
    FILE *file;
    int worker;    /* its end of the line */
    pthread_t thread;
    size_t length;    /* to be sent by the worker's thread */
    _Atomic size_t sent;
} connection;

static void begin(connection *it, int64_t limit, passenger_response_spool_open open)
{
    int ends[2];
    memset(it, 0, sizeof(*it));
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    it->worker = ends[0];
    it->backend = (passenger_backend){.socket = ends[1], .descriptor_to_send = -1};
    CHECK(passenger_read_ahead_start(&it->reader, &it->backend, limit, open, &it->file) == 0);
}

static void end(connection *it)
{
    passenger_read_ahead_stop(&it->reader);
    passenger_read_ahead_stop(&it->reader);
    passenger_backend_close(&it->backend);
    if (it->file != NULL) {
        fclose(it->file);
    }
}

static char byte_at(size_t position)
{
    return (char)(position * 31 + position / 251);
}

/* The worker: sends its bytes and closes. */
static void *send_all(void *data)
{
    connection *it = data;
    char piece[4096];
    while (it->sent < it->length) {
        for (size_t index = 0; index < sizeof(piece); index++) {
            piece[index] = byte_at(it->sent + index);
        }
        if (send(it->worker, piece, sizeof(piece), MSG_NOSIGNAL) != (ssize_t)sizeof(piece)) {
            break;
        }
        it->sent += sizeof(piece);
    }
    close(it->worker);
    return NULL;
}

static void start_worker(connection *it, size_t length)
{
    it->length = length;
    CHECK(pthread_create(&it->thread, NULL, send_all, it) == 0);
}

/* Receives to the end, waiting by the event; returns how many bytes came, all of which are checked. */
static size_t receive_all(connection *it)
{
    char bytes[10000];
    size_t total = 0;
    for (;;) {
        size_t length;
        passenger_backend_status status = passenger_read_ahead_receive(&it->reader, bytes, sizeof(bytes), &length);
        if (status == PASSENGER_BACKEND_CLOSED) {
            return total;
        }
        if (status == PASSENGER_BACKEND_AGAIN) {
            struct pollfd watched = {.fd = it->reader.readable, .events = POLLIN};
            CHECK(poll(&watched, 1, 20000) == 1);
            continue;
        }
        CHECK(status == PASSENGER_BACKEND_OK);
        for (size_t index = 0; index < length; index++) {
            CHECK(bytes[index] == byte_at(total + index));
        }
        total += length;
    }
}

TEST(the_worker_is_done_though_nobody_receives)
{
    connection it;
    begin(&it, 0, open_file);
    start_worker(&it, 8 * MEGABYTE);
    CHECK(pthread_join(it.thread, NULL) == 0);
    CHECK(it.sent == 8 * MEGABYTE);
    CHECK(receive_all(&it) == 8 * MEGABYTE && it.file != NULL);
    end(&it);
}

TEST(a_receiver_that_keeps_up_gets_all_in_order)
{
    connection it;
    begin(&it, 0, open_file);
    start_worker(&it, 8 * MEGABYTE);
    CHECK(receive_all(&it) == 8 * MEGABYTE);
    CHECK(pthread_join(it.thread, NULL) == 0);
    end(&it);
}

TEST(without_room_the_worker_waits_and_nothing_is_lost)
{
    connection it;
    begin(&it, 0, open_nothing);
    start_worker(&it, 4 * MEGABYTE);
    while (passenger_read_ahead_file_error(&it.reader) == 0) {
        usleep(1000);
    }
    CHECK(passenger_read_ahead_file_error(&it.reader) == ENOSPC);
    CHECK(it.sent < 4 * MEGABYTE);
    CHECK(receive_all(&it) == 4 * MEGABYTE);
    CHECK(pthread_join(it.thread, NULL) == 0);
    end(&it);
}

TEST(it_ends_at_once_while_the_worker_is_silent_or_waits_for_room)
{
    connection it;
    begin(&it, 0, open_file);
    end(&it);
    close(it.worker);
    begin(&it, 65536, open_file);
    start_worker(&it, 4 * MEGABYTE);
    end(&it);
    CHECK(pthread_join(it.thread, NULL) == 0);
    CHECK(it.sent < 4 * MEGABYTE);
}

static void send_descriptor(int line, const char *byte)
{
    int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec piece = {.iov_base = (void *)byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof(control)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &descriptor, sizeof(int));
    CHECK(sendmsg(line, &message, 0) == 1);
    close(descriptor);
}

/* The worker: sends descriptors, each with its byte, some of them while they are waited for, and closes. */
static void *send_descriptors(void *data)
{
    connection *it = data;
    for (int count = 0; count < 50; count++) {
        send_descriptor(it->worker, "f");
        usleep(count % 10 == 0 ? 1000 : 0);
    }
    close(it->worker);
    return NULL;
}

TEST(each_of_many_descriptors_is_there_when_its_byte_is)
{
    connection it;
    size_t length;
    char bytes[100];
    int taken = 0;
    begin(&it, 0, open_file);
    CHECK(pthread_create(&it.thread, NULL, send_descriptors, &it) == 0);
    for (;;) {
        passenger_backend_status status = passenger_read_ahead_receive(&it.reader, bytes, sizeof(bytes), &length);
        if (status == PASSENGER_BACKEND_CLOSED) {
            break;
        }
        for (size_t index = 0; index < length; index++) {
            int descriptor = passenger_backend_take_descriptor(&it.backend);
            CHECK(descriptor >= 0);
            close(descriptor);
            taken++;
        }
    }
    CHECK(taken == 50);
    CHECK(pthread_join(it.thread, NULL) == 0);
    end(&it);
}

TESTS(RUN(the_worker_is_done_though_nobody_receives),
      RUN(a_receiver_that_keeps_up_gets_all_in_order),
      RUN(without_room_the_worker_waits_and_nothing_is_lost),
      RUN(it_ends_at_once_while_the_worker_is_silent_or_waits_for_room),
      RUN(each_of_many_descriptors_is_there_when_its_byte_is))
