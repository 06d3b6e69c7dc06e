#include "proxy/sticky_session.h"

#include <http_protocol.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "core/route_cookie.h"

#define SOCKET_SUFFIX ".sock"

void passenger_sticky_session_begin(passenger_sticky_session *session, request_rec *r, const char *base_uri,
                                    int is_https)
{
    const passenger_dir_options *options = passenger_options_of(r);
    session->options = options;
    session->is_on = passenger_dir_sticky_sessions(options);
    session->base_uri = base_uri;
    session->is_https = is_https;
    session->route[0] = '\0';
    if (session->is_on) {
        passenger_route_cookie_find(apr_table_get(r->headers_in, "Cookie"),
                                    passenger_dir_sticky_sessions_cookie_name(options), session->route);
    }
}

const char *passenger_sticky_session_socket(const passenger_sticky_session *session, request_rec *r,
                                            const char *group_socket)
{
    size_t length = strlen(group_socket);
    size_t suffix = strlen(SOCKET_SUFFIX);
    if (!session->is_on || session->route[0] == '\0' || length <= suffix
        || strcmp(group_socket + length - suffix, SOCKET_SUFFIX) != 0) {
        return NULL;
    }
    return apr_pstrcat(r->pool, apr_pstrmemdup(r->pool, group_socket, length - suffix), ".", session->route,
                       SOCKET_SUFFIX, NULL);
}

/* `Path=/shop`: where the app is mounted, as a client spells it. A semicolon would end the attribute: then the
 * cookie is for the whole host. */
static const char *path_of(const passenger_sticky_session *session, request_rec *r)
{
    const char *path = session->base_uri[0] != '\0' ? ap_os_escape_path(r->pool, session->base_uri, 1) : "/";
    return apr_pstrcat(r->pool, "Path=", strchr(path, ';') == NULL ? path : "/", NULL);
}

static const char *attributes_of(const passenger_sticky_session *session, request_rec *r)
{
    const char *configured = passenger_dir_sticky_sessions_cookie_attributes(session->options);
    if (configured == NULL) {
        configured = session->is_https ? "HttpOnly; SameSite=Lax; Secure" : "HttpOnly; SameSite=Lax";
    }
    if (configured[0] == '\0') {
        return path_of(session, r);
    }
    return passenger_route_cookie_has_path(configured)
               ? configured : apr_pstrcat(r->pool, path_of(session, r), "; ", configured, NULL);
}

void passenger_sticky_session_set_cookie(const passenger_sticky_session *session, request_rec *r, const char *route)
{
    if (route[0] == '\0' || strcmp(route, session->route) == 0) {
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
    const char *name = passenger_dir_sticky_sessions_cookie_name(session->options);
    apr_table_addn(r->err_headers_out, "Set-Cookie",
                   apr_pstrcat(r->pool, name, "=", route, "; ", attributes_of(session, r), NULL));
}
