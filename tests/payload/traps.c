/*
 * Exceptions and emulation: what supervisor and user mode find when they do what hardware forbids,
 * or what a hypervisor has to do for them. Each exception must come with the cause, stval and sepc
 * that the hardware would give (Privileged 1.13, 12.1).
 */
#include "payload.h"

/* traps_access.S */
typedef uint64_t load_form(uint64_t address);
typedef void store_form(uint64_t address, uint64_t value);
extern load_form load_lb, load_lbu, load_lh, load_lhu, load_lw, load_lwu, load_ld, load_lw_negative,
    load_lw_far, load_c_lw, load_c_ld, load_c_lwsp, load_flw, load_fld, load_c_fld, load_c_lbu,
    load_c_lhu, load_c_lh, load_flh, load_vector;
extern store_form store_sb, store_sh, store_sw, store_sd, store_sw_negative, store_c_sw, store_c_sd,
    store_c_swsp, store_fsw, store_fsd, store_c_fsd, store_c_sb, store_c_sh, store_fsh,
    store_vector;
typedef uint64_t amo_form(uint64_t address, uint64_t operand);
extern amo_form amo_swap, amo_add, amo_add_aqrl, amo_xor, amo_or, amo_and, amo_min, amo_max,
    amo_minu, amo_maxu, amo_or_x0, amo_or_d, store_conditional;
extern void user_ecall(void), user_wfi(void), user_load(void), user_store(void), user_jump(void),
    user_rdtime(void), user_rdcycle(void), user_rdinstret(void), user_sstatus(void),
    user_satp(void), user_sfence(void), user_sret(void), user_ebreak(void), user_load_word(void);

/* stval of an illegal instruction is the instruction or zero (Privileged 1.13, 12.1.9). */
static bool is_illegal(struct trap trap, uint32_t instruction)
{
    return trap.trapped && trap.scause == CAUSE_ILLEGAL &&
           (trap.stval == 0 || trap.stval == instruction);
}

static void check_trap(struct trap trap, uint64_t cause, uint64_t value, const char *name)
{
    check(trap.trapped && trap.scause == cause && trap.stval == value, name,
          "trapped %lu scause %lu stval 0x%lx; expected %lu, 0x%lx", trap.trapped, trap.scause,
          trap.stval, cause, value);
}

/* One that raises an illegal instruction at its own address. */
static void check_illegal(uint32_t instruction, const char *name)
{
    struct trap trap = try_instruction(instruction, 0, NULL);
    check(is_illegal(trap, instruction) && trap.sepc == (uint64_t)instruction_buffer, name,
          "instruction 0x%x: trapped %lu scause %lu stval 0x%lx sepc 0x%lx", instruction,
          trap.trapped, trap.scause, trap.stval, trap.sepc);
}

static void illegal_instructions(void)
{
    check_illegal(0xffffffff, "illegal.all_ones");
    check_illegal(0xc0001073, "illegal.unimp");
    /* The `wfi` leaves its trace in a trap register of QEMU's, where a hypervisor that believed it
     * would take the next instruction for a `wfi`. */
    wait_for_nothing();
    struct trap mret = try_instruction(0x30200073, 0, NULL); /* QEMU 10 gives an old stval */
    check(mret.scause == CAUSE_ILLEGAL && mret.sepc == (uint64_t)instruction_buffer, "illegal.mret",
          "scause %lu sepc 0x%lx", mret.scause, mret.sepc);
    check_illegal(0x0000707f & ~0x7c, "illegal.reserved_opcode");
    struct trap trap = try_instruction(0x80670000, 0, NULL);
    check(is_illegal(trap, 0), "illegal.all_zeros", "scause %lu stval 0x%lx", trap.scause,
          trap.stval);
    if (!isa_has("h") || in_diosix) {
        wait_for_nothing();
        check_illegal(0x60054573, "illegal.hlv_b");       /* hlv.b a0, (a0) */
        check_illegal(0x22000073, "illegal.hfence_vvma"); /* hfence.vvma */
        check_illegal(0x62000073, "illegal.hfence_gvma");
    }
}

static uint32_t csr_instruction(unsigned csr, bool write)
{
    /* csrrs a0, csr, x0 or csrrw x0, csr, a0 */
    return csr << 20 | (write ? 10U << 15 | 1U << 12 : 2U << 12 | 10U << 7) | 0x73;
}

static void check_csr(unsigned csr, bool write, const char *name)
{
    uint32_t instruction = csr_instruction(csr, write);
    struct trap trap = try_instruction(instruction, 0, NULL);
    check(is_illegal(trap, instruction) && trap.sepc == (uint64_t)instruction_buffer, name,
          "CSR 0x%x: trapped %lu scause %lu stval 0x%lx", csr, trap.trapped, trap.scause,
          trap.stval);
}

