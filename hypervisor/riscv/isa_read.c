/*
 * How the extensions of harts are read from their device tree and taken away again, by what was
 * tried and by the manifest. For boot alone.
 */
#include "isa_table.h"
#include <string.h>

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

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The place of what was added; if it is none of ours, `last`. */
static size_t add_after(size_t last, struct isa *isa, const char *text, size_t length)
{
    size_t place = isa_find_after(last, text, length);

    if (place == isa_count)
        return last;
    isa->bits[place / 64] |= 1UL << place % 64;
    return place;
}

static void add(struct isa *isa, const char *text, size_t length)
{
    add_after(isa_count - 1, isa, text, length);
}

static void add_sum(struct isa *isa, const char *text, size_t length)
{
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++) {
        if (!isa_is_name(sums[i].name, text, length))
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
    if (end > 1 && end < length && isa_lower(name[end - 1]) == 'p' && is_digit(name[end - 2])) {
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
    if (length > 0 && isa_lower(text[length]) == 'p' && is_digit(text[length + 1])) {
        length++;
        while (is_digit(text[length]))
            length++;
    }
    return length;
}

/* Some trees end the single letters with "su", for the modes (QEMU before 7.0 did). */
static bool is_modes(const char *text)
{
    return isa_lower(text[0]) == 's' && isa_lower(text[1]) == 'u' &&
           (text[2] == '\0' || text[2] == '_' || isa_lower(text[2]) == 'h');
}

static bool starts_name(char c)
{
    c = isa_lower(c);
    return c == 'z' || c == 's' || c == 'x';
}

struct isa isa_of_string(const char *string)
{
    struct isa isa = {{0}};
    size_t last = isa_count - 1;

    if (strnlen(string, 4) < 4 || !isa_is_name("rv64", string, 4))
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
    size_t last = isa_count - 1;

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
    case NEED_ZICBOZ:
        return features->menvcfg && features->zero_block > 0;
    case NEED_NOTHING:
        break;
    }
    return true;
}

void isa_limit(struct isa *isa, const struct hart_features *features)
{
    for (size_t place = 0; place < isa_count; place++) {
        if (!is_met(isa_table[place].need, features))
            isa->bits[place / 64] &= ~(1UL << place % 64);
    }
}

/* Is one of the words of `list`, which are separated by spaces, in the set? */
static bool has_any(const struct isa *isa, const char *list)
{
    for (size_t length; *list; list += length + (list[length] == ' ')) {
        length = strcspn(list, " ");
        if (isa_has_place(isa, isa_find(list, length)))
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
        size_t length = strcspn(names, " ,"), place = isa_count;

        if (*names == '-')
            place = isa_find(names + 1, length - 1);
        if (place == isa_count || isa_has_place(&stays, place))
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

    for (size_t place = 0; place < isa_count; place++) {
        if (isa_has_place(&removed, place) || lost >> isa_table[place].need & 1)
            isa->bits[place / 64] &= ~(1UL << place % 64);
    }
    return NULL;
}
