#include <apr_file_io.h>
#include <apr_thread_proc.h>

#include "output/counted_buckets.h"
#include "check.h"

enum { PIECE = 1000 };

static const char text[PIECE] = "text";

/* A connection's own, as httpd has it. */
typedef struct connection {
    apr_pool_t *pool;
    apr_bucket_alloc_t *list;
    apr_bucket_brigade *brigade;
    passenger_bucket_counter *counter;
} connection;

static void begin(connection *it)
{
    CHECK(apr_pool_create(&it->pool, check_pool()) == APR_SUCCESS);
    it->list = apr_bucket_alloc_create(it->pool);
    it->brigade = apr_brigade_create(it->pool, it->list);
    it->counter = passenger_bucket_counter_create(it->pool);
    CHECK(it->counter != NULL);
}

static void add(connection *it, apr_bucket *bucket)
{
    APR_BRIGADE_INSERT_TAIL(it->brigade, bucket);
}

static void count(connection *it)
{
    CHECK(passenger_bucket_counter_add(it->counter, it->brigade) == APR_SUCCESS);
}

TEST(bytes_count_until_their_bucket_is_destroyed)
{
    connection it;
    begin(&it);
    add(&it, apr_bucket_transient_create(text, PIECE, it.list));
    add(&it, apr_bucket_flush_create(it.list));
    add(&it, apr_bucket_heap_create(text, PIECE, NULL, it.list));
    count(&it);
    CHECK(passenger_bucket_counter_bytes(it.counter) == 2 * PIECE);
    apr_bucket_delete(APR_BRIGADE_FIRST(it.brigade));
    CHECK(passenger_bucket_counter_bytes(it.counter) == PIECE);
    apr_brigade_cleanup(it.brigade);
    CHECK(passenger_bucket_counter_bytes(it.counter) == 0);
    apr_pool_destroy(it.pool);
}

TEST(the_bytes_stay_the_same_and_in_order)
{
    connection it;
    char found[3 * PIECE];
    apr_size_t length = sizeof(found);
    char other[PIECE];
    begin(&it);
    memset(other, 'x', sizeof(other));
    add(&it, apr_bucket_immortal_create(text, PIECE, it.list));
    add(&it, apr_bucket_transient_create(other, PIECE, it.list));
    count(&it);
    memset(other, 'y', sizeof(other));   /* it has a copy */
    CHECK(apr_brigade_flatten(it.brigade, found, &length) == APR_SUCCESS);
    CHECK(length == 2 * PIECE);
    CHECK(memcmp(found, text, PIECE) == 0);
    CHECK(found[PIECE] == 'x' && found[2 * PIECE - 1] == 'x');
    apr_pool_destroy(it.pool);
}

TEST(what_stands_together_becomes_one_bucket)
{
    connection it;
    begin(&it);
    add(&it, apr_bucket_transient_create(text, PIECE, it.list));
    add(&it, apr_bucket_heap_create(text, PIECE, NULL, it.list));
    add(&it, apr_bucket_immortal_create(text, PIECE, it.list));
    count(&it);
    apr_bucket *bucket = APR_BRIGADE_FIRST(it.brigade);
    CHECK(bucket->length == 3 * PIECE);
    CHECK(APR_BUCKET_NEXT(bucket) == APR_BRIGADE_SENTINEL(it.brigade));
    apr_pool_destroy(it.pool);
}

