#include "check.h"
#include "core/frames.h"

/* What came out of a body: its bytes with files written as [offset+length], and how it ended. */
typedef struct outcome {
    char text[256];
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

static void expect(const char *bytes, size_t length, const char *text, passenger_frame_event end)
{
    unsigned random = 7;
    for (size_t piece = 1; piece <= length; piece++) {
        outcome got = decoded(bytes, length, piece, NULL);
        CHECK_TEXT(got.text, text);
        CHECK(got.end == end);
    }
    for (int round = 0; round < 100; round++) {
        outcome got = decoded(bytes, length, 0, &random);
        CHECK_TEXT(got.text, text);
        CHECK(got.end == end);
    }
}

#define EXPECT(bytes, text, end) expect(bytes, sizeof(bytes) - 1, text, end)

TEST(data_frames_give_their_bytes_in_order_until_the_end_frame)
{
    EXPECT("\0\0\0\5hello\0\0\0\1 \0\0\0\5world\0\0\0\0", "hello world", PASSENGER_FRAME_END);
}

TEST(an_empty_body_is_one_end_frame)
{
    EXPECT("\0\0\0\0", "", PASSENGER_FRAME_END);
}

TEST(a_body_without_end_frame_never_ends)
{
    EXPECT("\0\0\0\5hello", "hello", PASSENGER_FRAME_MORE);
    EXPECT("\0\0\0\5hel", "hel", PASSENGER_FRAME_MORE);
    EXPECT("\0\0\0\5hello\0\0\0", "hello", PASSENGER_FRAME_MORE);
}

TEST(a_file_frame_gives_offset_and_length)
{
    EXPECT("\xff\xff\xff\xff\0\0\0\0\0\0\1\0\0\0\0\0\0\0\0\x10\0\0\0\1x\0\0\0\0", "[256+16]x", PASSENGER_FRAME_END);
    EXPECT("\0\0\0\1a\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "a[0+0]", PASSENGER_FRAME_END);
}

TEST(a_file_frame_beyond_the_largest_file_is_refused)
{
    EXPECT("\xff\xff\xff\xff\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", "", PASSENGER_FRAME_BAD_SIZE);
    EXPECT("\xff\xff\xff\xff\0\0\0\0\0\0\0\0\x80\0\0\0\0\0\0\0", "", PASSENGER_FRAME_BAD_SIZE);
    EXPECT("\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\0\0\0\1", "", PASSENGER_FRAME_BAD_SIZE);
    EXPECT("\xff\xff\xff\xff\x7f\xff\xff\xff\xff\xff\xff\xfe\0\0\0\0\0\0\0\1", "[9223372036854775806+1]",
           PASSENGER_FRAME_MORE);
}

TEST(a_size_that_is_neither_data_nor_file_is_refused)
{
    EXPECT("\x80\0\0\0xxxx", "", PASSENGER_FRAME_BAD_SIZE);
    EXPECT("\xff\xff\xff\xfexxxx", "", PASSENGER_FRAME_BAD_SIZE);
    EXPECT("\0\0\0\1a\xc0\0\0\0", "a", PASSENGER_FRAME_BAD_SIZE);
}

TEST(the_largest_data_frame_begins_like_any_other)
{
    EXPECT("\x7f\xff\xff\xff" "ab", "ab", PASSENGER_FRAME_MORE);
}

TEST(bytes_behind_the_end_frame_are_refused)
{
    EXPECT("\0\0\0\1a\0\0\0\0b", "a", PASSENGER_FRAME_AFTER_END);
    EXPECT("\0\0\0\0\0\0\0\0", "", PASSENGER_FRAME_AFTER_END);
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

TESTS(RUN(data_frames_give_their_bytes_in_order_until_the_end_frame),
      RUN(an_empty_body_is_one_end_frame),
      RUN(a_body_without_end_frame_never_ends),
      RUN(a_file_frame_gives_offset_and_length),
      RUN(a_file_frame_beyond_the_largest_file_is_refused),
      RUN(a_size_that_is_neither_data_nor_file_is_refused),
      RUN(the_largest_data_frame_begins_like_any_other),
      RUN(bytes_behind_the_end_frame_are_refused),
      RUN(a_refusal_is_for_good),
      RUN(a_frame_header_that_is_written_is_read_back),
      RUN(random_bytes_end_in_a_defined_state_however_they_are_split))
