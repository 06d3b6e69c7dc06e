/* The spawner's process, as httpd's parent sees it: started, told of each configuration, restarted, ended.
 *
 * There is one per httpd. Its handles live in static storage that outlasts every restart of httpd: the shared object is
 * linked so that it is never unloaded. All functions are called in httpd's parent, in its only thread; they may block for
 * the times that they name.
 */
#ifndef PASSENGER_SPAWNER_PROCESS_H
#define PASSENGER_SPAWNER_PROCESS_H

#include <httpd.h>

/* post_config: makes sure that a spawner runs and tells it of the configuration just read. May block for 5 s when the
 * spawner does not take messages; it is then killed, and replaced by httpd's main loop. An error only when the first
 * spawner of this httpd could not be started. */
apr_status_t passenger_spawner_configure(server_rec *server);

/* monitor: starts a spawner when there should be one and none could be forked; ends one that hangs. */
void passenger_spawner_monitor(server_rec *server);

#endif
