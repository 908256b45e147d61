/*
 * Where the parts of a capsule go in its RAM.
 *
 * First the kernel is recognised (kernel.c), then its parts become segments, and the blobs too,
 * each at its address; at last the device tree and the initramfs get places between the segments,
 * as near to the end of RAM as possible: kernels grow upwards from their start, and most programs
 * for small machines take the memory just behind themselves for granted.
 *
 * An ELF program that can move (ET_DYN) keeps the addresses that it was linked for when they are in
 * RAM, and is moved to the start of RAM otherwise. One that cannot (ET_EXEC), and bytes without a
 * header, stay where they belong.
 *
 * Each sum is checked for wrapping past 2^64, each range for being within RAM. Reasons are constant
 * strings, so a caller may keep them.
 */
#include "loader.h"
#include "capsule.h"
#include "kernel.h"

_Static_assert(LOAD_SEGMENT_MAX == LOAD_ELF_MAX + 1 + CAPSULE_BLOB_MAX, "room for all parts");

/* RAM as the guest sees it: [base, end). */
struct ram {
    uint64_t base, end;
};

static uint64_t lowest_blob(const struct capsule_config *config)
{
    uint64_t lowest = UINT64_MAX;

    for (unsigned i = 0; i < config->blob_count; i++)
        if (config->blobs[i].address < lowest)
            lowest = config->blobs[i].address;
    return lowest;
}

enum error loader_wants(const struct capsule_config *config, bool *fixed, struct gpa *lowest,
                        const char **reason)
{
    struct kernel kernel;
    enum error error = kernel_check(config, &kernel, reason);

    if (error)
        return error;
    *fixed = false;
    *lowest = gpa(0);
    if (kernel.kind == KERNEL_FLAT) {
        *fixed = true;
        *lowest = gpa(kernel.flat_address);
    } else if (kernel.kind == KERNEL_ELF && kernel.elf.type == ELF_TYPE_EXEC) {
        *fixed = true;
        *lowest = gpa(kernel.lowest);
    } else if (kernel.kind == KERNEL_LINUX) {
        *lowest = gpa(kernel.header.text_offset);
    }
    if (!*fixed && config->blob_count > 0) {
        *fixed = true;
        *lowest = gpa(lowest_blob(config));
    }
    return OK;
}

/* --- segments --- */

/* Is [start, start + size) within RAM? */
static bool in_ram(struct ram ram, uint64_t start, uint64_t size)
{
    return start >= ram.base && start <= ram.end && size <= ram.end - start;
}

/* Where a program that can move goes: Linux insists on a megapage. RAM need not begin at one: then
 * it lacks what firmware has of the first, and a kernel may still be at its offset from there. */
static uint64_t first_megapage(struct ram ram, uint64_t offset)
{
    uint64_t first = align_down(ram.base, MEGAPAGE_SIZE);

    return ram.base - first <= offset ? first : align_up(ram.base, MEGAPAGE_SIZE);
}

/* The first segment that has a byte in [start, start + size), which does not wrap; else NULL. */
static const struct load_segment *overlapping(const struct load_plan *plan, uint64_t start,
                                              uint64_t size)
{
    for (unsigned i = 0; i < plan->count; i++) {
        const struct load_segment *segment = &plan->segments[i];

        if (segment->start.value < start + size && start < segment->start.value + segment->size)
            return segment;
    }
    return NULL;
}

/* At its place in the order of addresses. */
static void insert_segment(struct load_plan *plan, struct load_segment segment)
{
    unsigned at = plan->count++;

    for (; at > 0 && plan->segments[at - 1].start.value > segment.start.value; at--)
        plan->segments[at] = plan->segments[at - 1];
    plan->segments[at] = segment;
}

/* Of the kernel. */
static enum error add_segment(struct load_plan *plan, struct ram ram, struct load_segment segment,
                              const char **reason)
{
    if (!in_ram(ram, segment.start.value, segment.size)) {
        *reason = "some of the kernel would lie outside the capsule's RAM";
        return ERROR_NO_MEMORY;
    }
    if (overlapping(plan, segment.start.value, segment.size))
        return kernel_reject(reason, "two segments of the ELF file overlap");
    insert_segment(plan, segment);
    return OK;
}

