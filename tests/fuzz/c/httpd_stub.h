/* httpd_stub.h: the few functions of httpd that the handler calls, for programs that are no httpd.
 *
 * APR and APR-util are the real ones. What differs from httpd:
 * - One request per connection. The chains of filters are: [a filter that holds back, if asked for,] a protocol filter,
 *   then the connection's: the module's own one and the network. No TLS, no chunks, no other module.
 * - The protocol filter writes no head. It checks the head when the first data or the end comes, and remembers it; body
 *   bytes pass as they are. It takes an error bucket for a cut response, as httpd's chunk filter does.
 * - The network filter keeps buckets and sends them as the socket takes them, as httpd's core filter does; it blocks
 *   with more than 64 KiB of memory, or at a flush. It never uses sendfile.
 * - A stream of HTTP/2 is a filter that holds 32 KiB and blocks with more. Its client takes bytes when stub_take() says
 *   so, and a bucket that is taken is destroyed at the next pass, as in mod_http2. There is no second thread.
 * - The body comes from the client's socket as it was sent; its length is known to the stub. There are no chunks, and
 *   no filter that changes it.
 * - Where httpd would block for the client, the stub calls stub->wait(), which has to make something happen.
 * - Texts are simpler: escaping of paths, names of servers, status lines, HTTP dates.
 */
#ifndef JUMPSEAT_HTTPD_STUB_H
#define JUMPSEAT_HTTPD_STUB_H

#include <httpd.h>
#include <http_config.h>
#include <util_filter.h>

typedef struct httpd_stub {
    /* Set by the caller. */
    void (*wait)(void);            /* the handler blocks for the client */
    int client_socket;             /* httpd's end of the connection */
    int is_async;                  /* what the MPM says */
    int holds_back;                /* there is a filter that holds back up to 8 KiB */
    int filter_fails_at;           /* with this call of that filter; 0: never */
    apr_off_t body_length;         /* of the request */

    /* Set by the stub. */
    apr_off_t body_read;           /* how much of it the handler has read */
    int interim_responses;         /* how many `100 Continue` were sent */
    int head_is_sent;
    int status;                    /* of the head that was sent */
    int is_cut;                    /* an error bucket has come */
    int is_ended;                  /* the end has come */
    char *delivered;               /* of a stream: what its client has taken */
    size_t delivered_length;
} httpd_stub;

extern httpd_stub *stub;           /* of the request that is being processed */

/* Once in a process: registers the module's filter, and what httpd's start would make. `directory`: for files. */
void stub_start(const char *directory);

/* A connection with one request, in a pool of its own below `pool`. `is_stream`: of HTTP/2. */
request_rec *stub_request(apr_pool_t *pool, int is_stream);

/* The client of a stream takes up to `size` bytes. Returns how many there were. */
size_t stub_take(conn_rec *c, size_t size);

/* httpd sends what it has after the handler has returned; calls stub->wait() until that is done. */
void stub_finish(conn_rec *c);

#endif
