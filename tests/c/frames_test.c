#include "core/frames.h"
#include "vectors.h"

/* What came out of a body: its bytes with files written as [offset+length], and how it ended. */
typedef struct outcome {
    char text[512];
    size_t used;
    passenger_frame_event end;
} outcome;

static void take_events(passenger_frames *frames, const unsigned char *bytes, size_t length, outcome *got)
{
    for (;;) {
        passenger_frame_event event = passenger_frames_next(frames, &bytes, &length);
        if (event == PASSENGER_FRAME_DATA) {
            CHECK(frames->length > 0 && got->used + frames->length < sizeof(got->text));
            memcpy(got->text + got->used, frames->data, frames->length);
            got->used += frames->length;
        }
        else if (event == PASSENGER_FRAME_FILE) {
            int written = snprintf(got->text + got->used, sizeof(got->text) - got->used, "[%lld+%lld]",
                                   (long long)frames->file_offset, (long long)frames->file_length);
            got->used += (size_t)written;
        }
        else if (event != PASSENGER_FRAME_END || length == 0) {
            if (event != PASSENGER_FRAME_MORE) {
                got->end = event;
            }
            break;
        }
    }
    got->text[got->used] = '\0';
}

/* Feeds `bytes` in pieces whose sizes `next_piece` gives; each piece lies in memory of exactly its size. */
static outcome decoded(const char *bytes, size_t length, size_t piece, unsigned *random)
{
    passenger_frames frames;
    outcome got = {.used = 0, .end = PASSENGER_FRAME_MORE};
    passenger_frames_begin(&frames);
    for (size_t position = 0; position < length;) {
        size_t size = random != NULL ? 1 + check_random(random) % 9 : piece;
        if (size > length - position) {
            size = length - position;
        }
        unsigned char *copy = malloc(size);
        memcpy(copy, bytes + position, size);
        take_events(&frames, copy, size, &got);
        free(copy);
        position += size;
    }
    return got;
}

static void expect(const vector *row, passenger_frame_event end)
{
    unsigned random = 7;
    size_t length = row->lengths[2];
    for (size_t piece = 1; piece <= length + 100; piece++) {
        outcome got = decoded(row->columns[2], length, piece, piece > length ? &random : NULL);
        CHECK(got.used == row->lengths[1] && memcmp(got.text, row->columns[1], got.used) == 0);
        CHECK(got.end == end);
    }
}

static void check_body(const vector *row)
{
    static const struct { const char *outcome; passenger_frame_event end; } outcomes[] = {
        {"complete", PASSENGER_FRAME_END},
        {"cut", PASSENGER_FRAME_MORE},
        {"bad_size", PASSENGER_FRAME_BAD_SIZE},
        {"failed", PASSENGER_FRAME_FAILURE},
        {"after_end", PASSENGER_FRAME_AFTER_END},
    };
    size_t index = 0;
    while (!vector_is(row, 0, outcomes[index].outcome)) {
        index++;
        CHECK(index < sizeof(outcomes) / sizeof(outcomes[0]));
    }
    expect(row, outcomes[index].end);
}

TEST(bodies_are_read_as_the_shared_table_says)
{
    vectors_each(VECTORS "/frames.tsv", check_body, 20);
}

TEST(a_refusal_is_for_good)
{
    passenger_frames frames;
    outcome got = {.used = 0, .end = PASSENGER_FRAME_MORE};
    passenger_frames_begin(&frames);
    take_events(&frames, (const unsigned char *)"\x80\0\0\0", 4, &got);
    CHECK(got.end == PASSENGER_FRAME_BAD_SIZE);
    take_events(&frames, (const unsigned char *)"\0\0\0\0", 4, &got);
    CHECK(got.end == PASSENGER_FRAME_BAD_SIZE);
}

TEST(a_failure_has_its_error_id)
{
    static const unsigned char bytes[] = "\xff\xff\xff\xfe" "0123abcd";
    const unsigned char *next = bytes;
    size_t left = sizeof(bytes) - 1;
    passenger_frames frames;
    passenger_frames_begin(&frames);
    CHECK(passenger_frames_next(&frames, &next, &left) == PASSENGER_FRAME_FAILURE);
    CHECK(strcmp(frames.error_id, "0123abcd") == 0);
    CHECK(!passenger_frames_end_of_input(&frames));
}

