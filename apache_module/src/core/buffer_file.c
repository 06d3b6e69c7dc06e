#include "core/buffer_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_strings.h>

char *passenger_buffer_file_path(apr_pool_t *pool, const char *directory, const char *purpose)
{
    return apr_pstrcat(pool, directory, "/jumpseat-", purpose, "-XXXXXX", NULL);
}

int passenger_buffer_file_make(char *path)
{
    int descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor >= 0) {
        unlink(path);
    }
    return descriptor;
}

int passenger_buffer_file_open(apr_pool_t *pool, const char *directory, const char *purpose, apr_file_t **reader,
                               apr_int32_t flags)
{
    char *path = passenger_buffer_file_path(pool, directory, purpose);
    int descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    apr_status_t rv = apr_file_open(reader, path, flags, APR_OS_DEFAULT, pool);
    unlink(path);
    if (rv != APR_SUCCESS) {
        close(descriptor);
        errno = APR_TO_OS_ERROR(rv);
        return -1;
    }
    return descriptor;
}
