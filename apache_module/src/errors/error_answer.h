/* error_answer.h: what a client gets when the module itself has to answer an error.
 *
 * Where the administrator has an ErrorDocument for the status, httpd answers with that; else the client gets a short
 * page or, if it prefers that, JSON. Neither names a cause: both carry an id that is also in the log line of the cause.
 * For the thread that processes the request; everything lives in its pool. Only passenger_error_answer() blocks: it
 * sends to the client.
 */
#ifndef JUMPSEAT_ERROR_ANSWER_H
#define JUMPSEAT_ERROR_ANSWER_H

#include <httpd.h>

/* The id of the request's error, eight hexadecimal digits. The first call makes it. It is also the note
 * `passenger-error-id` (LogFormat's %{passenger-error-id}n) and the variable PASSENGER_ERROR_ID, which an ErrorDocument
 * sees as REDIRECT_PASSENGER_ERROR_ID. Lives as long as the request. */
const char *passenger_error_id(request_rec *r);

/* Gives the request the id of an error that the app's worker or the spawner has logged. */
void passenger_error_id_set(request_rec *r, const char *id);

/* Asks the client, in the error that it will get, to come again in a second (Retry-After). */
void passenger_error_retry_later(request_rec *r);

/* Lets the page of the request's 503 say that the application cannot be started, and not that it is too busy. */
void passenger_error_no_spawner(request_rec *r);

/* Has httpd answer the request's error in any case, with its ErrorDocument or its own page. */
void passenger_error_leave_to_httpd(request_rec *r);

/* Answers `status`, whose cause has been logged. To be called before anything has been sent to the client. Returns what
 * the handler returns: OK, or the status where httpd is to answer. */
int passenger_error_answer(request_rec *r, int status);

#endif
