#include "request/registration.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <http_log.h>
#include <http_request.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "config/configuration.h"
#include "config/instance.h"
#include "core/deadlines.h"
#include "core/message.h"
#include "core/rate_limit.h"
#include "errors/error_answer.h"
#include "output/client_waits.h"
#include "request/spawner_call.h"

APLOG_USE_MODULE(passenger);

enum {
    KNOWN_GROUPS_LIMIT = 1024,
    HTACCESS_SECONDS = 60,   /* after which the spawner is asked again for an app of .htaccess files */
    RESTART_SECONDS = 1,     /* for the spawner to say that it knows of a restart; without it, the old release serves */
    HTACCESS_BURST = 100,    /* how often one user's files can have it asked at once, and then each second */
    HTACCESS_RATE = 5
};

/* Of this httpd child. */
static struct {
    apr_thread_mutex_t *lock;        /* of the caches; NULL: there is none, and nothing is cached */
    passenger_group_cache *groups;
    passenger_group_cache *groups_of_htaccess;   /* who writes such files can fill this one, never the other */
    passenger_rate_limit asked_for_htaccess;     /* by virtual host and user */
} child = {.asked_for_htaccess = {.interval = APR_USEC_PER_SEC / HTACCESS_RATE, .burst = HTACCESS_BURST}};

apr_status_t passenger_registration_child_init(apr_pool_t *child_pool)
{
    child.groups = passenger_group_cache_create(child_pool, KNOWN_GROUPS_LIMIT);
    child.groups_of_htaccess = passenger_group_cache_create(child_pool, KNOWN_GROUPS_LIMIT);
    apr_status_t rv = apr_thread_mutex_create(&child.lock, APR_THREAD_MUTEX_DEFAULT, child_pool);
    if (rv != APR_SUCCESS) {
        child.lock = NULL;
    }
    return rv;
}

/* The variables (apr_table_entry_t) that the app's processes get in their environment. */
static const apr_array_header_t *app_environment_of(const request_rec *r)
{
    static const apr_array_header_t none = {.nelts = 0};
    const apr_table_t *environment = passenger_app_environment_of(r);
    return environment != NULL ? apr_table_elts(environment) : &none;
}

static const char *key_of_group(request_rec *r, const passenger_dir_options *options,
                                const passenger_mapping *mapping, const passenger_htaccess *htaccess)
{
    const char *name = passenger_dir_app_group_name(options);
    const char *env = passenger_dir_app_env(options);
    if (htaccess != NULL) {
        /* Never the group of an app of the administrator's; and a name that holds for many is none of theirs. */
        return name != NULL ? apr_pstrcat(r->pool, name, " (", mapping->app_root, ", .htaccess)", NULL)
                            : apr_pstrcat(r->pool, mapping->app_root, " (", env, ", .htaccess)", NULL);
    }
    return name != NULL ? name : apr_pstrcat(r->pool, mapping->app_root, " (", env, ")", NULL);
}

/* What a registration depends on that can change while the configuration stays. The environment's digest tells apart
 * mounts below different .htaccess files, too. Such a registration does not hold for ever: another child of httpd may
 * have told the spawner in between what this child knows by another text. */
static const char *state_of_htaccess(request_rec *r, const passenger_htaccess *htaccess)
{
    if (htaccess == NULL) {
        return "";
    }
    uint64_t digest = passenger_htaccess_digest(htaccess);
    return apr_psprintf(r->pool, "%" APR_UINT64_T_HEX_FMT " %" APR_INT64_T_FMT, (apr_uint64_t)digest,
                        (apr_int64_t)passenger_rate_period(digest, passenger_monotonic_now(),
                                                           apr_time_from_sec(HTACCESS_SECONDS)));
}

/* With PassengerStatThrottleRate 0, how the restart file stands: after each change the spawner is asked again, and looks
 * at the file before it answers. So a request that comes after the touch is served by what the restart brings. */
