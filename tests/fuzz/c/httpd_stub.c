#include "httpd_stub.h"

#include <errno.h>
#include <sys/socket.h>

#include <ap_mpm.h>
#include <http_core.h>
#include <http_log.h>
#include <http_main.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mpm_common.h>
#include <util_md5.h>
#include <apr_lib.h>
#include <apr_portable.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "config/instance.h"
#include "config/registry_directory.h"
#include "fuzz.h"
#include "output/client_waits.h"
#include "output/output_filter.h"

enum { NETWORK_LIMIT = 64 * 1024, STREAM_LIMIT = 32 * 1024, HOLD_LIMIT = 8 * 1024, READ_LIMIT = 8000 };

httpd_stub *stub;
static apr_pool_t *process_pool;
static server_rec server;
static core_server_config core_of_server;
static passenger_dir_config options_of_server;
static core_dir_config core_of_folders;
static void *server_config[2] = {&core_of_server, &options_of_server};
static void *lookup_defaults[2] = {&core_of_folders, &options_of_server};
server_rec *ap_server_conf = &server;
module AP_MODULE_DECLARE_DATA core_module = {.module_index = 0};
module AP_MODULE_DECLARE_DATA passenger_module = {.module_index = 1};
AP_DECLARE_DATA ap_filter_rec_t *ap_core_output_filter_handle;
static ap_filter_rec_t *stream_filter;
static ap_filter_rec_t *protocol_filter;
static ap_filter_rec_t *holding_filter;
static ap_filter_rec_t *module_filter;
static ap_filter_rec_t *input_filter;

/* 1. Logs, texts and facts. */

void ap_log_rerror_(const char *file, int line, int module_index, int level, apr_status_t status, const request_rec *r,
                    const char *format, ...)
{
    char text[2048];
    va_list arguments;
    (void)file, (void)line, (void)module_index, (void)status, (void)r;
    va_start(arguments, format);
    apr_vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    FUZZ_CHECK(level >= APLOG_DEBUG || strncmp(text, "JS", 2) == 0);
    FUZZ_CHECK(strpbrk(text, "\r\n") == NULL);
}

void ap_log_error_(const char *file, int line, int module_index, int level, apr_status_t status, const server_rec *s,
                   const char *format, ...)
{
    (void)file, (void)line, (void)module_index, (void)level, (void)status, (void)s, (void)format;
}

int ap_mpm_query(int query, int *answer)
{
    *answer = query == AP_MPMQ_IS_ASYNC ? stub != NULL && stub->is_async : 1;
    return APR_SUCCESS;
}

void ap_hook_child_stopping(ap_HOOK_child_stopping_t *function, const char *const *before, const char *const *after,
                            int order)
{
    (void)function, (void)before, (void)after, (void)order;
}

const char *ap_check_cmd_context(cmd_parms *command, unsigned forbidden)
{
    (void)command, (void)forbidden;
    return NULL;
}

int passenger_registry_is_shared(const char *path) { (void)path; return 0; }
const char *ap_document_root(request_rec *r) { (void)r; return "/srv/www"; }
const char *ap_get_server_banner(void) { return "Apache"; }
const char *ap_get_server_name_for_url(request_rec *r) { return r->server->server_hostname; }
apr_port_t ap_get_server_port(const request_rec *r) { (void)r; return 80; }
const char *ap_run_http_scheme(const request_rec *r) { (void)r; return "http"; }
const char *ap_get_useragent_host(request_rec *r, int type, int *is_ip) { (void)r, (void)type, (void)is_ip; return NULL; }
char *ap_escape_html2(apr_pool_t *pool, const char *text, int to_ascii) { (void)to_ascii; return apr_pstrdup(pool, text); }
char *ap_os_escape_path(apr_pool_t *pool, const char *path, int partial) { (void)partial; return apr_pstrdup(pool, path); }
char *ap_md5(apr_pool_t *pool, const unsigned char *text) { (void)text; return apr_pstrdup(pool, "00000000000000000000000000000000"); }
char *ap_response_code_string(request_rec *r, int index) { (void)r, (void)index; return NULL; }
int ap_index_of_response(int status) { return status; }
const char *ap_get_status_line_ex(apr_pool_t *pool, int status) { return apr_psprintf(pool, "%d Status", status); }
void ap_clear_method_list(ap_method_list_t *list) { list->method_mask = 0; apr_array_clear(list->method_list); }
void ap_method_list_add(ap_method_list_t *list, const char *name) { *(const char **)apr_array_push(list->method_list) = name; }
apr_socket_t *ap_get_conn_socket(conn_rec *c) { return ((void **)c->conn_config)[0]; }
void ap_set_content_type(request_rec *r, const char *type) { r->content_type = type; }

