/* spawner_child.h: how a fork of httpd's parent becomes the spawner.
 *
 * All of this runs in the child, in the time between fork() and the end of the process. Nothing of it may be called in
 * a process of httpd.
 */
#ifndef JUMPSEAT_SPAWNER_CHILD_H
#define JUMPSEAT_SPAWNER_CHILD_H

#include <stddef.h>

enum { PASSENGER_KEPT_DESCRIPTORS = 4 };

/* Exit status when Python could not be started, beside those of spawner/daemon/main.py; the reason is on stderr. */
enum { PASSENGER_PYTHON_NOT_STARTED = 71 };

typedef struct {
    int kept[PASSENGER_KEPT_DESCRIPTORS];   /* stay open beside stderr, all above 2 */
    int lifeline;                           /* one of them: ends with httpd's parent */
    int delay_seconds;                      /* to wait before Python is started */
    const char *parameters;                 /* one netstring (docs/protocol.md, section 4) */
    size_t parameters_length;
} passenger_spawner_start;

/* Called right after fork(). Leaves the session of httpd, closes what it inherited, starts the Python interpreter that
 * the module was built with, runs the spawner, and ends the process without any of httpd's cleanups. */
void passenger_spawner_child_run(const passenger_spawner_start *start) __attribute__((noreturn));

/* The one function of this shared object that is written in Python (apache_module/embedding.py): runs the spawner
 * until it ends. Python has been started. `parameters` is one netstring (docs/protocol.md, section 4). Returns
 * PASSENGER_SPAWNER_RAN plus the exit status, or 0 when the spawner's code could not be loaded; stderr says why. */
int jumpseat_spawner_main(const char *parameters, size_t length);

#endif
