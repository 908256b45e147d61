/* A fault without a handler: stvec is where nothing is, so that no trap can be delivered. */
#include "payload.h"

void payload_main(void)
{
    uint64_t delay = argument_number("delay_ms", 0);
    print("about to crash");
    wait_until(time_now() + delay * (frequency / 1000));
    csr_write(stvec, 0);
    __asm__ volatile("unimp");
    check(false, "crash", "it is still alive");
}
