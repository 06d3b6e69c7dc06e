#include "output/output_filter.h"

#include <ap_mmn.h>
#include <ap_mpm.h>
#include <http_core.h>

#include "core/deadlines.h"
#include "output/client_waits.h"
#include "output/counted_buckets.h"

static const char FILTER_NAME[] = "JUMPSEAT_OUTPUT";

/* One per connection; of HTTP/2, per stream. */
typedef struct filter_state {
    int is_passing;                       /* what comes has been passed by passenger_output_pass() */
    passenger_bucket_counter *counter;    /* of a stream; else NULL */
    apr_bucket_brigade *nothing;          /* of a stream; else NULL */
    int has_uncounted;                    /* something has been passed that is not counted: nothing is any more */
} filter_state;

static void remove_flushes(apr_bucket_brigade *brigade)
{
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
    while (bucket != APR_BRIGADE_SENTINEL(brigade)) {
        apr_bucket *next = APR_BUCKET_NEXT(bucket);
        if (APR_BUCKET_IS_FLUSH(bucket)) {
            apr_bucket_delete(bucket);
        }
        bucket = next;
    }
}

static apr_status_t filter_brigade(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    filter_state *state = filter->ctx;
    if (state->is_passing && state->counter != NULL) {
        /* A filter may replace the response by a large file, or put one into it. mod_http2 needs no memory for it. */
        state->has_uncounted |= !passenger_bucket_counter_takes(brigade);
        apr_status_t rv = state->has_uncounted ? APR_SUCCESS : passenger_bucket_counter_add(state->counter, brigade);
        if (rv != APR_SUCCESS) {
            apr_brigade_cleanup(brigade);
            return rv;
        }
    }
    else if (state->is_passing) {
        remove_flushes(brigade);
        if (APR_BRIGADE_EMPTY(brigade)) {
            return APR_SUCCESS;
        }
    }
    return ap_pass_brigade(filter->next, brigade);
}

/* Its type puts it behind TLS, right before the network filter. */
void passenger_output_register(void)
{
    ap_register_output_filter(FILTER_NAME, filter_brigade, NULL, AP_FTYPE_NETWORK - 1);
}

static int is_ours(const ap_filter_t *filter)
{
    return filter->frec->filter_func.out_func == filter_brigade;
}

static ap_filter_t *find_filter(const conn_rec *c)
{
    ap_filter_t *filter = c->output_filters;
    while (filter != NULL && !is_ours(filter)) {
        filter = filter->next;
    }
    return filter;
}

static ap_filter_t *add_filter(request_rec *r, int is_stream)
{
    conn_rec *c = r->connection;
    filter_state *state = apr_pcalloc(c->pool, sizeof(*state));
    if (is_stream) {
        state->nothing = apr_brigade_create(c->pool, c->bucket_alloc);
        state->counter = passenger_bucket_counter_create(c->pool);
        if (state->counter == NULL) {
            return NULL;
        }
    }
    return ap_add_output_filter(FILTER_NAME, state, r, c);
}

/* Whether nothing stands behind our filter but what httpd has there: the network filter; or, for a stream, filters of
 * mod_http2, of which one is removed when it has seen the response's head. */
static int is_in_place(const ap_filter_t *filter, int is_stream)
{
    const ap_filter_t *next = filter != NULL ? filter->next : NULL;
    if (!is_stream) {
        return next != NULL && next->frec == ap_core_output_filter_handle;
    }
    while (next != NULL && next->next != NULL && next->frec->ftype >= AP_FTYPE_NETWORK) {
        next = next->next;
    }
    return next != NULL && next->next == NULL && next->frec->ftype >= AP_FTYPE_NETWORK;
}

static int has_uncounted(const ap_filter_t *filter)
{
    const filter_state *state = filter->ctx;
    return state->has_uncounted;
}

/* Our filter on the connection, added when it is first needed; NULL when an unknown filter stands behind it, or not all
 * is counted that waits there. */
static ap_filter_t *filter_of(request_rec *r)
{
    int is_stream = passenger_client_is_shared(r);
    ap_filter_t *filter = find_filter(r->connection);
    if (filter == NULL) {
        filter = add_filter(r, is_stream);
    }
    return is_in_place(filter, is_stream) && !has_uncounted(filter) ? filter : NULL;
}

