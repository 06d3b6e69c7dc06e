#include "output/output_filter.h"

#include <ap_mpm.h>
#include <http_core.h>

#include "core/deadlines.h"
#include "output/client_waits.h"

static const char FILTER_NAME[] = "JUMPSEAT_OUTPUT";

/* One per connection. */
typedef struct filter_state {
    int removes_flushes;
} filter_state;

static apr_status_t filter_brigade(ap_filter_t *filter, apr_bucket_brigade *brigade)
{
    const filter_state *state = filter->ctx;
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
    while (state->removes_flushes && bucket != APR_BRIGADE_SENTINEL(brigade)) {
        apr_bucket *next = APR_BUCKET_NEXT(bucket);
        if (APR_BUCKET_IS_FLUSH(bucket)) {
            apr_bucket_delete(bucket);
        }
        bucket = next;
    }
    return APR_BRIGADE_EMPTY(brigade) ? APR_SUCCESS : ap_pass_brigade(filter->next, brigade);
}

/* Its type puts it behind TLS, right before the network filter. */
void passenger_output_register(void)
{
    ap_register_output_filter(FILTER_NAME, filter_brigade, NULL, AP_FTYPE_NETWORK - 1);
}

static int is_network(const ap_filter_t *filter)
{
    return filter != NULL && filter->frec == ap_core_output_filter_handle;
}

/* Our filter on the connection, added when it is first needed; NULL when an unknown filter stands between it and
 * the network filter. */
static ap_filter_t *filter_of(request_rec *r)
{
    conn_rec *c = r->connection;
    ap_filter_t *filter = c->output_filters;
    while (filter != NULL && !is_network(filter) && filter->frec->filter_func.out_func != filter_brigade) {
        filter = filter->next;
    }
    if (is_network(filter)) {
        filter = ap_add_output_filter(FILTER_NAME, apr_pcalloc(c->pool, sizeof(filter_state)), r, c);
    }
    return filter != NULL && is_network(filter->next) ? filter : NULL;
}

void passenger_output_begin(passenger_output *output, request_rec *r)
{
    output->r = r;
    output->filter = r->connection->master == NULL ? filter_of(r) : NULL;
    output->busy_since = 0;
    (void)passenger_output_send_pending(output);
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
    state->removes_flushes = 1;
    apr_status_t rv = pass(output, brigade);
    state->removes_flushes = 0;
    return rv;
}

apr_status_t passenger_output_send_pending(passenger_output *output)
{
    conn_rec *c = output->r->connection;
    apr_status_t rv = APR_SUCCESS;
    if (output->filter != NULL && c->data_in_output_filters) {
        /* Without a brigade it sends what it holds, as far as the socket takes it: the event MPM calls it so, too. */
        ap_filter_t *network = output->filter->next;
        rv = network->frec->filter_func.out_func(network, NULL);
    }
    output->busy_since = output->filter != NULL && c->data_in_output_filters ? passenger_monotonic_now() : 0;
    return check_connection(output, rv);
}

int passenger_output_sends_without_thread(const passenger_output *output)
{
    const conn_rec *c = output->r->connection;
    int is_async;
    /* With TLS, httpd reads the file to encrypt it, and blocks for the client meanwhile. */
    return output->filter != NULL && c->output_filters == output->filter
           && ap_mpm_query(AP_MPMQ_IS_ASYNC, &is_async) == APR_SUCCESS && is_async;
}
