#include "errors/error_answer.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <mod_core.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "core/accept.h"
#include "core/generated/constants.h"

APLOG_USE_MODULE(passenger);

#define ID_NOTE "passenger-error-id"
#define ID_VARIABLE "PASSENGER_ERROR_ID"
#define NO_SPAWNER_NOTE "passenger-error-no-spawner"
#define LEFT_TO_HTTPD_NOTE "passenger-error-left-to-httpd"

enum { RETRY_AFTER_SECONDS = 1 };

typedef struct page_text {
    int status;
    const char *title;
    const char *advice;
} page_text;

/* None of them holds a character that HTML or JSON would have to escape. */
static const page_text page_texts[] = {
    {HTTP_INTERNAL_SERVER_ERROR, "The application cannot be served", "It is not set up rightly on this server."},
    {HTTP_BAD_GATEWAY, "The application could not answer this request",
     "It ended, or failed, while it dealt with the request. Trying again later may help."},
    {HTTP_SERVICE_UNAVAILABLE, "The application is too busy at the moment", "Please try again in a moment."},
    {HTTP_GATEWAY_TIME_OUT, "The application took too long", "Trying again later may help."},
    {HTTP_INSUFFICIENT_STORAGE, "The server is out of space", "What was sent could not be stored."},
};

/* For HTTP_SERVICE_UNAVAILABLE while no spawner runs. */
static const page_text no_spawner_text = {
    HTTP_SERVICE_UNAVAILABLE, "The application cannot be started at the moment",
    "The part of this web server that starts applications does not run. Please try again later."};

/* The look of the pages that workers and the spawner make (spawner/shared/error_page.py). */
static const char page_format[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"robots\" content=\"noindex\">"
    "<title>%s</title><style>:root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:3em auto;max-width:60em;padding:0 1em}h1{font-size:1.5em}"
    "code{font-family:ui-monospace,monospace;font-size:14px}</style></head>\n"
    "<body><main><h1>%s</h1><p>%s</p><p>If this is your site: the cause stands in the error log of the web server, "
    "under the error id <code>%s</code>.</p></main></body></html>\n";

static const char json_format[] =
    "{\"error\": {\"status\": %d, \"title\": \"%s\", \"id\": \"%s\", \"retry_after\": %s}}\n";

void passenger_error_id_set(request_rec *r, const char *id)
{
    apr_table_setn(r->notes, ID_NOTE, apr_pstrdup(r->pool, id));
    apr_table_set(r->subprocess_env, ID_VARIABLE, id);
}

const char *passenger_error_id(request_rec *r)
{
    const char *known = apr_table_get(r->notes, ID_NOTE);
    if (known != NULL) {
        return known;
    }
    apr_uint32_t number = 0;
    if (apr_generate_random_bytes((unsigned char *)&number, sizeof(number)) != APR_SUCCESS) {
        number = (apr_uint32_t)apr_time_now();
    }
    const char *id = apr_psprintf(r->pool, "%08x", number);
    passenger_error_id_set(r, id);
    return id;
}

static const page_text *text_of(const request_rec *r, int status)
{
    if (status == HTTP_SERVICE_UNAVAILABLE && apr_table_get(r->notes, NO_SPAWNER_NOTE) != NULL) {
        return &no_spawner_text;
    }
    for (size_t index = 0; index < sizeof(page_texts) / sizeof(page_texts[0]); index++) {
        if (page_texts[index].status == status) {
            return &page_texts[index];
        }
    }
    return NULL;
}

void passenger_error_retry_later(request_rec *r)
{
    apr_table_setn(r->err_headers_out, "Retry-After", apr_itoa(r->pool, RETRY_AFTER_SECONDS));
}

void passenger_error_no_spawner(request_rec *r)
{
    apr_table_setn(r->notes, NO_SPAWNER_NOTE, "1");
}

void passenger_error_leave_to_httpd(request_rec *r)
{
    apr_table_setn(r->notes, LEFT_TO_HTTPD_NOTE, "1");
}

/* Whether httpd answers: it was told to; an ErrorDocument is configured; or the request is itself that of an
 * ErrorDocument or part of a page. */
static int is_for_httpd(request_rec *r, int status)
{
    return apr_table_get(r->notes, LEFT_TO_HTTPD_NOTE) != NULL || r->main != NULL
           || (r->prev != NULL && ap_is_HTTP_ERROR(r->prev->status))
           || ap_response_code_string(r, ap_index_of_response(status)) != NULL;
}

static void set_head(request_rec *r, int status, const char *type, apr_size_t length)
{
    apr_table_clear(r->headers_out);
    r->status = status;
    r->status_line = NULL;
    r->content_encoding = NULL;
    r->content_languages = NULL;
    ap_set_content_type(r, type);
    ap_set_content_length(r, (apr_off_t)length);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(r->headers_out, "Content-Security-Policy", PASSENGER_ERROR_PAGE_POLICY);
}

int passenger_error_answer(request_rec *r, int status)
{
    const page_text *words = text_of(r, status);
    if (words == NULL || is_for_httpd(r, status)) {
        return status;
    }
    if (apr_table_get(r->notes, ID_NOTE) == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2135)
                      "answered %d for the reason in the line before: %s %s (error id %s)", status, r->method, r->uri,
                      passenger_error_id(r));
    }
    const char *id = passenger_error_id(r);
    int in_json = passenger_accept_prefers_json(apr_table_get(r->headers_in, "Accept"),
                                                apr_table_get(r->headers_in, "Content-Type"));
    const char *retry_after = apr_table_get(r->err_headers_out, "Retry-After");
    const char *text = in_json ? apr_psprintf(r->pool, json_format, status, words->title, id,
                                              retry_after != NULL ? retry_after : "null")
                               : apr_psprintf(r->pool, page_format, words->title, words->title, words->advice, id);
    apr_bucket_alloc_t *list = r->connection->bucket_alloc;
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, list);
    set_head(r, status, in_json ? "application/json" : "text/html; charset=utf-8", strlen(text));
    if (!r->header_only) {
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_pool_create(text, strlen(text), r->pool, list));
    }
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(list));
    if (r->connection->keepalive == AP_CONN_CLOSE) {
        /* Else httpd would first read the rest of the body, which the client may not send before it has the answer. */
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_flush_create(list));
    }
    apr_status_t rv = ap_pass_brigade(r->output_filters, brigade);
    apr_brigade_cleanup(brigade);
    /* A filter has failed, or has answered itself: httpd knows whether there has been any answer. */
    return rv == APR_SUCCESS ? OK : AP_FILTER_ERROR;
}
