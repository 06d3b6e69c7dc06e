/* message.h: a message under construction: control messages and the heads of requests (docs/protocol.md, section 1).
 *
 * Everything that this module sends in the netstring codec is built here; netstring.h reads and writes the bytes. A
 * message lives in a pool and is for one thread. Nothing blocks. Knows no httpd.
 */
#ifndef JUMPSEAT_MESSAGE_H
#define JUMPSEAT_MESSAGE_H

#include <stddef.h>

#include <apr_pools.h>
#include <apr_tables.h>

#include "core/netstring.h"

typedef struct passenger_message {
    apr_pool_t *pool;
    apr_array_header_t *fields;    /* of passenger_field, in the order in which they were added */
} passenger_message;

/* A message without fields. `count` fields are expected; more are allowed. */
passenger_message *passenger_message_create(apr_pool_t *pool, int count);

/* The same with the first field of a control message: its type. */
passenger_message *passenger_message_of_type(apr_pool_t *pool, const char *type);

/* Adds a field. The strings are not copied and must outlive the message. A NULL value adds nothing. */
void passenger_message_add(passenger_message *message, const char *name, const char *value);

/* Adds a field whose value is a decimal number. */
void passenger_message_add_number(passenger_message *message, const char *name, apr_int64_t number);

/* Adds the last field of a request head: how many bytes the fields from `first` on take, with this one. */
void passenger_message_end_tail(passenger_message *message, int first);

/* Whether there is a field of that name. Looks at all fields, so it is not for the many names that a client sends. */
int passenger_message_has(const passenger_message *message, const char *name);

/* The netstring, in the message's pool, and its length. NULL when it would be longer than `limit` (one of
 * netstring.h). */
const char *passenger_message_encode(const passenger_message *message, size_t limit, size_t *length);

#endif
