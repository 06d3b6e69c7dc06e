#include <limits.h>

#include "check.h"
#include "core/deadlines.h"

enum { SECOND = 1000 * 1000, START = 7 * SECOND };

static passenger_time_limits limits_of(int queue_seconds, int request_seconds)
{
    passenger_time_limits limits;
    passenger_time_limits_begin(&limits, START, queue_seconds, request_seconds);
    return limits;
}

TEST(without_limits_there_is_always_time)
{
    passenger_time_limits limits = limits_of(0, 0);
    CHECK(passenger_time_limits_deadline(&limits) == 0);
    passenger_time_limits_accept(&limits, START + SECOND);
    CHECK(passenger_time_limits_deadline(&limits) == 0);
    CHECK(passenger_time_limits_state(&limits, INT64_MAX) == PASSENGER_TIME_LEFT);
}

TEST(the_queue_time_is_over_at_its_end_and_not_before)
{
    passenger_time_limits limits = limits_of(2, 0);
    CHECK(passenger_time_limits_deadline(&limits) == START + 2 * SECOND);
    CHECK(passenger_time_limits_state(&limits, START + 2 * SECOND - 1) == PASSENGER_TIME_LEFT);
    CHECK(passenger_time_limits_state(&limits, START + 2 * SECOND) == PASSENGER_QUEUE_TIMEOUT);
}

TEST(an_accepted_request_waits_no_more)
{
    passenger_time_limits limits = limits_of(2, 0);
    passenger_time_limits_accept(&limits, START + SECOND);
    CHECK(passenger_time_limits_deadline(&limits) == 0);
    CHECK(passenger_time_limits_state(&limits, START + 100 * (int64_t)SECOND) == PASSENGER_TIME_LEFT);
}

TEST(the_request_time_counts_from_the_first_acknowledgement)
{
    passenger_time_limits limits = limits_of(5, 3);
    CHECK(passenger_time_limits_deadline(&limits) == START + 5 * SECOND);
    passenger_time_limits_accept(&limits, START + SECOND);
    passenger_time_limits_accept(&limits, START + 2 * SECOND);
    CHECK(passenger_time_limits_deadline(&limits) == START + 4 * SECOND);
    CHECK(passenger_time_limits_state(&limits, START + 4 * SECOND - 1) == PASSENGER_TIME_LEFT);
    CHECK(passenger_time_limits_state(&limits, START + 4 * SECOND) == PASSENGER_REQUEST_TIMEOUT);
}

TEST(without_an_acknowledgement_the_request_time_counts_from_the_sending_and_there_is_no_queue_time)
{
    passenger_time_limits limits = limits_of(2, 3);
    passenger_time_limits_send(&limits, START + SECOND);
    passenger_time_limits_accept(&limits, START + 2 * SECOND);
    CHECK(passenger_time_limits_deadline(&limits) == START + 4 * SECOND);
    CHECK(passenger_time_limits_state(&limits, START + 4 * SECOND - 1) == PASSENGER_TIME_LEFT);
    CHECK(passenger_time_limits_state(&limits, START + 4 * SECOND) == PASSENGER_REQUEST_TIMEOUT);
}

TEST(without_an_acknowledgement_a_queue_time_alone_limits_nothing)
{
    passenger_time_limits limits = limits_of(2, 0);
    passenger_time_limits_send(&limits, START);
    CHECK(passenger_time_limits_deadline(&limits) == 0);
    CHECK(passenger_time_limits_state(&limits, INT64_MAX) == PASSENGER_TIME_LEFT);
}

TEST(the_longest_limits_do_not_overflow)
{
    passenger_time_limits limits = limits_of(604800, 604800);
    CHECK(passenger_time_limits_deadline(&limits) == START + 604800 * (int64_t)SECOND);
}

/* A worker that sends something at given times, and a clock that moves by a tick with each look at it. */
typedef struct scene {
    int64_t now;
    int64_t tick;
    int64_t acknowledges_at;    /* 0: never */
    int pieces;                 /* how much else has come by then, before it */
    int received;
    passenger_time_limits *limits;
} scene;

static int64_t look_at_clock(void *context)
{
    scene *here = context;
    int64_t now = here->now;
    here->now += here->tick;
    return now;
}

static int receive_piece(void *context)
{
    scene *here = context;
    if (here->acknowledges_at == 0 || here->acknowledges_at > here->now) {
        return 0;
    }
    if (here->received < here->pieces) {
        here->received++;
        return 1;
    }
    if (here->limits->accepted_at != 0) {
        return 0;
    }
    passenger_time_limits_accept(here->limits, here->now);
    return 1;
}

static passenger_time_state state_after(scene *here)
{
    passenger_time_source source = {.now = look_at_clock, .receive = receive_piece, .context = here};
    return passenger_time_limits_check(here->limits, &source);
}