/* Turns the entry point, a virtual address, into a physical one by the segment that holds it.
 * Some kernels state the physical address instead. */
static enum error elf_entry(const struct kernel *kernel, uint64_t moved, struct load_plan *plan,
                            const char **reason)
{
    uint64_t entry = kernel->elf.entry;

    for (int physical = 0; physical <= 1; physical++) {
        for (unsigned i = 0; i < kernel->elf.phnum; i++) {
            struct elf_segment segment;
            bool loaded = kernel_segment(kernel, i, &segment);
            uint64_t start = physical ? segment.paddr : segment.vaddr;

            if (loaded && entry >= start && entry - start < segment.memsz) {
                plan->entry = gpa(segment.paddr + moved + (entry - start));
                return plan->entry.value % 2 == 0
                           ? OK
                           : kernel_reject(reason, "the ELF file's entry point is odd");
            }
        }
    }
    return kernel_reject(reason, "the ELF file's entry point lies in no loadable segment");
}

/* How far a program is moved from where it was linked, modulo 2^64. */
static uint64_t elf_displacement(const struct kernel *kernel, struct ram ram)
{
    if (kernel->elf.type == ELF_TYPE_EXEC ||
        in_ram(ram, kernel->lowest, kernel->end - kernel->lowest))
        return 0;
    return first_megapage(ram, 0) - align_down(kernel->lowest, MEGAPAGE_SIZE);
}

static enum error plan_elf(const struct kernel *kernel, struct ram ram, struct load_plan *plan,
                           const char **reason)
{
    uint64_t moved = elf_displacement(kernel, ram);

    /* A sum may wrap only if the whole does: then it is too large for RAM anyway. */
    if (kernel->end - kernel->lowest > ram.end - ram.base) {
        *reason = "the ELF file takes more than the capsule's RAM";
        return ERROR_NO_MEMORY;
    }
    for (unsigned i = 0; i < kernel->elf.phnum; i++) {
        struct elf_segment segment;
        enum error error;

        if (!kernel_segment(kernel, i, &segment))
            continue;
        error = add_segment(plan, ram,
                            (struct load_segment){gpa(segment.paddr + moved), segment.memsz,
                                                  (const char *)kernel->blob->data + segment.offset,
                                                  segment.filesz},
                            reason);
        if (error)
            return error;
    }
    return elf_entry(kernel, moved, plan, reason);
}

/* A kernel without its own list of segments: one segment, entered at its start. */
static enum error plan_whole(const struct blob *blob, uint64_t start, uint64_t size, struct ram ram,
                             struct load_plan *plan, const char **reason)
{
    plan->entry = gpa(start);
    return add_segment(plan, ram, (struct load_segment){gpa(start), size, blob->data, blob->size},
                       reason);
}

static enum error plan_linux(const struct kernel *kernel, struct ram ram, struct load_plan *plan,
                             const char **reason)
{
    /* image_size counts what is not in the file too, such as .bss. */
    uint64_t size = kernel->header.image_size, offset = kernel->header.text_offset;
    uint64_t first = first_megapage(ram, offset);

    if (size < kernel->blob->size)
        size = kernel->blob->size;
    if (offset > UINT64_MAX - first)
        return kernel_reject(reason, "the Linux Image's text_offset is beyond the address space");
    return plan_whole(kernel->blob, first + offset, size, ram, plan, reason);
}

static enum error plan_kernel(const struct kernel *kernel, struct ram ram, struct load_plan *plan,
                              const char **reason)
{
    switch (kernel->kind) {
    case KERNEL_ELF:
        return plan_elf(kernel, ram, plan, reason);
    case KERNEL_LINUX:
        return plan_linux(kernel, ram, plan, reason);
    case KERNEL_NONE:
        plan->entry = gpa(LOAD_FLASH_ADDRESS);
        return OK;
    default:
        return plan_whole(kernel->blob, kernel->flat_address, kernel->blob->size, ram, plan,
                          reason);
    }
}

