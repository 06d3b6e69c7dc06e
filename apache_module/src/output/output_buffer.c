#include "output/output_buffer.h"

#include <unistd.h>

#include <http_core.h>
#include <http_log.h>

#include "config/configuration.h"
#include "core/buffer_file.h"
#include "core/deadlines.h"

APLOG_USE_MODULE(passenger);

enum {
    KEEP_THREAD_MILLISECONDS = 1000    /* how long a thread waits for the client with what lies in memory */
};

static const char *buffer_directory(void)
{
    return passenger_server_data_buffer_dir(passenger_server_wide_options());
}

/* The file may be sent after this request: when it is a part of another one, it needs the pool of that. */
static apr_pool_t *pool_of_file(request_rec *r)
{
    while (r->main != NULL) {
        r = r->main;
    }
    return r->pool;
}

static int open_spool_file(void *context)
{
    passenger_output_buffer *buffer = context;
    request_rec *r = buffer->r;
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    /* httpd uses sendfile only where that is configured, because others may shorten their files. Nobody can shorten
     * this one: here sendfile is off only where that is configured. */
    apr_int32_t flags = APR_FOPEN_READ | APR_FOPEN_BINARY;
    if (core->enable_sendfile != ENABLE_SENDFILE_OFF) {
        flags |= APR_FOPEN_SENDFILE_ENABLED;
    }
    return passenger_buffer_file_open(pool_of_file(r), buffer_directory(), "response", &buffer->spool_file, flags);
}

void passenger_output_buffer_begin(passenger_output_buffer *buffer, request_rec *r)
{
    memset(buffer, 0, sizeof(*buffer));
    buffer->r = r;
    buffer->stall_budget = apr_time_from_msec(PASSENGER_STALL_BUDGET_MILLISECONDS);
    buffer->brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    buffer->piece = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    passenger_output_begin(&buffer->client, r);
    passenger_response_spool_begin(&buffer->spool,
                                   passenger_server_response_buffer_high_watermark(passenger_server_wide_options()),
                                   open_spool_file, buffer);
}

int passenger_output_buffer_is_keeping(const passenger_output_buffer *buffer)
{
    return passenger_response_spool_length(&buffer->spool) > 0;
}

static void warn_of_file_error(passenger_output_buffer *buffer)
{
    if (buffer->spool.file_error != 0 && !buffer->has_warned) {
        buffer->has_warned = 1;
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, buffer->spool.file_error, buffer->r, PSGLOGNO(2200)
                      "cannot write the response to a file in %s (PassengerDataBufferDir): the worker waits for the "
                      "slow client", buffer_directory());
    }
}

/* Keeps the bytes of one bucket. Returns 0 when the bucket is not of bytes in memory, or when there is no room. */
static int keep_bucket(passenger_output_buffer *buffer, apr_bucket *bucket)
{
    const char *bytes;
    apr_size_t length;
    if (!APR_BUCKET_IS_TRANSIENT(bucket) && !APR_BUCKET_IS_HEAP(bucket)) {
        return 0;
    }
    if (apr_bucket_read(bucket, &bytes, &length, APR_BLOCK_READ) != APR_SUCCESS) {
        return 0;
    }
    if (length > PASSENGER_RESPONSE_SPOOL_PIECE) {
        apr_bucket_split(bucket, PASSENGER_RESPONSE_SPOOL_PIECE);
        length = PASSENGER_RESPONSE_SPOOL_PIECE;
    }
    if (buffer->stall_budget > 0 && passenger_response_spool_needs_file(&buffer->spool, length)) {
        buffer->stalled_since = buffer->stalled_since != 0 ? buffer->stalled_since : passenger_monotonic_now();
        return 0;
    }
    int is_kept = passenger_response_spool_add(&buffer->spool, bytes, length);
    warn_of_file_error(buffer);
    return is_kept;
}

/* Keeps as much of the brigade as there is room for, up to a bucket of a file or the end: those wait in the brigade. */
static void keep(passenger_output_buffer *buffer)
{
    while (!APR_BRIGADE_EMPTY(buffer->brigade)
           && keep_bucket(buffer, APR_BRIGADE_FIRST(buffer->brigade))) {
        apr_bucket_delete(APR_BRIGADE_FIRST(buffer->brigade));
    }
}

