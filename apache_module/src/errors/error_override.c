#include "errors/error_override.h"

#include <http_protocol.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "core/generated/constants.h"
#include "errors/error_answer.h"

int passenger_error_override_applies(request_rec *r, const passenger_response_head *head)
{
    return ap_is_HTTP_ERROR(head->status) && !ap_is_HTTP_ERROR(r->status)
           && passenger_dir_error_override(passenger_options_of(r));
}

/* Headers about the representation (RFC 9110, section 8), which will be another one. */
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

/* The pages of the worker and the spawner about an app that failed load nothing, and their policy says so. An
 * ErrorDocument may load something. A policy of the app's own stays. */
static int is_policy_of_error_page(const char *name, const char *value)
{
    return strcasecmp(name, "Content-Security-Policy") == 0 && strcmp(value, PASSENGER_ERROR_PAGE_POLICY) == 0;
}

/* httpd's own pages for 405 and 501 list the methods in the request_rec, not those of a header. */
static void allow_methods(request_rec *r, const char *list)
{
    char *state;
    ap_clear_method_list(r->allowed_methods);
    for (char *name = apr_strtok(apr_pstrdup(r->pool, list), ", \t", &state); name != NULL;
         name = apr_strtok(NULL, ", \t", &state)) {
        ap_method_list_add(r->allowed_methods, name);
    }
    /* Tells httpd that the list may hold methods that it has no number for. */
    r->allowed_methods->method_mask |= AP_METHOD_BIT << M_INVALID;
}

void passenger_error_override_begin(request_rec *r, const passenger_response_head *head)
{
    size_t position = 0;
    const char *name;
    const char *value;
    const char *line = passenger_head_status_line(head);
    /* err_headers_out survives into the ErrorDocument, which is a request of its own. */
    while (passenger_head_next(head, &position, &name, &value)) {
        if (!is_about_body(name) && !is_policy_of_error_page(name, value)) {
            apr_table_addn(r->err_headers_out, name, value);
        }
        if (strcasecmp(name, "Allow") == 0) {
            allow_methods(r, value);
        }
    }
    /* For httpd's own page, which shows the reason. r->status stays: with an error's status there httpd would serve no
     * ErrorDocument. */
    r->status_line = line[3] != '\0' ? line : apr_pstrcat(r->pool, line, " ", NULL);
    passenger_error_leave_to_httpd(r);
}
