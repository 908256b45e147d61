#include "devicetree.h"
#include <libfdt.h>
#include <string.h>

static uint64_t read_cells(const uint8_t *bytes, int cells)
{
    uint64_t value = 0;

    for (int i = 0; i < 4 * cells; i++)
        value = value << 8 | bytes[i];
    return value;
}

bool devicetree_u32(const void *fdt, int node, const char *name, uint32_t *value)
{
    int length;
    const void *data = fdt_getprop(fdt, node, name, &length);

    if (!data || length != 4)
        return false;
    *value = read_cells(data, 1);
    return true;
}

bool devicetree_u64(const void *fdt, int node, const char *name, uint64_t *value)
{
    int length;
    const void *data = fdt_getprop(fdt, node, name, &length);

    if (!data || (length != 4 && length != 8))
        return false;
    *value = read_cells(data, length / 4);
    return true;
}

const char *devicetree_string(const void *fdt, int node, const char *name)
{
    int length;
    const char *data = fdt_getprop(fdt, node, name, &length);

    return data && length > 0 && data[length - 1] == '\0' ? data : NULL;
}

bool devicetree_is_okay(const void *fdt, int node)
{
    int length;
    const char *status = fdt_getprop(fdt, node, "status", &length);

    if (!status)
        return true;
    return (length == 5 && !memcmp(status, "okay", 5)) || (length == 3 && !memcmp(status, "ok", 3));
}

bool devicetree_is_compatible(const void *fdt, int node, const char *const *compatible)
{
    for (; *compatible; compatible++) {
        if (fdt_stringlist_search(fdt, node, "compatible", *compatible) >= 0)
            return true;
    }
    return false;
}

/* How many cells an address and a size have on the bus that the node is. Buses with addresses
 * of three cells (PCI) are not for us. */
static bool bus_cells(const void *fdt, int bus, int *address, int *size)
{
    *address = fdt_address_cells(fdt, bus);
    *size = fdt_size_cells(fdt, bus);
    return *address >= 1 && *address <= 2 && *size >= 0 && *size <= 2;
}

/* Translates a region on `bus` to one on the bus above, `parent`. */
static bool translate(const void *fdt, int bus, int parent, uint64_t *base, uint64_t size)
{
    int address, sizes, above, unused, length;
    const uint8_t *ranges = fdt_getprop(fdt, bus, "ranges", &length);

    if (!ranges || !bus_cells(fdt, bus, &address, &sizes) ||
        !bus_cells(fdt, parent, &above, &unused))
        return false;
    if (length == 0)
        return true; /* the same addresses on both sides */
    int entry = 4 * (address + above + sizes);

    for (; length >= entry; ranges += entry, length -= entry) {
        uint64_t child = read_cells(ranges, address);
        uint64_t host = read_cells(ranges + 4 * address, above);
        uint64_t window = read_cells(ranges + 4 * (address + above), sizes);

        if (*base >= child && *base - child < window && size <= window - (*base - child)) {
            *base = host + (*base - child);
            return true;
        }
    }
    return false;
}

bool devicetree_reg(const void *fdt, int node, unsigned index, uint64_t *base, uint64_t *size)
{
    int address, sizes, length, bus = fdt_parent_offset(fdt, node);
    const uint8_t *reg = fdt_getprop(fdt, node, "reg", &length);

    if (!reg || bus < 0 || !bus_cells(fdt, bus, &address, &sizes))
        return false;
    size_t entry = 4 * (address + sizes);

    if (index >= (size_t)length / entry)
        return false;
    *base = read_cells(reg + index * entry, address);
    *size = read_cells(reg + index * entry + 4 * address, sizes);
    for (int parent; (parent = fdt_parent_offset(fdt, bus)) >= 0; bus = parent) {
        if (!translate(fdt, bus, parent, base, *size))
            return false;
    }
    return *size <= UINT64_MAX - *base;
}

bool devicetree_hart_id(const void *fdt, int cpu, uint64_t *hart_id)
{
    return devicetree_u64(fdt, cpu, "reg", hart_id);
}

bool devicetree_next_line(const void *fdt, int node, struct devicetree_cursor *cursor,
                          struct devicetree_line *line)
{
    int length;
    const uint8_t *lines = fdt_getprop(fdt, node, "interrupts-extended", &length);

    /* A hart's own interrupt controller has one cell (riscv,cpu-intc); so has, by the same
     * measure, a place whose phandle leads nowhere. */
    if (!lines || cursor->offset + 8 > (size_t)length)
        return false;
    int controller = fdt_node_offset_by_phandle(fdt, read_cells(lines + cursor->offset, 1));
    int cpu = controller < 0 ? -1 : fdt_parent_offset(fdt, controller);

    line->cause = read_cells(lines + cursor->offset + 4, 1);
    line->leads_to_hart = cpu >= 0 && devicetree_hart_id(fdt, cpu, &line->hart_id);
    cursor->offset += 8;
    return true;
}
