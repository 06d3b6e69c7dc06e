#include "proxy/sticky_session.h"

#include <http_protocol.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "request/environment.h"
#include "core/route_cookie.h"

#define SOCKET_SUFFIX ".sock"

void passenger_sticky_session_begin(passenger_sticky_session *session, request_rec *r, const passenger_mapping *mapping)
{
    const passenger_dir_options *options = passenger_options_of(r);
    session->is_on = passenger_dir_sticky_sessions(options);
    session->base_uri = mapping->base_uri;
    session->shown[0] = '\0';
    if (session->is_on) {
        passenger_route_cookie_find(apr_table_get(r->headers_in, "Cookie"),
                                    passenger_dir_sticky_sessions_cookie_name(options), session->shown);
    }
}

const char *passenger_sticky_session_socket(const passenger_sticky_session *session, request_rec *r,
                                            const char *group_socket)
{
    size_t length = strlen(group_socket);
    size_t suffix = strlen(SOCKET_SUFFIX);
    if (!session->is_on || session->shown[0] == '\0' || length <= suffix
        || strcmp(group_socket + length - suffix, SOCKET_SUFFIX) != 0) {
        return NULL;
    }
    return apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, group_socket, length - suffix), ".", session->shown,
                       SOCKET_SUFFIX, NULL);
}

/* `Path=/shop; `: where the app is mounted, as a client spells it. A semicolon would end the attribute: such an app's
 * cookie is shown to the whole site. */
static const char *path_of(const passenger_sticky_session *session, request_rec *r)
{
    const char *path = session->base_uri[0] != '\0' ? ap_os_escape_path(r->pool, session->base_uri, 1) : "/";
    return apr_pstrcat(r->pool, "Path=", strchr(path, ';') == NULL ? path : "/", NULL);
}

static const char *attributes_of(const passenger_sticky_session *session, request_rec *r)
{
    const char *configured = passenger_dir_sticky_sessions_cookie_attributes(passenger_options_of(r));
    if (configured == NULL) {
        configured = passenger_environment_is_https(r) ? "HttpOnly; SameSite=Lax; Secure" : "HttpOnly; SameSite=Lax";
    }
    if (configured[0] == '\0') {
        return path_of(session, r);
    }
    return passenger_route_cookie_has_path(configured)
               ? configured : apr_pstrcat(r->pool, path_of(session, r), "; ", configured, NULL);
}

void passenger_sticky_session_keep(const passenger_sticky_session *session, request_rec *r, const char *route)
{
    if (route[0] == '\0' || strcmp(route, session->shown) == 0) {
        return;
    }
    const char *caching = apr_table_get(r->headers_out, "Cache-Control");
    if (caching != NULL && (ap_find_token(r->pool, caching, "public") || ap_find_token(r->pool, caching, "s-maxage"))) {
        return;
    }
    if (caching == NULL
        || (!ap_find_token(r->pool, caching, "private") && !ap_find_token(r->pool, caching, "no-store"))) {
        apr_table_mergen(r->headers_out, "Cache-Control", "private");
    }
    const char *name = passenger_dir_sticky_sessions_cookie_name(passenger_options_of(r));
    apr_table_addn(r->err_headers_out, "Set-Cookie",
                   apr_pstrcat(r->pool, name, "=", route, "; ", attributes_of(session, r), NULL));
}
