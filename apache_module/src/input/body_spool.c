#include "input/body_spool.h"

#include <errno.h>
#include <unistd.h>

#include <http_log.h>

#include "core/buffer_file.h"
#include "config/configuration.h"
#include "errors/error_answer.h"
#include "core/log_numbers.h"

APLOG_USE_MODULE(passenger);

enum { FIRST_CAPACITY = 8 * 1024 };

void passenger_spool_begin(passenger_spool *spool, request_rec *r, const char *directory, apr_off_t expected)
{
    spool->r = r;
    spool->directory = directory;
    spool->length = 0;
    spool->descriptor = -1;
    spool->bytes = NULL;
    spool->capacity = 0;
    if (expected > 0 && expected <= PASSENGER_SPOOL_MEMORY_LIMIT) {
        spool->capacity = (apr_size_t)expected;
        spool->bytes = apr_palloc(r->pool, spool->capacity);
    }
}

/* 507 and not 503 when the disk is full: only requests with large bodies are concerned, the app itself is well, and no
 * Retry-After could be kept. */
static int status_of(int error)
{
    return error == ENOSPC || error == EDQUOT ? HTTP_INSUFFICIENT_STORAGE : HTTP_INTERNAL_SERVER_ERROR;
}

static int open_file(passenger_spool *spool)
{
    spool->descriptor = passenger_buffer_file_make(
        passenger_buffer_file_path(spool->r->pool, spool->directory, "upload"));
    if (spool->descriptor < 0) {
        int error = errno;
        ap_log_rerror(APLOG_MARK, APLOG_ERR, error, spool->r, PSGLOGNO(2010)
                      "cannot make a file for the request body in %s (PassengerDataBufferDir): answered %d (%s %s, error id %s)",
                      spool->directory, status_of(error), spool->r->method, spool->r->uri, passenger_error_id(spool->r));
        return status_of(error);
    }
    return OK;
}

static int write_file(passenger_spool *spool, const char *bytes, apr_size_t length)
{
    while (length > 0) {
        ssize_t written = write(spool->descriptor, bytes, length);
        if (written < 0 && errno != EINTR) {
            int error = errno;
            ap_log_rerror(APLOG_MARK, APLOG_ERR, error, spool->r, PSGLOGNO(2011)
                          "cannot store the request body in %s (PassengerDataBufferDir): answered %d (%s %s, error id %s)",
                          spool->directory, status_of(error), spool->r->method, spool->r->uri,
                          passenger_error_id(spool->r));
            return status_of(error);
        }
        if (written > 0) {
            bytes += written;
            length -= (apr_size_t)written;
        }
    }
    return OK;
}

/* Makes room in memory for `needed` bytes in all, which are within the limit. */
static void grow(passenger_spool *spool, apr_size_t needed)
{
    apr_size_t capacity = spool->capacity > 0 ? spool->capacity : FIRST_CAPACITY;
    while (capacity < needed) {
        capacity *= 2;
    }
    if (capacity > spool->capacity) {
        char *bytes = apr_palloc(spool->r->pool, capacity);
        if (spool->length > 0) {
            memcpy(bytes, spool->bytes, (apr_size_t)spool->length);
        }
        spool->bytes = bytes;
        spool->capacity = capacity;
    }
}

int passenger_spool_write(passenger_spool *spool, const char *bytes, apr_size_t length)
{
    int status = OK;
    if (spool->descriptor < 0 && length <= (apr_size_t)(PASSENGER_SPOOL_MEMORY_LIMIT - spool->length)) {
        grow(spool, (apr_size_t)spool->length + length);
        memcpy(spool->bytes + spool->length, bytes, length);
    }
    else {
        if (spool->descriptor < 0 && (status = open_file(spool)) == OK) {
            status = write_file(spool, spool->bytes, (apr_size_t)spool->length);
        }
        if (status == OK) {
            status = write_file(spool, bytes, length);
        }
    }
    spool->length += (apr_off_t)length;
    return status;
}

int passenger_spool_finish(passenger_spool *spool)
{
    if (spool->descriptor >= 0 && lseek(spool->descriptor, 0, SEEK_SET) != 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, errno, spool->r, PSGLOGNO(2012) "cannot rewind the request body's file");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return OK;
}

void passenger_spool_close(passenger_spool *spool)
{
    if (spool->descriptor >= 0) {
        close(spool->descriptor);
        spool->descriptor = -1;
    }
}
