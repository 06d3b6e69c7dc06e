/* delivery.h: a response's body on its way to the client, so that a slow client does not keep the worker.
 *
 * What the client takes at once is passed on; the rest is kept (response_spool.h) and passed on as the client takes it.
 * The order is always: what the network holds, what is kept, the brigade. Whatever is not kept, because there is no
 * room, stays in the brigade. For the thread that processes the request.
 */
#ifndef JUMPSEAT_DELIVERY_H
#define JUMPSEAT_DELIVERY_H

#include <httpd.h>
#include <apr_buckets.h>
#include <apr_file_io.h>

#include "output/client_outlet.h"
#include "output/response_spool.h"

enum {
    PASSENGER_DELIVERY_FLUSH = 1,    /* the client is to see all of it now; else, more is to come at once */
    PASSENGER_DELIVERY_LAST = 2      /* the brigade holds the end of the response */
};

typedef struct passenger_delivery {
    request_rec *r;
    passenger_outlet outlet;
    passenger_response_spool spool;
    apr_file_t *reader;            /* of the spool's file */
    apr_bucket_brigade *brigade;   /* the newest part; its owner appends to it */
    apr_bucket_brigade *piece;     /* what is kept, on its way to the filters */
    int mode;                      /* as last told to pass */
    int is_flush_owed;             /* to the client, behind all that waits */
    apr_time_t last_since;         /* since when the end of the response is in the brigade; 0: it is not (monotonic, as all times here) */
    int is_stuck;                  /* the brigade could neither be passed on nor kept: nothing may be added to it */
    apr_time_t waiting_since;      /* since when the worker waits for the client, rather than a file; 0: it does not */
    apr_interval_time_t patience;  /* how long it still may */
    int has_warned;                /* that there is no room in the file */
    int has_passed;                /* something has gone to the filters: the status cannot be changed any more */
    apr_status_t status;           /* of the filters; an error: the client takes nothing more */
} passenger_delivery;

void passenger_delivery_begin(passenger_delivery *delivery, request_rec *r);

/* Passes on or keeps what the brigade holds. `mode`: the flags above. */
void passenger_delivery_pass(passenger_delivery *delivery, int mode);

/* Goes on with what waits for the client, which can take more. */
void passenger_delivery_continue(passenger_delivery *delivery);

/* Whether anything has still to be passed on, or, with FLUSH and LAST, be taken by the client. */
int passenger_delivery_is_pending(const passenger_delivery *delivery);

/* Whether something is kept that came before the brigade. */
int passenger_delivery_is_keeping(const passenger_delivery *delivery);

/* When keep_times has something to do; 0: never. */
apr_time_t passenger_delivery_deadline(const passenger_delivery *delivery);

/* Gives up a client that takes nothing for as long as Timeout allows. When the end of the response is known, leaves what
 * waits to httpd, as a file, if httpd can send that without this thread. */
void passenger_delivery_keep_times(passenger_delivery *delivery, apr_time_t now);

/* Gives up what has not been passed on, and frees what was needed for it. May be called again. */
void passenger_delivery_end(passenger_delivery *delivery);

#endif
