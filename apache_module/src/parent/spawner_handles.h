/* The descriptors by which httpd's parent holds the spawner: control line, lifeline, descriptor store.
 *
 * Only the parent has them (docs/protocol.md, section 4): every fork of the parent closes them in the child at once,
 * whoever forked it, so that no daemon of another module keeps the lifeline open when httpd has ended. Close-on-exec too.
 */
#ifndef PASSENGER_SPAWNER_HANDLES_H
#define PASSENGER_SPAWNER_HANDLES_H

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

/* The handles of this process. Made once; then the values only change through the functions below. */
const passenger_spawner_handles *passenger_spawner_handles_get(void);

/* Makes the lifeline and the store, which serve every spawner of this httpd. Does nothing when they are there. */
apr_status_t passenger_spawner_handles_open(void);

/* Makes a new control line for the spawner that is forked next; an old one is closed. */
apr_status_t passenger_spawner_handles_renew_control(void);

/* To be called around the fork of the spawner: its child keeps its own ends. */
void passenger_spawner_handles_fork_begins(void);
void passenger_spawner_handles_fork_ended(void);

/* Closes the parent's end of the control line. */
void passenger_spawner_handles_close_control(void);

/* Lets the spawner and all that hangs on it know that httpd ends. */
void passenger_spawner_handles_cut_lifeline(void);

#endif
