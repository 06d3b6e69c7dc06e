#include "core/closer.h"
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Two connected TCP sockets, the first full of data that the second does not read: its close blocks for an hour. */
static void make_lingering(int pair[2])
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    struct linger linger = {.l_onoff = 1, .l_linger = 3600};
    static char zeros[1 << 16];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    pair[0] = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(pair[0], (struct sockaddr *)&address, sizeof(address)) == 0);
    pair[1] = accept(listener, NULL, NULL);
    CHECK(pair[1] >= 0);
    while (send(pair[0], zeros, sizeof(zeros), MSG_DONTWAIT) > 0) {
    }
    CHECK(setsockopt(pair[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) == 0);
    close(listener);
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Waits until everything is closed; whether it is within 20 seconds. */
static int all_are_closed(void)
{
    double deadline = now() + 20;
    while (passenger_close_waiting() > 0 && now() < deadline) {
        poll(NULL, 0, 5);
    }
    return passenger_close_waiting() == 0;
}

TEST(a_descriptor_is_closed)
{
    int ends[2];
    char byte;
    CHECK(pipe(ends) == 0);
    passenger_close_later(ends[1]);
    CHECK(read(ends[0], &byte, 1) == 0);
    CHECK(all_are_closed());
    close(ends[0]);
}

TEST(a_close_that_blocks_holds_up_neither_the_caller_nor_the_next)
{
    int pairs[3][2];
    int ends[2];
    for (int index = 0; index < 3; index++) {
        make_lingering(pairs[index]);
    }
    CHECK(pipe(ends) == 0);
    double began = now();
    for (int index = 0; index < 3; index++) {
        passenger_close_later(pairs[index][0]);
    }
    passenger_close_later(ends[1]);
    CHECK(now() - began < 60);
    CHECK(all_are_closed());
    CHECK(fcntl(ends[1], F_GETFD) == -1);
    for (int index = 0; index < 3; index++) {
        CHECK(fcntl(pairs[index][0], F_GETFD) == -1);
        close(pairs[index][1]);
    }
    close(ends[0]);
}

TEST(minus_one_is_nothing)
{
    passenger_close_later(-1);
    CHECK(passenger_close_waiting() == 0);
}

TESTS(RUN(minus_one_is_nothing),
      RUN(a_descriptor_is_closed),
      RUN(a_close_that_blocks_holds_up_neither_the_caller_nor_the_next))
