/* frames.h: the reader of response bodies, framed or raw (docs/protocol.md, section 3).
 *
 * Bytes are fed as they arrive; out come runs of body bytes, references to files, and the end. No byte is copied.
 * A raw body has no end of its own: it ends with the connection.
 * Knows no httpd, no allocation, no I/O. One reader serves one body and one thread.
 */
#ifndef JUMPSEAT_FRAMES_H
#define JUMPSEAT_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#include "core/generated/constants.h"

enum {
    PASSENGER_FRAME_HEADER_SIZE = 4,            /* of a data or end frame */
    PASSENGER_KEPT_FRAME_SIZE = 8,              /* of an end frame behind which the connection is kept, whole */
    PASSENGER_FILE_FRAME_SIZE = 20,             /* of a file frame, whole */
    PASSENGER_FAILURE_FRAME_SIZE = 4 + PASSENGER_ERROR_ID_LENGTH    /* of a failure frame, whole */
};

typedef enum passenger_frame_event {
    PASSENGER_FRAME_MORE,     /* all bytes are used up; feed further ones */
    PASSENGER_FRAME_DATA,     /* `data`, `length`: body bytes, a part of a frame or the whole */
    PASSENGER_FRAME_FILE,     /* `file_offset`, `file_length`: body bytes from the next descriptor */
    PASSENGER_FRAME_END,      /* the body is complete */
    PASSENGER_FRAME_FAILURE,  /* the app has failed, and the body is cut: `error_id` */
    PASSENGER_FRAME_BAD_SIZE,     /* refused: a size, or an error id, that no frame may have */
    PASSENGER_FRAME_AFTER_END     /* refused: bytes behind the end frame */
} passenger_frame_event;

typedef struct passenger_frames {
    int is_raw;                       /* all bytes are body bytes */
    unsigned char header[PASSENGER_FILE_FRAME_SIZE];
    size_t header_used;
    uint32_t data_left;               /* of the current data frame. Invariant: > 0 only while header_used is 0 */
    passenger_frame_event finished;   /* MORE while the body goes on; then END, FAILURE or the refusal, for good */

    int is_kept;                      /* after END: the worker takes another request on the connection */
    uint32_t slot;                    /* if `is_kept`: which worker it is */

    const unsigned char *data;        /* valid after DATA; points into what was fed */
    size_t length;
    int64_t file_offset;              /* valid after FILE. Invariant: both >= 0, their sum fits */
    int64_t file_length;
    char error_id[PASSENGER_ERROR_ID_LENGTH + 1];   /* valid after FAILURE: the id that the app's log has */
} passenger_frames;

void passenger_frames_begin(passenger_frames *frames);

/* The same for a raw body. */
void passenger_frames_begin_raw(passenger_frames *frames);

/* Takes from [*bytes, *bytes + *length) up to the next event and moves both past what was taken. */
passenger_frame_event passenger_frames_next(passenger_frames *frames, const unsigned char **bytes, size_t *length);

/* The connection has ended. Returns whether the body is complete with that. */
int passenger_frames_end_of_input(passenger_frames *frames);

/* Writes the header of a data frame of `length` bytes (1 to PASSENGER_FRAME_DATA_LIMIT), or, for 0, the end frame. */
void passenger_frame_write_header(unsigned char *out, uint32_t length);

#endif
