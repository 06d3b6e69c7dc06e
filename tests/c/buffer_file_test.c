#include <fcntl.h>
#include <unistd.h>

#include "check.h"
#include "core/buffer_file.h"

/* The tests are run in a folder of their own. */
static passenger_upload_buffer begun(apr_off_t expected)
{
    passenger_upload_buffer buffer;
    passenger_upload_buffer_begin(&buffer, check_pool(), ".", expected);
    return buffer;
}

static void write_all(passenger_upload_buffer *buffer, char byte, size_t length)
{
    char *bytes = malloc(length);
    CHECK(bytes != NULL);
    memset(bytes, byte, length);
    CHECK(passenger_upload_buffer_write(buffer, bytes, length) == 0);
    free(bytes);
}

TEST(a_small_upload_stays_in_memory)
{
    passenger_upload_buffer buffer = begun(-1);
    write_all(&buffer, 'a', 10000);
    write_all(&buffer, 'b', PASSENGER_UPLOAD_MEMORY_LIMIT - 10000);
    CHECK(passenger_upload_buffer_finish(&buffer) == 0);
    CHECK(buffer.descriptor == -1);
    CHECK(buffer.length == PASSENGER_UPLOAD_MEMORY_LIMIT);
    CHECK(buffer.bytes[9999] == 'a' && buffer.bytes[10000] == 'b');
    CHECK(buffer.bytes[PASSENGER_UPLOAD_MEMORY_LIMIT - 1] == 'b');
}

TEST(a_large_upload_is_read_from_the_beginning_of_its_file)
{
    passenger_upload_buffer buffer = begun(-1);
    char bytes[3];
    write_all(&buffer, 'a', 2);
    write_all(&buffer, 'b', PASSENGER_UPLOAD_MEMORY_LIMIT);
    CHECK(passenger_upload_buffer_finish(&buffer) == 0);
    CHECK(buffer.length == PASSENGER_UPLOAD_MEMORY_LIMIT + 2);
    CHECK(read(buffer.descriptor, bytes, 3) == 3);
    CHECK(memcmp(bytes, "aab", 3) == 0);
    CHECK(lseek(buffer.descriptor, 0, SEEK_END) == PASSENGER_UPLOAD_MEMORY_LIMIT + 2);
    passenger_upload_buffer_close(&buffer);
    CHECK(buffer.descriptor == -1);
}

TEST(the_announced_length_may_be_wrong)
{
    passenger_upload_buffer buffer = begun(4);
    write_all(&buffer, 'a', 9);
    CHECK(buffer.length == 9);
    CHECK(memcmp(buffer.bytes, "aaaaaaaaa", 9) == 0);
}

TEST(a_folder_that_is_not_there_is_an_error_without_a_descriptor)
{
    passenger_upload_buffer buffer;
    char *bytes = calloc(1, PASSENGER_UPLOAD_MEMORY_LIMIT + 1);
    passenger_upload_buffer_begin(&buffer, check_pool(), "./missing", -1);
    CHECK(passenger_upload_buffer_write(&buffer, bytes, PASSENGER_UPLOAD_MEMORY_LIMIT + 1) == ENOENT);
    CHECK(buffer.descriptor == -1);
    free(bytes);
}

TEST(a_disk_that_is_full_is_an_error_with_a_descriptor)
{
    passenger_upload_buffer buffer = begun(-1);
    write_all(&buffer, 'a', PASSENGER_UPLOAD_MEMORY_LIMIT + 1);
    int full = open("/dev/full", O_WRONLY);
    CHECK(dup2(full, buffer.descriptor) == buffer.descriptor);
    CHECK(passenger_upload_buffer_write(&buffer, "b", 1) == ENOSPC);
    CHECK(buffer.descriptor >= 0);
    close(full);
    passenger_upload_buffer_close(&buffer);
}

TEST(the_file_has_no_name)
{
    char *path = passenger_buffer_file_path(check_pool(), ".", "test");
    int descriptor = passenger_buffer_file_make(path);
    CHECK(descriptor >= 0);
    CHECK(strncmp(path, "./jumpseat-test-", strlen("./jumpseat-test-")) == 0);
    CHECK(access(path, F_OK) != 0);
    close(descriptor);
}

TESTS(RUN(a_small_upload_stays_in_memory),
      RUN(a_large_upload_is_read_from_the_beginning_of_its_file),
      RUN(the_announced_length_may_be_wrong),
      RUN(a_folder_that_is_not_there_is_an_error_without_a_descriptor),
      RUN(a_disk_that_is_full_is_an_error_with_a_descriptor),
      RUN(the_file_has_no_name))
