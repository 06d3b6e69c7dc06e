#include "request/overflow_report.h"

#include <http_log.h>
#include <apr_atomic.h>
#include <apr_thread_mutex.h>

#include "config/configuration.h"
#include "config/instance.h"
#include "core/deadlines.h"
#include "core/message.h"
#include "core/overflow_count.h"
#include "request/spawner_call.h"

APLOG_USE_MODULE(passenger);

enum { GROUPS_LIMIT = 256 };

/* Of this httpd child. */
static struct {
    apr_thread_mutex_t *lock;          /* of the counts; NULL: there is none, and nothing is counted */
    passenger_overflow_count *counts;
    apr_uint32_t is_waiting;           /* some count is to be sent; read without the lock */
} child;

void passenger_overflow_report_child_init(apr_pool_t *child_pool)
{
    child.counts = passenger_overflow_count_create(child_pool, GROUPS_LIMIT);
    if (apr_thread_mutex_create(&child.lock, APR_THREAD_MUTEX_DEFAULT, child_pool) != APR_SUCCESS) {
        child.lock = NULL;
    }
}

static apr_status_t send_report(request_rec *r, const passenger_overflow *overflow)
{
    const passenger_instance *instance = passenger_instance_get();
    if (instance == NULL) {
        return APR_ENOENT;
    }
    passenger_message *report = passenger_message_of_type(r->pool, "queue_full");
    passenger_message_add(report, "token", instance->token);
    passenger_message_add(report, "group", overflow->group);
    passenger_message_add_number(report, "count", (apr_int64_t)overflow->count);
    size_t size;
    const char *message = passenger_message_encode(report, PASSENGER_CONTROL_MESSAGE_LIMIT, &size);
    if (message == NULL) {
        return APR_EINVAL;
    }
    return passenger_spawner_send(instance->spawner_socket, message, size);
}

/* Adds `count` refused requests of `group` (NULL: none) and takes out what is to be sent now. Returns 0 when nothing
 * is. */
static int update_counts(apr_pool_t *pool, const char *group, apr_uint64_t count, passenger_overflow *taken)
{
    apr_thread_mutex_lock(child.lock);
    if (group != NULL) {
        passenger_overflow_count_add(child.counts, group, count);
    }
    int is_due = taken != NULL && passenger_overflow_count_take(child.counts, passenger_monotonic_now(), pool, taken);
    apr_atomic_set32(&child.is_waiting, !passenger_overflow_count_is_empty(child.counts));
    apr_thread_mutex_unlock(child.lock);
    return is_due;
}

static void count_and_send(request_rec *r, const char *group)
{
    passenger_overflow overflow;
    if (!update_counts(r->pool, group, 1, &overflow)) {
        return;
    }
    apr_status_t rv = send_report(r, &overflow);
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, rv, r, PSGLOGNO(2140)
                      "cannot tell the spawner now that requests of the app %s were refused; tried again later",
                      overflow.group);
        update_counts(r->pool, overflow.group, overflow.count, NULL);
    }
}

void passenger_overflow_report_add(request_rec *r, const char *group)
{
    if (child.lock != NULL) {
        count_and_send(r, group);
    }
}

void passenger_overflow_report_send_due(request_rec *r)
{
    if (child.lock != NULL && apr_atomic_read32(&child.is_waiting)) {
        count_and_send(r, NULL);
    }
}