void ap_set_content_length(request_rec *r, apr_off_t length)
{
    r->clength = length;
    apr_table_setn(r->headers_out, "Content-Length", apr_off_t_toa(r->pool, length));
}

int ap_parse_strict_length(apr_off_t *length, const char *text)
{
    char *end;
    return apr_isdigit(*text) && apr_strtoff(length, text, &end, 10) == APR_SUCCESS && *end == '\0';
}

/* As httpd compares a token in a list: by letters, without looking at quotes. */
int ap_find_token(apr_pool_t *pool, const char *line, const char *token)
{
    char *state;
    for (char *word = apr_strtok(apr_pstrdup(pool, line), ", \t;=", &state); word != NULL;
         word = apr_strtok(NULL, ", \t;=", &state)) {
        if (strcasecmp(word, token) == 0) {
            return 1;
        }
    }
    return 0;
}

int ap_map_http_request_error(apr_status_t rv, int status)
{
    return rv == AP_FILTER_ERROR ? AP_FILTER_ERROR : APR_STATUS_IS_ENOSPC(rv) ? HTTP_REQUEST_ENTITY_TOO_LARGE
           : APR_STATUS_IS_TIMEUP(rv) ? HTTP_REQUEST_TIME_OUT : status;
}

void ap_send_interim_response(request_rec *r, int send_headers)
{
    FUZZ_CHECK(!stub->head_is_sent && r->status == (send_headers ? HTTP_EARLY_HINTS : HTTP_CONTINUE));
    stub->interim_responses++;
}

apr_port_t ap_run_default_port(const request_rec *r)
{
    (void)r;
    return 80;
}

/* 2. Filters. */

ap_filter_rec_t *ap_register_output_filter(const char *name, ap_out_filter_func function, ap_init_filter_func init,
                                           ap_filter_type type)
{
    ap_filter_rec_t *made = apr_pcalloc(process_pool, sizeof(*made));
    (void)init;
    made->name = name;
    made->filter_func.out_func = function;
    made->ftype = type;
    return module_filter = made;
}

static ap_filter_t *filter_before(apr_pool_t *pool, ap_filter_rec_t *record, void *ctx, ap_filter_t *next)
{
    ap_filter_t *made = apr_pcalloc(pool, sizeof(*made));
    *made = (ap_filter_t){.frec = record, .ctx = ctx, .next = next};
    return made;
}

/* The module's own filter, the first of the connection. */
ap_filter_t *ap_add_output_filter(const char *name, void *ctx, request_rec *r, conn_rec *c)
{
    FUZZ_CHECK(strcmp(name, module_filter->name) == 0 && c->output_filters->next == NULL);
    c->output_filters = filter_before(c->pool, module_filter, ctx, c->output_filters);
    c->output_filters->c = c;
    r->proto_output_filters->next = c->output_filters;
    return c->output_filters;
}

apr_status_t ap_pass_brigade(ap_filter_t *next, apr_bucket_brigade *brigade)
{
    return next->frec->filter_func.out_func(next, brigade);
}

static const apr_bucket_type_t error_type = {
    "ERROR", 5, APR_BUCKET_METADATA, apr_bucket_destroy_noop, NULL, apr_bucket_setaside_noop, apr_bucket_split_notimpl,
    apr_bucket_simple_copy
};

static apr_status_t read_nothing(apr_bucket *bucket, const char **bytes, apr_size_t *length, apr_read_type_e block)
{
    (void)bucket, (void)block;
    *bytes = NULL;
    *length = 0;
    return APR_SUCCESS;
}

static apr_bucket_type_t error_bucket_type;

apr_bucket *ap_bucket_error_create(int error, const char *text, apr_pool_t *pool, apr_bucket_alloc_t *list)
{
    apr_bucket *bucket = apr_bucket_alloc(sizeof(*bucket), list);
    (void)error, (void)text, (void)pool;
    APR_BUCKET_INIT(bucket);
    bucket->free = apr_bucket_free;
    bucket->list = list;
    bucket->length = 0;
    bucket->start = 0;
    bucket->data = NULL;
    bucket->type = &error_bucket_type;
    return bucket;
}

