#include "core/response_head.h"

#include <string.h>
#include <strings.h>

#include "core/field_text.h"

enum { FIRST_CAPACITY = 2048 };

void passenger_head_begin(passenger_response_head *head, passenger_allocate allocate, void *context)
{
    memset(head, 0, sizeof(*head));
    head->allocate = allocate;
    head->context = context;
    head->content_length = -1;
}

/* Copies what a refusal is about, with all unprintable bytes escaped. */
static void note_subject(passenger_response_head *head, const char *text, size_t length)
{
    static const char hexadecimal[] = "0123456789abcdef";
    size_t used = 0;
    for (size_t index = 0; index < length && used + 5 < sizeof(head->subject); index++) {
        unsigned char byte = (unsigned char)text[index];
        if (byte >= 0x20 && byte < 0x7f && byte != '\\') {
            head->subject[used++] = (char)byte;
        }
        else {
            head->subject[used++] = '\\';
            head->subject[used++] = 'x';
            head->subject[used++] = hexadecimal[byte >> 4];
            head->subject[used++] = hexadecimal[byte & 15];
        }
    }
    head->subject[used] = '\0';
}

passenger_head_status passenger_head_refuse(passenger_response_head *head, passenger_head_refusal refusal,
                                            const char *subject, size_t length)
{
    head->refusal = refusal;
    head->state = PASSENGER_HEAD_REFUSED;
    note_subject(head, subject, length);
    return head->state;
}

void passenger_head_trim(const char *bytes, size_t *start, size_t *end)
{
    while (*start < *end && (bytes[*start] == ' ' || bytes[*start] == '\t')) {
        ++*start;
    }
    while (*end > *start && (bytes[*end - 1] == ' ' || bytes[*end - 1] == '\t')) {
        --*end;
    }
}

/* Framing and hop-by-hop headers belong to the server: an app that sets one could desynchronise the connection. In a
 * head of HTTP they are between the backend and us. */
static int is_of_connection(const char *name)
{
    static const char *const names[] = {"Transfer-Encoding", "Upgrade", "Trailer", "TE", NULL};
    return passenger_is_one_of(name, names);
}

static int is_forbidden(const passenger_response_head *head, const char *name)
{
    return (!head->is_http && is_of_connection(name)) || strncasecmp(name, "Proxy-", 6) == 0;
}

static int is_dropped(const passenger_response_head *head, const char *name)
{
    static const char *const names[] = {"Connection", "Keep-Alive", "Status", NULL};
    return passenger_is_one_of(name, names) || (head->is_http && is_of_connection(name))
           || (head->named[0] != '\0' && passenger_list_has(head->named, name)
               && strcasecmp(name, "Content-Length") != 0);
}

static passenger_head_status parse_length(passenger_response_head *head, const char *value)
{
    if (head->content_length >= 0) {
        return passenger_head_refuse(head, PASSENGER_HEAD_SECOND_LENGTH, "Content-Length", strlen("Content-Length"));
    }
    if (!passenger_parse_number(value, &head->content_length)) {
        return passenger_head_refuse(head, PASSENGER_HEAD_BAD_LENGTH, value, strlen(value));
    }
    return PASSENGER_HEAD_MORE;
}

static passenger_head_status parse_coding(passenger_response_head *head, const char *value)
{
    if (head->is_http_10 || head->is_chunked || strcasecmp(value, "chunked") != 0) {
        return passenger_head_refuse(head, PASSENGER_HEAD_BAD_CODING, value, strlen(value));
    }
    head->is_chunked = 1;
    return PASSENGER_HEAD_MORE;
}

static passenger_head_status parse_connection(passenger_response_head *head, const char *value)
{
    size_t used = strlen(head->named);
    size_t length = strlen(value);
    if (length + 2 > sizeof(head->named) - used) {
        return passenger_head_refuse(head, PASSENGER_HEAD_FORBIDDEN, "Connection", strlen("Connection"));
    }
    head->named[used++] = ',';
    memcpy(head->named + used, value, length + 1);
    head->is_last |= passenger_list_has(value, "close");
    return PASSENGER_HEAD_MORE;
}

/* What the header means for the end of the body, or of the connection. */
static passenger_head_status parse_meaning(passenger_response_head *head, const char *name, const char *value)
{
    if (strcasecmp(name, "Content-Length") == 0) {
        return parse_length(head, value);
    }
    if (head->is_http && strcasecmp(name, "Transfer-Encoding") == 0) {
        return parse_coding(head, value);
    }
    return head->is_http && strcasecmp(name, "Connection") == 0 ? parse_connection(head, value) : PASSENGER_HEAD_MORE;
}

/* Checks one header line at [start, end) and cuts it into name and value. */
static passenger_head_status parse_header(passenger_response_head *head, size_t start, size_t end)
{
    char *line = head->bytes + start;
    char *colon = memchr(line, ':', end - start);
    size_t name_length = colon != NULL ? (size_t)(colon - line) : end - start;
    if (colon == NULL || !passenger_is_token(line, name_length)) {
        return passenger_head_refuse(head, PASSENGER_HEAD_BAD_NAME, line, name_length);
    }
    *colon = '\0';
    size_t value_start = start + name_length + 1;
    size_t value_end = end;
    passenger_head_trim(head->bytes, &value_start, &value_end);
    if (!passenger_is_field_text(head->bytes + value_start, value_end - value_start)) {
        return passenger_head_refuse(head, PASSENGER_HEAD_BAD_VALUE, line, name_length);
    }
    head->bytes[value_end] = '\0';
    if (is_forbidden(head, line)) {
        return passenger_head_refuse(head, PASSENGER_HEAD_FORBIDDEN, line, name_length);
    }
    return parse_meaning(head, line, head->bytes + value_start);
}

