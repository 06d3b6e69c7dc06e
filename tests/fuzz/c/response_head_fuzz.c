/* The head of a worker's response, of CGI or of HTTP. Checked: pieces of any size give the same result; what is accepted is safe for
 * httpd: a status from 200 to 599, names that are tokens, values without control characters, one length, no header that
 * belongs to the server; what is refused can be logged; without memory it is refused. */
#include "fuzz.h"

#include <strings.h>

#include "core/response_head.h"

typedef struct arena {
    void *blocks[64];
    size_t count;
    size_t most;
} arena;

static void *allocate(void *context, size_t size)
{
    arena *memory = context;
    if (memory->count == memory->most) {
        return NULL;
    }
    FUZZ_CHECK(memory->count < 64 && size > 0);
    return memory->blocks[memory->count++] = malloc(size);
}

/* What was learnt from the bytes. */
typedef struct outcome {
    passenger_head_status status;
    passenger_head_refusal refusal;
    int64_t content_length;
    size_t consumed;
    int interims[PASSENGER_HEAD_REFUSED + 1];   /* by passenger_head_status */
    char text[4096];                  /* route, id, status line, headers; or the subject of the refusal */
} outcome;

static void add_text(outcome *got, const char *text)
{
    size_t used = strlen(got->text);
    snprintf(got->text + used, sizeof(got->text) - used, "%s|", text);
}

static void check_header(const char *name, const char *value)
{
    FUZZ_CHECK(name[0] != '\0' && strpbrk(name, " \t:\r\n\"(),/;<=>?@[\\]{}") == NULL);
    for (const char *byte = value; *byte != '\0'; byte++) {
        FUZZ_CHECK((unsigned char)*byte >= 0x20 || *byte == '\t');
        FUZZ_CHECK(*byte != 0x7f);
    }
    FUZZ_CHECK(value[0] != ' ' && value[0] != '\t');
    FUZZ_CHECK(strcasecmp(name, "Transfer-Encoding") != 0 && strcasecmp(name, "Upgrade") != 0
               && strcasecmp(name, "Connection") != 0 && strcasecmp(name, "Status") != 0
               && strcasecmp(name, "TE") != 0 && strcasecmp(name, "Trailer") != 0);
}

/* Returns how many of them are lengths. */
static int describe_headers(const passenger_response_head *head, outcome *got)
{
    size_t position = 0;
    const char *name;
    const char *value;
    int lengths = 0;
    while (passenger_head_next(head, &position, &name, &value)) {
        check_header(name, value);
        lengths += strcasecmp(name, "Content-Length") == 0;
        add_text(got, name);
        add_text(got, value);
    }
    return lengths;
}

static void describe(const passenger_response_head *head, outcome *got)
{
    const char *line = passenger_head_status_line(head);
    FUZZ_CHECK(head->status >= 200 && head->status < 600 && atoi(line) == head->status && strlen(line) >= 3);
    FUZZ_CHECK(strpbrk(line, "\r\n") == NULL);
    FUZZ_CHECK(head->error_id[0] == '\0' || head->status >= 400);
    add_text(got, line);
    int lengths = describe_headers(head, got);
    FUZZ_CHECK(!head->expects_http || head->is_http);
    FUZZ_CHECK(!head->is_chunked || (head->is_http && !head->is_http_10 && head->content_length < 0));
    FUZZ_CHECK(!head->is_http_10 || head->is_last);
    add_text(got, head->is_last ? "last" : "");
    add_text(got, head->is_chunked ? "chunked" : "");
    FUZZ_CHECK(lengths <= 1 && lengths == (head->content_length >= 0));
    FUZZ_CHECK(head->content_length < 1000000000000000000);
}

/* `sizes`: of the pieces; NULL: all at once; used up: one byte each. */
static outcome parse(const uint8_t *bytes, size_t length, fuzz_input *sizes, uint8_t allowed, size_t memory_limit)
{
    arena memory = {.most = memory_limit};
    passenger_response_head head;
    outcome got = {.status = PASSENGER_HEAD_MORE};
    passenger_head_begin(&head, allocate, &memory);
    head.continue_allowed = allowed & 1;
    head.acknowledgement_allowed = allowed >> 1 & 1;
    head.expects_http = allowed >> 2 & 1;
    while (got.consumed < length && got.status != PASSENGER_HEAD_COMPLETE && got.status != PASSENGER_HEAD_REFUSED) {
        size_t size = sizes == NULL ? length : (size_t)(fuzz_byte(sizes) & 31) + 1;
        size = size < length - got.consumed ? size : length - got.consumed;
        char *piece = fuzz_copy(bytes + got.consumed, size);
        size_t consumed;
        got.status = passenger_head_feed(&head, piece, size, &consumed);
        FUZZ_CHECK(consumed <= size && (consumed == size || got.status != PASSENGER_HEAD_MORE));
        FUZZ_CHECK(head.used <= head.capacity && head.used <= PASSENGER_RESPONSE_HEAD_LIMIT);
        got.consumed += consumed;
        got.interims[got.status]++;
        if (got.status == PASSENGER_HEAD_EARLY_HINTS) {
            describe_headers(&head, &got);
        }
        free(piece);
    }
    got.refusal = head.refusal;
    got.content_length = head.content_length;
    add_text(&got, head.route);
    add_text(&got, head.error_id);
    add_text(&got, head.subject);
    FUZZ_CHECK(head.subject[strcspn(head.subject, "\r\n")] == '\0' && passenger_head_refusal_text(head.refusal) != NULL);
    if (got.status == PASSENGER_HEAD_COMPLETE) {
        describe(&head, &got);
    }
    while (memory.count > 0) {
        free(memory.blocks[--memory.count]);
    }
    return got;
}

static void check_same(const outcome *one, const outcome *other)
{
    FUZZ_CHECK(one->status == other->status && one->refusal == other->refusal);
    FUZZ_CHECK(one->content_length == other->content_length && strcmp(one->text, other->text) == 0);
    FUZZ_CHECK(one->status == PASSENGER_HEAD_REFUSED || one->consumed == other->consumed);
    for (int status = PASSENGER_HEAD_CONTINUE; status <= PASSENGER_HEAD_OTHER_INTERIM; status++) {
        FUZZ_CHECK(one->interims[status] == other->interims[status]);
        FUZZ_CHECK(one->interims[status] <= (status < PASSENGER_HEAD_EARLY_HINTS ? 1 : PASSENGER_HEAD_INTERIM_LIMIT));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    fuzz_input input = {bytes, length};
    uint8_t allowed = fuzz_byte(&input);
    fuzz_input sizes = input;
    fuzz_input nothing = {bytes, 0};
    outcome whole = parse(input.bytes, input.left, NULL, allowed, 64);
    outcome parts = parse(input.bytes, input.left, &sizes, allowed, 64);
    outcome single = parse(input.bytes, input.left, &nothing, allowed, 64);
    check_same(&whole, &parts);
    check_same(&whole, &single);
    outcome poor = parse(input.bytes, input.left, NULL, allowed, 0);
    FUZZ_CHECK(input.left == 0 || poor.refusal == PASSENGER_HEAD_NO_MEMORY);
    return 0;
}
