/* exchange_input.h: from where an exchange receives the response: the worker, or a thread that reads ahead.
 *
 * A client that cannot be polled (HTTP/2) has to be waited for. Once a response is larger than what such a wait may be
 * about, a thread reads the worker meanwhile (backend_reader.h). For the thread that processes the request.
 */
#ifndef JUMPSEAT_EXCHANGE_INPUT_H
#define JUMPSEAT_EXCHANGE_INPUT_H

#include "proxy/exchange.h"

/* As passenger_backend_receive(). */
passenger_backend_status passenger_exchange_receive(passenger_exchange *exchange, char *bytes, size_t size,
                                                    size_t *length);

/* To be called before what was received is passed on: begins to read ahead when that may have to wait. */
void passenger_exchange_read_ahead(passenger_exchange *exchange);

/* The worker's connection is not needed any more. May be called again. */
void passenger_exchange_end_input(passenger_exchange *exchange);

#endif
