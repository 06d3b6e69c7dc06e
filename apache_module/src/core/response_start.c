#include "core/response_head.h"

#include <string.h>
#include <strings.h>

#include "core/field_text.h"

enum { STATUS_DIGITS = 3, HTTP_VERSION_LENGTH = 8 };

/* 1. Heads before the final one. */

/* What follows is read as if nothing had been before. */
static void forget_bytes(passenger_response_head *head)
{
    head->used = head->line_start = head->headers_start = 0;
    head->content_length = -1;
    head->is_http = head->is_http_10 = head->is_chunked = head->is_last = 0;
    head->named[0] = '\0';
}

void passenger_head_forget_hints(passenger_response_head *head)
{
    if (head->has_hints) {
        head->has_hints = 0;
        forget_bytes(head);
    }
}

passenger_head_status passenger_head_end_interim(passenger_response_head *head)
{
    passenger_head_status ended = head->interim;
    head->has_hints = ended == PASSENGER_HEAD_EARLY_HINTS;
    if (!head->has_hints) {
        forget_bytes(head);
    }
    head->line_start = head->used;
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
    return head->interim != PASSENGER_HEAD_MORE;
}

/* The same of a head of HTTP, where any status below 200 may come before the final one, and of a `103` of CGI; a few
 * times. */
static passenger_head_status begin_other_interim(passenger_response_head *head, const char *text)
{
    if (strncmp(text, "101", STATUS_DIGITS) == 0) {
        return passenger_head_refuse(head, PASSENGER_HEAD_UPGRADE, text, strlen(text));
    }
    if (++head->interim_count > PASSENGER_HEAD_INTERIM_LIMIT) {
        return passenger_head_refuse(head, PASSENGER_HEAD_BAD_INTERIM, text, strlen(text));
    }
    if (head->continue_allowed && strncmp(text, "100", STATUS_DIGITS) == 0) {
        head->interim = PASSENGER_HEAD_CONTINUE;
    }
    else {
        head->interim = strncmp(text, "103", STATUS_DIGITS) == 0 ? PASSENGER_HEAD_EARLY_HINTS
                                                                 : PASSENGER_HEAD_OTHER_INTERIM;
    }
    return PASSENGER_HEAD_MORE;
}

int passenger_head_interim_has_headers(const passenger_response_head *head)
{
    return head->interim == PASSENGER_HEAD_EARLY_HINTS
           || (head->is_http && head->interim != PASSENGER_HEAD_ACKNOWLEDGED && head->interim != PASSENGER_HEAD_TOO_LATE);
}

/* Only the route of a `102`. */
passenger_head_status passenger_head_parse_interim_line(passenger_response_head *head, size_t start, size_t end)
{
    static const char prefix[] = "Route:";
    const char *line = head->bytes + start;
    size_t length = end - start;
    if (head->interim == PASSENGER_HEAD_ACKNOWLEDGED && length >= sizeof(prefix) - 1
        && strncasecmp(line, prefix, sizeof(prefix) - 1) == 0) {
        start += sizeof(prefix) - 1;
        passenger_head_trim(head->bytes, &start, &end);
        if (passenger_route_is_valid(head->bytes + start, end - start)) {
            memcpy(head->route, head->bytes + start, PASSENGER_ROUTE_LENGTH);
            head->route[PASSENGER_ROUTE_LENGTH] = '\0';
            return PASSENGER_HEAD_MORE;
        }
    }
    return passenger_head_refuse(head, PASSENGER_HEAD_BAD_INTERIM, line, length);
}

/* 2. The line that may follow the status. No app can send such a header: a name with a space is no token. */

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

int passenger_head_parse_line_about_response(passenger_response_head *head, size_t start, size_t end)
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

/* 3. The status. */

/* Whether the text is `NNN` or `NNN Reason`. */
static int is_status(const char *text, size_t length)
{
    return length >= STATUS_DIGITS && strspn(text, "0123456789") == STATUS_DIGITS
           && (length == STATUS_DIGITS || text[STATUS_DIGITS] == ' ') && text[0] >= '1' && text[0] <= '5'
           && passenger_is_field_text(text, length);
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
    int is_hints = strncmp(text, "103", STATUS_DIGITS) == 0;
    if (!is_status(text, length) || (text[0] == '1' && !head->is_http && !is_hints)) {
        return passenger_head_refuse(head, PASSENGER_HEAD_BAD_STATUS, text, length);
    }
    if (text[0] == '1') {
        return begin_other_interim(head, text);
    }
    head->status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    head->status_start = start;
    return PASSENGER_HEAD_MORE;
}

/* Whether the line begins with `HTTP/1.` and a digit; any later version of HTTP/1 is read as HTTP/1.1. */
static int is_of_http(const char *line, size_t length)
{
    static const char prefix[] = "HTTP/1.";
    return length > HTTP_VERSION_LENGTH && memcmp(line, prefix, sizeof(prefix) - 1) == 0
           && line[HTTP_VERSION_LENGTH - 1] >= '0' && line[HTTP_VERSION_LENGTH - 1] <= '9'
           && line[HTTP_VERSION_LENGTH] == ' ';
}

passenger_head_status passenger_head_parse_start(passenger_response_head *head, size_t start, size_t end)
{
    static const char prefix[] = "Status:";
    const char *line = head->bytes + start;
    size_t length = end - start;
    head->headers_start = head->used;
    if (is_of_http(line, length)) {
        head->is_http = 1;
        head->is_http_10 = line[HTTP_VERSION_LENGTH - 1] == '0';
        return parse_status(head, start + HTTP_VERSION_LENGTH + 1, end);
    }
    if (head->expects_http || length < sizeof(prefix) - 1 || strncasecmp(line, prefix, sizeof(prefix) - 1) != 0) {
        return passenger_head_refuse(head, PASSENGER_HEAD_NO_STATUS, line, length);
    }
    start += sizeof(prefix) - 1;
    passenger_head_trim(head->bytes, &start, &end);
    return parse_status(head, start, end);
}
