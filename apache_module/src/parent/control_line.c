#include "parent/control_line.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <apr_hash.h>
#include <apr_portable.h>
#include <apr_tables.h>

#include <http_log.h>

#include "config/configuration.h"
#include "core/deadlines.h"
#include "core/message.h"

APLOG_USE_MODULE(passenger);

enum { NO_DESCRIPTOR = -1, PACKETS_READ_AT_ONCE = 64, VHOSTS_IN_A_MESSAGE = 500 };

/* What sending one configuration needs to know. */
typedef struct {
    int control;
    apr_time_t deadline;
    apr_pool_t *pool;
    server_rec *server;
} control_line;

/* Waits until the line takes a message again. */
static apr_status_t wait_writable(const control_line *line)
{
    struct pollfd watched = {.fd = line->control, .events = POLLOUT};
    apr_interval_time_t left = line->deadline - passenger_monotonic_now();
    int ready = left > 0 ? poll(&watched, 1, (int)apr_time_as_msec(left) + 1) : 0;

    if (ready == 0) {
        return APR_TIMEUP;
    }
    return ready > 0 || errno == EINTR ? APR_SUCCESS : errno;
}

/* Sends one packet, with a descriptor when there is one. */
static apr_status_t send_packet(const control_line *line, const char *bytes, size_t length, int descriptor)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } ancillary;
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = length};
    struct msghdr packet = {.msg_iov = &part, .msg_iovlen = 1};

    if (descriptor != NO_DESCRIPTOR) {
        memset(&ancillary, 0, sizeof ancillary);
        packet.msg_control = ancillary.space;
        packet.msg_controllen = sizeof ancillary.space;
        ancillary.header.cmsg_level = SOL_SOCKET;
        ancillary.header.cmsg_type = SCM_RIGHTS;
        ancillary.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&ancillary.header), &descriptor, sizeof(int));
    }
    while (sendmsg(line->control, &packet, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        apr_status_t status = errno == EAGAIN ? wait_writable(line) : errno == EINTR ? APR_SUCCESS : errno;

        if (status != APR_SUCCESS) {
            return status;
        }
    }
    return APR_SUCCESS;
}

static apr_status_t send_message(const control_line *line, const passenger_message *message, int descriptor)
{
    size_t length;
    const char *encoded = passenger_message_encode(message, PASSENGER_CONTROL_MESSAGE_LIMIT, &length);

    return encoded != NULL ? send_packet(line, encoded, length, descriptor) : APR_ENOSPC;
}