void passenger_output_begin(passenger_output *output, request_rec *r)
{
    *output = (passenger_output){.r = r, .filter = filter_of(r)};
    (void)passenger_output_send_pending(output);
}

int passenger_output_is_stream(const passenger_output *output)
{
    return output->filter != NULL && passenger_client_is_shared(output->r);
}

static apr_status_t check_connection(const passenger_output *output, apr_status_t rv)
{
    return rv == APR_SUCCESS && output->r->connection->aborted ? APR_ECONNABORTED : rv;
}

static apr_status_t pass(passenger_output *output, apr_bucket_brigade *brigade)
{
    apr_status_t rv = ap_pass_brigade(output->r->output_filters, brigade);
    apr_brigade_cleanup(brigade);
    return check_connection(output, rv);
}

apr_status_t passenger_output_pass_blocking(passenger_output *output, apr_bucket_brigade *brigade)
{
    passenger_client_wait wait;
    if (passenger_client_is_shared(output->r)) {
        return pass(output, brigade);
    }
    passenger_client_wait_begin(&wait, output->r);
    apr_status_t rv = pass(output, brigade);
    passenger_client_wait_end(&wait);
    return rv;
}

apr_status_t passenger_output_pass(passenger_output *output, apr_bucket_brigade *brigade)
{
    if (output->filter == NULL) {
        return passenger_output_pass_blocking(output, brigade);
    }
    filter_state *state = output->filter->ctx;
    int is_part = state->is_passing;   /* of a page whose brigade is on its way: the rest of that follows */
    state->is_passing = 1;
    apr_status_t rv = pass(output, brigade);
    state->is_passing = is_part;
    if (state->has_uncounted) {
        output->filter = NULL;
    }
    return rv;
}

#if AP_MODULE_MAGIC_AT_LEAST(20180720, 1)   /* conn_rec has no data_in_output_filters any more */

static int has_pending(const passenger_output *output)
{
    return ap_filter_should_yield(output->filter->next)
           || ap_filter_should_yield(output->r->connection->output_filters);
}

static apr_status_t send_to_network(passenger_output *output)
{
    int answer = ap_filter_output_pending(output->r->connection);
    return answer == OK || answer == DECLINED ? APR_SUCCESS : APR_EGENERAL;
}

#else

static int has_pending(const passenger_output *output)
{
    return output->r->connection->data_in_output_filters;
}

/* Without a brigade the network filter sends what it holds, as far as the socket takes it: so does the event MPM. */
static apr_status_t send_to_network(passenger_output *output)
{
    ap_filter_t *network = output->filter->next;
    return network->frec->filter_func.out_func(network, NULL);
}

#endif

/* mod_http2 destroys what its connection has taken when it is passed something, also when that is nothing. */
static apr_status_t send_pending_of_stream(passenger_output *output)
{
    const filter_state *state = output->filter->ctx;
    apr_status_t rv = APR_SUCCESS;
    if (passenger_bucket_counter_bytes(state->counter) > 0) {
        rv = ap_pass_brigade(output->filter->next, state->nothing);
        apr_brigade_cleanup(state->nothing);
    }
    apr_size_t waiting = passenger_bucket_counter_bytes(state->counter);
    if (waiting == 0) {
        output->busy_since = 0;
    }
    else if (waiting != output->waiting || output->busy_since == 0) {
        output->busy_since = passenger_monotonic_now();
    }
    output->waiting = waiting;
    return check_connection(output, rv);
}

apr_status_t passenger_output_send_pending(passenger_output *output)
{
    apr_status_t rv = APR_SUCCESS;
    if (output->filter == NULL) {
        return check_connection(output, rv);
    }
    if (passenger_output_is_stream(output)) {
        return send_pending_of_stream(output);
    }
    if (has_pending(output)) {
        rv = send_to_network(output);
    }
    output->busy_since = has_pending(output) ? passenger_monotonic_now() : 0;
    return check_connection(output, rv);
}

int passenger_output_sends_without_thread(const passenger_output *output)
{
    int is_async;
    /* With TLS, httpd reads the file to encrypt it, and blocks for the client meanwhile. */
    return output->filter != NULL && !passenger_client_is_shared(output->r)
           && output->r->connection->output_filters == output->filter
           && ap_mpm_query(AP_MPMQ_IS_ASYNC, &is_async) == APR_SUCCESS && is_async;
}