TEST(metadata_stays_where_it_is)
{
    connection it;
    begin(&it);
    add(&it, apr_bucket_transient_create(text, PIECE, it.list));
    add(&it, apr_bucket_flush_create(it.list));
    add(&it, apr_bucket_immortal_create("", 0, it.list));
    add(&it, apr_bucket_transient_create(text, PIECE, it.list));
    add(&it, apr_bucket_eos_create(it.list));
    count(&it);
    apr_bucket *bucket = APR_BRIGADE_FIRST(it.brigade);
    CHECK(APR_BUCKET_IS_HEAP(bucket) && bucket->length == PIECE);
    bucket = APR_BUCKET_NEXT(bucket);
    CHECK(APR_BUCKET_IS_FLUSH(bucket));
    bucket = APR_BUCKET_NEXT(bucket);
    CHECK(APR_BUCKET_IS_HEAP(bucket) && bucket->length == PIECE);
    bucket = APR_BUCKET_NEXT(bucket);
    CHECK(APR_BUCKET_IS_EOS(bucket));
    CHECK(APR_BUCKET_NEXT(bucket) == APR_BRIGADE_SENTINEL(it.brigade));
    apr_pool_destroy(it.pool);
}

TEST(a_part_of_a_bucket_counts_as_long_as_any_of_it)
{
    connection it;
    begin(&it);
    add(&it, apr_bucket_transient_create(text, PIECE, it.list));
    count(&it);
    CHECK(apr_bucket_split(APR_BRIGADE_FIRST(it.brigade), 1) == APR_SUCCESS);
    apr_bucket_delete(APR_BRIGADE_FIRST(it.brigade));
    CHECK(passenger_bucket_counter_bytes(it.counter) == PIECE);
    apr_bucket_delete(APR_BRIGADE_FIRST(it.brigade));
    CHECK(passenger_bucket_counter_bytes(it.counter) == 0);
    apr_pool_destroy(it.pool);
}

TEST(a_file_is_read)
{
    connection it;
    apr_file_t *file;
    char name[] = "counted-XXXXXX";
    apr_size_t length = PIECE;
    begin(&it);
    CHECK(apr_file_mktemp(&file, name, 0, it.pool) == APR_SUCCESS);
    CHECK(apr_file_write_full(file, text, length, NULL) == APR_SUCCESS);
    add(&it, apr_bucket_file_create(file, 0, PIECE, it.pool, it.list));
    count(&it);
    CHECK(APR_BUCKET_IS_HEAP(APR_BRIGADE_FIRST(it.brigade)));
    CHECK(passenger_bucket_counter_bytes(it.counter) == PIECE);
    apr_pool_destroy(it.pool);
}

static apr_bucket *file_bucket(connection *it, apr_size_t length)
{
    apr_file_t *file;
    char name[] = "counted-XXXXXX";
    CHECK(apr_file_mktemp(&file, name, 0, it->pool) == APR_SUCCESS);
    return apr_bucket_file_create(file, 0, length, it->pool, it->list);
}

TEST(files_are_taken_up_to_the_limit_in_all)
{
    connection it;
    begin(&it);
    add(&it, apr_bucket_heap_create(text, PIECE, NULL, it.list));
    add(&it, file_bucket(&it, PASSENGER_COUNTED_LIMIT - PIECE));
    add(&it, apr_bucket_flush_create(it.list));
    add(&it, file_bucket(&it, PIECE));
    CHECK(passenger_bucket_counter_takes(it.brigade));
    add(&it, file_bucket(&it, 1));
    CHECK(!passenger_bucket_counter_takes(it.brigade));
    apr_pool_destroy(it.pool);
}

TEST(what_has_no_known_length_is_not_taken)
{
    connection it;
    apr_file_t *ends[2];
    begin(&it);
    CHECK(apr_file_pipe_create(&ends[0], &ends[1], it.pool) == APR_SUCCESS);
    add(&it, apr_bucket_pipe_create(ends[0], it.list));
    CHECK(!passenger_bucket_counter_takes(it.brigade));
    apr_pool_destroy(it.pool);
}

