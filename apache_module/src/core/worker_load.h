/* worker_load.h: how busy the workers of a group are, as far as an httpd child can see.
 *
 * It sees their scoreboard (docs/protocol.md, section 6), which is memory that the app's processes write: what stands
 * there is believed only where a lie harms the app itself, that is, in the choice of the connection that a request takes.
 * Beside that it counts what this child has under way. A reference counts as long as it is held. The functions from
 * passenger_worker_load_is_free() on are for one thread at a time: the owner of the kept connections holds a lock around
 * each call. Nothing blocks. Knows no httpd.
 */
#ifndef JUMPSEAT_WORKER_LOAD_H
#define JUMPSEAT_WORKER_LOAD_H

#include <stdint.h>

enum {
    PASSENGER_NO_WORKER = -1,                /* a slot: it is not known which worker it is */
    PASSENGER_LONGEST_WAIT = 5 * 1000        /* microseconds: a request is expected to wait for a busy worker no longer */
};

typedef struct passenger_worker_load passenger_worker_load;

/* Maps the scoreboard with this descriptor, which stays the caller's. Returns the first reference; NULL without memory,
 * or if this is no scoreboard whose size is sealed. */
passenger_worker_load *passenger_worker_load_open(int scoreboard);

/* Another reference to the same; NULL to NULL. Any thread. */
passenger_worker_load *passenger_worker_load_hold(passenger_worker_load *load);

/* Ends a reference; NULL: none. Any thread. */
void passenger_worker_load_release(passenger_worker_load *load);

/* Whether the worker of a slot would begin a request at once. */
int passenger_worker_load_is_free(passenger_worker_load *load, int slot);

/* How long a request would wait for the worker of a slot, in microseconds, by what that worker has done in the last
 * moments; INT64_MAX if nobody can know. `now`: of passenger_monotonic_now(). */
int64_t passenger_worker_load_expected_wait(passenger_worker_load *load, int slot, int64_t now);

/* A request is sent to the worker of a slot, or has ended there. */
void passenger_worker_load_begin(passenger_worker_load *load, int slot);
void passenger_worker_load_end(passenger_worker_load *load, int slot);

#endif