static uint64_t state_of_restart_file(request_rec *r, const passenger_mapping *mapping)
{
    const char *folder = passenger_dir_restart_dir(passenger_options_of(r));
    struct stat status;
    if (passenger_server_stat_throttle_rate(passenger_server_wide_options()) != 0) {
        return 0;
    }
    if (folder[0] != '/') {
        folder = apr_pstrcat(r->pool, mapping->app_root, "/", folder, NULL);
    }
    if (stat(apr_pstrcat(r->pool, folder, "/restart.txt", NULL), &status) != 0) {
        return 0;
    }
    const char *text = apr_psprintf(r->pool, "%" APR_UINT64_T_FMT " %" APR_INT64_T_FMT ".%09ld",
                                    (apr_uint64_t)status.st_ino, (apr_int64_t)status.st_mtim.tv_sec,
                                    status.st_mtim.tv_nsec);
    return passenger_digest(PASSENGER_DIGEST_START, text);
}

/* One registration is for a group as one virtual host names it, with one base URI and one environment. */
static const char *cache_key_of(request_rec *r, const passenger_mapping *mapping, const passenger_group *group,
                                const apr_array_header_t *environment)
{
    uint64_t digest = PASSENGER_DIGEST_START;
    for (int index = 0; index < environment->nelts; index++) {
        const apr_table_entry_t *variable = &APR_ARRAY_IDX(environment, index, apr_table_entry_t);
        digest = passenger_digest(passenger_digest(digest, variable->key), variable->val);
    }
    return apr_psprintf(r->pool, "%pp %" APR_UINT64_T_HEX_FMT " %s %s %s", (void *)r->server, (apr_uint64_t)digest,
                        state_of_htaccess(r, group->htaccess), mapping->base_uri, group->key);
}

static passenger_message *question_of(request_rec *r, const passenger_mapping *mapping, const passenger_group *group,
                                      const apr_array_header_t *environment, const passenger_instance *instance)
{
    const passenger_dir_options *options = passenger_options_of(r);
    passenger_message *question = passenger_message_of_type(r->pool, "register");
    passenger_message_add(question, "token", instance->token);
    passenger_message_add_number(question, "epoch", (apr_int64_t)instance->epoch);
    passenger_message_add(question, "group", group->key);
    passenger_message_add(question, "app_root", mapping->app_root);
    passenger_message_add(question, "app_type", mapping->kind.type);
    passenger_message_add(question, "startup_file", mapping->kind.startup_file);
    passenger_message_add(question, "public_dir", mapping->public_dir);
    passenger_message_add(question, "base_uri", mapping->base_uri);
    passenger_message_add(question, "server_name", r->server->server_hostname);
    passenger_message_add(question, "error_log", passenger_error_log_name(r->server));
    passenger_message_add(question, "vhost_id", passenger_vhost_id(r->server, r->pool));
    passenger_dir_options_to_wire(options, question);
    if (group->htaccess != NULL) {
        passenger_htaccess_to_wire(group->htaccess, question);
    }
    for (int index = 0; index < environment->nelts; index++) {
        const apr_table_entry_t *variable = &APR_ARRAY_IDX(environment, index, apr_table_entry_t);
        passenger_message_add(question, apr_pstrcat(r->pool, "env:", variable->key, NULL), variable->val);
    }
    return question;
}

typedef enum registration_failure {
    REGISTERED,
    NO_SPAWNER,
    TOO_OFTEN,       /* for the .htaccess files of one user */
    TOO_LONG,        /* the question */
    UNREACHABLE,
    REFUSED,
    MALFORMED        /* the answer */
} registration_failure;

static registration_failure failure_of(passenger_answer_kind kind)
{
    switch (kind) {
    case PASSENGER_ANSWER_REGISTERED:
        return REGISTERED;
    case PASSENGER_ANSWER_REFUSED:
        return REFUSED;
    case PASSENGER_ANSWER_MALFORMED:
        break;
    }
    return MALFORMED;
}

