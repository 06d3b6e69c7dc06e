#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "check.h"
#include "core/generated/constants.h"
#include "core/idle_connections.h"

/* Keeps a connection for `path`. Returns the worker's end. */
static int keep_of(const char *path, int slot)
{
    int ends[2];
    passenger_backend backend;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    passenger_backend_adopt(&backend, ends[0]);
    passenger_idle_connections_put(path, slot, &backend);
    CHECK(backend.socket == -1);
    return ends[1];
}

static int keep(const char *path)
{
    return keep_of(path, PASSENGER_NO_WORKER);
}

/* Whether a connection to `path` is there, which leads to `worker`. */
static int takes(const char *path, int worker)
{
    passenger_backend backend;
    char byte = 0;
    passenger_kept_connection taken;
    passenger_backend_adopt(&backend, -1);
    if (!passenger_idle_connections_take(path, NULL, &backend, &taken)) {
        return 0;
    }
    CHECK(write(worker, "x", 1) == 1);
    CHECK(recv(backend.socket, &byte, 1, MSG_DONTWAIT) == 1 && byte == 'x');
    passenger_backend_close(&backend);
    return 1;
}

static int has_ended(int worker, int milliseconds)
{
    struct pollfd polled = {.fd = worker, .events = POLLRDHUP};
    return poll(&polled, 1, milliseconds) == 1;
}

TEST(a_connection_is_taken_once_and_only_for_its_socket)
{
    int worker = keep("/run/a.sock");
    CHECK(!takes("/run/b.sock", worker));
    CHECK(takes("/run/a.sock", worker));
    CHECK(!takes("/run/a.sock", worker));
}

TEST(the_newest_one_is_taken_first)
{
    int older = keep("/run/a.sock");
    int newer = keep("/run/a.sock");
    CHECK(takes("/run/a.sock", newer));
    CHECK(takes("/run/a.sock", older));
}

TEST(one_that_its_worker_has_closed_or_written_to_is_not_taken)
{
    int closed = keep("/run/a.sock");
    int written = keep("/run/a.sock");
    CHECK(close(closed) == 0 && write(written, "HTTP/1.1 200 OK", 15) == 15);
    CHECK(!takes("/run/a.sock", -1));
    CHECK(has_ended(written, 10000));   /* closed by another thread */
    CHECK(passenger_idle_connections_count() == 0);
}

TEST(the_oldest_one_makes_room)
{
    int workers[PASSENGER_IDLE_LIMIT + 1];
    for (int index = 0; index <= PASSENGER_IDLE_LIMIT; index++) {
        workers[index] = keep("/run/a.sock");
    }
    CHECK(passenger_idle_connections_count() == PASSENGER_IDLE_LIMIT);
    CHECK(has_ended(workers[0], 0) && !has_ended(workers[1], 0));
}

TEST(one_on_which_something_is_left_is_closed)
{
    int ends[2];
    passenger_backend backend;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    passenger_backend_adopt(&backend, ends[0]);
    passenger_backend_queue(&backend, "rest", 4);
    passenger_idle_connections_put("/run/a.sock", PASSENGER_NO_WORKER, &backend);
    CHECK(backend.socket == -1 && has_ended(ends[1], 0) && passenger_idle_connections_count() == 0);
}

