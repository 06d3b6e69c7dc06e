#include "proxy/request_body.h"

#include <errno.h>
#include <unistd.h>

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "config/configuration.h"
#include "core/buffer_file.h"
#include "core/frames.h"
#include "core/http_body.h"
#include "errors/error_answer.h"
#include "output/client_waits.h"

APLOG_USE_MODULE(passenger);

enum { READ_SIZE = 64 * 1024 };   /* asked of httpd at a time */

/* The request of an ErrorDocument has no body: the failed request may have consumed it. */
static int is_error_document(const request_rec *r)
{
    return r->prev != NULL && ap_is_HTTP_ERROR(r->prev->status);
}

/* Whether there is a body that ends when it ends: a chunked one; in httpd's development version, also one of HTTP/2. */
static int is_without_length(request_rec *r)
{
#if AP_MODULE_MAGIC_AT_LEAST(20211221, 6)
    if (r->body_indeterminate) {
        return 1;
    }
#endif
    return apr_table_get(r->headers_in, "Transfer-Encoding") != NULL;
}

/* Finds the announced length. Returns 0 when there is no body; `*length` is -1 when its length is not known. */
static int has_body(request_rec *r, apr_off_t *length)
{
    const char *announced = apr_table_get(r->headers_in, "Content-Length");
    *length = -1;
    if (is_error_document(r)) {
        return 0;
    }
    if (is_without_length(r)) {
        return 1;
    }
    if (announced == NULL || !ap_parse_strict_length(length, announced)) {
        return 0;
    }
    /* A filter like INFLATE changes the length: then the announced one says nothing. */
    if (*length > 0 && r->input_filters != r->proto_input_filters) {
        *length = -1;
    }
    return 1;
}

static int report_unreadable(request_rec *r, apr_status_t rv)
{
    ap_log_rerror(APLOG_MARK, APLOG_INFO, rv, r, PSGLOGNO(2020) "the request body cannot be read to its end");
    return ap_map_http_request_error(rv, HTTP_BAD_REQUEST);
}

/* 507 and not 503 when the disk is full: only requests with large bodies are concerned, the app itself is well, and a
 * Retry-After could promise nothing. */
static int status_of(int error)
{
    return error == ENOSPC || error == EDQUOT ? HTTP_INSUFFICIENT_STORAGE : HTTP_INTERNAL_SERVER_ERROR;
}

/* Logs why bytes could not be stored; returns the status that the client gets. */
static int report_unstored(request_rec *r, const passenger_upload_buffer *buffer, int error)
{
    if (buffer->descriptor < 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, error, r, PSGLOGNO(2010)
                      "cannot make a file for the request body in %s (PassengerDataBufferDir): answered %d (%s %s, "
                      "error id %s)", buffer->directory, status_of(error), r->method, r->uri, passenger_error_id(r));
    }
    else {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, error, r, PSGLOGNO(2011)
                      "cannot store the request body in %s (PassengerDataBufferDir): answered %d (%s %s, error id %s)",
                      buffer->directory, status_of(error), r->method, r->uri, passenger_error_id(r));
    }
    return status_of(error);
}

/* Moves the buckets of one read into the buffer. */
static int store_brigade(request_rec *r, apr_bucket_brigade *brigade, passenger_upload_buffer *buffer, int *finished)
{
    int status = OK;
    while (status == OK && !*finished && !APR_BRIGADE_EMPTY(brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
        const char *bytes;
        apr_size_t length;
        if (APR_BUCKET_IS_EOS(bucket)) {
            *finished = 1;
        }
        else if (!APR_BUCKET_IS_METADATA(bucket)) {
            apr_status_t rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
            int error = rv == APR_SUCCESS ? passenger_upload_buffer_write(buffer, bytes, length) : 0;
            status = rv != APR_SUCCESS ? report_unreadable(r, rv) : error != 0 ? report_unstored(r, buffer, error) : OK;
        }
        apr_bucket_delete(bucket);
    }
    return status;
}

static int read_all(request_rec *r, passenger_upload_buffer *buffer)
{
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int finished = 0;
    int status = OK;
    while (status == OK && !finished) {
        apr_status_t rv = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ, READ_SIZE);
        status = rv == APR_SUCCESS ? store_brigade(r, brigade, buffer, &finished) : report_unreadable(r, rv);
    }
    apr_brigade_destroy(brigade);
    int error = status == OK ? passenger_upload_buffer_finish(buffer) : 0;
    if (error != 0) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, error, r, PSGLOGNO(2012) "cannot rewind the request body's file");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    return status;
}

/* Reads the whole body, which blocks for the client. */
static int read_into_buffer(request_rec *r, passenger_request_body *body, apr_off_t announced)
{
    passenger_upload_buffer buffer;
    passenger_client_wait wait;
    passenger_upload_buffer_begin(&buffer, r->pool, passenger_server_data_buffer_dir(passenger_server_wide_options()),
                                  announced);
    passenger_client_wait_begin(&wait, r);
    int status = read_all(r, &buffer);
    passenger_client_wait_end(&wait);
    if (status != OK) {
        passenger_upload_buffer_close(&buffer);
        /* What the client still sends is not worth reading. */
        r->connection->keepalive = AP_CONN_CLOSE;
        return status;
    }
    body->kind = buffer.descriptor >= 0 ? PASSENGER_BODY_FILE : PASSENGER_BODY_MEMORY;
    body->descriptor = buffer.descriptor;
    body->bytes = buffer.bytes;
    body->length = buffer.length;
    return OK;
}

