/* overflow_report.h: tells the spawner of requests that were refused because a queue was full (docs/protocol.md,
 * section 4, `queue_full`), for `status` and for the hook queue_full_error.
 *
 * One memory per httpd child, shared by its threads behind a lock. Never blocks on the spawner: what it cannot take now
 * is told later, and once a second at most.
 */
#ifndef JUMPSEAT_OVERFLOW_REPORT_H
#define JUMPSEAT_OVERFLOW_REPORT_H

#include <httpd.h>

/* Hook child_init. */
void passenger_overflow_report_child_init(apr_pool_t *child_pool);

/* A request of the app group `group` has been refused. Any thread. */
void passenger_overflow_report_add(request_rec *r, const char *group);

/* Tells what is still to be told, if it is time; to be called now and then. Costs next to nothing when there is
 * nothing. Any thread. */
void passenger_overflow_report_go_on(request_rec *r);

#endif
