/* overflow_report.h: tells the spawner of requests that were refused because a queue was full (docs/protocol.md,
 * section 4, `queue_full`), for `status` and for the hook queue_full_error.
 *
 * One store of counts per httpd child, shared by its threads behind a lock; it lives as long as the child. Never waits
 * for the spawner: a report that cannot be sent now is sent later. At most one report a second. Any thread of a child.
 */
#ifndef JUMPSEAT_OVERFLOW_REPORT_H
#define JUMPSEAT_OVERFLOW_REPORT_H

#include <httpd.h>

/* Hook child_init: makes the store. */
void passenger_overflow_report_child_init(apr_pool_t *child_pool);

/* A request of the app group `group` has been refused: counts it, and sends the report if it is time. */
void passenger_overflow_report_add(request_rec *r, const char *group);

/* Sends a report that is due, if there is one. To be called with each request: it costs next to nothing when there is
 * none. */
void passenger_overflow_report_send_due(request_rec *r);

#endif
