/*
 * DMFS images. Each capsule that is accepted must be what docs/manifest.md allows, made of bytes of
 * the image, and the loader must be able to cope with it.
 */
#include "fuzz.h"
#include "tree.h"
#include "../../../hypervisor/core/tree.h" /* not that of this folder */
#include "dmfs.h"
#include "plan.h"
#include <libfdt.h>
#include <string.h>
#include <zlib.h>

static const char *const names[] = {
    "diosix,version",  "diosix,banners", "data-offset",  "data-size",
    "data-position",   "compression",    "load",         "algo",
    "value",           "kernel",         "ramdisk",      "loadables",
    "description",     "diosix,type",    "diosix,ram",   "diosix,cpus",
    "diosix,weight",   "diosix,cap",     "diosix,harts", "diosix,exclusive",
    "diosix,bootargs", "diosix,isa",     "diosix,load",  "diosix,properties",
    "diosix,flash0",   "diosix,flash1",  NULL,
};

/* ---- Inputs ---- */

/* Writes into each blob's first hash what it should be: else no change of a blob gets far. */
static void repair_hashes(uint8_t *image, size_t size)
{
    size_t data = align_up(fdt_totalsize(image), 4);
    int node;

    fdt_for_each_subnode(node, image, fdt_path_offset(image, "/images"))
    {
        int hash = fdt_first_subnode(image, node), length;
        const fdt32_t *offset = fdt_getprop(image, node, "data-offset", &length);
        const fdt32_t *bytes = fdt_getprop(image, node, "data-size", NULL);

        if (hash < 0 || !offset || !bytes || length != 4 || data + fdt32_ld(offset) > size ||
            fdt32_ld(bytes) > size - data - fdt32_ld(offset))
            continue;
        fdt_setprop_inplace_u32(image, hash, "value",
                                crc32(0, image + data + fdt32_ld(offset), fdt32_ld(bytes)));
    }
}

/* The tree, which may have got another size, then the blobs as they were. */
static size_t join(uint8_t *to, size_t max_size, size_t tree, const uint8_t *data, size_t size)
{
    size_t start = align_up(tree, 4);

    if (!tree || start + size > max_size)
        return 0;
    memmove(to + start, data, size);
    memset(to + tree, 0, start - tree);
    return start + size;
}

static size_t mutate_blobs(uint8_t *image, size_t start, size_t size, size_t max_size)
{
    return size > start ? start + LLVMFuzzerMutate(image + start, size - start, max_size - start)
                        : size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    size_t tree = tree_size(data, size), start = align_up(tree, 4), changed;
    uint8_t *blobs;

    if (seed % 16 == 0 || !tree || start > size)
        return LLVMFuzzerMutate(data, size, max_size);
    if (seed % 16 < 4) {
        changed = mutate_blobs(data, start, size, max_size);
    } else {
        blobs = fuzz_copy(data + start, size - start);
        changed = join(data, max_size, tree_mutate(data, data, max_size, names, seed), blobs,
                       size - start);
        free(blobs);
    }
    if (!changed) /* it did not fit: nothing that is worth a try is lost */
        return LLVMFuzzerMutate(data, size, max_size);
    if (seed % 8)
        repair_hashes(data, changed);
    return changed;
}

size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *other,
                                 size_t other_size, uint8_t *to, size_t max_size, unsigned seed)
{
    size_t tree = tree_size(one, one_size), start = align_up(tree, 4), size;

    if (!tree || start > one_size || !tree_size(other, other_size))
        return 0;
    size = join(to, max_size, tree_cross(one, other, to, max_size, seed), one + start,
                one_size - start);
    if (size)
        repair_hashes(to, size);
    return size;
}

/* ---- What must hold ---- */

static const uint8_t *image_start;
static size_t image_size, image_data;
static unsigned visits;
static bool guests_began;
static char visited[CAPSULE_MAX][DIOSIX_NAME_MAX];

static bool is_in_image(const void *bytes, size_t size, size_t from)
{
    size_t offset = (const uint8_t *)bytes - image_start;

    return offset >= from && offset <= image_size && size <= image_size - offset;
}

