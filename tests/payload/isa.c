/*
 * What the device tree lists works, and what it doesn't list raises an illegal instruction wherever
 * a hart has a switch for it: for the FP and vector units and stimecmp (not with `units=open`: a
 * hart without H has no switch that the guest doesn't hold), and for all that has to be enabled
 * first. `without=NAME` and `with=NAME` say what the manifest has left out and left in.
 */
#include "payload.h"

#define REGISTER(f7, f3)   ((f7) << 25 | 10U << 20 | 10U << 15 | (f3) << 12 | 10U << 7 | 0x33U)
#define IMMEDIATE(imm, f3) ((imm) << 20 | 10U << 15 | (f3) << 12 | 10U << 7 | 0x13U)
#define CSRR(csr)          ((csr) << 20 | 2U << 12 | 10U << 7 | 0x73U)
#define CSRW(csr)          ((csr) << 20 | 10U << 15 | 1U << 12 | 0x73U)

/* Privileged 1.13, 12.1.10; a hart of Privileged 1.11 has not got it. */
#define SENVCFG       0x10aU
#define SENVCFG_CBIE  (3UL << 4)
#define SENVCFG_CBCFE (1UL << 6)
#define SENVCFG_CBZE  (1UL << 7)

/* One instruction of an extension, on a0 alone: Unprivileged ISA, instruction listings. */
static const struct {
    const char *extension;
    uint32_t instruction;
    uint64_t value, result;
} samples[] = {
    {"m", REGISTER(1U, 0U), 7, 49},                             /* mul */
    {"zba", REGISTER(0x10U, 2U), 7, 21},                        /* sh1add */
    {"zbb", IMMEDIATE(0x602U, 1U), 0xff00ff, 16},               /* cpop */
    {"zbc", REGISTER(5U, 1U), 3, 5},                            /* clmul */
    {"zbs", REGISTER(0x24U, 5U), 5, 0},                         /* bext */
    {"zbkb", REGISTER(4U, 4U), 0x12345678, 0x1234567812345678}, /* pack */
    {"zbkx", REGISTER(0x14U, 4U), 0, 0},                        /* xperm8 */
    {"zicond", REGISTER(7U, 5U), 9, 9},                         /* czero.eqz */
    {"zcb", 0x00019d61, 0x1234, 0x34},                          /* c.zext.b, c.nop */
    {"zknh", IMMEDIATE(0x100U, 1U), 1, 0x40080400},             /* sha256sum0 */
    {"zksh", IMMEDIATE(0x108U, 1U), 1, 0x20201},                /* sm3p0 */
    {"zimop", 0x81c54573, 5, 0},                                /* mop.r.0 */
    {"svinval", 0x16000073, 5, 5},                              /* sinval.vma */
    {"zihintpause", 0x0100000f, 5, 5},                          /* pause */
    {"zawrs", 0x00d00073, 5, 5},                                /* wrs.nto: ends for any reason */
    {"zawrs", 0x01d00073, 5, 5},                                /* wrs.sto */
    {"zicntr", CSRR(0xc02U), 0, 0},                             /* instret */
};

static char name_buffer[64];
static const char *name(const char *before, const char *extension)
{
    size_t length = strlen(before);
    memcpy(name_buffer, before, length);
    memcpy(name_buffer + length, extension, strlen(extension) + 1);
    return name_buffer;
}

static void listed(void)
{
    for (unsigned i = 0; i < sizeof samples / sizeof samples[0]; i++) {
        if (!isa_has(samples[i].extension))
            continue;
        uint64_t result;
        struct trap trap = try_instruction(samples[i].instruction, samples[i].value, &result);
        bool counts = !strcmp(samples[i].extension, "zicntr");
        check(!trap.trapped && (counts || result == samples[i].result),
              name("works.", samples[i].extension), "scause %lu, result 0x%lx", trap.scause,
              result);
    }
}

static void check_there(struct trap trap, bool there, const char *what)
{
    check(there ? !trap.trapped : trap.trapped && trap.scause == CAUSE_ILLEGAL, what,
          "%s listed; trapped %lu scause %lu", there ? "is" : "is not", trap.trapped, trap.scause);
}

