#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "core/generated/constants.h"
#include "core/worker_load.h"

enum { SLOTS = 3, MS = 1000 };

typedef struct header {
    uint32_t state, pid, running, capacity;
    uint64_t served;
} header;

static int create_board(int seals)
{
    int board = memfd_create("board", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(board >= 0 && ftruncate(board, SLOTS * PASSENGER_SCOREBOARD_SLOT_SIZE) == 0);
    CHECK(fcntl(board, F_ADD_SEALS, seals) == 0);
    return board;
}

static void write_header(int board, int slot, header written)
{
    off_t start = (off_t)slot * PASSENGER_SCOREBOARD_SLOT_SIZE;
    CHECK(pwrite(board, &written, sizeof(written), start) == sizeof(written));
}

TEST(a_worker_is_free_while_it_serves_and_has_room)
{
    int board = create_board(F_SEAL_SHRINK);
    passenger_worker_load *load = passenger_worker_load_open(board);
    write_header(board, 1, (header){.state = 1, .running = 1, .capacity = 2});
    CHECK(passenger_worker_load_is_free(load, 1));
    write_header(board, 1, (header){.state = 1, .running = 2, .capacity = 2});
    CHECK(!passenger_worker_load_is_free(load, 1));
    write_header(board, 1, (header){.state = 2, .running = 0, .capacity = 2});   /* at its out-of-band work */
    CHECK(!passenger_worker_load_is_free(load, 1));
    CHECK(!passenger_worker_load_is_free(load, 0));
    passenger_worker_load_release(load);
}

TEST(slots_that_do_not_exist_are_never_free)
{
    passenger_worker_load *load = passenger_worker_load_open(create_board(F_SEAL_SHRINK));
    CHECK(!passenger_worker_load_is_free(load, SLOTS));
    CHECK(!passenger_worker_load_is_free(load, -1));
    CHECK(!passenger_worker_load_is_free(load, INT32_MAX));
    CHECK(passenger_worker_load_expected_wait(load, SLOTS, 1) == INT64_MAX);
    passenger_worker_load_begin(load, SLOTS);
    passenger_worker_load_end(load, SLOTS);
    passenger_worker_load_release(load);
}

TEST(a_scoreboard_that_could_shrink_or_is_too_short_is_not_read)
{
    int board = memfd_create("short", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(passenger_worker_load_open(create_board(0)) == NULL);
    CHECK(ftruncate(board, 100) == 0 && fcntl(board, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    CHECK(passenger_worker_load_open(board) == NULL);
    CHECK(passenger_worker_load_open(-1) == NULL);
    CHECK(passenger_worker_load_hold(NULL) == NULL);
    passenger_worker_load_release(NULL);
}

TEST(the_expected_wait_is_what_the_worker_takes_for_a_request_now_times_those_before)
{
    int board = create_board(F_SEAL_SHRINK);
    passenger_worker_load *load = passenger_worker_load_open(board);
    write_header(board, 0, (header){.state = 1, .running = 1, .capacity = 1, .served = 1000});
    CHECK(passenger_worker_load_expected_wait(load, 0, 1000 * MS) == INT64_MAX);
    write_header(board, 0, (header){.state = 1, .running = 1, .capacity = 1, .served = 1010});
    CHECK(passenger_worker_load_expected_wait(load, 0, 1001 * MS) == INT64_MAX);   /* too soon to know */
    CHECK(passenger_worker_load_expected_wait(load, 0, 1010 * MS) == 1 * MS);
    passenger_worker_load_begin(load, 0);
    passenger_worker_load_begin(load, 0);
    CHECK(passenger_worker_load_expected_wait(load, 0, 1011 * MS) == 3 * MS);
    passenger_worker_load_end(load, 0);
    passenger_worker_load_end(load, 0);
    passenger_worker_load_end(load, 0);   /* one too many does not matter */
    CHECK(passenger_worker_load_expected_wait(load, 0, 1011 * MS) == 1 * MS);
    passenger_worker_load_release(load);
}

TEST(nothing_is_expected_of_a_worker_that_has_served_nothing_or_was_not_looked_at_for_long)
{
    int board = create_board(F_SEAL_SHRINK);
    passenger_worker_load *load = passenger_worker_load_open(board);
    write_header(board, 0, (header){.state = 1, .running = 1, .capacity = 1, .served = 5});
    passenger_worker_load_expected_wait(load, 0, 1000 * MS);
    CHECK(passenger_worker_load_expected_wait(load, 0, 1010 * MS) == INT64_MAX);   /* it is in one request since */
    write_header(board, 0, (header){.state = 1, .running = 1, .capacity = 1, .served = 50});
    CHECK(passenger_worker_load_expected_wait(load, 0, 2000 * MS) == INT64_MAX);
    write_header(board, 0, (header){.state = 1, .running = 1, .capacity = 1, .served = 3});   /* another worker */
    CHECK(passenger_worker_load_expected_wait(load, 0, 2010 * MS) == INT64_MAX);
    passenger_worker_load_release(load);
}

TESTS(RUN(a_worker_is_free_while_it_serves_and_has_room),
      RUN(slots_that_do_not_exist_are_never_free),
      RUN(a_scoreboard_that_could_shrink_or_is_too_short_is_not_read),
      RUN(the_expected_wait_is_what_the_worker_takes_for_a_request_now_times_those_before),
      RUN(nothing_is_expected_of_a_worker_that_has_served_nothing_or_was_not_looked_at_for_long))
