/* Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit. */
#ifndef PASSENGER_OPTIONS_H
#define PASSENGER_OPTIONS_H

#include <limits.h>
#include <stddef.h>
#include <string.h>

#include <httpd.h>
#include <http_config.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "core/message.h"

/* The value of a flag or number that is not configured; of everything else it is NULL. */
#define PASSENGER_UNSET INT_MIN

/* What a value is, and so how it is checked (settings.c). */
typedef enum {
    PASSENGER_FLAG,
    PASSENGER_INTEGER,
    PASSENGER_CHOICE,
    PASSENGER_TEXT,
    PASSENGER_TOKEN,
    PASSENGER_COOKIE_ATTRIBUTES,
    PASSENGER_PATH_IN_APP,
    PASSENGER_FILE_IN_APP,
    PASSENGER_DIRECTORY,
    PASSENGER_CREATED_DIRECTORY,
    PASSENGER_READ_FILE,
    PASSENGER_WRITTEN_FILE,
    PASSENGER_INTERPRETER,
    PASSENGER_USER,
    PASSENGER_GROUP,
    PASSENGER_URI_SET,
    PASSENGER_URL_LIST,
    PASSENGER_SETTINGS
} passenger_kind;

/* What is configured for a server, directory or location: raw. Read it through passenger_dir_*(). */
typedef struct {
    int enabled;
    const char *app_root;
    const apr_array_header_t *base_uri;
    const char *app_type;
    const char *startup_file;
    const char *app_group_name;
    int allow_htaccess;
    int allow_encoded_slashes;
    const char *python;
    const char *ruby;
    const char *nodejs;
    const char *app_start_command;
    int warmup;
    const char *ruby_hooks_file;
    int early_hints;
    const char *app_env;
    const char *spawn_method;
    const char *known_import_warnings;
    int load_shell_envvars;
    int start_timeout;
    const char *concurrency_model;
    int thread_count;
    int force_max_concurrent_requests_per_process;
    const char *user;
    const char *group;
    int min_instances;
    int max_instances;
    int max_preloader_idle_time;
    int max_requests;
    int memory_limit;
    int hard_memory_limit;
    int address_space_limit;
    int user_process_limit;
    int app_file_descriptor_ulimit;
    int cpu_time_limit;
    int app_memory_limit;
    int app_cpu_weight;
    int app_process_limit;
    int no_new_privileges;
    int max_request_queue_size;
    int max_request_queue_time;
    int max_request_time;
    int sticky_sessions;
    const char *sticky_sessions_cookie_name;
    const char *sticky_sessions_cookie_attributes;
    int buffer_upload;
    int friendly_error_pages;
    const char *custom_error_page;
    int error_override;
    const char *restart_dir;
    int rolling_restarts;
    int resist_deployment_errors;
    const char *app_log_file;
    int disable_log_prefix;
} passenger_dir_options;

/* What is configured once for the whole server: raw. Read it through passenger_server_*(). */
typedef struct {
    const char *default_ruby;
    int user_switching;
    const char *default_user;
    const char *default_group;
    int max_instances_per_app;
    int max_pool_size;
    int pool_idle_time;
    const apr_array_header_t *pre_start;
    const apr_table_t *ctl;
    const char *data_buffer_dir;
    int response_buffer_high_watermark;
    int show_version_in_header;
    int stat_throttle_rate;
    const char *log_file;
    int log_level;
    const char *instance_registry_dir;
    int socket_backlog;
    const char *spawner_config_file;
} passenger_server_options;

/* One option, as the directive setters see it; the info of its command_rec. */
typedef struct {
    const char *directive;
    passenger_kind kind;
    size_t offset;              /* of the field in its struct */
    int server_wide;            /* in passenger_server_options, else in passenger_dir_options */
    unsigned forbidden;         /* where it may not stand, as ap_check_cmd_context() has it */
    int needs_allow_htaccess;   /* may stand in a .htaccess only where PassengerAllowHtaccess is on */
    int minimum, maximum;       /* of a number */
    const char *const *choices; /* pairs of the word allowed and the word that it means; ended by NULL; or NULL */
} passenger_option;

/* Options with nothing configured. */
passenger_dir_options *passenger_dir_options_create(apr_pool_t *pool);
passenger_server_options *passenger_server_options_create(apr_pool_t *pool);

