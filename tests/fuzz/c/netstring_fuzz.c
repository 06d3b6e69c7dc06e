/* The codec of all messages. Checked: what is read, written anew, gives the same bytes; fields lie within the message
 * and are ended by a NUL; a message that is malformed anywhere gives no value at all; what is written can be read. */
#include "fuzz.h"

#include "core/netstring.h"

enum { FIELDS_LIMIT = 512 };

/* The fields of a message. Returns whether it is well-formed. */
static int read_all(const char *message, size_t length, passenger_field *fields, size_t *count)
{
    passenger_netstring_reader reader;
    passenger_netstring_status status = passenger_netstring_open(&reader, message, length,
                                                                 PASSENGER_CONTROL_MESSAGE_LIMIT);
    *count = 0;
    while (status == PASSENGER_NETSTRING_OK) {
        FUZZ_CHECK(*count < FIELDS_LIMIT);
        passenger_field *field = &fields[*count];
        status = passenger_netstring_next(&reader, field);
        if (status == PASSENGER_NETSTRING_OK) {
            FUZZ_CHECK(field->name > message && field->value + field->value_length < message + length);
            FUZZ_CHECK(strlen(field->name) == field->name_length && strlen(field->value) == field->value_length);
            (*count)++;
        }
    }
    return status == PASSENGER_NETSTRING_END;
}

static void check_written(const passenger_field *fields, size_t count, const char *message, size_t length)
{
    size_t size = passenger_netstring_size(fields, count, PASSENGER_CONTROL_MESSAGE_LIMIT);
    FUZZ_CHECK(size == length);
    char *again = malloc(size);
    FUZZ_CHECK(passenger_netstring_write(fields, count, again, size) == PASSENGER_NETSTRING_OK);
    FUZZ_CHECK(memcmp(again, message, size) == 0);
    free(again);
}

static void check_found(const passenger_field *fields, size_t count, const char *message, size_t length)
{
    for (size_t index = 0; index < count; index++) {
        const char *found = passenger_netstring_find(message, length, fields[index].name);
        size_t first = 0;
        while (strcmp(fields[first].name, fields[index].name) != 0) {
            first++;
        }
        FUZZ_CHECK(found == fields[first].value);
    }
}

static void read_message(const uint8_t *bytes, size_t length)
{
    passenger_field fields[FIELDS_LIMIT];
    char *message = fuzz_copy(bytes, length);
    size_t count;
    if (read_all(message, length, fields, &count)) {
        check_written(fields, count, message, length);
        check_found(fields, count, message, length);
    }
    else {
        FUZZ_CHECK(passenger_netstring_find(message, length, "type") == NULL);
    }
    free(message);
}

/* Fields cut out of the bytes, NULs and all. */
static void write_message(fuzz_input input)
{
    passenger_field fields[FIELDS_LIMIT];
    passenger_field again[FIELDS_LIMIT];
    size_t count = 0;
    size_t read = 0;
    int has_nul = 0;
    while (input.left > 0 && count < 16) {
        passenger_field *field = &fields[count++];
        field->name = (const char *)fuzz_bytes(&input, fuzz_byte(&input) & 15, &field->name_length);
        field->value = (const char *)fuzz_bytes(&input, fuzz_byte(&input), &field->value_length);
        has_nul |= field->name_length > 0 && memchr(field->name, 0, field->name_length) != NULL;
        has_nul |= field->value_length > 0 && memchr(field->value, 0, field->value_length) != NULL;
    }
    size_t size = passenger_netstring_size(fields, count, PASSENGER_CONTROL_MESSAGE_LIMIT);
    char *message = malloc(size);
    passenger_netstring_status status = passenger_netstring_write(fields, count, message, size);
    FUZZ_CHECK(status == (has_nul ? PASSENGER_NETSTRING_NUL : PASSENGER_NETSTRING_OK));
    if (!has_nul) {
        FUZZ_CHECK(passenger_netstring_size(fields, count, size - 1) == 0);
        FUZZ_CHECK(read_all(message, size, again, &read) && read == count);
    }
    free(message);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    if (length < 1000) {
        read_message(bytes, length);
        write_message((fuzz_input){bytes, length});
    }
    return 0;
}
