#include "check.h"
#include "core/route_cookie.h"

#define ROUTE "0123456789abcdef"
#define OTHER "fedcba9876543210"

/* The route found for the name `_route`, in memory of its own, so that a sanitizer sees a byte too many. */
static char *found(const char *header)
{
    static char route[PASSENGER_ROUTE_SIZE];
    char *copy = header != NULL ? strdup(header) : NULL;
    int is_found = passenger_route_cookie_find(copy, "_route", route);
    CHECK(is_found == (route[0] != '\0'));
    free(copy);
    return route;
}

TEST(a_route_is_found_wherever_it_stands)
{
    CHECK_TEXT(found("_route=" ROUTE), ROUTE);
    CHECK_TEXT(found("a=b; _route=" ROUTE "; c=d"), ROUTE);
    CHECK_TEXT(found("a=b;_route=" ROUTE), ROUTE);
    CHECK_TEXT(found("a;;=;_route=" ROUTE ";"), ROUTE);
    CHECK_TEXT(found("a=b, _route=" ROUTE), ROUTE);
}

TEST(quotes_and_blanks_around_it_are_not_part_of_it)
{
    CHECK_TEXT(found("_route=\"" ROUTE "\""), ROUTE);
    CHECK_TEXT(found(" \t_route = " ROUTE "\t; b"), ROUTE);
    CHECK_TEXT(found("_route=\"" ROUTE), "");
    CHECK_TEXT(found("_route=\""), "");
    CHECK_TEXT(found("_route=\"\""), "");
}

TEST(the_name_is_exact)
{
    CHECK_TEXT(found("_Route=" ROUTE), "");
    CHECK_TEXT(found("x_route=" ROUTE), "");
    CHECK_TEXT(found("_routes=" ROUTE), "");
    CHECK_TEXT(found("=" ROUTE), "");
    CHECK_TEXT(found("_route" ROUTE), "");
    CHECK_TEXT(found("a=_route=" ROUTE), "");
}

TEST(the_first_one_that_can_be_a_route_counts)
{
    CHECK_TEXT(found("_route=" ROUTE "; _route=" OTHER), ROUTE);
    CHECK_TEXT(found("_route=../../etc; _route=" OTHER), OTHER);
}

TEST(hostile_values_are_no_routes)
{
    CHECK_TEXT(found(NULL), "");
    CHECK_TEXT(found(""), "");
    CHECK_TEXT(found("_route="), "");
    CHECK_TEXT(found("_route=" ROUTE "0"), "");
    CHECK_TEXT(found("_route=0123456789abcde"), "");
    CHECK_TEXT(found("_route=0123456789ABCDEF"), "");
    CHECK_TEXT(found("_route=../../../../sock"), "");
    CHECK_TEXT(found("_route=0123456789abcde/"), "");
    CHECK_TEXT(found("_route=0123456789abcde\xc3"), "");
    CHECK_TEXT(found("_route=0123456789abcde%"), "");
    CHECK_TEXT(found(";;;,,,==;"), "");
}

TEST(no_random_header_leads_beyond_its_end)
{
    static const char letters[] = "_route=\"; ,0f";
    unsigned state = 4711;
    for (int round = 0; round < 20000; round++) {
        char header[48];
        size_t length = check_random(&state) % (sizeof(header) - 1);
        for (size_t index = 0; index < length; index++) {
            header[index] = letters[check_random(&state) % (sizeof(letters) - 1)];
        }
        header[length] = '\0';
        const char *route = found(header);
        CHECK(route[0] == '\0' || strstr(header, route) != NULL);
    }
}

TEST(a_path_among_the_attributes_is_found)
{
    CHECK(passenger_route_cookie_has_path("Path=/"));
    CHECK(passenger_route_cookie_has_path("Secure; path = /shop"));
    CHECK(!passenger_route_cookie_has_path(""));
    CHECK(!passenger_route_cookie_has_path("Secure; HttpOnly; Domain=path"));
    CHECK(!passenger_route_cookie_has_path("Pathology=/; XPath=/; Path"));
}

TESTS(RUN(a_route_is_found_wherever_it_stands),
      RUN(quotes_and_blanks_around_it_are_not_part_of_it),
      RUN(the_name_is_exact),
      RUN(the_first_one_that_can_be_a_route_counts),
      RUN(hostile_values_are_no_routes),
      RUN(no_random_header_leads_beyond_its_end),
      RUN(a_path_among_the_attributes_is_found))
