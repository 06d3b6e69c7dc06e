/* exchange_wait.h: what an exchange waits for, and how long.
 *
 * For the thread that processes the request.
 */
#ifndef JUMPSEAT_EXCHANGE_WAIT_H
#define JUMPSEAT_EXCHANGE_WAIT_H

#include "proxy/exchange.h"

enum { PASSENGER_HOLD_MILLISECONDS = 50 };   /* the longest that a trickle is held back */

typedef struct passenger_exchange_events {
    int worker_spoke;    /* or has closed */
    int client_takes;    /* more of the response */
} passenger_exchange_events;

/* Waits until the worker or the client has something for us, or a time is up. Notes when the client has left. */
passenger_exchange_events passenger_exchange_wait(passenger_exchange *exchange);

/* Whether something came that the client has not been given for certain. */
int passenger_exchange_is_unflushed(const passenger_exchange *exchange);

/* Whether the client is late with its body, and not because it waits for a `100`. */
int passenger_exchange_is_waiting_for_body(const passenger_exchange *exchange);

#endif
