/* registry_directory.h: the folder of PassengerInstanceRegistryDir, which holds a folder for each instance.
 *
 * The spawner's sockets, and the code that runs in the apps' interpreters, lie below it. So nobody except root and the
 * user who starts httpd may be able to replace a folder there. A folder in which everybody may make names, as /tmp, is
 * good if it has the sticky bit: then only the owner of a name can remove or rename it.
 * Called in httpd's parent while it reads its configuration. May block as file systems do.
 */
#ifndef JUMPSEAT_REGISTRY_DIRECTORY_H
#define JUMPSEAT_REGISTRY_DIRECTORY_H

#include <apr_pools.h>

/* Hexadecimal digits that the name of an instance's folder has at its end where the registry is shared. */
enum { PASSENGER_INSTANCE_SUFFIX_LENGTH = 8 };

/* NULL and, through `result`, the absolute path in `pool`; or, in `pool`, why an instance can never have its folder
 * there, as the end of a sentence that begins with the directive's name. */
const char *passenger_check_registry(apr_pool_t *pool, const char *value, const char **result);

/* Whether other users may make names in the folder: then nobody must be able to guess the name of an instance. */
int passenger_registry_is_shared(const char *path);

#endif
