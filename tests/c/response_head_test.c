#include "core/response_head.h"
#include "vectors.h"

/* Memory that is released all at once, as an httpd pool is. */
typedef struct arena {
    void *blocks[64];
    size_t count;
    size_t fail_after;
} arena;

static void *arena_allocate(void *context, size_t size)
{
    arena *memory = context;
    if (memory->count == memory->fail_after) {
        return NULL;
    }
    CHECK(memory->count < 64);
    return memory->blocks[memory->count++] = malloc(size);
}

static void arena_release(arena *memory)
{
    while (memory->count > 0) {
        free(memory->blocks[--memory->count]);
    }
}

/* All that was learnt from one head, as text: `200 OK|Name=value|...|length=5`, or `refused: subject`. */
typedef struct outcome {
    char text[512];
    passenger_head_refusal refusal;
    size_t consumed;
} outcome;

static size_t describe_headers(const passenger_response_head *head, char *text, size_t size)
{
    size_t position = 0;
    size_t used = 0;
    const char *name;
    const char *value;
    while (passenger_head_next(head, &position, &name, &value)) {
        used += (size_t)snprintf(text + used, size - used, "|%s=%s", name, value);
    }
    return used;
}

static void describe(const passenger_response_head *head, outcome *got)
{
    size_t used = (size_t)snprintf(got->text, sizeof(got->text), "%s", passenger_head_status_line(head));
    used += describe_headers(head, got->text + used, sizeof(got->text) - used);
    if (head->error_id[0] != '\0') {
        used += (size_t)snprintf(got->text + used, sizeof(got->text) - used, "|error id %s", head->error_id);
    }
    if (head->asks_for_chunks || head->is_chunked) {
        used += (size_t)snprintf(got->text + used, sizeof(got->text) - used, "|chunked");
    }
    if (head->content_length >= 0) {
        used += (size_t)snprintf(got->text + used, sizeof(got->text) - used, "|length=%lld",
                                 (long long)head->content_length);
    }
    if (head->is_last) {
        snprintf(got->text + used, sizeof(got->text) - used, "|last");
    }
}

static void describe_interim(const passenger_response_head *head, passenger_head_status status, char *text, size_t size)
{
    switch (status) {
    case PASSENGER_HEAD_CONTINUE:
        snprintf(text, size, "continue ");
        break;
    case PASSENGER_HEAD_TOO_LATE:
        snprintf(text, size, "too late ");
        break;
    case PASSENGER_HEAD_ACKNOWLEDGED:
        snprintf(text, size, "acknowledged:%s ", head->route);
        break;
    case PASSENGER_HEAD_EARLY_HINTS: {
        size_t used = (size_t)snprintf(text, size, "hints");
        used += describe_headers(head, text + used, size - used);
        snprintf(text + used, size - used, " ");
        break;
    }
    case PASSENGER_HEAD_OTHER_INTERIM:
        snprintf(text, size, "other ");
        break;
    case PASSENGER_HEAD_MORE:
    case PASSENGER_HEAD_COMPLETE:
    case PASSENGER_HEAD_REFUSED:
        break;
    }
}

/* Feeds the bytes in pieces of `piece`, or, with `random`, of random sizes; interim heads show as `continue `,
 * `acknowledged:<route> ` and so on. `allowed`: which of them may come, and HTTP_ONLY. */
enum { CONTINUE_ALLOWED = 1, ACK_ALLOWED = 2, HTTP_ONLY = 4 };

static outcome parsed(const char *bytes, size_t length, size_t piece, unsigned *random, int allowed)
{
    arena memory = {.count = 0, .fail_after = (size_t)-1};
    passenger_response_head head;
    outcome got = {.refusal = PASSENGER_HEAD_NOT_REFUSED};
    passenger_head_status status = PASSENGER_HEAD_MORE;
    char interim[512] = "";
    passenger_head_begin(&head, arena_allocate, &memory);
    head.continue_allowed = allowed & CONTINUE_ALLOWED;
    head.acknowledgement_allowed = allowed & ACK_ALLOWED;
    head.expects_http = allowed & HTTP_ONLY;
    while (got.consumed < length && status != PASSENGER_HEAD_COMPLETE && status != PASSENGER_HEAD_REFUSED) {
        size_t size = random != NULL ? 1 + check_random(random) % 17 : piece;
        if (size > length - got.consumed) {
            size = length - got.consumed;
        }
        char *copy = malloc(size);
        memcpy(copy, bytes + got.consumed, size);
        size_t consumed;
        status = passenger_head_feed(&head, copy, size, &consumed);
        free(copy);
        CHECK(consumed <= size && (status != PASSENGER_HEAD_MORE || consumed == size));
        got.consumed += consumed;
        describe_interim(&head, status, interim + strlen(interim), sizeof(interim) - strlen(interim));
    }
    if (status == PASSENGER_HEAD_COMPLETE) {
        describe(&head, &got);
    }
    else if (status == PASSENGER_HEAD_REFUSED) {
        got.refusal = head.refusal;
        snprintf(got.text, sizeof(got.text), "refused: %s", head.subject);
    }
    memmove(got.text + strlen(interim), got.text, strlen(got.text) + 1);
    memcpy(got.text, interim, strlen(interim));
    arena_release(&memory);
    return got;
}

