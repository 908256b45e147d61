/*
 * A console service that does nothing but bring what guests print to the serial port, and crashes
 * after some of its calls, a different number in each life.
 */
#include "payload.h"
#include <diosix/abi.h>

static char bytes[256];
static uint64_t left;

static struct sbi_return service(uint64_t function, uint64_t a0, uint64_t a1)
{
    if (left-- == 0) {
        csr_write(stvec, 0);
        __asm__ volatile("unimp");
    }
    return sbi_call(DIOSIX_SBI_EXTENSION, function, a0, a1, 0);
}

static void show(uint64_t count)
{
    for (uint64_t done = 0; done < count;)
        done += service(DIOSIX_CONSOLE_WRITE, (uint64_t)bytes + done, count - done).value;
}

void payload_main(void)
{
    left = 1 + time_now() / 7 % argument_number("calls", 20);
    service(DIOSIX_REGISTER_SERVICE, DIOSIX_SERVICE_CONSOLE, 0);
    for (;;) {
        uint64_t count = service(DIOSIX_OUTPUT_READ, (uint64_t)bytes, sizeof bytes).value;
        if (count)
            show(count);
        else
            service(DIOSIX_WAIT, DIOSIX_EVENT_OUTPUT, ~0UL);
    }
}
