/*
 * The table below is the whole decision on what guests may use: an extension is listed to a guest
 * when every hart that runs guests has it and it is in the table. In the table is what works for a
 * guest with the state that a world switch moves and the controls that the harts are set to.
 *
 * Not in the table, so never listed:
 * - h, sh*: a guest has no hypervisor extension of its own;
 * - sm*: machine mode's own;
 * - svpbmt: memory that is mapped as non-cacheable may show what the cache has not written back, a
 *   former owner's data instead of our zeroes; and a guest has no device that needs it;
 * - zicbom, ssnpm, sspm, supm, zicfilp, zicfiss, ssdbltrp: have to be enabled in menvcfg or
 *   henvcfg, which is not done;
 * - sscofpmf, ssccfg, sscsrind, ssctr, zihpm, ssaia, zcmt: have state that is not switched, or
 *   counters that are not given to guests;
 * - zkr: its seed CSR needs mseccfg; q, zfinx, zdinx, x*: registers that are not switched;
 * - svadu beside svade: who finds both asks harts to set A and D bits (SBI 3.0, 18:
 *   PTE_AD_HW_UPDATING), and that cannot be asked for;
 * - zk, the sum of zkn, zkt and zkr.
 */
#include "isa_table.h"
#include "machine.h"
#include <string.h>

/* In canonical order (Unprivileged ISA, chapter "ISA Extension Naming Conventions"). */
const struct extension isa_table[] = {
    /* Registers of these are switched. */
    {"i", NEED_NOTHING},
    {"m", NEED_NOTHING},
    {"a", NEED_NOTHING},
    {"f", NEED_F},
    {"d", NEED_D},
    {"c", NEED_NOTHING},
    {"v", NEED_V},
    /* Prefetches and other hints do nothing where they are not implemented. zicntr: mcounteren lets
     * the counters through, and `time` is emulated where a hart lacks it. */
    {"zic64b", NEED_NOTHING},
    {"zicbop", NEED_NOTHING},
    {"zicboz", NEED_ZICBOZ}, /* a store, for translation and PMP ("CMO" 1.0.1, 2.5.2) */
    {"ziccamoa", NEED_NOTHING},
    {"ziccif", NEED_NOTHING},
    {"zicclsm", NEED_NOTHING},
    {"ziccrse", NEED_NOTHING},
    {"zicntr", NEED_NOTHING},
    {"zicond", NEED_NOTHING},
    {"zicsr", NEED_NOTHING},
    {"zifencei", NEED_NOTHING},
    {"zihintntl", NEED_NOTHING},
    {"zihintpause", NEED_NOTHING},
    {"zimop", NEED_NOTHING},
    {"zmmul", NEED_NOTHING},
    /* Atomics: instructions, or promises about them, without state. */
    {"za128rs", NEED_NOTHING},
    {"za64rs", NEED_NOTHING},
    {"zaamo", NEED_NOTHING},
    {"zabha", NEED_NOTHING},
    {"zacas", NEED_NOTHING},
    {"zalrsc", NEED_NOTHING},
    {"zama16b", NEED_NOTHING},
    {"zawrs", NEED_ZAWRS}, /* a wrs.nto that traps because it waits is finished: emulate.c */
    /* Floating point in the f registers. */
    {"zfa", NEED_F},
    {"zfbfmin", NEED_F},
    {"zfh", NEED_F},
    {"zfhmin", NEED_F},
    /* Compressed forms of what is there. */
    {"zca", NEED_NOTHING},
    {"zcb", NEED_NOTHING},
    {"zcd", NEED_D},
    {"zcmop", NEED_NOTHING},
    /* Bits and scalar cryptography: instructions on the x registers. */
    {"zba", NEED_NOTHING},
    {"zbb", NEED_NOTHING},
    {"zbc", NEED_NOTHING},
    {"zbkb", NEED_NOTHING},
    {"zbkc", NEED_NOTHING},
    {"zbkx", NEED_NOTHING},
    {"zbs", NEED_NOTHING},
    {"zkn", NEED_NOTHING},
    {"zknd", NEED_NOTHING},
    {"zkne", NEED_NOTHING},
    {"zknh", NEED_NOTHING},
    {"zks", NEED_NOTHING},
    {"zksed", NEED_NOTHING},
    {"zksh", NEED_NOTHING},
    {"zkt", NEED_NOTHING},
    /* A promise about the order of memory. */
    {"ztso", NEED_NOTHING},
    /* Vectors in the v registers. */
    {"zvbb", NEED_V},
    {"zvbc", NEED_V},
    {"zve32f", NEED_V},
    {"zve32x", NEED_V},
    {"zve64d", NEED_V},
    {"zve64f", NEED_V},
    {"zve64x", NEED_V},
    {"zvfbfmin", NEED_V},
    {"zvfbfwma", NEED_V},
    {"zvfh", NEED_V},
    {"zvfhmin", NEED_V},
    {"zvkb", NEED_V},
    {"zvkg", NEED_V},
    {"zvkn", NEED_V},
    {"zvknc", NEED_V},
    {"zvkned", NEED_V},
    {"zvkng", NEED_V},
    {"zvknha", NEED_V},
    {"zvknhb", NEED_V},
    {"zvks", NEED_V},
    {"zvksc", NEED_V},
    {"zvksed", NEED_V},
    {"zvksg", NEED_V},
    {"zvksh", NEED_V},
    {"zvkt", NEED_V},
    /* Supervisor mode: promises, and the timer that was found to work. */
    {"ssccptr", NEED_NOTHING},
    {"sscounterenw", NEED_NOTHING},
    {"sstc", NEED_SSTC},
    {"sstvala", NEED_NOTHING},
    {"sstvecd", NEED_NOTHING},
    {"ssu64xl", NEED_NOTHING},
    /* Page tables. */
    {"svade", NEED_NOTHING},
    {"svadu", NEED_SVADU},
    {"svinval", NEED_NOTHING},
    {"svnapot", NEED_NOTHING},
    {"svvptc", NEED_NOTHING},
};

