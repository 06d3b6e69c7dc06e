#include "proxy/response_start.h"

#include <http_core.h>
#include <http_protocol.h>
#include <apr_strings.h>

#include "config/configuration.h"

/* Gives the app's headers to httpd, in order and as often as they come. Content-Type goes its own way, so that charset
 * and filters by type work; it never changes the handler. */
static void set_headers(request_rec *r, const passenger_response_head *head)
{
    size_t position = 0;
    const char *name;
    const char *value;
    r->content_type = NULL;
    r->content_encoding = NULL;
    r->content_languages = NULL;
    while (passenger_head_next(head, &position, &name, &value)) {
        if (strcasecmp(name, "Content-Type") == 0) {
            ap_set_content_type(r, value);
        }
        else if (strcasecmp(name, "Content-Length") != 0) {
            apr_table_addn(r->headers_out, name, value);
        }
    }
    int shows_version = passenger_server_show_version_in_header(passenger_server_wide_options());
    apr_table_addn(r->headers_out, "X-Powered-By", shows_version ? "Jumpseat " JUMPSEAT_VERSION : "Jumpseat");
    apr_table_setn(r->headers_out, "Status",
                   r->status_line != NULL ? r->status_line : ap_get_status_line_ex(r->pool, r->status));
}

void passenger_response_start(request_rec *r, const passenger_response_head *head)
{
    const char *line = passenger_head_status_line(head);
    /* As the page of an ErrorDocument, it does not turn the error into a success. */
    if (head->status != HTTP_OK || !ap_is_HTTP_ERROR(r->status)) {
        r->status = head->status;
        r->status_line = line[3] != '\0' ? line : apr_pstrcat(r->pool, line, " ", NULL);
    }
    set_headers(r, head);
    if (head->content_length >= 0 && r->status != HTTP_NO_CONTENT) {
        ap_set_content_length(r, head->content_length);
    }
}
