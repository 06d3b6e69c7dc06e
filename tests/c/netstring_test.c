#include "core/netstring.h"
#include "vectors.h"

static passenger_field field(const char *name, const char *value)
{
    passenger_field made = {name, strlen(name), value, strlen(value)};
    return made;
}

static char *encoded(const passenger_field *fields, size_t count, size_t *size)
{
    *size = passenger_netstring_size(fields, count, PASSENGER_REQUEST_HEAD_LIMIT);
    CHECK(*size > 0);
    char *bytes = malloc(*size);
    CHECK(passenger_netstring_write(fields, count, bytes, *size) == PASSENGER_NETSTRING_OK);
    return bytes;
}

static passenger_netstring_status opened(const char *message, size_t length)
{
    passenger_netstring_reader reader;
    return passenger_netstring_open(&reader, message, length, PASSENGER_CONTROL_MESSAGE_LIMIT);
}

static void check_fields(const vector *row)
{
    passenger_field fields[VECTOR_COLUMNS / 2];
    passenger_netstring_reader reader;
    passenger_field found;
    size_t count = (row->count - 2) / 2;
    for (size_t index = 0; index < count; index++) {
        size_t column = 2 + 2 * index;
        fields[index] = (passenger_field){row->columns[column], row->lengths[column], row->columns[column + 1],
                                          row->lengths[column + 1]};
    }
    size_t size;
    char *bytes = encoded(fields, count, &size);
    CHECK(size == row->lengths[1] && memcmp(bytes, row->columns[1], size) == 0);
    CHECK(passenger_netstring_open(&reader, bytes, size, size) == PASSENGER_NETSTRING_OK);
    for (size_t index = 0; index < count; index++) {
        CHECK(passenger_netstring_next(&reader, &found) == PASSENGER_NETSTRING_OK);
        CHECK_TEXT(found.name, fields[index].name);
        CHECK_TEXT(found.value, fields[index].value);
    }
    CHECK(passenger_netstring_next(&reader, &found) == PASSENGER_NETSTRING_END);
    free(bytes);
}

static void check_message(const vector *row)
{
    if (vector_is(row, 0, "valid")) {
        check_fields(row);
        return;
    }
    passenger_netstring_reader reader;
    passenger_field found;
    passenger_netstring_status status = passenger_netstring_open(&reader, row->columns[1], row->lengths[1],
                                                                 PASSENGER_CONTROL_MESSAGE_LIMIT);
    while (status == PASSENGER_NETSTRING_OK) {
        status = passenger_netstring_next(&reader, &found);
    }
    CHECK(status == PASSENGER_NETSTRING_MALFORMED);
}

TEST(messages_are_written_and_read_as_the_shared_table_says)
{
    vectors_each(VECTORS "/messages.tsv", check_message, 45);
}

TEST(what_is_written_is_read_back_in_order_with_repeated_names)
{
    passenger_field fields[] = {field("type", "register"), field("x", "1"), field("x", "2"), field("", "")};
    size_t size;
    char *bytes = encoded(fields, 4, &size);
    passenger_netstring_reader reader;
    passenger_field found;
    CHECK(passenger_netstring_open(&reader, bytes, size, size) == PASSENGER_NETSTRING_OK);
    for (size_t index = 0; index < 4; index++) {
        CHECK(passenger_netstring_next(&reader, &found) == PASSENGER_NETSTRING_OK);
        CHECK_TEXT(found.name, fields[index].name);
        CHECK_TEXT(found.value, fields[index].value);
        CHECK(found.value_length == fields[index].value_length);
    }
    CHECK(passenger_netstring_next(&reader, &found) == PASSENGER_NETSTRING_END);
    CHECK_TEXT(passenger_netstring_find(bytes, size, "x"), "1");
    CHECK(passenger_netstring_find(bytes, size, "y") == NULL);
    free(bytes);
}

TEST(lengths_with_more_digits_are_counted_right)
{
    for (size_t length = 0; length < 1100; length++) {
        char value[1100];
        memset(value, 'v', sizeof(value));
        passenger_field one = {"n", 1, value, length};
        size_t size;
        char *bytes = encoded(&one, 1, &size);
        passenger_netstring_reader reader;
        passenger_field found;
        CHECK(passenger_netstring_open(&reader, bytes, size, size) == PASSENGER_NETSTRING_OK);
        CHECK(passenger_netstring_next(&reader, &found) == PASSENGER_NETSTRING_OK);
        CHECK(found.value_length == length);
        free(bytes);
    }
}

