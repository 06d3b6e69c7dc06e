#include "config/value_check.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include <httpd.h>
#include <http_config.h>

enum { TEXT_LIMIT = 1024 };

static int is_all_digits(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

/* Whether one of the segments of `path` is "." or "..". */
static int has_dot_segment(const char *path)
{
    while (*path != '\0') {
        size_t length = strcspn(path, "/");

        if ((length == 1 && path[0] == '.') || (length == 2 && path[0] == '.' && path[1] == '.')) {
            return 1;
        }
        path += length + (path[length] == '/');
    }
    return 0;
}

const char *passenger_check_integer(apr_pool_t *pool, const char *value, int minimum, int maximum, int *result)
{
    apr_int64_t number;

    const char *digits = minimum < 0 && *value == '-' ? value + 1 : value;

    /* Eleven digits are beyond every bound and still within 64 bits. */
    if (!is_all_digits(digits) || strlen(digits) > 11 || (number = apr_atoi64(value)) < minimum || number > maximum) {
        return apr_psprintf(pool, "must be a number from %d to %d, not '%s'", minimum, maximum, value);
    }
    *result = (int)number;
    return NULL;
}

const char *passenger_check_choice(apr_pool_t *pool, const char *value, const char *const *choices,
                                   const char **result)
{
    const char *allowed = "";

    for (; *choices != NULL; choices += 2) {
        if (strcasecmp(value, choices[0]) == 0) {
            *result = choices[1];
            return NULL;
        }
        allowed = apr_pstrcat(pool, allowed, *allowed ? ", " : "", choices[0], NULL);
    }
    return apr_psprintf(pool, "must be one of %s, not '%s'", allowed, value);
}

const char *passenger_check_text(apr_pool_t *pool, const char *value, const char **result)
{
    if (*value == '\0') {
        return "must not be empty";
    }
    if (strlen(value) > TEXT_LIMIT) {
        return apr_psprintf(pool, "must not be longer than %d bytes", TEXT_LIMIT);
    }
    for (const char *at = value; *at != '\0'; at++) {
        if (apr_iscntrl(*at)) {
            return "must not contain control characters";
        }
    }
    *result = value;
    return NULL;
}

const char *passenger_check_token(apr_pool_t *pool, const char *value, const char **result)
{
    if (*value == '\0' || *ap_scan_http_token(value) != '\0') {
        return apr_psprintf(pool, "must be a name of letters, digits and !#$%%&'*+-.^_`~, not '%s'", value);
    }
    return passenger_check_text(pool, value, result);
}

const char *passenger_check_path_in_app(apr_pool_t *pool, const char *value, const char **result)
{
    return passenger_check_text(pool, value, result);
}

const char *passenger_check_file_in_app(apr_pool_t *pool, const char *value, const char **result)
{
    const char *wrong = passenger_check_text(pool, value, result);

    if (wrong != NULL) {
        return wrong;
    }
    if (value[0] == '/' || value[strlen(value) - 1] == '/' || has_dot_segment(value)) {
        return apr_psprintf(pool, "must be a file below the app root, as a relative path without '.' and '..', not "
                            "'%s'", value);
    }
    return NULL;
}

/* The absolute path without slashes at its end. NULL when the value is no path. */
static const char *absolute_path(apr_pool_t *pool, const char *value)
{
    char *path = *value != '\0' ? ap_server_root_relative(pool, value) : NULL;
    size_t length = path != NULL ? strlen(path) : 0;

    while (length > 1 && path[length - 1] == '/') {
        path[--length] = '\0';
    }
    return path;
}

const char *passenger_check_absolute_path(apr_pool_t *pool, const char *value, const char **result)
{
    const char *wrong = passenger_check_text(pool, value, result);
    size_t length = strlen(value);

    if (wrong != NULL) {
        return wrong;
    }
    if (value[0] != '/' || strstr(value, "//") != NULL || has_dot_segment(value)) {
        return apr_psprintf(pool, "must be an absolute path without '//', '.' and '..', not '%s'", value);
    }
    if (length > 1 && value[length - 1] == '/') {
        *result = apr_pstrmemdup(pool, value, length - 1);
    }
    return NULL;
}

static const char *check_is_directory(apr_pool_t *pool, const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0) {
        return apr_psprintf(pool, "folder %s: %s", path, strerror(errno));
    }
    return S_ISDIR(status.st_mode) ? NULL : apr_psprintf(pool, "%s is not a folder", path);
}

static const char *check_parent(apr_pool_t *pool, const char *path)
{
    const char *slash = strrchr(path, '/');

    return check_is_directory(pool, slash == path ? "/" : apr_pstrmemdup(pool, path, (apr_size_t)(slash - path)));
}

const char *passenger_check_directory(apr_pool_t *pool, const char *value, const char **result)
{
    const char *path = absolute_path(pool, value);

    if (path == NULL) {
        return apr_psprintf(pool, "'%s' is not a path", value);
    }
    *result = path;
    return check_is_directory(pool, path);
}

