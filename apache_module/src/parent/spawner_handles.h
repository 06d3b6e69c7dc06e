/* spawner_handles.h: the descriptors by which httpd's parent holds the spawner: control line, lifeline, descriptor
 * store.
 *
 * Only the parent has them (docs/protocol.md, section 4). Each child that the parent forks closes them at once,
 * whichever module forked it: a daemon of another module that had them could keep the lifeline open when httpd has
 * ended, give the spawner orders as root, and take the sockets of apps out of the store
 * (docs/decisions/001-descriptor-store.md). They are also close-on-exec, and above the standard streams. They live in
 * static storage. Called in httpd's parent, in its only thread. Nothing blocks.
 */
#ifndef JUMPSEAT_SPAWNER_HANDLES_H
#define JUMPSEAT_SPAWNER_HANDLES_H

#include <stddef.h>

#include <apr_errno.h>

enum { PASSENGER_NO_HANDLE = -1 };

typedef struct {
    int control;            /* the parent's end, while a spawner runs */
    int spawner_control;    /* the spawner's end, only while one is being forked */
    int lifeline_read;
    int lifeline_write;
    int store_read;
    int store_write;
} passenger_spawner_handles;

/* The handles of this process. Only the functions below change the values. */
const passenger_spawner_handles *passenger_spawner_handles_get(void);

/* Makes the lifeline and the store, which all spawners of this httpd use. Does nothing when they are there. */
apr_status_t passenger_spawner_handles_open(void);

/* Makes a new control line for the spawner that is forked next; an old one is closed. */
apr_status_t passenger_spawner_handles_renew_control(void);

/* Makes the control line hold so many bytes that the spawner has not received yet, if the kernel allows that: always for
 * root. Never makes it smaller than it began. */
void passenger_spawner_handles_enlarge_control(size_t bytes);

/* To be called around the fork of the spawner: that child keeps the ends that are its own. */
void passenger_spawner_handles_fork_begins(void);
void passenger_spawner_handles_fork_ended(void);

/* Closes the parent's end of the control line. */
void passenger_spawner_handles_close_control(void);

/* Closes the lifeline's write end: the spawner and all processes of apps see that httpd ends. */
void passenger_spawner_handles_close_lifeline(void);

#endif
