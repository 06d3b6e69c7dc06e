#include "parent/control_line.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <apr_hash.h>
#include <apr_portable.h>
#include <apr_tables.h>

#include <http_log.h>

#include "config/configuration.h"
#include "core/message.h"

APLOG_USE_MODULE(passenger);

enum {
    NO_DESCRIPTOR = -1,
    PACKETS_READ_AT_ONCE = 64,
    VHOSTS_IN_A_MESSAGE = 500,
    PACKET_OVERHEAD = 1024      /* bytes that a packet takes in the kernel beside its own, and more */
};

/* One encoded message. */
typedef struct {
    const char *bytes;
    size_t length;
    int descriptor;             /* to be sent with it, or NO_DESCRIPTOR */
} packet;

struct passenger_control_queue {
    apr_pool_t *pool;
    server_rec *server;
    apr_array_header_t *packets;
    int sent;                   /* how many of them, from the first on */
    int is_too_long;            /* a message does not fit into a packet */
};

static void add_message(passenger_control_queue *queue, const passenger_message *message, int descriptor)
{
    size_t length;
    const char *encoded = passenger_message_encode(message, PASSENGER_CONTROL_MESSAGE_LIMIT, &length);

    if (encoded == NULL) {
        queue->is_too_long = 1;
        return;
    }
    APR_ARRAY_PUSH(queue->packets, packet) = (packet){.bytes = encoded, .length = length, .descriptor = descriptor};
}

static void add_begin(passenger_control_queue *queue, const passenger_server_options *options, apr_int64_t epoch)
{
    passenger_message *message = passenger_message_of_type(queue->pool, "begin");

    passenger_message_add_number(message, "epoch", epoch);
    passenger_server_options_to_wire(options, message);
    add_message(queue, message, NO_DESCRIPTOR);
}

/* The descriptor behind a server's ErrorLog, or NO_DESCRIPTOR when there is none, as with syslog. */
static int log_descriptor(const server_rec *server)
{
    apr_os_file_t descriptor = NO_DESCRIPTOR;

    if (server->error_log == NULL || apr_os_file_get(&descriptor, server->error_log) != APR_SUCCESS) {
        return NO_DESCRIPTOR;
    }
    return descriptor;
}

static void warn_no_descriptor(const passenger_control_queue *queue, const server_rec *server)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, queue->server, PSGLOGNO(1010)
                 "ErrorLog %s is neither a file nor a program: what apps print cannot go there%s",
                 server->error_fname,
                 server == queue->server ? "; set PassengerLogFile" : " and goes to the main server's log; set "
                                                                      "PassengerAppLogFile for them");
}

static void add_log(passenger_control_queue *queue, const server_rec *server, int descriptor)
{
    passenger_message *message = passenger_message_of_type(queue->pool, "log");

    passenger_message_add(message, "name", passenger_error_log_name(server));
    add_message(queue, message, descriptor);
}

