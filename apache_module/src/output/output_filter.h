/* output_filter.h: the way to the client, used without waiting for it.
 *
 * Over HTTP/1, httpd's network filter waits for the client when it sees a flush, or when it holds more than
 * FlushMaxThreshold bytes. Our filter stands right in front of it and removes the flushes of what we pass; what the
 * socket does not take stays in the network filter, and the client is "busy" until that has gone. A stream of HTTP/2
 * has a filter of mod_http2 in that place. It waits for the client when it gets a bucket while it holds
 * H2StreamMaxMemSize bytes, and takes any bucket while it holds fewer. Our filter counts what we pass; the client is
 * busy until mod_http2 has taken all of it. Nothing tells when that is: it has to be asked for (see send_pending).
 *
 * Where something unknown stands behind our filter, passing blocks, as for any handler of httpd. The same from then on
 * when a filter of another module has put a large file into a stream: what is counted lies in memory. One per request,
 * for its thread.
 */
#ifndef JUMPSEAT_OUTPUT_FILTER_H
#define JUMPSEAT_OUTPUT_FILTER_H

#include <httpd.h>
#include <apr_buckets.h>
#include <util_filter.h>

typedef struct passenger_output {
    request_rec *r;
    ap_filter_t *filter;     /* ours, on the connection; NULL: passing blocks, and nothing is waited for here */
    apr_time_t busy_since;   /* since when the client has taken nothing of what waits (monotonic); 0: nothing waits */
    apr_size_t waiting;      /* of a stream: the bytes that wait */
} passenger_output;

/* Registers the filter with httpd: once, by the module's register_hooks. */
void passenger_output_register(void);

/* Finds or adds the filter. First sends what is left of an earlier response on this connection. Does not block. */
void passenger_output_begin(passenger_output *output, request_rec *r);

/* Whether nothing tells when a busy client takes more: passenger_output_send_pending() is to be called now and then. */
int passenger_output_is_stream(const passenger_output *output);

/* Passes a brigade of at most some 64 KiB to the request's filters, and empties it. Flushes do not reach the network
 * filter. Blocks only without a filter. Not to be called while the client is busy. Returns what the filters return. */
apr_status_t passenger_output_pass(passenger_output *output, apr_bucket_brigade *brigade);

/* Passes it as any handler of httpd does: flushes count, and the network filter may block. Not for streams with a
 * filter. */
apr_status_t passenger_output_pass_blocking(passenger_output *output, apr_bucket_brigade *brigade);

/* Gives the client as much as it takes of what waits, and finds out whether it is busy. Does not block. */
apr_status_t passenger_output_send_pending(passenger_output *output);

/* Whether httpd sends the rest of a file after the handler has returned, without a thread for it. */
int passenger_output_sends_without_thread(const passenger_output *output);

#endif
