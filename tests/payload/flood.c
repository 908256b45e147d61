/*
 * Prints as fast as it can, `lines=` lines, half of them by SBI and half through the UART, then
 * ends.
 */
#include "payload.h"

#define THR      0
#define LSR      5
#define LSR_THRE 0x20

static void through_uart(const char *text)
{
    for (; *text; text++) {
        while (!(uart_read(LSR) & LSR_THRE))
            ;
        uart_write(THR, (uint8_t)*text);
    }
}

void payload_main(void)
{
    for (uint64_t i = 0; i < argument_number("lines", 1000); i += 2) {
        print("flood line %lu: the quick brown fox jumps over the lazy dog", i);
        through_uart("flood: the quick brown fox jumps over the lazy dog\r\n");
    }
    check(true, "flood", "never");
}
