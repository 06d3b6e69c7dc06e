#include <Python.h>

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

#include "core/generated/constants.h"

/* The prefix of the interpreter that the module was built with; given by the build. */
#ifndef JUMPSEAT_PYTHON_HOME
#error "JUMPSEAT_PYTHON_HOME is not defined"
#endif

/* Where cffi and the spawner's other packages are; given by the build. */
#ifndef JUMPSEAT_SITE_PACKAGES
#error "JUMPSEAT_SITE_PACKAGES is not defined"
#endif

enum { MOST_DESCRIPTORS = 1 << 20 };   /* the kernel's limit for a process (fs.nr_open), unless it was raised */

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
    unsigned int end = MOST_DESCRIPTORS;
    struct rlimit limit;

    if (first > last || syscall(SYS_close_range, first, last, 0) == 0) {
        return;
    }
    /* A kernel before 5.9. */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < end) {
        end = (unsigned int)limit.rlim_cur;
    }
    for (unsigned int descriptor = first; descriptor <= last && descriptor < end; descriptor++) {
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
        close_range_of(next, (unsigned int)sorted[i] - 1);
        next = (unsigned int)sorted[i] + 1;
    }
    close_range_of(next, ~0U);
}

/* Standard input is empty; what is printed goes to the error log. */
static void redirect_standard_streams(void)
{
    int null = open("/dev/null", O_RDWR);

    /* httpd may have been started without some of them: then it is one of their numbers. */
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
    }
    dup2(STDERR_FILENO, STDOUT_FILENO);
    if (null > STDERR_FILENO) {
        close(null);
    }
}

static void wait_or_end(int lifeline, int seconds)
{
    struct pollfd watched = {.fd = lifeline, .events = POLLIN};

    if (seconds > 0 && poll(&watched, 1, seconds * 1000) > 0) {
        _exit(0);
    }
}

/* cffi imports its _cffi_backend before any Python of ours runs: it must find ours, not one of the system's
 * packages. */
static int find_our_packages_first(void)
{
    PyObject *path = PySys_GetObject("path");
    PyObject *folder = PyUnicode_DecodeFSDefault(JUMPSEAT_SITE_PACKAGES);
    int failed = path == NULL || folder == NULL || PyList_Insert(path, 0, folder) != 0;

    Py_XDECREF(folder);
    return failed ? -1 : 0;
}

static PyStatus initialize_python(void)
{
    PyPreConfig before;
    PyConfig config;
    PyStatus status;

    PyPreConfig_InitIsolatedConfig(&before);
    before.utf8_mode = 1;
    status = Py_PreInitialize(&before);
    if (PyStatus_Exception(status)) {
        return status;
    }
    PyConfig_InitIsolatedConfig(&config);
    config.write_bytecode = 0;
    config.site_import = 0;
    status = PyConfig_SetBytesString(&config, &config.home, JUMPSEAT_PYTHON_HOME);
    if (!PyStatus_Exception(status)) {
        status = Py_InitializeFromConfig(&config);
    }
    PyConfig_Clear(&config);
    return status;
}

/* Starts the interpreter that the module was built with, isolated: it takes nothing from the environment, from the
 * user's own packages or from the locale (text is UTF-8), writes no byte code and installs no signal handlers.
 * Afterwards this thread does not hold the interpreter's lock. Returns 0, or -1 when Python could not be started;
 * stderr says why. */
static int start_python(void)
{
    PyStatus status = initialize_python();

    if (PyStatus_Exception(status)) {
        fprintf(stderr, "jumpseat: Python (%s) does not start: %s\n", JUMPSEAT_PYTHON_HOME,
                status.err_msg != NULL ? status.err_msg : "it asked to exit");
        return -1;
    }
    if (find_our_packages_first() != 0) {
        PyErr_Print();
        return -1;
    }
    PyEval_SaveThread();
    return 0;
}

void passenger_spawner_child_run(const passenger_spawner_start *start)
{
    int status;

    /* 1. Leave httpd's process group, which httpd signals as a whole. */
    setsid();
    prctl(PR_SET_NAME, "jumpseat", 0, 0, 0);

    /* 2. Drop what belongs to httpd: signal handlers, descriptors, working directory, file mask. */
    reset_signals();
    redirect_standard_streams();
    close_all_but(start->kept);
    umask(022);
    if (chdir("/") != 0) {
        perror("jumpseat: chdir /");
    }

    /* 3. Wait, when the spawners before this one could not start. */
    wait_or_end(start->lifeline, start->delay_seconds);

    /* 4. Start Python, in this process only. */
    if (start_python() != 0) {
        _exit(PASSENGER_PYTHON_NOT_STARTED);
    }
    status = jumpseat_spawner_main(start->parameters, start->parameters_length);
    _exit(status < PASSENGER_SPAWNER_RAN ? PASSENGER_PYTHON_NOT_STARTED : status - PASSENGER_SPAWNER_RAN);
}
