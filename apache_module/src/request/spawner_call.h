/* spawner_call.h: one message to the spawner, and its answer (docs/protocol.md, section 4, "Child to spawner").
 *
 * One connection per message, opened and closed here. Any thread of an httpd child. Knows no httpd.
 */
#ifndef JUMPSEAT_SPAWNER_CALL_H
#define JUMPSEAT_SPAWNER_CALL_H

#include <apr_pools.h>
#include <apr_time.h>

#include "core/group_cache.h"

typedef struct passenger_question {
    const char *path;       /* of the spawner's SEQPACKET socket */
    const char *bytes;      /* one netstring message */
    apr_size_t length;
    apr_time_t deadline;    /* for the answer; of passenger_monotonic_now() */
    int stop_event;         /* a descriptor that is readable when nothing is to be waited for any more; -1: none */
} passenger_question;

typedef struct passenger_answer {
    const char *bytes;      /* one netstring message, in the pool given */
    apr_size_t length;
    int descriptor;         /* that came with it, the caller's; -1: none */
} passenger_answer;

/* Sends one message to the SEQPACKET socket at `path`, once, without blocking. APR_SUCCESS when it is in the spawner's
 * queue. */
apr_status_t passenger_spawner_send(const char *path, const char *message, apr_size_t length);

/* Sends the question and blocks until the answer comes, at most until its deadline. Tries again while the spawner is
 * being restarted. APR_SUCCESS; ECANCELED by the stop event; or why the last attempt failed. */
apr_status_t passenger_spawner_ask(apr_pool_t *pool, const passenger_question *question, passenger_answer *answer);

typedef enum passenger_answer_kind {
    PASSENGER_ANSWER_REGISTERED,
    PASSENGER_ANSWER_REFUSED,
    PASSENGER_ANSWER_MALFORMED
} passenger_answer_kind;

/* Reads the answer to a `register` message: the group's address when it is registered, the spawner's reason (or NULL)
 * when it is refused. Both point into the answer. */
passenger_answer_kind passenger_answer_read(const passenger_answer *answer, passenger_group_address *address,
                                            const char **reason);

#endif