TEST(a_nul_in_a_name_or_a_value_is_refused)
{
    char bytes[16];
    passenger_field in_value = {"n", 1, "a\0b", 3};
    passenger_field in_name = {"a\0b", 3, "v", 1};
    CHECK(passenger_netstring_write(&in_value, 1, bytes, 9) == PASSENGER_NETSTRING_NUL);
    CHECK(passenger_netstring_write(&in_name, 1, bytes, 9) == PASSENGER_NETSTRING_NUL);
}

TEST(a_message_longer_than_the_limit_has_no_size)
{
    passenger_field one = field("name", "value");
    CHECK(passenger_netstring_size(&one, 1, 15) == 15);
    CHECK(passenger_netstring_size(&one, 1, 14) == 0);
    passenger_field huge = {"n", 1, "", (size_t)-1};
    CHECK(passenger_netstring_size(&huge, 1, PASSENGER_REQUEST_HEAD_LIMIT) == 0);
}

TEST(writing_into_the_wrong_size_is_refused)
{
    char bytes[32];
    passenger_field one = field("a", "b");
    CHECK(passenger_netstring_write(&one, 1, bytes, 6) == PASSENGER_NETSTRING_TOO_LONG);
    CHECK(passenger_netstring_write(&one, 1, bytes, 8) == PASSENGER_NETSTRING_TOO_LONG);
    CHECK(passenger_netstring_write(&one, 1, bytes, 2) == PASSENGER_NETSTRING_TOO_LONG);
}

TEST(a_message_that_is_not_exactly_one_netstring_is_malformed)
{
    static const char whole[] = "4:a\0b\0,";
    CHECK(opened(whole, 7) == PASSENGER_NETSTRING_OK);
    for (size_t length = 0; length < 7; length++) {
        CHECK(opened(whole, length) == PASSENGER_NETSTRING_MALFORMED);
    }
    CHECK(opened("4:a\0b\0,x", 8) == PASSENGER_NETSTRING_MALFORMED);
    CHECK(opened("4:a\0b\0;", 7) == PASSENGER_NETSTRING_MALFORMED);
}

TEST(a_name_without_value_is_malformed_and_nothing_of_the_message_is_believed)
{
    passenger_netstring_reader reader;
    passenger_field found;
    static const char odd[] = "6:a\0b\0c\0,";
    CHECK(passenger_netstring_open(&reader, odd, 9, 100) == PASSENGER_NETSTRING_OK);
    CHECK(passenger_netstring_next(&reader, &found) == PASSENGER_NETSTRING_OK);
    CHECK(passenger_netstring_next(&reader, &found) == PASSENGER_NETSTRING_MALFORMED);
    CHECK(passenger_netstring_find(odd, 9, "a") == NULL);
    CHECK(passenger_netstring_find("3:a\0b,", 6, "a") == NULL);
}

TEST(random_bytes_are_never_read_beyond_their_end)
{
    static const char alphabet[] = "0123456789:,a\0";
    unsigned state = 20260101;
    for (int round = 0; round < 200000; round++) {
        size_t length = check_random(&state) % 16;
        char *message = malloc(length > 0 ? length : 1);
        for (size_t index = 0; index < length; index++) {
            message[index] = alphabet[check_random(&state) % (sizeof(alphabet) - 1)];
        }
        passenger_netstring_find(message, length, "a");
        free(message);
    }
}

TESTS(RUN(messages_are_written_and_read_as_the_shared_table_says),
      RUN(what_is_written_is_read_back_in_order_with_repeated_names),
      RUN(lengths_with_more_digits_are_counted_right),
      RUN(a_nul_in_a_name_or_a_value_is_refused),
      RUN(a_message_longer_than_the_limit_has_no_size),
      RUN(writing_into_the_wrong_size_is_refused),
      RUN(a_message_that_is_not_exactly_one_netstring_is_malformed),
      RUN(a_name_without_value_is_malformed_and_nothing_of_the_message_is_believed),
      RUN(random_bytes_are_never_read_beyond_their_end))