static apr_status_t send_begin(const control_line *line, const passenger_server_options *options, apr_int64_t epoch)
{
    passenger_message *message = passenger_message_of_type(line->pool, "begin");

    passenger_message_add_number(message, "epoch", epoch);
    passenger_server_options_to_wire(options, message);
    return send_message(line, message, NO_DESCRIPTOR);
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

static void warn_no_descriptor(const control_line *line, const server_rec *server)
{
    ap_log_error(APLOG_MARK, APLOG_WARNING, 0, line->server, PSGLOGNO(1010)
                 "ErrorLog %s is neither a file nor a program: what apps print cannot go there%s",
                 server->error_fname,
                 server == line->server ? "; set PassengerLogFile" : " and goes to the main server's log; set "
                                                                     "PassengerAppLogFile for them");
}

static apr_status_t send_log(const control_line *line, const server_rec *server, int descriptor)
{
    passenger_message *message = passenger_message_of_type(line->pool, "log");

    passenger_message_add(message, "name", passenger_error_log_name(server));
    return send_message(line, message, descriptor);
}

/* One log message per distinct name. */
static apr_status_t send_logs(const control_line *line, const passenger_server_options *options)
{
    apr_hash_t *seen = apr_hash_make(line->pool);
    apr_status_t status = APR_SUCCESS;

    for (const server_rec *server = line->server; server != NULL && status == APR_SUCCESS; server = server->next) {
        const char *name = passenger_error_log_name(server);
        int descriptor = log_descriptor(server);

        if (apr_hash_get(seen, name, APR_HASH_KEY_STRING) != NULL) {
            continue;
        }
        apr_hash_set(seen, name, APR_HASH_KEY_STRING, server);
        if (descriptor != NO_DESCRIPTOR) {
            status = send_log(line, server, descriptor);
        }
        else if (passenger_server_log_file(options) == NULL) {
            warn_no_descriptor(line, server);
        }
    }
    return status;
}

static apr_status_t send_prestarts(const control_line *line, const passenger_server_options *options)
{
    const apr_array_header_t *urls = passenger_server_pre_start(options);
    apr_status_t status = APR_SUCCESS;

    for (int i = 0; urls != NULL && i < urls->nelts && status == APR_SUCCESS; i++) {
        passenger_message *message = passenger_message_of_type(line->pool, "prestart");

        passenger_message_add(message, "url", APR_ARRAY_IDX(urls, i, const char *));
        status = send_message(line, message, NO_DESCRIPTOR);
    }
    return status;
}

/* All virtual hosts, a number of them in each message. */
static apr_status_t send_vhosts(const control_line *line)
{
    const server_rec *server = line->server;
    apr_status_t status = APR_SUCCESS;

    while (server != NULL && status == APR_SUCCESS) {
        passenger_message *message = passenger_message_of_type(line->pool, "vhosts");

        for (int i = 0; server != NULL && i < VHOSTS_IN_A_MESSAGE; i++, server = server->next) {
            passenger_message_add(message, "vhost_id", passenger_vhost_id(server, line->pool));
        }
        status = send_message(line, message, NO_DESCRIPTOR);
    }
    return status;
}

/* One hook message per hook. */
static apr_status_t send_hooks(const control_line *line, const passenger_server_options *options)
{
    const apr_table_t *hooks = passenger_server_ctl(options);
    const apr_array_header_t *entries = hooks != NULL ? apr_table_elts(hooks) : NULL;
    apr_status_t status = APR_SUCCESS;

    for (int i = 0; entries != NULL && i < entries->nelts && status == APR_SUCCESS; i++) {
        const apr_table_entry_t *hook = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);
        passenger_message *message = passenger_message_of_type(line->pool, "hook");

        passenger_message_add(message, "name", hook->key);
        passenger_message_add(message, "command", hook->val);
        status = send_message(line, message, NO_DESCRIPTOR);
    }
    return status;
}

apr_status_t passenger_control_configure(int control, server_rec *server, const passenger_server_options *options,
                                         uint64_t epoch, apr_time_t deadline, apr_pool_t *pool)
{
    control_line line = {.control = control, .deadline = deadline, .pool = pool, .server = server};
    apr_status_t status = send_begin(&line, options, (apr_int64_t)epoch);

    if (status == APR_SUCCESS) {
        status = send_logs(&line, options);
    }
    if (status == APR_SUCCESS) {
        status = send_vhosts(&line);
    }
    if (status == APR_SUCCESS) {
        status = send_prestarts(&line, options);
    }
    if (status == APR_SUCCESS) {
        status = send_hooks(&line, options);
    }
    if (status == APR_SUCCESS) {
        passenger_message *message = passenger_message_of_type(line.pool, "commit");

        passenger_message_add_number(message, "epoch", (apr_int64_t)epoch);
        status = send_message(&line, message, NO_DESCRIPTOR);
    }
    return status;
}

/* The length of the next packet; 0: there is none. */
static size_t receive_packet(int control, char *packet, size_t size)
{
    ssize_t length;
    int attempts = 2;   /* a peer that ended with unread messages gives one ECONNRESET before its own messages */

    do {
        length = recv(control, packet, size, MSG_DONTWAIT);
    } while (length < 0 && (errno == EINTR || (errno == ECONNRESET && --attempts > 0)));
    return length > 0 ? (size_t)length : 0;
}

int passenger_control_read_status(int control)
{
    char packet[64];
    size_t length;
    int status = 0;

    for (int i = 0; i < PACKETS_READ_AT_ONCE && (length = receive_packet(control, packet, sizeof packet)) > 0; i++) {
        const char *type = passenger_netstring_find(packet, length, "type");

        status |= PASSENGER_STATUS_ALIVE;
        if (type != NULL && strcmp(type, "opened") == 0) {
            status |= PASSENGER_STATUS_OPENED;
        }
    }
    return status;
}
