/* body_kind.h: how a request body is given to a worker, and what may be done when it could not be.
 *
 * Pure. Nothing blocks. Any thread. Knows no httpd.
 */
#ifndef JUMPSEAT_BODY_KIND_H
#define JUMPSEAT_BODY_KIND_H

#include <stdint.h>

enum { PASSENGER_NEARLY_READ_LIMIT = 64 * 1024 };   /* a rest so small is worth reading, to keep the connection */

typedef enum passenger_body_kind {
    PASSENGER_BODY_NONE,      /* the request has none */
    PASSENGER_BODY_MEMORY,    /* in memory */
    PASSENGER_BODY_FILE,      /* in a file */
    PASSENGER_BODY_STREAM,    /* of known length, to be read */
    PASSENGER_BODY_FRAMED     /* of unknown length, to be read, sent as frames or chunks */
} passenger_body_kind;

/* The value of JUMPSEAT_BODY for a loader with these capabilities; NULL when it does not know that name. */
const char *passenger_body_mode(passenger_body_kind kind, unsigned capabilities);

/* Whether what is left of a body that is not read to its end is known to be little: `length` bytes in all, if that is
 * known, of which `forwarded` were read. A client that waits for `100 Continue` may send none or all of it. */
int passenger_body_is_nearly_read(passenger_body_kind kind, int64_t length, int64_t forwarded, int expects_continue);

#endif
