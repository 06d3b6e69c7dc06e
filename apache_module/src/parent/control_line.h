/* control_line.h: what httpd's parent and the spawner say to each other on the control line (docs/protocol.md, section
 * 4).
 *
 * The line belongs to spawner_handles.c. Called in httpd's parent, in its only thread.
 */
#ifndef JUMPSEAT_CONTROL_LINE_H
#define JUMPSEAT_CONTROL_LINE_H

#include <stdint.h>

#include <apr_pools.h>
#include <httpd.h>

#include "config/generated/options.h"

/* Sends the configuration of `server` and its virtual hosts: begin, log..., vhosts..., prestart..., hook..., commit.
 * Blocks at most until `deadline` (of passenger_monotonic_now()). Returns APR_TIMEUP when the spawner did not take the
 * messages by then, APR_ENOSPC when one would be too long. What it needs lives in `pool`. */
apr_status_t passenger_control_configure(int control, server_rec *server, const passenger_server_options *options,
                                         uint64_t epoch, apr_time_t deadline, apr_pool_t *pool);

enum {
    PASSENGER_STATUS_ALIVE = 1,     /* the spawner has sent anything */
    PASSENGER_STATUS_OPENED = 2     /* it has sent `opened` */
};

/* What the spawner has sent since the last call: bits of the above. Takes the messages out of the line. Never
 * blocks. */
int passenger_control_read_status(int control);

#endif