TEST(a_frame_header_that_is_written_is_read_back)
{
    static const uint32_t lengths[] = {1, 255, 256, 65536, 0x01020304, PASSENGER_FRAME_DATA_LIMIT};
    for (size_t index = 0; index < sizeof(lengths) / sizeof(lengths[0]); index++) {
        unsigned char header[PASSENGER_FRAME_HEADER_SIZE];
        const unsigned char *next = header;
        size_t left = sizeof(header);
        passenger_frames frames;
        passenger_frames_begin(&frames);
        passenger_frame_write_header(header, lengths[index]);
        CHECK(passenger_frames_next(&frames, &next, &left) == PASSENGER_FRAME_MORE);
        CHECK(frames.data_left == lengths[index]);
    }
}

static passenger_frames raw_frames(void)
{
    passenger_frames frames;
    passenger_frames_begin_raw(&frames);
    return frames;
}

TEST(all_bytes_of_a_raw_body_are_data)
{
    static const char frame_like[] = "\xff\xff\xff\xff\0\0\0\0abc\0\0\0\0more";
    passenger_frames frames = raw_frames();
    outcome got = {.used = 0, .end = PASSENGER_FRAME_MORE};
    take_events(&frames, (const unsigned char *)frame_like, 5, &got);
    take_events(&frames, (const unsigned char *)frame_like + 5, sizeof(frame_like) - 5, &got);
    CHECK(got.used == sizeof(frame_like) && memcmp(got.text, frame_like, sizeof(frame_like)) == 0);
    CHECK(got.end == PASSENGER_FRAME_MORE);
}

TEST(a_raw_body_ends_with_the_connection_and_nothing_may_follow)
{
    passenger_frames frames = raw_frames();
    outcome got = {.used = 0, .end = PASSENGER_FRAME_MORE};
    take_events(&frames, (const unsigned char *)"abc", 3, &got);
    CHECK(passenger_frames_end_of_input(&frames));
    CHECK(passenger_frames_end_of_input(&frames));
    take_events(&frames, (const unsigned char *)"d", 1, &got);
    CHECK(got.end == PASSENGER_FRAME_AFTER_END);
    CHECK(!passenger_frames_end_of_input(&frames));
}

TEST(a_raw_body_may_be_empty)
{
    passenger_frames frames = raw_frames();
    CHECK(passenger_frames_end_of_input(&frames));
}

TEST(a_framed_body_does_not_end_with_the_connection)
{
    passenger_frames frames;
    outcome got = {.used = 0, .end = PASSENGER_FRAME_MORE};
    passenger_frames_begin(&frames);
    CHECK(!passenger_frames_end_of_input(&frames));
    take_events(&frames, (const unsigned char *)"\0\0\0\1a", 5, &got);
    CHECK(!passenger_frames_end_of_input(&frames));
    take_events(&frames, (const unsigned char *)"\0\0\0\0", 4, &got);
    CHECK(passenger_frames_end_of_input(&frames));
}

TEST(random_bytes_end_in_a_defined_state_however_they_are_split)
{
    static const unsigned char alphabet[] = {0, 0, 0, 1, 2, 3, 0x7f, 0x80, 0xff, 0xff, 'a'};
    unsigned state = 20260102;
    for (int round = 0; round < 50000; round++) {
        char bytes[40];
        size_t length = 1 + check_random(&state) % sizeof(bytes);
        for (size_t index = 0; index < length; index++) {
            bytes[index] = (char)alphabet[check_random(&state) % sizeof(alphabet)];
        }
        outcome whole = decoded(bytes, length, length, NULL);
        outcome split = decoded(bytes, length, 0, &state);
        CHECK(whole.end == split.end);
        CHECK(whole.used == split.used && memcmp(whole.text, split.text, whole.used) == 0);
    }
}

TESTS(RUN(bodies_are_read_as_the_shared_table_says),
      RUN(a_refusal_is_for_good),
      RUN(a_failure_has_its_error_id),
      RUN(a_frame_header_that_is_written_is_read_back),
      RUN(all_bytes_of_a_raw_body_are_data),
      RUN(a_raw_body_ends_with_the_connection_and_nothing_may_follow),
      RUN(a_raw_body_may_be_empty),
      RUN(a_framed_body_does_not_end_with_the_connection),
      RUN(random_bytes_end_in_a_defined_state_however_they_are_split))
