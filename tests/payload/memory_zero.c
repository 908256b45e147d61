/*
 * At the start every byte of RAM outside the payload, its device tree and its initramfs is zero,
 * whoever had the memory before. Before it ends it leaves a secret everywhere for the next one.
 */
#include "payload.h"

static uint64_t initrd(const char *property)
{
    const uint32_t *chosen = fdt_by_name("chosen");
    uint32_t length = 0;
    fdt_get(chosen, property, &length);
    return length == 8
               ? (uint64_t)fdt_cell(chosen, property, 0) << 32 | fdt_cell(chosen, property, 1)
               : fdt_cell(chosen, property, 0);
}

static struct range own[3]; /* the payload, its device tree, its initramfs */

static void find_own(void)
{
    uint64_t start = initrd("linux,initrd-start");
    own[0] = (struct range){(uint64_t)__image_start, (uint64_t)(__image_end - __image_start)};
    own[1] = (struct range){(uint64_t)fdt, fdt_size()};
    own[2] = (struct range){start & ~7UL, initrd("linux,initrd-end") - start + 7};
}

static bool known(uint64_t address)
{
    for (unsigned i = 0; i < 3; i++)
        if (address - (own[i].base & ~7UL) < own[i].size)
            return true;
    return false;
}

static void for_unknown(uint64_t start, uint64_t end, uint64_t fill, uint64_t *dirty,
                        uint64_t *first)
{
    for (uint64_t address = start; address < end; address += 8) {
        uint64_t *word = (uint64_t *)address;
        if ((!fill && !*word) || known(address))
            continue;
        if (fill)
            *word = fill;
        else if (!(*dirty)++)
            *first = address;
    }
}

void payload_main(void)
{
    uint64_t start = in_diosix ? ram.base : (uint64_t)__image_start;
    uint64_t end = ram.base + ram.size, dirty = 0, first = 0;
    if (!in_diosix && end - (uint64_t)__image_end > 0x2000000)
        end = (uint64_t)__image_end + 0x2000000; /* a native machine is large */
    find_own();
    for_unknown(start, end, 0, &dirty, &first);
    check(!dirty, "memory.zero", "%lu words are not, the first at 0x%lx is 0x%lx", dirty, first,
          dirty ? *(uint64_t *)first : 0);
    for_unknown(start, end, 0x5ec2e75ec2e75ec2, &dirty, &first);
}