/* What httpd would write into the head. */
static void check_head(request_rec *r)
{
    const apr_table_t *tables[] = {r->headers_out, r->err_headers_out};
    FUZZ_CHECK(r->status >= 200 && r->status < 600);
    FUZZ_CHECK(r->status_line == NULL || (strlen(r->status_line) >= 4 && strpbrk(r->status_line, "\r\n") == NULL));
    FUZZ_CHECK(r->content_type == NULL || strpbrk(r->content_type, "\r\n") == NULL);
    for (int number = 0; number < 2; number++) {
        const apr_array_header_t *headers = apr_table_elts(tables[number]);
        for (int index = 0; index < headers->nelts; index++) {
            const apr_table_entry_t *header = &APR_ARRAY_IDX(headers, index, apr_table_entry_t);
            FUZZ_CHECK(header->key[0] != '\0' && strpbrk(header->key, " :\t\r\n") == NULL);
            FUZZ_CHECK(strpbrk(header->val, "\r\n") == NULL);
            FUZZ_CHECK(strcasecmp(header->key, "Transfer-Encoding") != 0 && strcasecmp(header->key, "Connection") != 0);
        }
    }
    stub->head_is_sent = 1;
    stub->status = r->status;
}

static apr_status_t pass_protocol(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
    while (bucket != APR_BRIGADE_SENTINEL(brigade)) {
        apr_bucket *next = APR_BUCKET_NEXT(bucket);
        stub->is_cut |= bucket->type == &error_bucket_type;
        if (!stub->head_is_sent && !stub->is_cut && (!APR_BUCKET_IS_METADATA(bucket) || APR_BUCKET_IS_EOS(bucket))) {
            check_head(filter->r);
        }
        if (!APR_BUCKET_IS_METADATA(bucket)) {
            FUZZ_CHECK(!stub->is_ended);
            filter->r->sent_bodyct = 1;
        }
        if (APR_BUCKET_IS_EOS(bucket)) {
            stub->is_ended = 1;
            filter->r->eos_sent = 1;
        }
        if (bucket->type == &error_bucket_type || (filter->r->header_only && !APR_BUCKET_IS_METADATA(bucket))) {
            apr_bucket_delete(bucket);
        }
        bucket = next;
    }
    return ap_pass_brigade(filter->next, brigade);
}

/* As DEFLATE does, but the bytes stay what they are. */
static apr_status_t hold_back(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    apr_bucket_brigade *held = filter->ctx;
    apr_size_t length = 0;
    int is_due = 0;
    if (stub->filter_fails_at > 0 && --stub->filter_fails_at == 0) {
        return AP_FILTER_ERROR;
    }
    while (!APR_BRIGADE_EMPTY(brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
        const char *bytes;
        apr_size_t size;
        is_due |= APR_BUCKET_IS_METADATA(bucket);
        if (!APR_BUCKET_IS_METADATA(bucket) && apr_bucket_read(bucket, &bytes, &size, APR_BLOCK_READ) != APR_SUCCESS) {
            return APR_EGENERAL;
        }
        apr_bucket_setaside(bucket, filter->r->pool);
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(held, bucket);
    }
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(held); bucket != APR_BRIGADE_SENTINEL(held);
         bucket = APR_BUCKET_NEXT(bucket)) {
        length += bucket->length;
    }
    if (!is_due && length < HOLD_LIMIT) {
        return APR_SUCCESS;
    }
    apr_status_t rv = ap_pass_brigade(filter->next, held);
    apr_brigade_cleanup(held);
    return rv;
}

/* 3. The network. */

static apr_size_t memory_in(apr_bucket_brigade *brigade)
{
    apr_size_t length = 0;
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        length += APR_BUCKET_IS_FILE(bucket) || strcmp(bucket->type->name, "JUMPSEAT_FILE") == 0 ? 0 : bucket->length;
    }
    return length;
}

/* Sends what the socket takes. Returns 0 when the connection is at its end. */
static int send_held(conn_rec *c, apr_bucket_brigade *held)
{
    while (!APR_BRIGADE_EMPTY(held)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(held);
        const char *bytes;
        apr_size_t length = 0;
        if (!APR_BUCKET_IS_METADATA(bucket)
            && (c->aborted || apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ) != APR_SUCCESS)) {
            return 0;
        }
        ssize_t sent = length > 0 ? send(stub->client_socket, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
        if (sent < 0) {
            return errno == EAGAIN;
        }
        if ((apr_size_t)sent < length) {
            apr_bucket_split(bucket, (apr_size_t)sent);
        }
        apr_bucket_delete(bucket);
    }
    return 1;
}

