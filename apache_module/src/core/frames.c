#include "core/frames.h"

#include <string.h>

static const uint32_t FILE_MARK = 0xffffffffu;
static const uint32_t FAILURE_MARK = 0xfffffffeu;
static const uint32_t KEPT_MARK = 0xfffffffdu;    /* the end, and the connection is kept */

void passenger_frames_begin(passenger_frames *frames)
{
    memset(frames, 0, sizeof(*frames));
    frames->finished = PASSENGER_FRAME_MORE;
}

void passenger_frames_begin_raw(passenger_frames *frames)
{
    passenger_frames_begin(frames);
    frames->is_raw = 1;
}

static uint64_t big_endian(const unsigned char *bytes, size_t size)
{
    uint64_t number = 0;
    for (size_t index = 0; index < size; index++) {
        number = number << 8 | bytes[index];
    }
    return number;
}

/* Moves input into the header until it has `size` bytes; returns 0 when the input does not suffice. */
static int fill_header(passenger_frames *frames, size_t size, const unsigned char **bytes, size_t *length)
{
    size_t wanted = size - frames->header_used;
    size_t piece = *length < wanted ? *length : wanted;
    memcpy(frames->header + frames->header_used, *bytes, piece);
    frames->header_used += piece;
    *bytes += piece;
    *length -= piece;
    return frames->header_used == size;
}

static passenger_frame_event finish(passenger_frames *frames, passenger_frame_event event)
{
    frames->finished = event;
    return event;
}

/* Takes bytes that are all of the body, up to `most`. */
static passenger_frame_event take_bytes(passenger_frames *frames, size_t most, const unsigned char **bytes,
                                        size_t *length)
{
    size_t piece = *length < most ? *length : most;
    frames->data = *bytes;
    frames->length = piece;
    *bytes += piece;
    *length -= piece;
    return PASSENGER_FRAME_DATA;
}

static passenger_frame_event take_data(passenger_frames *frames, const unsigned char **bytes, size_t *length)
{
    passenger_frame_event event = take_bytes(frames, frames->data_left, bytes, length);
    frames->data_left -= (uint32_t)frames->length;
    return event;
}

static passenger_frame_event take_file(passenger_frames *frames)
{
    uint64_t offset = big_endian(frames->header + 4, 8);
    uint64_t size = big_endian(frames->header + 12, 8);
    frames->header_used = 0;
    if (offset > INT64_MAX || size > INT64_MAX || offset > INT64_MAX - size) {
        return finish(frames, PASSENGER_FRAME_BAD_SIZE);
    }
    frames->file_offset = (int64_t)offset;
    frames->file_length = (int64_t)size;
    return PASSENGER_FRAME_FILE;
}

static passenger_frame_event take_failure(passenger_frames *frames)
{
    const char *id = (const char *)frames->header + PASSENGER_FRAME_HEADER_SIZE;
    for (size_t index = 0; index < PASSENGER_ERROR_ID_LENGTH; index++) {
        if (memchr("0123456789abcdef", id[index], 16) == NULL) {
            return finish(frames, PASSENGER_FRAME_BAD_SIZE);
        }
    }
    memcpy(frames->error_id, id, PASSENGER_ERROR_ID_LENGTH);
    frames->error_id[PASSENGER_ERROR_ID_LENGTH] = '\0';
    return finish(frames, PASSENGER_FRAME_FAILURE);
}

passenger_frame_event passenger_frames_next(passenger_frames *frames, const unsigned char **bytes, size_t *length)
{
    if (frames->finished == PASSENGER_FRAME_END && *length > 0) {
        return finish(frames, PASSENGER_FRAME_AFTER_END);
    }
    if (frames->finished == PASSENGER_FRAME_END) {
        return PASSENGER_FRAME_MORE;
    }
    if (frames->finished != PASSENGER_FRAME_MORE) {
        return frames->finished;
    }
    while (*length > 0) {
        if (frames->is_raw) {
            return take_bytes(frames, *length, bytes, length);
        }
        if (frames->data_left > 0) {
            return take_data(frames, bytes, length);
        }
        if (frames->header_used < PASSENGER_FRAME_HEADER_SIZE
            && !fill_header(frames, PASSENGER_FRAME_HEADER_SIZE, bytes, length)) {
            return PASSENGER_FRAME_MORE;
        }
        uint32_t mark = (uint32_t)big_endian(frames->header, PASSENGER_FRAME_HEADER_SIZE);
        if (mark == FILE_MARK) {
            if (!fill_header(frames, PASSENGER_FILE_FRAME_SIZE, bytes, length)) {
                return PASSENGER_FRAME_MORE;
            }
            return take_file(frames);
        }
        if (mark == FAILURE_MARK) {
            if (!fill_header(frames, PASSENGER_FAILURE_FRAME_SIZE, bytes, length)) {
                return PASSENGER_FRAME_MORE;
            }
            return take_failure(frames);
        }
        if (mark == KEPT_MARK) {
            if (!fill_header(frames, PASSENGER_KEPT_FRAME_SIZE, bytes, length)) {
                return PASSENGER_FRAME_MORE;
            }
            frames->is_kept = 1;
            frames->slot = (uint32_t)big_endian(frames->header + PASSENGER_FRAME_HEADER_SIZE, 4);
            return finish(frames, PASSENGER_FRAME_END);
        }
        frames->header_used = 0;
        if (mark == 0) {
            return finish(frames, PASSENGER_FRAME_END);
        }
        if (mark > PASSENGER_FRAME_DATA_LIMIT) {
            return finish(frames, PASSENGER_FRAME_BAD_SIZE);
        }
        frames->data_left = mark;
    }
    return PASSENGER_FRAME_MORE;
}

int passenger_frames_end_of_input(passenger_frames *frames)
{
    if (frames->is_raw && frames->finished == PASSENGER_FRAME_MORE) {
        finish(frames, PASSENGER_FRAME_END);
    }
    return frames->finished == PASSENGER_FRAME_END;
}

void passenger_frame_write_header(unsigned char *out, uint32_t length)
{
    out[0] = (unsigned char)(length >> 24);
    out[1] = (unsigned char)(length >> 16);
    out[2] = (unsigned char)(length >> 8);
    out[3] = (unsigned char)length;
}
