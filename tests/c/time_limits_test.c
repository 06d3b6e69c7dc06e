#include "check.h"
#include "core/time_limits.h"

enum { SECOND = 1000 * 1000, START = 7 * SECOND };

static passenger_time_limits begun(int queue_seconds, int request_seconds)
{
    passenger_time_limits limits;
    passenger_time_limits_begin(&limits, START, queue_seconds, request_seconds);
    return limits;
}

TEST(without_limits_there_is_always_time)
{
    passenger_time_limits limits = begun(0, 0);
    CHECK(passenger_time_limits_next(&limits) == 0);
    passenger_time_limits_take(&limits, START + SECOND);
    CHECK(passenger_time_limits_next(&limits) == 0);
    CHECK(passenger_time_limits_state(&limits, INT64_MAX) == PASSENGER_TIME_LEFT);
}

TEST(the_queue_time_is_over_at_its_end_and_not_before)
{
    passenger_time_limits limits = begun(2, 0);
    CHECK(passenger_time_limits_next(&limits) == START + 2 * SECOND);
    CHECK(passenger_time_limits_state(&limits, START + 2 * SECOND - 1) == PASSENGER_TIME_LEFT);
    CHECK(passenger_time_limits_state(&limits, START + 2 * SECOND) == PASSENGER_QUEUE_TIME_OVER);
}

TEST(a_request_that_is_taken_waits_no_more)
{
    passenger_time_limits limits = begun(2, 0);
    passenger_time_limits_take(&limits, START + SECOND);
    CHECK(passenger_time_limits_next(&limits) == 0);
    CHECK(passenger_time_limits_state(&limits, START + 100 * (int64_t)SECOND) == PASSENGER_TIME_LEFT);
}

TEST(the_request_time_counts_from_the_first_sign)
{
    passenger_time_limits limits = begun(5, 3);
    CHECK(passenger_time_limits_next(&limits) == START + 5 * SECOND);
    passenger_time_limits_take(&limits, START + SECOND);
    passenger_time_limits_take(&limits, START + 2 * SECOND);
    CHECK(passenger_time_limits_next(&limits) == START + 4 * SECOND);
    CHECK(passenger_time_limits_state(&limits, START + 4 * SECOND - 1) == PASSENGER_TIME_LEFT);
    CHECK(passenger_time_limits_state(&limits, START + 4 * SECOND) == PASSENGER_REQUEST_TIME_OVER);
}

TEST(the_longest_limits_do_not_overflow)
{
    passenger_time_limits limits = begun(604800, 604800);
    CHECK(passenger_time_limits_next(&limits) == START + 604800 * (int64_t)SECOND);
}

TESTS(RUN(without_limits_there_is_always_time),
      RUN(the_queue_time_is_over_at_its_end_and_not_before),
      RUN(a_request_that_is_taken_waits_no_more),
      RUN(the_request_time_counts_from_the_first_sign),
      RUN(the_longest_limits_do_not_overflow))
