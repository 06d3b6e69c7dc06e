/* The request handler, from the environment of a request to the last byte of its response: request/, proxy/, output/ and
 * errors/, against a stub of httpd (httpd_stub.h), with the real APR, and a scripted client and worker (world.h).
 *
 * Checked besides the sanitizers: the handler ends; it does not spin; no descriptor is left open; what httpd would put
 * into a head is safe; the client gets nothing but what the worker has sent as the body, in order, and takes no cut
 * response for a complete one; the worker gets one well-formed head and nothing but what the client has sent.
 */
#include "world.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <http_core.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "core/capabilities.h"
#include "core/closer.h"
#include "core/deadlines.h"
#include "core/http_body.h"
#include "core/message.h"
#include "core/response_head.h"
#include "errors/error_answer.h"
#include "httpd_stub.h"
#include "request/handler.h"
#include "request/mapping.h"
#include "request/spawner_call.h"

/* What the input decides before the script begins. */
typedef struct plan {
    unsigned capabilities;
    int is_stream, is_head, is_old, is_chunked, expects_continue, is_error_document;
    int registration;              /* 0 to 3: the spawner's answer is a good one */
    size_t body_length;            /* 0: none */
    int is_sticky, has_cookie, has_queue_time, has_request_time, overrides_errors, buffers_upload;
    fuzz_input answer;             /* of the spawner, in bytes, when that is what the input wants */
} plan;

static plan current;
static int has_error_page;

/* What the mapping has decided: mapping.c asks httpd much more. */
passenger_mapping *passenger_mapping_of(const request_rec *r)
{
    return ((void **)r->request_config)[1];
}

/* APR's pools give memory without room between: this finds what is read or written behind it. */
void *__wrap_apr_palloc(apr_pool_t *pool, apr_size_t size);
int __real_passenger_error_answer(request_rec *r, int status);
int __wrap_passenger_error_answer(request_rec *r, int status);
apr_status_t __wrap_passenger_spawner_ask(apr_pool_t *pool, const passenger_question *question,
                                          passenger_answer *answer);
apr_status_t __wrap_passenger_spawner_send(const char *path, const char *message, apr_size_t length);

static apr_status_t free_memory(void *memory)
{
    free(memory);
    return APR_SUCCESS;
}

void *__wrap_apr_palloc(apr_pool_t *pool, apr_size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    apr_pool_cleanup_register(pool, memory, free_memory, apr_pool_cleanup_null);
    return memory;
}

int __wrap_passenger_error_answer(request_rec *r, int status)
{
    FUZZ_CHECK(!stub->head_is_sent || status == AP_FILTER_ERROR);
    has_error_page = 1;
    return __real_passenger_error_answer(r, status);
}

/* The spawner, which spawner_call.c would connect to. */
apr_status_t __wrap_passenger_spawner_ask(apr_pool_t *pool, const passenger_question *question,
                                          passenger_answer *answer)
{
    static const char *const words[] = {"token", "frames", "body-file", "framed-body", "acknowledge", "expect",
                                        "http"};
    passenger_netstring_reader reader;
    char *all = apr_pstrdup(pool, "unknown");
    answer->descriptor = -1;
    FUZZ_CHECK(passenger_netstring_open(&reader, question->bytes, question->length, PASSENGER_CONTROL_MESSAGE_LIMIT)
               == PASSENGER_NETSTRING_OK);
    if (current.registration == 4) {
        return ECONNREFUSED;
    }
    if (current.registration == 5) {
        answer->bytes = apr_pmemdup(pool, current.answer.bytes, current.answer.left);
        answer->length = current.answer.left;
        return APR_SUCCESS;
    }
    for (int index = 0; index < 7; index++) {
        all = (current.capabilities & 1u << index) != 0 ? apr_pstrcat(pool, all, " ", words[index], NULL) : all;
    }
    passenger_message *message = passenger_message_of_type(pool, current.registration == 6 ? "refused" : "registered");
    passenger_message_add(message, "socket", current.registration == 7 ? "/nowhere/app.sock" : world_socket());
    passenger_message_add(message, "app_token", "secret");
    passenger_message_add(message, "capabilities", all);
    answer->bytes = passenger_message_encode(message, PASSENGER_CONTROL_MESSAGE_LIMIT, &answer->length);
    return APR_SUCCESS;
}

