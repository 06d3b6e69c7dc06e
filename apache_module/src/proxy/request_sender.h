/* request_sender.h: the way of a request to the worker: its head, then its body as the client sends it.
 *
 * The head, and a body in memory or the descriptor of its file, have been queued at the backend by the caller. A file
 * that the loader does not take as a descriptor is read part by part, from its beginning with each attempt. A streamed
 * body is read from the client part by part and without blocking; with it comes the question when the client gets
 * `100 Continue`. One per attempt to forward a request, for the thread that processes it; in the request's pool.
 * Nothing blocks, but files are read as disks do, and `100 Continue` is sent to the client as httpd sends it.
 */
#ifndef JUMPSEAT_REQUEST_SENDER_H
#define JUMPSEAT_REQUEST_SENDER_H

#include <httpd.h>

#include "core/backend.h"
#include "proxy/request_body.h"

/* Times are those of passenger_monotonic_now(). */
typedef struct passenger_request_sender {
    request_rec *r;
    passenger_backend *backend;
    passenger_request_body *body;
    char *outgoing;                  /* the part of a streamed body, or of a file, that is being sent */
    apr_off_t file_sent;             /* how much of the body's file has been queued */
    apr_off_t file_length;           /* how much of it is to be sent inline; 0: none */
    int worker_takes_body;           /* the worker still takes request body; set 0 when it has answered */
    apr_time_t body_awaited_since;   /* since when the client has sent no more body; 0: nobody waits for it */
    apr_time_t continue_at;          /* when to send `100` without the worker's word; 0: not to be sent */
    int client_has_left;             /* found out by reading the body */
    int body_error;                  /* an HTTP status when the request body cannot be read; else 0 */
} passenger_request_sender;

/* Begins to send. `capabilities`: of the loader. A client that waits for `100` gets it at once, if the loader does not
 * say when. All arguments stay the caller's. */
void passenger_request_sender_begin(passenger_request_sender *sender, request_rec *r, passenger_backend *backend,
                                    passenger_request_body *body, unsigned capabilities);

/* Sends as much as the worker takes and the client has sent. */
void passenger_request_sender_send(passenger_request_sender *sender);

/* The worker reads the body: tells the client so, unless that is not waiting or `is_answered`. */
void passenger_request_sender_continue(passenger_request_sender *sender, int is_answered);

/* The worker has answered: it takes no more body. */
void passenger_request_sender_stop(passenger_request_sender *sender);

/* Whether the worker has taken the whole request. */
int passenger_request_sender_is_done(const passenger_request_sender *sender);

/* When passenger_request_sender_check_times() has something to do; 0: never. */
apr_time_t passenger_request_sender_deadline(const passenger_request_sender *sender);

/* Does what is due at `now`: sends `100` when the worker does not ask for it; gives up a body that does not come. */
void passenger_request_sender_check_times(passenger_request_sender *sender, apr_time_t now, int is_answered);

#endif