const size_t isa_count = sizeof isa_table / sizeof isa_table[0];
_Static_assert(sizeof isa_table / sizeof isa_table[0] <= 128, "struct isa has a bit for each");

bool isa_is_name(const char *name, const char *text, size_t length)
{
    size_t i = 0;

    for (; i < length && name[i] != '\0'; i++) {
        if (name[i] != isa_lower(text[i]))
            return false;
    }
    return i == length && name[i] == '\0';
}

size_t isa_find_after(size_t last, const char *text, size_t length)
{
    char first = length > 0 ? isa_lower(text[0]) : '\0',
         second = length > 1 ? isa_lower(text[1]) : '\0';

    const struct extension *at = &isa_table[last], *end = &isa_table[isa_count];

    for (size_t left = isa_count; left > 0; left--) {
        at = at + 1 < end ? at + 1 : isa_table;
        if (at->name[0] == first && at->name[1] == second && isa_is_name(at->name, text, length))
            return (size_t)(at - isa_table);
    }
    return isa_count;
}

size_t isa_find(const char *text, size_t length)
{
    return isa_find_after(isa_count - 1, text, length);
}

bool isa_has(const struct isa *isa, const char *name)
{
    return isa_has_place(isa, isa_find(name, strlen(name)));
}

/* Appends, or leaves out what does not fit as a whole. */
static size_t append(char *to, size_t used, size_t size, bool apart, const char *name)
{
    size_t length = strlen(name);

    if (used + apart + length + 1 > size)
        return used;
    to[used] = '_';
    memcpy(to + used + apart, name, length + 1);
    return used + apart + length;
}

void isa_format(const struct isa *isa, struct machine_isa *text)
{
    size_t base = append(text->base, 0, sizeof text->base, false, "rv64"), list = 0;

    memset(text->extensions, 0, sizeof text->extensions);
    for (size_t place = 0; place < isa_count; place++) {
        const char *name = isa_table[place].name;

        if (!isa_has_place(isa, place))
            continue;
        base = append(text->base, base, sizeof text->base, name[1] != '\0', name);
        size_t end = append(text->extensions, list, sizeof text->extensions - 1, false, name);

        list = end == list ? list : end + 1; /* keeps the NUL */
    }
}
