#include "core/rate_limit.h"

int passenger_rate_limit_take(passenger_rate_limit *limit, uint64_t digest, int64_t now)
{
    int64_t *paid_until = &limit->paid_until[digest % PASSENGER_RATE_PLACES];
    int64_t from = *paid_until > now ? *paid_until : now;

    if (from - now > (limit->burst - 1) * limit->interval) {
        return 0;
    }
    *paid_until = from + limit->interval;
    return 1;
}

int64_t passenger_rate_period(uint64_t digest, int64_t now, int64_t length)
{
    return (now + (int64_t)(digest % (uint64_t)length)) / length;
}
