#include "core/idle_connections.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>

#include "core/deadlines.h"

enum {
    PATH_SIZE = sizeof(((struct sockaddr_un *)0)->sun_path),
    CHECK_MILLISECONDS = 250
};

typedef struct idle_connection {
    int socket;
    int64_t since;
    char path[PATH_SIZE];
} idle_connection;

/* Of this process. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_some;
    idle_connection waiting[PASSENGER_IDLE_LIMIT];   /* the oldest first */
    int count;
    int is_started;                                  /* the thread that closes them */
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
    int socket = store.waiting[index].socket;
    store.count--;
    memmove(store.waiting + index, store.waiting + index + 1, (size_t)(store.count - index) * sizeof(store.waiting[0]));
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
        if (is_useless(&store.waiting[index], now)) {
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

void passenger_idle_connections_put(const char *path, passenger_backend *backend)
{
    int evicted = -1;
    pthread_mutex_lock(&store.lock);
    if (may_keep(path, backend)) {
        if (store.count == PASSENGER_IDLE_LIMIT) {
            evicted = remove_at(0);
        }
        idle_connection *kept = &store.waiting[store.count++];
        kept->socket = backend->socket;
        kept->since = passenger_monotonic_now();
        memcpy(kept->path, path, strlen(path) + 1);
        backend->socket = -1;
        pthread_cond_signal(&store.has_some);
    }
    pthread_mutex_unlock(&store.lock);
    passenger_backend_close(backend);
    close_socket(evicted);
}

/* Removes the newest connection to `path`. Returns its socket; -1: there is none. */
static int take_newest(const char *path)
{
    int socket = -1;
    pthread_mutex_lock(&store.lock);
    for (int index = store.count - 1; index >= 0 && socket < 0; index--) {
        if (strcmp(store.waiting[index].path, path) == 0) {
            socket = remove_at(index);
        }
    }
    pthread_mutex_unlock(&store.lock);
    return socket;
}

int passenger_idle_connections_take(const char *path, passenger_backend *backend)
{
    for (int socket = take_newest(path); socket >= 0; socket = take_newest(path)) {
        /* What comes without a request belongs to none: the next response would begin with it. */
        if (passenger_backend_is_quiet(socket)) {
            passenger_backend_adopt(backend, socket);
            return 1;
        }
        close_socket(socket);
    }
    return 0;
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
