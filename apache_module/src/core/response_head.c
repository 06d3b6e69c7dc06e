#include "core/response_head.h"

#include <string.h>
#include <strings.h>

enum { FIRST_CAPACITY = 2048, STATUS_DIGITS = 3, LENGTH_DIGITS = 18 };

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

static passenger_head_status refuse(passenger_response_head *head, passenger_head_refusal refusal, const char *subject,
                                    size_t length)
{
    head->refusal = refusal;
    head->state = PASSENGER_HEAD_REFUSED;
    note_subject(head, subject, length);
    return head->state;
}

/* RFC 9110, section 5.6.2. */
static int is_token_byte(unsigned char byte)
{
    if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z')) {
        return 1;
    }
    return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

static int is_token(const char *text, size_t length)
{
    for (size_t index = 0; index < length; index++) {
        if (!is_token_byte((unsigned char)text[index])) {
            return 0;
        }
    }
    return length > 0;
}

/* RFC 9110, section 5.5: visible characters, space, tab and obs-text. */
static int is_field_text(const char *text, size_t length)
{
    for (size_t index = 0; index < length; index++) {
        unsigned char byte = (unsigned char)text[index];
        if ((byte < 0x20 && byte != '\t') || byte == 0x7f) {
            return 0;
        }
    }
    return 1;
}

static int is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcasecmp(name, *names) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Framing and hop-by-hop headers belong to the server: an app that sets one could desynchronise the connection. */
static int is_forbidden(const char *name)
{
    static const char *const names[] = {"Transfer-Encoding", "Upgrade", "Trailer", "TE", NULL};
    return is_one_of(name, names) || strncasecmp(name, "Proxy-", 6) == 0;
}

static int is_dropped(const char *name)
{
    static const char *const names[] = {"Connection", "Keep-Alive", "Status", NULL};
    return is_one_of(name, names);
}

/* Cuts spaces and tabs at both ends of [*start, *end). */
static void trim(const char *bytes, size_t *start, size_t *end)
{
    while (*start < *end && (bytes[*start] == ' ' || bytes[*start] == '\t')) {
        ++*start;
    }
    while (*end > *start && (bytes[*end - 1] == ' ' || bytes[*end - 1] == '\t')) {
        --*end;
    }
}

static int parse_number(const char *value, int64_t *number)
{
    size_t digits = strlen(value);
    if (digits == 0 || digits > LENGTH_DIGITS || strspn(value, "0123456789") != digits) {
        return 0;
    }
    *number = 0;
    for (; *value != '\0'; value++) {
        *number = *number * 10 + (*value - '0');
    }
    return 1;
}

static passenger_head_status parse_length(passenger_response_head *head, const char *value)
{
    if (head->content_length >= 0) {
        return refuse(head, PASSENGER_HEAD_SECOND_LENGTH, "Content-Length", strlen("Content-Length"));
    }
    if (!parse_number(value, &head->content_length)) {
        return refuse(head, PASSENGER_HEAD_BAD_LENGTH, value, strlen(value));
    }
    return PASSENGER_HEAD_MORE;
}

/* The interim head has ended: what follows is read as if nothing had been before. */
static passenger_head_status end_interim(passenger_response_head *head)
{
    passenger_head_status ended = head->interim;
    head->used = head->line_start = head->headers_start = 0;
    head->interim = PASSENGER_HEAD_MORE;
    head->acknowledgement_allowed = 0;
    head->too_late_allowed = ended == PASSENGER_HEAD_ACKNOWLEDGED;
    if (ended == PASSENGER_HEAD_CONTINUE) {
        head->continue_allowed = 0;
    }
    return ended;
}

/* Whether the status begins an interim head that is allowed here. */
static int begins_interim(passenger_response_head *head, const char *text)
{
    if (head->acknowledgement_allowed && strcmp(text, "102 Processing") == 0) {
        head->interim = PASSENGER_HEAD_ACKNOWLEDGED;
    }
    else if (head->too_late_allowed && strcmp(text, "102 Too Late") == 0) {
        head->interim = PASSENGER_HEAD_TOO_LATE;
    }
    else if (head->continue_allowed && strcmp(text, "100 Continue") == 0) {
        head->interim = PASSENGER_HEAD_CONTINUE;
    }
    head->headers_start = head->used;
    return head->interim != PASSENGER_HEAD_MORE;
}

