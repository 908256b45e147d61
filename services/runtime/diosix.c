#include "diosix.h"

#include <stdio.h>
#include <string.h>

#define SBI_EXT_DBCN       0x4442434EUL /* SBI 3.0, 12 */
#define SBI_DBCN_WRITE     0
#define SBI_EXT_SRST       0x53525354UL /* SBI 3.0, 10 */
#define SBI_SRST_RESET     0
#define SRST_TYPE_SHUTDOWN 0
#define SRST_NO_REASON     0

struct answer {
    long error;
    unsigned long value, extra;
};

/* An SBI call of up to four arguments (SBI 3.0, chapter 3). The hypervisor reads and writes
 * buffers that the arguments point to, hence the clobber of memory. */
static struct answer call4(unsigned long extension, unsigned long function, unsigned long arg0,
                           unsigned long arg1, unsigned long arg2, unsigned long arg3)
{
    register unsigned long a0 __asm__("a0") = arg0;
    register unsigned long a1 __asm__("a1") = arg1;
    register unsigned long a2 __asm__("a2") = arg2;
    register unsigned long a3 __asm__("a3") = arg3;
    register unsigned long a6 __asm__("a6") = function;
    register unsigned long a7 __asm__("a7") = extension;

    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1), "+r"(a2) : "r"(a3), "r"(a6), "r"(a7) : "memory");
    return (struct answer){.error = (long)a0, .value = a1, .extra = a2};
}

static struct answer call(unsigned long extension, unsigned long function, unsigned long arg0,
                          unsigned long arg1, unsigned long arg2)
{
    return call4(extension, function, arg0, arg1, arg2, 0);
}

static struct answer diosix_call(enum diosix_function function, unsigned long arg0,
                                 unsigned long arg1, unsigned long arg2)
{
    return call(DIOSIX_SBI_EXTENSION, function, arg0, arg1, arg2);
}

/* The error, or where there is none the value. */
static long value_of(struct answer answer)
{
    return answer.error ? answer.error : (long)answer.value;
}

void diosix_yield(void)
{
    diosix_call(DIOSIX_YIELD, 0, 0, 0);
}

long diosix_register_service(enum diosix_service type)
{
    return diosix_call(DIOSIX_REGISTER_SERVICE, type, 0, 0).error;
}

long diosix_output_read(void *buffer, size_t size, unsigned *capsule)
{
    struct answer answer = diosix_call(DIOSIX_OUTPUT_READ, (unsigned long)buffer, size, 0);

    *capsule = (unsigned)answer.extra;
    return value_of(answer);
}

long diosix_input_write(const void *bytes, size_t size, unsigned capsule)
{
    return value_of(diosix_call(DIOSIX_INPUT_WRITE, (unsigned long)bytes, size, capsule));
}

long diosix_log_read(void *buffer, size_t size, bool *shown)
{
    struct answer answer = diosix_call(DIOSIX_LOG_READ, (unsigned long)buffer, size, 0);

    *shown = answer.extra != 0;
    return value_of(answer);
}

long diosix_console_write(const void *bytes, size_t size)
{
    return value_of(diosix_call(DIOSIX_CONSOLE_WRITE, (unsigned long)bytes, size, 0));
}

long diosix_console_read(void *buffer, size_t size)
{
    return value_of(diosix_call(DIOSIX_CONSOLE_READ, (unsigned long)buffer, size, 0));
}

long diosix_wait(uint64_t events, uint64_t deadline)
{
    return value_of(diosix_call(DIOSIX_WAIT, events, deadline, 0));
}

long diosix_capsule_info(unsigned capsule, struct diosix_capsule_info *info)
{
    return diosix_call(DIOSIX_CAPSULE_INFO, capsule, (unsigned long)info, 0).error;
}

long diosix_capsule_control(unsigned capsule, enum diosix_control action)
{
    return diosix_call(DIOSIX_CAPSULE_CONTROL, capsule, action, 0).error;
}

/* What an older hypervisor does not know of is zero. */
long diosix_vcpu_stats(unsigned long capsule, unsigned vcpu, struct diosix_vcpu_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    return call4(DIOSIX_SBI_EXTENSION, DIOSIX_VCPU_STATS, capsule, vcpu, (unsigned long)stats,
                 sizeof(*stats))
        .error;
}

long diosix_hart_stats(unsigned hart, struct diosix_hart_stats *stats)
{
    memset(stats, 0, sizeof(*stats));
    return diosix_call(DIOSIX_HART_STATS, hart, (unsigned long)stats, sizeof(*stats)).error;
}

long diosix_trace_read(unsigned hart, struct diosix_trace_entry *entries, size_t count,
                       uint64_t *first)
{
    struct answer answer = call4(DIOSIX_SBI_EXTENSION, DIOSIX_TRACE_READ, hart,
                                 (unsigned long)entries, count * sizeof(*entries), *first);

    if (answer.error)
        return answer.error;
    *first = answer.extra;
    return (long)(answer.value / sizeof(*entries));
}

uint64_t diosix_time(void)
{
    uint64_t time;

    __asm__ volatile("rdtime %0" : "=r"(time));
    return time;
}

void diosix_print(const char *text)
{
    size_t left = strlen(text);

    while (left) {
        struct answer answer =
            call(SBI_EXT_DBCN, SBI_DBCN_WRITE, left, (unsigned long)text, 0 /* address, high */);

        if (answer.error)
            return; /* nowhere to print to, and nobody to tell */
        if (!answer.value)
            diosix_yield(); /* full: its reader needs a hart */
        text += answer.value;
        left -= answer.value;
    }
}

void diosix_shutdown(void)
{
    call(SBI_EXT_SRST, SBI_SRST_RESET, SRST_TYPE_SHUTDOWN, SRST_NO_REASON, 0);
    for (;;)
        diosix_yield();
}

/* An access to nothing, with no handler in RAM: the hypervisor sees that no instruction of this
 * capsule could ever follow, and ends it with a crash record. */
static __attribute__((noreturn)) void fault(void)
{
    __asm__ volatile("csrw stvec, zero\n\tld zero, 0(zero)");
    for (;;)
        diosix_yield();
}

void diosix_crash(const char *reason)
{
    diosix_print(reason);
    diosix_print("\r\n");
    fault();
}

/* From start.S: registers[0] is the pc, registers[n] is xn. */
__attribute__((noreturn)) void runtime_trap(unsigned long cause, unsigned long value,
                                            const unsigned long *registers);
void runtime_trap(unsigned long cause, unsigned long value, const unsigned long *registers)
{
    char text[128];

    snprintf(text, sizeof(text), "service: trap, scause %lu, stval 0x%lx, sepc 0x%lx, ra 0x%lx",
             cause, value, registers[0], registers[1]);
    diosix_crash(text);
}

__attribute__((noreturn)) void runtime_start(void);
void runtime_start(void)
{
    if (main())
        diosix_crash("service: ended with an error");
    diosix_shutdown();
}
