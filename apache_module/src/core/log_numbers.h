/* The numbers of log lines: each line from debug up has one of its own, so that it can be looked up and searched for.
 *
 * 1000 to 1999: configuration and the spawner's process (settings.c, spawner_process.c, ...)
 * 2000 to 2999: requests
 */
#ifndef PASSENGER_LOG_NUMBERS_H
#define PASSENGER_LOG_NUMBERS_H

#define PSGLOGNO(n) "JS" #n ": "

#endif
