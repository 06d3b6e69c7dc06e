/* What httpd's parent says to the spawner on its control line (docs/protocol.md, section 4). */
#ifndef PASSENGER_CONTROL_LINE_H
#define PASSENGER_CONTROL_LINE_H

#include <stdint.h>

#include <apr_pools.h>
#include <httpd.h>

#include "config/generated/options.h"

/* Sends the configuration of `server` and its virtual hosts: begin, log..., prestart..., hook..., commit. Blocks at most
 * until `deadline` (of passenger_monotonic_now()); APR_TIMEUP when the spawner did not take the messages by then,
 * APR_ENOSPC when one would be too long. */
apr_status_t passenger_control_configure(int control, server_rec *server, const passenger_server_options *options,
                                         uint64_t epoch, apr_time_t deadline, apr_pool_t *pool);

enum {
    PASSENGER_HEARD = 1,            /* anything */
    PASSENGER_HEARD_OPENED = 2      /* `opened` */
};

/* What the spawner has said since the last call, which is taken out of the line: bits of the above. Never blocks. */
int passenger_control_hear(int control);

#endif
