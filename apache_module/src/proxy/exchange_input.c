#include "proxy/exchange_input.h"

#include <http_log.h>

#include "core/buffer_file.h"
#include "config/configuration.h"
#include "core/log_numbers.h"

APLOG_USE_MODULE(passenger);

enum { WITHOUT_READER = 32 * 1024 };  /* bytes that httpd takes for an HTTP/2 stream before it waits for the client */

passenger_backend_status passenger_exchange_receive(passenger_exchange *exchange, char *bytes, size_t size,
                                                    size_t *length)
{
    if (exchange->reader.is_started) {
        return passenger_backend_reader_receive(&exchange->reader, bytes, size, length);
    }
    return passenger_backend_receive(exchange->backend, bytes, size, length);
}

/* Called by the reader's thread. */
static int make_file(void *path)
{
    return passenger_buffer_file_make(path);
}

static void start_reader(passenger_exchange *exchange)
{
    request_rec *r = exchange->r;
    const passenger_server_options *options = passenger_server_wide_options();
    char *path = passenger_buffer_file_path(r->pool, passenger_server_data_buffer_dir(options), "response");
    int error = passenger_backend_reader_start(&exchange->reader, exchange->backend,
                                               passenger_server_response_buffer_high_watermark(options), make_file, path);
    if (error != 0) {
        exchange->is_reader_refused = 1;
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, error, r, PSGLOGNO(2203)
                      "cannot start a thread to read the response: the worker waits for the client if that is slow");
    }
}

void passenger_exchange_read_ahead(passenger_exchange *exchange)
{
    exchange->passed += exchange->received_used;
    if (exchange->relay.delivery.outlet.gate == NULL && exchange->passed > WITHOUT_READER
        && !exchange->reader.is_started && !exchange->is_reader_refused
        && !passenger_relay_is_answered(&exchange->relay)) {
        start_reader(exchange);
    }
}

void passenger_exchange_end_input(passenger_exchange *exchange)
{
    if (exchange->reader.is_started) {
        int error = passenger_backend_reader_file_error(&exchange->reader);
        if (error != 0) {
            ap_log_rerror(APLOG_MARK, APLOG_WARNING, error, exchange->r, PSGLOGNO(2204)
                          "could not keep the response in %s (PassengerDataBufferDir): the worker waited for the slow "
                          "client", passenger_server_data_buffer_dir(passenger_server_wide_options()));
        }
        passenger_backend_reader_stop(&exchange->reader);
    }
    passenger_backend_close(exchange->backend);
}
