/* Ends a spawner that hangs or spins, so that another one takes its place (docs/decisions/023-a-spawner-that-hangs.md).
 *
 * One spawner at a time; called in httpd's parent, in its only thread. Nothing blocks.
 */
#ifndef PASSENGER_SPAWNER_WATCH_H
#define PASSENGER_SPAWNER_WATCH_H

#include <sys/types.h>

#include <apr_time.h>
#include <httpd.h>

/* A spawner was forked that begins its work at `begins` (of passenger_monotonic_now()). */
void passenger_spawner_watch_begin(apr_time_t begins);

/* One look at the spawner, which is not reaped yet; `heard`: whether it has said anything since the look before. One that has
 * been silent for too long is ended: by SIGABRT, on which it writes its stacks, and at the next look by SIGKILL. One that was
 * stopped by a signal or a debugger is left alone, and named once. */
void passenger_spawner_watch_look(pid_t pid, int heard, server_rec *server);

#endif
