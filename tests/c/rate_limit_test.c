#include "check.h"
#include "core/rate_limit.h"

enum { SECOND = 1000 * 1000, START = 5 * SECOND };

static passenger_rate_limit limit_of(int64_t burst, int64_t interval)
{
    return (passenger_rate_limit){.interval = interval, .burst = burst};
}

TEST(a_burst_is_allowed_and_then_one_after_each_interval)
{
    passenger_rate_limit limit = limit_of(3, SECOND);
    for (int number = 0; number < 3; number++) {
        CHECK(passenger_rate_limit_take(&limit, 7, START));
    }
    CHECK(!passenger_rate_limit_take(&limit, 7, START));
    CHECK(!passenger_rate_limit_take(&limit, 7, START + SECOND - 1));
    CHECK(passenger_rate_limit_take(&limit, 7, START + SECOND));
    CHECK(!passenger_rate_limit_take(&limit, 7, START + SECOND));
}

TEST(what_was_refused_does_not_count_as_done)
{
    passenger_rate_limit limit = limit_of(1, SECOND);
    CHECK(passenger_rate_limit_take(&limit, 7, START));
    for (int number = 0; number < 100; number++) {
        CHECK(!passenger_rate_limit_take(&limit, 7, START + 1));
    }
    CHECK(passenger_rate_limit_take(&limit, 7, START + SECOND));
}

TEST(after_a_pause_there_is_one_burst_and_no_more)
{
    passenger_rate_limit limit = limit_of(2, SECOND);
    CHECK(passenger_rate_limit_take(&limit, 7, START));
    CHECK(passenger_rate_limit_take(&limit, 7, START + 100 * (int64_t)SECOND));
    CHECK(passenger_rate_limit_take(&limit, 7, START + 100 * (int64_t)SECOND));
    CHECK(!passenger_rate_limit_take(&limit, 7, START + 100 * (int64_t)SECOND));
}

TEST(one_does_not_take_from_another)
{
    passenger_rate_limit limit = limit_of(1, SECOND);
    CHECK(passenger_rate_limit_take(&limit, 7, START));
    CHECK(passenger_rate_limit_take(&limit, 8, START));
    CHECK(!passenger_rate_limit_take(&limit, 7, START));
    CHECK(!passenger_rate_limit_take(&limit, 7 + PASSENGER_RATE_PLACES, START));   /* they share a place */
}

TEST(a_period_ends_after_its_length_and_not_at_the_same_moment_for_all)
{
    int different = 0;
    for (uint64_t digest = 1; digest < 20; digest++) {
        uint64_t far = digest * UINT64_C(0x9E3779B97F4A7C15);
        int64_t first = passenger_rate_period(far, START, 60 * SECOND);
        int64_t changes = 0, changed_at = 0;
        for (int second = 0; second < 60; second++) {
            int64_t period = passenger_rate_period(far, START + second * (int64_t)SECOND, 60 * SECOND);
            if (period != first + changes) {
                CHECK(period == first + ++changes);
                changed_at = second;
            }
        }
        CHECK(changes <= 1);
        CHECK(passenger_rate_period(far, START + 60 * (int64_t)SECOND, 60 * SECOND) == first + 1);
        different += changed_at != 0 && changed_at != 30;
    }
    CHECK(different > 10);
}

TESTS(RUN(a_burst_is_allowed_and_then_one_after_each_interval),
      RUN(what_was_refused_does_not_count_as_done),
      RUN(after_a_pause_there_is_one_burst_and_no_more),
      RUN(one_does_not_take_from_another),
      RUN(a_period_ends_after_its_length_and_not_at_the_same_moment_for_all))