apr_status_t __wrap_passenger_spawner_send(const char *path, const char *message, apr_size_t length)
{
    (void)path, (void)message, (void)length;
    return APR_SUCCESS;
}

/* 1. The request. */

static plan plan_of(fuzz_input *input)
{
    uint8_t first = fuzz_byte(input);
    uint8_t second = fuzz_byte(input);
    uint8_t third = fuzz_byte(input);
    plan made = {.capabilities = first & 63, .is_stream = first >> 6 & 1, .is_head = first >> 7 & 1,
                 .is_old = second & 1, .is_chunked = second >> 1 & 1, .expects_continue = second >> 2 & 1,
                 .is_error_document = (second >> 3 & 7) == 7, .is_sticky = second >> 6 & 1, .has_cookie = second >> 7,
                 .has_queue_time = third & 1, .has_request_time = third >> 1 & 1, .overrides_errors = third >> 2 & 1,
                 .buffers_upload = third >> 3 & 1, .registration = (third >> 4 & 7) == 7 ? fuzz_byte(input) & 7 : 0};
    if ((second >> 3 & 7) == 6) {
        made.capabilities |= PASSENGER_CAPABILITY_HTTP;
        made.capabilities &= ~(unsigned)(PASSENGER_CAPABILITY_FRAMES | PASSENGER_CAPABILITY_BODY_FILE);
    }
    if ((third & 0x80) != 0) {
        made.body_length = (size_t)fuzz_short(input) * 5;
    }
    if (made.registration == 5) {
        made.answer.bytes = fuzz_bytes(input, fuzz_byte(input), &made.answer.left);
    }
    return made;
}

/* Headers as httpd lets them pass: without control characters. */
static void add_headers(request_rec *r, fuzz_input *input)
{
    char *text = fuzz_text(input, fuzz_byte(input) & 63);
    char *state;
    for (char *line = apr_strtok(apr_pstrdup(r->pool, text), "\n", &state); line != NULL;
         line = apr_strtok(NULL, "\n", &state)) {
        char *value = strchr(line, ':');
        if (value == NULL || value == line || strpbrk(line, "\r") != NULL) {
            r->args = value == line ? line : r->args;
            r->unparsed_uri = line;
            continue;
        }
        *value++ = '\0';
        if (strcasecmp(line, "Content-Length") != 0 && strcasecmp(line, "Transfer-Encoding") != 0) {
            apr_table_addn(r->headers_in, line, value);
        }
    }
    free(text);
}

static passenger_dir_options *options_of(apr_pool_t *pool)
{
    passenger_dir_options *options = passenger_dir_options_create(pool);
    options->sticky_sessions = current.is_sticky;
    options->max_request_queue_time = current.has_queue_time ? 2 : 0;
    options->max_request_time = current.has_request_time ? 3 : 0;
    options->error_override = current.overrides_errors;
    options->buffer_upload = current.buffers_upload;
    return options;
}

static void configure(request_rec *r)
{
    passenger_dir_config *config = apr_pcalloc(r->pool, sizeof(*config));
    core_dir_config *core = apr_pcalloc(r->pool, sizeof(*core));
    passenger_mapping *mapping = apr_pcalloc(r->pool, sizeof(*mapping));
    core_dir_config *defaults = ((void **)r->server->lookup_defaults)[0];
    defaults->decode_encoded_slashes = current.has_cookie;
    config->options = options_of(r->pool);
    ((void **)r->per_dir_config)[0] = core;
    ((void **)r->per_dir_config)[1] = config;
    *mapping = (passenger_mapping){.original_uri = r->uri, .is_for_app = 1, .base_uri = "/shop",
                                   .app_root = "/srv/shop", .kind = {"wsgi", "passenger_wsgi.py"},
                                   .public_dir = "/srv/shop/public"};
    ((void **)r->request_config)[1] = mapping;
}

