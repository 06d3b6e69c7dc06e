#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "parent/spawner_handles.h"
#include "check.h"

enum { COUNT = 6 };

static void numbers_of(int numbers[COUNT])
{
    const passenger_spawner_handles *handles = passenger_spawner_handles_get();
    int all[COUNT] = {handles->control, handles->spawner_control, handles->lifeline_read,
                      handles->lifeline_write, handles->store_read, handles->store_write};
    memcpy(numbers, all, sizeof(all));
}

static int is_open(int descriptor)
{
    return fcntl(descriptor, F_GETFD) >= 0;
}

static int count_open(const int numbers[COUNT])
{
    int count = 0;
    for (int index = 0; index < COUNT; index++) {
        count += is_open(numbers[index]);
    }
    return count;
}

static void make_all(int numbers[COUNT])
{
    CHECK(passenger_spawner_handles_open() == APR_SUCCESS);
    CHECK(passenger_spawner_handles_renew_control() == APR_SUCCESS);
    numbers_of(numbers);
    CHECK(count_open(numbers) == COUNT);
}

/* Ends a child: its status says whether `is_right`. */
static void end_child(int is_right)
{
    _exit(is_right ? 0 : 1);
}

static void check_child(pid_t child)
{
    int status;
    CHECK(child > 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(they_are_above_the_standard_streams_where_those_are_closed)
{
    int numbers[COUNT];
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    make_all(numbers);
    for (int index = 0; index < COUNT; index++) {
        CHECK(numbers[index] > STDERR_FILENO);
    }
    CHECK(!is_open(STDIN_FILENO) && !is_open(STDOUT_FILENO));
}

TEST(all_are_closed_when_another_program_is_executed)
{
    int numbers[COUNT];
    make_all(numbers);
    for (int index = 0; index < COUNT; index++) {
        CHECK(fcntl(numbers[index], F_GETFD) & FD_CLOEXEC);
    }
}

TEST(a_child_that_somebody_else_forks_has_none)
{
    int numbers[COUNT];
    make_all(numbers);
    pid_t child = fork();
    if (child == 0) {
        end_child(count_open(numbers) == 0 && passenger_spawner_handles_get()->control == PASSENGER_NO_HANDLE);
    }
    check_child(child);
    CHECK(count_open(numbers) == COUNT);
}

TEST(the_spawner_has_its_own_ends_only)
{
    int numbers[COUNT];
    make_all(numbers);
    passenger_spawner_handles_fork_begins();
    pid_t child = fork();
    if (child == 0) {
        /* In the order of numbers_of(). */
        static const int expected[COUNT] = {0, 1, 1, 0, 1, 1};
        int is_right = 1;
        for (int index = 0; index < COUNT; index++) {
            is_right = is_right && is_open(numbers[index]) == expected[index];
        }
        end_child(is_right);
    }
    passenger_spawner_handles_fork_ended();
    check_child(child);
    CHECK(!is_open(numbers[1]));
    CHECK(count_open(numbers) == COUNT - 1);
}

TEST(a_child_of_a_child_keeps_what_has_the_same_numbers_by_then)
{
    int numbers[COUNT];
    make_all(numbers);
    pid_t child = fork();
    if (child == 0) {
        for (int index = 0; index < COUNT; index++) {
            dup2(STDERR_FILENO, numbers[index]);
        }
        pid_t grandchild = fork();
        if (grandchild == 0) {
            end_child(count_open(numbers) == COUNT);
        }
        check_child(grandchild);
        end_child(1);
    }
    check_child(child);
}

TEST(the_lines_that_serve_every_spawner_are_made_once)
{
    int before[COUNT];
    int after[COUNT];
    make_all(before);
    make_all(after);
    CHECK(memcmp(before + 2, after + 2, 4 * sizeof(int)) == 0);
}

TEST(the_control_line_holds_as_much_as_it_is_told_to)
{
    int numbers[COUNT];
    int small, large;
    socklen_t size = sizeof(int);
    make_all(numbers);
    CHECK(getsockopt(numbers[0], SOL_SOCKET, SO_SNDBUF, &small, &size) == 0);
    passenger_spawner_handles_enlarge_control(1);
    CHECK(getsockopt(numbers[0], SOL_SOCKET, SO_SNDBUF, &large, &size) == 0);
    CHECK(large == small);
    passenger_spawner_handles_enlarge_control(64 * 1024 * 1024);
    CHECK(getsockopt(numbers[0], SOL_SOCKET, SO_SNDBUF, &large, &size) == 0);
    CHECK(large > small || geteuid() != 0);
}

TESTS(RUN(they_are_above_the_standard_streams_where_those_are_closed),
      RUN(all_are_closed_when_another_program_is_executed), RUN(a_child_that_somebody_else_forks_has_none),
      RUN(the_spawner_has_its_own_ends_only), RUN(a_child_of_a_child_keeps_what_has_the_same_numbers_by_then),
      RUN(the_lines_that_serve_every_spawner_are_made_once), RUN(the_control_line_holds_as_much_as_it_is_told_to))
