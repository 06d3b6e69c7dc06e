/* body_spool.h: a growing run of bytes that lies in memory while it is small and then in a file without a name.
 *
 * Memory is the request's; the file is the caller's to close. Writing to the file may block as disks do.
 */
#ifndef JUMPSEAT_BODY_SPOOL_H
#define JUMPSEAT_BODY_SPOOL_H

#include <httpd.h>

enum { PASSENGER_SPOOL_MEMORY_LIMIT = 128 * 1024 };  /* bytes; more of them go into the file */

typedef struct passenger_spool {
    request_rec *r;
    const char *directory;    /* where the file is made */
    char *bytes;
    apr_size_t capacity;
    apr_off_t length;
    int descriptor;           /* -1 while all is in memory */
} passenger_spool;

/* `expected` is the length to come, or -1 when it is not known. */
void passenger_spool_begin(passenger_spool *spool, request_rec *r, const char *directory, apr_off_t expected);

/* Returns OK or an HTTP status, logged: 507 when the disk is full, 500 otherwise. */
int passenger_spool_write(passenger_spool *spool, const char *bytes, apr_size_t length);

/* Sets the file's offset to 0. Returns OK or 500, logged. */
int passenger_spool_finish(passenger_spool *spool);

void passenger_spool_close(passenger_spool *spool);

#endif
