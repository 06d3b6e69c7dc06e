/* What the forked child does on its way from a copy of httpd's parent to the spawner. */
#ifndef PASSENGER_SPAWNER_CHILD_H
#define PASSENGER_SPAWNER_CHILD_H

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

/* Called right after fork() in the child. Leaves the session of httpd, closes what it inherited, runs the spawner and
 * ends the process without running any of httpd's cleanups. */
void passenger_spawner_child_run(const passenger_spawner_start *start) __attribute__((noreturn));

#endif
