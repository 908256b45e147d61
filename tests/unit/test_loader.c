/*
 * Where a capsule's kernel, device tree and initramfs go, and that nothing in a file can make the
 * loader read or place anything outside. Files are copied to exactly sized memory, so the address
 * sanitizer notices a read beyond their end.
 */
#include "unit.h"
#include "capsule.h"
#include "loader.h"
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define MiB      (1024UL * 1024)
#define RAM_BASE 0x80000000UL
#define RAM_SIZE (64 * MiB)
#define ELF_SIZE 8192

struct elf_file {
    Elf64_Ehdr header;
    Elf64_Phdr segments[20];
    uint8_t rest[ELF_SIZE - sizeof(Elf64_Ehdr) - 20 * sizeof(Elf64_Phdr)];
};

static struct capsule_config config;
static struct load_plan plan;
static const char *reason;
static void *copies[2];

static int reset(void **state)
{
    (void)state;
    config = (struct capsule_config){0};
    reason = NULL;
    return 0;
}

static int release(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        free(copies[i]);
        copies[i] = NULL;
    }
    return 0;
}

static struct blob copy(int which, const void *bytes, size_t size)
{
    free(copies[which]);
    copies[which] = malloc(size);
    memcpy(copies[which], bytes, size);
    return (struct blob){copies[which], size, "blob"};
}

static void use_initramfs(size_t size)
{
    uint8_t *bytes = calloc(1, size);

    config.initramfs = copy(1, bytes, size);
    free(bytes);
}

/* An ELF file of two segments: code of 4 KiB at `address`, then 16 KiB of which 100 bytes are in
 * the file, linked to run at `virtual`. */
static struct elf_file elf(uint16_t type, uint64_t address, uint64_t virtual)
{
    struct elf_file file = {
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = type,
                   .e_machine = EM_RISCV,
                   .e_version = EV_CURRENT,
                   .e_entry = virtual + 0x10,
                   .e_phoff = offsetof(struct elf_file, segments),
                   .e_ehsize = sizeof(Elf64_Ehdr),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .segments = {{.p_type = PT_LOAD,
                      .p_offset = 2048,
                      .p_vaddr = virtual,
                      .p_paddr = address,
                      .p_filesz = 4096,
                      .p_memsz = 4096},
                     {.p_type = PT_LOAD,
                      .p_offset = 6144,
                      .p_vaddr = virtual + 0x2000,
                      .p_paddr = address + 0x2000,
                      .p_filesz = 100,
                      .p_memsz = 0x4000}},
    };
    return file;
}

static void use_elf(const struct elf_file *file)
{
    config.kernel = copy(0, file, sizeof(*file));
}

/* A Linux Image of `size` bytes whose header asks for image_size. */
static void use_linux(size_t size, uint64_t text_offset, uint64_t image_size)
{
    uint8_t *bytes = calloc(1, size);

    memcpy(bytes + 8, &text_offset, 8);
    memcpy(bytes + 16, &image_size, 8);
    memcpy(bytes + 48, "RISCV\0\0\0RSC\x05", 12);
    config.kernel = copy(0, bytes, size);
    free(bytes);
}

static void assert_sound(uint64_t base, uint64_t size)
{
    uint64_t end = base;

    for (unsigned i = 0; i < plan.count; i++) {
        const struct load_segment *segment = &plan.segments[i];
        uint64_t start = segment->start.value;

        assert_true(start >= end && segment->size <= base + size - start);
        assert_true(segment->data_size <= segment->size);
        assert_true(start + segment->size <= plan.fdt.value ||
                    plan.fdt.value + plan.fdt_size <= start);
        end = start + segment->size;
    }
    assert_int_equal(plan.fdt.value % PAGE_SIZE, 0);
    assert_true(plan.fdt.value >= base && plan.fdt.value + plan.fdt_size <= base + size);
}

static void assert_planned(uint64_t base, uint64_t size)
{
    enum error error = loader_plan(&config, gpa(base), size, &plan, &reason);

    if (error)
        fail_msg("refused: %s", reason);
    assert_sound(base, size);
}

