#include "core/heartbeat.h"

static const int64_t second = 1000 * 1000;

void passenger_heartbeat_begin(passenger_heartbeat *heartbeat, int64_t now)
{
    heartbeat->looked = now;
    heartbeat->silent = 0;
}

int passenger_heartbeat_look(passenger_heartbeat *heartbeat, int64_t now, int heard)
{
    int64_t since = now - heartbeat->looked;

    if (since < 0) {
        return 0;   /* it has not begun yet */
    }
    heartbeat->looked = now;
    if (heard) {
        heartbeat->silent = 0;
        return 0;
    }
    /* Who has not looked for long was itself frozen, stopped or suspended, and so perhaps was the spawner. */
    heartbeat->silent += since < PASSENGER_LOOK_SECONDS * second ? since : PASSENGER_LOOK_SECONDS * second;
    return heartbeat->silent >= PASSENGER_SILENCE_SECONDS * second;
}
