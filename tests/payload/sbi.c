/*
 * SBI conformance: BASE, TIME, IPI, RFENCE, HSM, SRST, DBCN and the legacy calls, their results and
 * the errors that the specification (SBI 3.0) names for each wrong argument. With several harts in
 * the device tree the others are started, asked, fenced and stopped.
 */
#include "payload.h"

#define ABSENT_HART 0x7ffUL
#define ALL_HARTS   (~0UL)

static struct hart_local *other(unsigned index);

static void check_error(struct sbi_return result, long expected, const char *name)
{
    check(result.error == expected, name, "error %ld, expected %ld", result.error, expected);
}

static void check_error_strict(struct sbi_return result, long expected, const char *name)
{
    check_strict(result.error == expected, name, "error %ld, expected %ld", result.error, expected);
}

static bool need(uint64_t extension, const char *name)
{
    if (sbi_has(extension))
        return true;
    check_strict(false, name, "the extension is not there");
    return false;
}

static void base(void)
{
    struct sbi_return version = sbi_call(SBI_BASE, 0, 0, 0, 0);
    check_error(version, SBI_SUCCESS, "base.spec_version");
    check(!(version.value >> 31) && version.value >> 24 <= 15, "base.spec_version.format",
          "version 0x%lx", version.value);
    check_strict(version.value >= 2UL << 24, "base.spec_version.2_0", "version 0x%lx",
                 version.value);
    check_error(sbi_call(SBI_BASE, 1, 0, 0, 0), SBI_SUCCESS, "base.impl_id");
    check_error(sbi_call(SBI_BASE, 2, 0, 0, 0), SBI_SUCCESS, "base.impl_version");
    check_equal(sbi_call(SBI_BASE, 3, 0x0badc0de, 0, 0).value, 0, "base.probe.unknown");
    check_error(sbi_call(SBI_BASE, 3, 0x0badc0de, 0, 0), SBI_SUCCESS, "base.probe.unknown.error");
    check(sbi_has(SBI_BASE), "base.probe.base", "BASE says that it is not there");
    check_error(sbi_call(SBI_BASE, 4, 0, 0, 0), SBI_SUCCESS, "base.mvendorid");
    check_error(sbi_call(SBI_BASE, 5, 0, 0, 0), SBI_SUCCESS, "base.marchid");
    check_error(sbi_call(SBI_BASE, 6, 0, 0, 0), SBI_SUCCESS, "base.mimpid");
    check_error(sbi_call(SBI_BASE, 7, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "base.function.unknown");
    check_error(sbi_call(0x0badc0de, 0, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "extension.unknown");
    check_error(sbi_call(0x0F, 0, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "extension.0x0f");
    check_error(sbi_call(0x9, 0, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "extension.0x09");
}

/* probe_extension names what there is and nothing else, and what it does not name answers so. */
static void extensions(void)
{
    static const uint64_t present[] = {
        0,        1,        2,       3,          4,       5,        6,        7,        8,
        SBI_BASE, SBI_TIME, SBI_IPI, SBI_RFENCE, SBI_HSM, SBI_SRST, SBI_SUSP, SBI_DBCN, 0x0A000005};
    static const uint64_t absent[] = {
        0x504D55 /* PMU */,
        0x43505043 /* CPPC */,
        0x4E41434C /* NACL */,
        0x535441 /* STA */,
        0x535345 /* SSE */,
        0x46574654 /* FWFT */,
        0x44425452 /* DBTR */,
        0x4D505859 /* MPXY */,
        0x08000000,
        0x09000000,
        0x0A000004,
        0x0A000006,
        0x10000000010,
        ~0UL,
    };
    for (unsigned i = 0; i < sizeof present / sizeof present[0]; i++) {
        struct sbi_return result = sbi_call(SBI_BASE, 3, present[i], 0, 0);
        check_strict(!result.error && result.value == 1, "base.probe.present",
                     "extension 0x%lx: error %ld value %lu", present[i], result.error,
                     result.value);
    }
    for (unsigned i = 0; in_diosix && i < sizeof absent / sizeof absent[0]; i++) {
        struct sbi_return result = sbi_call(SBI_BASE, 3, absent[i], 0, 0);
        check(!result.error && result.value == 0, "base.probe.absent",
              "extension 0x%lx: error %ld value %lu", absent[i], result.error, result.value);
        for (uint64_t function = 0; function < 16; function++)
            check_error(sbi_call(absent[i], function, 0, 0, 0), SBI_ERR_NOT_SUPPORTED,
                        "extension.absent");
        check_error(sbi_call(absent[i], 0xbad, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "extension.absent");
    }
}

static void registers(void)
{
    static const struct {
        const char *name;
        uint64_t call[8];
    } calls[] = {
        {"preserves.base", {1, 2, 3, 4, 5, 6, 0, SBI_BASE}},
        {"preserves.time", {~0UL, 2, 3, 4, 5, 6, 0, SBI_TIME}},
        {"preserves.ipi.none", {0, 0, 3, 4, 5, 6, 0, SBI_IPI}},
        {"preserves.rfence", {1, ALL_HARTS, 0, 0, 5, 6, 1, SBI_RFENCE}},
        {"preserves.hsm.status", {0, 2, 3, 4, 5, 6, 2, SBI_HSM}},
        {"preserves.srst.error", {7, 0, 3, 4, 5, 6, 0, SBI_SRST}},
        {"preserves.dbcn.empty", {0, 0, 0, 4, 5, 6, 0, SBI_DBCN}},
        {"preserves.legacy.set_timer", {~0UL, 2, 3, 4, 5, 6, 0, 0}},
        {"preserves.unknown", {1, 2, 3, 4, 5, 6, 7, 0x0badc0de}},
        {"preserves.diosix.yield", {0, 2, 3, 4, 5, 6, 0, 0x0A000005}},
    };
    for (unsigned i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        uint64_t changed = sbi_preserves(calls[i].call);
        check(!changed, calls[i].name, "mask of changed registers 0x%lx", changed);
    }
}

static void time_extension(void)
{
    if (!need(SBI_TIME, "time.present"))
        return;
    check_error(sbi_call(SBI_TIME, 0, ~0UL, 0, 0), SBI_SUCCESS, "time.set_timer.never");
    check_error(sbi_call(SBI_TIME, 0, 0, 0, 0), SBI_SUCCESS, "time.set_timer.past");
    check_sip(csr_read(sip) & SIP_STIP, "time.set_timer.past.pending", "sip 0x%lx", csr_read(sip));
    sbi_set_timer(~0UL);
    check(!(csr_read(sip) & SIP_STIP), "time.set_timer.never.clears", "sip 0x%lx", csr_read(sip));
    check_error(sbi_call(SBI_TIME, 1, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "time.function.unknown");
}

static uint64_t own_mask(void)
{
    return 1;
}

static bool soft_pending(void)
{
    uint64_t give_up = time_now() + 5 * frequency;
    while (!(csr_read(sip) & SIP_SSIP) && time_now() < give_up)
        ;
    bool pending = csr_read(sip) & SIP_SSIP;
    csr_clear(sip, SIP_SSIP);
    return pending;
}

/* One hart of the mask is there, one isn't: nobody is interrupted. */
static void ipi_to_some_absent(void)
{
    if (hart_count == 64)
        return;
    csr_clear(sip, SIP_SSIP);
    check_error_strict(sbi_call(SBI_IPI, 0, own_mask() | 1UL << hart_count, boot_hart, 0),
                       SBI_ERR_INVALID_PARAM, "ipi.some_absent");
    check_strict(!(csr_read(sip) & SIP_SSIP), "ipi.error_has_no_effect", "SSIP is set");
    csr_clear(sip, SIP_SSIP);
}

static void ipi(void)
{
    if (!need(SBI_IPI, "ipi.present"))
        return;
    csr_clear(sip, SIP_SSIP);
    struct sbi_return to_self = sbi_call(SBI_IPI, 0, own_mask(), boot_hart, 0);
    uint64_t at_once = csr_read(sip);
    check_error(to_self, SBI_SUCCESS, "ipi.self");
    check(at_once & SIP_SSIP, "ipi.self.at_once", "sip 0x%lx", at_once);
    check(soft_pending(), "ipi.self.pending", "SSIP is not set");
    check(!(csr_read(sip) & SIP_SSIP), "ipi.self.cleared", "SSIP cannot be cleared");
    check_error(sbi_call(SBI_IPI, 0, 0, ALL_HARTS, 0), SBI_SUCCESS, "ipi.all");
    check(soft_pending(), "ipi.all.pending", "SSIP is not set");
    check_error(sbi_call(SBI_IPI, 0, 0, 0, 0), SBI_SUCCESS, "ipi.empty_mask");
    check_error_strict(sbi_call(SBI_IPI, 0, 0, 1, 0), SBI_SUCCESS, "ipi.empty_mask.base");
    check(!(csr_read(sip) & SIP_SSIP), "ipi.empty_mask.nobody", "SSIP is set");
    check_error(sbi_call(SBI_IPI, 0, 1UL << 63, ALL_HARTS, 0), SBI_SUCCESS, "ipi.all.any_mask");
    check(soft_pending(), "ipi.all.any_mask.pending", "SSIP is not set");
    check_error_strict(sbi_call(SBI_IPI, 0, 2, hart_ids[hart_count - 1], 0), SBI_ERR_INVALID_PARAM,
                       "ipi.next_hart");
    check_error_strict(sbi_call(SBI_IPI, 0, 1, hart_ids[hart_count - 1] + 1, 0),
                       SBI_ERR_INVALID_PARAM, "ipi.next_base");
    check_error_strict(sbi_call(SBI_IPI, 0, 1, ABSENT_HART, 0), SBI_ERR_INVALID_PARAM,
                       "ipi.absent_base");
    check_error_strict(sbi_call(SBI_IPI, 0, 1UL << 63, 1, 0), SBI_ERR_INVALID_PARAM,
                       "ipi.absent_hart");
    check_error_strict(sbi_call(SBI_IPI, 0, 3, ALL_HARTS - 1, 0), SBI_ERR_INVALID_PARAM,
                       "ipi.wrapping_base");
    ipi_to_some_absent();
    check_error(sbi_call(SBI_IPI, 1, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "ipi.function.unknown");
}

static void rfence(void)
{
    static const char *const names[] = {"rfence.fence_i", "rfence.sfence_vma",
                                        "rfence.sfence_vma_asid"};
    if (!need(SBI_RFENCE, "rfence.present"))
        return;
    for (uint64_t function = 0; function <= 2; function++) {
        check_error(sbi_call6(SBI_RFENCE, function, own_mask(), boot_hart, 0, 0, 0, 0), SBI_SUCCESS,
                    names[function]);
        check_error(sbi_call6(SBI_RFENCE, function, 0, ALL_HARTS, 0x1000, 0x1000, 0, 0),
                    SBI_SUCCESS, "rfence.all.one_page");
        check_error(sbi_call6(SBI_RFENCE, function, own_mask(), boot_hart, 0, ~0UL, 1, 0),
                    SBI_SUCCESS, "rfence.whole_space");
        check_error(sbi_call6(SBI_RFENCE, function, 0, 0, 0, 0, 0, 0), SBI_SUCCESS,
                    "rfence.empty_mask");
        check_error_strict(sbi_call6(SBI_RFENCE, function, 1, ABSENT_HART, 0, 0, 0, 0),
                           SBI_ERR_INVALID_PARAM, "rfence.absent_hart");
    }
    for (uint64_t function = 1; function <= 2; function++) {
        check_error(sbi_call6(SBI_RFENCE, function, own_mask(), boot_hart, 0x1000, 0, 0, 0),
                    SBI_SUCCESS, "rfence.no_size");
        check_error(sbi_call6(SBI_RFENCE, function, own_mask(), boot_hart, ~0UL, 1, 0, 0),
                    SBI_SUCCESS, "rfence.last_byte");
        check_error(sbi_call6(SBI_RFENCE, function, own_mask(), boot_hart, 0x123, 0x77, ~0UL, 0),
                    SBI_SUCCESS, "rfence.unaligned");
        if (in_diosix) /* OpenSBI fences them all */
            check_error(sbi_call6(SBI_RFENCE, function, own_mask(), boot_hart, ~0UL, 2, 0, 0),
                        SBI_ERR_INVALID_ADDRESS, "rfence.wraps");
    }
    for (uint64_t function = 3; function <= 6; function++) {
        struct sbi_return result =
            sbi_call6(SBI_RFENCE, function, own_mask(), boot_hart, 0, 0x1000, 0, 0);
        long expected = isa_has("h") ? SBI_SUCCESS : SBI_ERR_NOT_SUPPORTED;
        check_error_strict(result, expected, "rfence.hfence");
    }
    check_error(sbi_call(SBI_RFENCE, 7, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "rfence.function.unknown");
}

static void hsm(void)
{
    if (!need(SBI_HSM, "hsm.present"))
        return;
    struct sbi_return own = sbi_call(SBI_HSM, 2, boot_hart, 0, 0);
    check(!own.error && !own.value, "hsm.status.own", "error %ld, state %lu", own.error, own.value);
    check_error(sbi_call(SBI_HSM, 2, ABSENT_HART, 0, 0), SBI_ERR_INVALID_PARAM,
                "hsm.status.absent");
    check_error(sbi_call(SBI_HSM, 0, boot_hart, secondary_entry, 0), SBI_ERR_ALREADY_AVAILABLE,
                "hsm.start.own");
    check_error(sbi_call(SBI_HSM, 0, ABSENT_HART, secondary_entry, 0), SBI_ERR_INVALID_PARAM,
                "hsm.start.absent");
    check_error(sbi_call(SBI_HSM, 0, ~0UL, secondary_entry, 0), SBI_ERR_INVALID_PARAM,
                "hsm.start.no_hart");
    check_error(sbi_call(SBI_HSM, 2, ~0UL, 0, 0), SBI_ERR_INVALID_PARAM, "hsm.status.no_hart");
    check_error(sbi_call(SBI_HSM, 3, 1, 0, 0), SBI_ERR_INVALID_PARAM, "hsm.suspend.reserved");
    check_error(sbi_call(SBI_HSM, 3, 0x0fffffff, 0, 0), SBI_ERR_INVALID_PARAM,
                "hsm.suspend.last_reserved");
    check_error(sbi_call(SBI_HSM, 3, 0x80000001, 0, 0), SBI_ERR_INVALID_PARAM,
                "hsm.suspend.reserved_non_retentive");
    struct sbi_return platform = sbi_call(SBI_HSM, 3, 0x10000000, 0, 0);
    check(platform.error == SBI_ERR_INVALID_PARAM || platform.error == SBI_ERR_NOT_SUPPORTED,
          "hsm.suspend.platform", "error %ld", platform.error);
    check_error(sbi_call(SBI_HSM, 4, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "hsm.function.unknown");
}

/* Nobody can begin at these: no RAM, or no instruction's. */
static const struct {
    const char *name;
    uint64_t address;
} no_entries[] = {
    {"hole", HOLE}, {"null", 0}, {"last", ~0UL - 1}, {"odd", (uint64_t)scratch_pages + 1}};
#define NO_ENTRIES (sizeof no_entries / sizeof no_entries[0])

static void suspend_addresses(void)
{
    for (unsigned i = 0; i < NO_ENTRIES; i++)
        check_error(sbi_call(SBI_HSM, 3, 0x80000000, no_entries[i].address, 0),
                    SBI_ERR_INVALID_ADDRESS, "hsm.suspend.bad_address");
}

static void suspend(void)
{
    sbi_set_timer(time_now() + frequency / 20);
    csr_write(sie, SIP_STIP);
    check_error(sbi_call(SBI_HSM, 3, 0, 0, 0), SBI_SUCCESS, "hsm.suspend.retentive");
    check_sip(csr_read(sip) & SIP_STIP, "hsm.suspend.retentive.woken_by_timer", "sip 0x%lx",
              csr_read(sip));
    check_error(sbi_call(SBI_HSM, 3, 0, 0, 0), SBI_SUCCESS, "hsm.suspend.already_pending");
    check_error(sbi_call(SBI_HSM, 3, 1UL << 63, 0, 0), SBI_SUCCESS, "hsm.suspend.upper_bits");
    if (in_diosix) /* OpenSBI 1.1 goes there */
        suspend_addresses();
    sbi_set_timer(time_now() + frequency / 20);
    struct resume_state found = {.satp = ~0UL};
    long error = suspend_call(UINT64_C(1) << 63 | 0x80000000, &found, SBI_HSM, 3);
    csr_write(sie, 0);
    sbi_set_timer(~0UL);
    if (error == SBI_ERR_NOT_SUPPORTED) {
        check_strict(false, "hsm.suspend.non_retentive", "not supported");
        return;
    }
    check(!error && found.hart == boot_hart, "hsm.suspend.non_retentive", "error %ld, a0 %lu",
          error, found.hart);
    check(!found.satp && !(found.sstatus & SSTATUS_SIE), "hsm.suspend.resume_state",
          "satp 0x%lx sstatus 0x%lx", found.satp, found.sstatus);
}

static void srst(void)
{
    if (!need(SBI_SRST, "srst.present"))
        return;
    check_error(sbi_call(SBI_SRST, 0, 3, 0, 0), SBI_ERR_INVALID_PARAM, "srst.type.reserved");
    check_error_strict(sbi_call(SBI_SRST, 0, 0xF0000000, 0, 0), SBI_ERR_INVALID_PARAM,
                       "srst.type.platform");
    check_error(sbi_call(SBI_SRST, 0, 0, 2, 0), SBI_ERR_INVALID_PARAM, "srst.reason.reserved");
    check_error_strict(sbi_call(SBI_SRST, 0, 0, 0xF0000000, 0), SBI_ERR_INVALID_PARAM,
                       "srst.reason.platform");
    check_error(sbi_call(SBI_SRST, 1, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "srst.function.unknown");
}

/* SBI 2.0 names INVALID_PARAM in DBCN's table and INVALID_ADDRESS where it defines such ranges. */
static void check_bad_range(uint64_t bytes, uint64_t low, uint64_t high, const char *name)
{
    for (uint64_t function = 0; function <= 1; function++) {
        struct sbi_return result = sbi_call(SBI_DBCN, function, bytes, low, high);
        check_strict(
            result.error == SBI_ERR_INVALID_PARAM || result.error == SBI_ERR_INVALID_ADDRESS, name,
            "function %lu: error %ld value %lu", function, result.error, result.value);
    }
}

static void dbcn_ranges(uint64_t end)
{
    check_bad_range(16, HOLE, 0, "dbcn.range.hole");
    check_bad_range(16, end, 0, "dbcn.range.after_ram");
    check_bad_range(17, end - 16, 0, "dbcn.range.over_the_end");
    check_bad_range(~0UL, ram.base, 0, "dbcn.range.huge");
    check_bad_range(~0UL, (uint64_t)scratch_pages, 0, "dbcn.range.wraps");
    check_bad_range(16, ~0UL - 7, 0, "dbcn.range.wraps_from_the_top");
    check_bad_range(16, 0, 1, "dbcn.range.high_half");
    check_bad_range(16, (uint64_t)scratch_pages, 1, "dbcn.range.high_word");
    check_bad_range(16, (uint64_t)scratch_pages, ~0UL, "dbcn.range.highest_word");
    check_bad_range(1, end, 0, "dbcn.range.one_byte_after");
    check_bad_range(2, end - 1, 0, "dbcn.range.last_byte_and_one");
    check_bad_range(4, uart_base, 0, "dbcn.range.device");
    check_bad_range(16, ram.base - 16, 0, "dbcn.range.before_ram");
}

static void dbcn(void)
{
    if (!need(SBI_DBCN, "dbcn.present"))
        return;
    struct sbi_return result = sbi_call(SBI_DBCN, 0, 0, scratch_pages, 0);
    check(!result.error && !result.value, "dbcn.write.empty", "error %ld value %lu", result.error,
          result.value);
    if (in_diosix) { /* OpenSBI looks at the address first */
        result = sbi_call(SBI_DBCN, 1, 0, HOLE, 1);
        check(!result.error && !result.value, "dbcn.read.empty.hole", "error %ld value %lu",
              result.error, result.value);
    }
    memcpy(scratch_pages + 1, "# dbcn\r\n", 8);
    result = sbi_call(SBI_DBCN, 0, 8, scratch_pages + 1, 0);
    check(!result.error && result.value <= 8, "dbcn.write", "error %ld value %lu", result.error,
          result.value);
    scratch_pages[0] = 0xa5;
    result = sbi_call(SBI_DBCN, 1, 64, scratch_pages, 0);
    check(!result.error && !result.value && scratch_pages[0] == 0xa5, "dbcn.read.nothing",
          "error %ld value %lu", result.error, result.value);
    result = sbi_call(SBI_DBCN, 2, 0xabcdef00 | '\r', 0, 0);
    check(!result.error && !result.value, "dbcn.write_byte", "error %ld value %lu", result.error,
          result.value);
    memcpy(scratch_pages + PAGE - 6, "# two pages\r\n", 13);
    result = sbi_call(SBI_DBCN, 0, 13, scratch_pages + PAGE - 6, 0);
    check(!result.error && result.value <= 13, "dbcn.write.two_pages", "error %ld value %lu",
          result.error, result.value);
    uint8_t *last = (uint8_t *)(ram.base + ram.size - 1);
    result = sbi_call(SBI_DBCN, 1, 1, last, 0);
    check(!result.error && !result.value, "dbcn.read.last_byte", "error %ld value %lu",
          result.error, result.value);
    check_error(sbi_call(SBI_DBCN, 3, 0, 0, 0), SBI_ERR_NOT_SUPPORTED, "dbcn.function.unknown");
    if (in_diosix) /* OpenSBI 1.5 faults on some of these */
        dbcn_ranges(ram.base + ram.size);
}

static void legacy(void)
{
    check_error(sbi_call(1, 0, '\r', 0, 0), 0, "legacy.putchar");
    check_error(sbi_call(2, 0, 0, 0, 0), -1, "legacy.getchar.nothing");
    check_error(sbi_call(0, 0, 0, 0, 0), 0, "legacy.set_timer");
    check_sip(csr_read(sip) & SIP_STIP, "legacy.set_timer.pending", "sip 0x%lx", csr_read(sip));
    sbi_call(0, 0, ~0UL, 0, 0);
    check(!(csr_read(sip) & SIP_STIP), "legacy.set_timer.clears", "sip 0x%lx", csr_read(sip));
    static volatile uint64_t mask;
    mask = 1UL << boot_hart;
    csr_clear(sip, SIP_SSIP);
    check_error(sbi_call(4, 0, &mask, 0, 0), 0, "legacy.send_ipi");
    check(soft_pending(), "legacy.send_ipi.pending", "SSIP is not set");
    sbi_call(4, 0, &mask, 0, 0);
    long pending = sbi_call(3, 0, 0, 0, 0).error;
    check(pending >= 0 && !(csr_read(sip) & SIP_SSIP), "legacy.clear_ipi", "error %ld sip 0x%lx",
          pending, csr_read(sip));
    check_error(sbi_call(5, 0, &mask, 0, 0), 0, "legacy.remote_fence_i");
    check_error(sbi_call(6, 0, &mask, 0, 0), 0, "legacy.remote_sfence_vma");
    check_error(sbi_call(7, 0, &mask, 0, 0), 0, "legacy.remote_sfence_vma_asid");
}

static struct trap legacy_ipi(uint64_t mask_address)
{
    register uint64_t a0 __asm__("a0") = mask_address;
    register uint64_t a7 __asm__("a7") = 4;
    TRY(LIST("+r"(a0)), LIST("r"(a7)), "ecall");
    return local()->trap;
}

static void check_legacy_arrives(uint64_t mask_address, const char *name)
{
    struct trap trap = legacy_ipi(mask_address);
    check(!trap.trapped && soft_pending(), name, "scause %lu stval 0x%lx", trap.scause, trap.stval);
}

/* The fault is the caller's, at its ecall. To machine mode QEMU 7.2 reports what a guest of two
 * stages has not mapped as an access fault. */
static void check_legacy_faults(uint64_t mask_address, uint64_t where, const char *name)
{
    csr_clear(sip, SIP_SSIP);
    struct trap trap = legacy_ipi(mask_address);
    uint64_t cause = argument("sip") ? CAUSE_LOAD_ACCESS : CAUSE_LOAD_PAGE;
    check_strict(trap.trapped && trap.scause == cause && trap.stval == where, name,
                 "trapped %lu scause %lu stval 0x%lx", trap.trapped, trap.scause, trap.stval);
    check_strict(!(csr_read(sip) & SIP_SSIP), name, "SSIP is set");
}

/* For machine mode that reads for a guest of two stages, QEMU 7.2 takes SUM for set and MXR for
 * clear, and a hole for a page that is not mapped. */
static void legacy_rights(void)
{
    page_map(WINDOW, (uint64_t)scratch_pages + PAGE, PTE_LEAF | PTE_U);
    check_legacy_faults(WINDOW, WINDOW, "legacy.send_ipi.user.sum_off");
    csr_set(sstatus, SSTATUS_SUM);
    check_legacy_arrives(WINDOW, "legacy.send_ipi.user.sum_on");
    csr_clear(sstatus, SSTATUS_SUM);
    page_map(WINDOW, (uint64_t)scratch_pages + PAGE, PTE_V | PTE_A | PTE_D | PTE_X);
    check_legacy_faults(WINDOW, WINDOW, "legacy.send_ipi.execute_only");
    csr_set(sstatus, SSTATUS_MXR);
    check_legacy_arrives(WINDOW, "legacy.send_ipi.execute_only.mxr");
    csr_clear(sstatus, SSTATUS_MXR);
    page_map(WINDOW, HOLE, PTE_LEAF);
    struct trap trap = legacy_ipi(WINDOW);
    check_strict(trap.scause == CAUSE_LOAD_ACCESS && trap.stval == WINDOW, "legacy.send_ipi.hole",
                 "scause %lu stval 0x%lx", trap.scause, trap.stval);
}

/* With paging on, the mask of a legacy call is read by its virtual address and with the caller's
 * rights: over two pages that are not neighbours, misaligned, user's pages with SUM alone, pages
 * that can only be executed with MXR alone. */
static void legacy_virtual(void)
{
    const uint64_t edge = WINDOW + PAGE - 4;
    paging_on();
    page_map(WINDOW, (uint64_t)scratch_pages + PAGE, PTE_LEAF);
    page_map(WINDOW + PAGE, (uint64_t)scratch_pages, PTE_LEAF);
    page_map(WINDOW + 2 * PAGE, 0, 0);
    *(volatile uint64_t *)WINDOW = 1UL << boot_hart;
    check_legacy_arrives(WINDOW, "legacy.send_ipi.virtual");
    for (unsigned i = 0; i < 8; i++)
        ((volatile uint8_t *)edge)[i] = (uint8_t)(1UL << boot_hart >> 8 * i);
    check_legacy_arrives(edge, "legacy.send_ipi.two_pages");
    check_legacy_faults(WINDOW + 5 * PAGE, WINDOW + 5 * PAGE, "legacy.send_ipi.fault");
    if (in_diosix) /* OpenSBI reads whole words */
        check_legacy_faults(WINDOW + 2 * PAGE - 4, WINDOW + 2 * PAGE, "legacy.send_ipi.half_fault");
    ((volatile uint8_t *)WINDOW)[3] = 0;
    memcpy((uint8_t *)WINDOW + 3, &(uint64_t){1UL << boot_hart}, 8);
    check_legacy_arrives(WINDOW + 3, "legacy.send_ipi.misaligned");
    *(volatile uint64_t *)WINDOW = 1UL << boot_hart;
    if (!argument("sip"))
        legacy_rights();
    paging_off();
}

static uint8_t stacks[HARTS_MAX][4096] __attribute__((aligned(16)));

static struct hart_local *other(unsigned index)
{
    struct hart_local *hart = &hart_locals[index];
    hart->stack_top = (uint64_t)stacks[index] + sizeof stacks[index];
    return hart;
}

/* Waits, with patience, for a state (SBI 3.0, 9, table of HSM states). */
static bool wait_state(uint64_t hart, uint64_t state)
{
    uint64_t give_up = time_now() + 10 * frequency;
    while (time_now() < give_up)
        if (sbi_call(SBI_HSM, 2, hart, 0, 0).value == state)
            return true;
    return false;
}

static bool wait_change(struct hart_local *hart, uint64_t state)
{
    uint64_t give_up = time_now() + 10 * frequency;
    while (hart->state != state && time_now() < give_up)
        ;
    return hart->state == state;
}

/* What a secondary hart does: reports, waits for an IPI, stops. */
static void secondary(struct hart_local *self)
{
    self->state = 1;
    csr_write(sie, SIP_SSIP);
    while (!(csr_read(sip) & SIP_SSIP))
        __asm__ volatile("wfi");
    csr_clear(sip, SIP_SSIP);
    self->state = 2;
    sbi_call(SBI_HSM, 1, 0, 0, 0);
    self->state = 3;
}

/* With nothing enabled in sie; the second time the first IPI is still pending. */
static void sleeper(struct hart_local *self)
{
    self->state = 1;
    for (unsigned round = 2; round < 4; round++) {
        sbi_call(SBI_HSM, 3, 0, 0, 0);
        self->state = round;
    }
    sbi_call(SBI_HSM, 1, 0, 0, 0);
}

static void suspended_without_interrupts(unsigned index, uint64_t id)
{
    struct hart_local *hart = other(index);
    hart->state = 0;
    hart->work = sleeper;
    sbi_call(SBI_HSM, 0, id, secondary_entry, hart);
    for (unsigned round = 2; round < 4; round++) {
        if (!check(wait_change(hart, round - 1) && wait_state(id, 4), "smp.suspend",
                   "hart %lu is not suspended", id))
            return;
        wait_until(time_now() + frequency / 100);
        check_strict(hart->state == round - 1, "smp.suspend.stays", "hart %lu has resumed", id);
        check_error(sbi_call(SBI_IPI, 0, 1, id, 0), SBI_SUCCESS, "smp.suspend.ipi");
        check(wait_change(hart, round), "smp.suspend.ipi_resumes", "hart %lu has not resumed", id);
    }
    check(wait_state(id, 1), "smp.suspend.stops", "state is not STOPPED");
}

static void one_secondary(unsigned index, uint64_t id)
{
    struct hart_local *hart = other(index);
    hart->state = 0;
    hart->id = ~0UL;
    hart->work = secondary;
    for (unsigned i = 0; in_diosix && i < NO_ENTRIES; i++)
        check_error(sbi_call(SBI_HSM, 0, id, no_entries[i].address, 0), SBI_ERR_INVALID_ADDRESS,
                    "smp.start.bad_address");
    check_equal(sbi_call(SBI_HSM, 2, id, 0, 0).value, 1, "smp.stopped_at_first");
    check_error(sbi_call(SBI_HSM, 0, id, secondary_entry, hart), SBI_SUCCESS, "smp.start");
    if (!check(wait_change(hart, 1), "smp.runs", "hart %lu has not come", id))
        return;
    check_equal(hart->id, id, "smp.a0");
    check(!hart->satp && !(hart->sstatus & SSTATUS_SIE), "smp.first_state",
          "satp 0x%lx sstatus 0x%lx", hart->satp, hart->sstatus);
    check(wait_state(id, 0), "smp.status.started", "state is not STARTED");
    check_error(sbi_call(SBI_HSM, 0, id, secondary_entry, hart), SBI_ERR_ALREADY_AVAILABLE,
                "smp.start.again");
    for (uint64_t function = 0; function <= 2; function++)
        check_error(sbi_call6(SBI_RFENCE, function, 1, id, 0, 0x1000, 0, 0), SBI_SUCCESS,
                    "smp.rfence");
    check_error(sbi_call(SBI_IPI, 0, 1, id, 0), SBI_SUCCESS, "smp.ipi");
    check(wait_change(hart, 2), "smp.ipi.arrives", "hart %lu has not woken", id);
    check(wait_state(id, 1), "smp.stops", "state is not STOPPED");
}

static void smp(void)
{
    if (hart_count < 2) {
        skip("smp", "one hart");
        return;
    }
    for (unsigned i = 0; i < hart_count; i++)
        if (hart_ids[i] != boot_hart) {
            suspended_without_interrupts(1, hart_ids[i]);
            break;
        }
    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0, index = 1; i < hart_count; i++)
            if (hart_ids[i] != boot_hart)
                one_secondary(index++, hart_ids[i]);
}

void payload_main(void)
{
    base();
    extensions();
    registers();
    time_extension();
    ipi();
    rfence();
    hsm();
    suspend();
    srst();
    dbcn();
    legacy();
    legacy_virtual();
    smp();
}
