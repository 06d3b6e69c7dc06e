/* response_spool.h: the bytes of a response that its client has not taken yet, first in, first out.
 *
 * They lie in memory while they are few, then in a file, which is written as a ring, and in memory again once the file
 * is read to its end. The owner makes the file when it is first needed, and closes it; the rest is freed by
 * passenger_response_spool_end(). Reading and writing the file may block as disks do. One spool serves one response and
 * one thread, or threads that share a lock. Knows no httpd.
 */
#ifndef JUMPSEAT_RESPONSE_SPOOL_H
#define JUMPSEAT_RESPONSE_SPOOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    PASSENGER_RESPONSE_SPOOL_MEMORY = 128 * 1024,   /* most bytes kept in memory */
    PASSENGER_RESPONSE_SPOOL_PIECE = 32 * 1024      /* most bytes added or peeked at once */
};

/* When memory is full, the worker first waits for the client: that costs less than a file. Both users of a spool keep
 * to these times. */
enum {
    PASSENGER_STALL_MILLISECONDS = 10,              /* a client that takes nothing for so long is slow: use the file */
    PASSENGER_STALL_BUDGET_MILLISECONDS = 250       /* the longest, in all, that a worker waits for a faster one */
};

/* Gives a descriptor of an empty file to read and write, which stays open as long as the spool is used; -1 with
 * errno. */
typedef int (*passenger_response_spool_open)(void *context);

typedef struct passenger_response_spool {
    passenger_response_spool_open open;
    void *context;
    int64_t capacity;       /* of the ring: the file grows no larger, whatever goes through it */
    int64_t limit;          /* most bytes kept. Invariant: the spool keeps no more, unless it is a single piece */
    char *memory;           /* malloc'ed; NULL while it is not needed */
    size_t memory_start;    /* bytes kept in memory: [memory_start, memory_end) */
    size_t memory_end;
    int descriptor;         /* -1: no file yet; the owner's */
    int64_t file_start;     /* bytes kept in the file: [file_start, file_end), positions modulo capacity */
    int64_t file_end;       /* Invariant: bytes lie in memory or in the file, never in both */
    char *read_buffer;      /* malloc'ed; what was last peeked from the file; NULL while not needed */
    int file_error;         /* errno of the failure that ended the use of the file; 0: none */
} passenger_response_spool;

/* `limit`: most bytes to be kept, 0: as many as come. */
void passenger_response_spool_begin(passenger_response_spool *spool, int64_t limit, passenger_response_spool_open open,
                                    void *context);

/* Keeps `length` bytes (at most PASSENGER_RESPONSE_SPOOL_PIECE). Returns 0, with nothing kept of them, when there is
 * no room: the limit is reached, or the file is needed and fails (see `file_error`). */
int passenger_response_spool_add(passenger_response_spool *spool, const char *bytes, size_t length);

/* Whether nothing lies in the file, and adding `length` bytes would begin to use it. */
int passenger_response_spool_needs_file(const passenger_response_spool *spool, size_t length);

/* How many bytes are kept. */
int64_t passenger_response_spool_length(const passenger_response_spool *spool);

/* The oldest bytes kept, up to a piece; they stay until the next call. NULL with `*length` 0: there are none; NULL with
 * more: the file cannot be read (see `file_error`). */
const char *passenger_response_spool_peek(passenger_response_spool *spool, size_t *length);

/* Forgets the `length` oldest bytes, of those last peeked. */
void passenger_response_spool_discard(passenger_response_spool *spool, size_t length);

/* Moves what lies in memory into the file. Returns 1 when all that is kept is in the file, in one run that begins at
 * `*offset`. */
int passenger_response_spool_move_to_file(passenger_response_spool *spool, int64_t *offset);

/* Forgets all bytes and frees the memory; may be called again. */
void passenger_response_spool_end(passenger_response_spool *spool);

#endif
