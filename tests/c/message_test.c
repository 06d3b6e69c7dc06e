#include "core/message.h"
#include "vectors.h"

static void check_encoded(const passenger_message *message, const char *expected, size_t expected_length)
{
    size_t length;
    const char *bytes = passenger_message_encode(message, PASSENGER_CONTROL_MESSAGE_LIMIT, &length);
    CHECK(bytes != NULL);
    CHECK(length == expected_length);
    CHECK(memcmp(bytes, expected, length) == 0);
}

static void check_head(const vector *row)
{
    passenger_message *head = passenger_message_create(check_pool(), 4);
    if (!vector_is(row, 0, "200")) {
        return;
    }
    for (size_t column = 2; column < row->count; column += 2) {
        passenger_message_add(head, row->columns[column], row->columns[column + 1]);
    }
    check_encoded(head, row->columns[1], row->lengths[1]);
}

TEST(the_head_of_a_request_is_written_as_the_shared_table_says)
{
    vectors_each(VECTORS "/request_heads.tsv", check_head, 35);
}

TEST(fields_are_sent_in_the_order_in_which_they_were_added)
{
    passenger_message *message = passenger_message_create(check_pool(), 1);
    passenger_message_add(message, "b", "2");
    passenger_message_add(message, "a", "");
    passenger_message_add(message, "b", "3");
    check_encoded(message, "11:b\0002\0a\0\0b\0003\0,", 15);
}

TEST(a_control_message_begins_with_its_type)
{
    passenger_message *message = passenger_message_of_type(check_pool(), "log");
    check_encoded(message, "9:type\0log\0,", 12);
}

TEST(a_field_without_a_value_is_left_out)
{
    passenger_message *message = passenger_message_create(check_pool(), 1);
    passenger_message_add(message, "a", NULL);
    CHECK(message->fields->nelts == 0);
}

TEST(a_number_is_sent_in_decimal_digits)
{
    passenger_message *message = passenger_message_create(check_pool(), 2);
    passenger_message_add_number(message, "a", -7);
    passenger_message_add_number(message, "b", INT64_MAX);
    const passenger_field *fields = (const passenger_field *)(const void *)message->fields->elts;
    CHECK_TEXT(fields[0].value, "-7");
    CHECK_TEXT(fields[1].value, "9223372036854775807");
}

TEST(a_field_is_known_by_its_name)
{
    passenger_message *message = passenger_message_create(check_pool(), 2);
    passenger_message_add(message, "a", "1");
    passenger_message_add(message, "b", "2");
    CHECK(passenger_message_has(message, "a"));
    CHECK(passenger_message_has(message, "b"));
    CHECK(!passenger_message_has(message, "c"));
}

TEST(a_message_beyond_its_limit_is_refused)
{
    size_t length;
    passenger_message *message = passenger_message_create(check_pool(), 1);
    passenger_message_add(message, "a", "1");
    CHECK(passenger_message_encode(message, 7, &length) != NULL);
    CHECK(passenger_message_encode(message, 6, &length) == NULL);
}

TESTS(RUN(the_head_of_a_request_is_written_as_the_shared_table_says),
      RUN(fields_are_sent_in_the_order_in_which_they_were_added),
      RUN(a_control_message_begins_with_its_type),
      RUN(a_field_without_a_value_is_left_out),
      RUN(a_number_is_sent_in_decimal_digits),
      RUN(a_field_is_known_by_its_name),
      RUN(a_message_beyond_its_limit_is_refused))
