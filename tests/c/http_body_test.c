#include "core/http_body.h"
#include "vectors.h"

/* What came out of a body: its bytes, how it ended, and how much was taken. */
typedef struct outcome {
    char text[256];
    size_t used;
    passenger_http_body_event end;
    size_t consumed;
    int is_complete;
} outcome;

static void take_events(passenger_http_body *body, const char *bytes, size_t length, outcome *got)
{
    do {
        const char *before = bytes;
        got->end = passenger_http_body_next(body, &bytes, &length);
        got->consumed += (size_t)(bytes - before);
        if (got->end == PASSENGER_HTTP_BODY_DATA) {
            CHECK(body->length > 0 && got->used + body->length < sizeof(got->text));
            memcpy(got->text + got->used, body->data, body->length);
            got->used += body->length;
        }
    } while (got->end == PASSENGER_HTTP_BODY_DATA);
    CHECK(got->end != PASSENGER_HTTP_BODY_MORE || length == 0);
}

/* Feeds the bytes in pieces, or, with `random`, of random sizes; each lies in memory of exactly its size. */
static outcome decoded(const vector *row, size_t piece, unsigned *random)
{
    const char *framing = row->columns[1];
    passenger_http_body body;
    outcome got = {.used = 0};
    passenger_http_body_begin(&body,
                              strcmp(framing, "chunked") == 0 ? PASSENGER_HTTP_CHUNKED
                              : strcmp(framing, "close") == 0 ? PASSENGER_HTTP_UNTIL_CLOSE
                              : strcmp(framing, "none") == 0  ? PASSENGER_HTTP_NO_BODY
                                                              : PASSENGER_HTTP_LENGTH, atoi(framing));
    take_events(&body, "", 0, &got);
    for (size_t position = 0; position < row->lengths[4] && got.end == PASSENGER_HTTP_BODY_MORE;) {
        size_t left = row->lengths[4] - position;
        size_t size = random != NULL ? 1 + check_random(random) % 9 : piece;
        size = size < left ? size : left;
        char *copy = malloc(size);
        memcpy(copy, row->columns[4] + position, size);
        take_events(&body, copy, size, &got);
        free(copy);
        position += size;
    }
    got.is_complete = passenger_http_body_end_of_input(&body);
    return got;
}

static void check_body(const vector *row)
{
    unsigned random = 7;
    size_t length = row->lengths[4];
    for (size_t piece = 1; piece <= length + 50; piece++) {
        outcome got = decoded(row, piece, piece > length ? &random : NULL);
        const char *end = got.is_complete ? "complete" : got.end == PASSENGER_HTTP_BODY_MORE ? "cut" : "bad_chunk";
        CHECK_TEXT(end, row->columns[0]);
        CHECK(got.used == row->lengths[2] && memcmp(got.text, row->columns[2], got.used) == 0);
        CHECK(!got.is_complete || got.consumed == length - row->lengths[3]);
    }
}

TEST(bodies_are_read_as_the_shared_table_says)
{
    vectors_each(VECTORS "/http_bodies.tsv", check_body, 48);
}

/* How many bytes of `filling` a body takes behind `start` before it is refused; at most `most`. */
static size_t taken(const char *start, char filling, size_t most)
{
    passenger_http_body body;
    size_t count = 0;
    passenger_http_body_begin(&body, PASSENGER_HTTP_CHUNKED, 0);
    const char *bytes = start;
    size_t length = strlen(start);
    passenger_http_body_event event = passenger_http_body_next(&body, &bytes, &length);
    while (event == PASSENGER_HTTP_BODY_MORE && count < most) {
        bytes = &filling;
        length = 1;
        event = passenger_http_body_next(&body, &bytes, &length);
        count++;
    }
    return count;
}

TEST(extensions_and_trailers_do_not_go_on_for_ever)
{
    CHECK(taken("1;", 'x', 1 << 20) == PASSENGER_CHUNK_LINE_LIMIT);
    CHECK(taken("0\r\n", 'x', 1 << 20) == PASSENGER_TRAILERS_LIMIT + 1);
}

TEST(what_is_written_can_be_read)
{
    char bytes[64];
    size_t used = PASSENGER_CHUNK_HEADER_SIZE;
    passenger_http_body body;
    passenger_chunk_write_header(bytes, 5);
    memcpy(bytes + used, "hello", 5);
    passenger_chunk_write_trailer(bytes + used + 5);
    used += 5 + PASSENGER_CHUNK_TRAILER_SIZE;
    passenger_chunk_write_last(bytes + used);
    size_t length = used + PASSENGER_LAST_CHUNK_SIZE;
    const char *next = bytes;
    passenger_http_body_begin(&body, PASSENGER_HTTP_CHUNKED, 0);
    CHECK(passenger_http_body_next(&body, &next, &length) == PASSENGER_HTTP_BODY_DATA);
    CHECK(body.length == 5 && memcmp(body.data, "hello", 5) == 0);
    CHECK(passenger_http_body_next(&body, &next, &length) == PASSENGER_HTTP_BODY_END && length == 0);
    passenger_chunk_write_header(bytes, 0x7fffffff);
    CHECK(memcmp(bytes, "7fffffff\r\n", PASSENGER_CHUNK_HEADER_SIZE) == 0);
}

TESTS(RUN(bodies_are_read_as_the_shared_table_says),
      RUN(extensions_and_trailers_do_not_go_on_for_ever),
      RUN(what_is_written_can_be_read))
