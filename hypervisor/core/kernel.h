/*
 * What the bytes of a capsule's kernel are: an ELF program, a Linux `Image`, or anything else,
 * which is taken as it is. Files are not believed: what kernel_check() has passed lies within the
 * file, and no sum of an address and a size in it wraps past 2^64.
 */
#ifndef CORE_KERNEL_H
#define CORE_KERNEL_H

#include "capsule.h"
#include "error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ELF-64 Object File Format 1.5, figures 2 to 7. */
#define ELF_TYPE_EXEC 2
#define ELF_TYPE_DYN  3

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

/* Recognises the capsule's kernel and checks it. ERROR_BAD_IMAGE with *reason, a constant string
 * for people. */
enum error kernel_check(const struct capsule_config *config, struct kernel *kernel,
                        const char **reason);

/* Program header `index` (below kernel->elf.phnum) of an ELF; is it of bytes to be loaded? */
bool kernel_segment(const struct kernel *kernel, unsigned index, struct elf_segment *segment);

/* For the `return` that refuses one. */
static inline enum error kernel_reject(const char **reason, const char *text)
{
    *reason = text;
    return ERROR_BAD_IMAGE;
}

#endif