/* Logs why there is no address. Returns the status that the client gets. */
static int report_failure(request_rec *r, const char *key, registration_failure failure, apr_status_t rv,
                          const char *reason)
{
    const char *id = passenger_error_id(r);
    switch (failure) {
    case REGISTERED:
        break;
    case NO_SPAWNER:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2082)
                      "no spawner has been started: the server's error log says why at httpd's start (error id %s)", id);
        passenger_error_no_spawner(r);
        return HTTP_SERVICE_UNAVAILABLE;
    case UNREACHABLE:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r, PSGLOGNO(2084)
                      "the spawner cannot be reached at %s: no app can be started; the spawner's latest lines in the "
                      "server's error log (JS1023, JS1024, JS1034 or JS3050) say what to repair (error id %s)",
                      passenger_instance_get()->spawner_socket, id);
        passenger_error_no_spawner(r);
        return HTTP_SERVICE_UNAVAILABLE;
    case TOO_OFTEN:
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r, PSGLOGNO(2085)
                      "the .htaccess files of one user change too often, or there are too many: the spawner is not asked "
                      "about the app %s now (error id %s)", key, id);
        return HTTP_SERVICE_UNAVAILABLE;
    case TOO_LONG:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2083)
                      "the options and SetEnv variables of the app %s are more than 256 KiB (error id %s)", key, id);
        break;
    case REFUSED:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2080) "the spawner refuses the app %s: %s (error id %s)",
                      key, reason != NULL ? reason : "no reason given", id);
        break;
    case MALFORMED:
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2081)
                      "the spawner's answer about the app %s is malformed (error id %s)", key, id);
        break;
    }
    return HTTP_INTERNAL_SERVER_ERROR;
}

/* Whether the spawner may be asked now. Whoever writes .htaccess files can make every request a question about another
 * text, and the spawner has one thread. The user is that of the file as it is now: a guess, which decides nothing else.
 * The virtual host is there because a link can lead to a file of somebody else. */
static int may_ask(const request_rec *r, const passenger_group *group)
{
    struct stat status;
    int may = 1;
    if (group->htaccess != NULL && child.lock != NULL) {
        uint64_t who = lstat(group->htaccess->file, &status) == 0 ? (uint64_t)status.st_uid + 1 : 0;
        const char *name = apr_psprintf(r->pool, "%" APR_UINT64_T_FMT " %pp", (apr_uint64_t)who, (void *)r->server);
        uint64_t digest = passenger_digest(PASSENGER_DIGEST_START, name);
        apr_thread_mutex_lock(child.lock);
        may = passenger_rate_limit_take(&child.asked_for_htaccess, digest, passenger_monotonic_now());
        apr_thread_mutex_unlock(child.lock);
    }
    return may;
}

static apr_status_t release_load(void *load)
{
    passenger_worker_load_release(load);
    return APR_SUCCESS;
}

/* The request uses what is known of the group's workers, and ends the reference with its pool. */
static void use_load(request_rec *r, passenger_group *group, passenger_worker_load *load)
{
    group->address.load = load;
    if (load != NULL) {
        apr_pool_cleanup_register(r->pool, load, release_load, apr_pool_cleanup_null);
    }
}

/* Returns OK and the group's address, or a status, logged. `former`: an address that is good enough if the spawner does
 * not answer soon; NULL: there is none. */
