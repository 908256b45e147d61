/*
 * A kernel of any kind, and blobs, for RAM anywhere. The input is a description of the capsule,
 * then the file.
 */
#include "fuzz.h"
#include "plan.h"
#include <string.h>

static uint64_t take_address(struct input *input)
{
    static const uint64_t usual[] = {0x80000000, 0x80200000, 0, UINT64_MAX - 0x1fffff};
    unsigned kind = take(input, 1);
    uint64_t offset = take(input, 3);

    return kind < 4 ? usual[kind] + offset : take(input, 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char piece[3 * PAGE_SIZE + 1];
    struct input input = {data, size};
    struct capsule_config config = {.bootargs = "", .isa = ""};
    uint64_t base = align_down(take_address(&input), PAGE_SIZE);
    uint64_t ram = take(&input, 4) << 9;
    unsigned parts = take(&input, 1);

    config.cpus = 1 + take(&input, 1) % CAPSULE_VCPU_MAX;
    config.load = take_address(&input);
    if (parts & 1)
        config.initramfs = (struct blob){piece, 1 + take(&input, 2) % sizeof piece, "initramfs"};
    if (parts & 2)
        config.flash[0] = (struct blob){piece, 1, "flash"};
    for (unsigned i = 0; i < parts >> 3 % (CAPSULE_BLOB_MAX + 1); i++)
        if (config.blob_count < CAPSULE_BLOB_MAX)
            config.blobs[config.blob_count++] = (struct placed_blob){
                {piece, 1 + take(&input, 2) % sizeof piece, "blob"}, take_address(&input)};
    void *file = fuzz_copy(input.at, input.left);

    if (!(parts & 4))
        config.kernel = (struct blob){file, input.left, "kernel"};
    plan_check(&config, gpa(base), ram);
    free(file);
    return 0;
}
