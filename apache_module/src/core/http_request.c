#include "core/http_request.h"

#include <string.h>
#include <strings.h>

#include <apr_hash.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "core/field_text.h"
#include "core/generated/constants.h"

/* Counts the bytes; writes them when it has room for them. */
typedef struct writer {
    char *bytes;         /* NULL: only count */
    size_t used;
    int is_malformed;    /* something would break the head */
} writer;

/* What is written: the request, and what was found out about it before. */
typedef struct head_source {
    const passenger_http_request *request;
    apr_hash_t *named;             /* the names in Connection, in lower case; NULL: none but `close` and `keep-alive` */
    const char *forwarded_for;     /* what came as X-Forwarded-For; NULL: nothing */
} head_source;

static void put(writer *out, const char *text)
{
    size_t length = strlen(text);
    if (out->bytes != NULL) {
        memcpy(out->bytes + out->used, text, length);
    }
    out->used += length;
}

static void put_header(writer *out, const char *name, const char *value)
{
    out->is_malformed |= !passenger_is_field_text(value, strlen(value));
    put(out, name);
    put(out, ": ");
    put(out, value);
    put(out, "\r\n");
}

/* 1. The client's headers. */

/* The names that the client's Connection gives to this connection: they end here (RFC 9110, section 7.6.1). */
static apr_hash_t *named_in_connection(const apr_table_t *headers, apr_pool_t *pool)
{
    const char *list = apr_table_getm(pool, headers, "Connection");
    apr_hash_t *named = NULL;
    size_t length;
    if (list == NULL) {
        return NULL;
    }
    for (const char *name = passenger_list_next(&list, &length); name != NULL; name = passenger_list_next(&list, &length)) {
        char *copy = apr_pstrmemdup(pool, name, length);
        if (strcasecmp(copy, "close") != 0 && strcasecmp(copy, "keep-alive") != 0) {
            named = named != NULL ? named : apr_hash_make(pool);
            for (char *byte = copy; *byte != '\0'; byte++) {
                *byte = (char)apr_tolower(*byte);
            }
            apr_hash_set(named, copy, (apr_ssize_t)length, copy);
        }
    }
    return named;
}

/* Whether the name has other characters than letters, digits and dashes. Backends that make variables of headers could
 * take it for another one (X_Forwarded_For for X-Forwarded-For). */
static int is_ambiguous(const char *name)
{
    if (*name == '\0') {
        return 1;
    }
    for (; *name != '\0'; name++) {
        if (*name != '-' && ((unsigned char)*name >= 0x80 || !apr_isalnum(*name))) {
            return 1;
        }
    }
    return 0;
}

/* Whether the header is about the client's connection, or one that only the server may set. */
static int is_withheld(const char *name)
{
    static const char *const names[] = {"Connection", "Keep-Alive", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
                                        "Proxy", "Content-Length", "Host", "Expect", "X-Forwarded-For",
                                        "X-Forwarded-Proto", NULL};
    return passenger_is_one_of(name, names) || strncasecmp(name, "Proxy-", 6) == 0
           || strncasecmp(name, "Jumpseat-", 9) == 0 || is_ambiguous(name);
}

static int is_named(apr_hash_t *named, const char *name)
{
    char lower[128];
    size_t length = strlen(name);
    if (named == NULL || length >= sizeof(lower)) {
        return 0;
    }
    for (size_t index = 0; index < length; index++) {
        lower[index] = (char)apr_tolower(name[index]);
    }
    return apr_hash_get(named, lower, (apr_ssize_t)length) != NULL;
}

static void put_clients_headers(writer *out, const head_source *source)
{
    const apr_array_header_t *headers = apr_table_elts(source->request->headers);
    for (int index = 0; index < headers->nelts; index++) {
        const apr_table_entry_t *header = &APR_ARRAY_IDX(headers, index, apr_table_entry_t);
        if (!is_withheld(header->key) && !is_named(source->named, header->key)) {
            put_header(out, header->key, header->val);
        }
    }
}

/* 2. The server's. */

/* The proxies before us are in the list already; the scheme is the one by which the first of them was reached, unless
 * we know better. */
