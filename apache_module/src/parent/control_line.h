/* control_line.h: what httpd's parent and the spawner say to each other on the control line (docs/protocol.md, section
 * 4).
 *
 * The line belongs to spawner_handles.c. Called in httpd's parent, in its only thread. Nothing blocks.
 */
#ifndef JUMPSEAT_CONTROL_LINE_H
#define JUMPSEAT_CONTROL_LINE_H

#include <stdint.h>

#include <httpd.h>

#include "config/generated/options.h"

/* Sends the configuration of `server` and its virtual hosts: begin, log..., vhosts..., prestart..., hook..., commit.
 * What the line does not take now is kept, in a pool below httpd's configuration, whose logs are sent; a newer
 * configuration takes its place. Returns APR_SUCCESS when all has been sent; APR_EAGAIN: some is kept; APR_ENOSPC, and
 * nothing is sent: a message would be too long; else why the line cannot be used. */
apr_status_t passenger_control_configure(int control, server_rec *server, const passenger_server_options *options,
                                         uint64_t epoch);

/* Sends what is kept, as far as the line takes it. Returns as above; APR_SUCCESS also when nothing is kept. */
apr_status_t passenger_control_continue(int control);

/* Forgets what is kept: the spawner has ended. */
void passenger_control_forget(void);

enum {
    PASSENGER_STATUS_ALIVE = 1,     /* the spawner has sent anything */
    PASSENGER_STATUS_OPENED = 2     /* it has sent `opened` */
};

/* What the spawner has sent since the last call: bits of the above. Takes the messages out of the line. Never
 * blocks. */
int passenger_control_read_status(int control);

#endif