/* What holds in `inner`, a scope within `outer`: its own value where it has one. Changes neither. */
passenger_dir_options *passenger_dir_options_merge(apr_pool_t *pool, const passenger_dir_options *outer,
                                                   const passenger_dir_options *inner);

/* Adds each option that is sent to the spawner, with the value in force. Options without a value are left out. */
void passenger_dir_options_to_wire(const passenger_dir_options *options, passenger_message *message);
void passenger_server_options_to_wire(const passenger_server_options *options, passenger_message *message);

/* The values in force: as configured, else the default; NULL where there is neither. */
static inline int passenger_dir_enabled(const passenger_dir_options *options)
{
    return options->enabled == PASSENGER_UNSET ? 1 : options->enabled;
}

static inline const char *passenger_dir_app_root(const passenger_dir_options *options)
{
    return options->app_root;
}

static inline const apr_array_header_t *passenger_dir_base_uri(const passenger_dir_options *options)
{
    return options->base_uri;
}

static inline const char *passenger_dir_app_type(const passenger_dir_options *options)
{
    return options->app_type;
}

static inline const char *passenger_dir_startup_file(const passenger_dir_options *options)
{
    return options->startup_file;
}

static inline const char *passenger_dir_app_group_name(const passenger_dir_options *options)
{
    return options->app_group_name;
}

static inline int passenger_dir_allow_htaccess(const passenger_dir_options *options)
{
    return options->allow_htaccess == PASSENGER_UNSET ? 0 : options->allow_htaccess;
}

static inline int passenger_dir_allow_encoded_slashes(const passenger_dir_options *options)
{
    return options->allow_encoded_slashes == PASSENGER_UNSET ? 0 : options->allow_encoded_slashes;
}

static inline const char *passenger_dir_python(const passenger_dir_options *options)
{
    return options->python;
}

static inline const char *passenger_dir_ruby(const passenger_dir_options *options)
{
    return options->ruby;
}

static inline const char *passenger_dir_nodejs(const passenger_dir_options *options)
{
    return options->nodejs == NULL ? "node" : options->nodejs;
}

static inline const char *passenger_dir_app_start_command(const passenger_dir_options *options)
{
    return options->app_start_command;
}

static inline int passenger_dir_warmup(const passenger_dir_options *options)
{
    return options->warmup == PASSENGER_UNSET ? 1 : options->warmup;
}

static inline const char *passenger_dir_ruby_hooks_file(const passenger_dir_options *options)
{
    return options->ruby_hooks_file;
}

static inline int passenger_dir_early_hints(const passenger_dir_options *options)
{
    return options->early_hints == PASSENGER_UNSET ? 0 : options->early_hints;
}

static inline const char *passenger_dir_app_env(const passenger_dir_options *options)
{
    return options->app_env == NULL ? "production" : options->app_env;
}

static inline const char *passenger_dir_spawn_method(const passenger_dir_options *options)
{
    return options->spawn_method == NULL ? "smart" : options->spawn_method;
}

static inline const char *passenger_dir_known_import_warnings(const passenger_dir_options *options)
{
    return options->known_import_warnings;
}

static inline int passenger_dir_load_shell_envvars(const passenger_dir_options *options)
{
    return options->load_shell_envvars == PASSENGER_UNSET ? 1 : options->load_shell_envvars;
}

static inline int passenger_dir_start_timeout(const passenger_dir_options *options)
{
    return options->start_timeout == PASSENGER_UNSET ? 90 : options->start_timeout;
}

static inline const char *passenger_dir_concurrency_model(const passenger_dir_options *options)
{
    return options->concurrency_model == NULL ? "process" : options->concurrency_model;
}

static inline int passenger_dir_thread_count(const passenger_dir_options *options)
{
    return options->thread_count == PASSENGER_UNSET ? 1 : options->thread_count;
}

static inline int passenger_dir_force_max_concurrent_requests_per_process(const passenger_dir_options *options)
{
    return options->force_max_concurrent_requests_per_process == PASSENGER_UNSET ? -1 : options->force_max_concurrent_requests_per_process;
}

static inline const char *passenger_dir_user(const passenger_dir_options *options)
{
    return options->user;
}

