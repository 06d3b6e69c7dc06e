#include "request/app_type.h"

#include <string.h>

#include <apr_strings.h>

#include "config/generated/app_types.h"

/* The type of this name. Every name that a directive can have is in the table. */
static const passenger_app_type *type_named(const char *name)
{
    const passenger_app_type *type = passenger_app_types;
    while (type->name != NULL && strcmp(type->name, name) != 0) {
        type++;
    }
    return type;
}

static int ends_with(const char *text, const char *ending, apr_size_t length)
{
    apr_size_t whole = strlen(text);
    return whole > length && memcmp(text + whole - length, ending, length) == 0;
}

static int has_ending_of(const char *file, const passenger_app_type *type)
{
    const char *ending = type->endings;
    while (*ending != '\0') {
        apr_size_t length = strcspn(ending, " ");
        if (ends_with(file, ending, length)) {
            return 1;
        }
        ending += length + strspn(ending + length, " ");
    }
    return 0;
}

/* The type that a configured entry file has by its ending; the first one if the ending says nothing. */
static const passenger_app_type *type_of_file(const char *file)
{
    for (const passenger_app_type *type = passenger_app_types; type->name != NULL; type++) {
        if (has_ending_of(file, type)) {
            return type;
        }
    }
    return passenger_app_types;
}

static passenger_detection detect(request_rec *r, const char *app_root, const char *file, const char **path)
{
    *path = apr_pstrcat(r->pool, app_root, "/", file, NULL);
    return passenger_detect_file(r->pool, *path, passenger_server_stat_throttle_rate(passenger_server_wide_options()));
}

/* Looks for the entry file of each type. */
static passenger_detection detect_any(request_rec *r, const char *app_root, passenger_app_kind *kind,
                                      const char **path)
{
    for (const passenger_app_type *type = passenger_app_types; type->name != NULL; type++) {
        passenger_detection detection = detect(r, app_root, type->startup_file, path);
        if (detection != PASSENGER_APP_ABSENT) {
            *kind = (passenger_app_kind){type->name, type->startup_file};
            return detection;
        }
    }
    const char *files = passenger_app_types[0].startup_file;
    for (const passenger_app_type *type = passenger_app_types + 1; type->name != NULL; type++) {
        files = apr_pstrcat(r->pool, files, type[1].name == NULL ? " or " : ", ", type->startup_file, NULL);
    }
    *path = apr_pstrcat(r->pool, app_root, "/", files, NULL);
    return PASSENGER_APP_ABSENT;
}

passenger_detection passenger_find_app_kind(request_rec *r, const passenger_dir_options *options, const char *app_root,
                                            passenger_app_kind *kind, const char **path)
{
    const char *file = passenger_dir_startup_file(options);
    const char *name = passenger_dir_app_type(options);
    *path = app_root;
    if (passenger_dir_app_start_command(options) != NULL) {
        *kind = (passenger_app_kind){PASSENGER_PROGRAM_TYPE, "."};
        return PASSENGER_APP_FOUND;
    }
    if (name != NULL) {
        /* Nobody looks for the entry file here: when it is missing, the spawner says so. */
        *kind = (passenger_app_kind){name, file != NULL ? file : type_named(name)->startup_file};
        return passenger_dir_app_root(options) != NULL ? PASSENGER_APP_FOUND : PASSENGER_APP_ABSENT;
    }
    if (file == NULL) {
        return detect_any(r, app_root, kind, path);
    }
    *kind = (passenger_app_kind){type_of_file(file)->name, file};
    return detect(r, app_root, file, path);
}
