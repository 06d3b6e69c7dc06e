#include "check.h"
#include "core/heartbeat.h"

static const int64_t second = 1000 * 1000;
static const int64_t start = 7 * 1000 * 1000;

static passenger_heartbeat begun(void)
{
    passenger_heartbeat heartbeat;
    passenger_heartbeat_begin(&heartbeat, start);
    return heartbeat;
}

TEST(one_that_is_heard_at_each_look_does_not_hang)
{
    passenger_heartbeat heartbeat = begun();
    for (int look = 1; look <= 100; look++) {
        CHECK(!passenger_heartbeat_look(&heartbeat, start + 10 * look * second, 1));
    }
}

TEST(one_that_is_silent_for_half_a_minute_hangs_and_not_before)
{
    passenger_heartbeat heartbeat = begun();
    for (int look = 1; look < 30; look++) {
        CHECK(!passenger_heartbeat_look(&heartbeat, start + look * second, 0));
    }
    CHECK(passenger_heartbeat_look(&heartbeat, start + 30 * second, 0));
    CHECK(passenger_heartbeat_look(&heartbeat, start + 31 * second, 0));
}

TEST(a_sign_of_life_begins_the_time_anew)
{
    passenger_heartbeat heartbeat = begun();
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 10 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 20 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 29 * second, 1));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 39 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 49 * second, 0));
    CHECK(passenger_heartbeat_look(&heartbeat, start + 59 * second, 0));
}

TEST(a_pause_of_the_one_who_looks_counts_as_one_look)
{
    passenger_heartbeat heartbeat = begun();
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 10 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 100000 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 100001 * second, 0));
    CHECK(passenger_heartbeat_look(&heartbeat, start + 100010 * second, 0));
}

TEST(one_that_begins_later_is_waited_for)
{
    passenger_heartbeat heartbeat = begun();
    CHECK(!passenger_heartbeat_look(&heartbeat, start - 20 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start - 10 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 10 * second, 0));
    CHECK(!passenger_heartbeat_look(&heartbeat, start + 20 * second, 0));
    CHECK(passenger_heartbeat_look(&heartbeat, start + 30 * second, 0));
}

TESTS(RUN(one_that_is_heard_at_each_look_does_not_hang),
      RUN(one_that_is_silent_for_half_a_minute_hangs_and_not_before),
      RUN(a_sign_of_life_begins_the_time_anew),
      RUN(a_pause_of_the_one_who_looks_counts_as_one_look),
      RUN(one_that_begins_later_is_waited_for))
