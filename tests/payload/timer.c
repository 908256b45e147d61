/*
 * The supervisor timer: by the SBI, and by stimecmp where the device tree lists Sstc. It never
 * fires early; how late it was is printed, for a busy machine may be late.
 * Where the hart itself is wrong (stimecmp_get()), a few are let pass.
 */
#include "payload.h"
#include <diosix/abi.h>

#define HART_ERRORS_ALLOWED 5 /* of 50 */

static volatile uint64_t fired_at, fired_by;
static void (*set_timer)(uint64_t deadline);
static const char *way;

static void stimecmp_set(uint64_t deadline)
{
    __asm__ volatile("csrw 0x14d, %0" ::"r"(deadline)); /* stimecmp: Sstc 1.0.0, 2.1 */
}

static void on_timer(void)
{
    fired_at = time_now();
    fired_by = stimecmp_get();
    set_timer(~0UL);
}

static char name_buffer[64];
static const char *name(const char *what)
{
    size_t length = strlen(way);
    memcpy(name_buffer, way, length);
    name_buffer[length] = '.';
    memcpy(name_buffer + length + 1, what, strlen(what) + 1);
    return name_buffer;
}

static bool pending(void)
{
    return csr_read(sip) & SIP_STIP;
}

static bool wait_pending(uint64_t patience)
{
    uint64_t give_up = time_now() + (argument("sip") ? frequency / 20 : patience);
    while (!pending() && time_now() < give_up)
        ;
    return pending();
}

/* Twice, for the hart may be wrong once. */
static bool clears(uint64_t deadline)
{
    set_timer(deadline);
    if (pending())
        set_timer(deadline);
    return !pending();
}

static void masked(void)
{
    csr_write(sie, 0);
    check(clears(~0UL), name("never.not_pending"), "sip 0x%lx", csr_read(sip));
    set_timer(0);
    check_sip(pending(), name("past.pending"), "sip 0x%lx", csr_read(sip));
    check(clears(~0UL), name("never.clears_masked"), "sip 0x%lx", csr_read(sip));
    set_timer(time_now() + frequency / 100);
    check_sip(wait_pending(20 * frequency), name("masked.becomes_pending"), "sip 0x%lx",
              csr_read(sip));
    check(clears(time_now() + 1000 * frequency), name("future.clears"), "sip 0x%lx", csr_read(sip));
    set_timer(time_now() - 1);
    check_sip(pending(), name("just_past.pending"), "sip 0x%lx", csr_read(sip));
    csr_clear(sip, SIP_STIP);
    check_sip(pending(), name("read_only_in_sip"), "software can clear STIP");
    set_timer(~0UL);
}

/* Sleeps with interrupts off, so that none is taken between the look and the wfi. */
static void wait_fired(uint64_t give_up, bool sleeping)
{
    while (!fired_at && time_now() < give_up) {
        if (sleeping)
            __asm__ volatile("wfi");
        csr_set(sstatus, SSTATUS_SIE);
        csr_clear(sstatus, SSTATUS_SIE);
    }
}

/* Deadlines from a few microseconds on, waited for by looking at memory, then by wfi. */
static void fires(bool sleeping)
{
    uint64_t worst = 0;
    unsigned missed = 0, early = 0, hart_errors = 0;
    interrupt_handlers[5] = on_timer;
    csr_write(sie, SIP_STIP);
    for (unsigned i = 0; i < 50; i++) {
        uint64_t deadline = time_now() + frequency / 100000 * (1 + i * i);
        fired_at = 0;
        set_timer(deadline);
        wait_fired(deadline + 20 * frequency, sleeping);
        missed += !fired_at;
        if (fired_at && fired_at < deadline)
            fired_by == deadline ? hart_errors++ : early++;
        if (fired_at > deadline && fired_at - deadline > worst)
            worst = fired_at - deadline;
    }
    csr_write(sie, 0);
    check(!missed, name(sleeping ? "wfi.fires" : "fires"), "%u of 50 missed", missed);
    check(!early, name(sleeping ? "wfi.never_early" : "never_early"), "%u were early", early);
    check(hart_errors <= HART_ERRORS_ALLOWED, name(sleeping ? "wfi.as_stimecmp" : "as_stimecmp"),
          "%u of 50 before stimecmp", hart_errors);
    print("# %s: latest %lu ticks of 1/%lu s", name(sleeping ? "wfi" : "busy"), worst, frequency);
}

