/* Bodies of HTTP, by each framing. Checked: pieces of any size give the same end, the same bytes, and the same rest; data
 * lies within what was fed; a body with a length has no more than that; a body until the connection ends is what was fed;
 * what is written as chunks is read as it was. */
#include "fuzz.h"

#include "core/http_body.h"

enum { LENGTH_LIMIT = 64 };

/* What a reader has said. */
typedef struct record {
    char *data;
    size_t length;
    size_t consumed;
    passenger_http_body_event last;
    int is_complete;
} record;

static void feed(record *made, passenger_http_body *body, const uint8_t *bytes, size_t length)
{
    char *piece = fuzz_copy(bytes, length);
    const char *next = piece;
    size_t left = length;
    while ((made->last = passenger_http_body_next(body, &next, &left)) == PASSENGER_HTTP_BODY_DATA) {
        FUZZ_CHECK(next + left == piece + length);
        FUZZ_CHECK(body->length > 0 && body->data >= piece && body->data + body->length <= next);
        memcpy(made->data + made->length, body->data, body->length);
        made->length += body->length;
    }
    FUZZ_CHECK(made->last != PASSENGER_HTTP_BODY_MORE || left == 0);
    FUZZ_CHECK(body->left >= 0);
    made->consumed += length - left;
    free(piece);
}

/* `sizes`: how long each piece is; NULL: all at once; without bytes left, pieces of one byte. */
static record read_body(const uint8_t *bytes, size_t length, fuzz_input *sizes, passenger_http_framing framing,
                        int64_t announced)
{
    record made = {.data = malloc(length + 1)};
    passenger_http_body body;
    passenger_http_body_begin(&body, framing, announced);
    feed(&made, &body, bytes, 0);
    for (size_t used = 0; used < length && made.last == PASSENGER_HTTP_BODY_MORE;) {
        size_t size = sizes == NULL ? length : (size_t)(fuzz_byte(sizes) & 31) + 1;
        size = size < length - used ? size : length - used;
        feed(&made, &body, bytes + used, size);
        used += size;
    }
    made.is_complete = passenger_http_body_end_of_input(&body);
    return made;
}

static void check_same(const record *one, const record *other)
{
    FUZZ_CHECK(one->length == other->length && memcmp(one->data, other->data, one->length) == 0);
    FUZZ_CHECK(one->last == other->last && one->is_complete == other->is_complete);
    FUZZ_CHECK(one->consumed == other->consumed);
}

static void check_framing(const uint8_t *bytes, size_t length, passenger_http_framing framing, int64_t announced)
{
    fuzz_input sizes = {bytes, length};
    fuzz_input nothing = {bytes, 0};
    record whole = read_body(bytes, length, NULL, framing, announced);
    record parts = read_body(bytes, length, &sizes, framing, announced);
    record single = read_body(bytes, length, &nothing, framing, announced);
    check_same(&whole, &parts);
    check_same(&whole, &single);
    if (framing == PASSENGER_HTTP_LENGTH) {
        FUZZ_CHECK((int64_t)whole.length <= announced);
        FUZZ_CHECK(whole.is_complete == ((int64_t)whole.length == announced));
    }
    if (framing == PASSENGER_HTTP_UNTIL_CLOSE) {
        FUZZ_CHECK(whole.is_complete && whole.length == length);
    }
    if (framing == PASSENGER_HTTP_NO_BODY) {
        FUZZ_CHECK(whole.is_complete && whole.length == 0 && whole.consumed == 0);
    }
    free(whole.data);
    free(parts.data);
    free(single.data);
}

static void check_writer(const uint8_t *bytes, size_t length)
{
    size_t around = PASSENGER_CHUNK_HEADER_SIZE + PASSENGER_CHUNK_TRAILER_SIZE + PASSENGER_LAST_CHUNK_SIZE;
    char *written = malloc(length + around);
    passenger_chunk_write_header(written, length);
    memcpy(written + PASSENGER_CHUNK_HEADER_SIZE, bytes, length);
    passenger_chunk_write_trailer(written + PASSENGER_CHUNK_HEADER_SIZE + length);
    passenger_chunk_write_last(written + length + around - PASSENGER_LAST_CHUNK_SIZE);
    record read = read_body((const uint8_t *)written, length + around, NULL, PASSENGER_HTTP_CHUNKED, 0);
    FUZZ_CHECK(read.is_complete && read.length == length && memcmp(read.data, bytes, length) == 0);
    free(read.data);
    free(written);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    check_framing(bytes, length, PASSENGER_HTTP_CHUNKED, 0);
    check_framing(bytes, length, PASSENGER_HTTP_LENGTH, length > 0 ? bytes[0] % LENGTH_LIMIT : 0);
    check_framing(bytes, length, PASSENGER_HTTP_UNTIL_CLOSE, 0);
    check_framing(bytes, length, PASSENGER_HTTP_NO_BODY, 0);
    if (length > 0) {
        check_writer(bytes, length);
    }
    return 0;
}