TEST(what_is_long_becomes_several_buckets_so_that_taking_it_shows)
{
    static char all[2 * PASSENGER_COUNTED_LIMIT + 1];
    connection it;
    begin(&it);
    add(&it, apr_bucket_transient_create(text, PIECE, it.list));
    add(&it, apr_bucket_immortal_create(all, sizeof(all), it.list));
    CHECK(passenger_bucket_counter_takes(it.brigade));
    count(&it);
    apr_bucket *bucket = APR_BRIGADE_FIRST(it.brigade);
    CHECK(bucket->length == PASSENGER_COUNTED_LIMIT);
    bucket = APR_BUCKET_NEXT(bucket);
    CHECK(bucket->length == PASSENGER_COUNTED_LIMIT);
    bucket = APR_BUCKET_NEXT(bucket);
    CHECK(bucket->length == PIECE + 1);
    CHECK(passenger_bucket_counter_bytes(it.counter) == PIECE + sizeof(all));
    apr_pool_destroy(it.pool);
}

TEST(what_cannot_be_read_ends_it_and_counts_nothing_of_it)
{
    connection it;
    apr_file_t *file;
    char name[] = "counted-XXXXXX";
    begin(&it);
    CHECK(apr_file_mktemp(&file, name, 0, it.pool) == APR_SUCCESS);
    add(&it, apr_bucket_file_create(file, 0, PIECE, it.pool, it.list));   /* which is empty */
    apr_bucket_file_enable_mmap(APR_BRIGADE_LAST(it.brigade), 0);
    CHECK(passenger_bucket_counter_add(it.counter, it.brigade) != APR_SUCCESS);
    CHECK(passenger_bucket_counter_bytes(it.counter) == 0);
    apr_pool_destroy(it.pool);
}

TEST(buckets_may_outlive_their_counter)
{
    connection it;
    connection other;
    begin(&it);
    begin(&other);
    add(&it, apr_bucket_transient_create(text, PIECE, other.list));
    CHECK(passenger_bucket_counter_add(it.counter, it.brigade) == APR_SUCCESS);
    apr_bucket *bucket = APR_BRIGADE_FIRST(it.brigade);
    APR_BUCKET_REMOVE(bucket);
    APR_BRIGADE_INSERT_TAIL(other.brigade, bucket);
    apr_pool_destroy(it.pool);
    apr_brigade_cleanup(other.brigade);
    apr_pool_destroy(other.pool);
}

static void *APR_THREAD_FUNC destroy_all(apr_thread_t *thread, void *brigade)
{
    apr_brigade_cleanup(brigade);
    apr_thread_exit(thread, APR_SUCCESS);
    return NULL;
}

TEST(another_thread_may_destroy_them_while_bytes_are_counted)
{
    connection it;
    connection other;
    apr_thread_t *thread;
    apr_status_t status;
    begin(&it);
    begin(&other);
    for (int number = 0; number < 1000; number++) {
        apr_bucket_brigade *piece = apr_brigade_create(other.pool, other.list);
        APR_BRIGADE_INSERT_TAIL(piece, apr_bucket_transient_create(text, PIECE, other.list));
        CHECK(passenger_bucket_counter_add(it.counter, piece) == APR_SUCCESS);
        APR_BRIGADE_CONCAT(other.brigade, piece);
    }
    CHECK(apr_thread_create(&thread, NULL, destroy_all, other.brigade, check_pool()) == APR_SUCCESS);
    while (passenger_bucket_counter_bytes(it.counter) > 0) {
        apr_thread_yield();
    }
    apr_pool_destroy(it.pool);
    CHECK(apr_thread_join(&status, thread) == APR_SUCCESS);
    apr_pool_destroy(other.pool);
}

TESTS(RUN(bytes_count_until_their_bucket_is_destroyed), RUN(the_bytes_stay_the_same_and_in_order),
      RUN(what_stands_together_becomes_one_bucket), RUN(metadata_stays_where_it_is),
      RUN(a_part_of_a_bucket_counts_as_long_as_any_of_it), RUN(a_file_is_read),
      RUN(files_are_taken_up_to_the_limit_in_all), RUN(what_has_no_known_length_is_not_taken),
      RUN(what_is_long_becomes_several_buckets_so_that_taking_it_shows),
      RUN(what_cannot_be_read_ends_it_and_counts_nothing_of_it), RUN(buckets_may_outlive_their_counter),
      RUN(another_thread_may_destroy_them_while_bytes_are_counted))
