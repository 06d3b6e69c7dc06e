#include "check.h"
#include "core/body_kind.h"
#include "core/capabilities.h"

enum { KIBIBYTE = 1024, LIMIT = 64 * KIBIBYTE };

TEST(a_loader_that_knows_no_kinds_of_bodies_is_told_none)
{
    for (int kind = PASSENGER_BODY_NONE; kind <= PASSENGER_BODY_FRAMED; kind++) {
        CHECK(passenger_body_mode((passenger_body_kind)kind, PASSENGER_CAPABILITY_TOKEN) == NULL);
    }
}

TEST(a_file_is_passed_to_a_loader_that_takes_descriptors_and_sent_to_others)
{
    CHECK_TEXT(passenger_body_mode(PASSENGER_BODY_FILE, PASSENGER_CAPABILITY_BODY_FILE), "file");
    CHECK_TEXT(passenger_body_mode(PASSENGER_BODY_FILE, PASSENGER_CAPABILITY_FRAMED_BODY), "inline");
}

TEST(every_other_kind_has_one_name)
{
    unsigned both[] = {PASSENGER_CAPABILITY_BODY_FILE, PASSENGER_CAPABILITY_FRAMED_BODY};
    for (int index = 0; index < 2; index++) {
        CHECK_TEXT(passenger_body_mode(PASSENGER_BODY_NONE, both[index]), "none");
        CHECK_TEXT(passenger_body_mode(PASSENGER_BODY_MEMORY, both[index]), "inline");
        CHECK_TEXT(passenger_body_mode(PASSENGER_BODY_STREAM, both[index]), "inline");
        CHECK_TEXT(passenger_body_mode(PASSENGER_BODY_FRAMED, both[index]), "framed");
    }
}

TEST(a_rest_of_64_kib_is_worth_reading_and_one_byte_more_is_not)
{
    CHECK(passenger_body_is_nearly_read(PASSENGER_BODY_STREAM, 10 * LIMIT, 9 * LIMIT, 0));
    CHECK(!passenger_body_is_nearly_read(PASSENGER_BODY_STREAM, 10 * LIMIT, 9 * LIMIT - 1, 0));
    CHECK(!passenger_body_is_nearly_read(PASSENGER_BODY_STREAM, INT64_MAX, 0, 0));
}

TEST(what_may_not_come_or_has_no_known_end_is_not_waited_for)
{
    CHECK(!passenger_body_is_nearly_read(PASSENGER_BODY_STREAM, 10, 0, 1));
    CHECK(!passenger_body_is_nearly_read(PASSENGER_BODY_FRAMED, 0, 0, 0));
}

TESTS(RUN(a_loader_that_knows_no_kinds_of_bodies_is_told_none),
      RUN(a_file_is_passed_to_a_loader_that_takes_descriptors_and_sent_to_others),
      RUN(every_other_kind_has_one_name),
      RUN(a_rest_of_64_kib_is_worth_reading_and_one_byte_more_is_not),
      RUN(what_may_not_come_or_has_no_known_end_is_not_waited_for))