/* With the guest's own switch on. */
static void units(void)
{
    if (argument("units")) {
        skip("units", "the hart has no switch for them but the guest's own");
        return;
    }
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    check_there(try_instruction(0xf2000053, 0, NULL), isa_has("d"), "unit.d"); /* fmv.d.x f0 */
    check_there(try_instruction(0xf0000053, 0, NULL), isa_has("f"), "unit.f"); /* fmv.w.x f0 */
    check_there(try_instruction(CSRR(0x003U), 0, NULL), isa_has("f"), "unit.f.fcsr");
    check_there(try_instruction(0x0c007057, 0, NULL), isa_has("v"), "unit.v"); /* vsetvli e8,m1 */
    check_there(try_instruction(CSRR(0xc22U), 0, NULL), isa_has("v"), "unit.v.vlenb");
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    check_there(try_instruction(0xf0000053, 0, NULL), isa_has("f"), "unit.f.again");
    check_there(try_instruction(0x0c007057, 0, NULL), isa_has("v"), "unit.v.again");
}

/* The SBI's timer does not need the register. */
static void timer(void)
{
    check_there(try_instruction(CSRR(0x14dU), 0, NULL), isa_has("sstc"), "stimecmp");
    check_there(try_instruction(0x14d01073, 0, NULL), isa_has("sstc"), "stimecmp.write");
    for (unsigned round = 0; round < 3; round++) {
        uint64_t due = time_now() + frequency / 50;
        csr_write(sie, SIP_STIP);
        sbi_set_timer(due);
        while (!(csr_read(sip) & SIP_STIP) && time_now() < due + (argument("sip") ? 1 : frequency))
            __asm__ volatile("wfi");
        check(time_now() >= due || stimecmp_get() == due, "timer.not_early", "%lu ticks",
              due - time_now());
        check_sip(csr_read(sip) & SIP_STIP, "timer.pending", "sip 0x%lx", csr_read(sip));
        sbi_set_timer(~0UL);
        check(!(csr_read(sip) & SIP_STIP), "timer.cleared", "sip 0x%lx", csr_read(sip));
    }
    csr_write(sie, 0);
}

static bool is_illegal(struct trap trap)
{
    return trap.trapped && trap.scause == CAUSE_ILLEGAL;
}

static struct trap try_as_user(uint32_t instruction, uint64_t a0)
{
    static uint32_t code[2] __attribute__((aligned(8)));
    code[0] = instruction;
    code[1] = 0x00000073; /* ecall */
    __asm__ volatile("fence.i" ::: "memory");
    return try_user((void (*)(void))code, a0, 0);
}

/* What firmware must enable and this one doesn't: not in supervisor mode, and not in user mode with
 * all of the guest's own switches on (senvcfg.CBIE, CBCFE and CBZE). */
static void closed(void)
{
    static const struct {
        const char *extension, *what;
        uint32_t instruction;
    } instructions[] = {
        {"zicbom", "closed.cbo_inval", 0x0005200f},    {"zicbom", "closed.cbo_clean", 0x0015200f},
        {"zicbom", "closed.cbo_flush", 0x0025200f},    {"zicboz", "closed.cbo_zero", 0x0045200f},
        {"zihpm", "closed.hpmcounter3", CSRR(0xc03U)}, {"zkr", "closed.seed", CSRR(0x015U)},
    };
    (void)try_instruction(CSRW(SENVCFG), SENVCFG_CBIE | SENVCFG_CBCFE | SENVCFG_CBZE, NULL);
    for (unsigned i = 0; i < sizeof instructions / sizeof instructions[0]; i++) {
        uint32_t instruction = instructions[i].instruction;
        if (isa_has(instructions[i].extension))
            continue;
        struct trap trap = try_instruction(instruction, (uint64_t)scratch_pages, NULL);
        struct trap user = try_as_user(instruction, (uint64_t)scratch_pages);
        check_strict(is_illegal(trap), instructions[i].what, "trapped %lu scause %lu", trap.trapped,
                     trap.scause);
        check_strict(is_illegal(user), name("user.", instructions[i].what), "scause %lu",
                     user.scause);
    }
    (void)try_instruction(CSRW(SENVCFG), 0, NULL);
}

static bool is_in(unsigned csr, unsigned first, unsigned last)
{
    return csr >= first && csr <= last;
}

static bool is_of_vectors(unsigned csr)
{
    return is_in(csr, 0x008, 0x00a) || csr == 0x00f || is_in(csr, 0xc20, 0xc22);
}

/* What user mode may read: of the units, and the counters that scounteren opens at first. */
static bool is_listed_to_user(unsigned csr)
{
    return (is_in(csr, 0x001, 0x003) && isa_has("f")) || (is_of_vectors(csr) && isa_has("v")) ||
           is_in(csr, 0xc00, 0xc02);
}

static bool is_listed(unsigned csr)
{
    return is_listed_to_user(csr) || csr == 0x100 || is_in(csr, 0x104, 0x106) ||
           is_in(csr, 0x140, 0x144) || csr == 0x180 || (csr == 0x14d && isa_has("sstc"));
}

