/* Generated from apache_module/directives.py by `python -m apache_module.generate`; do not edit. */
#include "config/generated/options.h"

#include <apr_strings.h>

passenger_dir_options *passenger_dir_options_create(apr_pool_t *pool)
{
    passenger_dir_options *options = apr_pcalloc(pool, sizeof *options);

    options->enabled = PASSENGER_UNSET;
    options->allow_htaccess = PASSENGER_UNSET;
    options->allow_encoded_slashes = PASSENGER_UNSET;
    options->warmup = PASSENGER_UNSET;
    options->early_hints = PASSENGER_UNSET;
    options->load_shell_envvars = PASSENGER_UNSET;
    options->start_timeout = PASSENGER_UNSET;
    options->thread_count = PASSENGER_UNSET;
    options->force_max_concurrent_requests_per_process = PASSENGER_UNSET;
    options->min_instances = PASSENGER_UNSET;
    options->max_instances = PASSENGER_UNSET;
    options->max_preloader_idle_time = PASSENGER_UNSET;
    options->max_requests = PASSENGER_UNSET;
    options->memory_limit = PASSENGER_UNSET;
    options->hard_memory_limit = PASSENGER_UNSET;
    options->address_space_limit = PASSENGER_UNSET;
    options->user_process_limit = PASSENGER_UNSET;
    options->app_file_descriptor_ulimit = PASSENGER_UNSET;
    options->cpu_time_limit = PASSENGER_UNSET;
    options->app_memory_limit = PASSENGER_UNSET;
    options->app_cpu_weight = PASSENGER_UNSET;
    options->app_process_limit = PASSENGER_UNSET;
    options->no_new_privileges = PASSENGER_UNSET;
    options->max_request_queue_size = PASSENGER_UNSET;
    options->max_request_queue_time = PASSENGER_UNSET;
    options->max_request_time = PASSENGER_UNSET;
    options->sticky_sessions = PASSENGER_UNSET;
    options->buffer_upload = PASSENGER_UNSET;
    options->friendly_error_pages = PASSENGER_UNSET;
    options->error_override = PASSENGER_UNSET;
    options->rolling_restarts = PASSENGER_UNSET;
    options->resist_deployment_errors = PASSENGER_UNSET;
    options->disable_log_prefix = PASSENGER_UNSET;
    return options;
}

passenger_server_options *passenger_server_options_create(apr_pool_t *pool)
{
    passenger_server_options *options = apr_pcalloc(pool, sizeof *options);

    options->user_switching = PASSENGER_UNSET;
    options->max_instances_per_app = PASSENGER_UNSET;
    options->max_pool_size = PASSENGER_UNSET;
    options->pool_idle_time = PASSENGER_UNSET;
    options->response_buffer_high_watermark = PASSENGER_UNSET;
    options->show_version_in_header = PASSENGER_UNSET;
    options->stat_throttle_rate = PASSENGER_UNSET;
    options->log_level = PASSENGER_UNSET;
    options->socket_backlog = PASSENGER_UNSET;
    return options;
}