TEST(an_acknowledgement_that_has_come_by_the_end_of_the_queue_time_counts)
{
    for (int pieces = 0; pieces < 3; pieces++) {
        for (int64_t at = START; at <= START + 2 * SECOND; at += SECOND) {
            passenger_time_limits limits = limits_of(2, 5);
            scene here = {.now = START + 2 * SECOND, .tick = 10, .acknowledges_at = at, .pieces = pieces,
                          .limits = &limits};
            CHECK(state_after(&here) == PASSENGER_TIME_LEFT);
            CHECK(limits.accepted_at != 0 && here.received == pieces);
        }
    }
}

TEST(without_one_the_queue_time_is_over_when_nothing_more_is_there)
{
    passenger_time_limits limits = limits_of(2, 5);
    scene here = {.now = START + 2 * SECOND, .tick = 10, .limits = &limits};
    CHECK(state_after(&here) == PASSENGER_QUEUE_TIMEOUT);
    here.acknowledges_at = here.now + SECOND;
    CHECK(state_after(&here) == PASSENGER_QUEUE_TIMEOUT);
}

TEST(nothing_is_received_for_a_limit_that_is_not_reached_or_is_the_worker_s_own)
{
    passenger_time_limits limits = limits_of(2, 1);
    scene here = {.now = START, .tick = 0, .acknowledges_at = START, .pieces = 2, .limits = &limits};
    CHECK(state_after(&here) == PASSENGER_TIME_LEFT && here.received == 0);
    passenger_time_limits_accept(&limits, START);
    here.now = START + SECOND;
    CHECK(state_after(&here) == PASSENGER_REQUEST_TIMEOUT && here.received == 0);
}

TEST(an_acknowledgement_at_the_last_moment_gives_the_worker_its_whole_time)
{
    passenger_time_limits limits = limits_of(2, 1);
    scene here = {.now = START + 3 * SECOND, .tick = 0, .acknowledges_at = START, .limits = &limits};
    CHECK(state_after(&here) == PASSENGER_TIME_LEFT);
    CHECK(passenger_time_limits_deadline(&limits) == START + 4 * SECOND);
}

TEST(a_request_goes_to_another_worker_only_when_nothing_of_an_answer_can_have_been_sent)
{
    passenger_time_limits limits = limits_of(2, 1);
    CHECK(passenger_time_limits_is_refused(&limits, 1, 1));
    CHECK(!passenger_time_limits_is_refused(&limits, 0, 1));
    CHECK(!passenger_time_limits_is_refused(&limits, 1, 0));
    passenger_time_limits_accept(&limits, START);
    CHECK(!passenger_time_limits_is_refused(&limits, 1, 1));
}

TEST(a_wait_ends_with_its_deadline_and_neither_before_nor_much_later)
{
    CHECK(passenger_poll_deadline(-1, 0, START) == -1);
    CHECK(passenger_poll_deadline(700, 0, START) == 700);
    for (int microseconds = 0; microseconds < 3000; microseconds += 250) {
        int wait = passenger_poll_deadline(-1, START + microseconds, START);
        CHECK(wait * 1000 > microseconds && wait * 1000 <= microseconds + 1000);
    }
    CHECK(passenger_poll_deadline(700, START + 500 * 1000, START) == 501);
    CHECK(passenger_poll_deadline(700, START + 900 * 1000, START) == 700);
    CHECK(passenger_poll_deadline(700, START - SECOND, START) == 0);
    CHECK(passenger_poll_timeout(-1, INT64_MAX) == INT_MAX);
    CHECK(passenger_poll_timeout(-1, -5) == 0);
}

/* The delays after so many starts in a row that have failed. */
static int delay_after(int failures)
{
    passenger_start_backoff backoff = {0};
    for (int count = 0; count < failures; count++) {
        passenger_start_backoff_ended(&backoff, 0, SECOND / 2);
    }
    return passenger_start_backoff_delay(&backoff);
}

TEST(a_spawner_that_cannot_start_is_tried_less_and_less_often)
{
    static const int delays[] = {0, 0, 1, 2, 4, 8, 16, 30, 30};
    for (int failures = 0; failures < 9; failures++) {
        CHECK(delay_after(failures) == delays[failures]);
    }
    CHECK(delay_after(1000) == 30);
}

TEST(a_spawner_that_worked_is_replaced_at_once_and_forgets_the_failures_before)
{
    passenger_start_backoff backoff = {.failed_starts = 6};
    passenger_start_backoff_ended(&backoff, 1, SECOND);
    CHECK(passenger_start_backoff_delay(&backoff) == 0);
    backoff.failed_starts = 6;
    passenger_start_backoff_ended(&backoff, 0, 10 * (int64_t)SECOND);
    CHECK(passenger_start_backoff_delay(&backoff) == 0);
    backoff.failed_starts = 6;
    passenger_start_backoff_ended(&backoff, 0, 10 * (int64_t)SECOND - 1);
    CHECK(passenger_start_backoff_delay(&backoff) == 30);
}

