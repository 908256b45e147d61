/*
 * A capsule's RAM: the checked way to it, and its first contents, which come when the guest first
 * reaches for them. What is not filled yet holds what its last owner left there, and no guest can
 * reach it, nor the hypervisor for a guest.
 *
 *     ram_base          ram_low                  ram_high           end
 *        |  the guest's    |   not filled, nobody's  |   the guest's   |
 *
 * Kernels begin at the one end, the device tree and the initramfs lie at the other, and so do what
 * programs take first and what Linux takes first. So the gap closes from both ends: whoever reaches
 * into it fills it from the nearer one, a megapage at a time, and tries again. An access far inside
 * is tried many times; between two tries the vCPU can be taken off its hart as ever, so a large
 * guest's start, or a guest that reboots all the time, delays nobody else.
 *
 * One hart fills at a time, and the ends of the gap only move towards each other.
 */
#include "capsule.h"
#include "log.h"
#include "port.h"
#include <string.h>

static uint64_t end_of(const struct capsule *capsule)
{
    return capsule->ram_base.value + capsule->ram_size;
}

bool capsule_has_memory(const struct capsule *capsule, struct gpa address, uint64_t size)
{
    uint64_t offset = address.value - capsule->ram_base.value;
    return address.value >= capsule->ram_base.value && offset <= capsule->ram_size &&
           size <= capsule->ram_size - offset;
}

struct gpa_range capsule_memory_gap(const struct capsule *capsule)
{
    struct gpa_range gap = {atomic_load(&capsule->ram_low), atomic_load(&capsule->ram_high)};
    if (gap.from >= gap.to)
        gap.from = gap.to = end_of(capsule);
    return gap;
}

bool capsule_memory_gap_has(const struct capsule *capsule, struct gpa address, uint64_t size)
{
    struct gpa_range gap = capsule_memory_gap(capsule);
    return gap.from < gap.to && address.value < gap.to && address.value + size > gap.from;
}

static char *at(const struct capsule *capsule, uint64_t address)
{
    return hpa_pointer(hpa(capsule->ram_host.value + (address - capsule->ram_base.value)));
}

void *capsule_memory(const struct capsule *capsule, struct gpa address, uint64_t size)
{
    if (!capsule_has_memory(capsule, address, size) ||
        capsule_memory_gap_has(capsule, address, size))
        return NULL;
    return at(capsule, address.value);
}

void capsule_memory_reset(struct capsule *capsule)
{
    atomic_store(&capsule->ram_low, capsule->ram_base.value);
    atomic_store(&capsule->ram_high, end_of(capsule));
}

/* --- filling --- */

/* Fills [from, to) with the part of the segment that lies there. */
static void fill_segment(struct capsule *capsule, const struct load_segment *segment, uint64_t from,
                         uint64_t to)
{
    uint64_t start = segment->start.value, end = start + segment->data_size;
    if (start < from)
        start = from;
    if (end > to)
        end = to;
    if (start < end)
        memcpy(at(capsule, start), (const char *)segment->data + (start - segment->start.value),
               end - start);
}

static void fill_zero(struct capsule *capsule, uint64_t from, uint64_t to)
{
    if (from < to)
        memset(at(capsule, from), 0, to - from);
}

/* Every byte of [from, to) is written once: from a segment, or zero. Segments are in order. */
static void fill(struct capsule *capsule, uint64_t from, uint64_t to)
{
    uint64_t done = from;
    for (unsigned i = 0; i < capsule->plan.count; i++) {
        const struct load_segment *segment = &capsule->plan.segments[i];
        uint64_t start = segment->start.value, end = start + segment->data_size;
        if (end <= done || start >= to)
            continue;
        fill_zero(capsule, done, start);
        fill_segment(capsule, segment, done, to);
        done = end < to ? end : to;
    }
    fill_zero(capsule, done, to);
}

static void write_device_tree(struct capsule *capsule)
{
    const struct load_plan *plan = &capsule->plan;
    enum error error = port_capsule_fdt(capsule, at(capsule, plan->fdt.value), plan->fdt_size,
                                        plan->initrd_start, plan->initrd_end);
    if (error == OK)
        return;
    log_error("capsule %s: no device tree: %s", capsule->config.name, error_name(error));
    capsule_stop(capsule);
}

/* The megapage at one end of the gap. The device tree is written at once, so where it begins, the
 * part goes on to its other end. */
static struct gpa_range part_at_end(const struct capsule *capsule, struct gpa_range gap,
                                    bool low_end)
{
    uint64_t tree = capsule->plan.fdt.value, tree_end = tree + capsule->plan.fdt_size;
    struct gpa_range part = gap;
    if (low_end) {
        part.to = align_down(gap.from, MEGAPAGE_SIZE) + MEGAPAGE_SIZE;
        if (tree < part.to && gap.from < tree_end)
            part.to = align_up(tree_end, MEGAPAGE_SIZE);
        part.to = part.to < gap.to ? part.to : gap.to;
    } else {
        part.from = align_down(gap.to - 1, MEGAPAGE_SIZE);
        if (part.from < tree_end && tree < gap.to)
            part.from = align_down(tree, MEGAPAGE_SIZE);
        part.from = part.from > gap.from ? part.from : gap.from;
    }
    return part;
}

/* From here on the guest may reach it. */
static void hand_over(struct capsule *capsule, struct gpa_range gap, struct gpa_range part)
{
    if (part.from == gap.from)
        atomic_store(&capsule->ram_low, part.to);
    else
        atomic_store(&capsule->ram_high, part.from);
    port_capsule_show(capsule, part.from, part.to);
}

static void fill_part(struct capsule *capsule, struct gpa_range gap, bool low_end)
{
    struct gpa_range part = part_at_end(capsule, gap, low_end);
    uint64_t tree = capsule->plan.fdt.value;
    port_memory_open(capsule);
    fill(capsule, part.from, part.to);
    if (tree >= part.from && tree < part.to)
        write_device_tree(capsule);
    port_memory_close();
    hand_over(capsule, gap, part);
}

bool capsule_memory_fill(struct capsule *capsule, struct gpa address, uint64_t size)
{
    if (size == 0 || !capsule_has_memory(capsule, address, size) ||
        !capsule_memory_gap_has(capsule, address, size))
        return false;
    if (atomic_exchange(&capsule->ram_filling, 1) != 0)
        return true; /* another hart is at it */
    struct gpa_range gap = capsule_memory_gap(capsule);
    uint64_t first = address.value < gap.from ? gap.from : address.value;
    if (gap.from < gap.to)
        fill_part(capsule, gap, first < gap.to && first - gap.from <= gap.to - first);
    atomic_store(&capsule->ram_filling, 0);
    return true;
}
