/*
 * Ends in the way that it is told: a letter of input: `r` cold reboot, `w` warm reboot, `c` crash,
 * `f` power-off for a system failure, `l` the legacy power-off, `q` power-off. With `auto=r` it
 * does not wait for input. At each start its memory must be clean of what the last life left there.
 */
#include "payload.h"

static volatile uint64_t *secret(void)
{
    return (volatile uint64_t *)(((uint64_t)__image_end + 0xfffff) & ~0xfffffUL);
}

static int read_character(void)
{
    if (argument("auto"))
        return *argument("auto");
    for (;;) {
        long character = sbi_call(2, 0, 0, 0, 0).error;
        if (character > ' ')
            return (int)character;
        sbi_set_timer(time_now() + frequency / 50);
        csr_write(sie, SIP_STIP);
        __asm__ volatile("wfi");
    }
}

static void leave_secret(void)
{
    for (unsigned i = 0; i < 65536; i++)
        secret()[i] = 0x5ec2e75ec2e75ec2;
}

void payload_main(void)
{
    unsigned dirty = 0;
    for (unsigned i = 0; i < 65536; i++)
        dirty += secret()[i] != 0;
    if (in_diosix)
        check(!dirty, "restart.memory_clean", "%u words are not zero", dirty);
    leave_secret();
    print("restart ready");
    switch (argument("auto") || in_diosix ? read_character() : 'q') {
    case 'r':
        sbi_call(SBI_SRST, 0, 1, 0, 0);
        break;
    case 'w':
        sbi_call(SBI_SRST, 0, 2, 0, 0);
        break;
    case 'f':
        sbi_call(SBI_SRST, 0, 0, 1, 0);
        break;
    case 'l':
        sbi_call(8, 0, 0, 0, 0);
        break;
    case 'c':
        csr_write(stvec, 0);
        __asm__ volatile("unimp");
        break;
    default:
        return;
    }
    check(false, "restart", "it is still alive");
}
