#include "check.h"
#include "core/response_head.h"

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

static void expect(const char *bytes, size_t length, int allowed, const char *text,
                   passenger_head_refusal refusal)
{
    unsigned random = 11;
    for (size_t piece = 1; piece <= length; piece++) {
        outcome got = parsed(bytes, length, piece, NULL, allowed);
        CHECK_TEXT(got.text, text);
        CHECK(got.refusal == refusal);
    }
    for (int round = 0; round < 50; round++) {
        outcome got = parsed(bytes, length, 0, &random, allowed);
        CHECK_TEXT(got.text, text);
        CHECK(got.refusal == refusal);
    }
}

#define ACCEPTED(bytes, text) expect(bytes, sizeof(bytes) - 1, 0, text, PASSENGER_HEAD_NOT_REFUSED)
#define REFUSED(bytes, subject, refusal) expect(bytes, sizeof(bytes) - 1, 0, "refused: " subject, refusal)

TEST(status_reason_and_headers_are_kept_in_order)
{
    ACCEPTED("Status: 200 OK\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n",
             "200 OK|Content-Type=text/plain|Set-Cookie=a=1|Set-Cookie=b=2");
}

TEST(a_reason_of_the_apps_own_is_kept)
{
    ACCEPTED("Status: 404 Gone fishing, \xc3\xbc\r\n\r\n", "404 Gone fishing, \xc3\xbc");
}

TEST(a_status_without_reason_is_accepted)
{
    ACCEPTED("Status: 299\r\n\r\n", "299");
    ACCEPTED("Status: 299 \r\n\r\n", "299");
    ACCEPTED("status:500 x\r\n\r\n", "500 x");
}

