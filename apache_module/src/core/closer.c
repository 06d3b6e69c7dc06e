#include "core/closer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    LIMIT_MS = 100,            /* after so long, a call is interrupted */
    INTERRUPT = SIGURG         /* httpd uses it for nothing, and ignores it */
};

typedef struct waiting {
    struct waiting *next;
    int descriptor;
} waiting;

/* One for the process. `first` to `last` wait, in order; `count` includes the one that `is_closing`. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    waiting *first;
    waiting **last;
    int count;
    int is_closing;
    int is_started;
    unsigned long calls;       /* that have begun: tells one from the next */
    pthread_t closer;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .last = &state.first};

static void do_nothing(int number)
{
    (void)number;
}

/* Takes the next one; waits for it. With the lock held. */
static int take_next(void)
{
    while (state.first == NULL) {
        pthread_cond_wait(&state.changed, &state.lock);
    }
    waiting *next = state.first;
    int descriptor = next->descriptor;
    state.first = next->next;
    if (state.first == NULL) {
        state.last = &state.first;
    }
    free(next);
    return descriptor;
}

static void *close_all(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&state.lock);
    for (;;) {
        int descriptor = take_next();
        state.is_closing = 1;
        state.calls++;
        pthread_cond_broadcast(&state.changed);
        pthread_mutex_unlock(&state.lock);
        close(descriptor);
        pthread_mutex_lock(&state.lock);
        state.is_closing = 0;
        state.count--;
    }
    return NULL;
}

/* Interrupts the call that is under way if it is the same after LIMIT_MS, and again until it ends. */
static void *interrupt_late_calls(void *unused)
{
    const struct timespec limit = {.tv_nsec = LIMIT_MS * 1000000L};
    (void)unused;
    for (;;) {
        pthread_mutex_lock(&state.lock);
        while (!state.is_closing) {
            pthread_cond_wait(&state.changed, &state.lock);
        }
        unsigned long call = state.calls;
        pthread_mutex_unlock(&state.lock);
        nanosleep(&limit, NULL);
        pthread_mutex_lock(&state.lock);
        if (state.is_closing && state.calls == call) {
            pthread_kill(state.closer, INTERRUPT);
        }
        pthread_mutex_unlock(&state.lock);
    }
    return NULL;
}

/* A thread that takes no signal of the process's. Returns 0 or an errno. */
static int start_thread(pthread_t *thread, void *(*run)(void *))
{
    sigset_t all;
    sigset_t before;
    pthread_attr_t attributes;
    sigfillset(&all);
    sigdelset(&all, INTERRUPT);
    int error = pthread_attr_init(&attributes);
    if (error != 0) {
        return error;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(thread, &attributes, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error;
}

/* With the lock held. Returns whether there is a thread that closes. */
static int start(void)
{
    pthread_t watch;
    struct sigaction action = {.sa_handler = do_nothing};
    if (state.is_started) {
        return 1;
    }
    sigemptyset(&action.sa_mask);
    if (sigaction(INTERRUPT, &action, NULL) != 0 || start_thread(&state.closer, close_all) != 0) {
        return 0;
    }
    state.is_started = 1;
    (void)start_thread(&watch, interrupt_late_calls); /* without it, a call takes as long as it takes */
    return 1;
}

void passenger_close_later(int descriptor)
{
    waiting *added = descriptor >= 0 ? malloc(sizeof(*added)) : NULL;
    if (added == NULL) {
        return;
    }
    *added = (waiting){.descriptor = descriptor};
    pthread_mutex_lock(&state.lock);
    if (start()) {
        *state.last = added;
        state.last = &added->next;
        state.count++;
        added = NULL;
        pthread_cond_broadcast(&state.changed);
    }
    pthread_mutex_unlock(&state.lock);
    free(added);
}

int passenger_close_waiting(void)
{
    pthread_mutex_lock(&state.lock);
    int count = state.count;
    pthread_mutex_unlock(&state.lock);
    return count;
}
