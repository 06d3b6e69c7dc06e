/* error_answer.h: what a client gets when the module itself has to answer an error.
 *
 * Where the administrator has an ErrorDocument for the status, that one answers; else a short page or, for a client
 * that prefers it, JSON. Neither names a cause: both carry an id that stands in the log line of the cause. For the
 * thread that processes the request; sending waits for the client.
 */
#ifndef JUMPSEAT_ERROR_ANSWER_H
#define JUMPSEAT_ERROR_ANSWER_H

#include <httpd.h>

/* The Content-Security-Policy of every error page that the server writes: it loads nothing from anywhere. The pages of
 * workers and of the spawner have the same one (spawner/shared/error_page.py). */
#define PASSENGER_ERROR_PAGE_POLICY "default-src 'none'; style-src 'unsafe-inline'"

/* The id of the request's error, eight hexadecimal digits: made when first asked for. It is also the note
 * `passenger-error-id` (LogFormat's %{passenger-error-id}n) and the variable PASSENGER_ERROR_ID, which an ErrorDocument
 * sees as REDIRECT_PASSENGER_ERROR_ID. Lives as long as the request. */
const char *passenger_error_id(request_rec *r);

/* Takes over the id of an error that the app's worker or the spawner has logged. */
void passenger_error_id_adopt(request_rec *r, const char *id);

/* Answers `status`, of which the cause has been logged. As long as nothing has been sent. Returns what the handler
 * returns: OK, or the status where httpd is to answer it. */
int passenger_error_answer(request_rec *r, int status);

#endif
