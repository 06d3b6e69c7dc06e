/* http_request.h: the writer of a request's head for a backend that speaks HTTP/1.1 (docs/protocol.md, section 10).
 *
 * The client's headers go on as they came, without those that are about its connection, those that could pass for
 * another header, and those that only the server may set. Pure; the bytes are in the pool given. Any thread; nothing
 * blocks. Knows no httpd.
 */
#ifndef JUMPSEAT_HTTP_REQUEST_H
#define JUMPSEAT_HTTP_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "core/http_body.h"
#include "core/message.h"

/* The texts are the caller's. */
typedef struct passenger_http_request {
    const char *method;
    const char *target;                   /* as the client sent it, in origin form */
    const char *host;                     /* of Host */
    const apr_table_t *headers;           /* the client's */
    const char *client_address;
    int is_https;                         /* the client came by TLS */
    passenger_http_framing framing;       /* of the body; not UNTIL_CLOSE */
    int64_t length;                       /* for LENGTH */
    int expects_continue;                 /* the backend is to say when the client gets `100 Continue` */
    int may_be_kept;                      /* the connection, after the response */
    const passenger_message *extensions;  /* names with JUMPSEAT_, which become headers; see docs/protocol.md */
} passenger_http_request;

typedef enum passenger_http_request_status {
    PASSENGER_HTTP_REQUEST_OK,
    PASSENGER_HTTP_REQUEST_TOO_LONG,      /* more than PASSENGER_REQUEST_HEAD_LIMIT bytes */
    PASSENGER_HTTP_REQUEST_MALFORMED      /* a method, target or value that would break the head */
} passenger_http_request_status;

/* Writes the head. `*bytes` and `*length` are set when OK. */
passenger_http_request_status passenger_http_request_write(const passenger_http_request *request, apr_pool_t *pool,
                                                           const char **bytes, size_t *length);

#endif
