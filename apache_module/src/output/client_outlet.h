/* client_outlet.h: the way to the client, used without waiting for it.
 *
 * httpd's network filter waits for the client when it sees a flush, or when it holds more than FlushMaxThreshold bytes.
 * A gate in front of it lets our brigades pass without their flushes; what the socket does not take stays in the network
 * filter, and the client is "busy" until that has gone. An HTTP/2 stream has no socket that could tell: it is "blind",
 * is never busy, and passing may wait for the client. For the thread that processes the request.
 */
#ifndef JUMPSEAT_CLIENT_OUTLET_H
#define JUMPSEAT_CLIENT_OUTLET_H

#include <httpd.h>
#include <apr_buckets.h>
#include <util_filter.h>

typedef struct passenger_outlet {
    request_rec *r;
    ap_filter_t *gate;       /* the connection's; NULL: blind */
    apr_time_t busy_since;   /* since when the client has taken nothing of what waits; 0: nothing waits (monotonic) */
} passenger_outlet;

void passenger_outlet_register(void);

void passenger_outlet_begin(passenger_outlet *outlet, request_rec *r);

int passenger_outlet_is_busy(const passenger_outlet *outlet);

/* Passes a brigade of at most some 32 KiB to the request's filters, and empties it; flushes reach no further than the
 * gate. Waits for the client when it is blind, never otherwise. Not to be called while the client is busy. Returns what
 * the filters say. */
apr_status_t passenger_outlet_pass(passenger_outlet *outlet, apr_bucket_brigade *brigade);

/* Passes it as any handler of httpd does: flushes count, and the network filter may wait. */
apr_status_t passenger_outlet_pass_waiting(passenger_outlet *outlet, apr_bucket_brigade *brigade);

/* Gives the client what the network filter holds, as far as it takes it, and finds out whether it is busy. Never
 * waits. */
apr_status_t passenger_outlet_drain(passenger_outlet *outlet);

/* Whether httpd goes on sending a file after the handler has returned, without keeping a thread for it. */
int passenger_outlet_sends_alone(const passenger_outlet *outlet);

#endif