const char *passenger_check_created_directory(apr_pool_t *pool, const char *value, const char **result)
{
    const char *path = absolute_path(pool, value);

    if (path == NULL) {
        return apr_psprintf(pool, "'%s' is not a path", value);
    }
    *result = path;
    return access(path, F_OK) == 0 ? check_is_directory(pool, path) : check_parent(pool, path);
}

const char *passenger_check_read_file(apr_pool_t *pool, const char *value, const char **result)
{
    const char *path = absolute_path(pool, value);
    struct stat status;

    if (path == NULL) {
        return apr_psprintf(pool, "'%s' is not a path", value);
    }
    if (stat(path, &status) != 0) {
        return apr_psprintf(pool, "file %s: %s", path, strerror(errno));
    }
    *result = path;
    return S_ISREG(status.st_mode) ? NULL : apr_psprintf(pool, "%s is not a regular file", path);
}

const char *passenger_check_written_file(apr_pool_t *pool, const char *value, const char **result)
{
    const char *path = absolute_path(pool, value);
    struct stat status;

    if (path == NULL) {
        return apr_psprintf(pool, "'%s' is not a path", value);
    }
    *result = path;
    if (stat(path, &status) == 0) {
        return S_ISDIR(status.st_mode) ? apr_psprintf(pool, "%s is a folder, not a file", path) : NULL;
    }
    return check_parent(pool, path);
}

static int is_program(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* The first program of that name in PATH, or NULL. */
static const char *find_program(apr_pool_t *pool, const char *name)
{
    const char *folders = getenv("PATH");
    char *state = NULL;

    folders = apr_pstrdup(pool, folders != NULL ? folders : "/usr/local/bin:/usr/bin:/bin");
    for (char *folder = apr_strtok((char *)folders, ":", &state); folder != NULL;
         folder = apr_strtok(NULL, ":", &state)) {
        const char *path = apr_pstrcat(pool, folder, "/", name, NULL);

        if (folder[0] == '/' && is_program(path)) {
            return path;
        }
    }
    return NULL;
}

const char *passenger_check_interpreter(apr_pool_t *pool, const char *value, const char **result)
{
    if (*value == '\0') {
        return "must not be empty";
    }
    if (strchr(value, '/') == NULL) {
        *result = find_program(pool, value);
        return *result != NULL ? NULL : apr_psprintf(pool, "there is no program '%s' in PATH", value);
    }
    *result = absolute_path(pool, value);
    if (*result == NULL || !is_program(*result)) {
        return apr_psprintf(pool, "there is no program %s that can be executed", value);
    }
    return NULL;
}

const char *passenger_check_user(apr_pool_t *pool, const char *value, const char **result)
{
    struct passwd *entry = getpwnam(value);

    if (entry == NULL && is_all_digits(value) && strlen(value) <= 10) {
        entry = getpwuid((uid_t)apr_atoi64(value));
    }
    if (entry == NULL) {
        return apr_psprintf(pool, "there is no user '%s'", value);
    }
    if (entry->pw_uid == 0) {
        return apr_psprintf(pool, "apps never run as '%s', which is root", value);
    }
    *result = apr_pstrdup(pool, entry->pw_name);
    return NULL;
}

const char *passenger_check_group(apr_pool_t *pool, const char *value, const char **result)
{
    struct group *entry = getgrnam(value);

    if (entry == NULL && is_all_digits(value) && strlen(value) <= 10) {
        entry = getgrgid((gid_t)apr_atoi64(value));
    }
    if (entry == NULL) {
        return apr_psprintf(pool, "there is no group '%s'", value);
    }
    if (entry->gr_gid == 0) {
        return apr_psprintf(pool, "apps never run in group '%s', which is root's", value);
    }
    *result = apr_pstrdup(pool, entry->gr_name);
    return NULL;
}

const char *passenger_check_base_uri(apr_pool_t *pool, const char *value, const char **result)
{
    const char *wrong = passenger_check_text(pool, value, result);

    if (wrong != NULL) {
        return wrong;
    }
    if (value[0] != '/') {
        return apr_psprintf(pool, "must begin with a slash, unlike '%s'", value);
    }
    if (value[1] == '\0') {
        *result = "";
        return NULL;
    }
    if (value[strlen(value) - 1] == '/') {
        return apr_psprintf(pool, "must not end with a slash, as '%s' does", value);
    }
    if (strstr(value, "//") != NULL || strpbrk(value, "?#") != NULL || has_dot_segment(value)) {
        return apr_psprintf(pool, "must be a plain path without '//', '.', '..', '?' and '#', not '%s'", value);
    }
    return NULL;
}

const char *passenger_check_url(apr_pool_t *pool, const char *value, const char **result)
{
    apr_uri_t uri;
    const char *wrong = passenger_check_text(pool, value, result);

    if (wrong != NULL) {
        return wrong;
    }
    if (apr_uri_parse(pool, value, &uri) != APR_SUCCESS || uri.scheme == NULL || uri.hostname == NULL
        || uri.hostname[0] == '\0' || (strcasecmp(uri.scheme, "http") != 0 && strcasecmp(uri.scheme, "https") != 0)) {
        return apr_psprintf(pool, "must be a URL that begins with http:// or https:// and a host name, not "
                            "'%s'", value);
    }
    return NULL;
}
