/*
 * The table below is the whole decision on what guests may use: an extension is listed to a guest
 * when every hart that runs guests has it and it is in the table. In the table is what works for a
 * guest with the state that a world switch moves and the controls that the harts are set to.
 *
 * Not in the table, so never listed:
 * - h, sh*: on the `pmp` back end a guest must not see them, and on `gstage` it has none of its
 * own;
 * - sm*: machine mode's own;
 * - svpbmt: memory that is mapped as non-cacheable may show what the cache has not written back, a
 *   former owner's data instead of our zeroes; and a guest has no device that needs it;
 * - zicbom, zicboz, ssnpm, sspm, supm, zicfilp, zicfiss, ssdbltrp: have to be enabled in
 *   menvcfg or henvcfg, which is not done;
 * - sscofpmf, ssccfg, sscsrind, ssctr, zihpm, ssaia, zcmt: have state that is not switched, or
 *   counters that are not given to guests;
 * - zkr: its seed CSR needs mseccfg; q, zfinx, zdinx, x*: registers that are not switched;
 * - svadu beside svade: who finds both takes it that harts set A and D bits only when they are
 * asked to (SBI 3.0, 18: PTE_AD_HW_UPDATING), and that cannot be asked for;
 * - zk, the sum of zkn, zkt and zkr.
 */
#include "isa.h"
#include "machine.h"
#include <string.h>

enum need {
    NEED_NOTHING,
    NEED_F,
    NEED_D,
    NEED_V,
    NEED_SSTC,
    NEED_SVADU,
    NEED_ZAWRS
};

struct extension {
    char name[13];
    uint8_t need; /* enum need: what must have been found by trying */
};

