/*
 * See ownership.h. RAM comes in regions, each with a byte for each of its pages and one for each of
 * its megapages: whose all of it is, or MIXED. So a question about a large range takes few looks.
 * What changes before there is memory for the bytes is kept in a list and repeated.
 */
#ifdef DEBUG
#include "ownership.h"
#include "capsule.h"
#include "log.h"
#include "memory.h"
#include <stdio.h>
#include <string.h>

#define REGION_MAX      32
#define EARLY_MAX       256
#define PAGES_IN_MEGA   (MEGAPAGE_SIZE / PAGE_SIZE)
#define FIRST_OF_TABLES CAPSULE_MAX /* the owner after the last capsule */
#define MIXED           255
#define OWNERS          (FIRST_OF_TABLES + CAPSULE_MAX - MEMORY_NONE)

_Static_assert(OWNERS <= MIXED, "an owner is a byte");

struct region {
    uint64_t base, end, first; /* `first`: the megapage that it begins in */
    uint8_t *pages, *megapages;
};

struct change {
    uint64_t base, size;
    int from, to;
};

static struct region regions[REGION_MAX];
static unsigned region_count;
static struct change early[EARLY_MAX];
static unsigned early_count;
static uint64_t bytes_of[OWNERS];
static bool ready;
static _Atomic uint32_t busy; /* within LOCK_MEMORY, or with no lock at all */

static uint8_t code(int owner)
{
    return (uint8_t)(owner - MEMORY_NONE);
}

int ownership_tables_of(int capsule)
{
    return FIRST_OF_TABLES + capsule;
}

static struct region *region_of(uint64_t address)
{
    for (unsigned i = 0; i < region_count; i++)
        if (address >= regions[i].base && address < regions[i].end)
            return &regions[i];
    return NULL;
}

