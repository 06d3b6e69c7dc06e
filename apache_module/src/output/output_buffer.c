#include "output/output_buffer.h"

#include <unistd.h>

#include <http_core.h>
#include <http_log.h>

#include "config/configuration.h"
#include "core/buffer_file.h"
#include "core/deadlines.h"

APLOG_USE_MODULE(passenger);

enum {
    STREAM_PIECE = 64 * 1024,          /* most bytes that a stream is given at once, of what is kept in memory */
    /* The same where a filter may hold some back, as DEFLATE does up to 32 KiB, and give it all at once: together it is
     * to fit into what mod_http2 takes without waiting for the client. */
    FILTERED_PIECE = 8 * 1024,
    KEEP_THREAD_MILLISECONDS = 1000,   /* how long a thread waits for the client with what lies in memory */
    /* When memory is full, the worker first waits for the client: that costs less than a file. */
    STALL_MILLISECONDS = 10,           /* a client that takes nothing for so long is slow: use the file */
    STALL_BUDGET_MILLISECONDS = 250    /* the longest, in all, that a worker waits for a faster one */
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
    buffer->stall_budget = apr_time_from_msec(STALL_BUDGET_MILLISECONDS);
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
    buffer->status = has_file(brigade) && !passenger_output_is_stream(client)
                         ? passenger_output_pass_blocking(client, brigade) : passenger_output_pass(client, brigade);
    /* The end is sent together with what httpd adds behind it. */
    if (buffer->status == APR_SUCCESS && !(is_all && buffer->flags == PASSENGER_OUTPUT_LAST)) {
        buffer->status = passenger_output_send_pending(client);
    }
}

/* How much of `most` bytes is given to the filters at once. */
static apr_size_t piece_limit(const passenger_output_buffer *buffer, apr_size_t most)
{
    int is_filtered = buffer->r->output_filters != buffer->r->proto_output_filters;
    return passenger_output_is_stream(&buffer->client) && is_filtered ? FILTERED_PIECE : most;
}

/* Sends the oldest piece of what is kept. */
static void send_piece(passenger_output_buffer *buffer)
{
    passenger_response_spool *spool = &buffer->spool;
    size_t length;
    size_t most = passenger_output_is_stream(&buffer->client) ? STREAM_PIECE : PASSENGER_RESPONSE_SPOOL_PIECE;
    const char *bytes = passenger_response_spool_peek(spool, most, &length);
    if (bytes == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, spool->file_error, buffer->r, PSGLOGNO(2201)
                      "cannot read the response from its file in %s (PassengerDataBufferDir): the response is cut",
                      buffer_directory());
        buffer->status = APR_EGENERAL;
        return;
    }
    most = piece_limit(buffer, most);
    length = length < most ? length : most;
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

/* Sends the beginning of the brigade, as much as a stream is given at once: a file need not go in one piece. */
static void send_beginning(passenger_output_buffer *buffer)
{
    apr_size_t room = piece_limit(buffer, PASSENGER_RESPONSE_SPOOL_PIECE);
    while (!APR_BRIGADE_EMPTY(buffer->brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(buffer->brigade);
        if (bucket->length > 0 && room == 0) {
            break;
        }
        if (bucket->length > room) {
            apr_bucket_split(bucket, room);
        }
        room -= bucket->length;
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(buffer->piece, bucket);
    }
    send_brigade(buffer, buffer->piece, APR_BRIGADE_EMPTY(buffer->brigade));
}

static void send_or_keep(passenger_output_buffer *buffer)
{
    int is_stream = passenger_output_is_stream(&buffer->client);
    while (can_send(buffer) && passenger_output_buffer_is_keeping(buffer)) {
        send_piece(buffer);
    }
    while (is_stream && can_send(buffer) && !APR_BRIGADE_EMPTY(buffer->brigade)) {
        send_beginning(buffer);
    }
    if (passenger_output_buffer_is_keeping(buffer) || !can_send(buffer)) {
        keep(buffer);
    }
    else if (!APR_BRIGADE_EMPTY(buffer->brigade) || buffer->owes_flush) {
        send_brigade(buffer, buffer->brigade, 1);
    }
    buffer->is_full = !APR_BRIGADE_EMPTY(buffer->brigade);
}

/* Sends what is with httpd already, as far as the client takes it. Returns whether it has taken anything. */
static int send_pending(passenger_output_buffer *buffer)
{
    apr_time_t busy_before = buffer->client.busy_since;
    buffer->status = passenger_output_send_pending(&buffer->client);
    if (buffer->status == APR_SUCCESS && buffer->client.busy_since == busy_before) {
        return 0;
    }
    end_stall(buffer, 0);
    return 1;
}

void passenger_output_buffer_send(passenger_output_buffer *buffer, int flags)
{
    if ((flags & PASSENGER_OUTPUT_LAST) && buffer->last_since == 0) {
        buffer->last_since = passenger_monotonic_now();
    }
    buffer->flags = flags;
    buffer->owes_flush |= flags & PASSENGER_OUTPUT_FLUSH;
    if (buffer->status == APR_SUCCESS && passenger_output_buffer_needs_polling(buffer)) {
        send_pending(buffer);
    }
    send_or_keep(buffer);
}

void passenger_output_buffer_resume(passenger_output_buffer *buffer)
{
    if (send_pending(buffer)) {
        send_or_keep(buffer);
    }
}

int passenger_output_buffer_needs_polling(const passenger_output_buffer *buffer)
{
    return buffer->client.busy_since != 0 && passenger_output_is_stream(&buffer->client);
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
    apr_interval_time_t stall = apr_time_from_msec(STALL_MILLISECONDS);
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
