/* mapping.h: which requests go to an app, and to which one.
 *
 * The decision is made in the hook type_checker, before mod_mime and mod_negotiation: an existing regular file stays
 * Apache's, a cached page is found, the rest belongs to the app. It takes effect in the hook fixups, where any other
 * handler wins. The result lives in the request's pool; only the thread that processes the request may touch it.
 */
#ifndef JUMPSEAT_MAPPING_H
#define JUMPSEAT_MAPPING_H

#include <httpd.h>
#include <apr_tables.h>

#include "request/app_type.h"

#define PASSENGER_HANDLER "passenger-handler"

typedef struct passenger_mapping {
    const char *original_uri;    /* r->uri before anything could rewrite it; NULL if it was never translated */
    int is_for_app;              /* decided: an app answers, unless another handler turns up */
    const char *base_uri;        /* where the app is mounted: "" or "/path" without slash at the end */
    const char *app_root;        /* absolute, as configured: the spawner resolves links in it */
    passenger_app_kind kind;     /* of which type the app is */
    const char *public_dir;      /* the folder of static files that belongs to the app */
} passenger_mapping;

/* What was decided for the request; NULL when it never came by our hooks. */
passenger_mapping *passenger_mapping_of(const request_rec *r);

/* Hook translate_name, first of all: saves the URI. Does not block. */
int passenger_mapping_save_uri(request_rec *r);

/* Hook post_perdir_config: whether the .htaccess files of the request may say what they say of its app
 * (PassengerAllowHtaccess). Returns DECLINED or, logged, HTTP_INTERNAL_SERVER_ERROR. Does not block. */
int passenger_mapping_check_htaccess(request_rec *r);

/* Hook type_checker, before mod_mime and mod_negotiation: decides. May block as file systems do. */
int passenger_mapping_decide(request_rec *r);

/* Hook fixups, after core, mod_proxy and mod_rewrite, before mod_dir: sets our handler if there is no other one.
 * Does not block. */
int passenger_mapping_set_handler(request_rec *r);

#endif
