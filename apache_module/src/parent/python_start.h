/* Starts the interpreter, in the spawner's process only. */
#ifndef PASSENGER_PYTHON_START_H
#define PASSENGER_PYTHON_START_H

/* The interpreter that the module was built with, isolated: it takes nothing from the environment, from the user's own
 * packages or from the locale (text is UTF-8), writes no byte code and installs no signal handlers. 0, or -1 when it could
 * not be started; stderr says why. The calling thread does not hold the interpreter's lock afterwards. */
int passenger_python_start(void);

#endif
