#include "core/accept.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

enum { WHOLE_WEIGHT = 1000 };

/* How a client's Accept header rates one media type. */
typedef struct rating {
    int precision;     /* of the range that says so: 0 none, 1 any type, 2 any subtype, 3 the type itself */
    int weight;        /* 0 (not acceptable) to 1000 */
    size_t position;   /* of that range in the header */
} rating;

static size_t blanks(const char *text)
{
    return strspn(text, " \t");
}

/* Whether the media type that begins `text` is `type`. */
static int is_type(const char *text, size_t length, const char *type)
{
    return length == strlen(type) && strncasecmp(text, type, length) == 0;
}

static int ends_in_json(const char *text, size_t length)
{
    static const char suffix[] = "+json";
    size_t size = sizeof(suffix) - 1;
    return length > size && strncasecmp(text + length - size, suffix, size) == 0;
}

static size_t type_length(const char *text)
{
    return strcspn(text, ";, \t");
}

static int is_json(const char *text, size_t length)
{
    return is_type(text, length, "application/json") || ends_in_json(text, length);
}

/* `0.875` is 875. What is no weight counts as the whole one. */
static int parse_weight(const char *text)
{
    int weight = 0;
    int scale = WHOLE_WEIGHT / 10;
    if (text[0] != '0') {
        return WHOLE_WEIGHT;
    }
    if (text[1] == '.') {
        for (text += 2; *text >= '0' && *text <= '9' && scale > 0; text++, scale /= 10) {
            weight += (*text - '0') * scale;
        }
    }
    return weight;
}

/* The weight among the parameters at [text, end). */
static int weight_of(const char *text, const char *end)
{
    while (text < end) {
        const char *next = memchr(text, ';', (size_t)(end - text));
        const char *stop = next != NULL ? next : end;
        text += blanks(text);
        if (stop - text > 2 && (text[0] == 'q' || text[0] == 'Q') && text[1] == '=') {
            return parse_weight(text + 2);
        }
        text = stop + 1;
    }
    return WHOLE_WEIGHT;
}

static void rate(rating *known, int precision, int weight, size_t position)
{
    if (precision > known->precision || (precision == known->precision && weight > known->weight)) {
        *known = (rating){precision, weight, position};
    }
}

static void rate_range(const char *start, const char *end, size_t position, rating *json, rating *html)
{
    start += blanks(start);
    size_t length = type_length(start);
    int weight = weight_of(start + length, end);
    if (is_json(start, length)) {
        rate(json, 3, weight, position);
    }
    else if (is_type(start, length, "text/html") || is_type(start, length, "application/xhtml+xml")) {
        rate(html, 3, weight, position);
    }
    else if (is_type(start, length, "application/*")) {
        rate(json, 2, weight, position);
    }
    else if (is_type(start, length, "text/*")) {
        rate(html, 2, weight, position);
    }
    else if (is_type(start, length, "*/*")) {
        rate(json, 1, weight, position);
        rate(html, 1, weight, position);
    }
}

int passenger_accept_prefers_json(const char *accept, const char *content_type)
{
    rating json = {0, 0, 0};
    rating html = {0, 0, 0};
    const char *next = accept != NULL ? accept : "";
    while (*next != '\0') {
        const char *end = next + strcspn(next, ",");
        rate_range(next, end, (size_t)(next - accept), &json, &html);
        next = *end != '\0' ? end + 1 : end;
    }
    if (json.weight != html.weight) {
        return json.weight > html.weight;
    }
    if (json.weight > 0 && json.precision != html.precision) {
        return json.precision > html.precision;
    }
    if (json.weight > 0 && json.precision == 3) {
        return json.position < html.position;
    }
    return content_type != NULL && is_json(content_type, type_length(content_type));
}
