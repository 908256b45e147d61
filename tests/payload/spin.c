/*
 * Counts as fast as it can and prints how far it has come in each period: how much of a hart it
 * gets. `period_ms=`, `periods=` (0: for ever). Its time is the time CSR's, so periods in which it
 * did not run at all show as a lower count.
 */
#include "payload.h"

void payload_main(void)
{
    uint64_t period = argument_number("period_ms", 200) * (frequency / 1000);
    uint64_t periods = argument_number("periods", 5), total = 0;
    uint64_t start = time_now();
    for (uint64_t i = 1; !periods || i <= periods; i++) {
        uint64_t count = 0;
        while (time_now() - start < i * period)
            count++;
        total += count;
        print("spin period %lu count %lu total %lu", i, count, total);
    }
    check(total > 0, "spin.progress", "none");
}
