#include "parent/spawner_process.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <mpm_common.h>
#include <unixd.h>

#include "config/configuration.h"
#include "config/instance.h"
#include "core/deadlines.h"
#include "core/generated/constants.h"
#include "core/message.h"
#include "parent/control_line.h"
#include "parent/spawner_child.h"
#include "parent/spawner_handles.h"
#include "parent/spawner_watch.h"

APLOG_USE_MODULE(passenger);

enum {
    STOP_SECONDS = 8,           /* most that httpd's end waits for the spawner's */
    KILL_SECONDS = 1,           /* most that it waits once more, for the spawner that it has killed */
    STOP_POLL_MICROSECONDS = 20000
};

/* Outlasts every restart of httpd: the object is never unloaded. Invariant: process.pid is 0 or a child not yet
 * reaped. */
static struct {
    pid_t owner;                /* httpd's parent; 0 until the first start */
    apr_pool_t *pool;           /* of the whole httpd process */
    apr_proc_t process;         /* the spawner; pid 0: none */
    apr_time_t started;         /* when it began or, after its delay, begins; passenger_monotonic_now() */
    int opened;                 /* it has opened its socket */
    passenger_start_backoff backoff;
    int configured;             /* from a configuration pass until the configuration's pool ends */
    int stopping;
} spawner;

static void on_other_child(int reason, void *data, int status);

/* The message that the spawner starts with, or NULL when it would be too long. */
static const char *start_parameters(apr_pool_t *pool, size_t *length)
{
    const passenger_spawner_handles *handles = passenger_spawner_handles_get();
    const passenger_instance *instance = passenger_instance_get();
    const char *configuration = passenger_server_spawner_config_file(passenger_server_wide_options());
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

static apr_status_t start(server_rec *server, apr_pool_t *pool)
{
    const passenger_spawner_handles *handles = passenger_spawner_handles_get();
    passenger_spawner_start child = {.delay_seconds = passenger_start_backoff_delay(&spawner.backoff)};
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
    apr_proc_other_child_register(&spawner.process, on_other_child, &spawner.process, NULL, spawner.pool);
    ap_log_error(APLOG_MARK, APLOG_INFO, 0, server, PSGLOGNO(1020) "spawner started, pid %ld%s",
                 (long)spawner.process.pid, child.delay_seconds > 0 ? ", waits before it begins" : "");
    return APR_SUCCESS;
}

/* A spawner that has just ended is replaced as soon as httpd's main loop learns of it; another one that nothing can be
 * sent to is killed for that. */
static void check_sending(server_rec *server, apr_status_t status)
{
    if (status == APR_SUCCESS || status == APR_EAGAIN || status == EPIPE || status == ECONNRESET) {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, status, server, PSGLOGNO(1022)
                 "the configuration cannot be sent to the spawner (pid %ld): killed; a new spawner is started",
                 (long)spawner.process.pid);
    kill(spawner.process.pid, SIGKILL);
}

static void configure(server_rec *server)
{
    int control = passenger_spawner_handles_get()->control;
    apr_status_t status = passenger_control_configure(control, server, passenger_server_wide_options(),
                                                      passenger_instance_get()->epoch);

    if (status == APR_ENOSPC) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server, PSGLOGNO(1021)
                     "the configuration has a value that is too long for the spawner: the one before stays in "
                     "force");
        return;
    }
    if (status == APR_EAGAIN) {
        ap_log_error(APLOG_MARK, APLOG_INFO, 0, server, PSGLOGNO(1033)
                     "the spawner (pid %ld) has not taken all of the configuration yet: the rest is sent as it takes "
                     "it", (long)spawner.process.pid);
    }
    check_sending(server, status);
}

static apr_status_t start_and_configure(server_rec *server)
{
    apr_pool_t *pool;
    apr_status_t status;

    apr_pool_create(&pool, spawner.pool);
    status = spawner.process.pid != 0 ? APR_SUCCESS : start(server, pool);
    if (status == APR_SUCCESS) {
        configure(server);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_CRIT, status, server, PSGLOGNO(1023) "the spawner could not be started");
    }
    apr_pool_destroy(pool);
    return status;
}

/* Whether there should be a spawner: not when httpd stops, and not after a restart with a configuration that no
 * longer loads the module. */
static int should_run(void)
{
    int state;

    return spawner.configured && !spawner.stopping && ap_mpm_query(AP_MPMQ_MPM_STATE, &state) == APR_SUCCESS
           && state != AP_MPMQ_STOPPING;
}

