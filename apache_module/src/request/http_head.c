#include "request/http_head.h"

#include <http_core.h>
#include <http_protocol.h>
#include <apr_strings.h>

#include "request/environment.h"

/* HTTP/1.1 wants a Host, which a client of HTTP/1.0 need not send. */
static const char *host_of(request_rec *r)
{
    const char *host = apr_table_get(r->headers_in, "Host");
    apr_port_t port = ap_get_server_port(r);
    if (host != NULL && host[0] != '\0') {
        return host;
    }
    const char *name = ap_get_server_name_for_url(r);
    return ap_is_default_port(port, r) ? name : apr_psprintf(r->pool, "%s:%u", name, port);
}

static passenger_http_framing framing_of(passenger_body_kind kind)
{
    switch (kind) {
    case PASSENGER_BODY_MEMORY:
    case PASSENGER_BODY_FILE:
    case PASSENGER_BODY_STREAM:
        return PASSENGER_HTTP_LENGTH;
    case PASSENGER_BODY_FRAMED:
        return PASSENGER_HTTP_CHUNKED;
    case PASSENGER_BODY_NONE:
        break;
    }
    return PASSENGER_HTTP_NO_BODY;
}

passenger_http_request passenger_http_head_of(request_rec *r, const passenger_mapping *mapping,
                                              const passenger_request_body *body)
{
    return (passenger_http_request){
        .method = r->method,
        .target = passenger_environment_target(r, mapping),
        .host = host_of(r),
        .headers = r->headers_in,
        .client_address = r->useragent_ip,
        .is_https = passenger_environment_is_https(r),
        .framing = framing_of(body->kind),
        .length = body->length};
}
