#include "core/overflow_count.h"

#include <stdlib.h>
#include <string.h>

enum { INTERVAL = 1000 * 1000 };   /* microseconds between two that are taken */

struct passenger_overflow_count {
    size_t capacity;
    size_t used;
    int64_t taken;                 /* when something was last taken; 0: never */
    passenger_overflow entries[];
};

passenger_overflow_count *passenger_overflow_count_create(size_t capacity)
{
    passenger_overflow_count *counts = calloc(1, sizeof(*counts) + capacity * sizeof(passenger_overflow));
    if (counts != NULL) {
        counts->capacity = capacity;
    }
    return counts;
}

void passenger_overflow_count_destroy(passenger_overflow_count *counts)
{
    for (size_t index = 0; counts != NULL && index < counts->used; index++) {
        free(counts->entries[index].group);
    }
    free(counts);
}

static passenger_overflow *entry_of(passenger_overflow_count *counts, const char *group)
{
    for (size_t index = 0; index < counts->used; index++) {
        if (strcmp(counts->entries[index].group, group) == 0) {
            return &counts->entries[index];
        }
    }
    char *name = counts->used < counts->capacity ? strdup(group) : NULL;
    if (name == NULL) {
        return NULL;
    }
    counts->entries[counts->used] = (passenger_overflow){name, 0};
    return &counts->entries[counts->used++];
}

void passenger_overflow_count_add(passenger_overflow_count *counts, const char *group, uint64_t count)
{
    passenger_overflow *entry = entry_of(counts, group);
    if (entry != NULL) {
        entry->count += count;
    }
}

int passenger_overflow_count_is_empty(const passenger_overflow_count *counts)
{
    return counts->used == 0;
}

int passenger_overflow_count_take(passenger_overflow_count *counts, int64_t now, passenger_overflow *taken)
{
    if (counts->used == 0 || (counts->taken != 0 && now - counts->taken < INTERVAL)) {
        return 0;
    }
    size_t most = 0;
    for (size_t index = 1; index < counts->used; index++) {
        most = counts->entries[index].count > counts->entries[most].count ? index : most;
    }
    *taken = counts->entries[most];
    counts->entries[most] = counts->entries[--counts->used];
    counts->taken = now;
    return 1;
}
