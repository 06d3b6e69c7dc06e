#include "core/body_kind.h"

#include <stddef.h>

#include "core/capabilities.h"

const char *passenger_body_mode(passenger_body_kind kind, unsigned capabilities)
{
    if (!passenger_capabilities_include(capabilities, PASSENGER_CAPABILITY_BODY_FILE)
        && !passenger_capabilities_include(capabilities, PASSENGER_CAPABILITY_FRAMED_BODY)) {
        return NULL;
    }
    switch (kind) {
    case PASSENGER_BODY_MEMORY:
    case PASSENGER_BODY_STREAM:
        return "inline";
    case PASSENGER_BODY_FILE:
        return passenger_capabilities_include(capabilities, PASSENGER_CAPABILITY_BODY_FILE) ? "file" : "inline";
    case PASSENGER_BODY_FRAMED:
        return "framed";
    case PASSENGER_BODY_NONE:
        break;
    }
    return "none";
}

int passenger_body_is_nearly_read(passenger_body_kind kind, int64_t length, int64_t forwarded, int expects_continue)
{
    return kind == PASSENGER_BODY_STREAM && length - forwarded <= PASSENGER_NEARLY_READ_LIMIT && !expects_continue;
}