static request_rec *request_of(apr_pool_t *pool, fuzz_input *input)
{
    request_rec *r = stub_request(pool, current.is_stream);
    r->handler = PASSENGER_HANDLER;
    r->method = current.is_head ? "HEAD" : "GET";
    r->header_only = current.is_head;
    r->uri = r->unparsed_uri = apr_pstrdup(r->pool, "/shop/cart");
    r->proto_num = current.is_old ? HTTP_VERSION(1, 0) : HTTP_VERSION(1, 1);
    r->expecting_100 = current.expects_continue;
    configure(r);
    add_headers(r, input);
    if (current.has_cookie) {
        apr_table_setn(r->headers_in, "Cookie", "a=b; _passenger_route=" WORLD_ROUTE);
    }
    if (current.body_length > 0) {
        apr_table_setn(r->headers_in, current.is_chunked ? "Transfer-Encoding" : "Content-Length",
                       current.is_chunked ? "chunked" : apr_off_t_toa(r->pool, (apr_off_t)current.body_length));
    }
    if (current.is_error_document) {
        r->prev = apr_pcalloc(r->pool, sizeof(*r->prev));
        r->prev->status = r->status = HTTP_NOT_FOUND;
    }
    return r;
}

/* 2. What the worker has said, read once more in another way. */

typedef struct expectation {
    int is_known;            /* as far as `body` goes, this is what the client may get; else: no more than it */
    int is_complete;
    int has_rest;            /* bytes behind the end */
    int is_bodyless;         /* HEAD, 204, 304: what comes as body is dropped unseen */
    world_bytes body;
} expectation;

static void *allocate(void *pool, size_t size)
{
    return apr_palloc(pool, size);
}

static int is_http(void)
{
    return (current.capabilities & PASSENGER_CAPABILITY_HTTP) != 0;
}

static int wants_acknowledgement(void)
{
    return (current.capabilities & PASSENGER_CAPABILITY_ACKNOWLEDGE) != 0
           && (current.is_sticky || current.has_queue_time || current.has_request_time);
}

/* The final head, after those of 100 and 102. Returns how long they all are; 0: it is not complete, or refused. */
static size_t skip_heads(apr_pool_t *pool, passenger_response_head *head)
{
    size_t consumed;
    size_t used = 0;
    passenger_head_status status = PASSENGER_HEAD_MORE;
    passenger_head_begin(head, allocate, pool);
    head->acknowledgement_allowed = wants_acknowledgement();
    head->continue_allowed = 1;
    head->expects_http = is_http();
    while (used < the_world.answer.length && status != PASSENGER_HEAD_COMPLETE && status != PASSENGER_HEAD_REFUSED
           && status != PASSENGER_HEAD_TOO_LATE) {
        status = passenger_head_feed(head, the_world.answer.bytes + used, 1, &consumed);
        used += consumed;
    }
    return status == PASSENGER_HEAD_COMPLETE ? used : 0;
}

static uint64_t number_at(const unsigned char *bytes, int size)
{
    uint64_t number = 0;
    while (size-- > 0) {
        number = number << 8 | *bytes++;
    }
    return number;
}

static void expect_bytes(expectation *expected, const char *bytes, size_t length)
{
    expected->body.bytes = realloc(expected->body.bytes, expected->body.length + length + 1);
    if (length > 0) {
        memcpy(expected->body.bytes + expected->body.length, bytes, length);
    }
    expected->body.length += length;
}

static int expect_file(expectation *expected, const unsigned char *frame)
{
    uint64_t offset = number_at(frame + 4, 8);
    uint64_t length = number_at(frame + 12, 8);
    if (expected->is_bodyless || length == 0) {
        return offset <= INT64_MAX && length <= INT64_MAX && offset + length <= INT64_MAX;
    }
    if (the_world.has_odd_files || offset > WORLD_FILE_SIZE || length > WORLD_FILE_SIZE - offset) {
        expected->is_known = the_world.has_odd_files == 0;
        return 0;
    }
    for (uint64_t done = 0; done < length;) {
        uint64_t piece = length - done < WORLD_PATTERN_PERIOD ? length - done : WORLD_PATTERN_PERIOD;
        expect_bytes(expected, world_pattern(offset + done), piece);
        done += piece;
    }
    return 1;
}

static void expect_frames(expectation *expected, size_t start)
{
    const unsigned char *bytes = (const unsigned char *)the_world.answer.bytes;
    size_t end = the_world.answer.length;
    while (end - start >= 4) {
        uint64_t size = number_at(bytes + start, 4);
        start += 4;
        if (size == 0) {
            expected->is_complete = 1;
            expected->has_rest = start < end;
            return;
        }
        if (size == 0xffffffff) {
            if (end - start < 16 || !expect_file(expected, bytes + start - 4)) {
                return;
            }
            start += 16;
            continue;
        }
        if (size > 0x7fffffff) {
            return;
        }
        size = size < end - start ? size : end - start;
        expect_bytes(expected, (const char *)bytes + start, size);
        start += size;
    }
}