static void csrs(void)
{
    static const uint16_t machine[] = {0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306, 0x30a,
                                       0x320, 0x340, 0x341, 0x342, 0x343, 0x344, 0x34a, 0x34b,
                                       0x3a0, 0x3b0, 0xb00, 0xb02, 0xf11, 0xf12, 0xf13, 0xf14,
                                       0x7a0, 0x7b0, 0x7c0, 0xbc0, 0xfc0};
    static const uint16_t hypervisor[] = {0x600, 0x602, 0x603, 0x604, 0x605, 0x606, 0x607, 0x60a,
                                          0x643, 0x644, 0x645, 0x64a, 0x680, 0xe12, 0x200, 0x204,
                                          0x205, 0x240, 0x241, 0x242, 0x243, 0x244, 0x24d, 0x280};
    static const uint16_t read_only[] = {0xc00, 0xc01, 0xc02};
    for (unsigned i = 0; i < sizeof machine / 2; i++) {
        check_csr(machine[i], false, "csr.machine.read");
        check_csr(machine[i], true, "csr.machine.write");
    }
    for (unsigned i = 0; (!isa_has("h") || in_diosix) && i < sizeof hypervisor / 2; i++) {
        check_csr(hypervisor[i], false, "csr.hypervisor.read");
        check_csr(hypervisor[i], true, "csr.hypervisor.write");
    }
    for (unsigned i = 0; i < sizeof read_only / 2; i++)
        check_csr(read_only[i], true, "csr.counter.write");
    check_csr(0x1ff, false, "csr.absent.supervisor");
    check_csr(0x8ff, false, "csr.absent.user");
    check_csr(0x5ff, true, "csr.custom");
}

static void counters(void)
{
    uint64_t first = time_now(), give_up = first + 10 * frequency, second;
    do
        second = time_now();
    while (second == first && second < give_up);
    check(second > first, "rdtime.counts", "%lu then %lu", first, second);
    struct trap trap = try_instruction(csr_instruction(0xc00, false), 0, NULL);
    check(!trap.trapped || is_illegal(trap, csr_instruction(0xc00, false)), "rdcycle", "scause %lu",
          trap.scause);
    trap = try_instruction(csr_instruction(0xc02, false), 0, NULL);
    check(!trap.trapped || is_illegal(trap, csr_instruction(0xc02, false)), "rdinstret",
          "scause %lu", trap.scause);
    uint64_t result = 0;
    try_instruction(csr_instruction(0xc01, false), 0, &result);
    check(result >= second, "rdtime.a0", "%lu after %lu", result, second);
}

static void check_user_illegal(void (*entry)(void), const char *name)
{
    struct trap trap = try_user(entry, 0, 0);
    check(trap.scause == CAUSE_ILLEGAL && trap.sepc == (uint64_t)entry, name,
          "scause %lu sepc 0x%lx, expected 0x%lx", trap.scause, trap.sepc, (uint64_t)entry);
}

