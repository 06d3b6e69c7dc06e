/* output_buffer.h: a response's body on its way to the client, so that a slow client does not keep the worker.
 *
 * What the client takes at once is sent; the rest is kept (response_spool.h) and sent as the client takes it. The order
 * is always: what the network filter holds, what is kept, the brigade. What cannot be kept, because there is no room,
 * stays in the brigade. One per response, for the thread that processes the request; in its pool, but for the spool,
 * which passenger_output_buffer_close() frees. Blocks as disks do, and where output_filter.h says that sending may
 * block.
 */
#ifndef JUMPSEAT_OUTPUT_BUFFER_H
#define JUMPSEAT_OUTPUT_BUFFER_H

#include <httpd.h>
#include <apr_buckets.h>
#include <apr_file_io.h>

#include "output/output_filter.h"
#include "output/response_spool.h"

/* How to send. */
enum {
    PASSENGER_OUTPUT_FLUSH = 1,    /* the client is to see all of it now; else more is to come at once */
    PASSENGER_OUTPUT_LAST = 2      /* the brigade holds the end of the response */
};

/* Times are those of passenger_monotonic_now(); 0: never. */
typedef struct passenger_output_buffer {
    request_rec *r;
    passenger_output client;             /* the way to the client */
    passenger_response_spool spool;      /* what is kept */
    apr_file_t *spool_file;              /* the spool's file, opened once more for httpd to read */
    apr_bucket_brigade *brigade;         /* the newest part; the owner of the buffer appends to it */
    apr_bucket_brigade *piece;           /* a part of what is kept, on its way to the filters */
    int flags;                           /* of the last call of _send() */
    int owes_flush;                      /* to the client, behind all that waits */
    apr_time_t last_since;               /* since when the end of the response is in the brigade */
    int is_full;                         /* the brigade could neither be sent nor kept: add nothing to it */
    apr_time_t stalled_since;            /* since when the worker waits for the client, to avoid a file */
    apr_interval_time_t stall_budget;    /* how long it still may */
    int has_warned;                      /* that there is no room in the file */
    int has_started;                     /* something has gone to the filters: the status cannot be changed any more */
    apr_status_t status;                 /* of the filters; an error: the client takes nothing more */
} passenger_output_buffer;

void passenger_output_buffer_begin(passenger_output_buffer *buffer, request_rec *r);

/* Sends or keeps what the brigade holds. `flags`: see above. */
void passenger_output_buffer_send(passenger_output_buffer *buffer, int flags);

/* Continues with what waits for the client, which can take more. */
void passenger_output_buffer_resume(passenger_output_buffer *buffer);

/* Whether anything has still to be sent, or, with FLUSH and LAST, be taken by the client. */
int passenger_output_buffer_is_pending(const passenger_output_buffer *buffer);

/* Whether something is kept that came before the brigade. */
int passenger_output_buffer_is_keeping(const passenger_output_buffer *buffer);

/* When passenger_output_buffer_check_times() has something to do; 0: never. */
apr_time_t passenger_output_buffer_deadline(const passenger_output_buffer *buffer);

/* Does what is due at `now`: gives up a client that has taken nothing for as long as Timeout allows; uses the file
 * once a client counts as slow; and, when the end of the response is known, leaves what waits to httpd, as a file,
 * if httpd can send that without this thread. */
void passenger_output_buffer_check_times(passenger_output_buffer *buffer, apr_time_t now);

/* Drops what has not been sent, and frees what was needed for it. May be called again. */
void passenger_output_buffer_close(passenger_output_buffer *buffer);

#endif