static inline const char *passenger_dir_group(const passenger_dir_options *options)
{
    return options->group;
}

static inline int passenger_dir_min_instances(const passenger_dir_options *options)
{
    return options->min_instances == PASSENGER_UNSET ? 1 : options->min_instances;
}

static inline int passenger_dir_max_instances(const passenger_dir_options *options)
{
    return options->max_instances == PASSENGER_UNSET ? 0 : options->max_instances;
}

static inline int passenger_dir_max_preloader_idle_time(const passenger_dir_options *options)
{
    return options->max_preloader_idle_time == PASSENGER_UNSET ? 300 : options->max_preloader_idle_time;
}

static inline int passenger_dir_max_requests(const passenger_dir_options *options)
{
    return options->max_requests == PASSENGER_UNSET ? 0 : options->max_requests;
}

static inline int passenger_dir_memory_limit(const passenger_dir_options *options)
{
    return options->memory_limit == PASSENGER_UNSET ? 0 : options->memory_limit;
}

static inline int passenger_dir_hard_memory_limit(const passenger_dir_options *options)
{
    return options->hard_memory_limit == PASSENGER_UNSET ? 0 : options->hard_memory_limit;
}

static inline int passenger_dir_address_space_limit(const passenger_dir_options *options)
{
    return options->address_space_limit == PASSENGER_UNSET ? 0 : options->address_space_limit;
}

static inline int passenger_dir_user_process_limit(const passenger_dir_options *options)
{
    return options->user_process_limit == PASSENGER_UNSET ? 0 : options->user_process_limit;
}

static inline int passenger_dir_app_file_descriptor_ulimit(const passenger_dir_options *options)
{
    return options->app_file_descriptor_ulimit == PASSENGER_UNSET ? 0 : options->app_file_descriptor_ulimit;
}

static inline int passenger_dir_cpu_time_limit(const passenger_dir_options *options)
{
    return options->cpu_time_limit == PASSENGER_UNSET ? 0 : options->cpu_time_limit;
}

static inline int passenger_dir_app_memory_limit(const passenger_dir_options *options)
{
    return options->app_memory_limit == PASSENGER_UNSET ? 0 : options->app_memory_limit;
}

static inline int passenger_dir_app_cpu_weight(const passenger_dir_options *options)
{
    return options->app_cpu_weight == PASSENGER_UNSET ? 0 : options->app_cpu_weight;
}

static inline int passenger_dir_app_process_limit(const passenger_dir_options *options)
{
    return options->app_process_limit == PASSENGER_UNSET ? 0 : options->app_process_limit;
}

static inline int passenger_dir_no_new_privileges(const passenger_dir_options *options)
{
    return options->no_new_privileges == PASSENGER_UNSET ? 0 : options->no_new_privileges;
}

static inline int passenger_dir_max_request_queue_size(const passenger_dir_options *options)
{
    return options->max_request_queue_size == PASSENGER_UNSET ? 100 : options->max_request_queue_size;
}

static inline int passenger_dir_max_request_queue_time(const passenger_dir_options *options)
{
    return options->max_request_queue_time == PASSENGER_UNSET ? 0 : options->max_request_queue_time;
}

static inline int passenger_dir_max_request_time(const passenger_dir_options *options)
{
    return options->max_request_time == PASSENGER_UNSET ? 0 : options->max_request_time;
}

static inline int passenger_dir_sticky_sessions(const passenger_dir_options *options)
{
    return options->sticky_sessions == PASSENGER_UNSET ? 0 : options->sticky_sessions;
}

static inline const char *passenger_dir_sticky_sessions_cookie_name(const passenger_dir_options *options)
{
    return options->sticky_sessions_cookie_name == NULL ? "_passenger_route" : options->sticky_sessions_cookie_name;
}

static inline const char *passenger_dir_sticky_sessions_cookie_attributes(const passenger_dir_options *options)
{
    return options->sticky_sessions_cookie_attributes;
}

static inline int passenger_dir_buffer_upload(const passenger_dir_options *options)
{
    return options->buffer_upload == PASSENGER_UNSET ? 1 : options->buffer_upload;
}

static inline const char *passenger_dir_custom_error_page(const passenger_dir_options *options)
{
    return options->custom_error_page;
}

