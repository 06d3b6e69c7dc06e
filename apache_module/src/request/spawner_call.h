/* spawner_call.h: one message to the spawner, and its answer (docs/protocol.md, section 4, "Child to spawner").
 *
 * One connection per message, opened and closed here. Any thread of an httpd child.
 */
#ifndef JUMPSEAT_SPAWNER_CALL_H
#define JUMPSEAT_SPAWNER_CALL_H

#include <apr_pools.h>
#include <apr_time.h>

typedef struct passenger_answer {
    const char *bytes;      /* one netstring message, in the pool given */
    apr_size_t length;
} passenger_answer;

/* Sends one message to the SEQPACKET socket at `path`, once, without blocking. APR_SUCCESS when it is in the spawner's
 * queue. */
apr_status_t passenger_spawner_send(const char *path, const char *message, apr_size_t length);

/* Sends `question` there and blocks until the answer comes, at most until `deadline` (of passenger_monotonic_now()).
 * Tries again while the spawner is being restarted. APR_SUCCESS, or why the last attempt failed. */
apr_status_t passenger_spawner_ask(apr_pool_t *pool, const char *path, const char *question, apr_size_t length,
                                   apr_time_t deadline, passenger_answer *answer);

#endif
