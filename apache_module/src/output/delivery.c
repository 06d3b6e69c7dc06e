#include "output/delivery.h"

#include <unistd.h>

#include <http_core.h>
#include <http_log.h>

#include "core/buffer_file.h"
#include "config/configuration.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"

APLOG_USE_MODULE(passenger);

enum {
    HAND_OVER_MILLISECONDS = 1000,    /* how long a thread waits for the client with what lies in memory */
    STALL_MILLISECONDS = 10,          /* a client that takes nothing for so long is slow: its response goes into a file */
    PATIENCE_MILLISECONDS = 250       /* the longest, in all, that a worker waits for one that is not */
};

static const char *directory_of_files(void)
{
    return passenger_server_data_buffer_dir(passenger_server_wide_options());
}

/* The connection may send the file when this request, a part of another, is over. */
static apr_pool_t *pool_of_file(request_rec *r)
{
    while (r->main != NULL) {
        r = r->main;
    }
    return r->pool;
}

static int open_spool_file(void *context)
{
    passenger_delivery *delivery = context;
    request_rec *r = delivery->r;
    const core_dir_config *core = ap_get_core_module_config(r->per_dir_config);
    /* Nobody else can shorten this file. Only what must not be is left out: httpd's default is off for others' files. */
    apr_int32_t flags = APR_FOPEN_READ | APR_FOPEN_BINARY;
    if (core->enable_sendfile != ENABLE_SENDFILE_OFF) {
        flags |= APR_FOPEN_SENDFILE_ENABLED;
    }
    return passenger_buffer_file_open(pool_of_file(r), directory_of_files(), "response", &delivery->reader, flags);
}

void passenger_delivery_begin(passenger_delivery *delivery, request_rec *r)
{
    memset(delivery, 0, sizeof(*delivery));
    delivery->r = r;
    delivery->patience = apr_time_from_msec(PATIENCE_MILLISECONDS);
    delivery->brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    delivery->piece = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    passenger_outlet_begin(&delivery->outlet, r);
    passenger_response_spool_begin(&delivery->spool,
                                   passenger_server_response_buffer_high_watermark(passenger_server_wide_options()),
                                   open_spool_file, delivery);
}

int passenger_delivery_is_keeping(const passenger_delivery *delivery)
{
    return passenger_response_spool_length(&delivery->spool) > 0;
}

static void note_failure(passenger_delivery *delivery)
{
    if (delivery->spool.file_error != 0 && !delivery->has_warned) {
        delivery->has_warned = 1;
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, delivery->spool.file_error, delivery->r, PSGLOGNO(2200)
                      "cannot keep the response in %s (PassengerDataBufferDir): the worker waits for the slow client",
                      directory_of_files());
    }
}

/* Keeps the bytes of one bucket. Returns 0 when it is none of bytes in memory, or there is no room. */
static int keep_bucket(passenger_delivery *delivery, apr_bucket *bucket)
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
    if (delivery->patience > 0 && passenger_response_spool_needs_file(&delivery->spool, length)) {
        delivery->waiting_since = delivery->waiting_since != 0 ? delivery->waiting_since : passenger_monotonic_now();
        return 0;
    }
    int is_kept = passenger_response_spool_add(&delivery->spool, bytes, length);
    note_failure(delivery);
    return is_kept;
}

/* Keeps as much of the brigade as there is room for, up to a file, or the end, which has to wait for what is before. */
static void keep(passenger_delivery *delivery)
{
    while (!APR_BRIGADE_EMPTY(delivery->brigade)
           && keep_bucket(delivery, APR_BRIGADE_FIRST(delivery->brigade))) {
        apr_bucket_delete(APR_BRIGADE_FIRST(delivery->brigade));
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

/* Gives a brigade to the filters; `is_all`: nothing is left behind it. */
static void pass_on(passenger_delivery *delivery, apr_bucket_brigade *brigade, int is_all)
{
    passenger_outlet *outlet = &delivery->outlet;
    delivery->has_passed = 1;
    if (is_all && delivery->is_flush_owed) {
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_flush_create(delivery->r->connection->bucket_alloc));
        delivery->is_flush_owed = 0;
    }
    delivery->status = has_file(brigade) ? passenger_outlet_pass_waiting(outlet, brigade)
                                         : passenger_outlet_pass(outlet, brigade);
    /* The end goes out together with what httpd still adds. */
    if (delivery->status == APR_SUCCESS && !(is_all && delivery->mode == PASSENGER_DELIVERY_LAST)) {
        delivery->status = passenger_outlet_drain(outlet);
    }
}

/* Passes on the oldest piece of what is kept. */
static void pass_piece(passenger_delivery *delivery)
{
    passenger_response_spool *spool = &delivery->spool;
    size_t length;
    const char *bytes = passenger_response_spool_peek(spool, &length);
    if (bytes == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, spool->file_error, delivery->r, PSGLOGNO(2201)
                      "cannot read what was kept of the response in %s (PassengerDataBufferDir)",
                      directory_of_files());
        delivery->status = APR_EGENERAL;
        return;
    }
    int is_all = passenger_response_spool_length(spool) == (int64_t)length && APR_BRIGADE_EMPTY(delivery->brigade);
    APR_BRIGADE_INSERT_TAIL(delivery->piece, apr_bucket_transient_create(bytes, length, delivery->piece->bucket_alloc));
    pass_on(delivery, delivery->piece, is_all);
    passenger_response_spool_drop(spool, length);
}

/* The client has taken something, or is slow. */
static void end_waiting(passenger_delivery *delivery, int is_slow)
{
    if (delivery->waiting_since != 0) {
        delivery->patience -= passenger_monotonic_now() - delivery->waiting_since;
        delivery->patience = is_slow ? 0 : delivery->patience;
        delivery->waiting_since = 0;
    }
}

