/*
 * Reads a DMFS image: a FIT, that is, a device tree which describes blobs that follow it.
 *
 *   /  diosix,version, diosix,banners
 *   +- images
 *   |  +- kernel-1  data-offset, data-size, compression, load (of blobs)
 *   |     +- hash-1  algo = "crc32", value
 *   +- configurations
 *      +- linux  kernel, ramdisk, loadables, description, diosix,type, diosix,ram, ...
 *
 * The image may come from anywhere, so nothing in it is believed. dmfs_open() checks the tree's
 * structure (tree.h), after which libfdt's functions can't leave it. Then each property is taken
 * with a function that checks its presence, length and termination. Text that reaches the log or a
 * terminal has only printable ASCII; what has not is shown masked.
 *
 * Blobs are hashed only when a capsule uses them, and once, however many capsules share them.
 * dmfs_capsules.c makes capsules of all this.
 */
#include "dmfs.h"
#include "dmfs_values.h"
#include "log.h"
#include "tree.h"
#include <inttypes.h>
#include <libfdt.h>
#include <string.h>
#include <zlib.h>

#define DMFS_VERSION 1

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

struct dmfs_label dmfs_masked(const char *prefix, const char *name)
{
    struct dmfs_label label;
    size_t used = strlen(prefix);

    memcpy(label.text, prefix, used);
    for (; *name && used < sizeof(label.text) - 1; name++)
        label.text[used++] = is_printable(name, 1) ? *name : '?';
    label.text[used] = '\0';
    return label;
}

/* --- properties --- */

const char *dmfs_text(const void *fdt, int node, const char *name, size_t max, bool *wrong)
{
    int length;
    const char *text = tree_property(fdt, node, name, &length);

    *wrong = false;
    if (!text)
        return NULL;
    *wrong = length < 1 || (size_t)length - 1 > max || text[length - 1] != '\0' ||
             !is_printable(text, (size_t)length - 1);
    return *wrong ? NULL : text;
}

const char *dmfs_nothing(const void *fdt)
{
    const char *name = tree_name(fdt, 0);

    return name + strlen(name);
}

bool dmfs_u32(const void *fdt, int node, const char *name, uint32_t *value)
{
    int length;
    const fdt32_t *cell = tree_property(fdt, node, name, &length);

    if (!cell || length != sizeof(*cell))
        return false;
    *value = fdt32_ld(cell);
    return true;
}

bool dmfs_u64(const void *fdt, int node, const char *name, uint64_t *value)
{
    int length;
    const fdt64_t *cells = tree_property(fdt, node, name, &length);

    if (!cells || length != sizeof(*cells))
        return false;
    *value = fdt64_ld(cells);
    return true;
}

bool dmfs_has(const void *fdt, int node, const char *name)
{
    int length;

    return tree_property(fdt, node, name, &length) != NULL;
}

const char *dmfs_next_string(const char *list, int length, int *at)
{
    const char *string = list + *at;

    if (*at >= length || !memchr(string, '\0', (size_t)(length - *at)))
        return NULL;
    *at += (int)strlen(string) + 1;
    return string;
}

/* --- blobs --- */

/* Where a blob lies in the image; false when the properties are missing or wrong, or any byte is
 * outside the external data. 32-bit values can't overflow these sums. */
static bool blob_extent(const struct dmfs *image, int node, uint64_t *start, uint64_t *size)
{
    uint32_t offset, bytes;

    if (!dmfs_u32(image->fdt, node, "data-size", &bytes))
        return false;
    if (dmfs_u32(image->fdt, node, "data-position", &offset))
        *start = offset;
    else if (dmfs_u32(image->fdt, node, "data-offset", &offset))
        *start = (uint64_t)image->data + offset;
    else
        return false;
    *size = bytes;
    return *start >= image->data && *start + *size <= image->size;
}

static bool blob_stated_crc(const void *fdt, int node, uint32_t *crc)
{
    int hash;

    tree_for_each_child(hash, fdt, node)
    {
        bool wrong;
        const char *algorithm = dmfs_text(fdt, hash, "algo", 32, &wrong);

        if (strncmp(tree_name(fdt, hash), "hash", 4) == 0 && algorithm &&
            strcmp(algorithm, "crc32") == 0)
            return dmfs_u32(fdt, hash, "value", crc);
    }
    return false;
}

static uint32_t blob_crc(struct dmfs_reader *reader, int node, const struct blob *blob)
{
    uint32_t crc;

    for (unsigned i = 0; i < reader->checked_count; i++)
        if (reader->checked[i].node == node)
            return reader->checked[i].crc;
    crc = (uint32_t)crc32(0, blob->data, (uInt)blob->size);
    if (reader->checked_count < DMFS_CHECKED_MAX)
        reader->checked[reader->checked_count++] = (struct dmfs_checked){node, crc};
    return crc;
}

static bool blob_is_compressed(const void *fdt, int node)
{
    bool wrong;
    const char *compression = dmfs_text(fdt, node, "compression", 32, &wrong);

    return wrong || (compression && strcmp(compression, "none") != 0);
}

static bool blob_crc_matches(struct dmfs_reader *reader, const struct dmfs_label *user, int node,
                             const struct blob *blob)
{
    uint32_t stated, found;

    if (!blob_stated_crc(reader->image->fdt, node, &stated)) {
        log_error("image: %s: blob %s has no crc32", user->text, blob->name);
        return false;
    }
    found = blob_crc(reader, node, blob);
    if (found != stated)
        log_error("image: %s: blob %s is damaged: crc32 found %08" PRIx32 ", expected %08" PRIx32,
                  user->text, blob->name, found, stated);
    return found == stated;
}

