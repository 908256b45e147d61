#include "devicetree.h"
#include "tree.h"
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
    const void *data = tree_property(fdt, node, name, &length);

    if (!data || length != 4)
        return false;
    *value = read_cells(data, 1);
    return true;
}

bool devicetree_u64(const void *fdt, int node, const char *name, uint64_t *value)
{
    int length;
    const void *data = tree_property(fdt, node, name, &length);

    if (!data || (length != 4 && length != 8))
        return false;
    *value = read_cells(data, length / 4);
    return true;
}

const char *devicetree_string(const void *fdt, int node, const char *name)
{
    int length;
    const char *data = tree_property(fdt, node, name, &length);

    return data && length > 0 && data[length - 1] == '\0' ? data : NULL;
}

bool devicetree_is_okay(const void *fdt, int node)
{
    int length;
    const char *status = tree_property(fdt, node, "status", &length);

    if (!status)
        return true;
    return (length == 5 && !memcmp(status, "okay", 5)) || (length == 3 && !memcmp(status, "ok", 3));
}

bool devicetree_is_one_of(const char *name, const char *const *names)
{
    while (*names && (**names != *name || strcmp(name, *names)))
        names++;
    return *names != NULL;
}

const char *devicetree_compatible(const void *fdt, int node, size_t *at)
{
    int length;
    const char *list = tree_property(fdt, node, "compatible", &length);

    if (!list || *at >= (size_t)length)
        return NULL;
    const char *name = list + *at;
    size_t left = (size_t)length - *at, size = strnlen(name, left);

    *at += size + 1;
    return size < left ? name : NULL;
}

bool devicetree_is_compatible(const void *fdt, int node, const char *const *names)
{
    const char *name;

    for (size_t at = 0; (name = devicetree_compatible(fdt, node, &at));) {
        if (devicetree_is_one_of(name, names))
            return true;
    }
    return false;
}

/* 2.3.5, with what counts where nothing is said; -1 when it makes no sense. */
static int cells_of(const void *fdt, int bus, const char *name, int otherwise)
{
    int length;
    const void *cells = tree_property(fdt, bus, name, &length);

    if (!cells)
        return otherwise;
    return length == 4 && fdt32_ld(cells) <= FDT_MAX_NCELLS ? (int)fdt32_ld(cells) : -1;
}

/* How many cells an address and a size have on the bus that the node is. Buses with addresses
 * of three cells (PCI) are not for us. */
static bool bus_cells(const void *fdt, int bus, int *address, int *size)
{
    *address = cells_of(fdt, bus, "#address-cells", 2);
    *size = cells_of(fdt, bus, "#size-cells", 1);
    return *address >= 1 && *address <= 2 && *size >= 0 && *size <= 2;
}

/* Translates a region on `bus` to one on the bus above, `parent`. */
static bool translate(const void *fdt, int bus, int parent, uint64_t *base, uint64_t size)
{
    int address, sizes, above, unused, length;
    const uint8_t *ranges = tree_property(fdt, bus, "ranges", &length);

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
    int address, sizes, length, bus = tree_parent(fdt, node);
    const uint8_t *reg = tree_property(fdt, node, "reg", &length);

    if (!reg || bus < 0 || !bus_cells(fdt, bus, &address, &sizes))
        return false;
    size_t entry = 4 * (address + sizes);

    if (index >= (size_t)length / entry)
        return false;
    *base = read_cells(reg + index * entry, address);
    *size = read_cells(reg + index * entry + 4 * address, sizes);
    for (int parent; (parent = tree_parent(fdt, bus)) >= 0; bus = parent) {
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
    const uint8_t *lines = tree_property(fdt, node, "interrupts-extended", &length);

    /* A hart's own interrupt controller has one cell (riscv,cpu-intc); so has, by the same
     * measure, a place whose phandle leads nowhere. */
    if (!lines || cursor->offset + 8 > (size_t)length)
        return false;
    int controller = tree_by_phandle(fdt, read_cells(lines + cursor->offset, 1));
    int cpu = controller < 0 ? -1 : tree_parent(fdt, controller);

    line->cause = read_cells(lines + cursor->offset + 4, 1);
    line->leads_to_hart = cpu >= 0 && devicetree_hart_id(fdt, cpu, &line->hart_id);
    cursor->offset += 8;
    return true;
}