static void assert_refused(enum error expected, const char *word)
{
    bool fixed;
    struct gpa base;
    enum error error;

    reason = NULL;
    error = loader_wants(&config, &fixed, &base, &reason);
    if (!error)
        error = loader_plan(&config, gpa(RAM_BASE), RAM_SIZE, &plan, &reason);
    assert_int_equal(error, expected);
    assert_non_null(reason);
    if (!strstr(reason, word))
        fail_msg("the reason is '%s', without '%s'", reason, word);
}

static void assert_wants(bool fixed, uint64_t base)
{
    bool is_fixed = !fixed;
    struct gpa wanted = gpa(1);

    assert_int_equal(loader_wants(&config, &is_fixed, &wanted, &reason), OK);
    assert_int_equal(is_fixed, fixed);
    if (fixed)
        assert_int_equal(wanted.value, base);
}

/* --- ELF --- */

static void elf_exec_goes_to_its_physical_addresses(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE + 4 * MiB + 0x3000, RAM_BASE + 4 * MiB + 0x3000);

    (void)state;
    use_elf(&file);
    assert_wants(true, RAM_BASE + 4 * MiB + 0x3000);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.segments[0].start.value, RAM_BASE + 4 * MiB + 0x3000);
    assert_int_equal(plan.segments[0].size, 4096);
    assert_int_equal(plan.segments[0].data_size, 4096);
    assert_ptr_equal(plan.segments[0].data, (char *)copies[0] + 2048);
    assert_int_equal(plan.segments[1].start.value, RAM_BASE + 4 * MiB + 0x5000);
    assert_int_equal(plan.segments[1].size, 0x4000);
    assert_int_equal(plan.segments[1].data_size, 100);
    assert_int_equal(plan.entry.value, RAM_BASE + 4 * MiB + 0x3010);
    assert_planned(RAM_BASE + 4 * MiB, 2 * MiB);
}

static void elf_entry_is_translated_to_physical(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE + 2 * MiB, 0xffffffff80000000UL);

    (void)state;
    use_elf(&file);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.entry.value, RAM_BASE + 2 * MiB + 0x10);
    file.header.e_entry = RAM_BASE + 2 * MiB + 0x2004; /* physical already, in the second segment */
    use_elf(&file);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.entry.value, RAM_BASE + 2 * MiB + 0x2004);
}

static void elf_segments_are_sorted(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE, RAM_BASE);
    Elf64_Phdr first = file.segments[0];

    (void)state;
    file.segments[0] = file.segments[1];
    file.segments[1] = first;
    use_elf(&file);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.segments[0].start.value, RAM_BASE);
    assert_int_equal(plan.segments[1].start.value, RAM_BASE + 0x2000);
}

static void elf_dyn_moves_to_the_start_of_ram(void **state)
{
    struct elf_file file = elf(ET_DYN, 0x1000, 0x1000);

    (void)state;
    use_elf(&file);
    assert_wants(false, 0);
    assert_planned(0x94000000, RAM_SIZE);
    assert_int_equal(plan.segments[0].start.value, 0x94001000);
    assert_int_equal(plan.entry.value, 0x94001010);
}

static void elf_dyn_stays_where_it_is_linked_when_that_is_ram(void **state)
{
    struct elf_file file = elf(ET_DYN, RAM_BASE + 2 * MiB, RAM_BASE + 2 * MiB);

    (void)state;
    use_elf(&file);
    assert_wants(false, 0);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.entry.value, RAM_BASE + 2 * MiB + 0x10);
    assert_planned(0x94000000, RAM_SIZE);
    assert_int_equal(plan.entry.value, 0x94000010);
}

static void elf_ignores_empty_and_other_segments(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE, RAM_BASE);

    (void)state;
    file.header.e_phnum = 4;
    file.segments[2] = (Elf64_Phdr){.p_type = PT_NOTE, .p_offset = UINT64_MAX, .p_filesz = 9};
    file.segments[3] = (Elf64_Phdr){.p_type = PT_LOAD, .p_paddr = 4};
    use_elf(&file);
    assert_wants(true, RAM_BASE);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.count, 2);
}