TEST(spaces_and_tabs_around_values_are_cut)
{
    ACCEPTED("Status: 200 OK\r\nA:  b c\t \r\nEmpty:\r\nBlank:   \r\nD:e\r\n\r\n", "200 OK|A=b c|Empty=|Blank=|D=e");
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

TEST(the_content_length_is_read)
{
    ACCEPTED("Status: 200 OK\r\ncontent-length: 0\r\n\r\n", "200 OK|content-length=0|length=0");
    ACCEPTED("Status: 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n",
             "200 OK|Content-Length=999999999999999999|length=999999999999999999");
}

TEST(connection_headers_and_a_second_status_are_dropped)
{
    ACCEPTED("Status: 200 OK\r\nConnection: X-Real\r\nkeep-alive: timeout=5\r\nStatus: 500 no\r\nA: b\r\n\r\n",
             "200 OK|A=b");
}

TEST(a_head_that_is_not_complete_is_not_accepted)
{
    ACCEPTED("Status: 200 OK\r\nA: b\r\n", "");
    ACCEPTED("Status: 200 OK\r\nA: b\r\n\r", "");
}

TEST(the_id_of_an_error_behind_the_status_is_kept_apart_from_the_headers)
{
    ACCEPTED("Status: 500 No\r\nError id: 1f2e3d4c\r\nA: b\r\n\r\n", "500 No|A=b|error id 1f2e3d4c");
    ACCEPTED("Status: 500 No\r\nError id: 00000000\r\n\r\n", "500 No|error id 00000000");
}

TEST(an_id_that_is_none_or_comes_later_or_without_an_error_is_a_header_with_a_bad_name)
{
    REFUSED("Status: 500 No\r\nError id: 1f2e3d4\r\n\r\n", "Error id", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 500 No\r\nError id: 1f2e3d4c5\r\n\r\n", "Error id", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 500 No\r\nError id: 1f2e3d4C\r\n\r\n", "Error id", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 500 No\r\nError id: 1f2\0e3d4\r\n\r\n", "Error id", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 500 No\r\nA: b\r\nError id: 1f2e3d4c\r\n\r\n", "Error id", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 500 No\r\nError id: 1f2e3d4c\r\nError id: 1f2e3d4c\r\n\r\n", "Error id", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 200 OK\r\nError id: 1f2e3d4c\r\n\r\n", "Error id", PASSENGER_HEAD_BAD_NAME);
}

TEST(a_first_line_other_than_status_is_refused)
{
    REFUSED("HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK", PASSENGER_HEAD_NO_STATUS);
    REFUSED("Content-Type: text/plain\r\nStatus: 200 OK\r\n\r\n", "Content-Type: text/plain",
            PASSENGER_HEAD_NO_STATUS);
    REFUSED("\r\n", "", PASSENGER_HEAD_NO_STATUS);
}

TEST(a_status_outside_200_to_599_is_refused)
{
    REFUSED("Status: 100 Continue\r\n\r\n", "100 Continue", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 101 Switching\r\n\r\n", "101 Switching", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 199 x\r\n\r\n", "199 x", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 600 x\r\n\r\n", "600 x", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 20 x\r\n\r\n", "20 x", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 2000 x\r\n\r\n", "2000 x", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 200OK\r\n\r\n", "200OK", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: -200 x\r\n\r\n", "-200 x", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status:\r\n\r\n", "", PASSENGER_HEAD_BAD_STATUS);
}

TEST(control_characters_in_the_reason_are_refused)
{
    REFUSED("Status: 200 a\rb\r\n\r\n", "200 a\\x0db", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 200 a\0b\r\n\r\n", "200 a\\x00b", PASSENGER_HEAD_BAD_STATUS);
    REFUSED("Status: 200 \x1b[31m\r\n\r\n", "200 \\x1b[31m", PASSENGER_HEAD_BAD_STATUS);
}

TEST(a_line_that_ends_with_a_bare_line_feed_is_refused)
{
    REFUSED("Status: 200 OK\n\n", "Status: 200 OK", PASSENGER_HEAD_BAD_LINE_END);
    REFUSED("Status: 200 OK\r\nA: b\nSet-Cookie: x=1\r\n\r\n", "A: b", PASSENGER_HEAD_BAD_LINE_END);
    REFUSED("Status: 200 OK\r\n\n", "", PASSENGER_HEAD_BAD_LINE_END);
}

TEST(a_name_that_is_not_a_token_is_refused)
{
    REFUSED("Status: 200 OK\r\nBad Name: x\r\n\r\n", "Bad Name", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 200 OK\r\nSpace : x\r\n\r\n", "Space ", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 200 OK\r\n: x\r\n\r\n", "", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 200 OK\r\nno colon\r\n\r\n", "no colon", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 200 OK\r\n\xc3\xbc: x\r\n\r\n", "\\xc3\\xbc", PASSENGER_HEAD_BAD_NAME);
    REFUSED("Status: 200 OK\r\nA\0: x\r\n\r\n", "A\\x00", PASSENGER_HEAD_BAD_NAME);
}

TEST(a_folded_line_is_refused)
{
    REFUSED("Status: 200 OK\r\nA: b\r\n c: d\r\n\r\n", " c", PASSENGER_HEAD_BAD_NAME);
}

TEST(control_characters_in_a_value_are_refused_and_the_header_is_named)
{
    REFUSED("Status: 200 OK\r\nX-Bad: a\rb\r\n\r\n", "X-Bad", PASSENGER_HEAD_BAD_VALUE);
    REFUSED("Status: 200 OK\r\nX-Bad: a\0b\r\n\r\n", "X-Bad", PASSENGER_HEAD_BAD_VALUE);
    REFUSED("Status: 200 OK\r\nX-Bad: a\x7f\r\n\r\n", "X-Bad", PASSENGER_HEAD_BAD_VALUE);
    REFUSED("Status: 200 OK\r\nConnection: \x01\r\n\r\n", "Connection", PASSENGER_HEAD_BAD_VALUE);
    ACCEPTED("Status: 200 OK\r\nX-Good: a\tb\xff\r\n\r\n", "200 OK|X-Good=a\tb\xff");
}

TEST(a_length_that_is_not_a_decimal_number_is_refused)
{
    REFUSED("Status: 200 OK\r\nContent-Length: +5\r\n\r\n", "+5", PASSENGER_HEAD_BAD_LENGTH);
    REFUSED("Status: 200 OK\r\nContent-Length: 5, 5\r\n\r\n", "5, 5", PASSENGER_HEAD_BAD_LENGTH);
    REFUSED("Status: 200 OK\r\nContent-Length: 0x5\r\n\r\n", "0x5", PASSENGER_HEAD_BAD_LENGTH);
    REFUSED("Status: 200 OK\r\nContent-Length:\r\n\r\n", "", PASSENGER_HEAD_BAD_LENGTH);
    REFUSED("Status: 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\n", "9999999999999999999",
            PASSENGER_HEAD_BAD_LENGTH);
}

TEST(a_second_length_is_refused_even_when_it_is_the_same)
{
    REFUSED("Status: 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length",
            PASSENGER_HEAD_SECOND_LENGTH);
    REFUSED("Status: 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n", "Content-Length",
            PASSENGER_HEAD_SECOND_LENGTH);
}

TEST(headers_that_only_the_server_may_set_are_refused)
{
    REFUSED("Status: 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding", PASSENGER_HEAD_FORBIDDEN);
    REFUSED("Status: 200 OK\r\nupgrade: h2c\r\n\r\n", "upgrade", PASSENGER_HEAD_FORBIDDEN);
    REFUSED("Status: 200 OK\r\nTrailer: X\r\n\r\n", "Trailer", PASSENGER_HEAD_FORBIDDEN);
    REFUSED("Status: 200 OK\r\nTE: trailers\r\n\r\n", "TE", PASSENGER_HEAD_FORBIDDEN);
    REFUSED("Status: 200 OK\r\nProxy-Authenticate: x\r\n\r\n", "Proxy-Authenticate", PASSENGER_HEAD_FORBIDDEN);
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

TEST(an_interim_100_is_reported_once_and_only_when_it_is_allowed)
{
#define INTERIM "Status: 100 Continue\r\n\r\n"
    expect(INTERIM "Status: 200 OK\r\nA: b\r\n\r\n", strlen(INTERIM "Status: 200 OK\r\nA: b\r\n\r\n"), 1,
           "continue 200 OK|A=b", PASSENGER_HEAD_NOT_REFUSED);
    expect("Status: 413 No\r\n\r\n", strlen("Status: 413 No\r\n\r\n"), 1, "413 No", PASSENGER_HEAD_NOT_REFUSED);
    expect(INTERIM INTERIM, strlen(INTERIM INTERIM), 1, "continue refused: 100 Continue", PASSENGER_HEAD_BAD_STATUS);
    expect("Status: 100 Continue\r\nA: b\r\n\r\n", strlen("Status: 100 Continue\r\nA: b\r\n\r\n"), 1, "refused: A: b",
           PASSENGER_HEAD_BAD_INTERIM);
}

#define ACK "Status: 102 Processing\r\n"
#define ROUTE "0123456789abcdef"
#define FINAL "Status: 200 OK\r\nA: b\r\n\r\n"
#define READ(allowed, bytes, text) expect(bytes, sizeof(bytes) - 1, allowed, text, PASSENGER_HEAD_NOT_REFUSED)
#define READ_REFUSED(bytes, text, refusal) expect(bytes, sizeof(bytes) - 1, ACK_ALLOWED, text, refusal)

TEST(an_interim_102_is_reported_with_the_route_of_the_worker)
{
    READ(ACK_ALLOWED, ACK "\r\n" FINAL, "acknowledged: 200 OK|A=b");
    READ(ACK_ALLOWED, ACK "Route: " ROUTE "\r\n\r\n" FINAL, "acknowledged:" ROUTE " 200 OK|A=b");
    READ(ACK_ALLOWED, ACK "route:" ROUTE " \r\n\r\n" FINAL, "acknowledged:" ROUTE " 200 OK|A=b");
    READ(ACK_ALLOWED, FINAL, "200 OK|A=b");
}

TEST(the_id_of_an_error_may_follow_an_interim_102_and_not_stand_in_it)
{
#define ERROR_ID "Error id: 1f2e3d4c\r\n"
    READ(ACK_ALLOWED, ACK "\r\nStatus: 500 No\r\n" ERROR_ID "A: b\r\n\r\n",
         "acknowledged: 500 No|A=b|error id 1f2e3d4c");
    READ_REFUSED(ACK ERROR_ID "\r\n", "refused: Error id: 1f2e3d4c", PASSENGER_HEAD_BAD_INTERIM);
}

TEST(an_interim_100_may_follow_the_102_and_not_the_other_way_round)
{
    READ(ACK_ALLOWED | CONTINUE_ALLOWED, ACK "\r\n" INTERIM FINAL, "acknowledged: continue 200 OK|A=b");
    expect(INTERIM ACK, strlen(INTERIM ACK), ACK_ALLOWED | CONTINUE_ALLOWED,
           "continue refused: 102 Processing",
           PASSENGER_HEAD_BAD_STATUS);
}

TEST(an_interim_102_that_was_not_asked_for_or_comes_again_is_refused)
{
    REFUSED(ACK "\r\n" FINAL, "102 Processing", PASSENGER_HEAD_BAD_STATUS);
    READ_REFUSED(ACK "\r\n" ACK "\r\n", "acknowledged: refused: 102 Processing", PASSENGER_HEAD_BAD_STATUS);
    READ_REFUSED("Status: 102 Processing!\r\n\r\n", "refused: 102 Processing!", PASSENGER_HEAD_BAD_STATUS);
}

#define TOO_LATE "Status: 102 Too Late\r\n"

TEST(a_102_may_be_taken_back_right_behind_it)
{
    READ(ACK_ALLOWED, ACK "\r\n" TOO_LATE "\r\n" FINAL, "acknowledged: too late 200 OK|A=b");
    READ_REFUSED(TOO_LATE "\r\n", "refused: 102 Too Late", PASSENGER_HEAD_BAD_STATUS);
    READ_REFUSED(ACK "\r\n" TOO_LATE "\r\n" TOO_LATE "\r\n", "acknowledged: too late refused: 102 Too Late",
                 PASSENGER_HEAD_BAD_STATUS);
    READ_REFUSED(ACK "\r\n" TOO_LATE "Route: " ROUTE "\r\n", "acknowledged: refused: Route: " ROUTE,
                 PASSENGER_HEAD_BAD_INTERIM);
    expect(ACK "\r\n" INTERIM TOO_LATE "\r\n", strlen(ACK "\r\n" INTERIM TOO_LATE "\r\n"),
           ACK_ALLOWED | CONTINUE_ALLOWED, "acknowledged: continue refused: 102 Too Late", PASSENGER_HEAD_BAD_STATUS);
}

TEST(nothing_but_a_route_may_stand_in_a_102)
{
    READ_REFUSED(ACK "Route: ../../../etc/pas\r\n", "refused: Route: ../../../etc/pas", PASSENGER_HEAD_BAD_INTERIM);
    READ_REFUSED(ACK "Route: 0123456789ABCDEF\r\n", "refused: Route: 0123456789ABCDEF", PASSENGER_HEAD_BAD_INTERIM);
    READ_REFUSED(ACK "Route:\r\n", "refused: Route:", PASSENGER_HEAD_BAD_INTERIM);
    READ_REFUSED(ACK "Content-Length: 5\r\n", "refused: Content-Length: 5", PASSENGER_HEAD_BAD_INTERIM);
}

TEST(every_refusal_has_a_text)
{
    for (int refusal = PASSENGER_HEAD_NO_STATUS; refusal <= PASSENGER_HEAD_NO_MEMORY; refusal++) {
        CHECK(strcmp(passenger_head_refusal_text((passenger_head_refusal)refusal), "is fine") != 0);
    }
}

TEST(random_bytes_end_in_the_same_state_however_they_are_split)
{
    static const char *const pieces[] = {"Status: ", "200", " OK", "\r\n", "\r", "\n", "A: b", "Content-Length: 5", ":",
                                         " ", "Connection: x", "x", "\t", "\x7f", "100 Continue", "Status: 204 N\r\n",
                                         "Status: 500 No\r\n", ERROR_ID, ACK, "Route: " ROUTE "\r\n"};
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

TESTS(RUN(status_reason_and_headers_are_kept_in_order),
      RUN(a_reason_of_the_apps_own_is_kept),
      RUN(a_status_without_reason_is_accepted),
      RUN(spaces_and_tabs_around_values_are_cut),
      RUN(what_follows_the_head_is_left_alone),
      RUN(the_content_length_is_read),
      RUN(connection_headers_and_a_second_status_are_dropped),
      RUN(a_head_that_is_not_complete_is_not_accepted),
      RUN(the_id_of_an_error_behind_the_status_is_kept_apart_from_the_headers),
      RUN(the_id_of_an_error_may_follow_an_interim_102_and_not_stand_in_it),
      RUN(an_id_that_is_none_or_comes_later_or_without_an_error_is_a_header_with_a_bad_name),
      RUN(a_first_line_other_than_status_is_refused),
      RUN(a_status_outside_200_to_599_is_refused),
      RUN(control_characters_in_the_reason_are_refused),
      RUN(a_line_that_ends_with_a_bare_line_feed_is_refused),
      RUN(a_name_that_is_not_a_token_is_refused),
      RUN(a_folded_line_is_refused),
      RUN(control_characters_in_a_value_are_refused_and_the_header_is_named),
      RUN(a_length_that_is_not_a_decimal_number_is_refused),
      RUN(a_second_length_is_refused_even_when_it_is_the_same),
      RUN(headers_that_only_the_server_may_set_are_refused),
      RUN(a_head_of_exactly_the_limit_is_accepted_and_one_byte_more_is_refused),
      RUN(a_head_without_memory_is_refused),
      RUN(an_interim_100_is_reported_once_and_only_when_it_is_allowed),
      RUN(an_interim_102_is_reported_with_the_route_of_the_worker),
      RUN(an_interim_100_may_follow_the_102_and_not_the_other_way_round),
      RUN(an_interim_102_that_was_not_asked_for_or_comes_again_is_refused),
      RUN(a_102_may_be_taken_back_right_behind_it),
      RUN(nothing_but_a_route_may_stand_in_a_102),
      RUN(every_refusal_has_a_text),
      RUN(random_bytes_end_in_the_same_state_however_they_are_split))
