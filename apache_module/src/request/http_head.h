/* http_head.h: what the head of a request says to a backend that speaks HTTP/1.1 (docs/protocol.md, section 10).
 *
 * The counterpart of environment.h, which makes the head for SCGI. Everything lives in the request's pool; for the thread
 * that processes the request. Nothing blocks.
 */
#ifndef JUMPSEAT_HTTP_HEAD_H
#define JUMPSEAT_HTTP_HEAD_H

#include <httpd.h>

#include "core/http_request.h"
#include "proxy/request_body.h"
#include "request/mapping.h"

/* The request for passenger_http_request_write(), complete but for what depends on the app's loader. */
passenger_http_request passenger_http_head_of(request_rec *r, const passenger_mapping *mapping,
                                              const passenger_request_body *body);

#endif