int passenger_request_body_prepare(request_rec *r, passenger_request_body *body)
{
    apr_off_t announced;
    memset(body, 0, sizeof(*body));
    body->r = r;
    body->descriptor = -1;
    body->is_finished = 1;
    if (!has_body(r, &announced)) {
        body->kind = PASSENGER_BODY_NONE;
        return OK;
    }
    if (passenger_dir_buffer_upload(passenger_options_of(r)) || announced == 0) {
        return read_into_buffer(r, body, announced);
    }
    body->kind = announced > 0 ? PASSENGER_BODY_STREAM : PASSENGER_BODY_FRAMED;
    body->length = announced > 0 ? announced : 0;
    body->is_finished = 0;
    body->unread = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    return OK;
}

int passenger_request_body_buffer(passenger_request_body *body)
{
    int status = read_into_buffer(body->r, body, -1);
    if (status == OK) {
        apr_brigade_destroy(body->unread);
        body->unread = NULL;
        body->is_finished = 1;
    }
    return status;
}

const char *passenger_request_body_mode(const passenger_request_body *body, unsigned capabilities)
{
    return passenger_body_mode(body->kind, capabilities);
}

/* Copies what has been read from httpd, up to `size` bytes or the end of the body. */
static apr_status_t take_read(passenger_request_body *body, char *out, apr_size_t size, apr_size_t *used)
{
    *used = 0;
    while (!body->is_finished && *used < size && !APR_BRIGADE_EMPTY(body->unread)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(body->unread);
        const char *bytes;
        apr_size_t length;
        if (APR_BUCKET_IS_EOS(bucket)) {
            body->is_finished = 1;
        }
        else if (!APR_BUCKET_IS_METADATA(bucket)) {
            apr_status_t rv = apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ);
            if (rv != APR_SUCCESS) {
                return rv;
            }
            if (length > size - *used) {
                apr_bucket_split(bucket, size - *used);
                length = size - *used;
            }
            memcpy(out + *used, bytes, length);
            *used += length;
        }
        apr_bucket_delete(bucket);
    }
    body->forwarded += (apr_off_t)*used;
    return APR_SUCCESS;
}

/* What goes around a part of a body of unknown length, and its end. */
enum { FRAMING_SIZE = PASSENGER_CHUNK_HEADER_SIZE + PASSENGER_CHUNK_TRAILER_SIZE + PASSENGER_LAST_CHUNK_SIZE };

/* Frames a part of `length` bytes, which is at `out + before` and may be empty, and the end of the body behind it, if
 * that is reached. Returns how long all is. */
static apr_size_t frame_part(const passenger_request_body *body, char *out, apr_size_t before, apr_size_t length)
{
    apr_size_t used = 0;
    if (length > 0 && body->is_chunked) {
        passenger_chunk_write_header(out, length);
        passenger_chunk_write_trailer(out + before + length);
        used = before + length + PASSENGER_CHUNK_TRAILER_SIZE;
    }
    else if (length > 0) {
        passenger_frame_write_header((unsigned char *)out, (uint32_t)length);
        used = before + length;
    }
    if (body->is_finished && body->is_chunked) {
        passenger_chunk_write_last(out + used);
        used += PASSENGER_LAST_CHUNK_SIZE;
    }
    else if (body->is_finished) {
        passenger_frame_write_header((unsigned char *)out + used, 0);
        used += PASSENGER_FRAME_HEADER_SIZE;
    }
    return used;
}

apr_status_t passenger_request_body_read(passenger_request_body *body, char *out, apr_size_t size, apr_size_t *used)
{
    int is_framed = body->kind == PASSENGER_BODY_FRAMED;
    apr_size_t before = !is_framed ? 0 : body->is_chunked ? PASSENGER_CHUNK_HEADER_SIZE : PASSENGER_FRAME_HEADER_SIZE;
    apr_size_t most = is_framed ? size - FRAMING_SIZE : size;
    apr_size_t length;
    apr_status_t rv;
    *used = 0;
    if (APR_BRIGADE_EMPTY(body->unread)) {
        rv = ap_get_brigade(body->r->input_filters, body->unread, AP_MODE_READBYTES, APR_NONBLOCK_READ,
                            (apr_off_t)most);
        if (rv != APR_SUCCESS) {
            return APR_STATUS_IS_EAGAIN(rv) ? APR_EAGAIN : rv;
        }
    }
    rv = take_read(body, out + before, most, &length);
    if (rv != APR_SUCCESS) {
        return rv;
    }
    *used = is_framed ? frame_part(body, out, before, length) : length;
    return *used > 0 || body->is_finished ? APR_SUCCESS : APR_EAGAIN;
}

int passenger_request_body_rewind(passenger_request_body *body)
{
    if (body->descriptor >= 0) {
        return lseek(body->descriptor, 0, SEEK_SET) == 0;
    }
    if (body->kind == PASSENGER_BODY_FRAMED && body->is_finished && body->forwarded == 0) {
        /* The body was found to be empty, and its end frame has been sent: nothing would send that again. */
        body->kind = PASSENGER_BODY_NONE;
    }
    return body->forwarded == 0;
}

int passenger_request_body_is_nearly_read(const passenger_request_body *body)
{
    return body->is_finished
           || passenger_body_is_nearly_read(body->kind, body->length, body->forwarded, body->r->expecting_100);
}

void passenger_request_body_close(passenger_request_body *body)
{
    if (body->descriptor >= 0) {
        close(body->descriptor);
        body->descriptor = -1;
    }
}
