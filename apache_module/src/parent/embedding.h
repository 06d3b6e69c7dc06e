/* The one function of this shared object that is written in Python (apache_module/embedding.py). */
#ifndef PASSENGER_EMBEDDING_H
#define PASSENGER_EMBEDDING_H

#include <stddef.h>

/* Added to the exit status, so that it differs from the 0 of code that could not be loaded. */
enum { JUMPSEAT_SPAWNER_RAN = 256 };

/* Runs the spawner until it ends; Python has been started (python_start.h). `parameters` is one netstring
 * (docs/protocol.md, section 4). JUMPSEAT_SPAWNER_RAN plus the exit status, or 0 when the spawner's code could not be
 * loaded; stderr says why. Never to be called in a process of httpd. */
int jumpseat_spawner_main(const char *parameters, size_t length);

#endif
