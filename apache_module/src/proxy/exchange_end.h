/* exchange_end.h: what becomes of an exchange that is over: whether anybody is to be answered, what, and what the log
 * says.
 *
 * Called by exchange.c alone, once, when nothing more is to come. May wait for the client.
 */
#ifndef JUMPSEAT_EXCHANGE_END_H
#define JUMPSEAT_EXCHANGE_END_H

#include "proxy/exchange.h"

/* Whether nobody is there to be answered. */
int passenger_exchange_is_client_gone(const passenger_exchange *exchange);

/* Returns what the handler returns. */
int passenger_exchange_end(passenger_exchange *exchange);

#endif
