/* fuzz.h: what each C target uses: the input, taken piece by piece, and a check that stops the fuzzer. */
#ifndef JUMPSEAT_FUZZ_H
#define JUMPSEAT_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An invariant of the target. */
#define FUZZ_CHECK(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
            abort(); \
        } \
    } while (0)

/* The rest of the input. When it is used up, zeros come. */
typedef struct fuzz_input {
    const uint8_t *bytes;
    size_t left;
} fuzz_input;

static inline uint8_t fuzz_byte(fuzz_input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

static inline uint16_t fuzz_short(fuzz_input *input)
{
    uint8_t high = fuzz_byte(input);
    return (uint16_t)(high << 8 | fuzz_byte(input));
}

/* The next bytes, at most `most`; how many there are in `*length`. */
static inline const uint8_t *fuzz_bytes(fuzz_input *input, size_t most, size_t *length)
{
    const uint8_t *bytes = input->bytes;
    *length = most < input->left ? most : input->left;
    input->bytes += *length;
    input->left -= *length;
    return bytes;
}

/* A copy in memory of its own, so that the sanitizer sees each byte that is read beyond it. The caller frees it. */
static inline char *fuzz_copy(const uint8_t *bytes, size_t length)
{
    char *copy = malloc(length > 0 ? length : 1);
    FUZZ_CHECK(copy != NULL);
    if (length > 0) {
        memcpy(copy, bytes, length);
    }
    return copy;
}

/* The same with a NUL behind it, and none within. */
static inline char *fuzz_text(fuzz_input *input, size_t most)
{
    size_t length;
    const uint8_t *bytes = fuzz_bytes(input, most, &length);
    char *text = malloc(length + 1);
    FUZZ_CHECK(text != NULL);
    for (size_t index = 0; index < length; index++) {
        text[index] = (char)(bytes[index] != 0 ? bytes[index] : '0');
    }
    text[length] = '\0';
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#endif
