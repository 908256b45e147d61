/* See plan.h. */
#include "plan.h"
#include "fuzz.h"
#include "loader.h"
#include <string.h>

#define FLASH_ADDRESS 0x20000000UL

struct range {
    uint64_t start, size;
};

static bool is_within(struct range inner, struct range outer)
{
    return inner.start >= outer.start && inner.start - outer.start <= outer.size &&
           inner.size <= outer.size - (inner.start - outer.start);
}

/* Of ranges that are within RAM, which does not wrap. */
static bool overlap(struct range one, struct range other)
{
    return one.start < other.start + other.size && other.start < one.start + one.size;
}

static bool is_in_blob(const struct load_segment *segment, const struct blob *blob)
{
    return blob->data && is_within((struct range){(uintptr_t)segment->data, segment->data_size},
                                   (struct range){(uintptr_t)blob->data, blob->size});
}

static bool is_in_file(const struct capsule_config *config, const struct load_segment *segment)
{
    if (is_in_blob(segment, &config->kernel) || is_in_blob(segment, &config->initramfs))
        return true;
    for (unsigned i = 0; i < config->blob_count; i++)
        if (is_in_blob(segment, &config->blobs[i].blob))
            return true;
    return false;
}

static void check_segments(const struct capsule_config *config, const struct load_plan *plan,
                           struct range ram)
{
    struct range fdt = {plan->fdt.value, plan->fdt_size};

    CHECK(plan->count <= LOAD_SEGMENT_MAX);
    CHECK(is_within(fdt, ram) && fdt.start % PAGE_SIZE == 0 && fdt.size >= LOAD_FDT_SIZE);
    for (unsigned i = 0; i < plan->count; i++) {
        const struct load_segment *segment = &plan->segments[i];
        struct range range = {segment->start.value, segment->size};

        CHECK(range.size > 0 && segment->data_size <= range.size);
        CHECK(is_within(range, ram));
        CHECK(!overlap(range, fdt));
        CHECK(i == 0 || segment[-1].start.value + segment[-1].size <= range.start);
        CHECK(segment->data_size == 0 || is_in_file(config, segment));
    }
}

static bool has_segment(const struct load_plan *plan, uint64_t start, uint64_t size)
{
    for (unsigned i = 0; i < plan->count; i++)
        if (plan->segments[i].start.value == start && plan->segments[i].size == size)
            return true;
    return false;
}

static bool is_loaded(const struct load_plan *plan, uint64_t address)
{
    for (unsigned i = 0; i < plan->count; i++)
        if (address - plan->segments[i].start.value < plan->segments[i].size)
            return true;
    return false;
}

static void check_parts(const struct capsule_config *config, const struct load_plan *plan)
{
    uint64_t initramfs = config->initramfs.data ? config->initramfs.size : 0;

    CHECK(plan->initrd_end - plan->initrd_start == initramfs);
    CHECK(initramfs == 0 || has_segment(plan, plan->initrd_start, initramfs));
    CHECK(plan->entry.value % 2 == 0);
    if (config->kernel.data)
        CHECK(is_loaded(plan, plan->entry.value));
    else
        CHECK(plan->entry.value == FLASH_ADDRESS);
    for (unsigned i = 0; i < config->blob_count; i++)
        CHECK(has_segment(plan, config->blobs[i].address, config->blobs[i].blob.size));
}

static void check_reason(enum error error, const char *reason)
{
    CHECK(error == ERROR_BAD_IMAGE || error == ERROR_NO_MEMORY);
    CHECK(reason && *reason && fuzz_is_printable(reason));
}

void plan_check(const struct capsule_config *config, struct gpa base, uint64_t size)
{
    struct load_plan plan;
    const char *reason = NULL, *wants_reason = NULL;
    struct gpa lowest = {0};
    bool fixed = false;
    enum error wants = loader_wants(config, &fixed, &lowest, &wants_reason);
    enum error error = loader_plan(config, base, size, &plan, &reason);

    if (wants)
        check_reason(wants, wants_reason);
    if (error) {
        check_reason(error, reason);
        return;
    }
    CHECK(!wants);
    CHECK(!fixed || lowest.value - base.value < size);
    check_segments(config, &plan, (struct range){base.value, size});
    check_parts(config, &plan);
}