/* The reader of these bodies has a target of its own. */
static void expect_http(expectation *expected, const passenger_response_head *head, size_t start)
{
    const char *bytes = the_world.answer.bytes + start;
    size_t length = the_world.answer.length - start;
    passenger_http_body body;
    passenger_http_framing framing = expected->is_bodyless    ? PASSENGER_HTTP_NO_BODY
                                     : head->is_chunked       ? PASSENGER_HTTP_CHUNKED
                                     : head->content_length < 0 ? PASSENGER_HTTP_UNTIL_CLOSE : PASSENGER_HTTP_LENGTH;
    passenger_http_body_begin(&body, framing, head->content_length);
    while (passenger_http_body_next(&body, &bytes, &length) == PASSENGER_HTTP_BODY_DATA) {
        expect_bytes(expected, body.data, body.length);
    }
    expected->is_complete = passenger_http_body_end_of_input(&body);
    expected->has_rest = length > 0 && !expected->is_bodyless;
}

static expectation expect(apr_pool_t *pool)
{
    passenger_response_head head;
    expectation expected = {.is_known = 1};
    size_t start = skip_heads(pool, &head);
    if (start == 0) {
        return expected;
    }
    expected.is_bodyless = current.is_head || head.status == 204 || head.status == 304;
    if (head.is_http) {
        expect_http(&expected, &head, start);
        return expected;
    }
    if ((current.capabilities & PASSENGER_CAPABILITY_FRAMES) != 0) {
        expect_frames(&expected, start);
    }
    else {
        expect_bytes(&expected, the_world.answer.bytes + start, the_world.answer.length - start);
        expected.is_complete = 1;
    }
    if (expected.is_bodyless) {
        expected.body.length = 0;
    }
    else if (head.content_length >= 0 && (int64_t)expected.body.length != head.content_length) {
        expected.is_complete = 0;
        expected.has_rest |= (int64_t)expected.body.length > head.content_length;
    }
    return expected;
}

/* 3. What has come out. */

/* `is_sent`: the handler says that the client has an answer. */
static void check_response(const expectation *expected, int is_sent)
{
    const char *got = current.is_stream ? stub->delivered : the_world.got.bytes;
    size_t length = current.is_stream ? stub->delivered_length : the_world.got.length;
    int is_whole = is_sent && stub->head_is_sent && stub->is_ended && !stub->is_cut;
    if (has_error_page) {
        return;
    }
    FUZZ_CHECK(is_sent || length == 0 || stub->is_cut);
    if (expected->is_known) {
        FUZZ_CHECK(length <= expected->body.length);
    }
    size_t common = length < expected->body.length ? length : expected->body.length;
    FUZZ_CHECK(common == 0 || memcmp(got, expected->body.bytes, common) == 0);
    if (is_whole && expected->is_known) {
        FUZZ_CHECK(expected->is_complete);
        FUZZ_CHECK(the_world.client_has_left || length == expected->body.length);
    }
}

/* A good answer to a patient client comes whole. */
static void check_progress(const expectation *expected, int status)
{
    int is_plain = expected->is_known && expected->is_complete && !expected->has_rest && !the_world.client_has_left
                   && the_world.script_time < 100 * 1000 && the_world.disk_left < 0 && the_world.connections == 1
                   && !stub->holds_back && current.body_length == 0 && !current.overrides_errors;
    if (is_plain) {
        FUZZ_CHECK(status == OK && stub->is_ended && !stub->is_cut && !has_error_page);
    }
}

static void check_field(const passenger_field *field, int *tokens)
{
    FUZZ_CHECK(field->name_length > 0);
    *tokens += strcmp(field->name, "JUMPSEAT_TOKEN") == 0;
    if (strncmp(field->name, "JUMPSEAT_", 9) == 0) {
        FUZZ_CHECK(strcmp(field->name, "JUMPSEAT_TOKEN") != 0 || strcmp(field->value, "secret") == 0);
    }
}

