/* request_body.h: the client's request body on its way to the worker.
 *
 * Buffered (PassengerBufferUpload on): read whole before a worker is asked, into memory and, when it grows, into a file
 * without a name; so is a body of unknown length whose loader cannot take it in frames. Streamed: read part by part,
 * without blocking, when the worker can take more. One per request, for the thread that processes it; memory is the
 * request's, and passenger_request_body_close() closes the file.
 */
#ifndef JUMPSEAT_REQUEST_BODY_H
#define JUMPSEAT_REQUEST_BODY_H

#include <httpd.h>
#include <apr_buckets.h>

#include "core/body_kind.h"

typedef struct passenger_request_body {
    request_rec *r;
    passenger_body_kind kind;
    apr_off_t length;             /* 0 while it is not known */
    const char *bytes;            /* PASSENGER_BODY_MEMORY: all of it */
    int descriptor;               /* of its file, whose offset is 0 before it is sent; -1: none */
    apr_bucket_brigade *unread;   /* streaming: read from httpd, not yet forwarded */
    apr_off_t forwarded;          /* streaming: bytes given to the worker */
    int is_chunked;               /* set by the caller: of unknown length, it is sent in chunks of HTTP, not in frames */
    int is_finished;              /* nothing more is to be read. Invariant: set from the start unless streaming */
} passenger_request_body;

/* Finds out what body there is and, unless it is to be streamed, reads all of it, which blocks for the client and as
 * disks do. Returns OK, or the HTTP status that the client gets: logged, with nothing left to close. */
int passenger_request_body_prepare(request_rec *r, passenger_request_body *body);

/* Reads all of a body of unknown length, for a loader that takes only bodies with a length. Nothing of it may have been
 * forwarded. Blocks and returns as passenger_request_body_prepare(). */
int passenger_request_body_buffer(passenger_request_body *body);

/* The value of JUMPSEAT_BODY for a loader with these capabilities; NULL when it does not know that name. */
const char *passenger_request_body_mode(const passenger_request_body *body, unsigned capabilities);

/* Streaming: puts what the worker is to get next, frames or chunks included, into `out` (at least 64 bytes). Never blocks.
 * APR_SUCCESS with `*used` > 0 or `is_finished`; APR_EAGAIN when the client has sent nothing more yet; else why the
 * body cannot be read to its end. */
apr_status_t passenger_request_body_read(passenger_request_body *body, char *out, apr_size_t size, apr_size_t *used);

/* Makes the body ready to be given to another worker. Returns 0 when some of it has been forwarded and is gone. */
int passenger_request_body_rewind(passenger_request_body *body);

/* Whether what is left is known to be little, so that httpd may read it to keep the connection. */
int passenger_request_body_is_nearly_read(const passenger_request_body *body);

/* Closes the file, if there is one. May be called again. */
void passenger_request_body_close(passenger_request_body *body);

#endif