static void check_text(const char *text, size_t most)
{
    CHECK(strlen(text) <= most && fuzz_is_printable(text));
    CHECK(!*text || is_in_image(text, strlen(text) + 1, 0));
}

/* An absent one has no data. */
static void check_blob(const struct blob *blob, bool may_be_absent)
{
    CHECK(blob->data || (may_be_absent && blob->size == 0));
    if (!blob->data)
        return;
    CHECK(blob->size > 0 && is_in_image(blob->data, blob->size, image_data));
    check_text(blob->name, image_size);
}

static void check_name(const char *name)
{
    CHECK(strnlen(name, DIOSIX_NAME_MAX) < DIOSIX_NAME_MAX && *name && fuzz_is_printable(name));
    for (unsigned i = 0; i < visits; i++)
        CHECK(strcmp(visited[i], name) != 0);
    CHECK(visits < CAPSULE_MAX);
    strcpy(visited[visits++], name);
}

static void check_numbers(const struct capsule_config *config)
{
    CHECK(config->ram > 0 && config->ram % MEGAPAGE_SIZE == 0 && config->ram <= 1UL << 40);
    CHECK(config->cpus >= 1 && config->cpus <= CAPSULE_VCPU_MAX);
    CHECK(config->weight >= 1 && config->weight <= 10000);
    CHECK(config->cap <= CAPSULE_CAP_MAX);
    CHECK(config->pinned_count <= CAPSULE_PINS_MAX);
    CHECK(!config->exclusive || config->pinned_count > 0);
    CHECK(config->load < 1UL << 56);
    CHECK(config->properties < DIOSIX_PROPERTY_STATS_READ << 1);
}

static void check_blobs(const struct capsule_config *config)
{
    CHECK(config->blob_count <= CAPSULE_BLOB_MAX);
    check_blob(&config->kernel, config->flash[0].data != NULL);
    check_blob(&config->initramfs, true);
    for (unsigned i = 0; i < config->blob_count; i++) {
        check_blob(&config->blobs[i].blob, false);
        CHECK(config->blobs[i].address < 1UL << 56);
    }
    for (unsigned i = 0; i < CAPSULE_FLASH_MAX; i++) {
        check_blob(&config->flash[i], true);
        CHECK(config->flash[i].size <= CAPSULE_FLASH_SIZE);
    }
}

static void visit_capsule(const struct capsule_config *config)
{
    check_name(config->name);
    CHECK(strnlen(config->description, DIOSIX_DESCRIPTION_MAX) < DIOSIX_DESCRIPTION_MAX);
    CHECK(fuzz_is_printable(config->description));
    CHECK(!config->is_service || !guests_began);
    guests_began |= !config->is_service;
    check_text(config->bootargs, 4095);
    check_text(config->isa, 255);
    check_numbers(config);
    check_blobs(config);
    plan_check(config, gpa(0x80000000), config->ram);
    plan_check(config, gpa(0x80042000), MEGAPAGE_SIZE);
}

static void visit_banner(const char *text, size_t size)
{
    CHECK(is_in_image(text, size, image_data));
    for (size_t i = 0; i < size; i++)
        CHECK((text[i] >= ' ' && text[i] <= '~') || (text[i] && strchr("\t\r\n", text[i])));
}

static void walk(const struct dmfs *image, struct dmfs_filter filter)
{
    visits = 0;
    guests_began = false;
    dmfs_each_capsule(image, filter, visit_capsule);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tree_index places;
    struct dmfs image;
    uint8_t *bytes = fuzz_copy(data, size);

    fuzz_reset();
    if (dmfs_open(&image, bytes, size, &places) == OK) {
        image_start = bytes;
        image_size = image.size;
        image_data = image.data;
        CHECK(image.fdt == bytes && image.size <= size && image.size >= fdt_totalsize(bytes));
        dmfs_each_banner(&image, visit_banner);
        walk(&image, (struct dmfs_filter){false, false});
        unsigned all = visits;

        walk(&image, (struct dmfs_filter){.no_services = true});
        CHECK(visits <= all);
        walk(&image, (struct dmfs_filter){true, true});
        CHECK(visits == 0);
    }
    CHECK(fuzz_is_printable(fuzz_logged));
    free(bytes);
    return 0;
}
