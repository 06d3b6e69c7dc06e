/* world.h: the client, the worker and the clock of the target `handler`, which follow the script of the input.
 *
 * The handler under test runs in the only thread. Whenever it would wait, in ppoll() or because httpd waits for the
 * client, the world takes its next step; when the script has ended, the client takes and sends all that is left and the
 * worker closes. Time passes by the script, and by the timeout of a wait in which nothing happens. So each input has
 * one course, without real waiting; the sockets are real ones.
 */
#ifndef JUMPSEAT_WORLD_H
#define JUMPSEAT_WORLD_H

#include <httpd.h>

#include "fuzz.h"

enum { WORLD_FILE_SIZE = 100 * 1000, WORLD_FILES_LIMIT = 64 };

#define WORLD_ROUTE "0123456789abcdef"

/* Bytes in memory of their own. */
typedef struct world_bytes {
    char *bytes;
    size_t length;
} world_bytes;

typedef struct world {
    fuzz_input script;
    conn_rec *c;                 /* of the request; of HTTP/2, that of the stream */
    int is_stream;
    int client;                  /* the client's end; -1: it has left */
    int worker;                  /* the worker's end of the newest connection; -1: none, or closed */
    int connections;             /* that workers have accepted */
    size_t body_length;
    size_t body_sent;            /* by the client */
    int client_has_left;
    int64_t script_time;         /* microseconds that passed by the script */
    int64_t now;                 /* the clock */
    int64_t disk_left;           /* bytes that can still be written to files; -1: any number */
    world_bytes answer;          /* what the worker has sent over the newest connection */
    world_bytes request;         /* what it has received over it */
    world_bytes got;             /* what the client has received over HTTP/1 */
    int has_closed;              /* the script has closed a worker, or a direction of it */
    int has_odd_files;           /* not each file frame came with one descriptor of the file */
    unsigned waits;
} world;

extern world the_world;

/* Once in a process: the folder, its sockets and the file that workers pass. Returns the folder. */
const char *world_start(void);

/* Begins with httpd's end of the client's connection, which belongs to the caller. */
int world_begin(const fuzz_input *script, int is_stream, size_t body_length);

/* The socket of the group. */
const char *world_socket(void);

/* One step; or all that is left. Returns whether anything has happened. */
int world_step(void);

/* A wait of httpd for the client. */
void world_wait(void);

/* Closes and frees what is left. */
void world_end(void);

enum { WORLD_PATTERN_PERIOD = 64 * 1024 };

/* The bytes from a place on of the client's body, of what workers say, and of the file that they pass; valid for
 * WORLD_PATTERN_PERIOD bytes. */
const char *world_pattern(size_t position);

#endif
