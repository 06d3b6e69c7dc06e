#include "check.h"
#include "core/capabilities.h"

enum { EVERYTHING = PASSENGER_CAPABILITY_TOKEN | PASSENGER_CAPABILITY_FRAMES | PASSENGER_CAPABILITY_BODY_FILE
                    | PASSENGER_CAPABILITY_FRAMED_BODY | PASSENGER_CAPABILITY_ACKNOWLEDGE
                    | PASSENGER_CAPABILITY_EXPECT };

TEST(a_loader_without_words_is_plain_scgi)
{
    CHECK(passenger_capabilities_parse(NULL) == 0);
    CHECK(passenger_capabilities_parse("") == 0);
    CHECK(passenger_capabilities_parse(" ") == 0);
}

TEST(each_word_stands_for_one_capability)
{
    CHECK(passenger_capabilities_parse("token") == PASSENGER_CAPABILITY_TOKEN);
    CHECK(passenger_capabilities_parse("frames") == PASSENGER_CAPABILITY_FRAMES);
    CHECK(passenger_capabilities_parse("body-file") == PASSENGER_CAPABILITY_BODY_FILE);
    CHECK(passenger_capabilities_parse("framed-body") == PASSENGER_CAPABILITY_FRAMED_BODY);
    CHECK(passenger_capabilities_parse("acknowledge") == PASSENGER_CAPABILITY_ACKNOWLEDGE);
    CHECK(passenger_capabilities_parse("expect") == PASSENGER_CAPABILITY_EXPECT);
    CHECK(passenger_capabilities_parse("http") == PASSENGER_CAPABILITY_HTTP);
}

TEST(what_the_wire_does_not_have_is_not_in_the_set)
{
    CHECK(passenger_capabilities_parse("keep-alive http")
          == (PASSENGER_CAPABILITY_HTTP | PASSENGER_CAPABILITY_KEEP_ALIVE));
    CHECK(passenger_capabilities_parse("keep-alive tail")
          == (PASSENGER_CAPABILITY_KEEP_ALIVE | PASSENGER_CAPABILITY_TAIL));
    CHECK(passenger_capabilities_parse("frames body-file tail framed-body http")
          == (PASSENGER_CAPABILITY_HTTP | PASSENGER_CAPABILITY_FRAMED_BODY));
}

TEST(words_add_up_in_any_order_and_as_often_as_they_come)
{
    CHECK(passenger_capabilities_parse("frames framed-body body-file acknowledge expect token") == EVERYTHING);
    CHECK(passenger_capabilities_parse("token expect acknowledge body-file framed-body frames token") == EVERYTHING);
    CHECK(passenger_capabilities_parse("  token   expect ")
          == (PASSENGER_CAPABILITY_TOKEN | PASSENGER_CAPABILITY_EXPECT));
}

TEST(unknown_words_are_ignored)
{
    CHECK(passenger_capabilities_parse("cancel token teleport") == PASSENGER_CAPABILITY_TOKEN);
    CHECK(passenger_capabilities_parse("frame framesx Frames frames, body_file tok en\texpect") == 0);
}

TEST(a_set_includes_what_was_named_and_nothing_else)
{
    unsigned found = passenger_capabilities_parse("frames expect");
    CHECK(passenger_capabilities_include(found, PASSENGER_CAPABILITY_FRAMES));
    CHECK(passenger_capabilities_include(found, PASSENGER_CAPABILITY_EXPECT));
    CHECK(!passenger_capabilities_include(found, PASSENGER_CAPABILITY_TOKEN));
    CHECK(!passenger_capabilities_include(found, PASSENGER_CAPABILITY_BODY_FILE));
    CHECK(!passenger_capabilities_include(found, PASSENGER_CAPABILITY_FRAMED_BODY));
    CHECK(!passenger_capabilities_include(found, PASSENGER_CAPABILITY_ACKNOWLEDGE));
}

TESTS(RUN(a_loader_without_words_is_plain_scgi),
      RUN(each_word_stands_for_one_capability),
      RUN(what_the_wire_does_not_have_is_not_in_the_set),
      RUN(words_add_up_in_any_order_and_as_often_as_they_come),
      RUN(unknown_words_are_ignored),
      RUN(a_set_includes_what_was_named_and_nothing_else))