#define REFUSE(change, error, word)                                                                \
    do {                                                                                           \
        struct elf_file file = elf(ET_EXEC, RAM_BASE, RAM_BASE);                                   \
        change;                                                                                    \
        use_elf(&file);                                                                            \
        assert_refused(error, word);                                                               \
    } while (0)

static void elf_bad_headers_are_refused(void **state)
{
    (void)state;
    REFUSE(file.header.e_ident[EI_CLASS] = ELFCLASS32, ERROR_BAD_IMAGE, "64-bit");
    REFUSE(file.header.e_ident[EI_DATA] = ELFDATA2MSB, ERROR_BAD_IMAGE, "little-endian");
    REFUSE(file.header.e_ident[EI_VERSION] = 0, ERROR_BAD_IMAGE, "version");
    REFUSE(file.header.e_version = 2, ERROR_BAD_IMAGE, "version");
    REFUSE(file.header.e_machine = EM_X86_64, ERROR_BAD_IMAGE, "processor");
    REFUSE(file.header.e_type = ET_REL, ERROR_BAD_IMAGE, "not linked");
    REFUSE(file.header.e_entry = RAM_BASE + 1, ERROR_BAD_IMAGE, "odd");
    REFUSE(file.header.e_entry = RAM_BASE + 0x1000, ERROR_BAD_IMAGE, "no loadable segment");
    REFUSE(file.header.e_phnum = 0, ERROR_BAD_IMAGE, "no program headers");
    REFUSE(file.header.e_phnum = 129, ERROR_BAD_IMAGE, "128");
    REFUSE(file.header.e_phentsize = 32, ERROR_BAD_IMAGE, "56 bytes");
    REFUSE(file.header.e_phoff = ELF_SIZE - 111, ERROR_BAD_IMAGE, "beyond its end");
    REFUSE(file.header.e_phoff = UINT64_MAX, ERROR_BAD_IMAGE, "beyond its end");
    REFUSE(file.segments[0].p_type = file.segments[1].p_type = PT_NULL, ERROR_BAD_IMAGE,
           "no loadable segment");
}

static void elf_bad_segments_are_refused(void **state)
{
    (void)state;
    REFUSE(file.segments[1].p_filesz = 0x4001, ERROR_BAD_IMAGE, "larger in the file");
    REFUSE(file.segments[1].p_offset = ELF_SIZE - 99, ERROR_BAD_IMAGE, "beyond its end");
    REFUSE(file.segments[1].p_offset = UINT64_MAX, ERROR_BAD_IMAGE, "beyond its end");
    REFUSE(file.segments[1].p_offset = UINT64_MAX - 50, ERROR_BAD_IMAGE, "beyond its end");
    REFUSE(file.segments[1].p_memsz = UINT64_MAX, ERROR_BAD_IMAGE, "wraps");
    REFUSE(file.segments[1].p_paddr = UINT64_MAX - 0x3fff, ERROR_BAD_IMAGE, "wraps");
    REFUSE(file.segments[1].p_vaddr = UINT64_MAX, ERROR_BAD_IMAGE, "wraps");
    REFUSE(file.segments[1].p_paddr = RAM_BASE + 0xfff, ERROR_BAD_IMAGE, "overlap");
    REFUSE(file.segments[1].p_paddr = RAM_BASE, ERROR_BAD_IMAGE, "overlap");
    REFUSE(file.segments[1].p_paddr = RAM_BASE + RAM_SIZE, ERROR_NO_MEMORY, "more than");
    REFUSE(file.segments[0].p_paddr = RAM_BASE - 4096, ERROR_NO_MEMORY, "outside");
    REFUSE(file.segments[1].p_memsz = RAM_SIZE - 0x1fff, ERROR_NO_MEMORY, "more than");
    REFUSE(file.segments[1].p_memsz = RAM_SIZE - 0x2000, ERROR_NO_MEMORY, "no room");
}

