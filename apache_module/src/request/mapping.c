#include "request/mapping.h"

#include <http_core.h>
#include <http_log.h>
#include <http_request.h>
#include <apr_strings.h>

#include "config/configuration.h"
#include "request/app_detection.h"

APLOG_USE_MODULE(passenger);

passenger_mapping *passenger_mapping_of(const request_rec *r)
{
    return ap_get_module_config(r->request_config, &passenger_module);
}

static passenger_mapping *mapping_for(request_rec *r)
{
    passenger_mapping *mapping = passenger_mapping_of(r);
    if (mapping == NULL) {
        mapping = apr_pcalloc(r->pool, sizeof(*mapping));
        ap_set_module_config(r->request_config, &passenger_module, mapping);
    }
    return mapping;
}

int passenger_mapping_save_uri(request_rec *r)
{
    mapping_for(r)->original_uri = apr_pstrdup(r->pool, r->uri);
    return DECLINED;
}

int passenger_mapping_check_htaccess(request_rec *r)
{
    const passenger_htaccess *choice = passenger_htaccess_choice(passenger_htaccess_of(r));
    if (choice == NULL || passenger_dir_allow_htaccess(passenger_options_of(r))) {
        return DECLINED;
    }
    ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, PSGLOGNO(2002)
                  "%s:%d: %s is not allowed in a .htaccess file here, because PassengerAllowHtaccess is off: the "
                  "administrator can set it to on for this folder or virtual host, in the configuration of Apache",
                  choice->file, choice->line, choice->directive);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static const char *without_slash_at_end(apr_pool_t *pool, const char *path)
{
    apr_size_t length = strlen(path);
    while (length > 0 && path[length - 1] == '/') {
        length--;
    }
    return apr_pstrmemdup(pool, path, length);
}

/* The folder that holds `path`, which is absolute and does not end with a slash. */
static const char *parent_of(apr_pool_t *pool, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return "/";
    }
    return apr_pstrmemdup(pool, path, (apr_size_t)(slash - path));
}

/* The longest configured base URI that the path lies in, or "". */
static const char *matching_base_uri(const char *uri, const apr_array_header_t *base_uris)
{
    const char *longest = "";
    for (int index = 0; base_uris != NULL && index < base_uris->nelts; index++) {
        const char *base = APR_ARRAY_IDX(base_uris, index, const char *);
        apr_size_t length = strlen(base);
        if (length > strlen(longest) && strncmp(uri, base, length) == 0
            && (uri[length] == '\0' || uri[length] == '/')) {
            longest = base;
        }
    }
    return longest;
}

/* Whether the configuration asks for an app here by name, so that an app that is not found is worth a log line. */
static int is_explicit(const passenger_dir_options *options)
{
    return options->enabled == 1 || options->app_root != NULL;
}

static int report_forbidden(request_rec *r, const passenger_dir_options *options, const char *path)
{
    int explicit = is_explicit(options);
    ap_log_rerror(APLOG_MARK, explicit ? APLOG_ERR : APLOG_DEBUG, APR_EACCES, r, PSGLOGNO(2000)
                  "cannot look for an app at %s: give Apache's user search permission (chmod o+x) on each folder of "
                  "this path, or check the SELinux context", path);
    return explicit ? HTTP_INTERNAL_SERVER_ERROR : DECLINED;
}

/* Sets the mapping's folders. Returns OK, DECLINED when there can be no app, or an HTTP status. */
static int find_folders(request_rec *r, const passenger_dir_options *options, passenger_mapping *mapping)
{
    int seconds = passenger_server_stat_throttle_rate(passenger_server_wide_options());
    const char *app_root = passenger_dir_app_root(options);
    const char *document_root = without_slash_at_end(r->pool, ap_document_root(r));

    mapping->base_uri = matching_base_uri(r->uri, passenger_dir_base_uri(options));
    mapping->public_dir = apr_pstrcat(r->pool, document_root, mapping->base_uri, NULL);
    if (app_root != NULL) {
        mapping->app_root = app_root;
        if (*mapping->base_uri != '\0') {
            mapping->public_dir = apr_pstrcat(r->pool, app_root, "/public", NULL);
        }
        return OK;
    }
    if (*mapping->base_uri == '\0') {
        mapping->app_root = parent_of(r->pool, document_root);
        return OK;
    }
    /* The symlink style: DocumentRoot/base is a link to an app's public folder. */
    const char *target;
    switch (passenger_detect_link(r->pool, mapping->public_dir, seconds, &target)) {
    case PASSENGER_APP_FOUND:
        mapping->app_root = parent_of(r->pool, without_slash_at_end(r->pool, target));
        return OK;
    case PASSENGER_APP_FORBIDDEN:
        return report_forbidden(r, options, mapping->public_dir);
    default:
        return DECLINED;
    }
}