/* All headers have come. With two lengths, readers disagree about where the next response begins. */
static passenger_head_status complete(passenger_response_head *head)
{
    if (head->is_chunked && head->content_length >= 0) {
        return passenger_head_refuse(head, PASSENGER_HEAD_SECOND_LENGTH, "Transfer-Encoding",
                                     strlen("Transfer-Encoding"));
    }
    head->is_last |= head->is_http_10;
    head->state = PASSENGER_HEAD_COMPLETE;
    return head->state;
}

/* A whole line, its LF included, lies at [line_start, used). */
static passenger_head_status parse_line(passenger_response_head *head)
{
    size_t start = head->line_start;
    size_t end = head->used - 1;
    head->line_start = head->used;
    if (end == start || head->bytes[end - 1] != '\r') {
        return passenger_head_refuse(head, PASSENGER_HEAD_BAD_LINE_END, head->bytes + start, end - start);
    }
    end--;
    if (head->headers_start == 0) {
        return passenger_head_parse_start(head, start, end);
    }
    if (passenger_head_parse_line_about_response(head, start, end)) {
        return PASSENGER_HEAD_MORE;
    }
    int is_interim = head->interim != PASSENGER_HEAD_MORE;
    if (end > start) {
        return is_interim && !passenger_head_interim_has_headers(head)
                   ? passenger_head_parse_interim_line(head, start, end) : parse_header(head, start, end);
    }
    return is_interim ? passenger_head_end_interim(head) : complete(head);
}

/* Makes room for `length` more bytes; the buffer doubles, so that copying stays linear. */
static int reserve(passenger_response_head *head, size_t length)
{
    if (head->capacity - head->used >= length) {
        return 1;
    }
    size_t capacity = head->capacity > 0 ? head->capacity : FIRST_CAPACITY;
    while (capacity - head->used < length) {
        capacity *= 2;
    }
    char *bytes = head->allocate(head->context, capacity);
    if (bytes == NULL) {
        return 0;
    }
    if (head->used > 0) {
        memcpy(bytes, head->bytes, head->used);
    }
    head->bytes = bytes;
    head->capacity = capacity;
    return 1;
}

passenger_head_status passenger_head_feed(passenger_response_head *head, const char *bytes, size_t length,
                                          size_t *consumed)
{
    *consumed = 0;
    passenger_head_forget_hints(head);
    while (head->state == PASSENGER_HEAD_MORE && *consumed < length) {
        const char *next = bytes + *consumed;
        const char *line_feed = memchr(next, '\n', length - *consumed);
        size_t piece = line_feed != NULL ? (size_t)(line_feed - next) + 1 : length - *consumed;
        if (piece > PASSENGER_RESPONSE_HEAD_LIMIT - head->used) {
            return passenger_head_refuse(head, PASSENGER_HEAD_TOO_LONG, "", 0);
        }
        if (!reserve(head, piece)) {
            return passenger_head_refuse(head, PASSENGER_HEAD_NO_MEMORY, "", 0);
        }
        memcpy(head->bytes + head->used, next, piece);
        head->used += piece;
        *consumed += piece;
        passenger_head_status status = line_feed != NULL ? parse_line(head) : PASSENGER_HEAD_MORE;
        if (status != PASSENGER_HEAD_MORE) {
            return status;
        }
    }
    return head->state;
}

const char *passenger_head_status_line(const passenger_response_head *head)
{
    return head->bytes + head->status_start;
}

int passenger_head_next(const passenger_response_head *head, size_t *position, const char **name, const char **value)
{
    size_t start = *position > 0 ? *position : head->headers_start;
    /* The empty line at the end is two bytes long; a header line is longer. */
    while (start + 2 < head->used) {
        const char *line = head->bytes + start;
        const char *line_feed = memchr(line, '\n', head->used - start);
        start = (size_t)(line_feed + 1 - head->bytes);
        if (!is_dropped(head, line)) {
            *name = line;
            *value = line + strlen(line) + 1;
            *value += strspn(*value, " \t");
            *position = start;
            return 1;
        }
    }
    *position = start;
    return 0;
}

const char *passenger_head_refusal_text(passenger_head_refusal refusal)
{
    switch (refusal) {
    case PASSENGER_HEAD_NO_STATUS:
        return "does not begin with a status line";
    case PASSENGER_HEAD_BAD_STATUS:
        return "has a status that is not a number from 200 to 599 with a plain reason";
    case PASSENGER_HEAD_BAD_LINE_END:
        return "has a line that does not end with CR LF";
    case PASSENGER_HEAD_BAD_NAME:
        return "has a header whose name is not a token";
    case PASSENGER_HEAD_BAD_VALUE:
        return "has a header with a control character in its value";
    case PASSENGER_HEAD_BAD_LENGTH:
        return "has a Content-Length that is not a number";
    case PASSENGER_HEAD_SECOND_LENGTH:
        return "has more than one length";
    case PASSENGER_HEAD_FORBIDDEN:
        return "has a header that only the server may set";
    case PASSENGER_HEAD_BAD_CODING:
        return "has a Transfer-Encoding that is not just `chunked`";
    case PASSENGER_HEAD_UPGRADE:
        return "switches to another protocol, which is not supported";
    case PASSENGER_HEAD_BAD_INTERIM:
        return "has interim heads that do not belong there";
    case PASSENGER_HEAD_TOO_LONG:
        return "has more than 256 KiB of headers";
    case PASSENGER_HEAD_NO_MEMORY:
        return "could not be stored";
    case PASSENGER_HEAD_NOT_REFUSED:
        break;
    }
    return "is fine";
}
