#include "core/capabilities.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *word;
    passenger_capability capability;
} known[] = {
    {"token", PASSENGER_CAPABILITY_TOKEN},
    {"frames", PASSENGER_CAPABILITY_FRAMES},
    {"body-file", PASSENGER_CAPABILITY_BODY_FILE},
    {"framed-body", PASSENGER_CAPABILITY_FRAMED_BODY},
    {"acknowledge", PASSENGER_CAPABILITY_ACKNOWLEDGE},
    {"expect", PASSENGER_CAPABILITY_EXPECT},
    {"http", PASSENGER_CAPABILITY_HTTP},
    {"keep-alive", PASSENGER_CAPABILITY_KEEP_ALIVE},
    {"tail", PASSENGER_CAPABILITY_TAIL},
};

/* The capability of one word; 0 for a word that nobody here knows. */
static unsigned capability_of(const char *word, size_t length)
{
    for (size_t index = 0; index < sizeof(known) / sizeof(known[0]); index++) {
        if (strlen(known[index].word) == length && memcmp(known[index].word, word, length) == 0) {
            return known[index].capability;
        }
    }
    return 0;
}

/* Without what HTTP, or SCGI, does not have. */
static unsigned of_wire(unsigned capabilities)
{
    unsigned missing = (capabilities & PASSENGER_CAPABILITY_HTTP) != 0
                           ? PASSENGER_CAPABILITY_FRAMES | PASSENGER_CAPABILITY_BODY_FILE | PASSENGER_CAPABILITY_TAIL
                           : 0;
    return capabilities & ~missing;
}

unsigned passenger_capabilities_parse(const char *words)
{
    unsigned capabilities = 0;
    while (words != NULL && *words != '\0') {
        size_t length = strcspn(words, " ");
        capabilities |= capability_of(words, length);
        words += length + strspn(words + length, " ");
    }
    return of_wire(capabilities);
}

int passenger_capabilities_include(unsigned capabilities, passenger_capability wanted)
{
    return (capabilities & (unsigned)wanted) != 0;
}