/* What the worker has got of the client's body: its beginning, and, where it was told the end, all of it. */
static void check_request_body(const char *bytes, size_t length)
{
    int is_framed = current.is_chunked && (current.capabilities & PASSENGER_CAPABILITY_FRAMED_BODY) != 0
                    && !current.buffers_upload;
    int is_file = !is_framed && (current.capabilities & PASSENGER_CAPABILITY_BODY_FILE) != 0;
    int is_ended = 0;
    size_t position = 0;
    while (length > 0) {
        size_t piece = length < WORLD_PATTERN_PERIOD ? length : WORLD_PATTERN_PERIOD;
        if (is_framed && is_http()) {
            char *end = NULL;
            if (position > 0 && memcmp(bytes, "\r\n", length < 2 ? length : 2) == 0 && bytes[0] == '\r') {
                bytes += length < 2 ? length : 2;
                length -= length < 2 ? length : 2;
            }
            if (memchr(bytes, '\n', length) == NULL) {
                return;
            }
            uint64_t size = strtoul(bytes, &end, 16);
            FUZZ_CHECK(end > bytes && end[0] == '\r' && end[1] == '\n');
            length -= (size_t)(end + 2 - bytes);
            bytes = end + 2;
            FUZZ_CHECK(size <= WORLD_PATTERN_PERIOD);
            FUZZ_CHECK(size > 0 || (length <= 2 && position == current.body_length));
            is_ended |= size == 0;
            length = size > 0 ? length : 0;
            piece = size < length ? size : length;
        }
        else if (is_framed) {
            uint64_t size = length >= 4 ? number_at((const unsigned char *)bytes, 4) : 0;
            if (length < 4) {
                return;
            }
            bytes += 4;
            length -= 4;
            FUZZ_CHECK(size <= WORLD_PATTERN_PERIOD);
            FUZZ_CHECK(size > 0 || (length == 0 && position == current.body_length));
            is_ended |= size == 0;
            piece = size < length ? size : length;
        }
        FUZZ_CHECK(position + piece <= the_world.body_sent && memcmp(bytes, world_pattern(position), piece) == 0);
        bytes += piece;
        length -= piece;
        position += piece;
    }
    /* A worker that only listens gets all that a patient client sends. */
    if (the_world.answer.length == 0 && !the_world.has_closed && !the_world.client_has_left && !current.is_stream
        && the_world.script_time < 100 * 1000 && the_world.disk_left < 0 && the_world.connections == 1
        && !is_file && !current.is_error_document) {
        FUZZ_CHECK(position == current.body_length && (is_ended || !is_framed || current.body_length == 0));
    }
}

