#include "core/field_text.h"

#include <string.h>
#include <strings.h>

enum { NUMBER_DIGITS = 18 };

static int is_token_byte(unsigned char byte)
{
    if ((byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z')) {
        return 1;
    }
    return byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL;
}

int passenger_is_token(const char *text, size_t length)
{
    for (size_t index = 0; index < length; index++) {
        if (!is_token_byte((unsigned char)text[index])) {
            return 0;
        }
    }
    return length > 0;
}

int passenger_is_field_byte(unsigned char byte)
{
    return (byte >= 0x20 || byte == '\t') && byte != 0x7f;
}

int passenger_is_field_text(const char *text, size_t length)
{
    for (size_t index = 0; index < length; index++) {
        if (!passenger_is_field_byte((unsigned char)text[index])) {
            return 0;
        }
    }
    return 1;
}

int passenger_is_one_of(const char *name, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (strcasecmp(name, *names) == 0) {
            return 1;
        }
    }
    return 0;
}

int passenger_parse_number(const char *text, int64_t *number)
{
    size_t digits = strlen(text);
    if (digits == 0 || digits > NUMBER_DIGITS || strspn(text, "0123456789") != digits) {
        return 0;
    }
    *number = 0;
    for (; *text != '\0'; text++) {
        *number = *number * 10 + (*text - '0');
    }
    return 1;
}

const char *passenger_list_next(const char **list, size_t *length)
{
    const char *start = *list + strspn(*list, ", \t");
    size_t size = strcspn(start, ",");
    *list = start + size;
    while (size > 0 && (start[size - 1] == ' ' || start[size - 1] == '\t')) {
        size--;
    }
    *length = size;
    return size > 0 ? start : NULL;
}

int passenger_list_has(const char *list, const char *name)
{
    size_t length;
    for (const char *member = passenger_list_next(&list, &length); member != NULL;
         member = passenger_list_next(&list, &length)) {
        if (length == strlen(name) && strncasecmp(member, name, length) == 0) {
            return 1;
        }
    }
    return 0;
}
