/* A reader of flattened device trees (Devicetree 0.4, chapter 5), as small as the payloads need. */
#include "payload.h"

enum {
    FDT_BEGIN_NODE = 1,
    FDT_END_NODE = 2,
    FDT_PROP = 3,
    FDT_NOP = 4,
    FDT_END = 9
};

const void *fdt;

static uint32_t big(const void *at)
{
    const uint8_t *bytes = at;
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint32_t header(unsigned index)
{
    return big((const uint32_t *)fdt + index);
}

uint32_t fdt_size(void)
{
    return header(1);
}

/* The token after this one. */
static const uint32_t *advance(const uint32_t *token)
{
    switch (big(token)) {
    case FDT_BEGIN_NODE:
        return token + 1 + (strlen((const char *)(token + 1)) + 4) / 4;
    case FDT_PROP:
        return token + 3 + (big(token + 1) + 3) / 4;
    default:
        return token + 1;
    }
}

const uint32_t *fdt_next(const uint32_t *node)
{
    const uint32_t *token =
        node ? advance(node) : (const uint32_t *)((const char *)fdt + header(2));
    while (big(token) != FDT_BEGIN_NODE) {
        if (big(token) == FDT_END)
            return NULL;
        token = advance(token);
    }
    return token;
}

const char *fdt_name(const uint32_t *node)
{
    return (const char *)(node + 1);
}

/* Properties come before a node's children, so they end at the first other token. */
const void *fdt_get(const uint32_t *node, const char *property, uint32_t *length)
{
    if (!node)
        return NULL;
    const char *strings = (const char *)fdt + header(3);
    const uint32_t *token = advance(node);
    for (; big(token) == FDT_PROP || big(token) == FDT_NOP; token = advance(token)) {
        if (big(token) == FDT_NOP || strcmp(strings + big(token + 2), property))
            continue;
        if (length)
            *length = big(token + 1);
        return token + 3;
    }
    return NULL;
}

const uint32_t *fdt_by_name(const char *name)
{
    size_t length = strlen(name);
    for (const uint32_t *node = fdt_next(NULL); node; node = fdt_next(node)) {
        const char *found = fdt_name(node);
        if (!strncmp(found, name, length) && (!found[length] || found[length] == '@'))
            return node;
    }
    return NULL;
}

const uint32_t *fdt_by_compatible(const char *compatible)
{
    for (const uint32_t *node = fdt_next(NULL); node; node = fdt_next(node)) {
        uint32_t length = 0;
        const char *list = fdt_get(node, "compatible", &length);
        for (uint32_t at = 0; list && at < length; at += strlen(list + at) + 1)
            if (!strcmp(list + at, compatible))
                return node;
    }
    return NULL;
}

uint32_t fdt_cell(const uint32_t *node, const char *property, unsigned index)
{
    uint32_t length = 0;
    const uint32_t *cells = fdt_get(node, property, &length);
    return cells && length >= (index + 1) * 4 ? big(cells + index) : 0;
}

/* With two cells for the address and two for the size, as all the machines here have. */
struct range fdt_reg(const uint32_t *node)
{
    return (struct range){
        (uint64_t)fdt_cell(node, "reg", 0) << 32 | fdt_cell(node, "reg", 1),
        (uint64_t)fdt_cell(node, "reg", 2) << 32 | fdt_cell(node, "reg", 3),
    };
}