static const char *outcome_name(const outcome *got)
{
    static const char *const refusals[] = {
        [PASSENGER_HEAD_NOT_REFUSED] = "accepted",
        [PASSENGER_HEAD_NO_STATUS] = "no_status",
        [PASSENGER_HEAD_BAD_STATUS] = "bad_status",
        [PASSENGER_HEAD_BAD_LINE_END] = "bad_line_end",
        [PASSENGER_HEAD_BAD_NAME] = "bad_name",
        [PASSENGER_HEAD_BAD_VALUE] = "bad_value",
        [PASSENGER_HEAD_BAD_LENGTH] = "bad_length",
        [PASSENGER_HEAD_SECOND_LENGTH] = "second_length",
        [PASSENGER_HEAD_FORBIDDEN] = "forbidden",
        [PASSENGER_HEAD_BAD_INTERIM] = "bad_interim",
        [PASSENGER_HEAD_BAD_CODING] = "bad_coding",
        [PASSENGER_HEAD_UPGRADE] = "upgrade",
    };
    CHECK((size_t)got->refusal < sizeof(refusals) / sizeof(refusals[0]));
    return got->refusal == PASSENGER_HEAD_NOT_REFUSED && got->text[0] == '\0' ? "incomplete" : refusals[got->refusal];
}

/* A head of the table, in pieces of each size and of random ones. */
static void check_head(const vector *row, int always)
{
    unsigned random = 11;
    int allowed = always
                  | (strstr(row->columns[1], "continue") != NULL ? CONTINUE_ALLOWED : 0)
                  | (strstr(row->columns[1], "acknowledge") != NULL ? ACK_ALLOWED : 0);
    size_t length = row->lengths[3];
    for (size_t piece = 1; piece <= length + 50; piece++) {
        outcome got = parsed(row->columns[3], length, piece, piece > length ? &random : NULL, allowed);
        CHECK_TEXT(outcome_name(&got), row->columns[0]);
        CHECK_TEXT(got.text, row->columns[2]);
    }
}

static void check_head_of_cgi(const vector *row)
{
    check_head(row, 0);
}

static void check_head_of_http(const vector *row)
{
    check_head(row, strstr(row->columns[1], "scgi") == NULL ? HTTP_ONLY : 0);
}

TEST(heads_are_read_as_the_shared_table_says)
{
    vectors_each(VECTORS "/response_heads.tsv", check_head_of_cgi, 87);
}

TEST(heads_of_http_are_read_as_the_shared_table_says)
{
    vectors_each(VECTORS "/http_heads.tsv", check_head_of_http, 58);
}

/* Feeds an interim head `count` times, then another one. */
static passenger_head_refusal after_interims(int count, const char *interim, const char *last)
{
    arena memory = {.count = 0, .fail_after = (size_t)-1};
    passenger_response_head head;
    size_t consumed;
    passenger_head_begin(&head, arena_allocate, &memory);
    for (int index = 0; index < count; index++) {
        passenger_head_feed(&head, interim, strlen(interim), &consumed);
    }
    passenger_head_feed(&head, last, strlen(last), &consumed);
    arena_release(&memory);
    return head.refusal;
}

TEST(interim_heads_with_headers_do_not_go_on_for_ever)
{
    static const char hints[] = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    static const char of_cgi[] = "Status: 103 Early Hints\r\nLink: x\r\n\r\n";
    static const char final[] = "HTTP/1.1 200 OK\r\n\r\n";
    CHECK(after_interims(PASSENGER_HEAD_INTERIM_LIMIT, hints, final) == PASSENGER_HEAD_NOT_REFUSED);
    CHECK(after_interims(PASSENGER_HEAD_INTERIM_LIMIT, of_cgi, of_cgi) == PASSENGER_HEAD_BAD_INTERIM);
    CHECK(after_interims(PASSENGER_HEAD_INTERIM_LIMIT, hints, hints) == PASSENGER_HEAD_BAD_INTERIM);
}

TEST(a_connection_header_that_names_too_much_is_refused)
{
    char head[PASSENGER_HEAD_NAMED_SIZE + 64] = "HTTP/1.1 200 OK\r\nConnection: ";
    size_t used = strlen(head);
    memset(head + used, 'x', PASSENGER_HEAD_NAMED_SIZE - 2);
    strcpy(head + used + PASSENGER_HEAD_NAMED_SIZE - 2, "\r\n\r\n");
    CHECK(after_interims(0, "", head) == PASSENGER_HEAD_NOT_REFUSED);
    strcpy(head + used + PASSENGER_HEAD_NAMED_SIZE - 2, "x\r\n\r\n");
    CHECK(after_interims(0, "", head) == PASSENGER_HEAD_FORBIDDEN);
}

