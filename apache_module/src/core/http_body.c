#include "core/http_body.h"

#include <string.h>

#include "core/field_text.h"

enum { SIZE_DIGITS = 15 };   /* so that no size overflows */

void passenger_http_body_begin(passenger_http_body *body, passenger_http_framing framing, int64_t content_length)
{
    memset(body, 0, sizeof(*body));
    body->framing = framing;
    body->left = framing == PASSENGER_HTTP_LENGTH ? content_length : 0;
    body->finished = PASSENGER_HTTP_BODY_MORE;
}

static passenger_http_body_event finish(passenger_http_body *body, passenger_http_body_event event)
{
    body->finished = event;
    return event;
}

/* Takes bytes of the body, up to `most`. */
static passenger_http_body_event take_data(passenger_http_body *body, int64_t most, const char **bytes, size_t *length)
{
    size_t piece = (uint64_t)most < *length ? (size_t)most : *length;
    body->data = *bytes;
    body->length = piece;
    *bytes += piece;
    *length -= piece;
    return PASSENGER_HTTP_BODY_DATA;
}

static int digit_of(char byte)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *found = byte != '\0' ? strchr(digits, byte) : NULL;
    return found != NULL ? (int)((found - digits) % 16) : -1;
}

/* The size, its extensions, and the end of this line. No blanks: readers disagree about them. Returns 0 for a byte that
 * must not stand there. */
static int take_size_byte(passenger_http_body *body, char byte)
{
    int digit = digit_of(byte);
    if (body->state == PASSENGER_CHUNK_SIZE && digit >= 0) {
        if (++body->counted > SIZE_DIGITS) {
            return 0;
        }
        body->left = body->left * 16 + digit;
        return 1;
    }
    if (body->counted > 0 && byte == '\r') {
        body->state = PASSENGER_CHUNK_SIZE_LF;
        return 1;
    }
    if (body->state == PASSENGER_CHUNK_SIZE) {
        body->state = PASSENGER_CHUNK_EXTENSION;
        return body->counted > 0 && byte == ';';
    }
    return ++body->counted <= PASSENGER_CHUNK_LINE_LIMIT && passenger_is_field_byte((unsigned char)byte);
}

/* A trailer, or the empty line that ends the body. */
static int take_trailer_byte(passenger_http_body *body, char byte)
{
    int is_at_start = body->state == PASSENGER_CHUNK_TRAILER;
    if (byte == '\r') {
        body->state = is_at_start ? PASSENGER_CHUNK_END_LF : PASSENGER_CHUNK_TRAILER_LF;
        return 1;
    }
    body->state = PASSENGER_CHUNK_TRAILER_TEXT;
    return ++body->counted <= PASSENGER_TRAILERS_LIMIT && passenger_is_field_byte((unsigned char)byte);
}

static int take_wanted(passenger_http_body *body, char byte, char wanted, passenger_chunk_state next)
{
    body->state = next;
    return byte == wanted;
}

static void begin_chunk(passenger_http_body *body)
{
    body->state = PASSENGER_CHUNK_SIZE;
    body->left = 0;
    body->counted = 0;
}

/* One byte that is not of the body. Returns 0 when it must not stand there. */
static int take_byte(passenger_http_body *body, char byte)
{
    switch (body->state) {
    case PASSENGER_CHUNK_SIZE:
    case PASSENGER_CHUNK_EXTENSION:
        return take_size_byte(body, byte);
    case PASSENGER_CHUNK_SIZE_LF:
        body->counted = 0;
        return take_wanted(body, byte, '\n', body->left > 0 ? PASSENGER_CHUNK_BYTES : PASSENGER_CHUNK_TRAILER);
    case PASSENGER_CHUNK_BYTES_CR:
        return take_wanted(body, byte, '\r', PASSENGER_CHUNK_BYTES_LF);
    case PASSENGER_CHUNK_BYTES_LF:
        begin_chunk(body);
        return byte == '\n';
    case PASSENGER_CHUNK_TRAILER:
    case PASSENGER_CHUNK_TRAILER_TEXT:
        return take_trailer_byte(body, byte);
    case PASSENGER_CHUNK_TRAILER_LF:
        return take_wanted(body, byte, '\n', PASSENGER_CHUNK_TRAILER);
    case PASSENGER_CHUNK_END_LF:
        finish(body, PASSENGER_HTTP_BODY_END);
        return byte == '\n';
    case PASSENGER_CHUNK_BYTES:
        break;
    }
    return 0;
}

static passenger_http_body_event next_of_chunks(passenger_http_body *body, const char **bytes, size_t *length)
{
    while (*length > 0 && body->finished == PASSENGER_HTTP_BODY_MORE) {
        if (body->state == PASSENGER_CHUNK_BYTES) {
            take_data(body, body->left, bytes, length);
            body->left -= (int64_t)body->length;
            body->state = body->left > 0 ? PASSENGER_CHUNK_BYTES : PASSENGER_CHUNK_BYTES_CR;
            return PASSENGER_HTTP_BODY_DATA;
        }
        if (!take_byte(body, **bytes)) {
            return finish(body, PASSENGER_HTTP_BODY_BAD_CHUNK);
        }
        ++*bytes;
        --*length;
    }
    return body->finished;
}

passenger_http_body_event passenger_http_body_next(passenger_http_body *body, const char **bytes, size_t *length)
{
    if (body->finished != PASSENGER_HTTP_BODY_MORE) {
        return body->finished;
    }
    if (body->framing == PASSENGER_HTTP_CHUNKED) {
        return next_of_chunks(body, bytes, length);
    }
    if (body->framing != PASSENGER_HTTP_UNTIL_CLOSE && body->left == 0) {
        return finish(body, PASSENGER_HTTP_BODY_END);
    }
    if (*length == 0) {
        return PASSENGER_HTTP_BODY_MORE;
    }
    if (body->framing == PASSENGER_HTTP_UNTIL_CLOSE) {
        return take_data(body, INT64_MAX, bytes, length);
    }
    take_data(body, body->left, bytes, length);
    body->left -= (int64_t)body->length;
    return PASSENGER_HTTP_BODY_DATA;
}

int passenger_http_body_end_of_input(passenger_http_body *body)
{
    if (body->framing == PASSENGER_HTTP_UNTIL_CLOSE && body->finished == PASSENGER_HTTP_BODY_MORE) {
        finish(body, PASSENGER_HTTP_BODY_END);
    }
    return body->finished == PASSENGER_HTTP_BODY_END;
}

void passenger_chunk_write_header(char *out, size_t length)
{
    static const char digits[] = "0123456789abcdef";
    for (int index = 7; index >= 0; index--) {
        out[index] = digits[length & 15];
        length >>= 4;
    }
    out[8] = '\r';
    out[9] = '\n';
}

void passenger_chunk_write_trailer(char *out)
{
    out[0] = '\r';
    out[1] = '\n';
}

void passenger_chunk_write_last(char *out)
{
    memcpy(out, "0\r\n\r\n", PASSENGER_LAST_CHUNK_SIZE);
}
