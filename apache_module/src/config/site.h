/* site.h: what a virtual host is known by from one configuration to the next.
 *
 * The spawner ends apps that are configured no more. Which those are it learns from the requests that come, and, for apps
 * that nobody asks for, from this: whether the virtual host that one was asked for at is still there and means the same.
 */
#ifndef JUMPSEAT_SITE_H
#define JUMPSEAT_SITE_H

#include <httpd.h>

/* Name, address, DocumentRoot and what is said of apps at the level of the virtual host, as 32 hex digits, in `pool`.
 * Once the configuration has been read; parent or child, any thread; never blocks. */
const char *passenger_site_of(const server_rec *server, apr_pool_t *pool);

#endif
