/* spawner_process.h: the spawner's process: started, given each configuration, replaced, ended.
 *
 * There is one per httpd. What is known of it lives in static storage that outlasts every restart of httpd: the shared
 * object is linked so that it is never unloaded. All functions are called in httpd's parent, in its only thread. None
 * blocks: what the spawner does not take now is sent by a later call. Only the end of httpd waits, for the end of the
 * spawner: 8 s at most, and 1 s more for one that had to be killed.
 */
#ifndef JUMPSEAT_SPAWNER_PROCESS_H
#define JUMPSEAT_SPAWNER_PROCESS_H

#include <httpd.h>

/* Hook post_config: makes sure that a spawner runs, and sends it the configuration that has just been read.
 * Returns an error only when the first spawner of this httpd could not be started. */
apr_status_t passenger_spawner_configure(server_rec *server);

/* Hook monitor: starts a spawner when there should be one and none could be forked; ends one that hangs; sends what
 * the spawner has not taken of the configuration yet. */
void passenger_spawner_monitor(server_rec *server);

#endif
