/* mapping.h: which requests go to an app, and to which one.
 *
 * The decision falls in type_checker, before mod_mime and mod_negotiation: an existing regular file stays Apache's, a
 * cached page is found, the rest belongs to the app. It takes effect in fixups, where any other handler wins. What was
 * decided lives in the request's pool; only the thread that processes the request may touch it.
 */
#ifndef JUMPSEAT_MAPPING_H
#define JUMPSEAT_MAPPING_H

#include <httpd.h>
#include <apr_tables.h>

#define PASSENGER_HANDLER "passenger-handler"

typedef struct passenger_mapping {
    const char *original_uri;    /* r->uri before anything could rewrite it; NULL if it was never translated */
    int is_mine;                 /* decided: an app answers, unless another handler turns up */
    const char *base_uri;        /* where the app is mounted: "" or "/path" without slash at the end */
    const char *app_root;        /* absolute, as configured: links in it are the spawner's to resolve */
    const char *public_dir;      /* the folder of static files that belongs to the app */
} passenger_mapping;

/* What was decided for the request; NULL when it never came by our hooks. */
passenger_mapping *passenger_mapping_of(const request_rec *r);

/* Hook translate_name, first of all: remembers the URI. */
int passenger_mapping_remember(request_rec *r);

/* Hook type_checker, before mod_mime and mod_negotiation: decides. May stat files. */
int passenger_mapping_decide(request_rec *r);

/* Hook fixups, after core, mod_proxy and mod_rewrite, before mod_dir: becomes the handler if there is no other one. */
int passenger_mapping_take(request_rec *r);

#endif