static uint64_t least(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint8_t *page_byte(struct region *region, uint64_t address)
{
    return &region->pages[(address - region->base) / PAGE_SIZE];
}

static uint8_t *megapage_byte(struct region *region, uint64_t address)
{
    return &region->megapages[address / MEGAPAGE_SIZE - region->first];
}

static bool is_whole_megapage(uint64_t address, uint64_t end)
{
    return address % MEGAPAGE_SIZE == 0 && end - address >= MEGAPAGE_SIZE;
}

void ownership_describe(struct hpa page, char *text, size_t size)
{
    struct region *region = region_of(page.value);
    int owner = region == NULL ? MEMORY_NONE : *page_byte(region, page.value) + MEMORY_NONE;

    if (owner >= FIRST_OF_TABLES)
        snprintf(text, size, "the tables of capsule %d", owner - FIRST_OF_TABLES);
    else if (owner >= 0)
        snprintf(text, size, "capsule %d", owner);
    else
        snprintf(text, size, "%s",
                 owner == MEMORY_HYPERVISOR ? "the hypervisor"
                 : owner == MEMORY_RESERVED ? "reserved"
                 : owner == MEMORY_FREE     ? "nobody"
                                            : "no RAM");
}

__attribute__((noreturn)) static void panic_at(uint64_t page, const struct change *change)
{
    char text[48];

    ownership_describe(hpa(page), text, sizeof(text));
    panic("page 0x%lx changes hands from owner %d to %d, but is %s", (unsigned long)page,
          change->from, change->to, text);
}

/* Whose all pages are from the start of a megapage to its end, as far as the region goes. */
static uint8_t summary(struct region *region, uint64_t address)
{
    uint64_t start = address / MEGAPAGE_SIZE * MEGAPAGE_SIZE, end = start + MEGAPAGE_SIZE;

    if (start < region->base || end > region->end)
        return MIXED;
    const uint8_t *pages = page_byte(region, start);

    return memcmp(pages, pages + 1, PAGES_IN_MEGA - 1) == 0 ? *pages : MIXED;
}

/* What of the change lies in one megapage. */
static void apply_to_megapage(struct region *region, uint64_t address, uint64_t end,
                              const struct change *change)
{
    for (uint64_t page = address; page < end; page += PAGE_SIZE) {
        uint8_t *byte = page_byte(region, page);

        if (*byte != code(change->from))
            panic_at(page, change);
        *byte = code(change->to);
    }
    *megapage_byte(region, address) = summary(region, address);
}

static void apply(const struct change *change)
{
    uint64_t address = change->base, end = address + change->size;

    while (address < end) {
        struct region *region = region_of(address);
        uint64_t stop = least(end, align_down(address, MEGAPAGE_SIZE) + MEGAPAGE_SIZE);

        if (region == NULL)
            panic_at(address, change);
        stop = least(stop, region->end);
        apply_to_megapage(region, address, stop, change);
        address = stop;
    }
    bytes_of[code(change->from)] -= change->size;
    bytes_of[code(change->to)] += change->size;
}

static void note(struct hpa base, uint64_t size, int from, int to)
{
    struct change change = {base.value, size, from, to};

    if (!ready) {
        if (early_count < EARLY_MAX)
            early[early_count] = change;
        early_count++;
        return;
    }
    while (atomic_exchange(&busy, 1) != 0)
        ;
    apply(&change);
    atomic_store(&busy, 0);
}

void ownership_watch(void)
{
    memory_watcher = note;
}

static uint64_t megapages_of(const struct change *change)
{
    return (change->base + change->size - 1) / MEGAPAGE_SIZE - change->base / MEGAPAGE_SIZE + 1;
}

/* RAM that was added. The bytes of all regions lie one after the other. */
static uint64_t bytes_needed(void)
{
    uint64_t size = 0;

    for (unsigned i = 0; i < early_count; i++)
        if (early[i].from == MEMORY_NONE)
            size += early[i].size / PAGE_SIZE + megapages_of(&early[i]);
    return align_up(size, PAGE_SIZE);
}

static uint8_t *add_region(const struct change *change, uint8_t *room)
{
    struct region *region = &regions[region_count++];

    *region = (struct region){.base = change->base,
                              .end = change->base + change->size,
                              .first = change->base / MEGAPAGE_SIZE,
                              .pages = room,
                              .megapages = room + change->size / PAGE_SIZE};
    memset(region->pages, code(MEMORY_NONE), change->size / PAGE_SIZE);
    memset(region->megapages, MIXED, megapages_of(change));
    return region->megapages + megapages_of(change);
}

static unsigned count_regions(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < early_count; i++)
        count += early[i].from == MEMORY_NONE;
    return count;
}

void ownership_begin(void)
{
    struct hpa base;
    uint64_t size = early_count <= EARLY_MAX ? bytes_needed() : 0;

    if (size == 0 || count_regions() > REGION_MAX ||
        memory_alloc(size, PAGE_SIZE, MEMORY_RESERVED, &base) != OK || early_count > EARLY_MAX) {
        memory_watcher = NULL;
        log_error("no room for a second map of memory: the walls are not checked");
        return;
    }
    uint8_t *room = hpa_pointer(base);

    for (unsigned i = 0; i < early_count; i++)
        if (early[i].from == MEMORY_NONE)
            room = add_region(&early[i], room);
    for (unsigned i = 0; i < early_count; i++)
        apply(&early[i]);
    ready = true;
}

bool ownership_is_known(void)
{
    return ready;
}

void ownership_set_tables(struct hpa base, uint64_t size, int capsule, bool tables)
{
    int owner = ownership_tables_of(capsule);

    if (ready)
        note(base, size, tables ? MEMORY_HYPERVISOR : owner, tables ? owner : MEMORY_HYPERVISOR);
}

bool ownership_is(struct hpa base, uint64_t size, int owner, struct hpa *where)
{
    uint64_t address = base.value, end = address + size;

    while (address < end) {
        struct region *region = region_of(address);

        *where = hpa(address);
        if (region == NULL)
            return false;
        if (is_whole_megapage(address, least(end, region->end)) &&
            *megapage_byte(region, address) == code(owner)) {
            address += MEGAPAGE_SIZE;
            continue;
        }
        if (*page_byte(region, address) != code(owner))
            return false;
        address += PAGE_SIZE;
    }
    return true;
}

uint64_t ownership_bytes(int owner)
{
    return bytes_of[code(owner)];
}
#endif
