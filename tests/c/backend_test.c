#include "core/backend.h"
#include "core/closer.h"
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A listening socket in a folder of its own, and the worker's end of one connection to it. */
typedef struct worker {
    char folder[64];
    char path[80];
    int listener;
    int connection;
} worker;

static worker listening(int backlog)
{
    worker made = {.connection = -1};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(made.folder, "backend-test-XXXXXX");
    CHECK(mkdtemp(made.folder) != NULL);
    snprintf(made.path, sizeof(made.path), "%s/socket", made.folder);
    memcpy(address.sun_path, made.path, strlen(made.path) + 1);
    made.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(bind(made.listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(listen(made.listener, backlog) == 0);
    return made;
}

static void finish(worker *made)
{
    if (made->connection >= 0) {
        close(made->connection);
    }
    close(made->listener);
    unlink(made->path);
    rmdir(made->folder);
}

static worker connected(passenger_backend *backend)
{
    worker made = listening(4);
    CHECK(passenger_backend_connect(backend, made.path) == 0);
    made.connection = accept(made.listener, NULL, NULL);
    CHECK(made.connection >= 0);
    return made;
}

static void send_descriptors(int connection, const char *bytes, const int *descriptors, size_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec run = {.iov_base = (void *)bytes, .iov_len = strlen(bytes)};
    struct msghdr message = {.msg_iov = &run, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = CMSG_SPACE(count * sizeof(int))};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    CHECK(sendmsg(connection, &message, 0) == (ssize_t)strlen(bytes));
}

static int open_descriptors(void)
{
    int count = 0;
    for (int descriptor = 0; descriptor < 256; descriptor++) {
        count += fcntl(descriptor, F_GETFD) >= 0;
    }
    return count;
}

TEST(both_queued_pieces_arrive_in_order)
{
    passenger_backend backend;
    worker made = connected(&backend);
    char bytes[32];
    passenger_backend_queue(&backend, "head ", 5);
    passenger_backend_queue(&backend, "body", 4);
    CHECK(passenger_backend_is_sending(&backend));
    CHECK(passenger_backend_send(&backend) == PASSENGER_BACKEND_OK);
    CHECK(!passenger_backend_is_sending(&backend));
    CHECK(recv(made.connection, bytes, sizeof(bytes), 0) == 9 && memcmp(bytes, "head body", 9) == 0);
    passenger_backend_close(&backend);
    finish(&made);
}

TEST(what_the_socket_does_not_take_is_sent_later)
{
    enum { SIZE = 4 * 1024 * 1024 };
    passenger_backend backend;
    worker made = connected(&backend);
    char *bytes = calloc(1, SIZE);
    char *copy = malloc(SIZE);
    size_t received = 0;
    for (size_t index = 0; index < SIZE; index++) {
        bytes[index] = (char)(index * 7 / 5);
    }
    passenger_backend_queue(&backend, bytes, 5);
    passenger_backend_queue(&backend, bytes + 5, SIZE - 5);
    CHECK(passenger_backend_send(&backend) == PASSENGER_BACKEND_AGAIN);
    while (received < SIZE) {
        ssize_t got = recv(made.connection, copy + received, SIZE - received, 0);
        CHECK(got > 0);
        received += (size_t)got;
        CHECK(passenger_backend_send(&backend) != PASSENGER_BACKEND_FAILED);
    }
    CHECK(memcmp(bytes, copy, SIZE) == 0);
    free(bytes);
    free(copy);
    passenger_backend_close(&backend);
    finish(&made);
}

TEST(an_attached_descriptor_travels_once_with_the_first_byte)
{
    passenger_backend backend;
    worker made = connected(&backend);
    passenger_backend receiver = {.socket = made.connection, .descriptor_to_send = -1};
    char bytes[32];
    size_t length;
    int pipe_ends[2];
    CHECK(pipe(pipe_ends) == 0);
    backend.descriptor_to_send = pipe_ends[0];
    passenger_backend_queue(&backend, "head", 4);
    CHECK(passenger_backend_send(&backend) == PASSENGER_BACKEND_OK);
    passenger_backend_queue(&backend, "more", 4);
    CHECK(passenger_backend_send(&backend) == PASSENGER_BACKEND_OK);
    CHECK(passenger_backend_receive(&receiver, bytes, sizeof(bytes), &length) == PASSENGER_BACKEND_OK);
    CHECK(length == 4);
    int received = passenger_backend_take_descriptor(&receiver);
    CHECK(received >= 0 && (fcntl(received, F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(write(pipe_ends[1], "x", 1) == 1 && read(received, bytes, 1) == 1);
    CHECK(passenger_backend_receive(&receiver, bytes, sizeof(bytes), &length) == PASSENGER_BACKEND_OK);
    CHECK(passenger_backend_take_descriptor(&receiver) == -1);
    close(received);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    passenger_backend_close(&backend);
    finish(&made);
}

/* Descriptors that a worker has sent for nothing are closed by a thread. */
static void wait_for_closer(void)
{
    while (passenger_close_waiting() > 0) {
        poll(NULL, 0, 1);
    }
}

TEST(a_connection_whose_queue_holds_descriptors_is_not_closed_in_this_thread)
{
    int before = open_descriptors();
    passenger_backend backend;
    worker made = connected(&backend);
    int listener = made.listener;
    send_descriptors(made.connection, "x", &listener, 1);
    passenger_backend_close(&backend);
    wait_for_closer();
    CHECK(send(made.connection, "y", 1, MSG_NOSIGNAL) == -1);
    finish(&made);
    CHECK(open_descriptors() == before);
}

TEST(descriptors_that_nobody_takes_are_closed)
{
    int before = open_descriptors();
    passenger_backend backend;
    worker made = connected(&backend);
    int same[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    char bytes[8];
    size_t length;
    for (int round = 0; round < 5; round++) {
        send_descriptors(made.connection, "x", same, 8);
        CHECK(passenger_backend_receive(&backend, bytes, sizeof(bytes), &length) == PASSENGER_BACKEND_OK);
        CHECK(backend.descriptor_count == PASSENGER_BACKEND_DESCRIPTORS);
    }
    passenger_backend_close(&backend);
    finish(&made);
    wait_for_closer();
    CHECK(open_descriptors() == before);
}

TEST(more_descriptors_in_one_message_than_there_is_room_for_are_not_leaked)
{
    int before = open_descriptors();
    passenger_backend backend;
    worker made = connected(&backend);
    int same[16] = {0};
    char bytes[8];
    size_t length;
    send_descriptors(made.connection, "x", same, 16);
    CHECK(passenger_backend_receive(&backend, bytes, sizeof(bytes), &length) == PASSENGER_BACKEND_OK);
    passenger_backend_close(&backend);
    finish(&made);
    wait_for_closer();
    CHECK(open_descriptors() == before);
}

TEST(a_full_queue_is_told_apart_from_a_missing_socket_and_a_dead_one)
{
    passenger_backend backends[8];
    worker made = listening(1);
    int error = 0;
    int count = 0;
    while (error == 0 && count < 8) {
        error = passenger_backend_connect(&backends[count++], made.path);
    }
    CHECK(error == EAGAIN);
    for (int index = 0; index < count; index++) {
        passenger_backend_close(&backends[index]);
    }
    close(made.listener);
    CHECK(passenger_backend_connect(&backends[0], made.path) == ECONNREFUSED);
    unlink(made.path);
    CHECK(passenger_backend_connect(&backends[0], made.path) == ENOENT);
    CHECK(backends[0].socket == -1);
    rmdir(made.folder);
}

TEST(a_path_that_does_not_fit_is_refused)
{
    passenger_backend backend;
    char path[200];
    memset(path, 'a', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    CHECK(passenger_backend_connect(&backend, path) == ENAMETOOLONG);
    passenger_backend_close(&backend);
}

TEST(what_a_worker_said_before_it_closed_is_read_although_sending_fails)
{
    passenger_backend backend;
    worker made = connected(&backend);
    char bytes[16];
    size_t length;
    passenger_backend_queue(&backend, "unread", 6);
    CHECK(passenger_backend_send(&backend) == PASSENGER_BACKEND_OK);
    CHECK(send(made.connection, "answer", 6, 0) == 6);
    close(made.connection);
    made.connection = -1;
    passenger_backend_queue(&backend, "more", 4);
    CHECK(passenger_backend_send(&backend) == PASSENGER_BACKEND_CLOSED);
    CHECK(!passenger_backend_is_sending(&backend));
    CHECK(passenger_backend_receive(&backend, bytes, sizeof(bytes), &length) == PASSENGER_BACKEND_OK);
    CHECK(length == 6 && memcmp(bytes, "answer", 6) == 0);
    CHECK(passenger_backend_receive(&backend, bytes, sizeof(bytes), &length) == PASSENGER_BACKEND_CLOSED);
    passenger_backend_close(&backend);
    finish(&made);
}

TEST(a_silent_worker_is_not_waited_for)
{
    passenger_backend backend;
    worker made = connected(&backend);
    char bytes[16];
    size_t length;
    CHECK(passenger_backend_receive(&backend, bytes, sizeof(bytes), &length) == PASSENGER_BACKEND_AGAIN);
    passenger_backend_close(&backend);
    finish(&made);
}

TESTS(RUN(both_queued_pieces_arrive_in_order),
      RUN(what_the_socket_does_not_take_is_sent_later),
      RUN(an_attached_descriptor_travels_once_with_the_first_byte),
      RUN(descriptors_that_nobody_takes_are_closed),
      RUN(a_connection_whose_queue_holds_descriptors_is_not_closed_in_this_thread),
      RUN(more_descriptors_in_one_message_than_there_is_room_for_are_not_leaked),
      RUN(a_full_queue_is_told_apart_from_a_missing_socket_and_a_dead_one),
      RUN(a_path_that_does_not_fit_is_refused),
      RUN(what_a_worker_said_before_it_closed_is_read_although_sending_fails),
      RUN(a_silent_worker_is_not_waited_for))