static int blob_node(const struct dmfs_reader *reader, const char *name)
{
    const void *fdt = reader->image->fdt;

    return tree_find_child(fdt, tree_find_child(fdt, 0, "images", 6), name, strlen(name));
}

bool dmfs_blob(struct dmfs_reader *reader, const struct dmfs_label *user, const char *name,
               struct blob *blob)
{
    const struct dmfs *image = reader->image;
    struct dmfs_label shown = dmfs_masked("", name);
    int node = blob_node(reader, name);
    uint64_t start, size;

    if (node < 0 || !is_printable(name, strlen(name))) {
        log_error("image: %s: there is no blob %s", user->text, shown.text);
        return false;
    }
    if (!blob_extent(image, node, &start, &size)) {
        log_error("image: %s: blob %s has no place within the image's %zu bytes", user->text,
                  shown.text, image->size);
        return false;
    }
    if (size == 0 || blob_is_compressed(image->fdt, node)) {
        log_error("image: %s: blob %s is %s", user->text, shown.text,
                  size == 0 ? "empty" : "compressed; mkdmfs unpacks kernels, and nothing else is");
        return false;
    }
    /* The node's own name may go on with a unit address, which is not checked. */
    *blob = (struct blob){(const char *)image->fdt + start, size, name};
    return blob_crc_matches(reader, user, node, blob);
}

bool dmfs_blob_of(struct dmfs_reader *reader, const struct dmfs_label *user, int node,
                  const char *property, bool optional, struct blob *blob)
{
    bool wrong;
    const char *name = dmfs_text(reader->image->fdt, node, property, DIOSIX_NAME_MAX - 1, &wrong);

    *blob = (struct blob){NULL, 0, dmfs_nothing(reader->image->fdt)};
    if (name)
        return dmfs_blob(reader, user, name, blob);
    if (wrong || !optional)
        log_error("image: %s: property %s %s", user->text, property,
                  wrong ? "is not the name of a blob" : "is missing");
    return !wrong && optional;
}

/* FIT: as many cells as its load address takes. */
bool dmfs_blob_address(struct dmfs_reader *reader, const struct dmfs_label *user, const char *name,
                       uint64_t *address)
{
    const void *fdt = reader->image->fdt;
    int node = blob_node(reader, name);
    uint32_t low;

    if (dmfs_u32(fdt, node, "load", &low))
        *address = low;
    else if (!dmfs_u64(fdt, node, "load", address) || *address >= DMFS_ADDRESS_END) {
        log_error("image: %s: blob %s has no load address below 2^56", user->text, name);
        return false;
    }
    return true;
}

/* --- banners --- */

static bool is_banner(const struct blob *blob)
{
    const char *text = blob->data;

    for (size_t i = 0; i < blob->size; i++)
        if (!is_printable(&text[i], 1) && !(text[i] && strchr("\t\r\n", text[i])))
            return false;
    return true;
}

void dmfs_each_banner(const struct dmfs *image, void (*visit)(const char *text, size_t size))
{
    struct dmfs_reader reader = {.image = image};
    struct dmfs_label label = dmfs_masked("banner", "");
    int length, at = 0;
    const char *list = tree_property(image->fdt, 0, "diosix,banners", &length);
    const char *name;

    while (list && (name = dmfs_next_string(list, length, &at))) {
        struct blob blob;

        if (!dmfs_blob(&reader, &label, name, &blob))
            continue;
        if (is_banner(&blob))
            visit(blob.data, blob.size);
        else
            log_error("image: banner %s is not printable text", blob.name);
    }
}

/* --- the tree --- */

/* NULL when it is a tree of ours, else what is wrong. */
static const char *image_fault(const void *fdt)
{
    uint32_t version;

    if (!dmfs_u32(fdt, 0, "diosix,version", &version))
        return "it has no property diosix,version";
    if (version != DMFS_VERSION)
        return "it is of another version than 1";
    if (tree_find_child(fdt, 0, "images", 6) < 0)
        return "it has no node /images";
    if (tree_find_child(fdt, 0, "configurations", 14) < 0)
        return "it has no node /configurations";
    return NULL;
}

/* Where the last blob ends; those that have no place within the image don't count. */
static size_t image_end(const struct dmfs *image)
{
    size_t end = fdt_totalsize(image->fdt);
    int node;

    tree_for_each_child(node, image->fdt, tree_find_child(image->fdt, 0, "images", 6))
    {
        uint64_t start, size;

        if (blob_extent(image, node, &start, &size) && start + size > end)
            end = start + size;
    }
    return end;
}

enum error dmfs_open(struct dmfs *image, const void *bytes, size_t limit, struct tree_index *index)
{
    const char *fault = tree_fault(bytes, limit);

    tree_forget();
    if (!fault && index)
        tree_remember(bytes, index);
    if (!fault)
        fault = image_fault(bytes);
    if (fault) {
        log_error("image: not usable, %zu bytes: %s", limit, fault);
        return ERROR_BAD_IMAGE;
    }
    *image = (struct dmfs){bytes, limit, align_up(fdt_totalsize(bytes), 4)};
    image->size = image_end(image);
    return OK;
}

void dmfs_moved(struct dmfs *image, const void *bytes)
{
    image->fdt = bytes;
    tree_moved(bytes);
}