static inline int passenger_dir_error_override(const passenger_dir_options *options)
{
    return options->error_override == PASSENGER_UNSET ? 0 : options->error_override;
}

static inline const char *passenger_dir_restart_dir(const passenger_dir_options *options)
{
    return options->restart_dir == NULL ? "tmp" : options->restart_dir;
}

static inline const char *passenger_dir_app_log_file(const passenger_dir_options *options)
{
    return options->app_log_file;
}

static inline int passenger_dir_disable_log_prefix(const passenger_dir_options *options)
{
    return options->disable_log_prefix == PASSENGER_UNSET ? 0 : options->disable_log_prefix;
}

static inline int passenger_dir_friendly_error_pages(const passenger_dir_options *options)
{
    return options->friendly_error_pages == PASSENGER_UNSET ? strcmp(passenger_dir_app_env(options), "development") == 0 : options->friendly_error_pages;
}

static inline int passenger_dir_rolling_restarts(const passenger_dir_options *options)
{
    return options->rolling_restarts == PASSENGER_UNSET ? strcmp(passenger_dir_app_env(options), "development") != 0 : options->rolling_restarts;
}

static inline int passenger_dir_resist_deployment_errors(const passenger_dir_options *options)
{
    return options->resist_deployment_errors == PASSENGER_UNSET ? passenger_dir_rolling_restarts(options) : options->resist_deployment_errors;
}

static inline const char *passenger_server_default_ruby(const passenger_server_options *options)
{
    return options->default_ruby == NULL ? "ruby" : options->default_ruby;
}

static inline int passenger_server_user_switching(const passenger_server_options *options)
{
    return options->user_switching == PASSENGER_UNSET ? 1 : options->user_switching;
}

static inline const char *passenger_server_default_user(const passenger_server_options *options)
{
    return options->default_user == NULL ? "nobody" : options->default_user;
}

static inline const char *passenger_server_default_group(const passenger_server_options *options)
{
    return options->default_group;
}

static inline int passenger_server_max_instances_per_app(const passenger_server_options *options)
{
    return options->max_instances_per_app == PASSENGER_UNSET ? 0 : options->max_instances_per_app;
}

static inline int passenger_server_max_pool_size(const passenger_server_options *options)
{
    return options->max_pool_size == PASSENGER_UNSET ? 6 : options->max_pool_size;
}

static inline int passenger_server_pool_idle_time(const passenger_server_options *options)
{
    return options->pool_idle_time == PASSENGER_UNSET ? 300 : options->pool_idle_time;
}

static inline const apr_array_header_t *passenger_server_pre_start(const passenger_server_options *options)
{
    return options->pre_start;
}

static inline const apr_table_t *passenger_server_ctl(const passenger_server_options *options)
{
    return options->ctl;
}

static inline const char *passenger_server_data_buffer_dir(const passenger_server_options *options)
{
    return options->data_buffer_dir;
}

static inline int passenger_server_response_buffer_high_watermark(const passenger_server_options *options)
{
    return options->response_buffer_high_watermark == PASSENGER_UNSET ? 134217728 : options->response_buffer_high_watermark;
}

static inline int passenger_server_show_version_in_header(const passenger_server_options *options)
{
    return options->show_version_in_header == PASSENGER_UNSET ? 1 : options->show_version_in_header;
}

static inline int passenger_server_stat_throttle_rate(const passenger_server_options *options)
{
    return options->stat_throttle_rate == PASSENGER_UNSET ? 10 : options->stat_throttle_rate;
}

static inline const char *passenger_server_log_file(const passenger_server_options *options)
{
    return options->log_file;
}

static inline int passenger_server_log_level(const passenger_server_options *options)
{
    return options->log_level == PASSENGER_UNSET ? 3 : options->log_level;
}

static inline const char *passenger_server_instance_registry_dir(const passenger_server_options *options)
{
    return options->instance_registry_dir;
}

static inline int passenger_server_socket_backlog(const passenger_server_options *options)
{
    return options->socket_backlog == PASSENGER_UNSET ? 2048 : options->socket_backlog;
}

static inline const char *passenger_server_spawner_config_file(const passenger_server_options *options)
{
    return options->spawner_config_file;
}

#endif
