#include "parent/spawner_process.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_thread_proc.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mpm_common.h>
#include <unixd.h>

#include "config/instance.h"
#include "config/settings.h"
#include "core/log_numbers.h"
#include "core/message.h"
#include "core/monotonic.h"
#include "parent/control_line.h"
#include "parent/spawner_child.h"
#include "parent/spawner_handles.h"
#include "parent/spawner_watch.h"

APLOG_USE_MODULE(passenger);

enum {
    CONFIGURE_SECONDS = 5,      /* most that httpd waits for the spawner to take a configuration */
    STOP_SECONDS = 8,           /* most that httpd's end waits for the spawner's */
    SETTLED_SECONDS = 10,       /* a spawner that lived so long did not end early, whether it opened or not */
    HASTE_SECONDS = 1,          /* one that opened and ended within this time is replaced after it */
    LONGEST_DELAY_SECONDS = 30,
    STOP_POLL_MICROSECONDS = 20000
};

/* Survives every restart of httpd; the object is never unloaded. Invariant: process.pid is 0 or a child not yet reaped. */
static struct {
    pid_t owner;                /* httpd's parent; 0 until the first start */
    apr_pool_t *pool;           /* of the whole httpd process */
    apr_proc_t process;         /* the spawner; pid 0: none */
    apr_time_t started;         /* when it began or, after its delay, begins; passenger_monotonic_now() */
    int opened;                 /* it has said so */
    int early_deaths;           /* in a row: of those that never opened */
    int hasty;                  /* the last one opened, and lived for less than HASTE_SECONDS */
    int configured;             /* from a configuration pass until the configuration's pool ends */
    int stopping;
} spawner;

static void maintain(int reason, void *data, int status);

/* The message that the spawner starts with, or NULL when it would be too long. */
static const char *start_parameters(apr_pool_t *pool, size_t *length)
{
    const passenger_spawner_handles *handles = passenger_spawner_handles_get();
    const passenger_instance *instance = passenger_instance_get();
    const char *configuration = passenger_server_spawner_config_file(passenger_settings_server());
    passenger_message *message = passenger_message_create(pool, 12);

    passenger_message_add_number(message, "control_fd", handles->spawner_control);
    passenger_message_add_number(message, "lifeline_fd", handles->lifeline_read);
    passenger_message_add_number(message, "store_fd", handles->store_read);
    passenger_message_add_number(message, "store_fd_write", handles->store_write);
    passenger_message_add_number(message, "httpd_pid", spawner.owner);
    passenger_message_add_number(message, "apache_uid", ap_unixd_config.user_id);
    passenger_message_add_number(message, "apache_gid", ap_unixd_config.group_id);
    passenger_message_add(message, "server_root", ap_server_root);
    passenger_message_add(message, "server_software", ap_get_server_banner());
    passenger_message_add(message, "instance_dir", instance->directory);
    passenger_message_add(message, "token", instance->token);
    passenger_message_add(message, "spawner_config", configuration != NULL ? configuration : "");
    return passenger_message_encode(message, PASSENGER_CONTROL_MESSAGE_LIMIT, length);
}

/* Seconds that the next spawner waits: none after one that worked, growing when they end again and again without having
 * opened. One that opens and ends at once costs no more than a start a second. */
static int start_delay(void)
{
    int doublings = spawner.early_deaths - 2;

    if (doublings < 0) {
        return spawner.hasty ? HASTE_SECONDS : 0;
    }
    return doublings >= 5 ? LONGEST_DELAY_SECONDS : 1 << doublings;
}