static void elf_with_too_many_segments_is_refused(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE, RAM_BASE);

    (void)state;
    for (unsigned i = 0; i < 16; i++) {
        file.segments[i] = file.segments[1];
        file.segments[i].p_vaddr = file.segments[i].p_paddr = RAM_BASE + i * 0x4000;
    }
    file.header.e_phnum = 15;
    use_elf(&file);
    use_initramfs(100);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.count, 16);
    file.header.e_phnum = 16;
    use_elf(&file);
    assert_refused(ERROR_BAD_IMAGE, "15");
}

static void elf_of_every_length_is_safe(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE, RAM_BASE);

    (void)state;
    for (size_t size = 4; size < 6244; size++) {
        config.kernel = copy(0, &file, size);
        assert_int_equal(loader_plan(&config, gpa(RAM_BASE), RAM_SIZE, &plan, &reason),
                         ERROR_BAD_IMAGE);
    }
}

/* Whatever bytes the headers have: the plan is refused or sound, and its data within the file. */
static void elf_with_random_damage_is_safe(void **state)
{
    uint64_t seed = 1;
    unsigned planned = 0;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct elf_file file = elf(round % 2 ? ET_EXEC : ET_DYN, RAM_BASE, RAM_BASE);
        uint8_t *bytes = (uint8_t *)&file;

        for (uint32_t n = 1 + unit_random(&seed) % 3; n > 0; n--)
            bytes[4 + unit_random(&seed) % (64 + 2 * 56 - 4)] ^= 1U << unit_random(&seed) % 8;
        use_elf(&file);
        if (loader_plan(&config, gpa(RAM_BASE), RAM_SIZE, &plan, &reason))
            continue;
        planned++;
        assert_sound(RAM_BASE, RAM_SIZE);
        for (unsigned i = 0; i < plan.count; i++) {
            uint64_t at = (uint64_t)((char *)plan.segments[i].data - (char *)copies[0]);
            assert_true(at <= ELF_SIZE && plan.segments[i].data_size <= ELF_SIZE - at);
        }
    }
    assert_in_range(planned, 100, 19900);
}

/* --- Linux --- */

static void linux_goes_behind_the_start_of_ram(void **state)
{
    (void)state;
    use_linux(1 * MiB, 2 * MiB, 20 * MiB);
    assert_wants(false, 0);
    assert_planned(0x12345600000UL, RAM_SIZE);
    assert_int_equal(plan.entry.value, 0x12345800000UL);
    assert_int_equal(plan.segments[0].start.value, 0x12345800000UL);
    assert_int_equal(plan.segments[0].size, 20 * MiB);
    assert_int_equal(plan.segments[0].data_size, 1 * MiB);
    use_linux(1 * MiB, 0, 0);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.entry.value, RAM_BASE);
    assert_int_equal(plan.segments[0].size, 1 * MiB);
}

static void linux_keeps_device_tree_and_initramfs_out_of_its_image_size(void **state)
{
    (void)state;
    use_linux(1 * MiB, 2 * MiB, 32 * MiB);
    use_initramfs(5 * MiB + 1);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.fdt.value, RAM_BASE + RAM_SIZE - 2 * MiB);
    assert_int_equal(plan.initrd_end - plan.initrd_start, 5 * MiB + 1);
    assert_int_equal(plan.initrd_start % PAGE_SIZE, 0);
    assert_true(plan.initrd_start >= RAM_BASE + 34 * MiB);
    assert_true(plan.initrd_end <= plan.fdt.value);
    assert_int_equal(plan.count, 2);
    assert_int_equal(plan.segments[1].start.value, plan.initrd_start);
    assert_ptr_equal(plan.segments[1].data, copies[1]);
    assert_int_equal(plan.segments[1].data_size, 5 * MiB + 1);
}