/* OK when there is an app, DECLINED when there is none, or an HTTP status. */
static int find_app(request_rec *r, const passenger_dir_options *options, passenger_mapping *mapping)
{
    int status = find_folders(r, options, mapping);
    if (status != OK) {
        return status;
    }
    const char *path;
    switch (passenger_find_app_kind(r, options, mapping->app_root, &mapping->kind, &path)) {
    case PASSENGER_APP_FOUND:
        return OK;
    case PASSENGER_APP_FORBIDDEN:
        return report_forbidden(r, options, path);
    default:
        if (passenger_dir_app_type(options) == NULL && is_explicit(options)) {
            ap_log_rerror(APLOG_MARK, APLOG_INFO, 0, r, PSGLOGNO(2001)
                          "no app here: there is no %s (PassengerAppRoot and PassengerStartupFile name others)", path);
        }
        return DECLINED;
    }
}

/* Page caching: dir/index.html answers for dir/, path.html for path. Then the request becomes that of the file, by
 * way of a sub-request, so that all access rules of the file hold. */
static int serve_cached_page(request_rec *r)
{
    if (r->method_number != M_GET || (r->path_info != NULL && *r->path_info != '\0')) {
        return DECLINED;
    }
    const char *file;
    const char *path = without_slash_at_end(r->pool, r->filename);
    if (r->uri[strlen(r->uri) - 1] == '/') {
        if (r->finfo.filetype != APR_DIR) {
            return DECLINED;
        }
        file = "index.html";
        path = apr_pstrcat(r->pool, path, "/index.html", NULL);
    }
    else {
        path = apr_pstrcat(r->pool, path, ".html", NULL);
        file = strrchr(path, '/') + 1;
    }
    apr_finfo_t found;
    if (apr_stat(&found, path, APR_FINFO_TYPE, r->pool) != APR_SUCCESS || found.filetype != APR_REG) {
        return DECLINED;
    }

    request_rec *page = ap_sub_req_lookup_file(file, r, r->output_filters);
    if (page->status != HTTP_OK) {
        int status = page->status;
        ap_destroy_sub_req(page);
        return status;
    }
    if (page->finfo.filetype != APR_REG) {
        ap_destroy_sub_req(page);
        return DECLINED;
    }
    ap_internal_fast_redirect(page, r);
    return OK;
}

static int has_path_info(const request_rec *r)
{
    return r->path_info != NULL && *r->path_info != '\0';
}

/* Whether the request belongs to others, by what is known without a look at any file. CONNECT asks a proxy for a
 * tunnel: an app cannot be one, and httpd answers 405. */
static int is_for_others(const request_rec *r)
{
    return r->method_number == M_CONNECT || r->proxyreq || r->handler != NULL || r->filename == NULL || r->uri == NULL || r->uri[0] != '/'
           || (r->finfo.filetype == APR_REG && !has_path_info(r));
}

int passenger_mapping_decide(request_rec *r)
{
    const passenger_dir_options *options = passenger_options_of(r);
    if (!passenger_dir_enabled(options) || is_for_others(r)) {
        return DECLINED;
    }
    passenger_mapping *mapping = mapping_for(r);
    int status = find_app(r, options, mapping);
    if (status != OK) {
        return status;
    }
    status = serve_cached_page(r);
    if (status != DECLINED) {
        return status;
    }
    mapping->is_for_app = 1;
    /* A file with a path behind it may be the script of another module: let the other hooks see it, too. */
    return r->finfo.filetype == APR_REG ? DECLINED : OK;
}

int passenger_mapping_set_handler(request_rec *r)
{
    passenger_mapping *mapping = passenger_mapping_of(r);
    if (mapping == NULL || !mapping->is_for_app) {
        return DECLINED;
    }
    if (r->handler != NULL) {
        mapping->is_for_app = 0;
        return DECLINED;
    }
    r->handler = PASSENGER_HANDLER;
    /* With this type mod_dir does not redirect and mod_speling does not search. */
    r->finfo.filetype = APR_UNKFILE;
    return OK;
}
