#include "core/idle_connections.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "core/deadlines.h"
#include "core/group_cache.h"

enum {
    PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path),
    CHECK_MILLISECONDS = 250
};

typedef struct idle_connection {
    int socket;
    int slot;
    int64_t since;
    uint64_t digest;              /* of the path */
    char path[PATH_SIZE];
} idle_connection;

/* Of this process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_some;
    idle_connection *waiting[PASSENGER_IDLE_LIMIT];   /* the oldest first; malloc'ed */
    int count;
    int is_started;                                   /* the thread that closes them */
    int is_stopping;
} store = {.lock = PTHREAD_MUTEX_INITIALIZER, .has_some = PTHREAD_COND_INITIALIZER};

static void close_socket(int socket)
{
    passenger_backend backend;
    passenger_backend_adopt(&backend, socket);
    passenger_backend_close(&backend);
}

/* Removes the connection at `index`, with the lock held. Returns its socket. */
static int remove_at(int index)
{
    idle_connection *removed = store.waiting[index];
    int socket = removed->socket;
    store.count--;
    memmove(store.waiting + index, store.waiting + index + 1, (size_t)(store.count - index) * sizeof(store.waiting[0]));
    free(removed);
    return socket;
}

/* 1. The thread that closes. */

static int is_useless(const idle_connection *connection, int64_t now)
{
    return now - connection->since >= (int64_t)PASSENGER_IDLE_MILLISECONDS * 1000
           || !passenger_backend_is_quiet(connection->socket);
}

/* Removes what is of no use any more, with the lock held. Returns how many sockets are in `removed`. */
static int remove_useless(int *removed)
{
    int64_t now = passenger_monotonic_now();
    int count = 0;
    for (int index = store.count - 1; index >= 0; index--) {
        if (is_useless(store.waiting[index], now)) {
            removed[count++] = remove_at(index);
        }
    }
    return count;
}

static void *close_useless(void *unused)
{
    const struct timespec pause = {.tv_nsec = CHECK_MILLISECONDS * 1000000L};
    int removed[PASSENGER_IDLE_LIMIT];
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&store.lock);
        while (store.count == 0) {
            pthread_cond_wait(&store.has_some, &store.lock);
        }
        int count = remove_useless(removed);
        pthread_mutex_unlock(&store.lock);
        while (count > 0) {
            close_socket(removed[--count]);
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

/* Starts the thread, which takes no signal of the process's; with the lock held. Returns whether it runs. */
static int start_thread(void)
{
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all;
    sigset_t before;
    if (store.is_started) {
        return 1;
    }
    sigfillset(&all);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    store.is_started = pthread_create(&thread, &attributes, close_useless, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return store.is_started;
}

/* 2. The store. */

/* Whether a connection to `path` may be kept now; with the lock held. */
static int may_keep(const char *path, const passenger_backend *backend)
{
    return !store.is_stopping && backend->descriptor_count == 0 && !backend->is_at_end
           && !passenger_backend_is_sending(backend) && strlen(path) < PATH_SIZE && start_thread();
}

/* NULL without memory. */
static idle_connection *create(const char *path, int slot, int socket)
{
    idle_connection *created = malloc(sizeof(*created));
    if (created != NULL) {
        created->socket = socket;
        created->slot = slot;
        created->since = passenger_monotonic_now();
        created->digest = passenger_digest(PASSENGER_DIGEST_START, path);
        memcpy(created->path, path, strlen(path) + 1);
    }
    return created;
}

void passenger_idle_connections_put(const char *path, int slot, passenger_backend *backend)
{
    int evicted = -1;
    pthread_mutex_lock(&store.lock);
    idle_connection *kept = may_keep(path, backend) ? create(path, slot, backend->socket) : NULL;
    if (kept != NULL) {
        if (store.count == PASSENGER_IDLE_LIMIT) {
            evicted = remove_at(0);
        }
        store.waiting[store.count++] = kept;
        backend->socket = -1;
        pthread_cond_signal(&store.has_some);
    }
    pthread_mutex_unlock(&store.lock);
    passenger_backend_close(backend);
    close_socket(evicted);
}

static int leads_to(const idle_connection *connection, uint64_t digest, const char *path)
{
    return connection->digest == digest && strcmp(connection->path, path) == 0;
}

/* Returns the index of the connection that a request to `path` is to take; -1: none. With the lock held. */
static int choose(const char *path, passenger_worker_load *load, passenger_kept_connection *taken)
{
    uint64_t digest = passenger_digest(PASSENGER_DIGEST_START, path);
    int64_t now = passenger_monotonic_now();
    int64_t shortest = PASSENGER_LONGEST_WAIT;
    int chosen = -1;
    taken->worker_is_busy = 0;
    for (int index = store.count - 1; index >= 0; index--) {
        const idle_connection *connection = store.waiting[index];
        if (!leads_to(connection, digest, path)) {
            continue;
        }
        if (load == NULL || connection->slot == PASSENGER_NO_WORKER
            || passenger_worker_load_is_free(load, connection->slot)) {
            taken->worker_is_busy = 0;
            return index;
        }
        int64_t wait = passenger_worker_load_expected_wait(load, connection->slot, now);
        if (wait < shortest) {
            shortest = wait;
            chosen = index;
            taken->worker_is_busy = 1;
        }
    }
    return chosen;
}

/* Removes the connection that a request is to take. Returns its socket; -1: there is none. */
static int take(const char *path, passenger_worker_load *load, passenger_kept_connection *taken)
{
    int socket = -1;
    pthread_mutex_lock(&store.lock);
    int index = choose(path, load, taken);
    if (index >= 0) {
        taken->is_kept = 1;
        taken->slot = store.waiting[index]->slot;
        if (load != NULL && taken->slot != PASSENGER_NO_WORKER) {
            taken->load = load;
            passenger_worker_load_begin(load, taken->slot);
        }
        socket = remove_at(index);
    }
    pthread_mutex_unlock(&store.lock);
    return socket;
}

int passenger_idle_connections_take(const char *path, passenger_worker_load *load, passenger_backend *backend,
                                    passenger_kept_connection *taken)
{
    *taken = (passenger_kept_connection){0};
    for (int socket = take(path, load, taken); socket >= 0; socket = take(path, load, taken)) {
        /* What comes without a request belongs to none: the next response would begin with it. */
        if (passenger_backend_is_quiet(socket)) {
            passenger_backend_adopt(backend, socket);
            return 1;
        }
        passenger_idle_connections_done(taken);
        close_socket(socket);
    }
    return 0;
}

void passenger_idle_connections_done(passenger_kept_connection *taken)
{
    if (taken->load != NULL) {
        pthread_mutex_lock(&store.lock);
        passenger_worker_load_end(taken->load, taken->slot);
        pthread_mutex_unlock(&store.lock);
        taken->load = NULL;
    }
}

void passenger_idle_connections_stop(void)
{
    int removed[PASSENGER_IDLE_LIMIT];
    int count = 0;
    pthread_mutex_lock(&store.lock);
    store.is_stopping = 1;
    while (store.count > 0) {
        removed[count++] = remove_at(store.count - 1);
    }
    pthread_mutex_unlock(&store.lock);
    while (count > 0) {
        close_socket(removed[--count]);
    }
}

int passenger_idle_connections_count(void)
{
    pthread_mutex_lock(&store.lock);
    int count = store.count;
    pthread_mutex_unlock(&store.lock);
    return count;
}
