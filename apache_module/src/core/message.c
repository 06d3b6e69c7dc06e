#include "core/message.h"

#include <string.h>

#include <apr_strings.h>

passenger_message *passenger_message_create(apr_pool_t *pool, int count)
{
    passenger_message *message = apr_palloc(pool, sizeof(*message));
    message->pool = pool;
    message->fields = apr_array_make(pool, count, sizeof(passenger_field));
    return message;
}

passenger_message *passenger_message_of_type(apr_pool_t *pool, const char *type)
{
    passenger_message *message = passenger_message_create(pool, 16);
    passenger_message_add(message, "type", type);
    return message;
}

void passenger_message_add(passenger_message *message, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    passenger_field *field = apr_array_push(message->fields);
    field->name = name;
    field->name_length = strlen(name);
    field->value = value;
    field->value_length = strlen(value);
}

void passenger_message_add_number(passenger_message *message, const char *name, apr_int64_t number)
{
    passenger_message_add(message, name, apr_psprintf(message->pool, "%" APR_INT64_T_FMT, number));
}

void passenger_message_end_tail(passenger_message *message, int first)
{
    size_t size = sizeof("JUMPSEAT_TAIL") + PASSENGER_TAIL_DIGITS + 1;
    for (int index = first; index < message->fields->nelts; index++) {
        const passenger_field *field = &APR_ARRAY_IDX(message->fields, index, passenger_field);
        size += field->name_length + field->value_length + 2;
    }
    passenger_message_add(message, "JUMPSEAT_TAIL",
                          apr_psprintf(message->pool, "%0*" APR_SIZE_T_FMT, PASSENGER_TAIL_DIGITS, size));
}

int passenger_message_has(const passenger_message *message, const char *name)
{
    for (int index = 0; index < message->fields->nelts; index++) {
        if (strcmp(APR_ARRAY_IDX(message->fields, index, passenger_field).name, name) == 0) {
            return 1;
        }
    }
    return 0;
}

const char *passenger_message_encode(const passenger_message *message, size_t limit, size_t *length)
{
    const passenger_field *fields = (const passenger_field *)(const void *)message->fields->elts;
    size_t count = (size_t)message->fields->nelts;
    *length = passenger_netstring_size(fields, count, limit);
    if (*length == 0) {
        return NULL;
    }
    char *encoded = apr_palloc(message->pool, *length);
    return passenger_netstring_write(fields, count, encoded, *length) == PASSENGER_NETSTRING_OK ? encoded : NULL;
}
