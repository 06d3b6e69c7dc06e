/* output_filter.h: the way to the client, used without waiting for it.
 *
 * httpd's network filter waits for the client when it sees a flush, or when it holds more than FlushMaxThreshold bytes.
 * Our filter stands right in front of it and removes the flushes of what we pass; what the socket does not take stays
 * in the network filter, and the client is "busy" until that has gone. A stream of HTTP/2 has no socket that could be
 * polled: its client never counts as busy, and passing may wait for it. One per request, for its thread.
 */
#ifndef JUMPSEAT_OUTPUT_FILTER_H
#define JUMPSEAT_OUTPUT_FILTER_H

#include <httpd.h>
#include <apr_buckets.h>
#include <util_filter.h>

typedef struct passenger_output {
    request_rec *r;
    ap_filter_t *filter;     /* ours, on the connection; NULL: the client cannot be polled */
    apr_time_t busy_since;   /* since when the client has taken nothing of what waits (monotonic); 0: nothing waits */
} passenger_output;

/* Registers the filter with httpd: once, by the module's register_hooks. */
void passenger_output_register(void);

/* Finds or adds the filter. First sends what is left of an earlier response on this connection. Does not block. */
void passenger_output_begin(passenger_output *output, request_rec *r);

/* Passes a brigade of at most some 32 KiB to the request's filters, and empties it. Flushes do not reach the network
 * filter. Blocks only when the client cannot be polled. Not to be called while the client is busy. Returns what the
 * filters return. */
apr_status_t passenger_output_pass(passenger_output *output, apr_bucket_brigade *brigade);

/* Passes it as any handler of httpd does: flushes count, and the network filter may block. */
apr_status_t passenger_output_pass_blocking(passenger_output *output, apr_bucket_brigade *brigade);

/* Gives the client as much as it takes of what the network filter holds, and finds out whether it is busy. Does not
 * block. */
apr_status_t passenger_output_send_pending(passenger_output *output);

/* Whether httpd sends the rest of a file after the handler has returned, without a thread for it. */
int passenger_output_sends_without_thread(const passenger_output *output);

#endif
