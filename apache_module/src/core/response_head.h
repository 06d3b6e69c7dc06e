/* response_head.h: the strict reader of a response head, of CGI or of HTTP/1 (docs/protocol.md, sections 3 and 10).
 *
 * What an app answers is untrusted, and the worker's own check of it does not count here. Bytes are fed as they
 * arrive; the reader says how many belong to the head. Each line is checked when it is complete, so that a bad one is
 * named at once. response_head.c reads lines and headers; response_start.c the line at the beginning and what depends
 * on it. Knows no httpd and no I/O. One reader serves one response and one thread.
 */
#ifndef JUMPSEAT_RESPONSE_HEAD_H
#define JUMPSEAT_RESPONSE_HEAD_H

#include <stddef.h>
#include <stdint.h>

#include "core/generated/constants.h"
#include "core/route_cookie.h"

enum {
    PASSENGER_HEAD_SUBJECT_SIZE = 96,     /* room for what a refusal is about, escaped, with its NUL */
    PASSENGER_HEAD_NAMED_SIZE = 512,      /* room for the values of Connection, with a NUL */
    PASSENGER_HEAD_INTERIM_LIMIT = 16     /* most heads of HTTP, or `103`, before the final one */
};

typedef enum passenger_head_status {
    PASSENGER_HEAD_MORE,           /* the head is not complete yet */
    PASSENGER_HEAD_CONTINUE,       /* an interim `100` has been read; the head itself is still to come: feed the rest */
    PASSENGER_HEAD_ACKNOWLEDGED,   /* the same of the `102` by which the worker acknowledges the request; see `route` */
    PASSENGER_HEAD_TOO_LATE,       /* the same of the second `102`: the queue time was over, the app was not called */
    PASSENGER_HEAD_EARLY_HINTS,    /* the same of a `103`: its headers may be read until the next feed */
    PASSENGER_HEAD_OTHER_INTERIM,  /* the same of another head of HTTP, which says nothing */
    PASSENGER_HEAD_COMPLETE,       /* the fields of the reader are valid */
    PASSENGER_HEAD_REFUSED         /* see `refusal` and `subject` */
} passenger_head_status;

typedef enum passenger_head_refusal {
    PASSENGER_HEAD_NOT_REFUSED,
    PASSENGER_HEAD_NO_STATUS,        /* the first line is neither `Status: ...` nor `HTTP/1.x ...`, as the wire wants */
    PASSENGER_HEAD_BAD_STATUS,       /* not a number from 200 to 599, or a control character in the reason */
    PASSENGER_HEAD_BAD_LINE_END,     /* a line that does not end with CR LF */
    PASSENGER_HEAD_BAD_NAME,         /* a header name that is not a token (also: a folded line) */
    PASSENGER_HEAD_BAD_VALUE,        /* CR, NUL or another control character in a value */
    PASSENGER_HEAD_BAD_LENGTH,       /* Content-Length is not a decimal number */
    PASSENGER_HEAD_SECOND_LENGTH,    /* Content-Length twice */
    PASSENGER_HEAD_FORBIDDEN,        /* a header that only the server may set: Transfer-Encoding, Upgrade, ... */
    PASSENGER_HEAD_BAD_CODING,       /* HTTP: a Transfer-Encoding that is not `chunked`, or not alone */
    PASSENGER_HEAD_UPGRADE,          /* HTTP: `101`, which nobody has asked for */
    PASSENGER_HEAD_BAD_INTERIM,      /* a line in a `100` or `102` that does not belong there; too many such heads */
    PASSENGER_HEAD_TOO_LONG,         /* more than PASSENGER_RESPONSE_HEAD_LIMIT bytes */
    PASSENGER_HEAD_NO_MEMORY
} passenger_head_refusal;

/* Gives `size` bytes that live as long as the reader, or NULL. There is no release: the owner frees all at once. */
typedef void *(*passenger_allocate)(void *context, size_t size);