static apr_status_t start(server_rec *server, apr_pool_t *pool)
{
    const passenger_spawner_handles *handles = passenger_spawner_handles_get();
    passenger_spawner_start child = {.delay_seconds = start_delay()};
    apr_status_t status = passenger_spawner_handles_renew_control();

    if (status != APR_SUCCESS) {
        return status;
    }
    child.parameters = start_parameters(pool, &child.parameters_length);
    if (child.parameters == NULL) {
        return APR_ENOSPC;
    }
    child.lifeline = handles->lifeline_read;
    child.kept[0] = handles->spawner_control;
    child.kept[1] = handles->lifeline_read;
    child.kept[2] = handles->store_read;
    child.kept[3] = handles->store_write;

    passenger_spawner_handles_fork_begins();
    status = apr_proc_fork(&spawner.process, spawner.pool);
    if (status == APR_INCHILD) {
        passenger_spawner_child_run(&child);
    }
    passenger_spawner_handles_fork_ended();
    if (status != APR_INPARENT) {
        spawner.process.pid = 0;
        return status;
    }
    spawner.started = passenger_monotonic_now() + apr_time_from_sec(child.delay_seconds);
    spawner.opened = 0;
    passenger_spawner_watch_begin(spawner.started);
    apr_proc_other_child_register(&spawner.process, maintain, &spawner.process, NULL, spawner.pool);
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, server, PSGLOGNO(1020) "spawner started, pid %ld%s",
                 (long)spawner.process.pid, child.delay_seconds > 0 ? ", waits before it begins" : "");
    return APR_SUCCESS;
}

/* Tells the spawner of the configuration; one that does not take it is killed, so that the main loop replaces it. */
static void configure(server_rec *server, apr_pool_t *pool)
{
    apr_time_t deadline = passenger_monotonic_now() + apr_time_from_sec(CONFIGURE_SECONDS);
    apr_status_t status = passenger_control_configure(passenger_spawner_handles_get()->control, server,
                                                      passenger_settings_server(), passenger_instance_get()->epoch, deadline,
                                                      pool);

    if (status == APR_ENOSPC) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, PSGLOGNO(1021)
                     "the configuration has a value that is too long for the spawner: it is not in force");
    }
    else if (status != APR_SUCCESS && spawner.process.pid != 0) {
        ap_log_error(APLOG_MARK, APLOG_ERR, status, server, PSGLOGNO(1022)
                     "the spawner (pid %ld) does not take the configuration: killed, to be replaced",
                     (long)spawner.process.pid);
        kill(spawner.process.pid, SIGKILL);
    }
}

static apr_status_t start_and_configure(server_rec *server)
{
    apr_pool_t *pool;
    apr_status_t status;

    apr_pool_create(&pool, spawner.pool);
    status = spawner.process.pid != 0 ? APR_SUCCESS : start(server, pool);
    if (status == APR_SUCCESS) {
        configure(server, pool);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, server, PSGLOGNO(1023) "the spawner could not be started");
    }
    apr_pool_destroy(pool);
    return status;
}

/* Not when httpd stops, nor after a restart whose configuration does not load the module any more. */
static int is_wanted(void)
{
    int state;

    return spawner.configured && !spawner.stopping && ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS
           && state != AP_MPMQ_STOPPING;
}

/* httpd gives the exit status or the number of the signal, and does not say which. */
static void log_death(int status)
{
    long pid = spawner.process.pid;

    if (status == PASSENGER_PYTHON_NOT_STARTED) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, PSGLOGNO(1024)
                     "the spawner (pid %ld) could not load its Python code, as said above; it is tried again", pid);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, PSGLOGNO(1025)
                     "the spawner (pid %ld) has ended (status or signal %d); apps serve on, a new one is started", pid,
                     status);
    }
}

/* Takes in what the spawner has said; true if it has said anything. */
static int hear(void)
{
    int heard = passenger_control_hear(passenger_spawner_handles_get()->control);

    spawner.opened |= (heard & PASSENGER_HEARD_OPENED) != 0;
    return heard != 0;
}

/* The spawner has ended and been reaped. */
static void bury(int status)
{
    apr_time_t lived = passenger_monotonic_now() - spawner.started;

    hear();
    apr_proc_other_child_unregister(&spawner.process);
    if (spawner.configured && !spawner.stopping) {
        log_death(status);
    }
    spawner.early_deaths = spawner.opened || lived >= apr_time_from_sec(SETTLED_SECONDS) ? 0 : spawner.early_deaths + 1;
    spawner.hasty = spawner.opened && lived < apr_time_from_sec(HASTE_SECONDS);
    spawner.process.pid = 0;
    passenger_spawner_handles_close_control();
}