static int has_file(const apr_bucket_brigade *brigade)
{
    for (apr_bucket *bucket = APR_BRIGADE_FIRST(brigade); bucket != APR_BRIGADE_SENTINEL(brigade);
         bucket = APR_BUCKET_NEXT(bucket)) {
        if (!APR_BUCKET_IS_METADATA(bucket) && !APR_BUCKET_IS_TRANSIENT(bucket) && !APR_BUCKET_IS_HEAP(bucket)) {
            return 1;
        }
    }
    return 0;
}

/* Gives a brigade to the filters. `is_all`: nothing is left behind it. */
static void send_brigade(passenger_output_buffer *buffer, apr_bucket_brigade *brigade, int is_all)
{
    passenger_output *client = &buffer->client;
    buffer->has_started = 1;
    if (is_all && buffer->owes_flush) {
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_flush_create(buffer->r->connection->bucket_alloc));
        buffer->owes_flush = 0;
    }
    buffer->status = has_file(brigade) ? passenger_output_pass_blocking(client, brigade)
                                       : passenger_output_pass(client, brigade);
    /* The end is sent together with what httpd adds behind it. */
    if (buffer->status == APR_SUCCESS && !(is_all && buffer->flags == PASSENGER_OUTPUT_LAST)) {
        buffer->status = passenger_output_send_pending(client);
    }
}

/* Sends the oldest piece of what is kept. */
static void send_piece(passenger_output_buffer *buffer)
{
    passenger_response_spool *spool = &buffer->spool;
    size_t length;
    const char *bytes = passenger_response_spool_peek(spool, &length);
    if (bytes == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, spool->file_error, buffer->r, PSGLOGNO(2201)
                      "cannot read the response from its file in %s (PassengerDataBufferDir): the response is cut",
                      buffer_directory());
        buffer->status = APR_EGENERAL;
        return;
    }
    int is_all = passenger_response_spool_length(spool) == (int64_t)length && APR_BRIGADE_EMPTY(buffer->brigade);
    APR_BRIGADE_INSERT_TAIL(buffer->piece, apr_bucket_transient_create(bytes, length, buffer->piece->bucket_alloc));
    send_brigade(buffer, buffer->piece, is_all);
    passenger_response_spool_discard(spool, length);
}

/* The client has taken something, or counts as slow. */
static void end_stall(passenger_output_buffer *buffer, int is_slow)
{
    if (buffer->stalled_since != 0) {
        buffer->stall_budget -= passenger_monotonic_now() - buffer->stalled_since;
        buffer->stall_budget = is_slow ? 0 : buffer->stall_budget;
        buffer->stalled_since = 0;
    }
}

static int can_send(const passenger_output_buffer *buffer)
{
    return buffer->status == APR_SUCCESS && buffer->client.busy_since == 0;
}

static void send_or_keep(passenger_output_buffer *buffer)
{
    while (can_send(buffer) && passenger_output_buffer_is_keeping(buffer)) {
        send_piece(buffer);
    }
    if (passenger_output_buffer_is_keeping(buffer) || !can_send(buffer)) {
        keep(buffer);
    }
    else if (!APR_BRIGADE_EMPTY(buffer->brigade) || buffer->owes_flush) {
        send_brigade(buffer, buffer->brigade, 1);
    }
    buffer->is_full = !APR_BRIGADE_EMPTY(buffer->brigade);
}

void passenger_output_buffer_send(passenger_output_buffer *buffer, int flags)
{
    if ((flags & PASSENGER_OUTPUT_LAST) && buffer->last_since == 0) {
        buffer->last_since = passenger_monotonic_now();
    }
    buffer->flags = flags;
    buffer->owes_flush |= flags & PASSENGER_OUTPUT_FLUSH;
    send_or_keep(buffer);
}

void passenger_output_buffer_resume(passenger_output_buffer *buffer)
{
    end_stall(buffer, 0);
    buffer->status = passenger_output_send_pending(&buffer->client);
    send_or_keep(buffer);
}

