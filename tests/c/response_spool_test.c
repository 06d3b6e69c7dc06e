#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "output/response_spool.h"

enum { PIECE = PASSENGER_RESPONSE_SPOOL_PIECE, MEMORY = PASSENGER_RESPONSE_SPOOL_MEMORY };

typedef struct disk {
    FILE *file;
    int opened;
    int error;    /* what opening fails with; 0: it does not */
} disk;

static int open_file(void *context)
{
    disk *it = context;
    it->opened++;
    if (it->error != 0) {
        errno = it->error;
        return -1;
    }
    it->file = tmpfile();
    return fileno(it->file);
}

/* From here on no file grows beyond `size`: a write that does not fit is cut, the next one fails. */
static void limit_files(rlim_t size)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = size;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void begin(passenger_response_spool *spool, disk *it, int64_t limit)
{
    memset(it, 0, sizeof(*it));
    passenger_response_spool_begin(spool, limit, open_file, it);
}

static void end(passenger_response_spool *spool, disk *it)
{
    passenger_response_spool_end(spool);
    if (it->file != NULL) {
        fclose(it->file);
    }
}

/* The stream that all tests send: each byte tells its position. */
static char byte_at(int64_t position)
{
    return (char)(position * 31 + position / 251);
}

static int add(passenger_response_spool *spool, int64_t position, size_t length)
{
    char piece[PIECE];
    for (size_t index = 0; index < length; index++) {
        piece[index] = byte_at(position + (int64_t)index);
    }
    return passenger_response_spool_add(spool, piece, length);
}

/* Takes up to `most` bytes and checks that they are those from `position` on; returns how many. */
static size_t take(passenger_response_spool *spool, int64_t position, size_t most)
{
    size_t length;
    const char *bytes = passenger_response_spool_peek(spool, &length);
    CHECK(bytes != NULL || length == 0);
    CHECK(length <= PIECE);
    length = length < most ? length : most;
    for (size_t index = 0; index < length; index++) {
        CHECK(bytes[index] == byte_at(position + (int64_t)index));
    }
    passenger_response_spool_discard(spool, length);
    return length;
}

static int64_t fill(passenger_response_spool *spool, int64_t position, int64_t most)
{
    int64_t added = 0;
    while (added < most && add(spool, position + added, PIECE)) {
        added += PIECE;
    }
    return added;
}

static int64_t take_all(passenger_response_spool *spool, int64_t position)
{
    int64_t taken = 0;
    size_t length;
    while ((length = take(spool, position + taken, PIECE)) > 0) {
        taken += (int64_t)length;
    }
    return taken;
}

TEST(little_stays_in_memory_and_comes_out_in_order)
{
    passenger_response_spool spool;
    disk it;
    begin(&spool, &it, 0);
    CHECK(add(&spool, 0, 1000) && add(&spool, 1000, 1) && add(&spool, 1001, 2000));
    CHECK(passenger_response_spool_length(&spool) == 3001);
    CHECK(take_all(&spool, 0) == 3001);
    CHECK(it.opened == 0 && passenger_response_spool_length(&spool) == 0);
    end(&spool, &it);
}

TEST(an_empty_spool_has_nothing_to_peek_at)
{
    passenger_response_spool spool;
    disk it;
    size_t length = 1;
    begin(&spool, &it, 0);
    CHECK(passenger_response_spool_peek(&spool, &length) == NULL && length == 0);
    end(&spool, &it);
}

TEST(more_than_the_memory_goes_into_the_file_and_comes_out_in_order)
{
    passenger_response_spool spool;
    disk it;
    begin(&spool, &it, 0);
    CHECK(fill(&spool, 0, MEMORY) == MEMORY && it.opened == 0);
    CHECK(passenger_response_spool_needs_file(&spool, 1));
    CHECK(fill(&spool, MEMORY, 20 * MEMORY) == 20 * MEMORY && it.opened == 1);
    CHECK(spool.memory == NULL);
    CHECK(take_all(&spool, 0) == 21 * MEMORY);
    end(&spool, &it);
}

TEST(once_the_file_is_read_to_its_end_memory_serves_again_and_the_room_is_given_back)
{
    passenger_response_spool spool;
    disk it;
    struct stat status;
    begin(&spool, &it, 0);
    fill(&spool, 0, 16 * MEMORY);
    CHECK(take_all(&spool, 0) == 16 * MEMORY);
    CHECK(fstat(spool.descriptor, &status) == 0 && status.st_size == 0);
    CHECK(add(&spool, 0, 100) && spool.file_end == 0);
    CHECK(take_all(&spool, 0) == 100 && it.opened == 1);
    end(&spool, &it);
}

TEST(no_more_is_kept_than_the_limit_but_one_piece_always_is)
{
    passenger_response_spool spool;
    disk it;
    begin(&spool, &it, 1000);
    CHECK(add(&spool, 0, PIECE) && !add(&spool, PIECE, 1));
    CHECK(take(&spool, 0, PIECE) == PIECE);
    CHECK(add(&spool, 0, 600) && add(&spool, 600, 400) && !add(&spool, 1000, 1));
    end(&spool, &it);
}

