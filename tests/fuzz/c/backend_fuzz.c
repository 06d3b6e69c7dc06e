/* A connection to a worker: backend.c in both directions, over a real socket, with the reader of frames behind it. Some
 * calls of the kernel are interrupted, cut short, or fail. Checked: the worker gets what was queued, in order and once,
 * with one descriptor at the first byte; what it sends arrives unchanged; descriptors come in order, at most eight wait,
 * and all are closed at the end. */
#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/backend.h"
#include "core/closer.h"
#include "core/frames.h"

enum { STREAM_LIMIT = 512 * 1024, };

ssize_t __real_sendmsg(int descriptor, const struct msghdr *message, int flags);
ssize_t __real_recvmsg(int descriptor, struct msghdr *message, int flags);
int __real_connect(int descriptor, const struct sockaddr *address, socklen_t length);
ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags);
ssize_t __wrap_recvmsg(int descriptor, struct msghdr *message, int flags);
int __wrap_connect(int descriptor, const struct sockaddr *address, socklen_t length);

static fuzz_input trouble;            /* a byte for each call: mostly all goes well */
static int is_testing;                /* the calls are those of backend.c */
static char pattern[STREAM_LIMIT];
static int listener;
static int passed_file;               /* what workers pass; its number is told by its size */
static char path[64];

typedef struct exchange {
    passenger_backend backend;
    int worker;                        /* -1: closed */
    size_t queued, worker_got;         /* of the pattern, to the worker */
    size_t worker_sent, got;           /* of the pattern, from it */
    size_t passed, taken;              /* descriptors, in order */
    int takes_nothing;                 /* the worker, any more: what was queued is dropped */
    int expects_descriptor;            /* one is to be sent with the next byte */
    int descriptors_got;
    passenger_frames frames;
} exchange;

static int failed(void)
{
    static const int errors[] = {EINTR, EAGAIN, EPIPE, ECONNRESET, ENOBUFS};
    uint8_t which = is_testing ? fuzz_byte(&trouble) : 0;
    if (which < 251) {
        return 0;
    }
    errno = errors[which - 251];
    return 1;
}

ssize_t __wrap_sendmsg(int descriptor, const struct msghdr *message, int flags)
{
    if (failed()) {
        return -1;
    }
    struct msghdr shorter = *message;
    struct iovec first = message->msg_iov[0];
    if (is_testing && first.iov_len > 1 && (fuzz_byte(&trouble) & 7) == 7) {
        first.iov_len /= 2;
        shorter.msg_iov = &first;
        shorter.msg_iovlen = 1;
    }
    return __real_sendmsg(descriptor, &shorter, flags);
}

ssize_t __wrap_recvmsg(int descriptor, struct msghdr *message, int flags)
{
    return failed() ? -1 : __real_recvmsg(descriptor, message, flags);
}

int __wrap_connect(int descriptor, const struct sockaddr *address, socklen_t length)
{
    return failed() ? -1 : __real_connect(descriptor, address, length);
}

/* 1. The worker. */

static void worker_sends(exchange *ours, size_t length, size_t count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(16 * sizeof(int))] = {0};
    struct iovec run = {.iov_base = pattern + ours->worker_sent, .iov_len = length};
    struct msghdr message = {.msg_iov = &run, .msg_iovlen = 1};
    int descriptors[16];
    if (ours->worker < 0 || length == 0 || ours->worker_sent + length > STREAM_LIMIT) {
        return;
    }
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        for (size_t index = 0; index < count; index++) {
            descriptors[index] = memfd_create("passed", MFD_CLOEXEC);
            FUZZ_CHECK(ftruncate(descriptors[index], (off_t)(ours->passed + index)) == 0);
        }
        memcpy(CMSG_DATA(header), descriptors, count * sizeof(int));
    }
    ssize_t sent = __real_sendmsg(ours->worker, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    ours->worker_sent += sent > 0 ? (size_t)sent : 0;
    ours->passed += sent > 0 ? count : 0;
    for (size_t index = 0; index < count; index++) {
        close(descriptors[index]);
    }
}

