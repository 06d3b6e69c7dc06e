#include "core/route_cookie.h"

#include <string.h>
#include <strings.h>

static const char blank[] = " \t";

/* A part of a header. */
typedef struct slice {
    const char *start;
    size_t length;
} slice;

int passenger_route_is_valid(const char *text, size_t length)
{
    if (length != PASSENGER_ROUTE_LENGTH) {
        return 0;
    }
    for (size_t index = 0; index < length; index++) {
        char byte = text[index];
        if ((byte < '0' || byte > '9') && (byte < 'a' || byte > 'f')) {
            return 0;
        }
    }
    return 1;
}

static slice trimmed(const char *start, const char *end)
{
    while (start < end && strchr(blank, *start) != NULL) {
        start++;
    }
    while (end > start && strchr(blank, end[-1]) != NULL) {
        end--;
    }
    return (slice){start, (size_t)(end - start)};
}

/* The pair between `start` and `end`: returns 0 when it has no equals sign. */
static int split_pair(const char *start, const char *end, slice *name, slice *value)
{
    const char *equals = memchr(start, '=', (size_t)(end - start));
    if (equals == NULL) {
        return 0;
    }
    *name = trimmed(start, equals);
    *value = trimmed(equals + 1, end);
    return 1;
}

static slice unquoted(slice value)
{
    if (value.length >= 2 && value.start[0] == '"' && value.start[value.length - 1] == '"') {
        return (slice){value.start + 1, value.length - 2};
    }
    return value;
}

static int is_named(slice name, const char *wanted)
{
    return name.length == strlen(wanted) && memcmp(name.start, wanted, name.length) == 0;
}

int passenger_route_cookie_find(const char *header, const char *name, char route[PASSENGER_ROUTE_SIZE])
{
    route[0] = '\0';
    while (header != NULL && *header != '\0') {
        const char *end = header + strcspn(header, ";,");
        slice found;
        slice value;
        if (split_pair(header, end, &found, &value) && is_named(found, name)) {
            value = unquoted(value);
            if (passenger_route_is_valid(value.start, value.length)) {
                memcpy(route, value.start, PASSENGER_ROUTE_LENGTH);
                route[PASSENGER_ROUTE_LENGTH] = '\0';
                return 1;
            }
        }
        header = *end != '\0' ? end + 1 : end;
    }
    return 0;
}

int passenger_route_cookie_has_path(const char *attributes)
{
    while (*attributes != '\0') {
        const char *end = attributes + strcspn(attributes, ";");
        slice name;
        slice value;
        if (split_pair(attributes, end, &name, &value) && name.length == strlen("path")
            && strncasecmp(name.start, "path", name.length) == 0) {
            return 1;
        }
        attributes = *end != '\0' ? end + 1 : end;
    }
    return 0;
}
