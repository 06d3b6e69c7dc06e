/* response_file.h: files whose descriptors a worker passed, as parts of the response.
 *
 * What the worker passes is not trusted: only regular files are used, only within their size, and they are never mapped
 * into memory (one that shrinks would kill the process). These functions own the descriptor in every case. For the
 * thread that processes the request; reading may block as disks do.
 */
#ifndef JUMPSEAT_RESPONSE_FILE_H
#define JUMPSEAT_RESPONSE_FILE_H

#include <stdint.h>

#include <httpd.h>
#include <apr_buckets.h>

/* Appends `length` (> 0) bytes from `offset`: a few are read at once, more when they are sent; until then the
 * descriptor stays open. Returns 0, logged, when the descriptor cannot be used (-1: none came). */
int passenger_response_file_append(request_rec *r, apr_bucket_brigade *brigade, int descriptor, int64_t offset,
                                   int64_t length);

/* Closes a descriptor that is not needed; -1 is allowed. */
void passenger_response_file_drop(int descriptor);

#endif