/* `status` is the exit status or the number of a signal: httpd does not say which. */
static void log_exit(int status)
{
    long pid = spawner.process.pid;

    if (status == PASSENGER_PYTHON_NOT_STARTED) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, PSGLOGNO(1024)
                     "the spawner (pid %ld) could not load its Python code (see the lines above): a new spawner is "
                     "started", pid);
    }
    else if (status == PASSENGER_SPAWNER_MISCONFIGURED) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, PSGLOGNO(1034)
                     "the spawner (pid %ld) cannot run until somebody has repaired what its line JS3050 names: running "
                     "apps serve requests, no app is started; a new spawner tries again", pid);
    }
    else {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, ap_server_conf, PSGLOGNO(1025)
                     "the spawner (pid %ld) has ended (status or signal %d): running apps serve requests, a new "
                     "spawner is started", pid, status);
    }
}

/* Reads what the spawner has sent; true if it has sent anything. */
static int read_status(void)
{
    int status = passenger_control_read_status(passenger_spawner_handles_get()->control);

    spawner.opened |= (status & PASSENGER_STATUS_OPENED) != 0;
    return status != 0;
}

/* The spawner has ended and been reaped. */
static void on_exit_of_spawner(int status)
{
    apr_time_t lived = passenger_monotonic_now() - spawner.started;

    read_status();
    apr_proc_other_child_unregister(&spawner.process);
    if (spawner.configured && !spawner.stopping) {
        log_exit(status);
    }
    passenger_start_backoff_ended(&spawner.backoff, spawner.opened, lived);
    spawner.process.pid = 0;
    passenger_control_forget();
    passenger_spawner_handles_close_control();
}

/* Called by httpd's main loop about its child. While httpd restarts, the next configuration pass replaces a dead
 * spawner. */
static void on_other_child(int reason, void *data, int status)
{
    (void)data;
    switch (reason) {
    case APR_OC_REASON_DEATH:
    case APR_OC_REASON_LOST:
        on_exit_of_spawner(status);
        if (should_run()) {
            start_and_configure(ap_server_conf);
        }
        break;
    default:
        /* A restart of httpd does not concern the spawner. */
        break;
    }
}

void passenger_spawner_monitor(server_rec *server)
{
    if (spawner.owner != getpid() || !should_run()) {
        return;
    }
    if (spawner.process.pid == 0) {
        start_and_configure(server);
    }
    else {
        passenger_spawner_watch_check(spawner.process.pid, read_status(), server);
        check_sending(server, passenger_control_continue(passenger_spawner_handles_get()->control));
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

/* Pre-cleanup of the process pool: httpd ends. The logs can still be written. */
static apr_status_t stop(void *data)
{
    pid_t pid = spawner.process.pid;

    (void)data;
    if (getpid() != spawner.owner) {
        return APR_SUCCESS;
    }
    spawner.stopping = 1;
    passenger_spawner_handles_close_lifeline();
    passenger_spawner_handles_close_control();
    if (pid != 0) {
        apr_proc_other_child_unregister(&spawner.process);
        if (!wait_for_end(pid, STOP_SECONDS)) {
            ap_log_error(APLOG_MARK, APLOG_WARNING, 0, ap_server_conf, PSGLOGNO(1027)
                         "the spawner (pid %ld) did not end within %d seconds: killed", (long)pid, STOP_SECONDS);
            kill(pid, SIGKILL);
            wait_for_end(pid, KILL_SECONDS);
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
                     "cannot make the descriptors and the secret of the spawner");
        return status;
    }
    spawner.owner = getpid();
    spawner.pool = server->process->pool;
    apr_pool_pre_cleanup_register(spawner.pool, NULL, stop);
    return APR_SUCCESS;
}

/* Called by httpd's main loop: a spawner that was killed before it began has been reaped. */
static void on_replaced_child(int reason, void *data, int status)
{
    (void)status;
    if (reason == APR_OC_REASON_DEATH || reason == APR_OC_REASON_LOST) {
        apr_proc_other_child_unregister(data);
    }
}

/* An administrator has restarted httpd, perhaps to repair something: a spawner that waits before it begins is
 * replaced by one that does not. Its end is not waited for. */
static void skip_delay(apr_pool_t *configuration_pool)
{
    spawner.backoff = (passenger_start_backoff){0};
    if (spawner.process.pid != 0 && passenger_monotonic_now() < spawner.started) {
        apr_proc_t *replaced = apr_pmemdup(configuration_pool, &spawner.process, sizeof spawner.process);

        apr_proc_other_child_unregister(&spawner.process);
        apr_proc_other_child_register(replaced, on_replaced_child, replaced, NULL, configuration_pool);
        kill(replaced->pid, SIGKILL);
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

static apr_status_t on_end_of_configuration(void *unused)
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
        skip_delay(server->process->pconf);
    }
    spawner.configured = 1;
    apr_pool_cleanup_register(server->process->pconf, NULL, on_end_of_configuration, apr_pool_cleanup_null);
    passenger_instance_begin_epoch();
    status = start_and_configure(server);
    return first ? status : APR_SUCCESS;
}