/* Called by httpd's main loop. While httpd restarts, a dead spawner is replaced by the next configuration pass. */
static void maintain(int reason, void *data, int status)
{
    (void)data;
    switch (reason) {
    case APR_OC_REASON_DEATH:
    case APR_OC_REASON_LOST:
        bury(status);
        if (is_wanted()) {
            start_and_configure(ap_server_conf);
        }
        break;
    default:
        /* A restart of httpd leaves it alone. */
        break;
    }
}

void passenger_spawner_monitor(server_rec *server)
{
    if (spawner.owner != getpid() || !is_wanted()) {
        return;
    }
    if (spawner.process.pid == 0) {
        start_and_configure(server);
    }
    else {
        passenger_spawner_watch_look(spawner.process.pid, hear(), server);
    }
}

/* Waits until the spawner has ended, at most for `seconds`. */
static int wait_for_end(pid_t pid, int seconds)
{
    apr_time_t deadline = passenger_monotonic_now() + apr_time_from_sec(seconds);
    pid_t ended;

    while ((ended = waitpid(pid, NULL, WNOHANG)) == 0 && passenger_monotonic_now() < deadline) {
        apr_sleep(STOP_POLL_MICROSECONDS);
    }
    return ended != 0;
}

/* Pre-cleanup of the process pool: httpd ends. The logs still work. */
static apr_status_t stop(void *data)
{
    pid_t pid = spawner.process.pid;

    (void)data;
    if (getpid() != spawner.owner) {
        return APR_SUCCESS;
    }
    spawner.stopping = 1;
    passenger_spawner_handles_cut_lifeline();
    passenger_spawner_handles_close_control();
    if (pid != 0) {
        apr_proc_other_child_unregister(&spawner.process);
        if (!wait_for_end(pid, STOP_SECONDS)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf, PSGLOGNO(1027)
                         "the spawner (pid %ld) did not end within %d seconds: killed", (long)pid, STOP_SECONDS);
            kill(pid, SIGKILL);
            waitpid(pid, NULL, 0);
        }
        spawner.process.pid = 0;
    }
    return APR_SUCCESS;
}

static apr_status_t prepare(server_rec *server)
{
    apr_status_t status = passenger_spawner_handles_open();

    if (status == APR_SUCCESS) {
        status = passenger_instance_create();
    }
    if (status != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, server, PSGLOGNO(1028)
                     "the descriptors and the secret of the spawner could not be made");
        return status;
    }
    spawner.owner = getpid();
    spawner.pool = server->process->pool;
    apr_pool_pre_cleanup_register(spawner.pool, NULL, stop);
    return APR_SUCCESS;
}

/* An administrator who has mended something and restarts httpd need not wait for the end of a delay. */
static void end_delay(void)
{
    pid_t pid = spawner.process.pid;

    spawner.early_deaths = 0;
    spawner.hasty = 0;
    if (pid != 0 && passenger_monotonic_now() < spawner.started) {
        apr_proc_other_child_unregister(&spawner.process);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        spawner.process.pid = 0;
    }
}

static void warn_of_late_change(server_rec *server)
{
    if (passenger_instance_would_move()) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, server, PSGLOGNO(1029)
                     "a changed PassengerInstanceRegistryDir comes into force when httpd is stopped and started");
    }
}

static apr_status_t forget_configuration(void *unused)
{
    (void)unused;
    spawner.configured = 0;
    return APR_SUCCESS;
}

apr_status_t passenger_spawner_configure(server_rec *server)
{
    int first = spawner.owner == 0;
    apr_status_t status = first ? prepare(server) : APR_SUCCESS;

    if (status != APR_SUCCESS) {
        return status;
    }
    if (!first) {
        warn_of_late_change(server);
        end_delay();
    }
    spawner.configured = 1;
    apr_pool_cleanup_register(server->process->pconf, NULL, forget_configuration, apr_pool_cleanup_null);
    passenger_instance_begin_epoch();
    status = start_and_configure(server);
    return first ? status : APR_SUCCESS;
}