TEST(what_follows_the_head_is_left_alone)
{
    static const char bytes[] = "Status: 200 OK\r\nA: b\r\n\r\nbody";
    for (size_t piece = 1; piece < sizeof(bytes); piece++) {
        outcome got = parsed(bytes, sizeof(bytes) - 1, piece, NULL, 0);
        CHECK_TEXT(got.text, "200 OK|A=b");
        CHECK(got.consumed == sizeof(bytes) - 1 - 4);
    }
}

TEST(a_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_refused)
{
    static const char start[] = "Status: 200 OK\r\nX: ";
    size_t length = PASSENGER_RESPONSE_HEAD_LIMIT;
    char *bytes = malloc(length + 1);
    memset(bytes, 'x', length + 1);
    memcpy(bytes, start, sizeof(start) - 1);
    for (int extra = 0; extra < 2; extra++) {
        arena memory = {.count = 0, .fail_after = (size_t)-1};
        passenger_response_head head;
        size_t consumed;
        memcpy(bytes + length + (size_t)extra - 4, "\r\n\r\n", 4);
        passenger_head_begin(&head, arena_allocate, &memory);
        passenger_head_status status = passenger_head_feed(&head, bytes, length + (size_t)extra, &consumed);
        CHECK(status == (extra ? PASSENGER_HEAD_REFUSED : PASSENGER_HEAD_COMPLETE));
        CHECK(head.refusal == (extra ? PASSENGER_HEAD_TOO_LONG : PASSENGER_HEAD_NOT_REFUSED));
        arena_release(&memory);
        memset(bytes + length - 4, 'x', 4);
    }
    free(bytes);
}

TEST(a_head_without_memory_is_refused)
{
    arena memory = {.count = 0, .fail_after = 0};
    passenger_response_head head;
    size_t consumed;
    passenger_head_begin(&head, arena_allocate, &memory);
    CHECK(passenger_head_feed(&head, "S", 1, &consumed) == PASSENGER_HEAD_REFUSED);
    CHECK(head.refusal == PASSENGER_HEAD_NO_MEMORY);
}

TEST(every_refusal_has_a_text)
{
    for (int refusal = PASSENGER_HEAD_NO_STATUS; refusal <= PASSENGER_HEAD_NO_MEMORY; refusal++) {
        CHECK(strcmp(passenger_head_refusal_text((passenger_head_refusal)refusal), "is fine") != 0);
    }
}

#define ACK "Status: 102 Processing\r\n"
#define ROUTE "0123456789abcdef"
#define ERROR_ID "Error id: 1f2e3d4c\r\n"
#define CHUNKS "Send chunked: yes\r\n"

TEST(random_bytes_end_in_the_same_state_however_they_are_split)
{
    static const char *const pieces[] = {"Status: ", "200", " OK", "\r\n", "\r", "\n", "A: b", "Content-Length: 5", ":",
                                         " ", "Connection: x", "x", "\t", "\x7f", "100 Continue", "Status: 204 N\r\n",
                                         "Status: 500 No\r\n", ERROR_ID, CHUNKS, ACK, "Route: " ROUTE "\r\n",
                                         "HTTP/1.1 200 OK\r\n", "HTTP/1.0 ", "HTTP/1.1 103 Hints\r\n",
                                         "HTTP/1.1 102 Processing\r\n", "Transfer-Encoding: chunked\r\n"};
    unsigned state = 20260104;
    for (int round = 0; round < 30000; round++) {
        char bytes[256];
        size_t length = 0;
        for (unsigned count = 1 + check_random(&state) % 10; count > 0; count--) {
            const char *piece = pieces[check_random(&state) % (sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(bytes + length, piece, strlen(piece));
            length += strlen(piece);
        }
        int allowed = (int)(check_random(&state) & (CONTINUE_ALLOWED | ACK_ALLOWED | HTTP_ONLY));
        outcome whole = parsed(bytes, length, length, NULL, allowed);
        outcome split = parsed(bytes, length, 0, &state, allowed);
        CHECK_TEXT(split.text, whole.text);
        CHECK(split.refusal == whole.refusal);
    }
}

TESTS(RUN(heads_are_read_as_the_shared_table_says),
      RUN(heads_of_http_are_read_as_the_shared_table_says),
      RUN(interim_heads_with_headers_do_not_go_on_for_ever),
      RUN(a_connection_header_that_names_too_much_is_refused),
      RUN(what_follows_the_head_is_left_alone),
      RUN(a_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_refused),
      RUN(a_head_without_memory_is_refused),
      RUN(every_refusal_has_a_text),
      RUN(random_bytes_end_in_the_same_state_however_they_are_split))
