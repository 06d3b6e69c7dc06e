/* netstring.h: the one codec of every line between the processes (docs/protocol.md, section 1).
 *
 * `<decimal length>:<bytes>,` whose bytes are NUL-terminated fields, alternating name and value.
 * Knows no httpd, no allocation, no I/O. Every function may be called from any thread.
 */
#ifndef JUMPSEAT_NETSTRING_H
#define JUMPSEAT_NETSTRING_H

#include <stddef.h>

#include "core/generated/constants.h"

/* One name with its value. The bytes belong to whoever made the field; no NUL is needed after them. */
typedef struct passenger_field {
    const char *name;
    size_t name_length;
    const char *value;
    size_t value_length;
} passenger_field;

typedef enum passenger_netstring_status {
    PASSENGER_NETSTRING_OK,
    PASSENGER_NETSTRING_END,        /* reading: no further field */
    PASSENGER_NETSTRING_TOO_LONG,   /* more bytes than the limit */
    PASSENGER_NETSTRING_NUL,        /* writing: a name or value holds a NUL */
    PASSENGER_NETSTRING_MALFORMED   /* reading: not exactly one netstring of pairs */
} passenger_netstring_status;

/* Bytes that `fields` take on the wire, framing included, or 0 when that exceeds `limit`. */
size_t passenger_netstring_size(const passenger_field *fields, size_t count, size_t limit);

/* Writes `fields` into `out`, which has room for the `size` bytes that passenger_netstring_size() gave. */
passenger_netstring_status passenger_netstring_write(const passenger_field *fields, size_t count, char *out,
                                                     size_t size);

/* A walk over the fields of a message. It points into the message, which must outlive it. */
typedef struct passenger_netstring_reader {
    const char *next;
    const char *end;
} passenger_netstring_reader;

/* Begins to read `message`, which must be exactly one netstring of at most `limit` bytes. */
passenger_netstring_status passenger_netstring_open(passenger_netstring_reader *reader, const char *message,
                                                    size_t length, size_t limit);

/* The next field (OK), or END, or MALFORMED. Name and value are followed by a NUL within the message. */
passenger_netstring_status passenger_netstring_next(passenger_netstring_reader *reader, passenger_field *field);

/* The first value of `name` in a whole message, or NULL when it is absent or the message is malformed. */
const char *passenger_netstring_find(const char *message, size_t length, const char *name);

#endif
