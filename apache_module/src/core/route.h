/* route.h: the name of one worker among those of its group, and of its own socket (docs/protocol.md, section 2).
 *
 * Random, 16 lowercase hexadecimal digits. Knows no httpd. Any thread.
 */
#ifndef JUMPSEAT_ROUTE_H
#define JUMPSEAT_ROUTE_H

#include <stddef.h>

enum { PASSENGER_ROUTE_LENGTH = 16, PASSENGER_ROUTE_SIZE = PASSENGER_ROUTE_LENGTH + 1 };

/* Whether `text`, `length` bytes long, is a route. */
static inline int passenger_route_is_valid(const char *text, size_t length)
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

#endif