/* A line of an interim head at [start, end): only the route of a `102`. */
static passenger_head_status parse_interim_line(passenger_response_head *head, size_t start, size_t end)
{
    static const char prefix[] = "Route:";
    const char *line = head->bytes + start;
    size_t length = end - start;
    if (head->interim == PASSENGER_HEAD_ACKNOWLEDGED && length >= sizeof(prefix) - 1
        && strncasecmp(line, prefix, sizeof(prefix) - 1) == 0) {
        start += sizeof(prefix) - 1;
        trim(head->bytes, &start, &end);
        if (passenger_route_is_valid(head->bytes + start, end - start)) {
            memcpy(head->route, head->bytes + start, PASSENGER_ROUTE_LENGTH);
            head->route[PASSENGER_ROUTE_LENGTH] = '\0';
            return PASSENGER_HEAD_MORE;
        }
    }
    return refuse(head, PASSENGER_HEAD_BAD_INTERIM, line, length);
}

/* The line that may follow the status. No app can send such a header: a name with a space is no token. */

/* Whether the line at [start, end) is `Error id: ` with eight lowercase hexadecimal digits, which are copied. */
static int parse_error_id(passenger_response_head *head, size_t start, size_t end)
{
    static const char prefix[] = "Error id: ";
    const char *line = head->bytes + start;
    const char *id = line + sizeof(prefix) - 1;
    if (head->status < 400 || end - start != sizeof(prefix) - 1 + PASSENGER_ERROR_ID_LENGTH
        || memcmp(line, prefix, sizeof(prefix) - 1) != 0) {
        return 0;
    }
    for (size_t index = 0; index < PASSENGER_ERROR_ID_LENGTH; index++) {
        if (memchr("0123456789abcdef", id[index], 16) == NULL) {
            return 0;
        }
    }
    memcpy(head->error_id, id, PASSENGER_ERROR_ID_LENGTH);
    return 1;
}

static int parse_wish_for_chunks(passenger_response_head *head, size_t start, size_t end)
{
    static const char text[] = "Send chunked: yes";
    head->asks_for_chunks = end - start == sizeof(text) - 1 && memcmp(head->bytes + start, text, end - start) == 0;
    return head->asks_for_chunks;
}

/* Whether the line at [start, end) is one of these, the only one. */
static int parse_line_about_response(passenger_response_head *head, size_t start, size_t end)
{
    if (start != head->headers_start || head->interim != PASSENGER_HEAD_MORE || head->error_id[0] != '\0'
        || head->asks_for_chunks) {
        return 0;
    }
    if (!parse_error_id(head, start, end) && !parse_wish_for_chunks(head, start, end)) {
        return 0;
    }
    head->headers_start = head->used;
    return 1;
}

/* `NNN` or `NNN Reason` at [start, end). */
static passenger_head_status parse_status(passenger_response_head *head, size_t start, size_t end)
{
    char *text = head->bytes + start;
    size_t length = end - start;
    text[length] = '\0';
    if (begins_interim(head, text)) {
        return PASSENGER_HEAD_MORE;
    }
    if (length < STATUS_DIGITS || strspn(text, "0123456789") != STATUS_DIGITS
        || (length > STATUS_DIGITS && text[STATUS_DIGITS] != ' ') || text[0] < '2' || text[0] > '5'
        || !is_field_text(text, length)) {
        return refuse(head, PASSENGER_HEAD_BAD_STATUS, text, length);
    }
    head->status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    head->status_start = start;
    return PASSENGER_HEAD_MORE;
}