/* senvcfg, which a hart of Privileged 1.11 has not got; and, of extensions that are not listed,
 * what a hart without Smstateen has no switch for: it is empty (tests/payload/leak.c). */
static bool may_be_there(unsigned csr)
{
    static const uint16_t open[] = {0x10a, 0x017, 0x120, 0x14e, 0x14f, 0x15c,
                                    0x15f, 0x181, 0x5a8, 0xda0, 0xdb0};
    bool found = is_in(csr, 0x150, 0x157) ||
                 (argument("units") && (is_in(csr, 0x001, 0x003) || is_of_vectors(csr)));
    for (unsigned i = 0; i < sizeof open / sizeof open[0]; i++)
        found |= csr == open[i];
    return found;
}

/* What can't be read can't be written either; a csrrw to x0 does not read. */
static void unreadable_csrs(void)
{
    unsigned wrong = 0, wrong_user = 0, one = 0, one_user = 0;
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    for (unsigned csr = 0; csr < 4096; csr++) {
        if (is_illegal(try_instruction(CSRR(csr), 0, NULL)) &&
            !is_illegal(try_instruction(CSRW(csr), 0, NULL))) {
            wrong++;
            one = csr;
        }
        if (is_illegal(try_as_user(CSRR(csr), 0)) && !is_illegal(try_as_user(CSRW(csr), 0))) {
            wrong_user++;
            one_user = csr;
        }
    }
    check_strict(!wrong, "csr.write.illegal", "%u are not, as 0x%x", wrong, one);
    check_strict(!wrong_user, "csr.write.user", "%u are not, as 0x%x", wrong_user, one_user);
}

/* Every number that there is, from both modes. */
static void all_csrs(void)
{
    unsigned wrong = 0, wrong_user = 0, missing = 0, one = 0, one_user = 0;
    csr_set(sstatus, SSTATUS_FS | SSTATUS_VS);
    for (unsigned csr = 0; csr < 4096; csr++) {
        struct trap trap = try_instruction(CSRR(csr), 0, NULL);
        bool there = !trap.trapped;
        missing += !there && is_listed(csr);
        if ((there && !is_listed(csr) && !may_be_there(csr)) ||
            (!there && trap.scause != CAUSE_ILLEGAL)) {
            wrong++;
            one = csr;
        }
        trap = try_as_user(CSRR(csr), 0);
        if (trap.scause != (is_listed_to_user(csr) ? CAUSE_USER_ECALL : CAUSE_ILLEGAL) &&
            !may_be_there(csr)) {
            wrong_user++;
            one_user = csr;
        }
    }
    check_strict(!wrong, "csr.all.illegal", "%u are not, as 0x%x", wrong, one);
    check_strict(!wrong_user, "csr.all.user", "%u are wrong, as 0x%x", wrong_user, one_user);
    check_strict(!missing, "csr.all.listed", "%u are missing", missing);
}

static unsigned zeros(const uint8_t *page)
{
    unsigned count = 0;
    for (unsigned i = 0; i < PAGE; i++)
        count += page[i] == 0;
    return count;
}

/* The guest's own switch decides for user mode, and only for that. */
static void blocks_for_user(uint8_t *page)
{
    const uint32_t zero = 0x0045200f; /* cbo.zero (a0) */
    struct trap trap = try_as_user(zero, (uint64_t)page);
    check(is_illegal(trap) && page[0], "zicboz.user.closed", "scause %lu", trap.scause);
    (void)try_instruction(CSRW(SENVCFG), SENVCFG_CBZE, NULL);
    trap = try_as_user(zero, (uint64_t)page);
    check(trap.scause == CAUSE_USER_ECALL && !page[0], "zicboz.user", "scause %lu", trap.scause);
    (void)try_instruction(CSRW(SENVCFG), 0, NULL);
}

/* cbo.zero clears the block around an address, as large as the device tree says, and is a store to
 * everything that may forbid one ("CMO" 1.0.1, 2.5.2). QEMU tells where the block begins, the
 * specification wants the address. */
