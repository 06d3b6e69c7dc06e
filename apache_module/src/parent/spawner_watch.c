#include "parent/spawner_watch.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include <http_log.h>

#include "core/heartbeat.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"

APLOG_USE_MODULE(passenger);

/* Of the spawner of the moment. */
static struct {
    passenger_heartbeat heartbeat;
    int told;       /* that it is stopped */
    int ending;     /* it was sent SIGABRT */
} watch;

void passenger_spawner_watch_begin(apr_time_t begins)
{
    passenger_heartbeat_begin(&watch.heartbeat, begins);
    watch.told = 0;
    watch.ending = 0;
}

/* Whether a signal or a debugger has stopped it (proc(5)). The state follows the name, which may hold anything. */
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

static void tell_stopped(pid_t pid, server_rec *server)
{
    if (!watch.told) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server, PSGLOGNO(1030)
                     "the spawner (pid %ld) is stopped by a signal or a debugger: apps serve on, none is started or "
                     "restarted until it goes on", (long)pid);
    }
    watch.told = 1;
}

static void end(pid_t pid, server_rec *server)
{
    if (watch.ending) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, PSGLOGNO(1032)
                     "the spawner (pid %ld) hangs and did not end by SIGABRT: killed", (long)pid);
        kill(pid, SIGKILL);
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, PSGLOGNO(1031)
                 "the spawner (pid %ld) has not said anything for %d seconds: it hangs and is ended; its stacks follow",
                 (long)pid, PASSENGER_SILENCE_SECONDS);
    watch.ending = 1;
    kill(pid, SIGABRT);
}

void passenger_spawner_watch_look(pid_t pid, int heard, server_rec *server)
{
    apr_time_t now = passenger_monotonic_now();

    if (heard) {
        watch.told = 0;
    }
    if (!passenger_heartbeat_look(&watch.heartbeat, now, heard)) {
        return;
    }
    if (is_stopped(pid)) {
        passenger_heartbeat_begin(&watch.heartbeat, now);   /* once it goes on, it has all the time again */
        tell_stopped(pid, server);
    }
    else {
        end(pid, server);
    }
}
