/* What a slow client has not taken yet, in memory and in a file that is a ring, beside a simple queue of bytes. The disk
 * writes and reads in parts, and fills up. Checked: what is kept comes out in order and unchanged; what is refused
 * leaves nothing; the limit holds; the file stays within its ring. */
#include "fuzz.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output/response_spool.h"

enum { MOST_KEPT = 4 * 1024 * 1024 };

ssize_t __real_pwrite(int descriptor, const void *bytes, size_t length, off_t offset);
ssize_t __real_pread(int descriptor, void *bytes, size_t length, off_t offset);
ssize_t __wrap_pwrite(int descriptor, const void *bytes, size_t length, off_t offset);
ssize_t __wrap_pread(int descriptor, void *bytes, size_t length, off_t offset);

static fuzz_input trouble;      /* a byte for each call of the disk: 0 to 239 all goes well */
static char pattern[MOST_KEPT]; /* the queue: bytes [taken, added) of it are kept */

/* How much of a call's bytes the disk takes or gives; -1 with errno. */
static ssize_t allowed(size_t length)
{
    uint8_t which = fuzz_byte(&trouble);
    if (which == 255) {
        errno = ENOSPC;
        return -1;
    }
    if (which == 254) {
        errno = EINTR;
        return -1;
    }
    return (ssize_t)(which >= 240 && length > 1 ? length / (which - 238) + 1 : length);
}

ssize_t __wrap_pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    ssize_t most = allowed(length);
    return most < 0 ? -1 : __real_pwrite(descriptor, bytes, (size_t)most, offset);
}

ssize_t __wrap_pread(int descriptor, void *bytes, size_t length, off_t offset)
{
    ssize_t most = allowed(length);
    return most < 0 ? -1 : __real_pread(descriptor, bytes, (size_t)most, offset);
}

/* The file is one of memory. A byte of trouble may prevent it. */
static int open_file(void *context)
{
    int *descriptor = context;
    if (fuzz_byte(&trouble) == 255) {
        errno = EMFILE;
        return -1;
    }
    return *descriptor = memfd_create("spool", MFD_CLOEXEC);
}

typedef struct queue {
    size_t taken, added;
    int64_t limit;
} queue;

static void add(passenger_response_spool *spool, queue *model, size_t length)
{
    size_t kept = model->added - model->taken;
    int error_before = spool->file_error;
    if (length == 0 || length > PASSENGER_RESPONSE_SPOOL_PIECE || model->added + length > MOST_KEPT) {
        return;
    }
    int fits = kept == 0 || model->limit == 0 || (int64_t)(kept + length) <= model->limit;
    int needs_file = passenger_response_spool_needs_file(spool, length);
    int is_kept = passenger_response_spool_add(spool, pattern + model->added, length);
    FUZZ_CHECK(fits || !is_kept);
    FUZZ_CHECK(is_kept || !fits || spool->file_error != 0);
    FUZZ_CHECK(!needs_file || !is_kept || spool->memory == NULL);
    FUZZ_CHECK(is_kept || error_before == 0 || spool->file_error != 0);
    model->added += is_kept ? length : 0;
}

static void take(passenger_response_spool *spool, queue *model, size_t most, size_t discarded)
{
    size_t kept = model->added - model->taken;
    size_t length;
    const char *bytes = passenger_response_spool_peek(spool, most, &length);
    FUZZ_CHECK((kept == 0) == (bytes == NULL && length == 0));
    if (bytes == NULL) {
        FUZZ_CHECK(kept == 0 || spool->file_error != 0);
        return;
    }
    FUZZ_CHECK(length > 0 && length <= kept && memcmp(bytes, pattern + model->taken, length) == 0);
    discarded = discarded < length ? discarded : length;
    if (discarded > 0) {
        passenger_response_spool_discard(spool, discarded);
        model->taken += discarded;
    }
}

static void move(passenger_response_spool *spool, const queue *model)
{
    int64_t offset;
    char byte;
    size_t kept = model->added - model->taken;
    if (kept == 0 || !passenger_response_spool_move_to_file(spool, &offset)) {
        return;
    }
    FUZZ_CHECK(spool->memory == NULL && offset >= 0);
    for (size_t position = 0; position < kept; position += 997) {
        FUZZ_CHECK(__real_pread(spool->descriptor, &byte, 1, offset + (off_t)position) == 1);
        FUZZ_CHECK(byte == pattern[model->taken + position]);
    }
}

static void check(const passenger_response_spool *spool, const queue *model, int descriptor)
{
    struct stat status;
    FUZZ_CHECK(passenger_response_spool_length(spool) == (int64_t)(model->added - model->taken));
    FUZZ_CHECK(spool->memory_start <= spool->memory_end && spool->memory_end <= PASSENGER_RESPONSE_SPOOL_MEMORY);
    FUZZ_CHECK(spool->file_start <= spool->file_end && spool->file_end - spool->file_start <= spool->capacity);
    FUZZ_CHECK(descriptor < 0 || (fstat(descriptor, &status) == 0 && status.st_size <= spool->capacity));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    passenger_response_spool spool;
    fuzz_input input = {bytes, length};
    queue model = {.limit = (int64_t)fuzz_short(&input) * 8};
    int descriptor = -1;
    if (pattern[1] == 0) {
        for (size_t index = 0; index < MOST_KEPT; index++) {
            pattern[index] = (char)(index * 31 + (index >> 9));
        }
        pattern[1] = 1;
    }
    trouble.bytes = fuzz_bytes(&input, fuzz_byte(&input), &trouble.left);
    passenger_response_spool_begin(&spool, model.limit, open_file, &descriptor);
    while (input.left > 0) {
        uint8_t what = fuzz_byte(&input);
        size_t size = (what & 0x40) != 0 ? PASSENGER_RESPONSE_SPOOL_PIECE : (size_t)fuzz_short(&input);
        switch (what & 3) {
        case 0: case 1: add(&spool, &model, size); break;
        case 2: take(&spool, &model, size + 1, (what & 0x80) != 0 ? size / 2 : size + 1); break;
        case 3: if ((what & 0x80) != 0) { move(&spool, &model); } break;
        }
        check(&spool, &model, descriptor);
    }
    passenger_response_spool_end(&spool);
    passenger_response_spool_end(&spool);
    FUZZ_CHECK(spool.memory == NULL && spool.read_buffer == NULL);
    if (descriptor >= 0) {
        close(descriptor);
    }
    return 0;
}
