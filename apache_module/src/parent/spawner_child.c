#include "parent/spawner_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "parent/embedding.h"
#include "parent/python_start.h"

static void reset_signals(void)
{
    sigset_t none;

    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    /* As in any Python program; an embedded one does not do it itself. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Closes the descriptors first to last, both included. */
static void close_range_of(unsigned int first, unsigned int last)
{
    struct rlimit limit;

    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) {
        return;
    }
    /* A kernel before 5.9. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < last) {
        last = (unsigned int)limit.rlim_cur;
    }
    for (unsigned int descriptor = first; descriptor <= last; descriptor++) {
        close((int)descriptor);
    }
}

static int compare_descriptors(const void *left, const void *right)
{
    return *(const int *)left - *(const int *)right;
}

static void close_all_but(const int *kept)
{
    int sorted[PASSENGER_KEPT_DESCRIPTORS];
    unsigned int next = STDERR_FILENO + 1;

    memcpy(sorted, kept, sizeof sorted);
    qsort(sorted, PASSENGER_KEPT_DESCRIPTORS, sizeof sorted[0], compare_descriptors);
    for (int i = 0; i < PASSENGER_KEPT_DESCRIPTORS; i++) {
        if (sorted[i] > 0) {
            close_range_of(next, (unsigned int)sorted[i] - 1);
        }
        next = (unsigned int)sorted[i] + 1;
    }
    close_range_of(next, ~0U);
}

/* Nothing to read, and whatever is printed goes to the error log. */
static void redirect_standard_streams(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
    dup2(STDERR_FILENO, STDOUT_FILENO);
}

static void wait_or_end(int lifeline, int seconds)
{
    struct pollfd watched = {.fd = lifeline, .events = POLLIN};

    if (seconds > 0 && poll(&watched, 1, seconds * 1000) > 0) {
        _exit(0);
    }
}

void passenger_spawner_child_run(const passenger_spawner_start *start)
{
    int status;

    /* 1. Not in httpd's process group: it signals the whole of it. */
    setsid();
    prctl(PR_SET_NAME, "jumpseat", 0, 0, 0);

    /* 2. Nothing of httpd's: signals, descriptors, working directory, mask. */
    reset_signals();
    redirect_standard_streams();
    close_all_but(start->kept);
    umask(022);
    if (chdir("/") != 0) {
        perror("jumpseat: chdir /");
    }

    /* 3. Not at once when those before it ended early. */
    wait_or_end(start->lifeline, start->delay_seconds);

    /* 4. Python, in this process only. */
    if (passenger_python_start() != 0) {
        _exit(PASSENGER_PYTHON_NOT_STARTED);
    }
    status = jumpseat_spawner_main(start->parameters, start->parameters_length);
    _exit(status < JUMPSEAT_SPAWNER_RAN ? PASSENGER_PYTHON_NOT_STARTED : status - JUMPSEAT_SPAWNER_RAN);
}
