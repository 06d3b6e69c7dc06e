/* vectors.h: the cases of tests/protocol, which the Python tests read, too. Its README says how they are written. */
#ifndef JUMPSEAT_VECTORS_H
#define JUMPSEAT_VECTORS_H

#include "check.h"

enum { VECTOR_COLUMNS = 40, VECTOR_LINE = 4096 };

/* One case. A column may hold NULs; behind its bytes there is one that does not count. */
typedef struct vector {
    char line[VECTOR_LINE];
    size_t count;
    const char *columns[VECTOR_COLUMNS];
    size_t lengths[VECTOR_COLUMNS];
} vector;

static inline unsigned vector_hex_digit(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

/* The byte of the escape that begins behind a backslash at *next, which is moved to its last character. */
static inline char vector_escape(const char **next)
{
    switch (**next) {
    case 'x':
        *next += 2;
        return (char)(vector_hex_digit((*next)[-1]) << 4 | vector_hex_digit((*next)[0]));
    case '0':
        return '\0';
    case 't':
        return '\t';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    default:
        return **next;
    }
}

/* Replaces the escapes of a column in its place; returns its length. */
static inline size_t vector_unescape(char *column)
{
    size_t length = 0;
    if (strcmp(column, "(empty)") == 0) {
        column[0] = '\0';
    }
    for (const char *next = column; *next != '\0'; next++) {
        if (*next == '\\') {
            next++;
            column[length++] = vector_escape(&next);
        }
        else {
            column[length++] = *next;
        }
    }
    column[length] = '\0';
    return length;
}

/* Reads the next case; returns 0 behind the last one. */
static inline int vectors_next(FILE *table, vector *row)
{
    char *rest = NULL;
    while (rest == NULL) {
        if (fgets(row->line, sizeof(row->line), table) == NULL) {
            return 0;
        }
        CHECK(strchr(row->line, '\n') != NULL);
        row->line[strcspn(row->line, "\n")] = '\0';
        rest = row->line[0] == '\0' || row->line[0] == '#' ? NULL : row->line;
    }
    for (row->count = 0; rest != NULL; row->count++) {
        CHECK(row->count < VECTOR_COLUMNS);
        char *column = strsep(&rest, "\t");
        row->columns[row->count] = column;
        row->lengths[row->count] = vector_unescape(column);
    }
    return 1;
}

/* Calls `check` for each case of a table; there are to be at least `least`. */
static inline void vectors_each(const char *path, void (*check)(const vector *row), int least)
{
    vector row;
    int count = 0;
    FILE *table = fopen(path, "r");
    CHECK(table != NULL);
    while (vectors_next(table, &row)) {
        check(&row);
        count++;
    }
    fclose(table);
    CHECK(count >= least);
}

static inline int vector_is(const vector *row, size_t column, const char *text)
{
    CHECK(column < row->count);
    return strcmp(row->columns[column], text) == 0;
}

#endif
