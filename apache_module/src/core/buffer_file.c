#include "core/buffer_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

enum { FIRST_CAPACITY = 8 * 1024 };   /* of an upload of unknown length */

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

void passenger_upload_buffer_begin(passenger_upload_buffer *buffer, apr_pool_t *pool, const char *directory,
                                   apr_off_t expected)
{
    *buffer = (passenger_upload_buffer){.pool = pool, .directory = directory, .descriptor = -1};
    if (expected > 0 && expected <= PASSENGER_UPLOAD_MEMORY_LIMIT) {
        buffer->capacity = (apr_size_t)expected;
        buffer->bytes = apr_palloc(pool, buffer->capacity);
    }
}

static int write_file(int descriptor, const char *bytes, apr_size_t length)
{
    while (length > 0) {
        ssize_t written = write(descriptor, bytes, length);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        if (written > 0) {
            bytes += written;
            length -= (apr_size_t)written;
        }
    }
    return 0;
}

/* Makes room in memory for `needed` bytes in all, which are within the limit. */
static void grow(passenger_upload_buffer *buffer, apr_size_t needed)
{
    apr_size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity > buffer->capacity) {
        char *bytes = apr_palloc(buffer->pool, capacity);
        if (buffer->length > 0) {
            memcpy(bytes, buffer->bytes, (apr_size_t)buffer->length);
        }
        buffer->bytes = bytes;
        buffer->capacity = capacity;
    }
}

/* Makes the file and moves into it what lies in memory. */
static int move_to_file(passenger_upload_buffer *buffer)
{
    char *path = passenger_buffer_file_path(buffer->pool, buffer->directory, "upload");
    buffer->descriptor = passenger_buffer_file_make(path);
    return buffer->descriptor < 0 ? errno : write_file(buffer->descriptor, buffer->bytes, (apr_size_t)buffer->length);
}

int passenger_upload_buffer_write(passenger_upload_buffer *buffer, const char *bytes, apr_size_t length)
{
    int error = 0;
    if (buffer->descriptor < 0 && length <= (apr_size_t)(PASSENGER_UPLOAD_MEMORY_LIMIT - buffer->length)) {
        grow(buffer, (apr_size_t)buffer->length + length);
        memcpy(buffer->bytes + buffer->length, bytes, length);
    }
    else {
        error = buffer->descriptor < 0 ? move_to_file(buffer) : 0;
        error = error == 0 ? write_file(buffer->descriptor, bytes, length) : error;
    }
    buffer->length += (apr_off_t)length;
    return error;
}

int passenger_upload_buffer_finish(passenger_upload_buffer *buffer)
{
    return buffer->descriptor >= 0 && lseek(buffer->descriptor, 0, SEEK_SET) != 0 ? errno : 0;
}

void passenger_upload_buffer_close(passenger_upload_buffer *buffer)
{
    if (buffer->descriptor >= 0) {
        close(buffer->descriptor);
        buffer->descriptor = -1;
    }
}
