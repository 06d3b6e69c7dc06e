#include "check.h"
#include "core/overflow_count.h"

enum { SECOND = 1000 * 1000, START = 5 * SECOND };

static void expect(passenger_overflow_count *counts, int64_t now, const char *group, uint64_t count)
{
    passenger_overflow taken;
    CHECK(passenger_overflow_count_take(counts, now, &taken));
    CHECK_TEXT(taken.group, group);
    CHECK(taken.count == count);
    free(taken.group);
}

static void expect_nothing(passenger_overflow_count *counts, int64_t now)
{
    passenger_overflow taken;
    CHECK(!passenger_overflow_count_take(counts, now, &taken));
}

TEST(the_first_one_is_told_at_once_and_the_rest_together_a_second_later)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(4);
    expect_nothing(counts, START);
    passenger_overflow_count_add(counts, "a", 1);
    expect(counts, START, "a", 1);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, "a", 1);
    expect_nothing(counts, START + SECOND - 1);
    CHECK(!passenger_overflow_count_is_empty(counts));
    expect(counts, START + SECOND, "a", 2);
    CHECK(passenger_overflow_count_is_empty(counts));
    passenger_overflow_count_destroy(counts);
}

TEST(the_group_with_the_most_is_told_first)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(4);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, "b", 3);
    passenger_overflow_count_add(counts, "c", 2);
    expect(counts, START, "b", 3);
    expect(counts, START + SECOND, "c", 2);
    expect(counts, START + 2 * SECOND, "a", 1);
    expect_nothing(counts, START + 9 * SECOND);
    passenger_overflow_count_destroy(counts);
}

TEST(more_groups_than_there_is_room_for_are_not_counted_and_harm_nobody)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(1);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, "b", 7);
    passenger_overflow_count_add(counts, "a", 1);
    expect(counts, START, "a", 2);
    passenger_overflow_count_add(counts, "b", 1);
    expect(counts, START + SECOND, "b", 1);
    passenger_overflow_count_destroy(counts);
}

TEST(what_could_not_be_told_is_added_again)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(2);
    passenger_overflow taken;
    passenger_overflow_count_add(counts, "a", 2);
    CHECK(passenger_overflow_count_take(counts, START, &taken));
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, taken.group, taken.count);
    free(taken.group);
    expect(counts, START + SECOND, "a", 3);
    passenger_overflow_count_destroy(counts);
}

TEST(what_is_left_is_released)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(2);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_destroy(counts);
    passenger_overflow_count_destroy(NULL);
}

TESTS(RUN(the_first_one_is_told_at_once_and_the_rest_together_a_second_later),
      RUN(the_group_with_the_most_is_told_first),
      RUN(more_groups_than_there_is_room_for_are_not_counted_and_harm_nobody),
      RUN(what_could_not_be_told_is_added_again),
      RUN(what_is_left_is_released))