TEST(a_long_stream_to_a_reader_who_is_always_behind_takes_no_more_room_than_the_limit)
{
    enum { LIMIT = 5 * PIECE + 777 };
    passenger_response_spool spool;
    disk it;
    struct stat status;
    unsigned random = 11;
    int64_t written = 0;
    int64_t read = 0;
    begin(&spool, &it, LIMIT);
    while (written < 400 * PIECE) {
        size_t length = 1 + check_random(&random) % PIECE;
        if (add(&spool, written, length)) {
            written += (int64_t)length;
        }
        else {
            read += (int64_t)take(&spool, read, 1 + check_random(&random) % PIECE);
        }
        CHECK(passenger_response_spool_length(&spool) == written - read);
    }
    CHECK(it.opened == 1 && fstat(spool.descriptor, &status) == 0 && status.st_size <= LIMIT);
    CHECK(read + take_all(&spool, read) == written);
    end(&spool, &it);
}

TEST(without_a_file_memory_is_all_there_is_and_goes_on_to_serve)
{
    passenger_response_spool spool;
    disk it;
    begin(&spool, &it, 0);
    it.error = EACCES;
    CHECK(fill(&spool, 0, 2 * MEMORY) == MEMORY && spool.file_error == EACCES);
    CHECK(take(&spool, 0, PIECE) == PIECE);
    CHECK(fill(&spool, MEMORY, MEMORY) == PIECE && it.opened == 1);
    CHECK(take_all(&spool, PIECE) == MEMORY);
    end(&spool, &it);
}

TEST(a_full_disk_loses_nothing_of_what_was_kept_and_keeps_nothing_of_what_was_not)
{
    passenger_response_spool spool;
    disk it;
    begin(&spool, &it, 0);
    limit_files(6 * PIECE + 100);
    int64_t kept = fill(&spool, 0, 2 * MEMORY);
    CHECK(kept == 6 * PIECE && spool.file_error == EFBIG);
    CHECK(take_all(&spool, 0) == kept);
    CHECK(fill(&spool, 0, 2 * MEMORY) == MEMORY);
    CHECK(take_all(&spool, 0) == MEMORY);
    end(&spool, &it);
}

TEST(a_file_that_cannot_be_written_at_all_leaves_the_memory_as_it_was)
{
    passenger_response_spool spool;
    disk it;
    begin(&spool, &it, 0);
    limit_files(0);
    CHECK(fill(&spool, 0, 2 * MEMORY) == MEMORY);
    CHECK(take_all(&spool, 0) == MEMORY);
    end(&spool, &it);
}

TEST(a_file_that_was_cut_is_an_error_and_not_an_end)
{
    passenger_response_spool spool;
    disk it;
    size_t length = 0;
    begin(&spool, &it, 0);
    fill(&spool, 0, 2 * MEMORY);
    CHECK(ftruncate(spool.descriptor, 0) == 0);
    CHECK(passenger_response_spool_peek(&spool, &length) == NULL && length > 0 && spool.file_error != 0);
    end(&spool, &it);
}

TEST(all_of_it_can_be_moved_into_one_run_of_the_file)
{
    passenger_response_spool spool;
    disk it;
    int64_t offset;
    char byte;
    begin(&spool, &it, 0);
    fill(&spool, 0, MEMORY);
    take(&spool, 0, 1000);
    CHECK(passenger_response_spool_move_to_file(&spool, &offset) && spool.memory == NULL);
    CHECK(passenger_response_spool_length(&spool) == MEMORY - 1000);
    CHECK(pread(spool.descriptor, &byte, 1, offset) == 1 && byte == byte_at(1000));
    take(&spool, 1000, 500);
    CHECK(passenger_response_spool_move_to_file(&spool, &offset));
    CHECK(pread(spool.descriptor, &byte, 1, offset) == 1 && byte == byte_at(1500));
    end(&spool, &it);
}

TEST(what_goes_round_the_end_of_the_file_is_not_one_run)
{
    passenger_response_spool spool;
    disk it;
    int64_t offset;
    begin(&spool, &it, 2 * MEMORY);
    CHECK(fill(&spool, 0, 2 * MEMORY) == 2 * MEMORY);
    take(&spool, 0, PIECE);
    CHECK(add(&spool, 2 * MEMORY, PIECE) && !passenger_response_spool_move_to_file(&spool, &offset));
    CHECK(take_all(&spool, PIECE) == 2 * MEMORY);
    end(&spool, &it);
}

TESTS(RUN(little_stays_in_memory_and_comes_out_in_order),
      RUN(an_empty_spool_has_nothing_to_peek_at),
      RUN(more_than_the_memory_goes_into_the_file_and_comes_out_in_order),
      RUN(once_the_file_is_read_to_its_end_memory_serves_again_and_the_room_is_given_back),
      RUN(no_more_is_kept_than_the_limit_but_one_piece_always_is),
      RUN(a_long_stream_to_a_reader_who_is_always_behind_takes_no_more_room_than_the_limit),
      RUN(without_a_file_memory_is_all_there_is_and_goes_on_to_serve),
      RUN(a_full_disk_loses_nothing_of_what_was_kept_and_keeps_nothing_of_what_was_not),
      RUN(a_file_that_cannot_be_written_at_all_leaves_the_memory_as_it_was),
      RUN(a_file_that_was_cut_is_an_error_and_not_an_end),
      RUN(all_of_it_can_be_moved_into_one_run_of_the_file),
      RUN(what_goes_round_the_end_of_the_file_is_not_one_run))
