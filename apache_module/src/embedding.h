/* The one function of this shared object that is written in Python (apache_module/embedding.py). */
#ifndef PASSENGER_EMBEDDING_H
#define PASSENGER_EMBEDDING_H

#include <stddef.h>

/* Added to the exit status, so that it differs from the 0 of a Python that could not be started. */
enum { JUMPSEAT_SPAWNER_RAN = 256 };

/* Starts Python, unless it runs already, and runs the spawner until it ends. `parameters` is one netstring
 * (docs/protocol.md, section 4). JUMPSEAT_SPAWNER_RAN plus the exit status, or 0 when Python or the spawner's code could
 * not be loaded; stderr says why. Never to be called in a process of httpd. */
int jumpseat_spawner_main(const char *parameters, size_t length);

#endif
