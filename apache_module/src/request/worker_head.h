/* worker_head.h: the head of a request as a worker gets it, on both wires (docs/protocol.md, sections 2 and 10).
 *
 * The client's request, the app's environment, and our extensions as far as the loader has the capabilities for them.
 * Everything is in the request's pool; for the thread that processes the request. Nothing blocks, but what
 * environment.h names.
 */
#ifndef JUMPSEAT_WORKER_HEAD_H
#define JUMPSEAT_WORKER_HEAD_H

#include <httpd.h>

#include "core/deadlines.h"
#include "core/group_cache.h"
#include "proxy/request_body.h"
#include "request/mapping.h"

typedef struct passenger_worker_head {
    request_rec *r;
    const passenger_mapping *mapping;
    const passenger_request_body *body;
    const passenger_group_address *address;   /* of the app */
    const passenger_time_limits *limits;      /* of this attempt */
    int wants_acknowledgement;                /* the worker is to say when it accepts the request */
    int has_start_before;                     /* it is told limits->start_before without that */
} passenger_worker_head;

/* Encodes the head. Returns OK, or the status that the client gets: logged. */
int passenger_worker_head_encode(const passenger_worker_head *head, const char **bytes, size_t *size);

#endif