static void worker_receives(exchange *ours, size_t most)
{
    static char bytes[64 * 1024];
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(4 * sizeof(int))];
    struct iovec room = {.iov_base = bytes, .iov_len = most < sizeof(bytes) ? most : sizeof(bytes)};
    struct msghdr message = {.msg_iov = &room, .msg_iovlen = 1, .msg_control = control,
                             .msg_controllen = sizeof(control)};
    ssize_t got = ours->worker >= 0 ? __real_recvmsg(ours->worker, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) : -1;
    if (got <= 0) {
        return;
    }
    FUZZ_CHECK(ours->worker_got + (size_t)got <= ours->queued);
    FUZZ_CHECK(memcmp(bytes, pattern + ours->worker_got, (size_t)got) == 0);
    ours->worker_got += (size_t)got;
    struct cmsghdr *header = message.msg_controllen > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header != NULL) {
        int descriptor;
        FUZZ_CHECK(header->cmsg_len == CMSG_LEN(sizeof(int)));
        memcpy(&descriptor, CMSG_DATA(header), sizeof(int));
        close(descriptor);
        ours->descriptors_got++;
    }
    FUZZ_CHECK(ours->descriptors_got <= 1 && (!ours->expects_descriptor || ours->descriptors_got == 1));
}

/* 2. The connection. */

static void queue(exchange *ours, size_t length)
{
    passenger_backend *backend = &ours->backend;
    if (backend->socket < 0 || ours->takes_nothing || length == 0 || ours->queued + length > STREAM_LIMIT
        || (backend->unsent[0].iov_len > 0 && backend->unsent[1].iov_len > 0)
        || (backend->unsent[0].iov_len == 0 && backend->unsent[1].iov_len > 0)) {
        return;
    }
    passenger_backend_queue(backend, pattern + ours->queued, length);
    ours->queued += length;
    FUZZ_CHECK(passenger_backend_is_sending(backend));
}

static void send_queued(exchange *ours)
{
    passenger_backend *backend = &ours->backend;
    if (backend->socket < 0) {
        return;
    }
    passenger_backend_status status = passenger_backend_send(backend);
    FUZZ_CHECK((status == PASSENGER_BACKEND_OK || status == PASSENGER_BACKEND_CLOSED)
               == !passenger_backend_is_sending(backend));
    ours->takes_nothing |= status == PASSENGER_BACKEND_CLOSED;
}

static void receive(exchange *ours, size_t size)
{
    size_t length = 7;
    if (ours->backend.socket < 0) {
        return;
    }
    char *bytes = malloc(size);
    passenger_backend_status status = passenger_backend_receive(&ours->backend, bytes, size, &length);
    FUZZ_CHECK((status == PASSENGER_BACKEND_OK) == (length > 0) && length <= size);
    FUZZ_CHECK(ours->backend.descriptor_count <= PASSENGER_BACKEND_DESCRIPTORS);
    FUZZ_CHECK((status == PASSENGER_BACKEND_CLOSED) <= ours->backend.is_at_end);
    if (length > 0) {
        FUZZ_CHECK(ours->got + length <= ours->worker_sent);
        FUZZ_CHECK(memcmp(bytes, pattern + ours->got, length) == 0);
        ours->got += length;
        const unsigned char *next = (const unsigned char *)bytes;
        while (passenger_frames_next(&ours->frames, &next, &length) == PASSENGER_FRAME_DATA) {
            continue;
        }
    }
    free(bytes);
}

