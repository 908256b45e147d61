/*
 * Where the parts of a capsule go in its RAM.
 *
 * First the kernel is recognised by its first bytes, then its parts become segments, and the blobs
 * too, each at its address; at last the device tree and the initramfs get places between the
 * segments, as near to the end of RAM as possible: kernels grow upwards from their start, and most
 * programs for small machines take the memory just behind themselves for granted.
 *
 * An ELF program that can move (ET_DYN) keeps the addresses that it was linked for when they are in
 * RAM, and is moved to the start of RAM otherwise. One that cannot (ET_EXEC), and bytes without a
 * header, stay where they belong.
 *
 * Files are not believed: each sum is checked for wrapping past 2^64, each range for being within
 * the file or within RAM. Reasons are constant strings, so a caller may keep them.
 *
 * Nothing is unpacked here: mkdmfs does that when the image is made, so that machine mode runs no
 * decompressor on data from outside, and a restart is a copy.
 */
#include "loader.h"
#include "capsule.h"
#include <string.h>

#define FLAT_ADDRESS                                                                               \
    0x80200000UL /* QEMU's virt starts a supervisor program here: hw/riscv/boot.c */
#define FLASH_ADDRESS 0x20000000UL /* and here one that is in flash: hw/riscv/virt.c */

_Static_assert(LOAD_SEGMENT_MAX == LOAD_ELF_MAX + 1 + CAPSULE_BLOB_MAX, "room for all parts");

/* ELF-64 Object File Format 1.5, figures 2 to 7; machine: RISC-V ELF psABI 1.0, 8.1. */
#define ELF_CLASS_64      2
#define ELF_DATA_LSB      1
#define ELF_VERSION       1
#define ELF_TYPE_EXEC     2
#define ELF_TYPE_DYN      3
#define ELF_MACHINE_RISCV 243
#define ELF_SEGMENT_LOAD  1
#define ELF_HEADERS_MAX   128 /* none that boots has more; keeps the work for bad ones small */

struct elf_header {
    uint8_t magic[4], class, data, ident_version, ident_rest[9];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
_Static_assert(sizeof(struct elf_header) == 64, "as in the file");

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
_Static_assert(sizeof(struct elf_segment) == 56, "as in the file");

/* Linux, Documentation/arch/riscv/boot-image-header.rst. */
struct linux_header {
    uint32_t code[2];
    uint64_t text_offset, image_size, flags;
    uint32_t version, reserved;
    uint64_t reserved2, magic;
    uint8_t magic2[4];
    uint32_t reserved3;
};
_Static_assert(sizeof(struct linux_header) == 64, "as in the file");
#define LINUX_FLAG_BIG_ENDIAN 1

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structures above are little-endian");

enum kernel_kind {
    KERNEL_ELF,
    KERNEL_LINUX,
    KERNEL_FLAT,
    KERNEL_NONE /* what is in flash starts */
};

/* A kernel that has been looked at. */
struct kernel {
    const struct blob *blob;
    enum kernel_kind kind;
    struct elf_header elf;
    struct linux_header header;
    uint64_t flat_address;
    /* of an ELF: the physical addresses that it was linked for */
    uint64_t lowest, end;
};

/* RAM as the guest sees it: [base, end). */
struct ram {
    uint64_t base, end;
};

static enum error reject(const char **reason, const char *text)
{
    *reason = text;
    return ERROR_BAD_IMAGE;
}

static bool starts_with(const struct blob *blob, size_t offset, const char *bytes, size_t count)
{
    return blob->size >= offset + count &&
           memcmp((const char *)blob->data + offset, bytes, count) == 0;
}

/* --- ELF --- */

static struct elf_segment elf_segment(const struct kernel *kernel, unsigned index)
{
    struct elf_segment segment;

