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
      RUN(a_spawner_with_a_beat_at_each_check_does_not_hang),
      RUN(a_spawner_that_is_silent_for_half_a_minute_hangs_and_not_before),
      RUN(a_sign_of_life_begins_the_time_anew),
      RUN(a_pause_between_checks_counts_as_one_check),
      RUN(a_spawner_that_begins_later_has_its_whole_time))