static void linux_too_large_for_ram_is_refused(void **state)
{
    (void)state;
    use_linux(4096, 2 * MiB, RAM_SIZE);
    assert_refused(ERROR_NO_MEMORY, "outside");
    use_linux(4096, 2 * MiB, UINT64_MAX);
    assert_refused(ERROR_NO_MEMORY, "outside");
    use_linux(4096, UINT64_MAX - 3, 0);
    assert_refused(ERROR_BAD_IMAGE, "text_offset");
    use_linux(4096, 3, 0);
    assert_refused(ERROR_BAD_IMAGE, "text_offset");
    use_linux(4096, 0, RAM_SIZE - PAGE_SIZE);
    assert_refused(ERROR_NO_MEMORY, "no room for the device tree");
    use_linux(4096, 2 * MiB, RAM_SIZE - 3 * MiB);
    use_initramfs(2 * MiB + 1); /* 2 MiB would go before the kernel */
    assert_refused(ERROR_NO_MEMORY, "initramfs");
}

/* --- flat, and everything else --- */

static void flat_goes_to_its_load_address(void **state)
{
    uint8_t bytes[100] = {0x13};

    (void)state;
    config.kernel = copy(0, bytes, sizeof(bytes));
    assert_wants(true, 0x80200000);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.entry.value, 0x80200000);
    assert_int_equal(plan.segments[0].start.value, 0x80200000);
    assert_int_equal(plan.segments[0].size, sizeof(bytes));
    config.load = 0x81234568;
    assert_wants(true, 0x81234568);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.entry.value, 0x81234568);
}

static void flat_outside_ram_is_refused(void **state)
{
    uint8_t bytes[100] = {0x13};

    (void)state;
    config.kernel = copy(0, bytes, sizeof(bytes));
    config.load = RAM_BASE - 50;
    assert_refused(ERROR_NO_MEMORY, "outside");
    config.load = RAM_BASE + RAM_SIZE - 50;
    assert_refused(ERROR_NO_MEMORY, "outside");
    config.load = UINT64_MAX - 97;
    assert_refused(ERROR_BAD_IMAGE, "wrap");
    config.load = RAM_BASE + 1;
    assert_refused(ERROR_BAD_IMAGE, "odd");
}

static void missing_and_compressed_kernels_are_refused(void **state)
{
    (void)state;
    assert_refused(ERROR_BAD_IMAGE, "none");
    config.kernel = copy(0, "\x1f\x8b\x08", 3);
    assert_refused(ERROR_BAD_IMAGE, "gzip; mkdmfs unpacks it");
    config.kernel = copy(0, "\x28\xb5\x2f\xfd", 4);
    assert_refused(ERROR_BAD_IMAGE, "zstd");
    config.kernel = copy(0,
                         "\xfd"
                         "7zXZ",
                         5);
    assert_refused(ERROR_BAD_IMAGE, "xz");
    config.kernel = copy(0, "MZ\0\0zimg", 8);
    assert_refused(ERROR_BAD_IMAGE, "zboot");
}

static void ram_that_wraps_is_refused(void **state)
{
    (void)state;
    use_linux(4096, 0, 0);
    assert_int_equal(loader_plan(&config, gpa(UINT64_MAX - MiB + 1), 2 * MiB, &plan, &reason),
                     ERROR_NO_MEMORY);
    assert_non_null(strstr(reason, "wrap"));
}

static void small_ram_is_used_to_the_last_page(void **state)
{
    (void)state;
    use_linux(4096, 0, 2 * MiB - LOAD_FDT_SIZE - 3 * PAGE_SIZE);
    use_initramfs(3 * PAGE_SIZE);
    assert_planned(RAM_BASE, 2 * MiB);
    assert_int_equal(plan.fdt.value, RAM_BASE + 2 * MiB - LOAD_FDT_SIZE);
    use_initramfs(3 * PAGE_SIZE + 1);
    assert_int_equal(loader_plan(&config, gpa(RAM_BASE), 2 * MiB, &plan, &reason), ERROR_NO_MEMORY);
}

