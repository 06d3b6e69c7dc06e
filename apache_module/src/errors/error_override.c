#include "errors/error_override.h"

#include <http_protocol.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "errors/error_answer.h"

static const char NOTE[] = "passenger-error-override";

int passenger_error_override_applies(request_rec *r, const passenger_response_head *head)
{
    return ap_is_HTTP_ERROR(head->status) && !ap_is_HTTP_ERROR(r->status)
           && passenger_dir_error_override(passenger_options_of(r));
}

/* RFC 9110, section 8: what is said of the representation, which will be another one. */
static int is_about_body(const char *name)
{
    static const char *const names[] = {"Content-Type", "Content-Length", "Content-Encoding", "Content-Language",
                                        "Content-Location", "Content-Range", "Content-Disposition", "Content-MD5",
                                        "Content-Digest", "Repr-Digest", "Digest", "ETag", "Last-Modified",
                                        "Accept-Ranges", NULL};
    for (int index = 0; names[index] != NULL; index++) {
        if (strcasecmp(name, names[index]) == 0) {
            return 1;
        }
    }
    return 0;
}

/* The server's own page about an app that failed says that it loads nothing: the ErrorDocument may. An app's own policy
 * is the site's, and stays. */
static int is_policy_of_error_page(const char *name, const char *value)
{
    return strcasecmp(name, "Content-Security-Policy") == 0 && strcmp(value, PASSENGER_ERROR_PAGE_POLICY) == 0;
}

/* httpd's own page for 405 and 501 names the methods that the request knows, not what a header says. */
static void allow_methods(request_rec *r, const char *list)
{
    char *state;
    ap_clear_method_list(r->allowed_methods);
    for (char *name = apr_strtok(apr_pstrdup(r->pool, list), ", \t", &state); name != NULL;
         name = apr_strtok(NULL, ", \t", &state)) {
        ap_method_list_add(r->allowed_methods, name);
    }
    /* By this bit httpd knows that there may be methods of other names. */
    r->allowed_methods->method_mask |= AP_METHOD_BIT << M_INVALID;
}

void passenger_error_override_begin(request_rec *r, const passenger_response_head *head)
{
    size_t position = 0;
    const char *name;
    const char *value;
    const char *line = passenger_head_status_line(head);
    /* These survive into the ErrorDocument, which is a request of its own. */
    while (passenger_head_next(head, &position, &name, &value)) {
        if (!is_about_body(name) && !is_policy_of_error_page(name, value)) {
            apr_table_addn(r->err_headers_out, name, value);
        }
        if (strcasecmp(name, "Allow") == 0) {
            allow_methods(r, value);
        }
    }
    /* httpd's own page shows the app's reason. The status stays: one of an error would forbid an ErrorDocument. */
    r->status_line = line[3] != '\0' ? line : apr_pstrcat(r->pool, line, " ", NULL);
    apr_table_setn(r->notes, NOTE, "1");
}

int passenger_error_override_is_on(const request_rec *r)
{
    return apr_table_get(r->notes, NOTE) != NULL;
}
