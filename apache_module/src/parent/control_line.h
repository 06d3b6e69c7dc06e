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

/* The messages of one configuration, encoded, on their way to the spawner. */
typedef struct passenger_control_queue passenger_control_queue;

/* The messages about `server` and its virtual hosts: begin, log..., vhosts..., prestart..., hook..., commit. NULL when one
 * would be too long. Lives in `pool`. The descriptors of the logs stay httpd's: the queue is of no use any more when the
 * configuration's pool has ended. */
passenger_control_queue *passenger_control_configuration(server_rec *server, const passenger_server_options *options,
                                                         uint64_t epoch, apr_pool_t *pool);

/* How much room in the line the messages take that have not been sent yet: bytes, rather more than less. */
size_t passenger_control_queue_size(const passenger_control_queue *queue);

/* Sends as many messages as the line takes. Never blocks. Returns APR_SUCCESS when all have been sent, APR_EAGAIN when the
 * line takes no more now, else why it cannot be used. */
apr_status_t passenger_control_send(int control, passenger_control_queue *queue);

enum {
    PASSENGER_STATUS_ALIVE = 1,     /* the spawner has sent anything */
    PASSENGER_STATUS_OPENED = 2     /* it has sent `opened` */
};

/* What the spawner has sent since the last call: bits of the above. Takes the messages out of the line. Never
 * blocks. */
int passenger_control_read_status(int control);

#endif