/* In canonical order (Unprivileged ISA, chapter "ISA Extension Naming Conventions"). */
static const struct extension table[] = {
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

#define COUNT (sizeof table / sizeof table[0])
_Static_assert(COUNT <= 128, "struct isa has a bit for each");

/* Names that stand for several. The first form of the ISA string had no names for what became
 * zicsr, zifencei and zicntr: they were part of "i" (Unprivileged ISA 2.0). */
static const struct {
    const char *name;
    const char *members[8];
} sums[] = {
    {"i", {"zicsr", "zifencei", "zicntr"}},
    {"g", {"i", "m", "a", "f", "d", "zicsr", "zifencei", "zicntr"}},
    {"b", {"zba", "zbb", "zbs"}},
};

/* What stays: programs and kernels take it for granted, and no hart has a switch for it. */
static const char fixed[] = "i m a c zicntr zicsr zifencei zmmul zaamo zalrsc zca zcd";

/* What cannot be without some other one, beyond is_met(): it needs it, or is the sum of several. */
static const struct {
    const char *name, *needs;
} dependents[] = {
    {"zfh", "zfhmin"},
    {"zkn", "zbkb zbkc zbkx zkne zknd zknh"},
    {"zks", "zbkb zbkc zbkx zksed zksh"},
    {"zve32f", "zve32x"},
    {"zve64x", "zve32x"},
    {"zve64f", "zve64x zve32f"},
    {"zve64d", "zve64f"},
    {"v", "zve64d"},
    {"zvbb", "zvkb"},
    {"zvfbfwma", "zvfbfmin zfbfmin"},
    {"zvfh", "zvfhmin zfhmin"},
    {"zvkn", "zvkned zvknhb zvkb zvkt"},
    {"zvknc", "zvkn zvbc"},
    {"zvkng", "zvkn zvkg"},
    {"zvks", "zvksed zvksh zvkb zvkt"},
    {"zvksc", "zvks zvbc"},
    {"zvksg", "zvks zvkg"},
};

static bool has(const struct isa *isa, size_t place)
{
    return place < COUNT && isa->bits[place / 64] >> place % 64 & 1;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool same(const char *name, const char *text, size_t length)
{
    size_t i = 0;

    for (; i < length && name[i] != '\0'; i++) {
        if (name[i] != lower(text[i]))
            return false;
    }
    return i == length && name[i] == '\0';
}

/* Most lists are in the table's order, more or less, so the search begins behind what was found
 * last. COUNT: there is none. */
static size_t find_after(size_t last, const char *text, size_t length)
{
    char first = length > 0 ? lower(text[0]) : '\0', second = length > 1 ? lower(text[1]) : '\0';

    for (size_t left = COUNT, place = last; left > 0; left--) {
        place = place + 1 < COUNT ? place + 1 : 0;
        const char *name = table[place].name;

        if (name[0] == first && name[1] == second && same(name, text, length))
            return place;
    }
    return COUNT;
}

static size_t find(const char *text, size_t length)
{
    return find_after(COUNT - 1, text, length);
}

bool isa_has(const struct isa *isa, const char *name)
{
    return has(isa, find(name, strlen(name)));
}

/* The place of what was added; if it is none of ours, `last`. */
static size_t add_after(size_t last, struct isa *isa, const char *text, size_t length)
{
    size_t place = find_after(last, text, length);

    if (place == COUNT)
        return last;
    isa->bits[place / 64] |= 1UL << place % 64;
    return place;
}

static void add(struct isa *isa, const char *text, size_t length)
{
    add_after(COUNT - 1, isa, text, length);
}

static void add_sum(struct isa *isa, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
        if (!same(sums[i].name, text, length))
            continue;
        for (size_t m = 0; m < 8 && sums[i].members[m]; m++)
            add(isa, sums[i].members[m], strlen(sums[i].members[m]));
    }
    add(isa, text, length);
}

/* How much of a name is left without a version like 1p0 or 2 at its end. */
static size_t without_version(const char *name, size_t length)
{
    size_t end = length;

    while (end > 0 && is_digit(name[end - 1]))
        end--;
    if (end > 1 && end < length && lower(name[end - 1]) == 'p' && is_digit(name[end - 2])) {
        end--;
        while (end > 0 && is_digit(name[end - 1]))
            end--;
    }
    return end;
}

/* The length of a version that follows a single letter, as 2p0 in "i2p0m". */
static size_t version_length(const char *text)
{
    size_t length = 0;

    while (is_digit(text[length]))
        length++;
    if (length > 0 && lower(text[length]) == 'p' && is_digit(text[length + 1])) {
        length++;
        while (is_digit(text[length]))
            length++;
    }
    return length;
}

/* Some trees end the single letters with "su", for the modes (QEMU before 7.0 did). */
static bool is_modes(const char *text)
{
    return lower(text[0]) == 's' && lower(text[1]) == 'u' &&
           (text[2] == '\0' || text[2] == '_' || lower(text[2]) == 'h');
}

static bool starts_name(char c)
{
    c = lower(c);
    return c == 'z' || c == 's' || c == 'x';
}

struct isa isa_of_string(const char *string)
{
    struct isa isa = {{0}};
    size_t last = COUNT - 1;

    if (strnlen(string, 4) < 4 || !same("rv64", string, 4))
        return isa;
    for (const char *text = string + 4; *text;) {
        size_t length = 1;

        if (is_modes(text)) {
            length = 2;
        } else if (starts_name(*text)) {
            length = strcspn(text, "_");
            last = add_after(last, &isa, text, without_version(text, length));
        } else if (*text != '_') {
            add_sum(&isa, text, 1);
            length = 1 + version_length(text + 1);
        }
        text += length;
    }
    return isa;
}

struct isa isa_of_list(const char *list, size_t size)
{
    struct isa isa = {{0}};
    size_t last = COUNT - 1;

    while (size > 0) {
        size_t length = strnlen(list, size);

        if (length == size)
            break; /* the last one has no NUL: it is damaged */
        last = add_after(last, &isa, list, length);
        list += length + 1;
        size -= length + 1;
    }
    return isa;
}

struct isa isa_intersection(struct isa a, struct isa b)
{
    return (struct isa){{a.bits[0] & b.bits[0], a.bits[1] & b.bits[1]}};
}

static bool is_met(enum need need, const struct hart_features *features)
{
    switch (need) {
    case NEED_F:
        return features->f;
    case NEED_D:
        return features->f && features->d;
    case NEED_V:
        return features->f && features->d && features->v;
    case NEED_SSTC:
        return features->sstc;
    case NEED_SVADU:
        return features->svadu;
    case NEED_ZAWRS:
        return features->zawrs;
    case NEED_NOTHING:
        break;
    }
    return true;
}

void isa_limit(struct isa *isa, const struct hart_features *features)
{
    for (size_t place = 0; place < COUNT; place++) {
        if (!is_met(table[place].need, features))
            isa->bits[place / 64] &= ~(1UL << place % 64);
    }
}

/* Is one of the words of `list`, which are separated by spaces, in the set? */
static bool has_any(const struct isa *isa, const char *list)
{
    for (size_t length; *list; list += length + (list[length] == ' ')) {
        length = strcspn(list, " ");
        if (has(isa, find(list, length)))
            return true;
    }
    return false;
}

/* Until nothing is added: the list need not be in any order. */
static void add_dependents(struct isa *isa)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < sizeof dependents / sizeof dependents[0]; i++) {
            if (isa_has(isa, dependents[i].name) || !has_any(isa, dependents[i].needs))
                continue;
            add(isa, dependents[i].name, strlen(dependents[i].name));
            more = true;
        }
    }
}