/* An interrupt that becomes pending while the guest changes other pending bits is not lost, also if
 * the guest then leaves the hart's interrupt state alone: nothing but the timer ends its wait. */
static void fires_beside_changes(void)
{
    unsigned missed = 0;
    csr_write(sie, SIP_STIP);
    for (unsigned i = 0; i < 500 && missed < 3; i++) {
        fired_at = 0;
        csr_set(sstatus, SSTATUS_SIE);
        uint64_t deadline = time_now() + frequency / 20000;
        set_timer(deadline);
        while (time_now() < deadline)
            csr_clear(sip, SIP_SSIP);
        while (!fired_at && time_now() < deadline + 5 * frequency)
            ;
        csr_clear(sstatus, SSTATUS_SIE);
        missed += !fired_at;
    }
    set_timer(~0UL);
    csr_write(sie, 0);
    check(!missed, name("fires_beside_changes"), "%u missed", missed);
}

/* wfi ends on an enabled pending interrupt even if interrupts are off (Privileged 1.13, 3.3.3). */
static void wfi_without_sie(void)
{
    csr_write(sie, SIP_STIP);
    uint64_t deadline = time_now() + frequency / 100;
    set_timer(deadline);
    uint64_t count = local()->interrupts[5];
    do
        __asm__ volatile("wfi");
    while (time_now() < deadline);
    check_sip(wait_pending(frequency), name("wfi.sie_off.wakes"), "sip 0x%lx", csr_read(sip));
    check(local()->interrupts[5] == count, name("wfi.sie_off.no_trap"), "an interrupt was taken");
    set_timer(~0UL);
    csr_write(sie, 0);
}

/* A user program cannot keep the timer away. */
extern void user_spin(void);
static void from_user(void)
{
    csr_write(sie, SIP_STIP);
    set_timer(time_now() + frequency / 50);
    struct trap trap = try_user(user_spin, 0, 0);
    check(trap.scause == (INTERRUPT | 5), name("interrupts_user_mode"), "scause 0x%lx",
          trap.scause);
    set_timer(~0UL);
    csr_write(sie, 0);
}

static void time_is_monotonic(void)
{
    uint64_t last = time_now();
    unsigned backwards = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t now = time_now();
        backwards += now < last;
        last = now;
    }
    check(!backwards, "time.monotonic", "%u steps back", backwards);
}

#define ECALL 0x00000073U

/* Leaves the call that it interrupts, or tries again later. */
static void on_timer_in_call(void)
{
    fired_at = time_now();
    bool in_call = *(const uint32_t *)csr_read(sepc) == ECALL;
    if (in_call)
        csr_write(sepc, csr_read(sepc) + 4);
    set_timer(in_call ? ~0UL : fired_at + frequency / 100);
}

/* A wait of the hypervisor's does not delay the timer's interrupt. */
static void during_wait(void)
{
    uint64_t end = time_now() + 20 * frequency;
    fired_at = 0;
    interrupt_handlers[5] = on_timer_in_call;
    set_timer(time_now() + frequency / 100);
    csr_write(sie, SIP_STIP);
    csr_set(sstatus, SSTATUS_SIE);
    sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_WAIT, 0, end, 0);
    csr_clear(sstatus, SSTATUS_SIE);
    interrupt_handlers[5] = on_timer;
    check(fired_at != 0 && fired_at < end, name("ends_wait"), "fired at %lu, waited until %lu",
          fired_at, end);
}

static void all(const char *by, void (*set)(uint64_t deadline))
{
    way = by;
    set_timer = set;
    masked();
    fires(false);
    fires(true);
    fires_beside_changes();
    wfi_without_sie();
    from_user();
    if (in_diosix)
        during_wait();
}

void payload_main(void)
{
    check(frequency > 0, "frequency", "no timebase-frequency");
    time_is_monotonic();
    all("sbi", sbi_set_timer);
    if (isa_has("sstc"))
        all("stimecmp", stimecmp_set);
    else
        skip("stimecmp", "no Sstc in the device tree");
}