static apr_status_t write_network(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    conn_rec *c = filter->c;
    apr_bucket_brigade *held = filter->ctx;
    apr_size_t most = NETWORK_LIMIT;
    int is_open = 1;
    while (brigade != NULL && !APR_BRIGADE_EMPTY(brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
        most = APR_BUCKET_IS_FLUSH(bucket) ? 0 : most;
        apr_bucket_setaside(bucket, c->pool);
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(held, bucket);
    }
    while ((is_open = send_held(c, held)) && (memory_in(held) > most || (most == 0 && !APR_BRIGADE_EMPTY(held)))) {
        stub->wait();
    }
    if (!is_open) {
        c->aborted = 1;
        apr_brigade_cleanup(held);
    }
    c->data_in_output_filters = !APR_BRIGADE_EMPTY(held);
    return is_open ? APR_SUCCESS : APR_ECONNABORTED;
}

/* Of a stream: its client takes what stub_take() takes. The order of buckets: taken, held. */
typedef struct stream_state {
    apr_bucket_brigade *held;
    apr_bucket_brigade *taken;
    apr_pool_t *pool;        /* of the connection that the streams share */
} stream_state;

size_t stub_take(conn_rec *c, size_t size)
{
    ap_filter_t *last = c->output_filters;
    while (last->next != NULL) {
        last = last->next;
    }
    stream_state *state = last->ctx;
    size_t before = stub->delivered_length;
    while (!APR_BRIGADE_EMPTY(state->held)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(state->held);
        const char *bytes;
        apr_size_t length = 0;
        if (!APR_BUCKET_IS_METADATA(bucket)) {
            size_t room = size - (stub->delivered_length - before);
            if (room == 0 || apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ) != APR_SUCCESS) {
                break;
            }
            if (length > room) {
                apr_bucket_split(bucket, room);
                length = room;
            }
            stub->delivered = realloc(stub->delivered, stub->delivered_length + length + 1);
            memcpy(stub->delivered + stub->delivered_length, bytes, length);
            stub->delivered_length += length;
        }
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(state->taken, bucket);
    }
    return stub->delivered_length - before;
}

static apr_status_t write_stream(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    stream_state *state = filter->ctx;
    apr_brigade_cleanup(state->taken);
    while (!APR_BRIGADE_EMPTY(brigade) && !filter->c->aborted) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
        if (memory_in(state->held) >= STREAM_LIMIT) {
            stub->wait();
            apr_brigade_cleanup(state->taken);
            continue;
        }
        apr_bucket_setaside(bucket, state->pool);
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(state->held, bucket);
    }
    return filter->c->aborted ? APR_ECONNABORTED : APR_SUCCESS;
}

/* The body, as the client sends it. */
static apr_status_t read_body(ap_filter_t *filter, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                              apr_read_type_e block, apr_off_t size)
{
    char *bytes = NULL;
    ssize_t got = 0;
    apr_off_t left = stub->body_length - stub->body_read;
    apr_bucket_alloc_t *list = filter->c->bucket_alloc;
    FUZZ_CHECK(mode == AP_MODE_READBYTES && size > 0 && APR_BRIGADE_EMPTY(brigade));
    if (left == 0) {
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(list));
        return APR_SUCCESS;
    }
    size = size < READ_LIMIT ? size : READ_LIMIT;
    bytes = apr_bucket_alloc(READ_LIMIT, list);
    while ((got = filter->c->aborted ? 0 : recv(stub->client_socket, bytes, (size_t)(left < size ? left : size),
                                                MSG_DONTWAIT)) < 0
           && errno == EAGAIN && block == APR_BLOCK_READ) {
        stub->wait();
    }
    if (got <= 0) {
        int error = got == 0 ? APR_EOF : errno;
        apr_bucket_free(bytes);
        return error;
    }
    stub->body_read += got;
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_heap_create(bytes, (apr_size_t)got, apr_bucket_free, list));
    return APR_SUCCESS;
}

apr_status_t ap_get_brigade(ap_filter_t *filter, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t size)
{
    return filter->frec->filter_func.in_func(filter, brigade, mode, block, size);
}

/* 4. Making it all. */

static ap_filter_rec_t *record(const char *name, ap_out_filter_func function, ap_filter_type type)
{
    ap_filter_rec_t *made = apr_pcalloc(process_pool, sizeof(*made));
    made->name = name;
    made->filter_func.out_func = function;
    made->ftype = type;
    return made;
}

