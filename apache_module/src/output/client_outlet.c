#include "output/client_outlet.h"

#include <ap_mpm.h>
#include <http_core.h>

#include "output/client_waits.h"
#include "core/monotonic.h"

static const char GATE[] = "JUMPSEAT_GATE";

typedef struct gate_state {
    int is_closed;    /* to flushes */
} gate_state;

static apr_status_t pass_gate(ap_filter_t *gate, apr_bucket_brigade *brigade)
{
    const gate_state *state = gate->ctx;
    apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
    while (state->is_closed && bucket != APR_BRIGADE_SENTINEL(brigade)) {
        apr_bucket *next = APR_BUCKET_NEXT(bucket);
        if (APR_BUCKET_IS_FLUSH(bucket)) {
            apr_bucket_delete(bucket);
        }
        bucket = next;
    }
    return APR_BRIGADE_EMPTY(brigade) ? APR_SUCCESS : ap_pass_brigade(gate->next, brigade);
}

/* Behind TLS, right before the network. */
void passenger_outlet_register(void)
{
    ap_register_output_filter(GATE, pass_gate, NULL, AP_FTYPE_NETWORK - 1);
}

static int is_network(const ap_filter_t *filter)
{
    return filter != NULL && filter->frec == ap_core_output_filter_handle;
}

/* The connection's gate, made when it is first needed; NULL when something unknown stands between it and the network. */
static ap_filter_t *gate_of(request_rec *r)
{
    conn_rec *c = r->connection;
    ap_filter_t *filter = c->output_filters;
    while (filter != NULL && !is_network(filter) && filter->frec->filter_func.out_func != pass_gate) {
        filter = filter->next;
    }
    if (is_network(filter)) {
        filter = ap_add_output_filter(GATE, apr_pcalloc(c->pool, sizeof(gate_state)), r, c);
    }
    return filter != NULL && is_network(filter->next) ? filter : NULL;
}

void passenger_outlet_begin(passenger_outlet *outlet, request_rec *r)
{
    outlet->r = r;
    outlet->gate = r->connection->master == NULL ? gate_of(r) : NULL;
    outlet->busy_since = 0;
    /* What is left of an earlier response on this connection goes first. */
    (void)passenger_outlet_drain(outlet);
}

int passenger_outlet_is_busy(const passenger_outlet *outlet)
{
    return outlet->busy_since != 0;
}

static apr_status_t checked(const passenger_outlet *outlet, apr_status_t rv)
{
    return rv == APR_SUCCESS && outlet->r->connection->aborted ? APR_ECONNABORTED : rv;
}

static apr_status_t pass(passenger_outlet *outlet, apr_bucket_brigade *brigade)
{
    apr_status_t rv = ap_pass_brigade(outlet->r->output_filters, brigade);
    apr_brigade_cleanup(brigade);
    return checked(outlet, rv);
}

apr_status_t passenger_outlet_pass_waiting(passenger_outlet *outlet, apr_bucket_brigade *brigade)
{
    passenger_client_wait wait;
    if (passenger_client_is_shared(outlet->r)) {
        return pass(outlet, brigade);
    }
    passenger_client_wait_begin(&wait, outlet->r);
    apr_status_t rv = pass(outlet, brigade);
    passenger_client_wait_end(&wait);
    return rv;
}

apr_status_t passenger_outlet_pass(passenger_outlet *outlet, apr_bucket_brigade *brigade)
{
    if (outlet->gate == NULL) {
        return passenger_outlet_pass_waiting(outlet, brigade);
    }
    gate_state *state = outlet->gate->ctx;
    state->is_closed = 1;
    apr_status_t rv = pass(outlet, brigade);
    state->is_closed = 0;
    return rv;
}

apr_status_t passenger_outlet_drain(passenger_outlet *outlet)
{
    conn_rec *c = outlet->r->connection;
    apr_status_t rv = APR_SUCCESS;
    if (outlet->gate != NULL && c->data_in_output_filters) {
        /* Without a brigade it sends what it holds, as far as the socket takes it: so does the event MPM. */
        ap_filter_t *network = outlet->gate->next;
        rv = network->frec->filter_func.out_func(network, NULL);
    }
    outlet->busy_since = outlet->gate != NULL && c->data_in_output_filters ? passenger_monotonic_now() : 0;
    return checked(outlet, rv);
}

int passenger_outlet_sends_alone(const passenger_outlet *outlet)
{
    const conn_rec *c = outlet->r->connection;
    int is_async;
    /* TLS would read the file, and wait for the client meanwhile. */
    return outlet->gate != NULL && c->output_filters == outlet->gate && ap_mpm_query(AP_MPMQ_IS_ASYNC, &is_async) == APR_SUCCESS && is_async;
}
