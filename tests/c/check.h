/* check.h: a test program is a list of TEST(name) { ... } functions and one TESTS(...) table.
 * With a name as argument it runs that test, without one all of them. A failed CHECK ends the program with status 1. */
#ifndef JUMPSEAT_CHECK_H
#define JUMPSEAT_CHECK_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_general.h>
#include <apr_pools.h>

typedef struct check_test {
    const char *name;
    void (*run)(void);
} check_test;

#define TEST(name) static void name(void)
#define RUN(name) {#name, name}

#define CHECK(condition)                                                                   \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: %s: not so: %s\n", __FILE__, __LINE__, __func__, #condition); \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

#define CHECK_TEXT(actual, expected)                                                       \
    do {                                                                                   \
        const char *actual_text = (actual);                                                \
        const char *expected_text = (expected);                                            \
        if (actual_text == NULL || strcmp(actual_text, expected_text) != 0) {              \
            fprintf(stderr, "%s:%d: %s: %s is \"%s\", not \"%s\"\n", __FILE__, __LINE__, __func__, #actual, \
                    actual_text != NULL ? actual_text : "(null)", expected_text);          \
            exit(1);                                                                       \
        }                                                                                  \
    } while (0)

/* A pool that lives as long as the program. */
static inline apr_pool_t *check_pool(void)
{
    static apr_pool_t *pool;
    if (pool == NULL && (apr_initialize() != APR_SUCCESS || apr_pool_create(&pool, NULL) != APR_SUCCESS)) {
        exit(1);
    }
    return pool;
}

/* The same numbers on every machine and in every run. */
static inline unsigned check_random(unsigned *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static inline int check_main(const check_test *tests, size_t count, const char *wanted)
{
    int ran = 0;
    for (size_t index = 0; index < count; index++) {
        if (wanted == NULL || strcmp(wanted, tests[index].name) == 0) {
            tests[index].run();
            ran++;
        }
    }
    if (ran == 0) {
        fprintf(stderr, "no test has the name %s\n", wanted);
    }
    return ran > 0 ? 0 : 1;
}

#define TESTS(...)                                                                         \
    int main(int argc, char **argv)                                                        \
    {                                                                                      \
        static const check_test tests[] = {__VA_ARGS__};                                   \
        int status = check_main(tests, sizeof(tests) / sizeof(tests[0]), argc > 1 ? argv[1] : NULL); \
        apr_terminate();                                                                   \
        return status;                                                                     \
    }

#endif
