#include "buffer_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <apr_strings.h>

int passenger_buffer_file_open(apr_pool_t *pool, const char *directory, const char *purpose, apr_file_t **reader,
                               apr_int32_t flags)
{
    char *path = apr_pstrcat(pool, directory, "/jumpseat-", purpose, "-XXXXXX", NULL);
    int descriptor = mkostemp(path, O_CLOEXEC);
    if (descriptor < 0) {
        return -1;
    }
    apr_status_t rv = reader != NULL ? apr_file_open(reader, path, flags, APR_OS_DEFAULT, pool) : APR_SUCCESS;
    unlink(path);
    if (rv != APR_SUCCESS) {
        close(descriptor);
        errno = APR_TO_OS_ERROR(rv);
        return -1;
    }
    return descriptor;
}