/* One log message per distinct name. */
static void add_logs(passenger_control_queue *queue, const passenger_server_options *options)
{
    apr_hash_t *seen = apr_hash_make(queue->pool);

    for (const server_rec *server = queue->server; server != NULL; server = server->next) {
        const char *name = passenger_error_log_name(server);
        int descriptor = log_descriptor(server);

        if (apr_hash_get(seen, name, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        apr_hash_set(seen, name, APR_HASH_KEY_STRING, server);
        if (descriptor != NO_DESCRIPTOR) {
            add_log(queue, server, descriptor);
        }
        else if (passenger_server_log_file(options) == NULL) {
            warn_no_descriptor(queue, server);
        }
    }
}

static void add_prestarts(passenger_control_queue *queue, const passenger_server_options *options)
{
    const apr_array_header_t *urls = passenger_server_pre_start(options);

    for (int i = 0; urls != NULL && i < urls->nelts; i++) {
        passenger_message *message = passenger_message_of_type(queue->pool, "prestart");

        passenger_message_add(message, "url", APR_ARRAY_IDX(urls, i, const char *));
        add_message(queue, message, NO_DESCRIPTOR);
    }
}

/* All virtual hosts, a number of them in each message. */
static void add_vhosts(passenger_control_queue *queue)
{
    const server_rec *server = queue->server;

    while (server != NULL) {
        passenger_message *message = passenger_message_of_type(queue->pool, "vhosts");

        for (int i = 0; server != NULL && i < VHOSTS_IN_A_MESSAGE; i++, server = server->next) {
            passenger_message_add(message, "vhost_id", passenger_vhost_id(server, queue->pool));
        }
        add_message(queue, message, NO_DESCRIPTOR);
    }
}

/* One hook message per hook. */
static void add_hooks(passenger_control_queue *queue, const passenger_server_options *options)
{
    const apr_table_t *hooks = passenger_server_ctl(options);
    const apr_array_header_t *entries = hooks != NULL ? apr_table_elts(hooks) : NULL;

    for (int i = 0; entries != NULL && i < entries->nelts; i++) {
        const apr_table_entry_t *hook = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);
        passenger_message *message = passenger_message_of_type(queue->pool, "hook");

        passenger_message_add(message, "name", hook->key);
        passenger_message_add(message, "command", hook->val);
        add_message(queue, message, NO_DESCRIPTOR);
    }
}

static void add_commit(passenger_control_queue *queue, apr_int64_t epoch)
{
    passenger_message *message = passenger_message_of_type(queue->pool, "commit");

    passenger_message_add_number(message, "epoch", epoch);
    add_message(queue, message, NO_DESCRIPTOR);
}

passenger_control_queue *passenger_control_configuration(server_rec *server, const passenger_server_options *options,
                                                         uint64_t epoch, apr_pool_t *pool)
{
    passenger_control_queue *queue = apr_pcalloc(pool, sizeof *queue);

    queue->pool = pool;
    queue->server = server;
    queue->packets = apr_array_make(pool, 16, sizeof(packet));
    add_begin(queue, options, (apr_int64_t)epoch);
    add_logs(queue, options);
    add_vhosts(queue);
    add_prestarts(queue, options);
    add_hooks(queue, options);
    add_commit(queue, (apr_int64_t)epoch);
    return queue->is_too_long ? NULL : queue;
}

size_t passenger_control_queue_size(const passenger_control_queue *queue)
{
    size_t size = 0;

    for (int i = queue->sent; i < queue->packets->nelts; i++) {
        size += APR_ARRAY_IDX(queue->packets, i, packet).length + PACKET_OVERHEAD;
    }
    return size;
}

/* Whether what could not be sent now can be sent later: when the spawner has taken what is in the line. Unless httpd runs
 * as root, the kernel also limits how many descriptors are in flight. */
static int is_temporary(int error)
{
    return error == EAGAIN || error == ETOOMANYREFS || error == ENOBUFS || error == ENOMEM;
}

static apr_status_t send_packet(int control, const packet *sent)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } ancillary;
    struct iovec part = {.iov_base = (void *)sent->bytes, .iov_len = sent->length};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (sent->descriptor != NO_DESCRIPTOR) {
        memset(&ancillary, 0, sizeof ancillary);
        message.msg_control = ancillary.space;
        message.msg_controllen = sizeof ancillary.space;
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), &sent->descriptor, sizeof(int));
    }
    while (sendmsg(control, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        if (errno != EINTR) {
            return is_temporary(errno) ? APR_EAGAIN : errno;
        }
    }
    return APR_SUCCESS;
}

apr_status_t passenger_control_send(int control, passenger_control_queue *queue)
{
    apr_status_t status = APR_SUCCESS;

    while (status == APR_SUCCESS && queue->sent < queue->packets->nelts) {
        status = send_packet(control, &APR_ARRAY_IDX(queue->packets, queue->sent, packet));
        queue->sent += status == APR_SUCCESS;
    }
    return status;
}

/* The length of the next packet; 0: there is none. */
static size_t receive_packet(int control, char *bytes, size_t size)
{
    ssize_t length;
    int attempts = 2;   /* a peer that ended with unread messages gives one ECONNRESET before its own messages */

    do {
        length = recv(control, bytes, size, MSG_DONTWAIT);
    } while (length < 0 && (errno == EINTR || (errno == ECONNRESET && --attempts > 0)));
    return length > 0 ? (size_t)length : 0;
}

int passenger_control_read_status(int control)
{
    char bytes[64];
    size_t length;
    int status = 0;

    for (int i = 0; i < PACKETS_READ_AT_ONCE && (length = receive_packet(control, bytes, sizeof bytes)) > 0; i++) {
        const char *type = passenger_netstring_find(bytes, length, "type");

        status |= PASSENGER_STATUS_ALIVE;
        if (type != NULL && strcmp(type, "opened") == 0) {
            status |= PASSENGER_STATUS_OPENED;
        }
    }
    return status;
}