    memcpy(&segment, (const char *)kernel->blob->data + kernel->elf.phoff + index * sizeof(segment),
           sizeof(segment));
    return segment;
}

static bool elf_is_loaded(const struct elf_segment *segment)
{
    return segment->type == ELF_SEGMENT_LOAD && segment->memsz > 0;
}

static const char *elf_header_fault(const struct kernel *kernel)
{
    const struct elf_header *elf = &kernel->elf;
    size_t size = kernel->blob->size;

    if (elf->class != ELF_CLASS_64 || elf->data != ELF_DATA_LSB)
        return "an ELF file, but not a 64-bit little-endian one";
    if (elf->ident_version != ELF_VERSION || elf->version != ELF_VERSION)
        return "an ELF file of an unknown version";
    if (elf->machine != ELF_MACHINE_RISCV)
        return "an ELF file for another processor than RISC-V";
    if (elf->type != ELF_TYPE_EXEC && elf->type != ELF_TYPE_DYN)
        return "an ELF file that is not linked into a program";
    if (elf->entry % 2)
        return "the ELF file's entry point is at an odd address";
    if (elf->phnum == 0)
        return "the ELF file has no program headers";
    if (elf->phnum > ELF_HEADERS_MAX)
        return "the ELF file has more than 128 program headers";
    if (elf->phentsize != sizeof(struct elf_segment))
        return "the ELF file's program headers are not of 56 bytes";
    if (elf->phoff > size || size - elf->phoff < elf->phnum * sizeof(struct elf_segment))
        return "the ELF file's program headers lie beyond its end";
    return NULL;
}

static const char *elf_segment_fault(const struct elf_segment *segment, size_t file_size)
{
    if (segment->filesz > segment->memsz)
        return "a segment of the ELF file is larger in the file than in memory";
    if (segment->offset > file_size || file_size - segment->offset < segment->filesz)
        return "a segment of the ELF file lies beyond its end";
    if (segment->paddr > UINT64_MAX - segment->memsz ||
        segment->vaddr > UINT64_MAX - segment->memsz)
        return "a segment of the ELF file wraps past the end of the address space";
    return NULL;
}

/* Checks every segment and finds out what addresses they take together. */
static enum error elf_check(struct kernel *kernel, const char **reason)
{
    const char *fault;
    unsigned loaded = 0;

