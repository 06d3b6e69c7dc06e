#include "parent/spawner_watch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include <http_log.h>

#include "config/configuration.h"
#include "core/deadlines.h"

APLOG_USE_MODULE(passenger);

/* Of the present spawner. */
static struct {
    passenger_heartbeat heartbeat;
    int has_warned; /* that it is stopped */
    int is_aborted; /* it was sent SIGABRT */
} watch;

void passenger_spawner_watch_begin(apr_time_t begins)
{
    passenger_heartbeat_begin(&watch.heartbeat, begins);
    watch.has_warned = 0;
    watch.is_aborted = 0;
}

/* Whether a signal or a debugger has stopped it (proc(5)). The state follows the name, which may contain anything. */
static int is_stopped(pid_t pid)
{
    char path[64];
    char text[512];
    const char *name_end;
    ssize_t length;
    int file;

    apr_snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return 0;
    }
    length = read(file, text, sizeof text - 1);
    close(file);
    if (length <= 0) {
        return 0;
    }
    text[length] = '\0';
    name_end = strrchr(text, ')');
    return name_end != NULL && (strncmp(name_end, ") T", 3) == 0 || strncmp(name_end, ") t", 3) == 0);
}

static void warn_stopped(pid_t pid, server_rec *server)
{
    if (!watch.has_warned) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server, PSGLOGNO(1030)
                     "the spawner (pid %ld) is stopped by a signal or a debugger: running apps serve requests, but no "
                     "app is started or restarted until the spawner continues", (long)pid);
    }
    watch.has_warned = 1;
}

static void end(pid_t pid, server_rec *server)
{
    if (watch.is_aborted) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, PSGLOGNO(1032)
                     "the spawner (pid %ld) hangs and has not ended after SIGABRT: killed", (long)pid);
        kill(pid, SIGKILL);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, PSGLOGNO(1031)
                 "the spawner (pid %ld) has sent no heartbeat for %d seconds: it hangs and is aborted; its stacks "
                 "follow",
                 (long)pid, PASSENGER_HEARTBEAT_TIMEOUT_SECONDS);
    watch.is_aborted = 1;
    kill(pid, SIGABRT);
}

void passenger_spawner_watch_check(pid_t pid, int has_beaten, server_rec *server)
{
    apr_time_t now = passenger_monotonic_now();

    if (has_beaten) {
        watch.has_warned = 0;
    }
    if (!passenger_heartbeat_check(&watch.heartbeat, now, has_beaten)) {
        return;
    }
    if (is_stopped(pid)) {
        passenger_heartbeat_begin(&watch.heartbeat, now);   /* when it continues, it has the whole time again */
        warn_stopped(pid, server);
    }
    else {
        end(pid, server);
    }
}