static int ask_spawner(request_rec *r, const passenger_mapping *mapping, const apr_array_header_t *environment,
                       const passenger_group_address *former, passenger_group *group)
{
    const passenger_instance *instance = passenger_instance_get();
    registration_failure failure;
    passenger_answer answer;
    const char *reason = NULL;
    size_t size;
    if (instance == NULL) {
        return report_failure(r, group->key, NO_SPAWNER, 0, NULL);
    }
    if (!may_ask(r, group)) {
        return former != NULL ? OK : report_failure(r, group->key, TOO_OFTEN, 0, NULL);
    }
    const char *bytes = passenger_message_encode(question_of(r, mapping, group, environment, instance),
                                                 PASSENGER_CONTROL_MESSAGE_LIMIT, &size);
    if (bytes == NULL) {
        return report_failure(r, group->key, TOO_LONG, 0, NULL);
    }
    passenger_question question = {
        .path = instance->spawner_socket, .bytes = bytes, .length = size,
        .deadline = passenger_monotonic_now()
                    + apr_time_from_sec(former != NULL ? RESTART_SECONDS : PASSENGER_REGISTRATION_SECONDS),
        .stop_event = passenger_client_waits_stop_event()};
    apr_status_t rv = passenger_spawner_ask(r->pool, &question, &answer);
    if (rv == ECANCELED) {
        return HTTP_SERVICE_UNAVAILABLE;   /* httpd stops: nobody is there to get it */
    }
    if (rv != APR_SUCCESS && former != NULL) {
        group->address = *former;
        return OK;
    }
    failure = rv == APR_SUCCESS ? failure_of(passenger_answer_read(&answer, &group->address, &reason)) : UNREACHABLE;
    if (answer.descriptor >= 0) {
        use_load(r, group, passenger_worker_load_open(answer.descriptor));
        close(answer.descriptor);
    }
    return failure == REGISTERED ? OK : report_failure(r, group->key, failure, rv, reason);
}

static passenger_group_cache *cache_of(const passenger_group *group)
{
    return group->htaccess != NULL ? child.groups_of_htaccess : child.groups;
}

/* Returns whether the group is known. `*is_current`: the restart file has not changed since. */
static int find_cached(request_rec *r, passenger_group *group, int *is_current)
{
    passenger_group_address found;
    int known = 0;
    if (child.lock != NULL) {
        apr_thread_mutex_lock(child.lock);
        known = passenger_group_cache_find(cache_of(group), group->cache_key, &found);
        if (known) {
            *is_current = found.restart_file == group->address.restart_file;
            group->address.socket_path = apr_pstrdup(r->pool, found.socket_path);
            group->address.token = apr_pstrdup(r->pool, found.token);
            group->address.capabilities = found.capabilities;
            use_load(r, group, passenger_worker_load_hold(found.load));
        }
        apr_thread_mutex_unlock(child.lock);
    }
    return known;
}

int passenger_group_find(request_rec *r, const passenger_mapping *mapping, passenger_group *group)
{
    const apr_array_header_t *environment = app_environment_of(r);
    const passenger_htaccess *htaccess = passenger_htaccess_of(r);
    group->htaccess = passenger_htaccess_choice(htaccess) != NULL ? htaccess : NULL;
    group->key = key_of_group(r, passenger_options_of(r), mapping, group->htaccess);
    group->cache_key = cache_key_of(r, mapping, group, environment);
    group->address.restart_file = state_of_restart_file(r, mapping);
    int is_current = 0;
    int is_known = find_cached(r, group, &is_current);
    if (is_known && is_current) {
        return OK;
    }
    /* A spawner that cannot be asked brings the restart later, by its own watch: until then the old release serves. */
    const passenger_group_address former = group->address;
    int status = ask_spawner(r, mapping, environment, is_known ? &former : NULL, group);
    if (status == OK && child.lock != NULL) {
        apr_thread_mutex_lock(child.lock);
        passenger_group_cache_store(cache_of(group), group->cache_key, group->address);
        apr_thread_mutex_unlock(child.lock);
    }
    return status;
}

void passenger_group_forget(const passenger_group *group)
{
    if (child.lock != NULL) {
        apr_thread_mutex_lock(child.lock);
        passenger_group_cache_remove(cache_of(group), group->cache_key, group->address);
        apr_thread_mutex_unlock(child.lock);
    }
}
