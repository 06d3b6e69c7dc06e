#include "world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "core/frames.h"
#include "httpd_stub.h"

enum { WAITS_LIMIT = 200 * 1000, PIECE = 64 * 1024 };

world the_world;
static char folder[64];
static char group_socket[96];
static int group_listener;
static int own_listener;
static int file;
static int started_by;
static int is_running;

int __real_ppoll(struct pollfd *polled, nfds_t count, const struct timespec *timeout, const sigset_t *mask);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
ssize_t __real_pwrite(int descriptor, const void *bytes, size_t length, off_t offset);
ssize_t __real_write(int descriptor, const void *bytes, size_t length);

/* 1. Once in a process. */

static char pattern[2 * WORLD_PATTERN_PERIOD];

const char *world_pattern(size_t position)
{
    return pattern + position % WORLD_PATTERN_PERIOD;
}

static void remove_folder(void)
{
    if (getpid() == started_by) {
        DIR *all = opendir(folder);
        for (struct dirent *entry = readdir(all); entry != NULL; entry = readdir(all)) {
            unlinkat(dirfd(all), entry->d_name, 0);
        }
        closedir(all);
        rmdir(folder);
    }
}

static int listen_at(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", folder, name);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    FUZZ_CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 2) == 0);
    return listener;
}

const char *world_start(void)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%.40s/fuzz-XXXXXX", temporary != NULL ? temporary : "/tmp");
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    started_by = getpid();
    atexit(remove_folder);
    signal(SIGPIPE, SIG_IGN);
    group_listener = listen_at("app.sock");
    own_listener = listen_at("app." WORLD_ROUTE ".sock");
    snprintf(group_socket, sizeof(group_socket), "%s/app.sock", folder);
    file = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    for (size_t position = 0; position < sizeof(pattern); position++) {
        pattern[position] = (char)(position * 7 + (position >> 8));
    }
    FUZZ_CHECK(write(file, pattern, WORLD_FILE_SIZE) == WORLD_FILE_SIZE);
    return folder;
}

const char *world_socket(void)
{
    return group_socket;
}

/* 2. What happens by itself. */

