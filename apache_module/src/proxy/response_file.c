#include "proxy/response_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <http_log.h>

#include "config/configuration.h"
#include "core/closer.h"

APLOG_USE_MODULE(passenger);

/* Most bytes in memory at a time. A file of no more than that is read when it comes: filters may hold back small
 * buckets of many files, and each would keep a descriptor open. */
enum { READ_SIZE = 32 * 1024 };

/* A descriptor shared by buckets. It belongs to them, not to a pool: HTTP/2 lets buckets outlive their request. */
typedef struct shared_file {
    apr_bucket_refcount refcount;
    int descriptor;
} shared_file;

void passenger_response_file_drop(int descriptor)
{
    struct stat status;
    if (descriptor >= 0 && fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
        close(descriptor);
    }
    else {
        passenger_close_later(descriptor);
    }
}

static void file_destroy(void *data)
{
    shared_file *file = data;
    if (apr_bucket_shared_destroy(file)) {
        close(file->descriptor);
        apr_bucket_free(file);
    }
}

/* Turns the bucket into one of memory, with a bucket for the rest behind it. pread() because the worker, or another
 * response from the same open file, may move the file's offset. */
static apr_status_t file_read(apr_bucket *bucket, const char **bytes, apr_size_t *length, apr_read_type_e block)
{
    shared_file *file = bucket->data;
    apr_size_t size = bucket->length < READ_SIZE ? bucket->length : READ_SIZE;
    char *memory = apr_bucket_alloc(size, bucket->list);
    ssize_t got;
    (void)block;
    do {
        got = pread(file->descriptor, memory, size, bucket->start);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        apr_status_t rv = got == 0 ? APR_EOF : errno;
        apr_bucket_free(memory);
        *bytes = NULL;
        *length = 0;
        return rv;
    }
    if ((apr_size_t)got < bucket->length) {
        apr_bucket_split(bucket, (apr_size_t)got);
    }
    file_destroy(file);
    apr_bucket_heap_make(bucket, memory, (apr_size_t)got, apr_bucket_free);
    *bytes = memory;
    *length = (apr_size_t)got;
    return APR_SUCCESS;
}

/* Not APR's file bucket: that one maps files into memory and reads at the shared offset. */
static const apr_bucket_type_t file_bucket_type = {
    "JUMPSEAT_FILE", 5, APR_BUCKET_DATA, file_destroy, file_read, apr_bucket_setaside_noop, apr_bucket_shared_split,
    apr_bucket_shared_copy
};

static apr_bucket *create_bucket(apr_bucket_alloc_t *list, int descriptor, int64_t offset, int64_t length)
{
    shared_file *file = apr_bucket_alloc(sizeof(*file), list);
    apr_bucket *bucket = apr_bucket_alloc(sizeof(*bucket), list);
    file->descriptor = descriptor;
    APR_BUCKET_INIT(bucket);
    bucket->free = apr_bucket_free;
    bucket->list = list;
    bucket = apr_bucket_shared_make(bucket, file, offset, (apr_size_t)length);
    bucket->type = &file_bucket_type;
    return bucket;
}

static int is_usable(request_rec *r, int descriptor, int64_t offset, int64_t length)
{
    struct stat status;
    if (descriptor < 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2060)
                      "the worker sent a file frame without a descriptor, or this process of httpd has none left for "
                      "it");
        return 0;
    }
    if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2061)
                      "the worker passed a descriptor that is not of a regular file");
        return 0;
    }
    if (offset > status.st_size || length > status.st_size - offset) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2062)
                      "the worker's file frame goes beyond the end of the file that it passed");
        return 0;
    }
    return 1;
}

static int read_now(request_rec *r, apr_bucket *bucket)
{
    const char *bytes;
    apr_size_t length;
    apr_size_t left = bucket->length;
    while (left > 0) {
        apr_status_t rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
        if (rv != APR_SUCCESS) {
            ap_log_rerror(APLOG_MARK, APLOG_ERR, rv, r, PSGLOGNO(2063) "cannot read the file that the worker passed");
            return 0;
        }
        left -= length;
        bucket = APR_BUCKET_NEXT(bucket);
    }
    return 1;
}

int passenger_response_file_append(request_rec *r, apr_bucket_brigade *brigade, int descriptor, int64_t offset,
                                   int64_t length)
{
    if (!is_usable(r, descriptor, offset, length)) {
        passenger_response_file_drop(descriptor);
        return 0;
    }
    apr_bucket *bucket = create_bucket(r->connection->bucket_alloc, descriptor, offset, length);
    APR_BRIGADE_INSERT_TAIL(brigade, bucket);
    return length > READ_SIZE || read_now(r, bucket);
}
