/* response_parser.h: from the worker's bytes to httpd's response.
 *
 * Fed with what the worker sent, it sets status and headers of the request's response and appends the body to a
 * brigade, checking both. What an app answers is untrusted. States: HEAD until the head is complete, then BODY, then
 * one of the ends. One per attempt to forward a request, for the thread that processes it; in the request's pool. It
 * never waits for the worker and logs nothing but what is wrong with a file; small files that the worker passes are read
 * at once, which may block as disks do; a `103` is sent to the client as httpd sends it.
 */
#ifndef JUMPSEAT_RESPONSE_PARSER_H
#define JUMPSEAT_RESPONSE_PARSER_H

#include <httpd.h>
#include <apr_buckets.h>

#include "core/backend.h"
#include "core/frames.h"
#include "core/http_body.h"
#include "core/response_head.h"
#include "core/worker_load.h"

/* In this order: nothing more is expected from the worker in the states behind BODY. */
typedef enum passenger_response_state {
    PASSENGER_RESPONSE_HEAD,         /* the head is not complete */
    PASSENGER_RESPONSE_BODY,         /* status and headers are set; the body goes on */
    PASSENGER_RESPONSE_COMPLETE,     /* all has come */
    PASSENGER_RESPONSE_BAD_HEAD,     /* refused before any of it was sent: head.refusal; none: the head was cut */
    PASSENGER_RESPONSE_BROKEN        /* the body is not what was announced; see `fault` */
} passenger_response_state;

/* Why a body is broken. */
typedef enum passenger_response_fault {
    PASSENGER_RESPONSE_NO_FAULT,
    PASSENGER_RESPONSE_TOO_LONG,     /* more bytes than Content-Length */
    PASSENGER_RESPONSE_TOO_SHORT,    /* fewer */
    PASSENGER_RESPONSE_BAD_FRAME,
    PASSENGER_RESPONSE_BAD_CHUNK,    /* of HTTP */
    PASSENGER_RESPONSE_BAD_FILE,     /* of a file frame; response_file.c has logged why */
    PASSENGER_RESPONSE_BEHIND_END,   /* bytes behind the end frame */
    PASSENGER_RESPONSE_APP_FAILED,   /* the worker says so; its id is the request's */
    PASSENGER_RESPONSE_CUT           /* the connection ended before the body was complete */
} passenger_response_fault;

typedef struct passenger_response_parser {
    request_rec *r;
    passenger_backend *backend;       /* gives the descriptors of file frames */
    apr_bucket_brigade *brigade;      /* gets the body; its buckets point into the bytes that were fed */
    passenger_response_state state;
    passenger_response_fault fault;   /* set once BROKEN */
    passenger_response_head head;
    passenger_frames frames;          /* of a body behind a head of CGI */
    passenger_http_body http;         /* of one behind a head of HTTP */
    int64_t expected;                 /* body bytes still announced by Content-Length; -1: not announced */
    int file_count;                   /* open files in the brigade; the caller sets 0 when it has sent the brigade */
    int is_bodyless;                  /* HEAD, 204, 304: what comes as body is dropped */
    int overriding_status;            /* with which httpd answers, whatever else comes (PassengerErrorOverride); or 0 */
    apr_time_t overridden_since;      /* since when that is known */
    apr_size_t dropped;               /* bytes of the body in whose place httpd answers */
    int is_acknowledged;              /* the worker has accepted the request; see head.route */
    int is_too_late;                  /* and has then found that this was too late, and not called the app */
    int wants_continue;               /* the worker reads the body: the client may get `100`; the caller resets it */
    int may_keep_connection;          /* COMPLETE: the worker's connection takes another request */
    int slot;                         /* then: which worker it is, or PASSENGER_NO_WORKER */
} passenger_response_parser;

/* Begins with an empty response. Its body comes in frames or raw, or as HTTP frames it, as the loader's capabilities and
 * the head say. The other arguments stay the caller's. */
void passenger_response_parser_begin(passenger_response_parser *parser, request_rec *r, passenger_backend *backend,
                                     apr_bucket_brigade *brigade, unsigned capabilities);

/* Parses the worker's next bytes, which must stay valid until the brigade has been sent or kept. */
void passenger_response_parser_feed(passenger_response_parser *parser, const char *bytes, size_t length);

/* Nothing more can be received. `is_closed`: because the worker has closed the connection, which completes a raw body
 * that is as long as was announced; else nobody knows what the worker has sent. Unless all has come, the response is
 * broken. */
void passenger_response_parser_end_of_input(passenger_response_parser *parser, int is_closed);

/* When passenger_response_parser_check_times() has something to do; 0: never. */
apr_time_t passenger_response_parser_deadline(const passenger_response_parser *parser);

/* Stops waiting for the rest of a body in whose place httpd answers, when its time is over. */
void passenger_response_parser_check_times(passenger_response_parser *parser, apr_time_t now);

#endif