static void more_harts_get_a_larger_tree(void **state)
{
    (void)state;
    use_linux(4096, 0, 2 * MiB - LOAD_FDT_SIZE - 3 * PAGE_SIZE);
    config.cpus = 4;
    assert_planned(RAM_BASE, 2 * MiB);
    assert_int_equal(plan.fdt.value, RAM_BASE + 2 * MiB - LOAD_FDT_SIZE - 3 * PAGE_SIZE);
    config.cpus = 5;
    assert_int_equal(loader_plan(&config, gpa(RAM_BASE), 2 * MiB, &plan, &reason), ERROR_NO_MEMORY);
}

static void a_segment_at_the_end_of_ram_is_avoided(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE, RAM_BASE);

    (void)state;
    file.segments[1].p_paddr = RAM_BASE + RAM_SIZE - 0x4000;
    use_elf(&file);
    use_initramfs(3 * MiB);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.fdt.value, RAM_BASE + RAM_SIZE - 2 * MiB);
    file.segments[1].p_paddr = RAM_BASE + RAM_SIZE - 2 * MiB;
    use_elf(&file);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.fdt.value, RAM_BASE + RAM_SIZE - 4 * MiB);
    assert_int_equal(plan.count, 3);
}

/* --- blobs and flash --- */

static const uint8_t blob_bytes[2][8192];

static void put_blob(uint64_t address, size_t size)
{
    unsigned number = config.blob_count++;

    config.blobs[number] = (struct placed_blob){{blob_bytes[number % 2], size, "blob"}, address};
}

static void blobs_go_to_their_addresses(void **state)
{
    (void)state;
    use_linux(4096, 2 * MiB, 4 * MiB);
    put_blob(RAM_BASE + 16 * MiB + 4, 5000);
    put_blob(RAM_BASE, 100);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.count, 3);
    assert_int_equal(plan.segments[0].start.value, RAM_BASE);
    assert_ptr_equal(plan.segments[0].data, blob_bytes[1]);
    assert_int_equal(plan.segments[2].start.value, RAM_BASE + 16 * MiB + 4);
    assert_int_equal(plan.segments[2].size, 5000);
    assert_int_equal(plan.segments[2].data_size, 5000);
    assert_int_equal(plan.entry.value, RAM_BASE + 2 * MiB);
}

static void device_tree_and_initramfs_avoid_blobs(void **state)
{
    (void)state;
    use_linux(4096, 0, 0);
    use_initramfs(MiB);
    put_blob(RAM_BASE + RAM_SIZE - 8192, 8192);
    put_blob(RAM_BASE + RAM_SIZE - 2 * MiB + 10, 1);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.fdt.value, RAM_BASE + RAM_SIZE - 4 * MiB);
    assert_true(plan.initrd_end <= plan.fdt.value);
}

static void as_many_parts_as_there_can_be(void **state)
{
    struct elf_file file = elf(ET_EXEC, RAM_BASE, RAM_BASE);

    (void)state;
    for (unsigned i = 0; i < 15; i++) {
        file.segments[i] = file.segments[0];
        file.segments[i].p_paddr = RAM_BASE + i * 4096;
        file.segments[i].p_vaddr = RAM_BASE + i * 4096;
    }
    file.header.e_phnum = 15;
    use_elf(&file);
    use_initramfs(4096);
    for (unsigned i = 0; i < CAPSULE_BLOB_MAX; i++)
        put_blob(RAM_BASE + (16 + i) * 8192, 8192);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.count, LOAD_SEGMENT_MAX);
}

static void blobs_without_a_place_are_refused(void **state)
{
    static const uint64_t outside[] = {0, RAM_BASE - 1, RAM_BASE + RAM_SIZE - 99, UINT64_MAX - 50,
                                       RAM_BASE + RAM_SIZE};

    (void)state;
    use_linux(4096, 2 * MiB, 4 * MiB);
    for (size_t i = 0; i < sizeof(outside) / sizeof(outside[0]); i++) {
        config.blob_count = 0;
        put_blob(outside[i], 100);
        assert_refused(ERROR_NO_MEMORY, "a blob would lie outside");
    }
    config.blob_count = 0;
    put_blob(RAM_BASE + 6 * MiB - 1, 100); /* within the kernel's image_size */
    assert_refused(ERROR_BAD_IMAGE, "a blob overlaps");
    config.blob_count = 0;
    put_blob(RAM_BASE + 6 * MiB, 100);
    put_blob(RAM_BASE + 6 * MiB + 99, 100);
    assert_refused(ERROR_BAD_IMAGE, "a blob overlaps");
    config.blobs[1].address++;
    assert_planned(RAM_BASE, RAM_SIZE);
}