static void take(exchange *ours)
{
    struct stat status;
    int waiting = ours->backend.descriptor_count;
    int descriptor = passenger_backend_take_descriptor(&ours->backend);
    FUZZ_CHECK((descriptor >= 0) == (waiting > 0));
    if (descriptor < 0) {
        return;
    }
    FUZZ_CHECK(ours->backend.descriptor_count == waiting - 1 && (fcntl(descriptor, F_GETFD) & FD_CLOEXEC) != 0);
    FUZZ_CHECK(fstat(descriptor, &status) == 0 && (size_t)status.st_size >= ours->taken);
    FUZZ_CHECK((size_t)status.st_size < ours->passed);
    ours->taken = (size_t)status.st_size + 1;
    close(descriptor);
}

static int open_descriptors(void)
{
    int count = 0;
    while (passenger_close_waiting() > 0) {
        sched_yield();
    }
    for (int descriptor = 0; descriptor < 128; descriptor++) {
        count += fcntl(descriptor, F_GETFD) >= 0;
    }
    return count;
}

static void remove_socket(void)
{
    unlink(path);
}

static void start(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (listener > 0) {
        return;
    }
    signal(SIGPIPE, SIG_IGN);
    snprintf(path, sizeof(path), "/tmp/fuzz-backend-%d", (int)getpid());
    memcpy(address.sun_path, path, strlen(path));
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(listener, 4) == 0);
    atexit(remove_socket);
    passed_file = memfd_create("request", MFD_CLOEXEC);
    passenger_close_later(dup(STDERR_FILENO));
    for (size_t index = 0; index < STREAM_LIMIT; index++) {
        pattern[index] = (char)(index * 13 + (index >> 7));
    }
}

static void run(exchange *ours, fuzz_input *input)
{
    while (input->left > 0) {
        uint8_t what = fuzz_byte(input);
        size_t size = (what & 0x80) != 0 ? (size_t)fuzz_short(input) + 1 : (what >> 4 & 7) + 1u;
        switch (what & 15) {
        case 0: case 1: queue(ours, size); break;
        case 2: case 3: send_queued(ours); break;
        case 4: case 5: receive(ours, size < 40000 ? size : 40000); break;
        case 6: case 7: worker_sends(ours, size, 0); break;
        case 8: worker_sends(ours, size, (what >> 4 & 7) + 1u); break;
        case 9: worker_sends(ours, size, 16); break;
        case 10: case 11: worker_receives(ours, size); break;
        case 12: take(ours); break;
        case 13: if (ours->worker >= 0) { shutdown(ours->worker, what >> 4 & 1 ? SHUT_WR : SHUT_RD); } break;
        case 14: if (ours->worker >= 0 && (what & 0x70) == 0x70) { close(ours->worker); ours->worker = -1; } break;
        case 15: if ((what & 0x70) == 0x70) { passenger_backend_close(&ours->backend); } break;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    fuzz_input input = {bytes, length};
    exchange ours = {.worker = -1};
    char long_path[200];
    start();
    int before = open_descriptors();
    uint8_t how = fuzz_byte(&input);
    trouble.bytes = fuzz_bytes(&input, fuzz_byte(&input) & 63, &trouble.left);
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    is_testing = 1;
    int error = passenger_backend_connect(&ours.backend, how == 255 ? long_path : how == 254 ? "/nowhere" : path);
    FUZZ_CHECK((error == 0) == (ours.backend.socket >= 0) && (how < 254 || error != 0));
    if (error == 0) {
        ours.worker = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        FUZZ_CHECK(ours.worker >= 0);
        if ((how & 1) != 0) {
            ours.backend.descriptor_to_send = passed_file;
            ours.expects_descriptor = 1;
        }
        passenger_frames_begin(&ours.frames);
        run(&ours, &input);
    }
    passenger_backend_close(&ours.backend);
    passenger_backend_close(&ours.backend);
    FUZZ_CHECK(ours.backend.socket == -1 && !passenger_backend_is_sending(&ours.backend));
    is_testing = 0;
    if (ours.worker >= 0) {
        close(ours.worker);
    }
    FUZZ_CHECK(open_descriptors() == before);
    return 0;
}
