#include "output/response_spool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE_FILE = 1024 * 1024 };  /* bytes; a larger file gives its room back when all of it has been read */

void passenger_response_spool_begin(passenger_response_spool *spool, int64_t limit, passenger_response_spool_open open,
                                    void *context)
{
    memset(spool, 0, sizeof(*spool));
    spool->open = open;
    spool->context = context;
    spool->limit = limit > 0 && limit < INT64_MAX - PASSENGER_RESPONSE_SPOOL_PIECE
                       ? limit : INT64_MAX - PASSENGER_RESPONSE_SPOOL_PIECE;
    /* A single piece may exceed the limit, and all of the memory may move to the file. */
    spool->capacity = spool->limit > PASSENGER_RESPONSE_SPOOL_MEMORY ? spool->limit : PASSENGER_RESPONSE_SPOOL_MEMORY;
    spool->descriptor = -1;
}

static size_t memory_length(const passenger_response_spool *spool)
{
    return spool->memory_end - spool->memory_start;
}

int64_t passenger_response_spool_length(const passenger_response_spool *spool)
{
    return (int64_t)memory_length(spool) + spool->file_end - spool->file_start;
}

/* How many of `length` bytes from `position` on lie before the end of the ring. */
static size_t run_length(const passenger_response_spool *spool, int64_t position, size_t length)
{
    int64_t until_end = spool->capacity - position % spool->capacity;
    return (int64_t)length < until_end ? length : (size_t)until_end;
}

/* Writes behind what is kept in the file. On failure nothing is kept of it. */
static int write_file(passenger_response_spool *spool, const char *bytes, size_t length)
{
    int64_t position = spool->file_end;
    while (length > 0) {
        ssize_t written = pwrite(spool->descriptor, bytes, run_length(spool, position, length),
                                 (off_t)(position % spool->capacity));
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            spool->file_error = written == 0 ? ENOSPC : errno;
            return 0;
        }
        position += written;
        bytes += written;
        length -= (size_t)written;
    }
    spool->file_end = position;
    return 1;
}

static int has_file(passenger_response_spool *spool)
{
    if (spool->descriptor < 0 && spool->file_error == 0) {
        spool->descriptor = spool->open(spool->context);
        if (spool->descriptor < 0) {
            spool->file_error = errno != 0 ? errno : EIO;
        }
    }
    return spool->file_error == 0;
}

static void free_memory(passenger_response_spool *spool)
{
    free(spool->memory);
    spool->memory = NULL;
    spool->memory_start = spool->memory_end = 0;
}

/* Returns 0, and all stays where it is, when the file fails. */
static int move_memory_to_file(passenger_response_spool *spool)
{
    if (!has_file(spool)) {
        return 0;
    }
    if (memory_length(spool) > 0 && !write_file(spool, spool->memory + spool->memory_start, memory_length(spool))) {
        return 0;
    }
    free_memory(spool);
    return 1;
}

int passenger_response_spool_needs_file(const passenger_response_spool *spool, size_t length)
{
    return spool->file_end == spool->file_start
           && memory_length(spool) + length > PASSENGER_RESPONSE_SPOOL_MEMORY;
}

static int add_to_memory(passenger_response_spool *spool, const char *bytes, size_t length)
{
    size_t kept = memory_length(spool);
    if (kept + length > PASSENGER_RESPONSE_SPOOL_MEMORY) {
        return 0;
    }
    if (spool->memory == NULL && (spool->memory = malloc(PASSENGER_RESPONSE_SPOOL_MEMORY)) == NULL) {
        return 0;
    }
    if (length > PASSENGER_RESPONSE_SPOOL_MEMORY - spool->memory_end) {
        memmove(spool->memory, spool->memory + spool->memory_start, kept);
        spool->memory_start = 0;
        spool->memory_end = kept;
    }
    memcpy(spool->memory + spool->memory_end, bytes, length);
    spool->memory_end += length;
    return 1;
}

int passenger_response_spool_add(passenger_response_spool *spool, const char *bytes, size_t length)
{
    int64_t kept = passenger_response_spool_length(spool);
    if (kept > 0 && (int64_t)length > spool->limit - kept) {
        return 0;
    }
    if (spool->file_end == spool->file_start && add_to_memory(spool, bytes, length)) {
        return 1;
    }
    return move_memory_to_file(spool) && write_file(spool, bytes, length);
}

static const char *peek_file(passenger_response_spool *spool, size_t *length)
{
    int64_t kept = spool->file_end - spool->file_start;
    size_t wanted = kept < PASSENGER_RESPONSE_SPOOL_PIECE ? (size_t)kept : PASSENGER_RESPONSE_SPOOL_PIECE;
    ssize_t got;
    *length = wanted;
    if (spool->read_buffer == NULL && (spool->read_buffer = malloc(PASSENGER_RESPONSE_SPOOL_PIECE)) == NULL) {
        spool->file_error = ENOMEM;
        return NULL;
    }
    do {
        got = pread(spool->descriptor, spool->read_buffer, run_length(spool, spool->file_start, wanted),
                    (off_t)(spool->file_start % spool->capacity));
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        spool->file_error = got == 0 ? EIO : errno;
        return NULL;
    }
    *length = (size_t)got;
    return spool->read_buffer;
}

const char *passenger_response_spool_peek(passenger_response_spool *spool, size_t *length)
{
    size_t kept = memory_length(spool);
    if (kept > 0) {
        *length = kept < PASSENGER_RESPONSE_SPOOL_PIECE ? kept : PASSENGER_RESPONSE_SPOOL_PIECE;
        return spool->memory + spool->memory_start;
    }
    if (spool->file_end > spool->file_start) {
        return peek_file(spool, length);
    }
    *length = 0;
    return NULL;
}

/* The file is used from its beginning again. A large one gives its room back. */
static void empty_file(passenger_response_spool *spool)
{
    if (spool->file_end > LARGE_FILE && ftruncate(spool->descriptor, 0) != 0) {
        spool->file_error = errno;
    }
    spool->file_start = spool->file_end = 0;
    free(spool->read_buffer);
    spool->read_buffer = NULL;
}

void passenger_response_spool_discard(passenger_response_spool *spool, size_t length)
{
    if (memory_length(spool) > 0) {
        spool->memory_start += length;
        if (spool->memory_start == spool->memory_end) {
            spool->memory_start = spool->memory_end = 0;
        }
        return;
    }
    spool->file_start += (int64_t)length;
    if (spool->file_start == spool->file_end) {
        empty_file(spool);
    }
}

int passenger_response_spool_move_to_file(passenger_response_spool *spool, int64_t *offset)
{
    if (memory_length(spool) > 0 && !move_memory_to_file(spool)) {
        return 0;
    }
    *offset = spool->file_start % spool->capacity;
    return spool->file_end - spool->file_start <= spool->capacity - *offset;
}

void passenger_response_spool_end(passenger_response_spool *spool)
{
    free_memory(spool);
    free(spool->read_buffer);
    spool->read_buffer = NULL;
    spool->file_start = spool->file_end = 0;
}
