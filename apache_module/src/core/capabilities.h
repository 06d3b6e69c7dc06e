/* capabilities.h: what the loader of an app group can do beyond plain SCGI (docs/protocol.md, sections 2, 5 and 10).
 *
 * The spawner names these words when it registers a group. The module asks a loader only for what it can do: without
 * any capability a loader gets exactly what a stock SCGI client sends. A set is a bit mask of passenger_capability.
 * Pure data: knows no httpd, no allocation, no I/O. Any thread; nothing blocks.
 */
#ifndef JUMPSEAT_CAPABILITIES_H
#define JUMPSEAT_CAPABILITIES_H

typedef enum passenger_capability {
    PASSENGER_CAPABILITY_TOKEN = 1 << 0,         /* `token`: it checks the token that proves who the client is */
    PASSENGER_CAPABILITY_FRAMES = 1 << 1,        /* `frames`: it sends a response body in frames */
    PASSENGER_CAPABILITY_BODY_FILE = 1 << 2,     /* `body-file`: it takes a request body as a descriptor */
    PASSENGER_CAPABILITY_FRAMED_BODY = 1 << 3,   /* `framed-body`: it takes a request body in frames */
    PASSENGER_CAPABILITY_ACKNOWLEDGE = 1 << 4,   /* `acknowledge`: it says when it accepts a request */
    PASSENGER_CAPABILITY_EXPECT = 1 << 5,        /* `expect`: it says when the client is to get `100 Continue` */
    PASSENGER_CAPABILITY_HTTP = 1 << 6,          /* `http`: it speaks HTTP/1.1 instead of SCGI */
    PASSENGER_CAPABILITY_KEEP_ALIVE = 1 << 7,    /* `keep-alive`: connections may be kept */
    PASSENGER_CAPABILITY_TAIL = 1 << 8           /* `tail`: heads may end with a tail */
} passenger_capability;

/* The set that `words`, separated by spaces, name. Unknown words are ignored: they are for other clients, or for newer
 * modules. NULL: an empty set. What the wire of the group does not have is never in the set. */
unsigned passenger_capabilities_parse(const char *words);

/* Whether a capability is in the set. */
int passenger_capabilities_include(unsigned capabilities, passenger_capability wanted);

#endif