/* Checks one header line at [start, end) and cuts it into name and value. */
static passenger_head_status parse_header(passenger_response_head *head, size_t start, size_t end)
{
    char *line = head->bytes + start;
    char *colon = memchr(line, ':', end - start);
    size_t name_length = colon != NULL ? (size_t)(colon - line) : end - start;
    if (colon == NULL || !is_token(line, name_length)) {
        return refuse(head, PASSENGER_HEAD_BAD_NAME, line, name_length);
    }
    *colon = '\0';
    size_t value_start = start + name_length + 1;
    size_t value_end = end;
    trim(head->bytes, &value_start, &value_end);
    if (!is_field_text(head->bytes + value_start, value_end - value_start)) {
        return refuse(head, PASSENGER_HEAD_BAD_VALUE, line, name_length);
    }
    head->bytes[value_end] = '\0';
    if (is_forbidden(line)) {
        return refuse(head, PASSENGER_HEAD_FORBIDDEN, line, name_length);
    }
    if (strcasecmp(line, "Content-Length") == 0) {
        return parse_length(head, head->bytes + value_start);
    }
    return PASSENGER_HEAD_MORE;
}

/* A whole line, its LF included, lies at [line_start, used). */
static passenger_head_status parse_line(passenger_response_head *head)
{
    size_t start = head->line_start;
    size_t end = head->used - 1;
    head->line_start = head->used;
    if (end == start || head->bytes[end - 1] != '\r') {
        return refuse(head, PASSENGER_HEAD_BAD_LINE_END, head->bytes + start, end - start);
    }
    end--;
    if (head->headers_start == 0) {
        static const char prefix[] = "Status:";
        if (end - start < sizeof(prefix) - 1 || strncasecmp(head->bytes + start, prefix, sizeof(prefix) - 1) != 0) {
            return refuse(head, PASSENGER_HEAD_NO_STATUS, head->bytes + start, end - start);
        }
        start += sizeof(prefix) - 1;
        trim(head->bytes, &start, &end);
        return parse_status(head, start, end);
    }
    if (parse_line_about_response(head, start, end)) {
        return PASSENGER_HEAD_MORE;
    }
    if (end > start) {
        return head->interim != PASSENGER_HEAD_MORE ? parse_interim_line(head, start, end)
                                                    : parse_header(head, start, end);
    }
    if (head->interim != PASSENGER_HEAD_MORE) {
        return end_interim(head);
    }
    head->state = PASSENGER_HEAD_COMPLETE;
    return head->state;
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
    while (head->state == PASSENGER_HEAD_MORE && *consumed < length) {
        const char *next = bytes + *consumed;
        const char *line_feed = memchr(next, '\n', length - *consumed);
        size_t piece = line_feed != NULL ? (size_t)(line_feed - next) + 1 : length - *consumed;
        if (piece > PASSENGER_RESPONSE_HEAD_LIMIT - head->used) {
            return refuse(head, PASSENGER_HEAD_TOO_LONG, "", 0);
        }
        if (!reserve(head, piece)) {
            return refuse(head, PASSENGER_HEAD_NO_MEMORY, "", 0);
        }
        memcpy(head->bytes + head->used, next, piece);
        head->used += piece;
        *consumed += piece;
        passenger_head_status status = line_feed != NULL ? parse_line(head) : PASSENGER_HEAD_MORE;
        if (status == PASSENGER_HEAD_CONTINUE || status == PASSENGER_HEAD_ACKNOWLEDGED
            || status == PASSENGER_HEAD_TOO_LATE) {
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
        if (!is_dropped(line)) {
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
        return "does not begin with a Status line";
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
        return "has more than one Content-Length";
    case PASSENGER_HEAD_FORBIDDEN:
        return "has a header that only the server may set";
    case PASSENGER_HEAD_BAD_INTERIM:
        return "has a line in an interim head that does not belong there";
    case PASSENGER_HEAD_TOO_LONG:
        return "has more than 256 KiB of headers";
    case PASSENGER_HEAD_NO_MEMORY:
        return "could not be stored";
    case PASSENGER_HEAD_NOT_REFUSED:
        break;
    }
    return "is fine";
}
