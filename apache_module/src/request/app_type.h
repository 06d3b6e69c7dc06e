/* app_type.h: of which type the app of a request is, and which file is its entry file.
 *
 * PassengerAppStartCommand and PassengerAppType say it, else the ending of PassengerStartupFile, else the entry file that
 * is there (app_detection.h). The types are generated from apache_module/app_types.py. Any thread of a child.
 */
#ifndef JUMPSEAT_APP_TYPE_H
#define JUMPSEAT_APP_TYPE_H

#include <httpd.h>

#include "config/configuration.h"
#include "request/app_detection.h"

typedef struct passenger_app_kind {
    const char *type;            /* name of the app type */
    const char *startup_file;    /* relative to the app root; "." for an app that has none */
} passenger_app_kind;

/* Looks for an app below `app_root`. FOUND: `*kind` says of which type it is. Else `*path` is where Apache's user may not
 * look, or what is missing, for a log line. Both live in the request's pool. Stats files, and so may block as file
 * servers do. */
passenger_detection passenger_find_app_kind(request_rec *r, const passenger_dir_options *options, const char *app_root,
                                            passenger_app_kind *kind, const char **path);

#endif
