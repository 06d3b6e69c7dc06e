#include "check.h"
#include "core/overflow_count.h"

enum { SECOND = 1000 * 1000, START = 5 * SECOND };

static void expect(passenger_overflow_count *counts, int64_t now, const char *group, uint64_t count)
{
    passenger_overflow taken;
    CHECK(passenger_overflow_count_take(counts, now, check_pool(), &taken));
    CHECK_TEXT(taken.group, group);
    CHECK(taken.count == count);
}

static void expect_nothing(passenger_overflow_count *counts, int64_t now)
{
    passenger_overflow taken;
    CHECK(!passenger_overflow_count_take(counts, now, check_pool(), &taken));
}

TEST(the_first_one_is_told_at_once_and_the_rest_together_a_second_later)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(check_pool(), 4);
    expect_nothing(counts, START);
    passenger_overflow_count_add(counts, "a", 1);
    expect(counts, START, "a", 1);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, "a", 1);
    expect_nothing(counts, START + SECOND - 1);
    CHECK(!passenger_overflow_count_is_empty(counts));
    expect(counts, START + SECOND, "a", 2);
    CHECK(passenger_overflow_count_is_empty(counts));
}

TEST(the_group_with_the_most_is_told_first)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(check_pool(), 4);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, "b", 3);
    passenger_overflow_count_add(counts, "c", 2);
    expect(counts, START, "b", 3);
    expect(counts, START + SECOND, "c", 2);
    expect(counts, START + 2 * SECOND, "a", 1);
    expect_nothing(counts, START + 9 * SECOND);
}

TEST(more_groups_than_there_is_room_for_are_not_counted_and_harm_nobody)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(check_pool(), 1);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, "b", 7);
    passenger_overflow_count_add(counts, "a", 1);
    expect(counts, START, "a", 2);
    passenger_overflow_count_add(counts, "b", 1);
    expect(counts, START + SECOND, "b", 1);
}

TEST(what_could_not_be_told_is_added_again)
{
    passenger_overflow_count *counts = passenger_overflow_count_create(check_pool(), 2);
    passenger_overflow taken;
    passenger_overflow_count_add(counts, "a", 2);
    CHECK(passenger_overflow_count_take(counts, START, check_pool(), &taken));
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, taken.group, taken.count);
    expect(counts, START + SECOND, "a", 3);
}

TEST(the_end_of_the_pool_frees_what_is_left)
{
    apr_pool_t *pool;
    CHECK(apr_pool_create(&pool, check_pool()) == APR_SUCCESS);
    passenger_overflow_count *counts = passenger_overflow_count_create(pool, 2);
    passenger_overflow_count_add(counts, "a", 1);
    passenger_overflow_count_add(counts, "b", 1);
    apr_pool_destroy(pool);
}

TEST(counting_takes_nothing_of_the_pool_that_other_threads_may_use)
{
    apr_pool_t *pool;
    CHECK(apr_pool_create(&pool, check_pool()) == APR_SUCCESS);
    passenger_overflow_count *counts = passenger_overflow_count_create(pool, 64);
    /* A pool gives one piece behind the other. */
    char *before = apr_palloc(pool, 64);
    for (int number = 0; number < 64; number++) {
        char group[2] = {(char)('0' + number), '\0'};
        passenger_overflow_count_add(counts, group, 1);
    }
    char *behind = apr_palloc(pool, 64);
    CHECK(behind == before + 64);
    apr_pool_destroy(pool);
}

TESTS(RUN(the_first_one_is_told_at_once_and_the_rest_together_a_second_later),
      RUN(the_group_with_the_most_is_told_first),
      RUN(more_groups_than_there_is_room_for_are_not_counted_and_harm_nobody),
      RUN(what_could_not_be_told_is_added_again),
      RUN(the_end_of_the_pool_frees_what_is_left),
      RUN(counting_takes_nothing_of_the_pool_that_other_threads_may_use))