    if (kernel->blob->size < sizeof(kernel->elf))
        return reject(reason, "an ELF file that ends within its header");
    memcpy(&kernel->elf, kernel->blob->data, sizeof(kernel->elf));
    fault = elf_header_fault(kernel);
    kernel->lowest = UINT64_MAX;
    kernel->end = 0;
    for (unsigned i = 0; !fault && i < kernel->elf.phnum; i++) {
        struct elf_segment segment = elf_segment(kernel, i);

        if (!elf_is_loaded(&segment))
            continue;
        fault = elf_segment_fault(&segment, kernel->blob->size);
        loaded++;
        if (segment.paddr < kernel->lowest)
            kernel->lowest = segment.paddr;
        if (segment.paddr + segment.memsz > kernel->end)
            kernel->end = segment.paddr + segment.memsz;
    }
    if (fault)
        return reject(reason, fault);
    if (loaded == 0)
        return reject(reason, "the ELF file has no loadable segment");
    if (loaded > LOAD_ELF_MAX)
        return reject(reason, "the ELF file has more than 15 loadable segments");
    return OK;
}

/* --- recognising a kernel --- */

static const char *packed_format(const struct blob *blob)
{
    if (starts_with(blob, 0, "\x1f\x8b", 2))
        return "compressed with gzip; mkdmfs unpacks it";
    if (starts_with(blob, 0, "\x28\xb5\x2f\xfd", 4))
        return "compressed with zstd; mkdmfs unpacks it";
    if (starts_with(blob, 0,
                    "\xfd"
                    "7zXZ",
                    5))
        return "compressed with xz; mkdmfs unpacks it";
    if (starts_with(blob, 0, "MZ", 2) && starts_with(blob, 4, "zimg", 4))
        return "compressed, an EFI zboot program; mkdmfs unpacks it";
    return NULL;
}

static enum error kernel_check_linux(struct kernel *kernel, const char **reason)
{
    kernel->kind = KERNEL_LINUX;
    memcpy(&kernel->header, kernel->blob->data, sizeof(kernel->header));
    if (kernel->header.flags & LINUX_FLAG_BIG_ENDIAN)
        return reject(reason, "a big-endian Linux Image");
    if (kernel->header.text_offset % 4)
        return reject(reason, "the Linux Image's text_offset is not a multiple of 4");
    return OK;
}

static enum error kernel_check_flat(struct kernel *kernel, uint64_t load, const char **reason)
{
    kernel->kind = KERNEL_FLAT;
    kernel->flat_address = load ? load : FLAT_ADDRESS;
    if (kernel->flat_address % 2)
        return reject(reason, "the load address is odd");
    if (kernel->flat_address > UINT64_MAX - kernel->blob->size)
        return reject(reason, "it would wrap past the end of the address space");
    return OK;
}

static enum error kernel_check(const struct capsule_config *config, struct kernel *kernel,
                               const char **reason)
{
    const struct blob *blob = &config->kernel;
    const char *format;

    *kernel = (struct kernel){.blob = blob};
    if (!blob->data && config->flash[0].data) {
        kernel->kind = KERNEL_NONE;
        return OK;
    }
    if (!blob->data || blob->size == 0)
        return reject(reason, "there is none");
    format = packed_format(blob);
    if (format)
        return reject(reason, format);
    if (starts_with(blob, 0,
                    "\x7f"
                    "ELF",
                    4)) {
        kernel->kind = KERNEL_ELF;
        return elf_check(kernel, reason);
    }
    if (blob->size >= sizeof(kernel->header) &&
        starts_with(blob, offsetof(struct linux_header, magic2), "RSC\x05", 4))
        return kernel_check_linux(kernel, reason);
    return kernel_check_flat(kernel, config->load, reason);
}

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

/* Where a program that can move goes: Linux insists on a megapage. RAM need not begin at one. */
static uint64_t first_megapage(struct ram ram)
{
    return align_up(ram.base, MEGAPAGE_SIZE);
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
        return reject(reason, "two segments of the ELF file overlap");
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
            struct elf_segment segment = elf_segment(kernel, i);
            uint64_t start = physical ? segment.paddr : segment.vaddr;

            if (elf_is_loaded(&segment) && entry >= start && entry - start < segment.memsz) {
                plan->entry = gpa(segment.paddr + moved + (entry - start));
                return plan->entry.value % 2 == 0
                           ? OK
                           : reject(reason, "the ELF file's entry point is odd");
            }
        }
    }
    return reject(reason, "the ELF file's entry point lies in no loadable segment");
}

/* How far a program is moved from where it was linked, modulo 2^64. */
static uint64_t elf_displacement(const struct kernel *kernel, struct ram ram)
{
    if (kernel->elf.type == ELF_TYPE_EXEC ||
        in_ram(ram, kernel->lowest, kernel->end - kernel->lowest))
        return 0;
    return first_megapage(ram) - align_down(kernel->lowest, MEGAPAGE_SIZE);
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
        struct elf_segment segment = elf_segment(kernel, i);
        enum error error;

        if (!elf_is_loaded(&segment))
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
    uint64_t size = kernel->header.image_size;

    if (size < kernel->blob->size)
        size = kernel->blob->size;
    if (kernel->header.text_offset > UINT64_MAX - first_megapage(ram))
        return reject(reason, "the Linux Image's text_offset is beyond the address space");
    return plan_whole(kernel->blob, first_megapage(ram) + kernel->header.text_offset, size, ram,
                      plan, reason);
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
        plan->entry = gpa(FLASH_ADDRESS);
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
            return reject(reason, "a blob overlaps the kernel or another blob");
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
