#include "core/netstring.h"

#include <string.h>

static size_t decimal_digits(size_t number)
{
    size_t digits = 1;
    while (number >= 10) {
        number /= 10;
        digits++;
    }
    return digits;
}

/* The length of what stands between colon and comma; SIZE_MAX when it cannot be held. */
static size_t payload_size(const passenger_field *fields, size_t count)
{
    size_t size = 0;
    for (size_t index = 0; index < count; index++) {
        size_t room = (size_t)-1 - size;
        if (fields[index].name_length >= room || fields[index].value_length >= room - fields[index].name_length - 1) {
            return (size_t)-1;
        }
        size += fields[index].name_length + fields[index].value_length + 2;
    }
    return size;
}

size_t passenger_netstring_size(const passenger_field *fields, size_t count, size_t limit)
{
    size_t payload = payload_size(fields, count);
    if (payload > limit) {
        return 0;
    }
    size_t size = payload + decimal_digits(payload) + 2;
    return size > limit ? 0 : size;
}

static char *write_length(char *out, size_t number)
{
    size_t digits = decimal_digits(number);
    for (size_t position = digits; position > 0; position--) {
        out[position - 1] = (char)('0' + number % 10);
        number /= 10;
    }
    return out + digits;
}

/* Appends one name or value with its NUL; NULL when it holds a NUL of its own. */
static char *write_text(char *out, const char *text, size_t length)
{
    if (length > 0) {
        if (memchr(text, '\0', length) != NULL) {
            return NULL;
        }
        memcpy(out, text, length);
    }
    out[length] = '\0';
    return out + length + 1;
}

passenger_netstring_status passenger_netstring_write(const passenger_field *fields, size_t count, char *out,
                                                     size_t size)
{
    size_t payload = payload_size(fields, count);
    if (payload > size || size - payload != decimal_digits(payload) + 2) {
        return PASSENGER_NETSTRING_TOO_LONG;
    }
    char *next = write_length(out, payload);
    *next++ = ':';
    for (size_t index = 0; index < count; index++) {
        next = write_text(next, fields[index].name, fields[index].name_length);
        if (next != NULL) {
            next = write_text(next, fields[index].value, fields[index].value_length);
        }
        if (next == NULL) {
            return PASSENGER_NETSTRING_NUL;
        }
    }
    *next = ',';
    return PASSENGER_NETSTRING_OK;
}

/* Reads the decimal length at the start of a message; the position of the colon, or NULL. */
static const char *read_length(const char *message, size_t length, size_t *number)
{
    size_t position = 0;
    *number = 0;
    while (position < length && message[position] >= '0' && message[position] <= '9') {
        if (position == PASSENGER_LENGTH_DIGITS_LIMIT || (position == 1 && message[0] == '0')) {
            return NULL;
        }
        *number = *number * 10 + (size_t)(message[position] - '0');
        position++;
    }
    if (position == 0 || position == length || message[position] != ':') {
        return NULL;
    }
    return message + position;
}

passenger_netstring_status passenger_netstring_open(passenger_netstring_reader *reader, const char *message,
                                                    size_t length, size_t limit)
{
    size_t payload;
    reader->next = reader->end = message;
    if (length > limit) {
        return PASSENGER_NETSTRING_TOO_LONG;
    }
    const char *colon = read_length(message, length, &payload);
    if (colon == NULL) {
        return PASSENGER_NETSTRING_MALFORMED;
    }
    size_t rest = length - (size_t)(colon + 1 - message);
    if (rest == 0 || payload != rest - 1 || colon[1 + payload] != ',') {
        return PASSENGER_NETSTRING_MALFORMED;
    }
    reader->next = colon + 1;
    reader->end = colon + 1 + payload;
    return PASSENGER_NETSTRING_OK;
}

/* Takes one NUL-terminated text; returns 0 when no NUL is left. */
static int take_text(passenger_netstring_reader *reader, const char **text, size_t *length)
{
    size_t left = (size_t)(reader->end - reader->next);
    const char *terminator = left > 0 ? memchr(reader->next, '\0', left) : NULL;
    if (terminator == NULL) {
        return 0;
    }
    *text = reader->next;
    *length = (size_t)(terminator - reader->next);
    reader->next = terminator + 1;
    return 1;
}

passenger_netstring_status passenger_netstring_next(passenger_netstring_reader *reader, passenger_field *field)
{
    if (reader->next == reader->end) {
        return PASSENGER_NETSTRING_END;
    }
    if (!take_text(reader, &field->name, &field->name_length)
        || !take_text(reader, &field->value, &field->value_length)) {
        return PASSENGER_NETSTRING_MALFORMED;
    }
    return PASSENGER_NETSTRING_OK;
}

const char *passenger_netstring_find(const char *message, size_t length, const char *name)
{
    passenger_netstring_reader reader;
    passenger_field field;
    const char *found = NULL;
    passenger_netstring_status status = passenger_netstring_open(&reader, message, length,
                                                                 PASSENGER_CONTROL_MESSAGE_LIMIT);
    /* To the end even when found: a message that is malformed behind the field is not believed. */
    while (status == PASSENGER_NETSTRING_OK) {
        status = passenger_netstring_next(&reader, &field);
        if (status == PASSENGER_NETSTRING_OK && found == NULL && strcmp(field.name, name) == 0) {
            found = field.value;
        }
    }
    return status == PASSENGER_NETSTRING_END ? found : NULL;
}