/* Read-only for callers but through the functions below. */
typedef struct passenger_response_head {
    passenger_allocate allocate;
    void *context;
    char *bytes;                   /* the head so far; complete lines are cut into NUL-terminated name and value */
    size_t used;
    size_t capacity;
    size_t line_start;             /* offset of the line that is being read */
    size_t headers_start;          /* offset of the first line after the status */
    size_t status_start;           /* offset of `NNN Reason` */
    passenger_head_status state;

    int expects_http;              /* set by the caller: only a head of HTTP may come; else one of CGI or of HTTP */
    int continue_allowed;          /* set by the caller when the worker was told to send `100`; it may do so once */
    int acknowledgement_allowed;   /* the same of the first `102`, which comes before anything else */
    int too_late_allowed;          /* the second `102`: right behind the first one */
    passenger_head_status interim; /* which of them, in lines of such a head; else MORE */
    int interim_count;             /* of HTTP, and of `103`, so far */
    int has_hints;                 /* the bytes are still those of the EARLY_HINTS */
    char route[PASSENGER_ROUTE_SIZE];              /* of the worker's own socket, by its `102`; empty: it has none */
    char error_id[PASSENGER_ERROR_ID_LENGTH + 1];  /* when worker or spawner answer an error; empty: the app answers */
    int asks_for_chunks;           /* the client is to get the body in chunks, also when all of it is there at once */

    int status;                    /* Invariant: 200 to 599 once COMPLETE */
    int64_t content_length;        /* -1: not given */

    int is_http;                   /* the head is one of HTTP: the following fields say more */
    int is_http_10;                /* and of HTTP/1.0 */
    int is_chunked;                /* the body is. Invariant: then there is no content_length once COMPLETE */
    int is_last;                   /* the connection ends after this response */
    char named[PASSENGER_HEAD_NAMED_SIZE];         /* the members of Connection: headers of these names are dropped */

    passenger_head_refusal refusal;
    char subject[PASSENGER_HEAD_SUBJECT_SIZE];     /* the header or line that was refused, safe to log */
} passenger_response_head;

/* Begins to read. `allocate` and `context` give the memory. */
void passenger_head_begin(passenger_response_head *head, passenger_allocate allocate, void *context);

/* Feeds `length` bytes. `*consumed` says how many of them belong to the head: all of them unless
 * COMPLETE or the end of an interim head. */
passenger_head_status passenger_head_feed(passenger_response_head *head, const char *bytes, size_t length,
                                          size_t *consumed);

/* `NNN Reason` as the app gave it, NUL-terminated; the reason may be empty. Only when COMPLETE. */
const char *passenger_head_status_line(const passenger_response_head *head);

/* Walks the headers in order: `*position` begins at 0; returns 0 when there are no more. Connection, Keep-Alive and
 * Status are left out, and of HTTP all that is about the connection or its framing, but for Content-Length. Only when
 * COMPLETE, or after EARLY_HINTS; the texts live as long as the reader. */
int passenger_head_next(const passenger_response_head *head, size_t *position, const char **name, const char **value);

/* What a refusal means, for the log: "has a bad value". Never NULL. */
const char *passenger_head_refusal_text(passenger_head_refusal refusal);

/* The rest is for response_head.c and response_start.c alone. */

/* Refuses the head because of this text. */
passenger_head_status passenger_head_refuse(passenger_response_head *head, passenger_head_refusal refusal,
                                            const char *subject, size_t length);

/* Cuts spaces and tabs at both ends of [*start, *end). */
void passenger_head_trim(const char *bytes, size_t *start, size_t *end);

/* The first line, without its end, at [start, end): the status, of the final head or of an interim one. */
passenger_head_status passenger_head_parse_start(passenger_response_head *head, size_t start, size_t end);

/* Whether the line at [start, end) is the one about the response that may follow the status of CGI. */
int passenger_head_parse_line_about_response(passenger_response_head *head, size_t start, size_t end);

/* Whether lines of the interim head are headers, which are read like those of a final one. */
int passenger_head_interim_has_headers(const passenger_response_head *head);

/* A line at [start, end) of an interim head without headers. */
passenger_head_status passenger_head_parse_interim_line(passenger_response_head *head, size_t start, size_t end);

/* The interim head has ended: returns what it was. What follows is read as if nothing had been before. */
passenger_head_status passenger_head_end_interim(passenger_response_head *head);

/* Forgets the bytes of the EARLY_HINTS. */
void passenger_head_forget_hints(passenger_response_head *head);

#endif
