/* constants.h: what C and Python both need.
 *
 * Generated from apache_module/constants.py by `python -m apache_module.generate`; do not edit. Knows nothing.
 */
#ifndef JUMPSEAT_CONSTANTS_H
#define JUMPSEAT_CONSTANTS_H

/* Most digits of a message's length. */
enum { PASSENGER_LENGTH_DIGITS_LIMIT = 9 };

/* Most bytes of a request head, netstring framing included. */
enum { PASSENGER_REQUEST_HEAD_LIMIT = 1048576 };

/* Most bytes of a control message. */
enum { PASSENGER_CONTROL_MESSAGE_LIMIT = 262144 };

/* Most bytes of a response head. */
enum { PASSENGER_RESPONSE_HEAD_LIMIT = 262144 };

/* Most bytes of one data frame. */
enum { PASSENGER_FRAME_DATA_LIMIT = 2147483647 };

/* Digits of JUMPSEAT_TAIL, which is always so long. */
enum { PASSENGER_TAIL_DIGITS = 6 };

/* Hexadecimal digits of a route, the name of a worker's own socket. */
enum { PASSENGER_ROUTE_LENGTH = 16 };

/* Hexadecimal digits of an error id. */
enum { PASSENGER_ERROR_ID_LENGTH = 8 };

/* Bytes of one worker's slot of a scoreboard. */
enum { PASSENGER_SCOREBOARD_SLOT_SIZE = 66048 };

/* Content-Security-Policy of each error page that the server writes: it loads nothing from elsewhere. */
#define PASSENGER_ERROR_PAGE_POLICY "default-src 'none'; style-src 'unsafe-inline'"

/* Added to the spawner's exit status: 0 means that its code could not be loaded. */
enum { PASSENGER_SPAWNER_RAN = 256 };

/* The spawner's exit status when it cannot run before something is repaired. */
enum { PASSENGER_SPAWNER_MISCONFIGURED = 78 };

/* PassengerInstanceRegistryDir if root starts httpd. */
#define PASSENGER_REGISTRY_OF_ROOT "/run/jumpseat"

/* The same if another user does, with the uid. */
#define PASSENGER_REGISTRY_OF_USER "/tmp/jumpseat-%u"

/* Default of PassengerSpawnerConfigFile. */
#define PASSENGER_SPAWNER_CONFIGURATION "/etc/jumpseat/spawner.conf"

#endif
