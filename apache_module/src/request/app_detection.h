/* app_detection.h: what lies in the folders of apps, cached for PassengerStatThrottleRate seconds.
 *
 * One bounded cache per httpd child, shared by its threads behind a lock; it lives as long as the child. Calls stat the
 * file system, and so may block as file servers do. Any thread of a child.
 */
#ifndef JUMPSEAT_APP_DETECTION_H
#define JUMPSEAT_APP_DETECTION_H

#include <apr_pools.h>

typedef enum passenger_detection {
    PASSENGER_APP_FOUND,
    PASSENGER_APP_ABSENT,
    PASSENGER_APP_FORBIDDEN    /* Apache's user may not look: a folder on the way cannot be searched */
} passenger_detection;

/* Hook child_init: makes the cache. */
void passenger_detection_child_init(apr_pool_t *child_pool);

/* Whether there is a file at `path`. `seconds`: how long a cached answer holds; 0: nothing is cached. */
passenger_detection passenger_detect_file(apr_pool_t *pool, const char *path, int seconds);

/* For a public folder: `*target` becomes what it points to when it is a symbolic link (one step only, made absolute),
 * else the folder itself. ABSENT when there is nothing. `*target` lives in `pool`. */
passenger_detection passenger_detect_link(apr_pool_t *pool, const char *path, int seconds, const char **target);

#endif