static void put_forwarded(writer *out, const head_source *source)
{
    const passenger_http_request *request = source->request;
    const char *scheme = apr_table_get(request->headers, "X-Forwarded-Proto");
    put(out, "X-Forwarded-For: ");
    if (source->forwarded_for != NULL && source->forwarded_for[0] != '\0') {
        out->is_malformed |= !passenger_is_field_text(source->forwarded_for, strlen(source->forwarded_for));
        put(out, source->forwarded_for);
        put(out, ", ");
    }
    put(out, request->client_address);
    put(out, "\r\n");
    put_header(out, "X-Forwarded-Proto", request->is_https || scheme == NULL ? (request->is_https ? "https" : "http")
                                                                             : scheme);
    if (apr_table_get(request->headers, "X-Forwarded-Host") == NULL || is_named(source->named, "X-Forwarded-Host")) {
        put_header(out, "X-Forwarded-Host", request->host);
    }
}

static void put_framing(writer *out, const passenger_http_request *request)
{
    char digits[24];
    if (request->framing == PASSENGER_HTTP_LENGTH) {
        apr_snprintf(digits, sizeof(digits), "%" APR_INT64_T_FMT, (apr_int64_t)request->length);
        put_header(out, "Content-Length", digits);
    }
    else if (request->framing == PASSENGER_HTTP_CHUNKED) {
        put_header(out, "Transfer-Encoding", "chunked");
    }
    if (request->expects_continue) {
        put_header(out, "Expect", "100-continue");
    }
    put_header(out, "Connection", request->may_be_kept ? "keep-alive" : "close");
}

/* JUMPSEAT_TIME_LIMIT is spelled Jumpseat-Time-Limit. */
static void put_extension(writer *out, const passenger_field *field)
{
    char name[64];
    size_t length = field->name_length < sizeof(name) ? field->name_length : sizeof(name) - 1;
    for (size_t index = 0; index < length; index++) {
        int is_first = index == 0 || field->name[index - 1] == '_';
        name[index] = field->name[index] == '_' ? '-' : (char)(is_first ? field->name[index]
                                                                        : apr_tolower(field->name[index]));
    }
    name[length] = '\0';
    put_header(out, name, field->value);
}

/* 3. The head. */

static void put_head(writer *out, const head_source *source)
{
    const passenger_http_request *request = source->request;
    put(out, request->method);
    put(out, " ");
    put(out, request->target);
    put(out, " HTTP/1.1\r\n");
    put_header(out, "Host", request->host);
    put_clients_headers(out, source);
    put_forwarded(out, source);
    put_framing(out, request);
    for (int index = 0; request->extensions != NULL && index < request->extensions->fields->nelts; index++) {
        put_extension(out, &APR_ARRAY_IDX(request->extensions->fields, index, passenger_field));
    }
    put(out, "\r\n");
}

/* Whether the target has only visible characters; what is beyond ASCII stays as the client sent it. */
static int is_target(const char *target)
{
    for (const char *byte = target; *byte != '\0'; byte++) {
        if ((unsigned char)*byte <= 0x20 || *byte == 0x7f) {
            return 0;
        }
    }
    return target[0] != '\0';
}

passenger_http_request_status passenger_http_request_write(const passenger_http_request *request, apr_pool_t *pool,
                                                           const char **bytes, size_t *length)
{
    head_source source = {.request = request, .named = named_in_connection(request->headers, pool),
                          .forwarded_for = apr_table_getm(pool, request->headers, "X-Forwarded-For")};
    writer out = {.bytes = NULL};
    put_head(&out, &source);
    if (out.used > PASSENGER_REQUEST_HEAD_LIMIT) {
        return PASSENGER_HTTP_REQUEST_TOO_LONG;
    }
    if (out.is_malformed || !passenger_is_token(request->method, strlen(request->method))
        || !is_target(request->target)) {
        return PASSENGER_HTTP_REQUEST_MALFORMED;
    }
    out = (writer){.bytes = apr_palloc(pool, out.used)};
    put_head(&out, &source);
    *bytes = out.bytes;
    *length = out.used;
    return PASSENGER_HTTP_REQUEST_OK;
}