/* The set of the names; NULL, or the first that is wrong. */
static const char *read_removals(const char *names, struct isa *removed)
{
    struct isa stays = {{0}};

    names += strspn(names, " ,");
    if (!*names)
        return NULL;
    for (const char *name = fixed; *name; name += strspn(name, " ")) {
        add(&stays, name, strcspn(name, " "));
        name += strcspn(name, " ");
    }
    for (; *names; names += strspn(names, " ,")) {
        size_t length = strcspn(names, " ,"), place = COUNT;

        if (*names == '-')
            place = find(names + 1, length - 1);
        if (place == COUNT || has(&stays, place))
            return names;
        add(removed, names + 1, length - 1);
        names += length;
    }
    return NULL;
}

/* The needs, as bits, that go with the registers that are taken away. */
static unsigned lost_needs(const struct isa *removed)
{
    if (isa_has(removed, "f"))
        return 1U << NEED_F | 1U << NEED_D | 1U << NEED_V;
    if (isa_has(removed, "d"))
        return 1U << NEED_D | 1U << NEED_V;
    return isa_has(removed, "v") ? 1U << NEED_V : 0;
}

const char *isa_remove(struct isa *isa, const char *names)
{
    struct isa removed = {{0}};
    const char *wrong = read_removals(names, &removed);

    if (wrong || !(removed.bits[0] | removed.bits[1]))
        return wrong;
    add_dependents(&removed);
    unsigned lost = lost_needs(&removed);

    for (size_t place = 0; place < COUNT; place++) {
        if (has(&removed, place) || lost >> table[place].need & 1)
            isa->bits[place / 64] &= ~(1UL << place % 64);
    }
    return NULL;
}

/* Appends, or leaves out what does not fit as a whole. */
static size_t append(char *to, size_t used, size_t size, const char *before, const char *name)
{
    size_t head = strlen(before), length = strlen(name);

    if (used + head + length + 1 > size)
        return used;
    memcpy(to + used, before, head);
    memcpy(to + used + head, name, length + 1);
    return used + head + length;
}

void isa_format(const struct isa *isa, struct machine_isa *text)
{
    size_t base = append(text->base, 0, sizeof text->base, "", "rv64"), list = 0;

    memset(text->extensions, 0, sizeof text->extensions);
    for (size_t place = 0; place < COUNT; place++) {
        const char *name = table[place].name;

        if (!has(isa, place))
            continue;
        base = append(text->base, base, sizeof text->base, name[1] ? "_" : "", name);
        size_t end = append(text->extensions, list, sizeof text->extensions - 1, "", name);

        list = end == list ? list : end + 1; /* keeps the NUL */
    }
}
