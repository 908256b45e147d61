/* See kernel.h. Nothing is unpacked here: mkdmfs does that when the image is made, so that machine
 * mode runs no decompressor on data from outside, and a restart is a copy. */
#include "kernel.h"
#include "loader.h"
#include <string.h>

#define FLAT_ADDRESS                                                                               \
    0x80200000UL /* QEMU's virt starts a supervisor program here: hw/riscv/boot.c */

/* ELF-64 Object File Format 1.5, figures 2 to 7; machine: RISC-V ELF psABI 1.0, 8.1. */
#define ELF_CLASS_64      2
#define ELF_DATA_LSB      1
#define ELF_VERSION       1
#define ELF_MACHINE_RISCV 243
#define ELF_SEGMENT_LOAD  1
#define ELF_HEADERS_MAX   128 /* none that boots has more; keeps the work for bad ones small */

#define LINUX_FLAG_BIG_ENDIAN 1

static bool starts_with(const struct blob *blob, size_t offset, const char *bytes, size_t count)
{
    return blob->size >= offset + count &&
           memcmp((const char *)blob->data + offset, bytes, count) == 0;
}

/* --- ELF --- */

bool kernel_segment(const struct kernel *kernel, unsigned index, struct elf_segment *segment)
{
    memcpy(segment, (const char *)kernel->blob->data + kernel->elf.phoff + index * sizeof(*segment),
           sizeof(*segment));
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
        return kernel_reject(reason, "an ELF file that ends within its header");
    memcpy(&kernel->elf, kernel->blob->data, sizeof(kernel->elf));
    fault = elf_header_fault(kernel);
    kernel->lowest = UINT64_MAX;
    kernel->end = 0;
    for (unsigned i = 0; !fault && i < kernel->elf.phnum; i++) {
        struct elf_segment segment;

        if (!kernel_segment(kernel, i, &segment))
            continue;
        fault = elf_segment_fault(&segment, kernel->blob->size);
        loaded++;
        if (segment.paddr < kernel->lowest)
            kernel->lowest = segment.paddr;
        if (segment.paddr + segment.memsz > kernel->end)
            kernel->end = segment.paddr + segment.memsz;
    }
    if (fault)
        return kernel_reject(reason, fault);
    if (loaded == 0)
        return kernel_reject(reason, "the ELF file has no loadable segment");
    if (loaded > LOAD_ELF_MAX)
        return kernel_reject(reason, "the ELF file has more than 15 loadable segments");
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
        return kernel_reject(reason, "a big-endian Linux Image");
    if (kernel->header.text_offset % 4)
        return kernel_reject(reason, "the Linux Image's text_offset is not a multiple of 4");
    return OK;
}

static enum error kernel_check_flat(struct kernel *kernel, uint64_t load, const char **reason)
{
    kernel->kind = KERNEL_FLAT;
    kernel->flat_address = load ? load : FLAT_ADDRESS;
    if (kernel->flat_address % 2)
        return kernel_reject(reason, "the load address is odd");
    if (kernel->flat_address > UINT64_MAX - kernel->blob->size)
        return kernel_reject(reason, "it would wrap past the end of the address space");
    return OK;
}

enum error kernel_check(const struct capsule_config *config, struct kernel *kernel,
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
        return kernel_reject(reason, "there is none");
    format = packed_format(blob);
    if (format)
        return kernel_reject(reason, format);
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
