/* See cap.h. */
#include "cap.h"
#include "port.h"

#define PERIODS_PER_SECOND 10
#define LEAST_PARTS        1000 /* of a period: running for less is not worth the switch */

static int64_t at_least(int64_t bound, int64_t value)
{
    return value < bound ? bound : value;
}

/* A clock may be so slow that these are less than a tick. */
static int64_t period(void)
{
    return at_least(1, (int64_t)(port_frequency() / PERIODS_PER_SECOND));
}

static int64_t least(void)
{
    return at_least(1, period() / LEAST_PARTS);
}

/* What is too little to run for is kept, else a small cap would lose much of itself. */
static void refill(struct capsule *capsule, uint64_t now)
{
    int64_t each = at_least(least(), period() * (int64_t)capsule->config.cap / 100);
    uint64_t periods = 1 + (now - capsule->period_end) / (uint64_t)period();
    int64_t kept = capsule->budget < least() ? capsule->budget : 0;
    if (kept >= 0)
        capsule->budget = kept + each;
    else if (periods > (uint64_t)(-kept / each) + 1) /* all that was owed is paid */
        capsule->budget = each;
    else
        capsule->budget = kept + each * (int64_t)periods;
    capsule->period_end += periods * (uint64_t)period();
}

__attribute__((noinline)) bool cap_has_time(struct capsule *capsule, uint64_t now)
{
    if (now >= capsule->period_end)
        refill(capsule, now);
    return capsule->budget >= least();
}