static void append(world_bytes *to, const void *bytes, size_t length)
{
    to->bytes = realloc(to->bytes, to->length + length + 1);
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void close_worker(void)
{
    if (the_world.worker >= 0) {
        close(the_world.worker);
        the_world.worker = -1;
    }
}

/* Another attempt of the handler: to another worker. */
static int accept_worker(void)
{
    int accepted = accept4(group_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    accepted = accepted >= 0 ? accepted : accept4(own_listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) {
        return 0;
    }
    close_worker();
    the_world.worker = accepted;
    the_world.connections++;
    the_world.answer.length = the_world.request.length = 0;
    return 1;
}

static void say(const void *bytes, size_t length)
{
    ssize_t sent = the_world.worker >= 0 ? send(the_world.worker, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
    if (sent > 0) {
        append(&the_world.answer, bytes, (size_t)sent);
    }
}

static void say_text(const char *text)
{
    say(text, strlen(text));
}

static void say_pattern(size_t length, int is_framed)
{
    static char bytes[PIECE + PASSENGER_FRAME_HEADER_SIZE];
    size_t start = is_framed ? PASSENGER_FRAME_HEADER_SIZE : 0;
    if (is_framed) {
        passenger_frame_write_header((unsigned char *)bytes, (uint32_t)length);
    }
    memcpy(bytes + start, world_pattern(the_world.answer.length), length);
    say(bytes, start + length);
}

static int receive_request(size_t most)
{
    static char bytes[PIECE];
    ssize_t got = the_world.worker >= 0
                      ? recv(the_world.worker, bytes, most < sizeof(bytes) ? most : sizeof(bytes), MSG_DONTWAIT) : -1;
    if (got > 0) {
        append(&the_world.request, bytes, (size_t)got);
    }
    return got > 0;
}

static int take_response(size_t most)
{
    static char bytes[PIECE];
    if (the_world.client_has_left) {
        return 0;
    }
    if (the_world.is_stream) {
        return stub_take(the_world.c, most) > 0;
    }
    ssize_t got = recv(the_world.client, bytes, most < sizeof(bytes) ? most : sizeof(bytes), MSG_DONTWAIT);
    if (got > 0) {
        append(&the_world.got, bytes, (size_t)got);
    }
    return got > 0;
}

static int send_body(size_t most)
{
    size_t left = the_world.body_length - the_world.body_sent;
    size_t length = most < left ? most : left;
    length = length < PIECE ? length : PIECE;
    if (the_world.client_has_left || length == 0) {
        return 0;
    }
    ssize_t sent = send(the_world.client, world_pattern(the_world.body_sent), length, MSG_DONTWAIT | MSG_NOSIGNAL);
    the_world.body_sent += sent > 0 ? (size_t)sent : 0;
    return sent > 0;
}

static void leave(int is_half)
{
    if (the_world.client_has_left) {
        return;
    }
    the_world.client_has_left = 1;
    if (the_world.is_stream) {
        the_world.c->aborted = 1;
    }
    else if (is_half) {
        shutdown(the_world.client, SHUT_WR);
    }
    else {
        close(the_world.client);
        the_world.client = -1;
    }
}

/* 3. The script. */

static void put_number(unsigned char *out, uint64_t number)
{
    for (int index = 7; index >= 0; index--) {
        out[index] = (unsigned char)number;
        number >>= 8;
    }
}

/* A file frame, with the descriptors that the script wants: mostly that of the file. */
static void say_file(void)
{
    unsigned char frame[PASSENGER_FILE_FRAME_SIZE] = {0xff, 0xff, 0xff, 0xff};
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
    struct iovec run = {.iov_base = frame, .iov_len = sizeof(frame)};
    struct msghdr message = {.msg_iov = &run, .msg_iovlen = 1};
    uint8_t kind = fuzz_byte(&the_world.script) & 15;
    int descriptors[2] = {file, file};
    int pipe_ends[2] = {-1, -1};
    size_t count = kind == 13 ? 0 : kind == 14 ? 2 : 1;
    put_number(frame + 4, (uint64_t)fuzz_short(&the_world.script) * 2);
    put_number(frame + 12, (uint64_t)fuzz_short(&the_world.script) * 2);
    if (kind >= 12) {
        the_world.has_odd_files = 1;
    }
    if (kind == 12 || kind == 14) {
        FUZZ_CHECK(pipe2(pipe_ends, O_CLOEXEC) == 0);
        descriptors[kind == 12 ? 0 : 1] = pipe_ends[0];
    }
    if (kind == 15) {
        descriptors[0] = group_listener;
    }
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    ssize_t sent = the_world.worker >= 0 ? sendmsg(the_world.worker, &message, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
    if (sent > 0) {
        append(&the_world.answer, frame, (size_t)sent);
    }
    if (pipe_ends[0] >= 0) {
        close(pipe_ends[0]);
        close(pipe_ends[1]);
    }
}

/* Often a few bytes: then lengths that nearly agree are not rare. */
static size_t some_length(uint8_t how)
{
    return (how & 0x40) != 0 ? fuzz_byte(&the_world.script) & 7u : fuzz_short(&the_world.script);
}

static void say_head(void)
{
    static const char *const statuses[] = {"200 OK", "204 No Content", "304 Not Modified", "404 Not Found",
                                           "500 Internal Server Error", "302 Found", "200", "503 Busy"};
    static const char *const headers[] = {"", "Content-Type: text/html\r\n", "Cache-Control: public\r\n",
                                          "Error id: 0123abcd\r\n", "Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n",
                                          "Connection: close\r\n", "Transfer-Encoding: chunked\r\n", "Allow: GET, X\r\n"};
    char text[256];
    uint8_t what = fuzz_byte(&the_world.script);
    uint8_t more = fuzz_byte(&the_world.script);
    char length[64] = "";
    if ((more & 0x80) != 0) {
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", some_length(more));
    }
    snprintf(text, sizeof(text), "%s %s\r\n%s%s\r\n", (what & 0x80) != 0 ? (what & 0x40) != 0 ? "HTTP/1.0" : "HTTP/1.1"
                                                                            : "Status:",
             statuses[what & 7], headers[more & 7], length);
    say_text(text);
}

static void say_interim(uint8_t which)
{
    static const char *const heads[] = {
        "Status: 102 Processing\r\n\r\n", "Status: 102 Processing\r\nRoute: fedcba9876543210\r\n\r\n",
        "Status: 102 Processing\r\nRoute: " WORLD_ROUTE "\r\n\r\n", "Status: 102 Too Late\r\n\r\n",
        "Status: 100 Continue\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 102 Too Late\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"};
    say_text(heads[which % 9]);
}

/* A line end; the last chunk; a whole chunk. */
static void say_of_chunks(uint8_t what)
{
    char size[16];
    if ((what & 0x30) < 0x20) {
        say_text((what & 0x30) == 0 ? "\r\n" : "0\r\n\r\n");
        return;
    }
    size_t length = some_length(what);
    snprintf(size, sizeof(size), "%zx\r\n", length);
    say_text(size);
    say_pattern(length, 0);
    say_text("\r\n");
}

static void say_literally(void)
{
    size_t length;
    const uint8_t *bytes = fuzz_bytes(&the_world.script, fuzz_byte(&the_world.script), &length);
    say(bytes, length);
}

static void pass_time(void)
{
    uint16_t much = fuzz_short(&the_world.script);
    int64_t time = (much & 0x8000) != 0 ? (int64_t)(much & 0x7fff) * 1000 : much;
    the_world.now += time;
    the_world.script_time += time;
}

static void take_step(void)
{
    fuzz_input *script = &the_world.script;
    uint8_t what = fuzz_byte(script);
    the_world.has_closed |= (what & 15) == 5 || (what & 15) == 6;
    switch (what & 15) {
    case 0: say_literally(); break;
    case 1: say_pattern(some_length(what), 0); break;
    case 2: say_pattern(some_length(what), 1); break;
    case 3: say_file(); break;
    case 4: receive_request((size_t)fuzz_short(script) + 1); break;
    case 5: close_worker(); break;
    case 6: if (the_world.worker >= 0) { shutdown(the_world.worker, (what & 16) != 0 ? SHUT_RDWR : SHUT_WR); } break;
    case 7: take_response((size_t)fuzz_short(script) + 1); break;
    case 8: send_body((size_t)fuzz_short(script) + 1); break;
    case 9: if ((what & 0xe0) == 0) { leave((what & 16) != 0); } break;
    case 10: pass_time(); break;
    case 11: say_interim(what >> 4); break;
    case 12: say_head(); break;
    case 13: say_of_chunks(what); break;
    case 14: say("\0\0\0\0", 4); break;
    case 15: say("\xff\xff\xff\xfe" "0123abcd", 12); break;
    }
}

int world_step(void)
{
    int has_accepted = accept_worker();
    if (the_world.script.left > 0) {
        take_step();
        return 1;
    }
    int something = take_response(PIECE) + send_body(PIECE) + receive_request(PIECE) + has_accepted;
    if (something == 0 && the_world.worker >= 0) {
        close_worker();
        something = 1;
    }
    return something > 0;
}

void world_wait(void)
{
    FUZZ_CHECK(++the_world.waits < WAITS_LIMIT);
    if (!world_step()) {
        the_world.now += 1000;
    }
}

/* 4. What the handler calls. */

int __wrap_ppoll(struct pollfd *polled, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    const struct timespec at_once = {0};
    int64_t wait = timeout->tv_sec * (int64_t)1000000 + timeout->tv_nsec / 1000;
    int64_t deadline = the_world.now + wait;
    FUZZ_CHECK(is_running && wait >= 0);
    for (;;) {
        FUZZ_CHECK(++the_world.waits < WAITS_LIMIT);
        int ready = __real_ppoll(polled, count, &at_once, mask);
        if (ready != 0) {
            return ready;
        }
        if (the_world.now >= deadline && wait > 0) {
            return 0;
        }
        if (!world_step()) {
            the_world.now = deadline > the_world.now ? deadline : the_world.now + 1;
            return 0;
        }
        if (wait == 0) {
            return 0;
        }
    }
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    if (!is_running || clock != CLOCK_MONOTONIC) {
        return __real_clock_gettime(clock, now);
    }
    now->tv_sec = (time_t)(the_world.now / 1000000);
    now->tv_nsec = (long)(the_world.now % 1000000) * 1000;
    return 0;
}

/* How much of `length` the disk takes; -1 with ENOSPC. */
static ssize_t disk_room(size_t length)
{
    if (!is_running || the_world.disk_left < 0) {
        return (ssize_t)length;
    }
    if (the_world.disk_left == 0) {
        errno = ENOSPC;
        return -1;
    }
    length = (int64_t)length < the_world.disk_left ? length : (size_t)the_world.disk_left;
    the_world.disk_left -= (int64_t)length;
    return (ssize_t)length;
}

ssize_t __wrap_pwrite(int descriptor, const void *bytes, size_t length, off_t offset)
{
    ssize_t room = disk_room(length);
    return room < 0 ? -1 : __real_pwrite(descriptor, bytes, (size_t)room, offset);
}

ssize_t __wrap_write(int descriptor, const void *bytes, size_t length)
{
    ssize_t room = descriptor > STDERR_FILENO ? disk_room(length) : (ssize_t)length;
    return room < 0 ? -1 : __real_write(descriptor, bytes, (size_t)room);
}

/* 5. Beginning and end. */

int world_begin(const fuzz_input *script, int is_stream, size_t body_length)
{
    int ends[2];
    int little = 4 * 1024;
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof(little));
    the_world = (world){.script = *script, .is_stream = is_stream, .client = ends[1], .worker = -1,
                        .body_length = body_length, .now = 1000 * 1000000ll, .disk_left = -1};
    is_running = 1;
    return ends[0];
}

void world_end(void)
{
    is_running = 0;
    while (accept_worker()) {
        continue;
    }
    close_worker();
    if (the_world.client >= 0) {
        close(the_world.client);
    }
    free(the_world.answer.bytes);
    free(the_world.request.bytes);
    free(the_world.got.bytes);
}
