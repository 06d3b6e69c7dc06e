/* buffer_file.h: files without a name in PassengerDataBufferDir, for what is too large for memory.
 *
 * They vanish when they are closed, also when the process is killed. May block as disks do. For any thread.
 */
#ifndef JUMPSEAT_BUFFER_FILE_H
#define JUMPSEAT_BUFFER_FILE_H

#include <apr_file_io.h>
#include <apr_pools.h>

/* The path by which such a file can be made once, in `pool`. `purpose` is a part of the name. */
char *passenger_buffer_file_path(apr_pool_t *pool, const char *directory, const char *purpose);

/* Opens a new, empty file to read and write at such a path, where nothing remains; the descriptor is the caller's to
 * close. -1 with errno. */
int passenger_buffer_file_make(char *path);

/* The same, with `reader`: the file opened once more to be read with `flags` (of apr_file_open); `pool` closes that. */
int passenger_buffer_file_open(apr_pool_t *pool, const char *directory, const char *purpose, apr_file_t **reader,
                               apr_int32_t flags);

#endif