static void user_mode(void)
{
    struct trap trap = try_user(user_ecall, 0, 0);
    check(trap.scause == CAUSE_USER_ECALL && trap.stval == 0, "user.ecall",
          "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = try_user(user_ebreak, 0, 0);
    check(trap.scause == CAUSE_BREAKPOINT && trap.sepc == (uint64_t)user_ebreak, "user.ebreak",
          "scause %lu sepc 0x%lx", trap.scause, trap.sepc);
    check_user_illegal(user_sstatus, "user.csrr_sstatus");
    check_user_illegal(user_satp, "user.csrw_satp");
    check_user_illegal(user_sfence, "user.sfence_vma");
    check_user_illegal(user_sret, "user.sret");
    /* wfi of user mode is illegal unless it ends in bounded time (Privileged 1.13, 3.3.3). */
    csr_write(sie, SIP_STIP);
    sbi_set_timer(time_now() + 10 * frequency);
    trap = try_user(user_wfi, 0, 0);
    sbi_set_timer(~0UL);
    csr_write(sie, 0);
    check(trap.scause == CAUSE_USER_ECALL ||
              (trap.scause == CAUSE_ILLEGAL && trap.sepc == (uint64_t)user_wfi),
          "user.wfi", "scause 0x%lx", trap.scause);
    trap = try_user(user_load, HOLE, 0);
    check(trap.scause == CAUSE_LOAD_ACCESS && trap.stval == HOLE, "user.load.hole",
          "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = try_user(user_store, HOLE, 0);
    check(trap.scause == CAUSE_STORE_ACCESS && trap.stval == HOLE, "user.store.hole",
          "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = try_user(user_jump, 0x18000000, 0);
    check(trap.scause == CAUSE_FETCH_ACCESS && trap.stval == 0x18000000 && trap.sepc == 0x18000000,
          "user.jump.hole", "scause %lu stval 0x%lx sepc 0x%lx", trap.scause, trap.stval,
          trap.sepc);
}

/* Each bit of scounteren opens one counter to user mode. */
static void user_counters(void)
{
    static void (*const entries[])(void) = {user_rdcycle, user_rdtime, user_rdinstret};
    static const char *const closed[] = {"scounteren.cycle.closed", "scounteren.time.closed",
                                         "scounteren.instret.closed"};
    uint64_t saved = csr_read(scounteren);
    check(saved & 2, "scounteren.time_at_first", "scounteren 0x%lx", saved);
    for (unsigned i = 0; i < 3; i++) {
        csr_write(scounteren, 7 & ~(1U << i));
        struct trap trap = try_user(entries[i], 0, 0); /* OpenSBI emulates `time` even so */
        check_strict(trap.scause == CAUSE_ILLEGAL && trap.sepc == (uint64_t)entries[i], closed[i],
                     "scause %lu sepc 0x%lx", trap.scause, trap.sepc);
    }
    csr_write(scounteren, 7);
    if (csr_read(scounteren) & 2) {
        uint64_t before = time_now();
        struct trap trap = try_user(user_rdtime, 0, 0);
        check(trap.scause == CAUSE_USER_ECALL && local()->user_a0 >= before, "scounteren.time.open",
              "scause %lu, time %lu before %lu", trap.scause, local()->user_a0, before);
    }
    csr_write(scounteren, saved);
}

static void breakpoints(void)
{
    struct trap trap = try_instruction(0x00100073, 0, NULL);
    check(trap.scause == CAUSE_BREAKPOINT && trap.sepc == (uint64_t)instruction_buffer &&
              (trap.stval == trap.sepc || trap.stval == 0),
          "ebreak", "scause %lu sepc 0x%lx stval 0x%lx", trap.scause, trap.sepc, trap.stval);
    trap = try_instruction(0x80829002, 0, NULL);
    check(trap.scause == CAUSE_BREAKPOINT && trap.sepc == (uint64_t)instruction_buffer, "c.ebreak",
          "scause %lu sepc 0x%lx", trap.scause, trap.sepc);
}

/* Every width at every misaligned place of a page boundary: done by the hart or emulated. */
static void misaligned(void)
{
    static const unsigned sizes[] = {2, 4, 8};
    uint8_t *edge = scratch_pages + PAGE;
    unsigned wrong_loads = 0, wrong_stores = 0, traps = 0;
    for (unsigned s = 0; s < 3; s++) {
        unsigned size = sizes[s];
        for (int offset = -8; offset <= 8; offset++) {
            uint64_t expected = 0, found = 0;
            for (int i = -16; i < 24; i++)
                edge[i] = (uint8_t)(0x80 + i);
            for (unsigned i = size; i--;)
                expected = expected << 8 | edge[offset + (int)i];
            traps += try_load((uint64_t)edge + (uint64_t)offset, size, &found).trapped;
            wrong_loads += found != expected;
            traps += try_store((uint64_t)edge + (uint64_t)offset, size, ~expected).trapped;
            for (int i = -16; i < 24; i++) {
                bool inside = i >= offset && i < offset + (int)size;
                uint8_t byte = (uint8_t)(0x80 + i);
                wrong_stores += edge[i] != (uint8_t)(inside ? ~byte : byte);
            }
        }
    }
    check(!traps, "misaligned.no_traps", "%u accesses trapped", traps);
    check(!wrong_loads, "misaligned.loads", "%u are wrong", wrong_loads);
    check(!wrong_stores, "misaligned.stores", "%u bytes are wrong", wrong_stores);
    edge[1] = 0x80;
    edge[2] = 0xff;
    check_equal(load_lh((uint64_t)edge + 1), (uint64_t)(int16_t)0xff80, "misaligned.lh.sign");
    struct trap trap = try_amo((uint64_t)edge + 1, 4, 1, NULL);
    /* Within 16 bytes some harts allow it: Zama16b. */
    check(!trap.trapped ||
              ((trap.scause == CAUSE_STORE_MISALIGNED || trap.scause == CAUSE_STORE_ACCESS ||
                (!in_diosix && trap.scause == CAUSE_LOAD_MISALIGNED)) &&
               trap.stval == (uint64_t)edge + 1),
          "misaligned.amo", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = try_lr((uint64_t)edge + 1, 4);
    check((trap.scause == CAUSE_LOAD_MISALIGNED || trap.scause == CAUSE_LOAD_ACCESS) &&
              trap.stval == (uint64_t)edge + 1,
          "misaligned.lr", "scause %lu stval 0x%lx", trap.scause, trap.stval);
}

/* Misaligned, the second half in a page that isn't there: the fault is the guest's. */
static void misaligned_fault(void)
{
    paging_on();
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_LEAF);
    page_map(WINDOW + PAGE, 0, 0);
    uint64_t at = WINDOW + PAGE - 3;
    struct trap trap = try_load(at, 8, NULL);
    check(trap.scause == CAUSE_LOAD_PAGE && (trap.stval == at || trap.stval == WINDOW + PAGE),
          "misaligned.load.page_fault", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = try_store(at, 8, 0);
    check(trap.scause == CAUSE_STORE_PAGE && (trap.stval == at || trap.stval == WINDOW + PAGE),
          "misaligned.store.page_fault", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    paging_off();
}

static const struct {
    const char *name;
    load_form *load;
    int offset; /* from its argument to the address that it reaches */
    bool fp;
} loads[] = {
    {"hole.lb", load_lb, 0, false},
    {"hole.lbu", load_lbu, 0, false},
    {"hole.lh", load_lh, 0, false},
    {"hole.lhu", load_lhu, 0, false},
    {"hole.lw", load_lw, 0, false},
    {"hole.lwu", load_lwu, 0, false},
    {"hole.ld", load_ld, 0, false},
    {"hole.lw.negative", load_lw_negative, -4, false},
    {"hole.lw.far", load_lw_far, 2044, false},
    {"hole.c.lw", load_c_lw, 0, false},
    {"hole.c.ld", load_c_ld, 0, false},
    {"hole.flw", load_flw, 0, true},
    {"hole.fld", load_fld, 0, true},
    {"hole.c.fld", load_c_fld, 0, true},
};
static const struct {
    const char *name;
    store_form *store;
    int offset;
    bool fp;
} stores[] = {
    {"hole.sb", store_sb, 0, false},     {"hole.sh", store_sh, 0, false},
    {"hole.sw", store_sw, 0, false},     {"hole.sd", store_sd, 0, false},
    {"hole.c.sw", store_c_sw, 0, false}, {"hole.sw.negative", store_sw_negative, -4, false},
    {"hole.c.sd", store_c_sd, 0, false}, {"hole.fsw", store_fsw, 0, true},
    {"hole.fsd", store_fsd, 0, true},    {"hole.c.fsd", store_c_fsd, 0, true},
};

#define FS_CLEAN (2UL << 13)

static bool have_fp(void)
{
    return isa_has("f") && isa_has("d");
}

static struct trap run_load(load_form *load, uint64_t address, uint64_t *value)
{
    register uint64_t a0 __asm__("a0") = address;
    TRY(LIST("+r"(a0)), LIST("r"(load)), "jalr ra, %1");
    if (value)
        *value = a0;
    return local()->trap;
}

static struct trap run_amo(amo_form *amo, uint64_t address, uint64_t operand, uint64_t *old)
{
    register uint64_t a0 __asm__("a0") = address;
    register uint64_t a1 __asm__("a1") = operand;
    TRY(LIST("+r"(a0), "+r"(a1)), LIST("r"(amo)), "jalr ra, %2");
    *old = a0;
    return local()->trap;
}

static struct trap run_store(store_form *store, uint64_t address, uint64_t value)
{
    register uint64_t a0 __asm__("a0") = address;
    register uint64_t a1 __asm__("a1") = value;
    TRY(LIST("+r"(a0), "+r"(a1)), LIST("r"(store)), "jalr ra, %2");
    return local()->trap;
}

/* QEMU reports an AMO's fault as a load's; the specification wants a store's. */
static void check_amo(struct trap trap, uint64_t value, const char *name)
{
    check(
        trap.trapped && trap.stval == value &&
            (trap.scause == CAUSE_STORE_ACCESS || (!in_diosix && trap.scause == CAUSE_LOAD_ACCESS)),
        name, "0x%lx: scause %lu stval 0x%lx", value, trap.scause, trap.stval);
}

/* Nothing answers at this address: every form of access faults, at its own instruction. */
static void hole(uint64_t address)
{
    for (unsigned i = 0; i < sizeof loads / sizeof loads[0]; i++) {
        if (loads[i].fp && !have_fp())
            continue;
        struct trap trap = run_load(loads[i].load, address - (uint64_t)loads[i].offset, NULL);
        check(trap.scause == CAUSE_LOAD_ACCESS && trap.stval == address &&
                  trap.sepc == (uint64_t)loads[i].load,
              loads[i].name, "0x%lx: scause %lu stval 0x%lx sepc 0x%lx", address, trap.scause,
              trap.stval, trap.sepc);
    }
    for (unsigned i = 0; i < sizeof stores / sizeof stores[0]; i++) {
        if (stores[i].fp && !have_fp())
            continue;
        struct trap trap = run_store(stores[i].store, address - (uint64_t)stores[i].offset, 0x55);
        bool at_start = trap.sepc == (uint64_t)stores[i].store ||
                        (stores[i].fp && trap.sepc == (uint64_t)stores[i].store + 4);
        check(trap.scause == CAUSE_STORE_ACCESS && trap.stval == address && at_start,
              stores[i].name, "0x%lx: scause %lu stval 0x%lx sepc 0x%lx", address, trap.scause,
              trap.stval, trap.sepc);
    }
    check_amo(try_amo(address, 4, 1, NULL), address, "hole.amoswap.w");
    check_amo(try_amo(address, 8, 1, NULL), address, "hole.amoswap.d");
    check_trap(try_lr(address, 4), CAUSE_LOAD_ACCESS, address, "hole.lr.w");
    check_trap(try_lr(address, 8), CAUSE_LOAD_ACCESS, address, "hole.lr.d");
    struct trap trap = try_execute(address);
    check(trap.scause == CAUSE_FETCH_ACCESS && trap.stval == address && trap.sepc == address,
          "hole.execute", "0x%lx: scause %lu stval 0x%lx sepc 0x%lx", address, trap.scause,
          trap.stval, trap.sepc);
}

/* Where `virt` has nothing, or what a capsule has not got: before, between and behind its devices,
 * the timer and the software interrupts of machine mode, fw_cfg, flash, PCIe, behind RAM, beyond
 * what is physical. Each from user mode, too. */
static void holes(void)
{
    static const uint64_t absent[] = {
        0,          0x1000,     0xff000,    0x102000,   0x2000000,  0x2004000,          0x200bff8,
        0x3000000,  0xbfff000,  0xc600000,  0x10000100, 0x10009000, 0x10100000,         0x20000000,
        0x24000000, 0x30000000, 0x40000000, 0x7ffff000, 1UL << 38,  (1UL << 41) - 4096, 1UL << 41,
        1UL << 55,
    };
    hole(HOLE);
    hole(0x18000000);
    hole(ram.base + ram.size + 0x100000);
    for (unsigned i = 0; in_diosix && i < sizeof absent / sizeof absent[0]; i++) {
        uint64_t address = absent[i];
        check_trap(try_load(address, 4, NULL), CAUSE_LOAD_ACCESS, address, "absent.load");
        check_trap(try_store(address, 8, 0), CAUSE_STORE_ACCESS, address, "absent.store");
        check_trap(try_execute(address), CAUSE_FETCH_ACCESS, address, "absent.execute");
        check_amo(try_amo(address, 4, 0, NULL), address, "absent.amo");
        check_trap(try_user(user_load, address, 0), CAUSE_LOAD_ACCESS, address, "absent.user.load");
        check_trap(try_user(user_store, address, 0), CAUSE_STORE_ACCESS, address,
                   "absent.user.store");
        check_trap(try_user(user_jump, address, 0), CAUSE_FETCH_ACCESS, address,
                   "absent.user.execute");
    }
}

/* Devices through every form that reaches them: bytes at the UART, words at the PLIC. */
static void device_bytes(void)
{
    uint64_t scratch = uart_base + 7;
    struct trap trap = run_store(store_sb, scratch, 0x1ff80);
    check(!trap.trapped, "mmio.sb", "scause %lu", trap.scause);
    check_equal(load_lbu(scratch), 0x80, "mmio.lbu");
    check_equal(load_lb(scratch), ~0UL << 7, "mmio.lb.sign");
}

static void device_words(void)
{
    uint64_t enable = (uint64_t)plic_enable(0);
    store_sw(enable, 0x40000002);
    check_equal(load_lw(enable), 0x40000002, "mmio.lw");
    check_equal(load_lwu(enable), 0x40000002, "mmio.lwu");
    check_equal(load_c_lw(enable), 0x40000002, "mmio.c.lw");
    check_equal(load_c_lwsp(enable), 0x40000002, "mmio.c.lwsp");
    check_equal(load_lw_negative(enable + 4), 0x40000002, "mmio.lw.negative");
    store_c_sw(enable, 0x40000004);
    check_equal(load_lw(enable), 0x40000004, "mmio.c.sw");
    store_c_swsp(enable, 0x40000008);
    check_equal(load_lw(enable), 0x40000008, "mmio.c.swsp");
    store_sw_negative(enable + 4, 0x40000010);
    check_equal(load_lw(enable), 0x40000010, "mmio.sw.negative");
    store_sw(enable, 0x80000000);
    if (load_lwu(enable) == 0x80000000)
        check_equal(load_lw(enable), ~0UL << 31, "mmio.lw.sign");
    uint64_t next = 0;
    __asm__ volatile("lw zero, 0(%1)\n\tli %0, 1" : "=&r"(next) : "r"(enable));
    check_equal(next, 1, "mmio.lw.zero");
    if (have_fp()) {
        store_fsw(enable, 0x40000040);
        check_equal(load_lw(enable), 0x40000040, "mmio.fsw");
        csr_clear(sstatus, SSTATUS_FS);
        csr_set(sstatus, FS_CLEAN);
        check_equal(load_flw(enable), 0xffffffff40000040, "mmio.flw.nan_boxed");
        check((csr_read(sstatus) & SSTATUS_FS) == SSTATUS_FS, "mmio.flw.dirty", "sstatus 0x%lx",
              csr_read(sstatus));
    }
    store_sw(enable, 0);
}

/* Each operation on one register, whose old value has a sign; the low half of the result. */
static const struct {
    const char *name;
    amo_form *amo;
    uint32_t result;
} atomics[] = {
    {"mmio.amoswap", amo_swap, 0x40000030},
    {"mmio.amoadd", amo_add, 0xc0000040},
    {"mmio.amoadd.aqrl", amo_add_aqrl, 0xc0000040},
    {"mmio.amoxor", amo_xor, 0xc0000020},
    {"mmio.amoor", amo_or, 0xc0000030},
    {"mmio.amoand", amo_and, 0x00000010},
    {"mmio.amomin", amo_min, 0x80000010},
    {"mmio.amomax", amo_max, 0x40000030},
    {"mmio.amominu", amo_minu, 0x40000030},
    {"mmio.amomaxu", amo_maxu, 0x80000010},
};

static void device_atomics(void)
{
    uint64_t enable = (uint64_t)plic_enable(0), old;
    for (unsigned i = 0; i < sizeof atomics / sizeof atomics[0]; i++) {
        store_sw(enable, 0x80000010);
        struct trap trap = run_amo(atomics[i].amo, enable, 0xaaaaaaaa40000030, &old);
        check(!trap.trapped && old == 0xffffffff80000010 && load_lwu(enable) == atomics[i].result,
              atomics[i].name, "scause %lu, old 0x%lx, new 0x%lx", trap.scause, old,
              load_lwu(enable));
    }
    store_sw(enable, 0x10);
    run_amo(amo_or_x0, enable, 0x20, &old);
    check(old == enable && load_lw(enable) == 0x30, "mmio.amo.x0", "0x%lx", load_lw(enable));
    check_amo(run_amo(amo_or_d, enable, 0, &old), enable, "mmio.amo.width");
    struct trap trap = run_amo(amo_or, enable + 2, 0, &old);
    check(trap.trapped && trap.stval == enable + 2 &&
              (trap.scause == CAUSE_STORE_MISALIGNED || trap.scause == CAUSE_STORE_ACCESS ||
               (!in_diosix && trap.scause == CAUSE_LOAD_MISALIGNED)),
          "mmio.amo.misaligned", "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = try_lr(enable, 4); /* QEMU reserves what a device says */
    check_strict(trap.scause == CAUSE_LOAD_ACCESS && trap.stval == enable, "mmio.lr",
                 "scause %lu stval 0x%lx", trap.scause, trap.stval);
    trap = run_amo(store_conditional, enable, 0x40, &old);
    check_strict(trap.trapped ? trap.scause == CAUSE_STORE_ACCESS : old != 0, "mmio.sc",
                 "scause %lu", trap.scause);
    check_strict(load_lw(enable) == 0x30, "mmio.sc.unchanged", "0x%lx", load_lw(enable));
    store_sw(enable, 0);
}

/* What some harts have beside the base's forms. */
static void device_extensions(void)
{
    uint64_t scratch = uart_base + 7, status = uart_base + 6;
    uart_write(7, 0xa5);
    if (isa_has("zcb")) {
        check_equal(load_c_lbu(scratch), 0xa5, "mmio.c.lbu");
        store_c_sb(scratch, 0x15a);
        check_equal(uart_read(7), 0x5a, "mmio.c.sb");
        check_equal(load_c_lhu(status), load_lhu(status), "mmio.c.lhu");
        check_equal(load_c_lh(status), load_lh(status), "mmio.c.lh");
        struct trap trap = run_store(store_c_sh, HOLE, 0);
        check_trap(trap, CAUSE_STORE_ACCESS, HOLE, "hole.c.sh");
        trap = run_load(load_c_lh, HOLE, NULL);
        check_trap(trap, CAUSE_LOAD_ACCESS, HOLE, "hole.c.lh");
    }
    if (isa_has("zfhmin") || isa_has("zfh")) {
        check_equal(load_flh(status), load_lhu(status) | ~0UL << 16, "mmio.flh.nan_boxed");
        check(!run_store(store_fsh, status, 0).trapped, "mmio.fsh", "a trap");
        check_trap(run_load(load_flh, HOLE, NULL), CAUSE_LOAD_ACCESS, HOLE, "hole.flh");
    }
    if (isa_has("v") && in_diosix) { /* no device needs them */
        csr_set(sstatus, SSTATUS_VS);
        check_trap(run_load(load_vector, scratch, NULL), CAUSE_LOAD_ACCESS, scratch, "mmio.vle8");
        check_trap(run_store(store_vector, scratch, 0), CAUSE_STORE_ACCESS, scratch, "mmio.vse8");
    }
}

/* The same from code that is fetched through page tables, then with execute-only code. */
static void device_paged(void)
{
    paging_on();
    load_form *load = (load_form *)((uint64_t)load_lbu + ALIAS);
    store_form *store = (store_form *)((uint64_t)store_sb + ALIAS);
    store(ALIAS + uart_base + 7, 0x5a);
    check_equal(load(ALIAS + uart_base + 7), 0x5a, "mmio.paged");
    uint64_t code = (uint64_t)load_lbu & ~(PAGE - 1);
    page_map(WINDOW, code, PTE_V | PTE_X | PTE_A | PTE_D);
    page_map(WINDOW + PAGE, uart_base, PTE_V | PTE_R | PTE_A | PTE_D);
    load = (load_form *)(WINDOW + (uint64_t)load_lbu - code);
    check_equal(load(WINDOW + PAGE + 7), 0x5a, "mmio.paged.execute_only");
    struct trap trap = try_store(WINDOW + PAGE + 7, 1, 0x11);
    check_trap(trap, CAUSE_STORE_PAGE, WINDOW + PAGE + 7, "mmio.paged.read_only");
    check_equal(uart_read(7), 0x5a, "mmio.paged.read_only.unchanged");
    paging_off();
}

/* User mode reaches a device that it is given, and nothing when it isn't. */
static void device_user(void)
{
    paging_on();
    uint64_t code = (uint64_t)user_load & ~(PAGE - 1);
    page_map(WINDOW, code, PTE_LEAF | PTE_U);
    page_map(WINDOW + PAGE, code + PAGE, PTE_LEAF | PTE_U);
    page_map(WINDOW + 2 * PAGE, plic_base, PTE_LEAF | PTE_U);
    page_map(WINDOW + 3 * PAGE, plic_base, PTE_LEAF);
    void (*entry)(void) = (void (*)(void))(WINDOW + (uint64_t)user_load_word - code);
    struct trap trap = try_user(entry, WINDOW + 2 * PAGE + 4 * uart_irq, 0);
    check(trap.scause == CAUSE_USER_ECALL, "mmio.user", "scause %lu stval 0x%lx", trap.scause,
          trap.stval);
    trap = try_user(entry, WINDOW + 3 * PAGE, 0);
    check_trap(trap, CAUSE_LOAD_PAGE, WINDOW + 3 * PAGE, "mmio.user.not_its_page");
    paging_off();
}

static void check_page(uint64_t flags, uint64_t expect_load, uint64_t expect_store,
                       const char *name)
{
    page_map(WINDOW, (uint64_t)scratch_pages, flags);
    struct trap load = try_load(WINDOW + 8, 8, NULL), store = try_store(WINDOW + 16, 4, 0);
    bool good = load.scause == expect_load && store.scause == expect_store &&
                (!expect_load || load.stval == WINDOW + 8) &&
                (!expect_store || store.stval == WINDOW + 16);
    check(good, name, "load %lu 0x%lx, store %lu 0x%lx", load.scause, load.stval, store.scause,
          store.stval);
}

static void page_faults(void)
{
    const uint64_t accessed = PTE_V | PTE_A | PTE_D;
    paging_on();
    check_page(0, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, "page.invalid");
    check_page(PTE_LEAF, 0, 0, "page.read_write");
    check_page(accessed | PTE_R, 0, CAUSE_STORE_PAGE, "page.read_only");
    check_page(accessed | PTE_X, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, "page.execute_only");
    check_page(accessed | PTE_W, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, "page.reserved_write_only");
    check_page(PTE_LEAF | PTE_U, CAUSE_LOAD_PAGE, CAUSE_STORE_PAGE, "page.user.sum_off");
    csr_set(sstatus, SSTATUS_SUM);
    check_page(PTE_LEAF | PTE_U, 0, 0, "page.user.sum_on");
    csr_clear(sstatus, SSTATUS_SUM);
    csr_set(sstatus, SSTATUS_MXR);
    check_page(accessed | PTE_X, 0, CAUSE_STORE_PAGE, "page.execute_only.mxr");
    csr_clear(sstatus, SSTATUS_MXR);
    *(volatile uint32_t *)scratch_pages = 0x00008067; /* ret */
    __asm__ volatile("fence.i");
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_LEAF);
    check(!try_execute(WINDOW).trapped, "page.execute", "a fault");
    page_map(WINDOW, (uint64_t)scratch_pages, accessed | PTE_R | PTE_W);
    check_trap(try_execute(WINDOW), CAUSE_FETCH_PAGE, WINDOW, "page.no_execute");
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_LEAF | PTE_U);
    check_trap(try_execute(WINDOW), CAUSE_FETCH_PAGE, WINDOW, "page.user.no_execute");
    check_trap(try_load(1UL << 45, 8, NULL), CAUSE_LOAD_PAGE, 1UL << 45, "page.non_canonical");
    check_trap(try_execute(1UL << 45), CAUSE_FETCH_PAGE, 1UL << 45, "page.non_canonical.execute");
    page_middle[1] = pte(0x1000, PTE_LEAF);
    fence_vma();
    check_trap(try_load(WINDOW + 0x200000, 8, NULL), CAUSE_LOAD_PAGE, WINDOW + 0x200000,
               "page.misaligned_superpage");
    paging_off();
}

/* Without A or D the hart either faults or sets them (Privileged 1.13, 12.3.1). */
static void accessed_and_dirty(void)
{
    paging_on();
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_V | PTE_R | PTE_W);
    struct trap trap = try_load(WINDOW, 8, NULL);
    check(trap.trapped ? trap.scause == CAUSE_LOAD_PAGE && trap.stval == WINDOW
                       : (page_leaves[0] & PTE_A) != 0,
          "page.accessed", "scause %lu pte 0x%lx", trap.scause, page_leaves[0]);
    page_map(WINDOW, (uint64_t)scratch_pages, PTE_V | PTE_R | PTE_W | PTE_A);
    trap = try_store(WINDOW, 8, 0);
    check(trap.trapped ? trap.scause == CAUSE_STORE_PAGE && trap.stval == WINDOW
                       : (page_leaves[0] & PTE_D) != 0,
          "page.dirty", "scause %lu pte 0x%lx", trap.scause, page_leaves[0]);
    paging_off();
}

/* A table where nothing is: an access fault of the kind of the access (Privileged 1.13, 12.3.2).
 * QEMU alone reports a page fault, and 7.2 with two stages a load's fault for all three. */
static void check_walk(struct trap trap, uint64_t cause, uint64_t value, const char *name)
{
    check_strict((trap.scause == cause || trap.scause == CAUSE_LOAD_ACCESS) && trap.stval == value,
                 name, "scause %lu stval 0x%lx", trap.scause, trap.stval);
}

/* Access faults keep the virtual address; so do holes behind valid translations. */
static void paged_holes(void)
{
    const uint64_t behind = WINDOW + 0x400000;
    paging_on();
    page_map(WINDOW, HOLE, PTE_LEAF);
    check_trap(try_load(WINDOW + 16, 8, NULL), CAUSE_LOAD_ACCESS, WINDOW + 16, "paged.hole.load");
    check_trap(try_store(WINDOW + 16, 8, 0), CAUSE_STORE_ACCESS, WINDOW + 16, "paged.hole.store");
    check_amo(try_amo(WINDOW + 16, 8, 0, NULL), WINDOW + 16, "paged.hole.amo");
    check_trap(try_execute(WINDOW + 16), CAUSE_FETCH_ACCESS, WINDOW + 16, "paged.hole.execute");
    page_middle[2] = pte(HOLE, PTE_V);
    fence_vma();
    check_walk(try_load(behind, 8, NULL), CAUSE_LOAD_ACCESS, behind, "paged.table_in_hole.load");
    check_walk(try_store(behind, 8, 0), CAUSE_STORE_ACCESS, behind, "paged.table_in_hole.store");
    check_walk(try_execute(behind), CAUSE_FETCH_ACCESS, behind, "paged.table_in_hole.execute");
    paging_off();
}

static void satp(void)
{
    csr_write(satp, 5UL << 60);
    check_equal(csr_read(satp), 0, "satp.reserved_mode_ignored");
    csr_write(satp, 0);
    struct trap trap = try_instruction(0x12000073, 0, NULL);
    check(!trap.trapped, "sfence.vma", "scause %lu", trap.scause);
}

/* The state after a trap: SPP, SPIE and SIE as the hart would leave them. */
static volatile uint64_t seen_sstatus;
static void on_soft(void)
{
    seen_sstatus = csr_read(sstatus);
    csr_clear(sip, SIP_SSIP);
}

static void trap_state(void)
{
    interrupt_handlers[1] = on_soft;
    csr_write(sie, SIP_SSIP);
    csr_set(sip, SIP_SSIP);
    csr_set(sstatus, SSTATUS_SIE);
    csr_clear(sstatus, SSTATUS_SIE);
    csr_write(sie, 0);
    check((seen_sstatus & (SSTATUS_SIE | SSTATUS_SPIE | SSTATUS_SPP)) ==
              (SSTATUS_SPIE | SSTATUS_SPP),
          "interrupt.sstatus", "sstatus 0x%lx", seen_sstatus);
    /* An access fault is what a hypervisor injects by hand. */
    csr_clear(sstatus, SSTATUS_SIE | SSTATUS_SPIE);
    try_load(HOLE, 8, NULL);
    check(!(csr_read(sstatus) & SSTATUS_SIE), "exception.sie_stays_off", "sstatus 0x%lx",
          csr_read(sstatus));
    csr_set(sstatus, SSTATUS_SIE);
    try_load(HOLE, 8, NULL);
    uint64_t status = csr_read(sstatus);
    csr_clear(sstatus, SSTATUS_SIE);
    check(status & SSTATUS_SIE, "exception.sie_comes_back", "sstatus 0x%lx", status);
}

/* A vectored stvec: exceptions go to its base (Privileged 1.13, 12.1.2). OpenSBI 1.1 redirects an
 * access fault to an odd address instead. */
static void vectored(void)
{
    csr_write(stvec, (uint64_t)trap_entry | 1);
    struct trap trap = try_load(HOLE, 8, NULL);
    csr_write(stvec, (uint64_t)trap_entry);
    check_trap(trap, CAUSE_LOAD_ACCESS, HOLE, "stvec.vectored.exception_to_base");
}

void payload_main(void)
{
    csr_set(sstatus, SSTATUS_FS);
    illegal_instructions();
    csrs();
    counters();
    breakpoints();
    satp();
    trap_state();
    user_mode();
    user_counters();
    misaligned();
    misaligned_fault();
    holes();
    device_bytes();
    device_words();
    device_atomics();
    device_extensions();
    device_paged();
    device_user();
    page_faults();
    accessed_and_dirty();
    paged_holes();
    if (in_diosix)
        vectored();
}
