#include "request/environment.h"

#include <http_config.h>
#include <http_core.h>
#include <http_protocol.h>
#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "config/generated/app_types.h"

static int is_one_of(const char *name, const char *const *names, int ignore_case)
{
    for (; *names != NULL; names++) {
        if ((ignore_case ? strcasecmp(name, *names) : strcmp(name, *names)) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The client's path without scheme and host, which an absolute-form target carries (RFC 9112, section 3.2.2). */
static const char *origin_form(apr_pool_t *pool, const char *target)
{
    if (target[0] == '/') {
        return target;
    }
    const char *authority = strstr(target, "://");
    const char *path = authority != NULL ? strpbrk(authority + 3, "/?") : NULL;
    if (path == NULL) {
        return "/";
    }
    return *path == '/' ? path : apr_pstrcat(pool, "/", path, NULL);
}

/* The target with `%2F` in its path decoded. */
static const char *decode_slashes(apr_pool_t *pool, const char *target)
{
    apr_size_t path_length = strcspn(target, "?");
    char *decoded = apr_pstrdup(pool, target);
    char *end = decoded;
    for (apr_size_t index = 0; index < path_length; end++) {
        int is_slash = strncasecmp(target + index, "%2f", 3) == 0;
        *end = is_slash ? '/' : target[index];
        index += is_slash ? 3 : 1;
    }
    memmove(end, target + path_length, strlen(target + path_length) + 1);
    return decoded;
}

/* Whether httpd has decoded `%2F` in r->uri: its AllowEncodedSlashes is On, not NoDecode. It did so with the options of
 * the virtual host; those of folders begin with Off again in httpd 2.4. */
static int has_decoded_slashes(const request_rec *r)
{
    const core_dir_config *core = ap_get_core_module_config(r->server->lookup_defaults);
    return core->decode_encoded_slashes;
}

const char *passenger_environment_target(request_rec *r, const passenger_mapping *mapping)
{
    int is_rewritten = r->prev != NULL || mapping->original_uri == NULL || strcmp(mapping->original_uri, r->uri) != 0;
    int keep_encoded = passenger_dir_allow_encoded_slashes(passenger_options_of(r));
    if (r->unparsed_uri != NULL && (!is_rewritten || keep_encoded)) {
        const char *target = origin_form(r->pool, r->unparsed_uri);
        return keep_encoded || !has_decoded_slashes(r) ? target : decode_slashes(r->pool, target);
    }
    const char *path = ap_os_escape_path(r->pool, r->uri, 1);
    return r->args != NULL ? apr_pstrcat(r->pool, path, "?", r->args, NULL) : path;
}

int passenger_environment_is_https(request_rec *r)
{
    const char *configured = apr_table_get(r->subprocess_env, "HTTPS");
    return strcmp(ap_http_scheme(r), "https") == 0
           || (configured != NULL && (strcasecmp(configured, "on") == 0 || strcmp(configured, "1") == 0));
}

/* Where the app is mounted; empty when another module has given the request a path outside of it since the mapping. */
static const char *script_name(request_rec *r, const passenger_mapping *mapping)
{
    return strncmp(r->uri, mapping->base_uri, strlen(mapping->base_uri)) == 0 ? mapping->base_uri : "";
}

/* The variables about the request and the client: meta-variables of RFC 3875 and some that are usual. */
static void add_meta_variables(request_rec *r, const passenger_mapping *mapping, passenger_message *head)
{
    conn_rec *c = r->connection;
    /* First what identifies the request: `status` shows the beginning of the head. */
    passenger_message_add(head, "REQUEST_METHOD", r->method);
    passenger_message_add(head, "HTTP_HOST", apr_table_get(r->headers_in, "Host"));
    passenger_message_add(head, "REQUEST_URI", passenger_environment_target(r, mapping));
    passenger_message_add(head, "PATH_INFO", r->uri + strlen(script_name(r, mapping)));
    passenger_message_add(head, "QUERY_STRING", r->args != NULL ? r->args : "");
    passenger_message_add(head, "CONTENT_TYPE", apr_table_get(r->headers_in, "Content-Type"));
    /* Often the client's word (UseCanonicalName Off). */
    passenger_message_add(head, "SERVER_NAME", ap_escape_html(r->pool, ap_get_server_name_for_url(r)));

    passenger_message_add(head, "REMOTE_ADDR", r->useragent_ip);
    passenger_message_add(head, "REMOTE_PORT", apr_itoa(r->pool, c->client_addr->port));
    passenger_message_add(head, "REMOTE_HOST", ap_get_useragent_host(r, REMOTE_HOST, NULL));
    passenger_message_add(head, "REMOTE_USER", r->user);
    passenger_message_add(head, "AUTH_TYPE", r->ap_auth_type);
}

void passenger_environment_add_tail(passenger_message *head, request_rec *r, const passenger_mapping *mapping)
{
    int https = passenger_environment_is_https(r);
    passenger_message_add(head, "SCRIPT_NAME", script_name(r, mapping));
    passenger_message_add(head, "SERVER_PROTOCOL", r->protocol);
    passenger_message_add(head, "GATEWAY_INTERFACE", "CGI/1.1");
    passenger_message_add(head, "SERVER_SOFTWARE", ap_get_server_banner());
    passenger_message_add(head, "SERVER_PORT", apr_psprintf(r->pool, "%u", ap_get_server_port(r)));
    passenger_message_add(head, "SERVER_ADDR", r->connection->local_ip);
    passenger_message_add(head, "DOCUMENT_ROOT", ap_document_root(r));
    passenger_message_add(head, "REQUEST_SCHEME", https ? "https" : "http");
    passenger_message_add(head, "HTTPS", https ? "on" : NULL);
}

/* `HTTP_` and the name in capitals. NULL for a name with other characters than letters, digits and dashes, which
 * could pass for another header (X_Forwarded_For for X-Forwarded-For), for headers that are not for the app, and for
 * those that it gets under another name. */
static const char *variable_of_header(apr_pool_t *pool, const char *name)
{
    static const char *const withheld[] = {"Content-Type", "Content-Length", "Host", "Connection", "Keep-Alive", "TE",
                                           "Trailer", "Transfer-Encoding", "Upgrade", "Proxy", "Proxy-Connection",
                                           NULL};
    if (is_one_of(name, withheld, 1)) {
        return NULL;
    }
    char *variable = apr_pstrcat(pool, "HTTP_", name, NULL);
    for (char *byte = variable + strlen("HTTP_"); *byte != '\0'; byte++) {
        if (*byte == '-') {
            *byte = '_';
        }
        else if (apr_isalnum(*byte) && (unsigned char)*byte < 0x80) {
            *byte = (char)apr_toupper(*byte);
        }
        else {
            return NULL;
        }
    }
    return variable;
}

/* Repeated headers become one list (RFC 9110, section 5.3); cookies are joined in their own way (RFC 6265bis). Over
 * HTTP/1, httpd has joined the lines before, those of cookies with a comma too: here they come as one. Variables that are
 * there already are found by a hash: LimitRequestFields 0 lets a client send a hundred thousand headers. */
static void add_headers(request_rec *r, passenger_message *head)
{
    const apr_array_header_t *headers = apr_table_elts(r->headers_in);
    apr_hash_t *places = apr_hash_make(r->pool);   /* of each variable in `fields`, from 1 on */
    for (int index = 0; index < headers->nelts; index++) {
        const apr_table_entry_t *header = &APR_ARRAY_IDX(headers, index, apr_table_entry_t);
        const char *variable = variable_of_header(r->pool, header->key);
        if (variable == NULL) {
            continue;
        }
        apr_size_t place = (apr_size_t)apr_hash_get(places, variable, APR_HASH_KEY_STRING);
        if (place == 0) {
            passenger_message_add(head, variable, header->val);
            apr_hash_set(places, variable, APR_HASH_KEY_STRING, (void *)(apr_size_t)head->fields->nelts);
            continue;
        }
        passenger_field *known = &APR_ARRAY_IDX(head->fields, (int)place - 1, passenger_field);
        const char *separator = strcmp(variable, "HTTP_COOKIE") == 0 ? "; " : ", ";
        known->value = apr_pstrcat(r->pool, known->value, separator, header->val, NULL);
        known->value_length = strlen(known->value);
    }
}

/* Names that a configuration's SetEnv may not give: what the server computes, what names request headers, what belongs
 * to the protocol between us and the worker, and the keys that loaders set themselves. */
static int is_reserved(const char *name)
{
    static const char *const computed[] = {
        "AUTH_TYPE",      "CONTENT_LENGTH", "CONTENT_TYPE",   "DOCUMENT_ROOT",   "GATEWAY_INTERFACE", "HTTPS",
        "PATH_INFO",      "QUERY_STRING",   "REMOTE_ADDR",    "REMOTE_HOST",     "REMOTE_PORT",       "REMOTE_USER",
        "REQUEST_METHOD", "REQUEST_SCHEME", "REQUEST_URI",    "SCGI",            "SCRIPT_NAME",       "SERVER_ADDR",
        "SERVER_NAME",    "SERVER_PORT",    "SERVER_PROTOCOL", "SERVER_SOFTWARE", NULL};
    for (const char *const *key = passenger_request_keys; *key != NULL; key++) {
        if (strncmp(name, *key, strlen(*key)) == 0) {
            return 1;
        }
    }
    return strncmp(name, "HTTP_", 5) == 0 || strncmp(name, "JUMPSEAT_", 9) == 0 || is_one_of(name, computed, 0);
}

/* Reserved, but taken where the server itself has no value: some auth modules leave these here. */
static int is_missing_identity(const char *name, passenger_message *head)
{
    static const char *const identity[] = {"AUTH_TYPE", "REMOTE_HOST", "REMOTE_USER", NULL};
    return is_one_of(name, identity, 0) && !passenger_message_has(head, name);
}

static void add_modules_variables(request_rec *r, passenger_message *head)
{
    const apr_array_header_t *variables = apr_table_elts(r->subprocess_env);
    for (int index = 0; index < variables->nelts; index++) {
        const apr_table_entry_t *variable = &APR_ARRAY_IDX(variables, index, apr_table_entry_t);
        if (variable->key != NULL && (!is_reserved(variable->key) || is_missing_identity(variable->key, head))) {
            passenger_message_add(head, variable->key, variable->val != NULL ? variable->val : "");
        }
    }
}

passenger_message *passenger_environment_of(request_rec *r, const passenger_mapping *mapping,
                                            apr_off_t content_length)
{
    passenger_message *head = passenger_message_create(r->pool, 64);
    passenger_message_add(head, "CONTENT_LENGTH", apr_off_t_toa(r->pool, content_length));
    passenger_message_add(head, "SCGI", "1");
    add_meta_variables(r, mapping, head);
    add_headers(r, head);
    add_modules_variables(r, head);
    return head;
}
