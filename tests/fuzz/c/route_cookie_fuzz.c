/* The cookie that leads a client back to its worker. Checked: what is found is a route that stands in the header; other
 * cookies around it change nothing; a prefix or suffix of the name is another name; attributes are only looked at. */
#include "fuzz.h"

#include "core/route_cookie.h"

static const char name[] = "_passenger_route";

static void check_found(const char *header, const char *route)
{
    FUZZ_CHECK(passenger_route_is_valid(route, strlen(route)) && strlen(route) == PASSENGER_ROUTE_LENGTH);
    FUZZ_CHECK(strstr(header, route) != NULL && strstr(header, name) != NULL);
}

/* A pair before and behind, as other software of the site sets them. */
static void check_among_others(const char *header, int is_found, const char *route)
{
    char again[PASSENGER_ROUTE_SIZE];
    size_t size = strlen(header) + 64;
    char *longer = malloc(size);
    snprintf(longer, size, "a=b; %s; %s=0123456789abcdef", header, name);
    FUZZ_CHECK(passenger_route_cookie_find(longer, name, again));
    if (is_found) {
        FUZZ_CHECK(strcmp(again, route) == 0);
    }
    free(longer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    fuzz_input input = {bytes, length};
    char route[PASSENGER_ROUTE_SIZE];
    char other[PASSENGER_ROUTE_SIZE];
    char *header = fuzz_text(&input, 4096);
    int is_found = passenger_route_cookie_find(header, name, route);
    FUZZ_CHECK(is_found || route[0] == '\0');
    if (is_found) {
        check_found(header, route);
    }
    /* An open quote at the end of the header would take in what follows. */
    if (strchr(header, '"') == NULL) {
        check_among_others(header, is_found, route);
    }
    if (passenger_route_cookie_find(header, "_passenger_rout", other)) {
        FUZZ_CHECK(strstr(header, other) != NULL);
    }
    FUZZ_CHECK(passenger_route_is_valid(header, strlen(header)) ? strlen(header) == PASSENGER_ROUTE_LENGTH : 1);
    FUZZ_CHECK(!passenger_route_cookie_has_path(header) || strlen(header) >= 4);
    free(header);
    FUZZ_CHECK(!passenger_route_cookie_find(NULL, name, route));
    return 0;
}
