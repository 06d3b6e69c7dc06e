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

static void describe(const passenger_response_head *head, outcome *got)
{
    size_t position = 0;
    const char *name;
    const char *value;
    size_t used = (size_t)snprintf(got->text, sizeof(got->text), "%s", passenger_head_status_line(head));
    while (passenger_head_next(head, &position, &name, &value)) {
        used += (size_t)snprintf(got->text + used, sizeof(got->text) - used, "|%s=%s", name, value);
    }
    if (head->error_id[0] != '\0') {
        used += (size_t)snprintf(got->text + used, sizeof(got->text) - used, "|error id %s", head->error_id);
    }
    if (head->asks_for_chunks) {
        used += (size_t)snprintf(got->text + used, sizeof(got->text) - used, "|chunked");
    }
    if (head->content_length >= 0) {
        snprintf(got->text + used, sizeof(got->text) - used, "|length=%lld", (long long)head->content_length);
    }
}

/* Feeds the bytes in pieces of `piece`, or, with `random`, of random sizes; interim heads show as `continue ` and
 * `acknowledged:<route> `. `allowed`: which of them may come. */
enum { CONTINUE_ALLOWED = 1, ACK_ALLOWED = 2 };

static outcome parsed(const char *bytes, size_t length, size_t piece, unsigned *random, int allowed)
{
    arena memory = {.count = 0, .fail_after = (size_t)-1};
    passenger_response_head head;
    outcome got = {.refusal = PASSENGER_HEAD_NOT_REFUSED};
    passenger_head_status status = PASSENGER_HEAD_MORE;
    char interim[64] = "";
    passenger_head_begin(&head, arena_allocate, &memory);
    head.continue_allowed = allowed & CONTINUE_ALLOWED;
    head.acknowledgement_allowed = allowed & ACK_ALLOWED;
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
        if (status == PASSENGER_HEAD_CONTINUE) {
            strcat(interim, "continue ");
        }
        if (status == PASSENGER_HEAD_TOO_LATE) {
            strcat(interim, "too late ");
        }
        if (status == PASSENGER_HEAD_ACKNOWLEDGED) {
            snprintf(interim + strlen(interim), sizeof(interim) - strlen(interim), "acknowledged:%s ", head.route);
        }
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
    };
    CHECK((size_t)got->refusal < sizeof(refusals) / sizeof(refusals[0]));
    return got->refusal == PASSENGER_HEAD_NOT_REFUSED && got->text[0] == '\0' ? "incomplete" : refusals[got->refusal];
}

/* A head of the table, in pieces of each size and of random ones. */
static void check_head(const vector *row)
{
    unsigned random = 11;
    int allowed = (strstr(row->columns[1], "continue") != NULL ? CONTINUE_ALLOWED : 0)
                  | (strstr(row->columns[1], "acknowledge") != NULL ? ACK_ALLOWED : 0);
    size_t length = row->lengths[3];
    for (size_t piece = 1; piece <= length + 50; piece++) {
        outcome got = parsed(row->columns[3], length, piece, piece > length ? &random : NULL, allowed);
        CHECK_TEXT(outcome_name(&got), row->columns[0]);
        CHECK_TEXT(got.text, row->columns[2]);
    }
}

TEST(heads_are_read_as_the_shared_table_says)
{
    vectors_each(VECTORS "/response_heads.tsv", check_head, 78);
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
                                         "Status: 500 No\r\n", ERROR_ID, CHUNKS, ACK, "Route: " ROUTE "\r\n"};
    unsigned state = 20260104;
    for (int round = 0; round < 30000; round++) {
        char bytes[256];
        size_t length = 0;
        for (unsigned count = 1 + check_random(&state) % 10; count > 0; count--) {
            const char *piece = pieces[check_random(&state) % (sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(bytes + length, piece, strlen(piece));
            length += strlen(piece);
        }
        int allowed = (int)(check_random(&state) & (CONTINUE_ALLOWED | ACK_ALLOWED));
        outcome whole = parsed(bytes, length, length, NULL, allowed);
        outcome split = parsed(bytes, length, 0, &state, allowed);
        CHECK_TEXT(split.text, whole.text);
        CHECK(split.refusal == whole.refusal);
    }
}

TESTS(RUN(heads_are_read_as_the_shared_table_says),
      RUN(what_follows_the_head_is_left_alone),
      RUN(a_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_refused),
      RUN(a_head_without_memory_is_refused),
      RUN(every_refusal_has_a_text),
      RUN(random_bytes_end_in_the_same_state_however_they_are_split))
