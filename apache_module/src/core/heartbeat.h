/* heartbeat.h: for how long the spawner has been silent, as far as httpd's parent was awake to hear it
 * (docs/decisions/023-a-spawner-that-hangs.md).
 *
 * Times are microseconds of CLOCK_MONOTONIC (monotonic.h). Pure data: the caller brings the present time. One per spawner.
 */
#ifndef JUMPSEAT_HEARTBEAT_H
#define JUMPSEAT_HEARTBEAT_H

#include <stdint.h>

enum {
    PASSENGER_SILENCE_SECONDS = 30,     /* of a spawner that hangs */
    PASSENGER_LOOK_SECONDS = 10         /* most that one look adds: httpd's parent looks about so often */
};

typedef struct passenger_heartbeat {
    int64_t looked;     /* the last look */
    int64_t silent;     /* how long nothing was heard, by the looks */
} passenger_heartbeat;

/* From `now` on there is something to hear. */
void passenger_heartbeat_begin(passenger_heartbeat *heartbeat, int64_t now);

/* One look; `heard`: whether there was a sign of life since the one before. True: it hangs. */
int passenger_heartbeat_look(passenger_heartbeat *heartbeat, int64_t now, int heard);

#endif