TEST(spawners_that_open_their_socket_and_end_at_once_are_started_once_a_second)
{
    passenger_start_backoff backoff = {0};
    for (int count = 0; count < 5; count++) {
        passenger_start_backoff_ended(&backoff, 1, SECOND - 1);
        CHECK(passenger_start_backoff_delay(&backoff) == 1);
    }
    passenger_start_backoff_ended(&backoff, 1, SECOND);
    CHECK(passenger_start_backoff_delay(&backoff) == 0);
}

static passenger_heartbeat heartbeat_from_start(void)
{
    passenger_heartbeat heartbeat;
    passenger_heartbeat_begin(&heartbeat, START);
    return heartbeat;
}

TEST(a_spawner_with_a_beat_at_each_check_does_not_hang)
{
    passenger_heartbeat heartbeat = heartbeat_from_start();
    for (int count = 1; count <= 100; count++) {
        CHECK(!passenger_heartbeat_check(&heartbeat, START + 10 * count * (int64_t)SECOND, 1));
    }
}

TEST(a_spawner_that_is_silent_for_half_a_minute_hangs_and_not_before)
{
    passenger_heartbeat heartbeat = heartbeat_from_start();
    for (int count = 1; count < 30; count++) {
        CHECK(!passenger_heartbeat_check(&heartbeat, START + count * (int64_t)SECOND, 0));
    }
    CHECK(passenger_heartbeat_check(&heartbeat, START + 30 * (int64_t)SECOND, 0));
    CHECK(passenger_heartbeat_check(&heartbeat, START + 31 * (int64_t)SECOND, 0));
}

TEST(a_sign_of_life_begins_the_time_anew)
{
    passenger_heartbeat heartbeat = heartbeat_from_start();
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 10 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 20 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 29 * (int64_t)SECOND, 1));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 39 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 49 * (int64_t)SECOND, 0));
    CHECK(passenger_heartbeat_check(&heartbeat, START + 59 * (int64_t)SECOND, 0));
}

TEST(a_pause_between_checks_counts_as_one_check)
{
    passenger_heartbeat heartbeat = heartbeat_from_start();
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 10 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 100000 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 100001 * (int64_t)SECOND, 0));
    CHECK(passenger_heartbeat_check(&heartbeat, START + 100010 * (int64_t)SECOND, 0));
}

TEST(a_spawner_that_begins_later_has_its_whole_time)
{
    passenger_heartbeat heartbeat = heartbeat_from_start();
    CHECK(!passenger_heartbeat_check(&heartbeat, START - 20 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START - 10 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 10 * (int64_t)SECOND, 0));
    CHECK(!passenger_heartbeat_check(&heartbeat, START + 20 * (int64_t)SECOND, 0));
    CHECK(passenger_heartbeat_check(&heartbeat, START + 30 * (int64_t)SECOND, 0));
}

TESTS(RUN(without_limits_there_is_always_time),
      RUN(the_queue_time_is_over_at_its_end_and_not_before),
      RUN(an_accepted_request_waits_no_more),
      RUN(the_request_time_counts_from_the_first_acknowledgement),
      RUN(without_an_acknowledgement_the_request_time_counts_from_the_sending_and_there_is_no_queue_time),
      RUN(without_an_acknowledgement_a_queue_time_alone_limits_nothing),
      RUN(the_longest_limits_do_not_overflow),
      RUN(an_acknowledgement_that_has_come_by_the_end_of_the_queue_time_counts),
      RUN(without_one_the_queue_time_is_over_when_nothing_more_is_there),
      RUN(nothing_is_received_for_a_limit_that_is_not_reached_or_is_the_worker_s_own),
      RUN(an_acknowledgement_at_the_last_moment_gives_the_worker_its_whole_time),
      RUN(a_request_goes_to_another_worker_only_when_nothing_of_an_answer_can_have_been_sent),
      RUN(a_wait_ends_with_its_deadline_and_neither_before_nor_much_later),
      RUN(a_spawner_that_cannot_start_is_tried_less_and_less_often),
      RUN(a_spawner_that_worked_is_replaced_at_once_and_forgets_the_failures_before),
      RUN(spawners_that_open_their_socket_and_end_at_once_are_started_once_a_second),
      RUN(a_spawner_with_a_beat_at_each_check_does_not_hang),
      RUN(a_spawner_that_is_silent_for_half_a_minute_hangs_and_not_before),
      RUN(a_sign_of_life_begins_the_time_anew),
      RUN(a_pause_between_checks_counts_as_one_check),
      RUN(a_spawner_that_begins_later_has_its_whole_time))
