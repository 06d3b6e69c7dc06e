/* http_body.h: the body of an HTTP/1.1 message: the reader of responses, and the chunks of requests (RFC 9112,
 * sections 6 and 7).
 *
 * Bytes are fed as they arrive; out come runs of body bytes, and the end. No byte is copied. Extensions of chunks and
 * trailers are checked and dropped. Knows no httpd, no allocation, no I/O. One reader serves one body and one thread.
 */
#ifndef JUMPSEAT_HTTP_BODY_H
#define JUMPSEAT_HTTP_BODY_H

#include <stddef.h>
#include <stdint.h>

enum {
    PASSENGER_CHUNK_HEADER_SIZE = 10,    /* before the bytes of a chunk that is written */
    PASSENGER_CHUNK_TRAILER_SIZE = 2,    /* behind them */
    PASSENGER_LAST_CHUNK_SIZE = 5,
    PASSENGER_CHUNK_LINE_LIMIT = 4096,   /* most bytes of a chunk's extensions */
    PASSENGER_TRAILERS_LIMIT = 16384     /* most bytes of all trailers */
};

/* How the end of a body is found. */
typedef enum passenger_http_framing {
    PASSENGER_HTTP_NO_BODY,
    PASSENGER_HTTP_LENGTH,        /* Content-Length */
    PASSENGER_HTTP_CHUNKED,
    PASSENGER_HTTP_UNTIL_CLOSE    /* with the connection */
} passenger_http_framing;

typedef enum passenger_http_body_event {
    PASSENGER_HTTP_BODY_MORE,         /* all bytes are used up; feed further ones */
    PASSENGER_HTTP_BODY_DATA,         /* `data`, `length`: body bytes */
    PASSENGER_HTTP_BODY_END,          /* the body is complete; what was not taken does not belong to it */
    PASSENGER_HTTP_BODY_BAD_CHUNK     /* refused: a chunk or trailer that is malformed */
} passenger_http_body_event;

typedef enum passenger_chunk_state {
    PASSENGER_CHUNK_SIZE,
    PASSENGER_CHUNK_EXTENSION,
    PASSENGER_CHUNK_SIZE_LF,      /* the LF of its line is still to come */
    PASSENGER_CHUNK_BYTES,
    PASSENGER_CHUNK_BYTES_CR,
    PASSENGER_CHUNK_BYTES_LF,
    PASSENGER_CHUNK_TRAILER,      /* at the beginning of a trailer, or of the empty line at the end */
    PASSENGER_CHUNK_TRAILER_TEXT,
    PASSENGER_CHUNK_TRAILER_LF,
    PASSENGER_CHUNK_END_LF
} passenger_chunk_state;

typedef struct passenger_http_body {
    passenger_http_framing framing;
    passenger_chunk_state state;              /* of a chunked body */
    int64_t left;                             /* bytes of the body, or of the chunk, that are still to come; >= 0 */
    size_t counted;                           /* digits of the size, bytes of extensions or of trailers so far */
    passenger_http_body_event finished;       /* MORE while the body goes on; then END or BAD_CHUNK, for good */

    const char *data;                         /* valid after DATA; points into what was fed */
    size_t length;                            /* > 0 after DATA */
} passenger_http_body;

/* `content_length`: for PASSENGER_HTTP_LENGTH. */
void passenger_http_body_begin(passenger_http_body *body, passenger_http_framing framing, int64_t content_length);

/* Takes from [*bytes, *bytes + *length) up to the next event and moves both past what was taken. A body without bytes
 * ends at once, without input. */
passenger_http_body_event passenger_http_body_next(passenger_http_body *body, const char **bytes, size_t *length);

/* The connection has ended. Returns whether the body is complete with that. */
int passenger_http_body_end_of_input(passenger_http_body *body);

/* Writes what stands before `length` bytes (1 to 0x7fffffff) of a chunk: PASSENGER_CHUNK_HEADER_SIZE bytes. */
void passenger_chunk_write_header(char *out, size_t length);

/* Writes what stands behind them: PASSENGER_CHUNK_TRAILER_SIZE bytes. */
void passenger_chunk_write_trailer(char *out);

/* Writes the last chunk, without trailers: PASSENGER_LAST_CHUNK_SIZE bytes. */
void passenger_chunk_write_last(char *out);

#endif