passenger_dir_options *passenger_dir_options_merge(apr_pool_t *pool, const passenger_dir_options *outer,
                                                   const passenger_dir_options *inner)
{
    passenger_dir_options *merged = apr_palloc(pool, sizeof *merged);

    merged->enabled = inner->enabled != PASSENGER_UNSET ? inner->enabled : outer->enabled;
    merged->app_root = inner->app_root != NULL ? inner->app_root : outer->app_root;
    merged->base_uri = inner->base_uri != NULL ? inner->base_uri : outer->base_uri;
    merged->app_type = inner->app_type != NULL ? inner->app_type : outer->app_type;
    merged->startup_file = inner->startup_file != NULL ? inner->startup_file : outer->startup_file;
    merged->app_group_name = inner->app_group_name != NULL ? inner->app_group_name : outer->app_group_name;
    merged->allow_htaccess = inner->allow_htaccess != PASSENGER_UNSET ? inner->allow_htaccess : outer->allow_htaccess;
    merged->allow_encoded_slashes = inner->allow_encoded_slashes != PASSENGER_UNSET ? inner->allow_encoded_slashes : outer->allow_encoded_slashes;
    merged->python = inner->python != NULL ? inner->python : outer->python;
    merged->ruby = inner->ruby != NULL ? inner->ruby : outer->ruby;
    merged->nodejs = inner->nodejs != NULL ? inner->nodejs : outer->nodejs;
    merged->app_start_command = inner->app_start_command != NULL ? inner->app_start_command : outer->app_start_command;
    merged->warmup = inner->warmup != PASSENGER_UNSET ? inner->warmup : outer->warmup;
    merged->ruby_hooks_file = inner->ruby_hooks_file != NULL ? inner->ruby_hooks_file : outer->ruby_hooks_file;
    merged->early_hints = inner->early_hints != PASSENGER_UNSET ? inner->early_hints : outer->early_hints;
    merged->app_env = inner->app_env != NULL ? inner->app_env : outer->app_env;
    merged->spawn_method = inner->spawn_method != NULL ? inner->spawn_method : outer->spawn_method;
    merged->known_import_warnings = inner->known_import_warnings != NULL ? inner->known_import_warnings : outer->known_import_warnings;
    merged->load_shell_envvars = inner->load_shell_envvars != PASSENGER_UNSET ? inner->load_shell_envvars : outer->load_shell_envvars;
    merged->start_timeout = inner->start_timeout != PASSENGER_UNSET ? inner->start_timeout : outer->start_timeout;
    merged->concurrency_model = inner->concurrency_model != NULL ? inner->concurrency_model : outer->concurrency_model;
    merged->thread_count = inner->thread_count != PASSENGER_UNSET ? inner->thread_count : outer->thread_count;
    merged->force_max_concurrent_requests_per_process = inner->force_max_concurrent_requests_per_process != PASSENGER_UNSET ? inner->force_max_concurrent_requests_per_process : outer->force_max_concurrent_requests_per_process;
    merged->user = inner->user != NULL ? inner->user : outer->user;
    merged->group = inner->group != NULL ? inner->group : outer->group;
    merged->min_instances = inner->min_instances != PASSENGER_UNSET ? inner->min_instances : outer->min_instances;
    merged->max_instances = inner->max_instances != PASSENGER_UNSET ? inner->max_instances : outer->max_instances;
    merged->max_preloader_idle_time = inner->max_preloader_idle_time != PASSENGER_UNSET ? inner->max_preloader_idle_time : outer->max_preloader_idle_time;
    merged->max_requests = inner->max_requests != PASSENGER_UNSET ? inner->max_requests : outer->max_requests;
    merged->memory_limit = inner->memory_limit != PASSENGER_UNSET ? inner->memory_limit : outer->memory_limit;
    merged->hard_memory_limit = inner->hard_memory_limit != PASSENGER_UNSET ? inner->hard_memory_limit : outer->hard_memory_limit;
    merged->address_space_limit = inner->address_space_limit != PASSENGER_UNSET ? inner->address_space_limit : outer->address_space_limit;
    merged->user_process_limit = inner->user_process_limit != PASSENGER_UNSET ? inner->user_process_limit : outer->user_process_limit;
    merged->app_file_descriptor_ulimit = inner->app_file_descriptor_ulimit != PASSENGER_UNSET ? inner->app_file_descriptor_ulimit : outer->app_file_descriptor_ulimit;
    merged->cpu_time_limit = inner->cpu_time_limit != PASSENGER_UNSET ? inner->cpu_time_limit : outer->cpu_time_limit;
    merged->app_memory_limit = inner->app_memory_limit != PASSENGER_UNSET ? inner->app_memory_limit : outer->app_memory_limit;
    merged->app_cpu_weight = inner->app_cpu_weight != PASSENGER_UNSET ? inner->app_cpu_weight : outer->app_cpu_weight;
    merged->app_process_limit = inner->app_process_limit != PASSENGER_UNSET ? inner->app_process_limit : outer->app_process_limit;
    merged->no_new_privileges = inner->no_new_privileges != PASSENGER_UNSET ? inner->no_new_privileges : outer->no_new_privileges;
    merged->max_request_queue_size = inner->max_request_queue_size != PASSENGER_UNSET ? inner->max_request_queue_size : outer->max_request_queue_size;
    merged->max_request_queue_time = inner->max_request_queue_time != PASSENGER_UNSET ? inner->max_request_queue_time : outer->max_request_queue_time;
    merged->max_request_time = inner->max_request_time != PASSENGER_UNSET ? inner->max_request_time : outer->max_request_time;
    merged->sticky_sessions = inner->sticky_sessions != PASSENGER_UNSET ? inner->sticky_sessions : outer->sticky_sessions;
    merged->sticky_sessions_cookie_name = inner->sticky_sessions_cookie_name != NULL ? inner->sticky_sessions_cookie_name : outer->sticky_sessions_cookie_name;
    merged->sticky_sessions_cookie_attributes = inner->sticky_sessions_cookie_attributes != NULL ? inner->sticky_sessions_cookie_attributes : outer->sticky_sessions_cookie_attributes;
    merged->buffer_upload = inner->buffer_upload != PASSENGER_UNSET ? inner->buffer_upload : outer->buffer_upload;
    merged->friendly_error_pages = inner->friendly_error_pages != PASSENGER_UNSET ? inner->friendly_error_pages : outer->friendly_error_pages;
    merged->custom_error_page = inner->custom_error_page != NULL ? inner->custom_error_page : outer->custom_error_page;
    merged->error_override = inner->error_override != PASSENGER_UNSET ? inner->error_override : outer->error_override;
    merged->restart_dir = inner->restart_dir != NULL ? inner->restart_dir : outer->restart_dir;
    merged->rolling_restarts = inner->rolling_restarts != PASSENGER_UNSET ? inner->rolling_restarts : outer->rolling_restarts;
    merged->resist_deployment_errors = inner->resist_deployment_errors != PASSENGER_UNSET ? inner->resist_deployment_errors : outer->resist_deployment_errors;
    merged->app_log_file = inner->app_log_file != NULL ? inner->app_log_file : outer->app_log_file;
    merged->disable_log_prefix = inner->disable_log_prefix != PASSENGER_UNSET ? inner->disable_log_prefix : outer->disable_log_prefix;
    return merged;
}

