/* Preloaded into a server under test: CLOCK_REALTIME off by the seconds that stand in OFFSET_FILE, which is mapped, so
 * that a change is in force at once and in every process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset;

__attribute__((constructor)) static void map_offset(void)
{
    int descriptor = open(OFFSET_FILE, O_RDONLY | O_CLOEXEC);

    if (descriptor >= 0) {
        void *mapped = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, descriptor, 0);

        offset = mapped == MAP_FAILED ? NULL : mapped;
        close(descriptor);
    }
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = (int)syscall(SYS_clock_gettime, clock, now);

    if (status == 0 && offset != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        now->tv_sec += *offset;
    }
    return status;
}

int gettimeofday(struct timeval *restrict now, void *restrict unused)
{
    struct timespec precise;
    int status = clock_gettime(CLOCK_REALTIME, &precise);

    (void)unused;
    now->tv_sec = precise.tv_sec;
    now->tv_usec = precise.tv_nsec / 1000;
    return status;
}

time_t time(time_t *where)
{
    struct timespec precise;

    clock_gettime(CLOCK_REALTIME, &precise);
    if (where != NULL) {
        *where = precise.tv_sec;
    }
    return precise.tv_sec;
}
