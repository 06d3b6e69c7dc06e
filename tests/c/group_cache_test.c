#include "check.h"
#include "core/group_cache.h"

static passenger_group_address address(const char *path, const char *token)
{
    passenger_group_address made = {.socket_path = path, .token = token};
    return made;
}

static passenger_group_address capable(passenger_group_address made, unsigned capabilities)
{
    made.capabilities = capabilities;
    return made;
}

TEST(a_stored_group_is_found_by_its_key)
{
    passenger_group_cache *cache = passenger_group_cache_create(check_pool(), 4);
    passenger_group_address found;
    CHECK(!passenger_group_cache_find(cache, "/srv/a", &found));
    CHECK(passenger_group_cache_store(cache, "/srv/a", address("/run/a.sock", "secret")));
    CHECK(passenger_group_cache_find(cache, "/srv/a", &found));
    CHECK_TEXT(found.socket_path, "/run/a.sock");
    CHECK_TEXT(found.token, "secret");
    CHECK(!passenger_group_cache_find(cache, "/srv/ab", &found));
}

TEST(storing_a_known_key_replaces_its_address)
{
    passenger_group_cache *cache = passenger_group_cache_create(check_pool(), 1);
    passenger_group_address found;
    CHECK(passenger_group_cache_store(cache, "k", address("/1", "a")));
    CHECK(passenger_group_cache_store(cache, "k", address("/2", "b")));
    CHECK(passenger_group_cache_count(cache) == 1);
    CHECK(passenger_group_cache_find(cache, "k", &found));
    CHECK_TEXT(found.socket_path, "/2");
    CHECK_TEXT(found.token, "b");
}

TEST(the_capabilities_of_a_group_are_found_with_its_address)
{
    passenger_group_cache *cache = passenger_group_cache_create(check_pool(), 2);
    passenger_group_address found;
    CHECK(passenger_group_cache_store(cache, "a", capable(address("/1", "t"), 5)));
    CHECK(passenger_group_cache_store(cache, "b", capable(address("/2", "t"), 0)));
    CHECK(passenger_group_cache_find(cache, "a", &found));
    CHECK(found.capabilities == 5);
    CHECK(passenger_group_cache_find(cache, "b", &found));
    CHECK(found.capabilities == 0);
    CHECK(passenger_group_cache_store(cache, "a", capable(address("/1", "t"), 2)));
    CHECK(passenger_group_cache_find(cache, "a", &found));
    CHECK(found.capabilities == 2);
}

TEST(a_full_cache_drops_what_was_used_longest_ago)
{
    passenger_group_cache *cache = passenger_group_cache_create(check_pool(), 2);
    passenger_group_address found;
    CHECK(passenger_group_cache_store(cache, "old", address("/old", "")));
    CHECK(passenger_group_cache_store(cache, "new", address("/new", "")));
    CHECK(passenger_group_cache_find(cache, "old", &found));
    CHECK(passenger_group_cache_store(cache, "third", address("/third", "")));
    CHECK(passenger_group_cache_count(cache) == 2);
    CHECK(passenger_group_cache_find(cache, "old", &found));
    CHECK(passenger_group_cache_find(cache, "third", &found));
    CHECK(!passenger_group_cache_find(cache, "new", &found));
}

TEST(removing_leaves_an_address_that_another_thread_has_renewed)
{
    passenger_group_cache *cache = passenger_group_cache_create(check_pool(), 4);
    passenger_group_address found;
    CHECK(passenger_group_cache_store(cache, "k", address("/2", "b")));
    passenger_group_cache_remove(cache, "k", address("/1", "b"));
    passenger_group_cache_remove(cache, "k", address("/2", "a"));
    passenger_group_cache_remove(cache, "k", capable(address("/2", "b"), 1));
    passenger_group_cache_remove(cache, "unknown", address("/2", "b"));
    CHECK(passenger_group_cache_find(cache, "k", &found));
    passenger_group_cache_remove(cache, "k", address("/2", "b"));
    CHECK(!passenger_group_cache_find(cache, "k", &found));
    CHECK(passenger_group_cache_count(cache) == 0);
}

TEST(the_end_of_the_pool_frees_the_entries)
{
    apr_pool_t *pool;
    CHECK(apr_pool_create(&pool, check_pool()) == APR_SUCCESS);
    passenger_group_cache *cache = passenger_group_cache_create(pool, 2);
    CHECK(passenger_group_cache_store(cache, "a", address("/1", "")));
    CHECK(passenger_group_cache_store(cache, "b", address("/2", "")));
    apr_pool_destroy(pool);
}

TEST(a_digest_tells_apart_texts_whose_concatenation_is_the_same)
{
    uint64_t one = passenger_digest(passenger_digest(PASSENGER_DIGEST_START, "ab"), "c");
    uint64_t other = passenger_digest(passenger_digest(PASSENGER_DIGEST_START, "a"), "bc");
    CHECK(one != other);
    CHECK(passenger_digest(PASSENGER_DIGEST_START, "ab") == passenger_digest(PASSENGER_DIGEST_START, "ab"));
}

TEST(a_long_random_life_never_exceeds_the_capacity_and_never_gives_a_wrong_address)
{
    passenger_group_cache *cache = passenger_group_cache_create(check_pool(), 8);
    unsigned state = 20260103;
    for (int round = 0; round < 50000; round++) {
        char key[16];
        char path[24];
        passenger_group_address found;
        snprintf(key, sizeof(key), "key%u", check_random(&state) % 20);
        snprintf(path, sizeof(path), "/run/%s", key);
        switch (check_random(&state) % 3) {
        case 0:
            CHECK(passenger_group_cache_store(cache, key, address(path, key)));
            break;
        case 1:
            passenger_group_cache_remove(cache, key, address(path, key));
            CHECK(!passenger_group_cache_find(cache, key, &found));
            break;
        default:
            if (passenger_group_cache_find(cache, key, &found)) {
                CHECK_TEXT(found.socket_path, path);
                CHECK_TEXT(found.token, key);
            }
        }
        CHECK(passenger_group_cache_count(cache) <= 8);
    }
}

TEST(storing_takes_nothing_of_the_pool_that_other_threads_may_use)
{
    apr_pool_t *pool;
    CHECK(apr_pool_create(&pool, check_pool()) == APR_SUCCESS);
    passenger_group_cache *cache = passenger_group_cache_create(pool, 64);
    /* A pool gives one piece behind the other. */
    char *before = apr_palloc(pool, 64);
    for (int number = 0; number < 64; number++) {
        char key[2] = {(char)('0' + number), '\0'};
        CHECK(passenger_group_cache_store(cache, key, address("/1", "t")));
    }
    char *behind = apr_palloc(pool, 64);
    CHECK(behind == before + 64);
    apr_pool_destroy(pool);
}

TESTS(RUN(a_stored_group_is_found_by_its_key),
      RUN(storing_a_known_key_replaces_its_address),
      RUN(the_capabilities_of_a_group_are_found_with_its_address),
      RUN(a_full_cache_drops_what_was_used_longest_ago),
      RUN(removing_leaves_an_address_that_another_thread_has_renewed),
      RUN(the_end_of_the_pool_frees_the_entries),
      RUN(a_digest_tells_apart_texts_whose_concatenation_is_the_same),
      RUN(a_long_random_life_never_exceeds_the_capacity_and_never_gives_a_wrong_address),
      RUN(storing_takes_nothing_of_the_pool_that_other_threads_may_use))