void passenger_dir_options_to_wire(const passenger_dir_options *options, passenger_message *message)
{
    passenger_message_add(message, "python", passenger_dir_python(options));
    passenger_message_add(message, "ruby", passenger_dir_ruby(options));
    passenger_message_add(message, "nodejs", passenger_dir_nodejs(options));
    passenger_message_add(message, "app_start_command", passenger_dir_app_start_command(options));
    passenger_message_add(message, "warmup", passenger_dir_warmup(options) ? "1" : "0");
    passenger_message_add(message, "ruby_hooks_file", passenger_dir_ruby_hooks_file(options));
    passenger_message_add(message, "early_hints", passenger_dir_early_hints(options) ? "1" : "0");
    passenger_message_add(message, "app_env", passenger_dir_app_env(options));
    passenger_message_add(message, "spawn_method", passenger_dir_spawn_method(options));
    passenger_message_add(message, "known_import_warnings", passenger_dir_known_import_warnings(options));
    passenger_message_add(message, "load_shell_envvars", passenger_dir_load_shell_envvars(options) ? "1" : "0");
    passenger_message_add_number(message, "start_timeout", passenger_dir_start_timeout(options));
    passenger_message_add(message, "concurrency_model", passenger_dir_concurrency_model(options));
    passenger_message_add_number(message, "thread_count", passenger_dir_thread_count(options));
    passenger_message_add_number(message, "force_max_concurrent_requests_per_process", passenger_dir_force_max_concurrent_requests_per_process(options));
    passenger_message_add(message, "user", passenger_dir_user(options));
    passenger_message_add(message, "group", passenger_dir_group(options));
    passenger_message_add_number(message, "min_instances", passenger_dir_min_instances(options));
    passenger_message_add_number(message, "max_instances", passenger_dir_max_instances(options));
    passenger_message_add_number(message, "max_preloader_idle_time", passenger_dir_max_preloader_idle_time(options));
    passenger_message_add_number(message, "max_requests", passenger_dir_max_requests(options));
    passenger_message_add_number(message, "memory_limit", passenger_dir_memory_limit(options));
    passenger_message_add_number(message, "hard_memory_limit", passenger_dir_hard_memory_limit(options));
    passenger_message_add_number(message, "address_space_limit", passenger_dir_address_space_limit(options));
    passenger_message_add_number(message, "user_process_limit", passenger_dir_user_process_limit(options));
    passenger_message_add_number(message, "app_file_descriptor_ulimit", passenger_dir_app_file_descriptor_ulimit(options));
    passenger_message_add_number(message, "cpu_time_limit", passenger_dir_cpu_time_limit(options));
    passenger_message_add_number(message, "app_memory_limit", passenger_dir_app_memory_limit(options));
    passenger_message_add_number(message, "app_cpu_weight", passenger_dir_app_cpu_weight(options));
    passenger_message_add_number(message, "app_process_limit", passenger_dir_app_process_limit(options));
    passenger_message_add(message, "no_new_privileges", passenger_dir_no_new_privileges(options) ? "1" : "0");
    passenger_message_add_number(message, "max_request_queue_size", passenger_dir_max_request_queue_size(options));
    passenger_message_add(message, "sticky_sessions", passenger_dir_sticky_sessions(options) ? "1" : "0");
    passenger_message_add(message, "friendly_error_pages", passenger_dir_friendly_error_pages(options) ? "1" : "0");
    passenger_message_add(message, "custom_error_page", passenger_dir_custom_error_page(options));
    passenger_message_add(message, "restart_dir", passenger_dir_restart_dir(options));
    passenger_message_add(message, "rolling_restarts", passenger_dir_rolling_restarts(options) ? "1" : "0");
    passenger_message_add(message, "resist_deployment_errors", passenger_dir_resist_deployment_errors(options) ? "1" : "0");
    passenger_message_add(message, "app_log_file", passenger_dir_app_log_file(options));
    passenger_message_add(message, "disable_log_prefix", passenger_dir_disable_log_prefix(options) ? "1" : "0");
}

void passenger_server_options_to_wire(const passenger_server_options *options, passenger_message *message)
{
    passenger_message_add(message, "default_ruby", passenger_server_default_ruby(options));
    passenger_message_add(message, "user_switching", passenger_server_user_switching(options) ? "1" : "0");
    passenger_message_add(message, "default_user", passenger_server_default_user(options));
    passenger_message_add(message, "default_group", passenger_server_default_group(options));
    passenger_message_add_number(message, "max_instances_per_app", passenger_server_max_instances_per_app(options));
    passenger_message_add_number(message, "max_pool_size", passenger_server_max_pool_size(options));
    passenger_message_add_number(message, "pool_idle_time", passenger_server_pool_idle_time(options));
    passenger_message_add_number(message, "stat_throttle_rate", passenger_server_stat_throttle_rate(options));
    passenger_message_add(message, "log_file", passenger_server_log_file(options));
    passenger_message_add_number(message, "log_level", passenger_server_log_level(options));
    passenger_message_add_number(message, "socket_backlog", passenger_server_socket_backlog(options));
}