void stub_start(const char *directory)
{
    apr_initialize();
    apr_pool_create(&process_pool, NULL);
    error_bucket_type = error_type;
    error_bucket_type.read = read_nothing;
    server = (server_rec){.server_hostname = (char *)"www.example.org", .timeout = apr_time_from_sec(20),
                          .module_config = (ap_conf_vector_t *)server_config,
                          .lookup_defaults = (ap_conf_vector_t *)lookup_defaults};
    ap_core_output_filter_handle = record("CORE", write_network, AP_FTYPE_NETWORK);
    stream_filter = record("STREAM", write_stream, AP_FTYPE_NETWORK);
    protocol_filter = record("HTTP", pass_protocol, AP_FTYPE_PROTOCOL);
    holding_filter = record("HOLD", hold_back, AP_FTYPE_CONTENT_SET);
    input_filter = record("BODY", NULL, AP_FTYPE_PROTOCOL);
    input_filter->filter_func.in_func = read_body;
    passenger_server_options *options = passenger_server_options_create(process_pool);
    options->data_buffer_dir = apr_pstrdup(process_pool, directory);
    options->instance_registry_dir = options->data_buffer_dir;
    passenger_configuration_set_server(options);
    options_of_server.options = passenger_dir_options_create(process_pool);
    FUZZ_CHECK(passenger_instance_create() == APR_SUCCESS);
    passenger_output_register();
    passenger_client_waits_child_init(process_pool);
}

static conn_rec *connection_in(apr_pool_t *pool)
{
    conn_rec *c = apr_pcalloc(pool, sizeof(*c));
    void **config = apr_pcalloc(pool, 2 * sizeof(void *));
    apr_socket_t *client = NULL;
    apr_os_sock_t descriptor = stub->client_socket;
    apr_os_sock_put(&client, &descriptor, pool);
    config[0] = client;
    c->pool = pool;
    c->conn_config = (ap_conf_vector_t *)config;
    c->bucket_alloc = apr_bucket_alloc_create(pool);
    c->local_ip = (char *)"127.0.0.1";
    c->client_ip = (char *)"127.0.0.2";
    c->client_addr = apr_pcalloc(pool, sizeof(*c->client_addr));
    c->keepalive = AP_CONN_KEEPALIVE;
    return c;
}

static void add_network(conn_rec *c, int is_stream)
{
    apr_bucket_brigade *held = apr_brigade_create(c->pool, c->bucket_alloc);
    void *ctx = held;
    if (is_stream) {
        stream_state *state = apr_pcalloc(c->pool, sizeof(*state));
        state->held = held;
        state->taken = apr_brigade_create(c->pool, c->bucket_alloc);
        state->pool = c->master->pool;
        ctx = state;
    }
    c->output_filters = filter_before(c->pool, is_stream ? stream_filter : ap_core_output_filter_handle, ctx, NULL);
    c->output_filters->c = c;
}

request_rec *stub_request(apr_pool_t *pool, int is_stream)
{
    apr_pool_t *request_pool;
    conn_rec *c = connection_in(pool);
    if (is_stream) {
        c->master = connection_in(pool);
        ((void **)c->conn_config)[0] = NULL;
    }
    add_network(c, is_stream);
    apr_pool_create(&request_pool, pool);
    request_rec *r = apr_pcalloc(request_pool, sizeof(*r));
    *r = (request_rec){.pool = request_pool, .connection = c, .server = &server, .method = "GET",
                       .protocol = (char *)"HTTP/1.1", .proto_num = HTTP_VERSION(1, 1), .status = HTTP_OK,
                       .headers_in = apr_table_make(request_pool, 8), .headers_out = apr_table_make(request_pool, 8),
                       .err_headers_out = apr_table_make(request_pool, 4), .notes = apr_table_make(request_pool, 4),
                       .subprocess_env = apr_table_make(request_pool, 4), .useragent_ip = c->client_ip,
                       .request_config = apr_pcalloc(request_pool, 2 * sizeof(void *)),
                       .per_dir_config = apr_pcalloc(request_pool, 2 * sizeof(void *))};
    r->allowed_methods = apr_pcalloc(request_pool, sizeof(*r->allowed_methods));
    r->allowed_methods->method_list = apr_array_make(request_pool, 4, sizeof(char *));
    r->proto_output_filters = filter_before(request_pool, protocol_filter, NULL, c->output_filters);
    r->output_filters = r->proto_output_filters;
    if (stub->holds_back) {
        r->output_filters = filter_before(request_pool, holding_filter,
                                          apr_brigade_create(request_pool, c->bucket_alloc), r->proto_output_filters);
    }
    r->proto_input_filters = r->input_filters = filter_before(request_pool, input_filter, NULL, NULL);
    r->proto_output_filters->r = r->output_filters->r = r->input_filters->r = r;
    r->input_filters->c = c;
    return r;
}

void stub_finish(conn_rec *c)
{
    ap_filter_t *last = c->output_filters;
    while (last->next != NULL) {
        last = last->next;
    }
    if (last->frec == stream_filter) {
        return;
    }
    while (c->data_in_output_filters && write_network(last, NULL) == APR_SUCCESS && c->data_in_output_filters) {
        stub->wait();
    }
}
