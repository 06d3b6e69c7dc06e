/* Bodies, framed and raw. Checked: pieces of any size give the same events and the same bytes; data lies within what was
 * fed; nothing comes behind the end or a refusal; numbers keep their bounds; a raw body is what was fed. */
#include "fuzz.h"

#include "core/frames.h"

/* What a reader has said. */
typedef struct record {
    unsigned char *data;
    size_t length;
    size_t events;
    uint64_t digest;                  /* of the events, but for how the data was cut */
    passenger_frame_event last;
    int is_complete;
} record;

static void note(record *made, uint64_t number)
{
    made->digest = (made->digest ^ number) * 1099511628211u + made->length;
}

static void note_event(record *made, const passenger_frames *frames, passenger_frame_event event)
{
    made->events++;
    made->last = event;
    if (event != PASSENGER_FRAME_DATA) {
        note(made, (uint64_t)event);
    }
    if (event == PASSENGER_FRAME_FILE) {
        FUZZ_CHECK(frames->file_offset >= 0 && frames->file_length >= 0);
        FUZZ_CHECK(frames->file_offset <= INT64_MAX - frames->file_length);
        note(made, (uint64_t)frames->file_offset);
        note(made, (uint64_t)frames->file_length);
    }
    if (event == PASSENGER_FRAME_FAILURE) {
        FUZZ_CHECK(strspn(frames->error_id, "0123456789abcdef") == PASSENGER_ERROR_ID_LENGTH);
    }
}

static void feed(record *made, passenger_frames *frames, const unsigned char *bytes, size_t length)
{
    unsigned char *piece = (unsigned char *)fuzz_copy(bytes, length);
    const unsigned char *next = piece;
    size_t left = length;
    passenger_frame_event event;
    while ((event = passenger_frames_next(frames, &next, &left)) != PASSENGER_FRAME_MORE) {
        FUZZ_CHECK(next + left == piece + length);
        note_event(made, frames, event);
        if (event == PASSENGER_FRAME_DATA) {
            FUZZ_CHECK(frames->length > 0 && frames->data >= piece && frames->data + frames->length <= next);
            memcpy(made->data + made->length, frames->data, frames->length);
            made->length += frames->length;
        }
        if (event != PASSENGER_FRAME_DATA && event != PASSENGER_FRAME_FILE && event != PASSENGER_FRAME_END) {
            break;
        }
    }
    FUZZ_CHECK(event != PASSENGER_FRAME_MORE || left == 0);
    free(piece);
}

/* `sizes`: how long each piece is; NULL: all at once; without bytes left, pieces of one byte. */
static record read_body(const uint8_t *bytes, size_t length, fuzz_input *sizes, int is_raw)
{
    record made = {.data = malloc(length + 1), .last = PASSENGER_FRAME_MORE};
    passenger_frames frames;
    if (is_raw) {
        passenger_frames_begin_raw(&frames);
    }
    else {
        passenger_frames_begin(&frames);
    }
    for (size_t used = 0; used < length;) {
        size_t size = sizes == NULL ? length : (size_t)(fuzz_byte(sizes) & 31) + 1;
        size = size < length - used ? size : length - used;
        feed(&made, &frames, bytes + used, size);
        used += size;
        if (made.last > PASSENGER_FRAME_END) {
            break;
        }
    }
    made.is_complete = passenger_frames_end_of_input(&frames);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    for (int is_raw = 0; is_raw < 2; is_raw++) {
        fuzz_input sizes = {bytes, length};
        fuzz_input nothing = {bytes, 0};
        record whole = read_body(bytes, length, NULL, is_raw);
        record parts = read_body(bytes, length, &sizes, is_raw);
        record single = read_body(bytes, length, &nothing, is_raw);
        FUZZ_CHECK(whole.length == parts.length && memcmp(whole.data, parts.data, whole.length) == 0);
        FUZZ_CHECK(whole.length == single.length && memcmp(whole.data, single.data, whole.length) == 0);
        FUZZ_CHECK(whole.digest == parts.digest && whole.digest == single.digest);
        FUZZ_CHECK(whole.is_complete == parts.is_complete && whole.is_complete == single.is_complete);
        FUZZ_CHECK(!is_raw || (whole.is_complete && whole.length == length));
        free(whole.data);
        free(parts.data);
        free(single.data);
    }
    return 0;
}