static void without_a_kernel_it_starts_from_flash(void **state)
{
    bool fixed = true;
    struct gpa base;

    (void)state;
    config.flash[1] = (struct blob){blob_bytes, 10, "flash"};
    assert_refused(ERROR_BAD_IMAGE, "none");
    config.flash[0] = config.flash[1];
    assert_int_equal(loader_wants(&config, &fixed, &base, &reason), OK);
    assert_false(fixed);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.count, 0);
    assert_int_equal(plan.entry.value, 0x20000000);
    use_linux(4096, 2 * MiB, 0);
    assert_planned(RAM_BASE, RAM_SIZE);
    assert_int_equal(plan.entry.value, RAM_BASE + 2 * MiB);
}

/* Without translation, RAM must be where the blobs are to go, and may begin anywhere. */
static void blobs_fix_the_place_of_a_movable_kernel(void **state)
{
    bool fixed;
    struct gpa lowest;

    (void)state;
    use_linux(4096, 2 * MiB, 4 * MiB);
    assert_int_equal(loader_wants(&config, &fixed, &lowest, &reason), OK);
    assert_false(fixed);
    assert_int_equal(lowest.value, 2 * MiB);
    put_blob(RAM_BASE + 32 * MiB, 100);
    put_blob(RAM_BASE + 16 * MiB, 100);
    put_blob(RAM_BASE + 24 * MiB, 100);
    assert_int_equal(loader_wants(&config, &fixed, &lowest, &reason), OK);
    assert_true(fixed);
    assert_int_equal(lowest.value, RAM_BASE + 16 * MiB);
    assert_planned(RAM_BASE + MiB / 2, RAM_SIZE);
    assert_int_equal(plan.entry.value, RAM_BASE + 2 * MiB); /* as if firmware's part were RAM */
    use_linux(4096, MiB / 4, 4 * MiB);
    assert_planned(RAM_BASE + MiB / 2, RAM_SIZE);
    assert_int_equal(plan.entry.value, RAM_BASE + 2 * MiB + MiB / 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, reset, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(elf_exec_goes_to_its_physical_addresses),
        TEST(elf_entry_is_translated_to_physical),
        TEST(elf_segments_are_sorted),
        TEST(elf_dyn_moves_to_the_start_of_ram),
        TEST(elf_dyn_stays_where_it_is_linked_when_that_is_ram),
        TEST(elf_ignores_empty_and_other_segments),
        TEST(elf_bad_headers_are_refused),
        TEST(elf_bad_segments_are_refused),
        TEST(elf_with_too_many_segments_is_refused),
        TEST(elf_of_every_length_is_safe),
        TEST(elf_with_random_damage_is_safe),
        TEST(linux_goes_behind_the_start_of_ram),
        TEST(linux_keeps_device_tree_and_initramfs_out_of_its_image_size),
        TEST(linux_too_large_for_ram_is_refused),
        TEST(flat_goes_to_its_load_address),
        TEST(flat_outside_ram_is_refused),
        TEST(missing_and_compressed_kernels_are_refused),
        TEST(ram_that_wraps_is_refused),
        TEST(small_ram_is_used_to_the_last_page),
        TEST(more_harts_get_a_larger_tree),
        TEST(a_segment_at_the_end_of_ram_is_avoided),
        TEST(blobs_go_to_their_addresses),
        TEST(device_tree_and_initramfs_avoid_blobs),
        TEST(as_many_parts_as_there_can_be),
        TEST(blobs_without_a_place_are_refused),
        TEST(without_a_kernel_it_starts_from_flash),
        TEST(blobs_fix_the_place_of_a_movable_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
