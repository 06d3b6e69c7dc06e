/* relay.h: from the worker's bytes to httpd's response.
 *
 * Fed with what the worker sent, it fills the request's response and gives its body to the delivery, which keeps what
 * the client does not take at once. It never waits for the worker. States: HEAD until the head is complete, then BODY, then one of the ends.
 * For the thread that processes the request; lives in the request's pool.
 */
#ifndef JUMPSEAT_RELAY_H
#define JUMPSEAT_RELAY_H

#include <httpd.h>
#include <apr_buckets.h>

#include "core/backend.h"
#include "output/delivery.h"
#include "core/frames.h"
#include "core/response_head.h"

typedef enum passenger_relay_state {
    PASSENGER_RELAY_HEAD,         /* the head is not complete */
    PASSENGER_RELAY_BODY,         /* status and headers are set; the body goes on */
    PASSENGER_RELAY_COMPLETE,     /* all has come; the delivery may not be over */
    PASSENGER_RELAY_BAD_HEAD,     /* refused before anything was passed on; logged */
    PASSENGER_RELAY_BROKEN,       /* the body is not what was announced; logged */
    PASSENGER_RELAY_CLIENT_LEFT   /* the output filters take nothing more */
} passenger_relay_state;

typedef struct passenger_relay {
    request_rec *r;
    const char *app;                  /* the app group's key, for the log; set by the caller */
    passenger_backend *backend;       /* gives the descriptors of file frames */
    passenger_relay_state state;
    passenger_response_head head;
    passenger_frames frames;
    passenger_delivery delivery;      /* its brigade points into the bytes that were fed */
    int64_t expected;                 /* body bytes still announced by Content-Length; -1: not announced */
    int file_count;                   /* of those in the brigade */
    int is_bodyless;                  /* HEAD, 204, 304: what comes as body is dropped */
    apr_time_t overridden_since;      /* since when it is known that httpd answers (PassengerErrorOverride); 0: no */
    apr_size_t dropped;               /* bytes of the body in whose place httpd answers */
    int is_taken;                     /* the worker has said that it has taken the request; see head.route */
    int is_late;                      /* it has said since that this was too late, and has not run it */
    int wants_continue;               /* the worker reads the body: the client may be told `100`; the caller resets it */
} passenger_relay;

void passenger_relay_begin(passenger_relay *relay, request_rec *r, passenger_backend *backend);

/* Takes the worker's next bytes, which must stay until the delivery is not stuck after passenger_relay_pass(). */
void passenger_relay_feed(passenger_relay *relay, const char *bytes, size_t length);

/* The worker has closed the connection. Unless all had come, the response is broken. */
void passenger_relay_end_of_input(passenger_relay *relay);

/* Passes on or keeps what has been fed, with a flush if the client shall see it now. */
void passenger_relay_pass(passenger_relay *relay, int flush);

/* Goes on with what waits for the client, which can take more. */
void passenger_relay_continue(passenger_relay *relay);

/* Whether the worker has said all that is to be heard of it. */
int passenger_relay_is_answered(const passenger_relay *relay);

/* Whether the worker is not needed any more, but the client has not got everything. */
int passenger_relay_is_delivering(const passenger_relay *relay);

/* The status with which httpd is to answer, whatever else has become of the response (PassengerErrorOverride), or 0. */
int passenger_relay_overriding_status(const passenger_relay *relay);

/* When passenger_relay_keep_times() has something to do; 0: never. */
apr_time_t passenger_relay_deadline(const passenger_relay *relay);

/* Sees to what is due at a time: see passenger_delivery_keep_times(). */
void passenger_relay_keep_times(passenger_relay *relay, apr_time_t now);

/* Whether the brigade holds as many open files as it may: it is to be passed before more is fed. */
int passenger_relay_is_full(const passenger_relay *relay);

/* Ends a broken response so that no client can take it for complete. Returns what the handler returns: `status` as long
 * as nothing has been passed, else OK. */
int passenger_relay_give_up(passenger_relay *relay, int status);

/* Whose response it is, for a line of the log: the app, the request without its query, the worker where it is known. */
const char *passenger_relay_about(const passenger_relay *relay);

/* Frees what the delivery needed. */
void passenger_relay_end(passenger_relay *relay);

#endif