static int can_pass(const passenger_delivery *delivery)
{
    return delivery->status == APR_SUCCESS && !passenger_outlet_is_busy(&delivery->outlet);
}

static void deliver(passenger_delivery *delivery)
{
    while (can_pass(delivery) && passenger_delivery_is_keeping(delivery)) {
        pass_piece(delivery);
    }
    if (passenger_delivery_is_keeping(delivery) || !can_pass(delivery)) {
        keep(delivery);
    }
    else if (!APR_BRIGADE_EMPTY(delivery->brigade) || delivery->is_flush_owed) {
        pass_on(delivery, delivery->brigade, 1);
    }
    delivery->is_stuck = !APR_BRIGADE_EMPTY(delivery->brigade);
}

void passenger_delivery_pass(passenger_delivery *delivery, int mode)
{
    if ((mode & PASSENGER_DELIVERY_LAST) && delivery->last_since == 0) {
        delivery->last_since = passenger_monotonic_now();
    }
    delivery->mode = mode;
    delivery->is_flush_owed |= mode & PASSENGER_DELIVERY_FLUSH;
    deliver(delivery);
}

void passenger_delivery_continue(passenger_delivery *delivery)
{
    end_waiting(delivery, 0);
    delivery->status = passenger_outlet_drain(&delivery->outlet);
    deliver(delivery);
}

int passenger_delivery_is_pending(const passenger_delivery *delivery)
{
    return passenger_delivery_is_keeping(delivery) || !APR_BRIGADE_EMPTY(delivery->brigade)
           || (delivery->mode == (PASSENGER_DELIVERY_LAST | PASSENGER_DELIVERY_FLUSH)
               && passenger_outlet_is_busy(&delivery->outlet));
}

/* Leaves all that waits to httpd, as a file. Nothing happens when the file fails, or is not in one run. */
static void hand_over(passenger_delivery *delivery)
{
    passenger_response_spool *spool = &delivery->spool;
    request_rec *r = delivery->r;
    int64_t offset;
    if (!passenger_response_spool_store(spool, &offset)) {
        note_failure(delivery);
        return;
    }
    apr_bucket *file = apr_bucket_file_create(delivery->reader, offset,
                                              (apr_size_t)passenger_response_spool_length(spool), pool_of_file(r),
                                              r->connection->bucket_alloc);
    /* Mapped into memory, it would count as memory that the network filter must not hold. */
    apr_bucket_file_enable_mmap(file, 0);
    apr_bucket_file_set_buf_size(file, PASSENGER_RESPONSE_SPOOL_PIECE);
    APR_BRIGADE_INSERT_HEAD(delivery->brigade, file);
    passenger_response_spool_end(spool);
    delivery->has_passed = 1;
    delivery->status = passenger_outlet_pass_waiting(&delivery->outlet, delivery->brigade);
    delivery->is_stuck = 0;
}

/* Whether what waits is to be handed over, now or later: it is in a file already, or it has waited so long that a file
 * costs less than the thread. */
static int is_to_hand_over(const passenger_delivery *delivery)
{
    return delivery->mode == PASSENGER_DELIVERY_LAST && delivery->status == APR_SUCCESS
           && passenger_delivery_is_keeping(delivery) && delivery->spool.file_error == 0
           && passenger_outlet_sends_alone(&delivery->outlet);
}

static apr_time_t time_of_hand_over(const passenger_delivery *delivery)
{
    int is_in_file = delivery->spool.file_end > delivery->spool.file_start;
    return delivery->last_since + (is_in_file ? 0 : apr_time_from_msec(HAND_OVER_MILLISECONDS));
}

static apr_time_t end_of_patience(const passenger_delivery *delivery)
{
    apr_interval_time_t stall = apr_time_from_msec(STALL_MILLISECONDS);
    return delivery->waiting_since + (delivery->patience < stall ? delivery->patience : stall);
}

apr_time_t passenger_delivery_deadline(const passenger_delivery *delivery)
{
    apr_time_t deadline = 0;
    if (delivery->waiting_since != 0) {
        return end_of_patience(delivery);
    }
    if (passenger_outlet_is_busy(&delivery->outlet)) {
        deadline = delivery->outlet.busy_since + delivery->r->server->timeout;
    }
    if (is_to_hand_over(delivery) && (deadline == 0 || time_of_hand_over(delivery) < deadline)) {
        deadline = time_of_hand_over(delivery);
    }
    return deadline;
}

void passenger_delivery_keep_times(passenger_delivery *delivery, apr_time_t now)
{
    conn_rec *c = delivery->r->connection;
    if (delivery->waiting_since != 0 && now >= end_of_patience(delivery)) {
        end_waiting(delivery, 1);
        deliver(delivery);
    }
    if (is_to_hand_over(delivery) && now >= time_of_hand_over(delivery)) {
        hand_over(delivery);
    }
    if (passenger_outlet_is_busy(&delivery->outlet)
        && now - delivery->outlet.busy_since >= delivery->r->server->timeout) {
        ap_log_rerror(APLOG_MARK, APLOG_INFO, APR_TIMEUP, delivery->r, PSGLOGNO(2202)
                      "the client has taken nothing of the response for the time that Timeout allows");
        c->aborted = 1;
        delivery->status = APR_TIMEUP;
    }
}

void passenger_delivery_end(passenger_delivery *delivery)
{
    apr_brigade_cleanup(delivery->brigade);
    passenger_response_spool_end(&delivery->spool);
    if (delivery->spool.descriptor >= 0) {
        close(delivery->spool.descriptor);
        delivery->spool.descriptor = -1;
    }
}
