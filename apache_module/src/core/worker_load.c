#include "core/worker_load.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "core/generated/constants.h"

enum {
    SERVING = 1,                       /* a slot's state */
    MOST_CAPACITY = 10000,             /* requests at a time of one worker */
    SHORTEST_SAMPLE = 2 * 1000,        /* microseconds */
    LONGEST_SAMPLE = 100 * 1000
};

/* The beginning of a slot. Read while its worker writes. */
typedef struct slot_header {
    uint32_t state;
    uint32_t pid;
    uint32_t running;
    uint32_t capacity;
    uint64_t requests;
} slot_header;

/* What this child knows of one worker. */
typedef struct worker {
    int pending;              /* requests of this child that have been sent and have not ended */
    uint64_t served;          /* the worker's count at `sampled_at` */
    int64_t sampled_at;
    int64_t service_time;     /* microseconds for each request at that time; 0: not known */
} worker;

struct passenger_worker_load {
    atomic_int references;
    const unsigned char *board;
    size_t size;
    int slots;
    worker *workers;          /* of the first slots, as far as they were asked for */
    int worker_count;
};

passenger_worker_load *passenger_worker_load_open(int scoreboard)
{
    struct stat status;
    int seals = fcntl(scoreboard, F_GET_SEALS);
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 || fstat(scoreboard, &status) != 0
        || status.st_size < PASSENGER_SCOREBOARD_SLOT_SIZE) {
        return NULL;
    }
    size_t size = (size_t)status.st_size;
    passenger_worker_load *load = calloc(1, sizeof(*load));
    void *board = load != NULL ? mmap(NULL, size, PROT_READ, MAP_SHARED, scoreboard, 0) : MAP_FAILED;
    if (board == MAP_FAILED) {
        free(load);
        return NULL;
    }
    atomic_init(&load->references, 1);
    load->board = board;
    load->size = size;
    load->slots = (int)(size / PASSENGER_SCOREBOARD_SLOT_SIZE);
    return load;
}

passenger_worker_load *passenger_worker_load_hold(passenger_worker_load *load)
{
    if (load != NULL) {
        atomic_fetch_add(&load->references, 1);
    }
    return load;
}

void passenger_worker_load_release(passenger_worker_load *load)
{
    if (load != NULL && atomic_fetch_sub(&load->references, 1) == 1) {
        munmap((void *)load->board, load->size);
        free(load->workers);
        free(load);
    }
}

/* What is known of the worker of a slot; NULL: there is no such slot, or no memory. */
static worker *worker_of(passenger_worker_load *load, int slot)
{
    if (slot < 0 || slot >= load->slots) {
        return NULL;
    }
    if (slot >= load->worker_count) {
        worker *grown = realloc(load->workers, (size_t)(slot + 1) * sizeof(worker));
        if (grown == NULL) {
            return NULL;
        }
        memset(grown + load->worker_count, 0, (size_t)(slot + 1 - load->worker_count) * sizeof(worker));
        load->workers = grown;
        load->worker_count = slot + 1;
    }
    return &load->workers[slot];
}

/* A copy, whose fields may be of different moments. */
static slot_header header_of(const passenger_worker_load *load, int slot)
{
    const volatile slot_header *header =
        (const volatile void *)(load->board + (size_t)slot * PASSENGER_SCOREBOARD_SLOT_SIZE);
    return (slot_header){.state = header->state, .running = header->running, .capacity = header->capacity,
                         .requests = header->requests};
}

int passenger_worker_load_is_free(passenger_worker_load *load, int slot)
{
    const worker *asked = worker_of(load, slot);
    if (asked == NULL) {
        return 0;
    }
    slot_header header = header_of(load, slot);
    uint32_t capacity = header.capacity < MOST_CAPACITY ? header.capacity : MOST_CAPACITY;
    return header.state == SERVING && header.running < capacity && asked->pending < (int)capacity;
}

/* Looks at how many requests the worker has served since the last look, unless that was a moment ago. */
static void sample(worker *sampled, uint64_t served, int64_t now)
{
    int64_t elapsed = now - sampled->sampled_at;
    if (elapsed < SHORTEST_SAMPLE) {
        return;
    }
    uint64_t count = served - sampled->served;
    int is_known = sampled->sampled_at != 0 && elapsed <= LONGEST_SAMPLE && count > 0 && count <= (uint64_t)elapsed;
    sampled->service_time = is_known ? elapsed / (int64_t)count : 0;
    sampled->served = served;
    sampled->sampled_at = now;
}

int64_t passenger_worker_load_expected_wait(passenger_worker_load *load, int slot, int64_t now)
{
    worker *asked = worker_of(load, slot);
    if (asked == NULL) {
        return INT64_MAX;
    }
    slot_header header = header_of(load, slot);
    sample(asked, header.requests, now);
    if (header.state != SERVING || asked->service_time == 0) {
        return INT64_MAX;
    }
    return asked->service_time * (asked->pending + 1);
}

void passenger_worker_load_begin(passenger_worker_load *load, int slot)
{
    worker *chosen = worker_of(load, slot);
    if (chosen != NULL) {
        chosen->pending++;
    }
}

void passenger_worker_load_end(passenger_worker_load *load, int slot)
{
    worker *chosen = worker_of(load, slot);
    if (chosen != NULL && chosen->pending > 0) {
        chosen->pending--;
    }
}