/* A scoreboard of two slots. */
static int create_board(void)
{
    int board = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(board >= 0 && ftruncate(board, 2 * PASSENGER_SCOREBOARD_SLOT_SIZE) == 0);
    CHECK(fcntl(board, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    return board;
}

/* What the worker of a slot writes there. */
static void set_worker(int board, int slot, uint32_t running, uint64_t served)
{
    const struct {
        uint32_t state, pid, running, capacity;
        uint64_t served;
    } header = {1, 1, running, 1, served};
    CHECK(pwrite(board, &header, sizeof(header), (off_t)slot * PASSENGER_SCOREBOARD_SLOT_SIZE) == sizeof(header));
}

/* Takes a connection, and closes it. Returns the slot to whose worker it led; -1: none. */
static int slot_taken(passenger_worker_load *load, int *worker_is_busy)
{
    passenger_backend backend;
    passenger_kept_connection taken;
    passenger_backend_adopt(&backend, -1);
    int slot = passenger_idle_connections_take("/run/a.sock", load, &backend, &taken) ? taken.slot : -1;
    *worker_is_busy = taken.worker_is_busy;
    passenger_idle_connections_done(&taken);
    passenger_backend_close(&backend);
    return slot;
}

TEST(a_free_worker_comes_before_a_busy_one_and_a_busy_one_of_which_nothing_is_known_is_left_alone)
{
    int board = create_board();
    int is_busy;
    passenger_worker_load *load = passenger_worker_load_open(board);
    set_worker(board, 0, 0, 0);
    set_worker(board, 1, 1, 0);
    keep_of("/run/a.sock", 0);
    keep_of("/run/a.sock", 1);
    CHECK(slot_taken(load, &is_busy) == 0 && !is_busy);
    CHECK(slot_taken(load, &is_busy) == -1);
    passenger_worker_load_release(load);
}

TEST(a_worker_to_which_this_process_has_sent_a_request_is_not_free)
{
    int board = create_board();
    passenger_backend backend;
    passenger_kept_connection taken;
    int is_busy;
    passenger_worker_load *load = passenger_worker_load_open(board);
    set_worker(board, 0, 0, 0);
    keep_of("/run/a.sock", 0);
    keep_of("/run/a.sock", 0);
    passenger_backend_adopt(&backend, -1);
    CHECK(passenger_idle_connections_take("/run/a.sock", load, &backend, &taken) && taken.slot == 0);
    CHECK(slot_taken(load, &is_busy) == -1);
    passenger_idle_connections_done(&taken);
    CHECK(slot_taken(load, &is_busy) == 0);
    passenger_backend_close(&backend);
    passenger_worker_load_release(load);
}

TEST(a_busy_worker_that_serves_requests_quickly_is_waited_for)
{
    int board = create_board();
    int is_busy;
    passenger_worker_load *load = passenger_worker_load_open(board);
    set_worker(board, 0, 1, 0);
    keep_of("/run/a.sock", 0);
    CHECK(slot_taken(load, &is_busy) == -1);
    usleep(3000);
    set_worker(board, 0, 1, 100);
    CHECK(slot_taken(load, &is_busy) == 0 && is_busy);
    passenger_worker_load_release(load);
}

TEST(one_that_waits_too_long_is_closed)
{
    int worker = keep("/run/a.sock");
    CHECK(!has_ended(worker, PASSENGER_IDLE_MILLISECONDS / 2));
    CHECK(has_ended(worker, 10 * PASSENGER_IDLE_MILLISECONDS));
}

TEST(at_the_end_all_are_closed_and_none_is_kept)
{
    int worker = keep("/run/a.sock");
    passenger_idle_connections_stop();
    CHECK(has_ended(worker, 0));
    CHECK(has_ended(keep("/run/a.sock"), 0));
    CHECK(passenger_idle_connections_count() == 0);
}

TESTS(RUN(a_connection_is_taken_once_and_only_for_its_socket),
      RUN(the_newest_one_is_taken_first),
      RUN(one_that_its_worker_has_closed_or_written_to_is_not_taken),
      RUN(the_oldest_one_makes_room),
      RUN(one_on_which_something_is_left_is_closed),
      RUN(a_free_worker_comes_before_a_busy_one_and_a_busy_one_of_which_nothing_is_known_is_left_alone),
      RUN(a_worker_to_which_this_process_has_sent_a_request_is_not_free),
      RUN(a_busy_worker_that_serves_requests_quickly_is_waited_for),
      RUN(one_that_waits_too_long_is_closed),
      RUN(at_the_end_all_are_closed_and_none_is_kept))