int passenger_output_buffer_is_pending(const passenger_output_buffer *buffer)
{
    return passenger_output_buffer_is_keeping(buffer) || !APR_BRIGADE_EMPTY(buffer->brigade)
           || (buffer->flags == (PASSENGER_OUTPUT_LAST | PASSENGER_OUTPUT_FLUSH)
               && buffer->client.busy_since != 0);
}

/* Leaves all that waits to httpd, as a file. Does nothing when the file fails, or when what waits is not in one run. */
static void leave_to_httpd(passenger_output_buffer *buffer)
{
    passenger_response_spool *spool = &buffer->spool;
    request_rec *r = buffer->r;
    int64_t offset;
    if (!passenger_response_spool_move_to_file(spool, &offset)) {
        warn_of_file_error(buffer);
        return;
    }
    apr_bucket *file = apr_bucket_file_create(buffer->spool_file, offset,
                                              (apr_size_t)passenger_response_spool_length(spool), pool_of_file(r),
                                              r->connection->bucket_alloc);
    /* The network filter counts mapped files as memory, and would block at FlushMaxThreshold. */
    apr_bucket_file_enable_mmap(file, 0);
    apr_bucket_file_set_buf_size(file, PASSENGER_RESPONSE_SPOOL_PIECE);
    APR_BRIGADE_INSERT_HEAD(buffer->brigade, file);
    passenger_response_spool_end(spool);
    buffer->has_started = 1;
    buffer->status = passenger_output_pass_blocking(&buffer->client, buffer->brigade);
    buffer->is_full = 0;
}

/* Whether what waits may be left to httpd, now or later. */
static int can_leave_to_httpd(const passenger_output_buffer *buffer)
{
    return buffer->flags == PASSENGER_OUTPUT_LAST && buffer->status == APR_SUCCESS
           && passenger_output_buffer_is_keeping(buffer) && buffer->spool.file_error == 0
           && passenger_output_sends_without_thread(&buffer->client);
}

/* At once when it is in a file already; else when it has waited so long that a file costs less than the thread. */
static apr_time_t time_to_leave_to_httpd(const passenger_output_buffer *buffer)
{
    int is_in_file = buffer->spool.file_end > buffer->spool.file_start;
    return buffer->last_since + (is_in_file ? 0 : apr_time_from_msec(KEEP_THREAD_MILLISECONDS));
}

static apr_time_t stall_deadline(const passenger_output_buffer *buffer)
{
    apr_interval_time_t stall = apr_time_from_msec(PASSENGER_STALL_MILLISECONDS);
    return buffer->stalled_since + (buffer->stall_budget < stall ? buffer->stall_budget : stall);
}

apr_time_t passenger_output_buffer_deadline(const passenger_output_buffer *buffer)
{
    apr_time_t deadline = 0;
    if (buffer->stalled_since != 0) {
        return stall_deadline(buffer);
    }
    if (buffer->client.busy_since != 0) {
        deadline = buffer->client.busy_since + buffer->r->server->timeout;
    }
    if (can_leave_to_httpd(buffer) && (deadline == 0 || time_to_leave_to_httpd(buffer) < deadline)) {
        deadline = time_to_leave_to_httpd(buffer);
    }
    return deadline;
}

void passenger_output_buffer_check_times(passenger_output_buffer *buffer, apr_time_t now)
{
    conn_rec *c = buffer->r->connection;
    if (buffer->stalled_since != 0 && now >= stall_deadline(buffer)) {
        end_stall(buffer, 1);
        send_or_keep(buffer);
    }
    if (can_leave_to_httpd(buffer) && now >= time_to_leave_to_httpd(buffer)) {
        leave_to_httpd(buffer);
    }
    if (buffer->client.busy_since != 0
        && now - buffer->client.busy_since >= buffer->r->server->timeout) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, APR_TIMEUP, buffer->r, PSGLOGNO(2202)
                      "the client has taken nothing of the response for the time that Timeout allows");
        c->aborted = 1;
        buffer->status = APR_TIMEUP;
    }
}

void passenger_output_buffer_close(passenger_output_buffer *buffer)
{
    apr_brigade_cleanup(buffer->brigade);
    passenger_response_spool_end(&buffer->spool);
    if (buffer->spool.descriptor >= 0) {
        close(buffer->spool.descriptor);
        buffer->spool.descriptor = -1;
    }
}
