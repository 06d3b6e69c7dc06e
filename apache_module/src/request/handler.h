/* handler.h: the module's part in httpd's children: all hooks of the request path, and the content handler. */
#ifndef JUMPSEAT_HANDLER_H
#define JUMPSEAT_HANDLER_H

#include <apr_pools.h>

/* Called once per configuration, by the module's register_hooks. */
void passenger_request_register_hooks(apr_pool_t *pool);

#endif