/* --- blobs --- */

static enum error plan_blobs(const struct capsule_config *config, struct ram ram,
                             struct load_plan *plan, const char **reason)
{
    for (unsigned i = 0; i < config->blob_count; i++) {
        const struct blob *blob = &config->blobs[i].blob;
        uint64_t address = config->blobs[i].address;

        if (!in_ram(ram, address, blob->size)) {
            *reason = "a blob would lie outside the capsule's RAM";
            return ERROR_NO_MEMORY;
        }
        if (overlapping(plan, address, blob->size))
            return kernel_reject(reason, "a blob overlaps the kernel or another blob");
        insert_segment(plan,
                       (struct load_segment){gpa(address), blob->size, blob->data, blob->size});
    }
    return OK;
}

/* --- device tree and initramfs --- */

/* The highest place of `size` bytes below `limit` that is aligned and where no segment is. */
static bool find_place(const struct load_plan *plan, struct ram ram, uint64_t limit, uint64_t size,
                       uint64_t align, uint64_t *place)
{
    while (limit >= ram.base && limit - ram.base >= size) {
        const struct load_segment *segment;

        *place = align_down(limit - size, align);
        if (*place < ram.base)
            return false;
        segment = overlapping(plan, *place, size);
        if (!segment)
            return true;
        limit = segment->start.value;
    }
    return false;
}

/* Finds places for both, with the device tree aligned to `align`. */
static bool place_extras(const struct load_plan *plan, struct ram ram, uint64_t align,
                         uint64_t initramfs_size, uint64_t *fdt, uint64_t *initramfs)
{
    return find_place(plan, ram, ram.end, plan->fdt_size, align, fdt) &&
           find_place(plan, ram, *fdt, initramfs_size, PAGE_SIZE, initramfs);
}

static enum error plan_extras(const struct capsule_config *config, struct ram ram,
                              struct load_plan *plan, const char **reason)
{
    const struct blob *blob = &config->initramfs;
    uint64_t size = blob->data ? blob->size : 0;
    uint64_t fdt, initramfs;

    plan->fdt_size = LOAD_FDT_SIZE + (config->cpus > 1 ? (config->cpus - 1) * PAGE_SIZE : 0);

    /* A kernel maps the device tree before it knows anything: in a megapage of its own that works
     * for all of them. Where there is no room for that, a page boundary must do. */
    if (!place_extras(plan, ram, MEGAPAGE_SIZE, size, &fdt, &initramfs) &&
        !place_extras(plan, ram, PAGE_SIZE, size, &fdt, &initramfs)) {
        *reason = size ? "RAM has no room for the device tree and the initramfs beside the kernel"
                       : "RAM has no room for the device tree beside the kernel";
        return ERROR_NO_MEMORY;
    }
    plan->fdt = gpa(fdt);
    if (size == 0)
        return OK;
    plan->initrd_start = initramfs;
    plan->initrd_end = initramfs + size;
    return add_segment(plan, ram, (struct load_segment){gpa(initramfs), size, blob->data, size},
                       reason);
}

enum error loader_plan(const struct capsule_config *config, struct gpa base, uint64_t size,
                       struct load_plan *plan, const char **reason)
{
    struct ram ram = {base.value, base.value + size};
    struct kernel kernel;
    enum error error;

    *plan = (struct load_plan){0};
    if (base.value > UINT64_MAX - size) {
        *reason = "RAM would wrap past the end of the address space";
        return ERROR_NO_MEMORY;
    }
    error = kernel_check(config, &kernel, reason);
    if (!error)
        error = plan_kernel(&kernel, ram, plan, reason);
    if (!error)
        error = plan_blobs(config, ram, plan, reason);
    if (!error)
        error = plan_extras(config, ram, plan, reason);
    return error;
}