static void blocks_of_zeros(void)
{
    const uint32_t *cpu = fdt_by_name("cpu");
    uint8_t *page = scratch_pages;
    if (!isa_has("zicboz")) {
        check(!fdt_get(cpu, "riscv,cboz-block-size", NULL), "zicboz.unsaid", "there is a size");
        return;
    }
    uint32_t size = fdt_cell(cpu, "riscv,cboz-block-size", 0);
    check(size >= 8 && size <= PAGE / 8 && !(size & (size - 1)), "zicboz.size", "%u", size);
    memset(page, 0xff, PAGE);
    struct trap trap = try_zero((uint64_t)page + size + 5);
    check(!trap.trapped && zeros(page) == size && !page[size] && !page[2 * size - 1],
          "zicboz.works", "scause %lu, %u bytes of %u", trap.scause, zeros(page), size);
    blocks_for_user(page);
    trap = try_zero(ram.base + ram.size - 1);
    check(!trap.trapped, "zicboz.end_of_ram", "scause %lu", trap.scause);
    uint64_t device = fdt_reg(fdt_by_compatible("ns16550a")).base;
    trap = try_zero(device + 3);
    check(trap.trapped && trap.scause == CAUSE_STORE_ACCESS &&
              (trap.stval == device || trap.stval == device + 3),
          "zicboz.device", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    paging_on();
    page_map(WINDOW, (uint64_t)page, PTE_V | PTE_R | PTE_A | PTE_D);
    trap = try_zero(WINDOW);
    check(trap.trapped && trap.scause == CAUSE_STORE_PAGE && trap.stval == WINDOW,
          "zicboz.read_only", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    page_map(WINDOW, device, PTE_LEAF);
    trap = try_zero(WINDOW);
    check(trap.trapped && trap.scause == CAUSE_STORE_ACCESS && trap.stval == WINDOW,
          "zicboz.device.paged", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    paging_off();
}

/* The switch for user mode is empty at first, and stays what it is while others have the hart. */
static void senvcfg(void)
{
    uint64_t value = 0;
    unsigned wrong = 0;
    if (try_instruction(CSRR(SENVCFG), 0, &value).trapped)
        return;
    check_equal(value, 0, "senvcfg.empty");
    for (unsigned round = 0; round < 20; round++) {
        uint64_t set = round % 2 ? 0 : SENVCFG_CBZE;
        (void)try_instruction(CSRW(SENVCFG), set, NULL);
        sbi_set_timer(time_now() + frequency / 500);
        csr_write(sie, SIP_STIP);
        __asm__ volatile("wfi");
        (void)try_instruction(CSRR(SENVCFG), 0, &value);
        wrong += value != set;
    }
    sbi_set_timer(~0UL);
    csr_write(sie, 0);
    check(!wrong, "senvcfg.kept", "%u rounds of 20 found another", wrong);
}

/* The words of the bootargs end at a space. */
static bool says(const char *word, char *extension, size_t size)
{
    const char *value = argument(word);
    size_t length = 0;
    while (value && value[length] && value[length] != ' ' && length < size - 1)
        length++;
    memcpy(extension, value, length);
    extension[length] = '\0';
    return value != NULL;
}

static bool is_word(const char *word, const char *expected)
{
    char value[32];
    return says(word, value, sizeof value) && !strcmp(value, expected);
}

/* Svadu: the hart sets A and D bits in page tables. Svade: it faults. A hart that lists neither may
 * do either, but must not go on with a bit that is not set (Privileged 1.13, 12.3.1). */
static void page_bits(void)
{
    volatile uint64_t *entry = &page_leaves[WINDOW / PAGE % 512];
    paging_on();
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_V | PTE_R | PTE_W);
    struct trap load = try_load(WINDOW, 8, NULL);
    check(load.trapped ? load.scause == CAUSE_LOAD_PAGE : (*entry & PTE_A) != 0, "page.a",
          "trapped %lu scause %lu entry 0x%lx", load.trapped, load.scause, *entry);
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_V | PTE_R | PTE_W | PTE_A);
    struct trap store = try_store(WINDOW, 8, 1);
    check(store.trapped ? store.scause == CAUSE_STORE_PAGE : (*entry & PTE_D) != 0, "page.d",
          "trapped %lu scause %lu entry 0x%lx", store.trapped, store.scause, *entry);
    if (isa_has("svadu"))
        check(!load.trapped && !store.trapped, "page.svadu", "%lu %lu", load.scause, store.scause);
    if (isa_has("svade"))
        check(load.trapped && store.trapped, "page.svade", "0x%lx", *entry);
    check(!isa_has("svadu") || !isa_has("svade"), "page.one_of_them", "both are listed");
    if (is_word("without", "svadu"))
        check(load.trapped && store.trapped, "page.without_svadu", "0x%lx", *entry);
    paging_off();
}

static void as_the_manifest_says(void)
{
    char extension[32];
    if (says("without", extension, sizeof extension))
        check(!isa_has(extension), "manifest.left_out", "%s is listed", extension);
    if (says("with", extension, sizeof extension))
        check(isa_has(extension), "manifest.left_in", "%s is not listed", extension);
}

void payload_main(void)
{
    as_the_manifest_says();
    listed();
    units();
    senvcfg();
    timer();
    closed();
    all_csrs();
    unreadable_csrs();
    page_bits();
    blocks_of_zeros();
}
