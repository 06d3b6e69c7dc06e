/* spawner_watch.h: ends a spawner that hangs or spins, so that another one takes its place
 * (docs/decisions/023-a-spawner-that-hangs.md).
 *
 * One spawner at a time; static storage. Called in httpd's parent, in its only thread. Nothing blocks.
 */
#ifndef JUMPSEAT_SPAWNER_WATCH_H
#define JUMPSEAT_SPAWNER_WATCH_H

#include <sys/types.h>

#include <apr_time.h>
#include <httpd.h>

/* A spawner was forked that begins its work at `begins` (of passenger_monotonic_now()). */
void passenger_spawner_watch_begin(apr_time_t begins);

/* One check of the spawner, which is not reaped yet. `has_beaten`: whether it has sent anything since the last
 * check. A spawner that has been silent for too long is ended: by SIGABRT, on which it writes its stacks, and at the
 * next check by SIGKILL. One that was stopped by a signal or a debugger is left alone, with one warning. */
void passenger_spawner_watch_check(pid_t pid, int has_beaten, server_rec *server);

#endif
