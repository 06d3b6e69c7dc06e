/* value_check.h: checks of directive values.
 *
 * Each function returns NULL and, through `result`, the value to keep; or what is wrong with it, as the end of a
 * sentence that begins with the directive's name. Strings live in `pool`. Some look at the file system or the user
 * database, and may block there. Called in httpd's parent while it reads its configuration, in a child for lines of a
 * .htaccess file.
 */
#ifndef JUMPSEAT_VALUE_CHECK_H
#define JUMPSEAT_VALUE_CHECK_H

#include <apr_pools.h>

const char *passenger_check_integer(apr_pool_t *pool, const char *value, int minimum, int maximum, int *result);
const char *passenger_check_choice(apr_pool_t *pool, const char *value, const char *const *choices,
                                   const char **result);
const char *passenger_check_text(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_token(apr_pool_t *pool, const char *value, const char **result);

const char *passenger_check_path_in_app(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_file_in_app(apr_pool_t *pool, const char *value, const char **result);

/* Does not look at any file. A path without '//', '.' and '..'; the result has no slash at its end. */
const char *passenger_check_absolute_path(apr_pool_t *pool, const char *value, const char **result);

const char *passenger_check_directory(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_created_directory(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_read_file(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_written_file(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_interpreter(apr_pool_t *pool, const char *value, const char **result);

/* A name, or the number of one that the system knows; the result is the name. Root is refused. */
const char *passenger_check_user(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_group(apr_pool_t *pool, const char *value, const char **result);

/* The result for "/" is the empty string: the root needs no entry. */
const char *passenger_check_base_uri(apr_pool_t *pool, const char *value, const char **result);
const char *passenger_check_url(apr_pool_t *pool, const char *value, const char **result);

#endif