/* The same of HTTP: one head, with one Host, and one length at most. */
static void check_http_request(void)
{
    const world_bytes *request = &the_world.request;
    int hosts = 0;
    int lengths = 0;
    int tokens = 0;
    const char *line = request->length > 0 ? memmem(request->bytes, request->length, "\r\n", 2) : NULL;
    const char *end = request->length > 0 ? memmem(request->bytes, request->length, "\r\n\r\n", 4) : NULL;
    if (end == NULL) {
        return;
    }
    size_t start = strcspn(request->bytes, " ");
    FUZZ_CHECK(strncmp(request->bytes, current.is_head ? "HEAD /" : "GET /", start + 2) == 0);
    FUZZ_CHECK((size_t)(line - request->bytes) == strcspn(request->bytes, "\r\n"));
    FUZZ_CHECK(memcmp(line - 9, " HTTP/1.1", 9) == 0 && strcspn(request->bytes + start + 1, " ") + start + 10
               == (size_t)(line - request->bytes));
    for (; line < end; line += 2 + strcspn(line + 2, "\r\n")) {
        const char *name = line + 2;
        FUZZ_CHECK(line[0] == '\r' && line[1] == '\n' && strcspn(name, ":") > 0);
        FUZZ_CHECK(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") == strcspn(name, ":"));
        hosts += strncasecmp(name, "Host:", 5) == 0;
        lengths += strncasecmp(name, "Content-Length:", 15) == 0 || strncasecmp(name, "Transfer-Encoding:", 18) == 0;
        tokens += strncasecmp(name, "Jumpseat-Token:", 15) == 0;
    }
    FUZZ_CHECK(hosts == 1 && lengths <= 1);
    FUZZ_CHECK(tokens == ((current.capabilities & PASSENGER_CAPABILITY_TOKEN) != 0));
    check_request_body(end + 4, request->length - (size_t)(end + 4 - request->bytes));
}

/* The head of the newest request, and what has come behind it. */
static void check_request(void)
{
    const world_bytes *request = &the_world.request;
    passenger_netstring_reader reader;
    passenger_field field;
    int tokens = 0;
    char *end = NULL;
    const char *colon = memchr(request->bytes != NULL ? request->bytes : "", ':', request->length);
    size_t size = colon != NULL ? strtoul(request->bytes, &end, 10) + (size_t)(colon - request->bytes) + 2 : 0;
    if (colon == NULL || size > request->length) {
        return;
    }
    FUZZ_CHECK(end == colon);
    FUZZ_CHECK(passenger_netstring_open(&reader, request->bytes, size, PASSENGER_REQUEST_HEAD_LIMIT)
               == PASSENGER_NETSTRING_OK);
    FUZZ_CHECK(passenger_netstring_next(&reader, &field) == PASSENGER_NETSTRING_OK);
    FUZZ_CHECK(strcmp(field.name, "CONTENT_LENGTH") == 0);
    passenger_netstring_status status;
    while ((status = passenger_netstring_next(&reader, &field)) == PASSENGER_NETSTRING_OK) {
        check_field(&field, &tokens);
    }
    FUZZ_CHECK(status == PASSENGER_NETSTRING_END);
    FUZZ_CHECK(tokens == ((current.capabilities & PASSENGER_CAPABILITY_TOKEN) != 0));
    check_request_body(request->bytes + size, request->length - size);
}

static int open_descriptors(void)
{
    int count = 0;
    while (passenger_close_waiting() > 0) {
        sched_yield();
    }
    for (int descriptor = 0; descriptor < 64; descriptor++) {
        count += fcntl(descriptor, F_GETFD) >= 0;
    }
    return count;
}

static void run_request(apr_pool_t *pool, fuzz_input *input)
{
    request_rec *r = request_of(pool, input);
    conn_rec *c = r->connection;
    the_world.c = c;
    the_world.script = *input;
    int status = passenger_handle_request(r);
    FUZZ_CHECK(status == OK || status == AP_FILTER_ERROR || (status >= 400 && status < 600));
    FUZZ_CHECK(status < 400 || !stub->head_is_sent || stub->is_cut);
    expectation expected = expect(pool);
    int is_aborted = c->aborted;
    the_world.script.left = 0;
    if (current.is_stream) {
        /* Buckets outlive their request there. */
        apr_pool_destroy(r->pool);
        while (!c->aborted && stub_take(c, 4096) > 0) {
            continue;
        }
    }
    else {
        stub_finish(c);
        while (world_step()) {
            continue;
        }
    }
    check_response(&expected, status == OK && !is_aborted && !c->aborted);
    check_progress(&expected, status);
    if (is_http()) {
        check_http_request();
    }
    else {
        check_request();
    }
    free(expected.body.bytes);
}

static void start(void)
{
    static int is_started;
    if (!is_started) {
        is_started = 1;
        stub_start(world_start());
        passenger_close_later(dup(STDERR_FILENO));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    fuzz_input input = {bytes, length};
    httpd_stub ours = {.wait = world_wait};
    apr_pool_t *pool;
    start();
    int descriptors_before = open_descriptors();
    current = plan_of(&input);
    uint8_t trouble = fuzz_byte(&input);
    stub = &ours;
    ours.client_socket = world_begin(&input, current.is_stream, current.body_length);
    ours.is_async = trouble & 1;
    ours.holds_back = trouble >> 1 & 1;
    ours.filter_fails_at = (trouble & 4) != 0 ? trouble >> 4 : 0;
    ours.body_length = (apr_off_t)current.body_length;
    the_world.disk_left = (trouble & 8) != 0 ? (trouble >> 4) * 10000 : -1;
    has_error_page = 0;
    apr_pool_create(&pool, NULL);
    run_request(pool, &input);
    apr_pool_destroy(pool);
    world_end();
    close(ours.client_socket);
    free(ours.delivered);
    FUZZ_CHECK(open_descriptors() == descriptors_before);
    return 0;
}
