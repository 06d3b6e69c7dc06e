#include "request/overflow_report.h"

#include <http_log.h>
#include <apr_atomic.h>
#include <apr_thread_mutex.h>

#include "config/configuration.h"
#include "config/instance.h"
#include "core/log_numbers.h"
#include "core/monotonic.h"
#include "core/message.h"
#include "core/overflow_count.h"
#include "request/spawner_call.h"

APLOG_USE_MODULE(passenger);

enum { GROUPS_LIMIT = 256 };

static struct {
    apr_thread_mutex_t *lock;          /* NULL: without threads; nothing is told then */
    passenger_overflow_count *counts;
    apr_uint32_t is_waiting;           /* something waits to be told; read without the lock */
} memory;

void passenger_overflow_report_child_init(apr_pool_t *child_pool)
{
    memory.counts = passenger_overflow_count_create(child_pool, GROUPS_LIMIT);
    if (apr_thread_mutex_create(&memory.lock, APR_THREAD_MUTEX_DEFAULT, child_pool) != APR_SUCCESS) {
        memory.lock = NULL;
    }
}

static apr_status_t tell(request_rec *r, const passenger_overflow *overflow)
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
    return passenger_spawner_tell(instance->spawner_socket, message, size);
}

/* Adds `count` refused requests of `group` (NULL: none) and takes out what is to be told now. */
static int exchange_counts(apr_pool_t *pool, const char *group, apr_uint64_t count, passenger_overflow *taken)
{
    apr_thread_mutex_lock(memory.lock);
    if (group != NULL) {
        passenger_overflow_count_add(memory.counts, group, count);
    }
    int is_due = taken != NULL && passenger_overflow_count_take(memory.counts, passenger_monotonic_now(), pool, taken);
    apr_atomic_set32(&memory.is_waiting, !passenger_overflow_count_is_empty(memory.counts));
    apr_thread_mutex_unlock(memory.lock);
    return is_due;
}

static void count_and_tell(request_rec *r, const char *group)
{
    passenger_overflow overflow;
    if (!exchange_counts(r->pool, group, 1, &overflow)) {
        return;
    }
    apr_status_t rv = tell(r, &overflow);
    if (rv != APR_SUCCESS) {
        ap_log_rerror(APLOG_MARK, APLOG_DEBUG, rv, r, PSGLOGNO(2140)
                      "the spawner cannot be told now that requests of the app %s were refused", overflow.group);
        exchange_counts(r->pool, overflow.group, overflow.count, NULL);
    }
}

void passenger_overflow_report_add(request_rec *r, const char *group)
{
    if (memory.lock != NULL) {
        count_and_tell(r, group);
    }
}

void passenger_overflow_report_go_on(request_rec *r)
{
    if (memory.lock != NULL && apr_atomic_read32(&memory.is_waiting)) {
        count_and_tell(r, NULL);
    }
}
