/* buffer_file.h: files without a name in PassengerDataBufferDir, for what is too large for memory, and the buffer of an
 * upload, which is the first user of them.
 *
 * Such a file vanishes when it is closed, also when the process is killed. All functions may block as disks do; any
 * thread may call them. Knows no httpd.
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

enum { PASSENGER_UPLOAD_MEMORY_LIMIT = 128 * 1024 };  /* bytes; an upload with more of them goes into a file */

/* A growing run of bytes: in memory while it is small, then in a file. One for each upload and one thread. */
typedef struct passenger_upload_buffer {
    apr_pool_t *pool;         /* of the memory */
    const char *directory;    /* where the file is made; the caller's */
    char *bytes;              /* valid while there is no file */
    apr_size_t capacity;
    apr_off_t length;
    int descriptor;           /* of the file, which the caller closes; -1: all is in memory */
} passenger_upload_buffer;

/* `expected` is the length to come, or -1 when it is not known. */
void passenger_upload_buffer_begin(passenger_upload_buffer *buffer, apr_pool_t *pool, const char *directory,
                                   apr_off_t expected);

/* Appends bytes. Returns 0 or an errno: the file could not be made (there is no descriptor) or not be written. */
int passenger_upload_buffer_write(passenger_upload_buffer *buffer, const char *bytes, apr_size_t length);

/* Sets the file's offset to 0 for its reader. Returns 0 or an errno. */
int passenger_upload_buffer_finish(passenger_upload_buffer *buffer);

/* Closes the file, if there is one. */
void passenger_upload_buffer_close(passenger_upload_buffer *buffer);

#endif
