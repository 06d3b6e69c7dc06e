/* field_text.h: what may stand in the names and values of header fields (RFC 9110, section 5), and lists in them.
 *
 * Knows no httpd, no allocation, no I/O. Any thread; nothing blocks.
 */
#ifndef JUMPSEAT_FIELD_TEXT_H
#define JUMPSEAT_FIELD_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Whether the text is a token (section 5.6.2): the name of a field, a method. An empty text is none. */
int passenger_is_token(const char *text, size_t length);

/* Whether one byte may stand in a value (section 5.5): visible characters, space, tab and obs-text. */
int passenger_is_field_byte(unsigned char byte);

/* The same for a whole text, which may be empty. */
int passenger_is_field_text(const char *text, size_t length);

/* Whether `name` is one of `names`, which NULL ends; case does not count. */
int passenger_is_one_of(const char *name, const char *const *names);

/* Reads a decimal number without sign, of at most 18 digits. Returns 0 when the text is anything else. */
int passenger_parse_number(const char *text, int64_t *number);

/* The next member of a list with commas (section 5.6.1), without the blanks around it; empty members are left out.
 * `*list` moves on; NULL when there are no more. */
const char *passenger_list_next(const char **list, size_t *length);

/* Whether a member of the list is `name`; case does not count. */
int passenger_list_has(const char *list, const char *name);

#endif
