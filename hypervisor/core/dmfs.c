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
 * structure, after which libfdt's functions can't leave it. Then each property is taken with a
 * function that checks its presence, length and termination, and each value against its range.
 * Text that reaches the log or a terminal has only printable ASCII; what has not is shown masked.
 *
 * A capsule is read completely before it is visited, so a damaged one leaves nothing behind.
 * Blobs are hashed only when a capsule uses them, and once, however many capsules share them.
 */
#include "dmfs.h"
#include "log.h"
#include "tree.h"
#include <inttypes.h>
#include <libfdt.h>
#include <string.h>
#include <zlib.h>

#define DMFS_VERSION 1
#define FDT_VERSION  17   /* Devicetree 0.4, 5.2: the first with size_dt_struct */
#define BOOTARGS_MAX 4095 /* characters */
#define ISA_MAX      255
#define RAM_MAX      (1ULL << 40) /* keeps sums of sizes far from overflow */
#define LOAD_MAX     (1ULL << 56) /* the widest physical address: Privileged, 12.4 */
#define LABEL_SIZE   (DIOSIX_NAME_MAX + 16)
#define CHECKED_MAX  (2 * CAPSULE_MAX) /* a kernel and an initramfs each; more are hashed again */

/* A blob whose hash was computed. */
struct checked_blob {
    int node;
    uint32_t crc;
};

/* One walk through the image. */
struct reader {
    const struct dmfs *image;
    struct checked_blob checked[CHECKED_MAX];
    unsigned checked_count;
    const char *accepted[CAPSULE_MAX]; /* names of capsules, in the tree */
    unsigned accepted_count;
};

/* What is being read, for messages: "capsule linux". */
struct label {
    char text[LABEL_SIZE];
};

static bool is_printable(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

/* A copy of a name from the image that can't upset a terminal. */
static struct label masked(const char *prefix, const char *name)
{
    struct label label;
    size_t used = strlen(prefix);

    memcpy(label.text, prefix, used);
    for (; *name && used < sizeof(label.text) - 1; name++)
        label.text[used++] = is_printable(name, 1) ? *name : '?';
    label.text[used] = '\0';
    return label;
}

/* --- properties --- */

/* A property that is one string of at most `max` printable characters. NULL when it is absent or
 * wrong; *wrong says which. */
static const char *get_text(const void *fdt, int node, const char *name, size_t max, bool *wrong)
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

static bool get_u32(const void *fdt, int node, const char *name, uint32_t *value)
{
    int length;
    const fdt32_t *cell = tree_property(fdt, node, name, &length);

    if (!cell || length != sizeof(*cell))
        return false;
    *value = fdt32_ld(cell);
    return true;
}

static bool get_u64(const void *fdt, int node, const char *name, uint64_t *value)
{
    int length;
    const fdt64_t *cells = tree_property(fdt, node, name, &length);

    if (!cells || length != sizeof(*cells))
        return false;
    *value = fdt64_ld(cells);
    return true;
}

static bool has_property(const void *fdt, int node, const char *name)
{
    int length;

    return tree_property(fdt, node, name, &length) != NULL;
}

/* The string of a list of strings that starts at *at; NULL past the last. */
static const char *next_string(const char *list, int length, int *at)
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

    if (!get_u32(image->fdt, node, "data-size", &bytes))
        return false;
    if (get_u32(image->fdt, node, "data-position", &offset))
        *start = offset;
    else if (get_u32(image->fdt, node, "data-offset", &offset))
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
        const char *algorithm = get_text(fdt, hash, "algo", 32, &wrong);

        if (strncmp(tree_name(fdt, hash), "hash", 4) == 0 && algorithm &&
            strcmp(algorithm, "crc32") == 0)
            return get_u32(fdt, hash, "value", crc);
    }
    return false;
}

static uint32_t blob_crc(struct reader *reader, int node, const struct blob *blob)
{
    uint32_t crc;

    for (unsigned i = 0; i < reader->checked_count; i++)
        if (reader->checked[i].node == node)
            return reader->checked[i].crc;
    crc = (uint32_t)crc32(0, blob->data, (uInt)blob->size);
    if (reader->checked_count < CHECKED_MAX)
        reader->checked[reader->checked_count++] = (struct checked_blob){node, crc};
    return crc;
}

static bool blob_is_compressed(const void *fdt, int node)
{
    bool wrong;
    const char *compression = get_text(fdt, node, "compression", 32, &wrong);

    return wrong || (compression && strcmp(compression, "none") != 0);
}

static bool blob_crc_matches(struct reader *reader, const struct label *user, int node,
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

static int blob_node(const struct reader *reader, const char *name)
{
    const void *fdt = reader->image->fdt;

    return tree_find_child(fdt, tree_find_child(fdt, 0, "images", 6), name, strlen(name));
}

/* Finds the blob with this name for `user`, and checks it. */
static bool blob_get(struct reader *reader, const struct label *user, const char *name,
                     struct blob *blob)
{
    const struct dmfs *image = reader->image;
    struct label shown = masked("", name);
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

/* The blob that a configuration's property names. It is no error if an optional one is absent. */
static bool blob_of(struct reader *reader, const struct label *user, int node, const char *property,
                    bool optional, struct blob *blob)
{
    bool wrong;
    const char *name = get_text(reader->image->fdt, node, property, DIOSIX_NAME_MAX - 1, &wrong);

    *blob = (struct blob){NULL, 0, ""};
    if (name)
        return blob_get(reader, user, name, blob);
    if (wrong || !optional)
        log_error("image: %s: property %s %s", user->text, property,
                  wrong ? "is not the name of a blob" : "is missing");
    return !wrong && optional;
}

/* Where in a capsule's RAM a blob goes. FIT: as many cells as its load address takes. */
static bool blob_address(struct reader *reader, const struct label *user, const char *name,
                         uint64_t *address)
{
    const void *fdt = reader->image->fdt;
    int node = blob_node(reader, name);
    uint32_t low;

    if (get_u32(fdt, node, "load", &low))
        *address = low;
    else if (!get_u64(fdt, node, "load", address) || *address >= LOAD_MAX) {
        log_error("image: %s: blob %s has no load address below 2^56", user->text, name);
        return false;
    }
    return true;
}

/* --- capsules --- */

/* Letters, digits, '.', '_' and '-', a letter or digit first: also what mkdmfs accepts. */
static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    size_t length = strlen(name);

    return length > 0 && length < DIOSIX_NAME_MAX && strspn(name, allowed) == length &&
           !strchr("._-", name[0]);
}

static bool read_name(struct reader *reader, const struct label *label, int node,
                      struct capsule_config *config)
{
    const char *name = tree_name(reader->image->fdt, node);

    if (!is_name(name)) {
        log_error("image: %s: the name is not one of 1 to %d letters, digits, '.', '_', '-'",
                  label->text, DIOSIX_NAME_MAX - 1);
        return false;
    }
    for (unsigned i = 0; i < reader->accepted_count; i++) {
        if (strcmp(reader->accepted[i], name) == 0) {
            log_error("image: %s: another capsule has this name already", label->text);
            return false;
        }
    }
    strcpy(config->name, name);
    return true;
}

/* Text that may be absent, which is the same as empty. */
static bool read_text(const void *fdt, const struct label *label, int node, const char *property,
                      size_t max, const char **text)
{
    bool wrong;

    *text = get_text(fdt, node, property, max, &wrong);
    if (!*text)
        *text = "";
    if (wrong)
        log_error("image: %s: property %s is not printable text of at most %zu characters",
                  label->text, property, max);
    return !wrong;
}

static bool read_texts(const void *fdt, const struct label *label, int node,
                       struct capsule_config *config)
{
    const char *description;

    if (!read_text(fdt, label, node, "description", DIOSIX_DESCRIPTION_MAX - 1, &description) ||
        !read_text(fdt, label, node, "diosix,bootargs", BOOTARGS_MAX, &config->bootargs))
        return false;
    strcpy(config->description, description);
    return true;
}

static bool read_ram(const void *fdt, const struct label *label, int node,
                     struct capsule_config *config)
{
    if (!get_u64(fdt, node, "diosix,ram", &config->ram)) {
        log_error("image: %s: property diosix,ram is missing or not 64 bits", label->text);
        return false;
    }
    if (config->ram == 0 || config->ram > RAM_MAX || config->ram % MEGAPAGE_SIZE) {
        log_error("image: %s: %" PRIu64
                  " bytes of RAM, expected a multiple of 2 MiB, at most 1 TiB",
                  label->text, config->ram);
        return false;
    }
    return true;
}

/* A number that may be absent. */
static bool read_number(const void *fdt, const struct label *label, int node, const char *property,
                        uint32_t max, unsigned *value)
{
    uint32_t number = *value;

    if (has_property(fdt, node, property) && !get_u32(fdt, node, property, &number)) {
        log_error("image: %s: property %s is not 32 bits", label->text, property);
        return false;
    }
    if (number < 1 || number > max) {
        log_error("image: %s: property %s is %" PRIu32 ", expected 1 to %" PRIu32, label->text,
                  property, number, max);
        return false;
    }
    *value = number;
    return true;
}

static bool read_load(const void *fdt, const struct label *label, int node,
                      struct capsule_config *config)
{
    config->load = 0;
    if (!has_property(fdt, node, "diosix,load"))
        return true;
    if (!get_u64(fdt, node, "diosix,load", &config->load) || config->load >= LOAD_MAX) {
        log_error("image: %s: property diosix,load is not an address below 2^56", label->text);
        return false;
    }
    return true;
}

static bool read_blobs(struct reader *reader, const struct label *label, int node,
                       struct capsule_config *config)
{
    int length, at = 0;
    const char *list = tree_property(reader->image->fdt, node, "loadables", &length);
    const char *name;

    config->blob_count = 0;
    if (!list)
        return true;
    while ((name = next_string(list, length, &at))) {
        struct placed_blob *placed = &config->blobs[config->blob_count];

        if (config->blob_count == CAPSULE_BLOB_MAX) {
            log_error("image: %s: more than %d loadables", label->text, CAPSULE_BLOB_MAX);
            return false;
        }
        if (!blob_get(reader, label, name, &placed->blob) ||
            !blob_address(reader, label, placed->blob.name, &placed->address))
            return false;
        config->blob_count++;
    }
    if (at != length)
        log_error("image: %s: property loadables does not end with NUL", label->text);
    return at == length;
}

static bool read_flash(struct reader *reader, const struct label *label, int node,
                       struct capsule_config *config)
{
    static const char *const properties[CAPSULE_FLASH_MAX] = {"diosix,flash0", "diosix,flash1"};

    for (unsigned bank = 0; bank < CAPSULE_FLASH_MAX; bank++) {
        if (!blob_of(reader, label, node, properties[bank], true, &config->flash[bank]))
            return false;
        if (config->flash[bank].size > CAPSULE_FLASH_SIZE) {
            log_error("image: %s: blob %s has %zu bytes, a flash bank has %lu", label->text,
                      config->flash[bank].name, config->flash[bank].size, CAPSULE_FLASH_SIZE);
            return false;
        }
    }
    return true;
}

/* All files of a capsule. One with flash may start from there and need no kernel. */
static bool read_files(struct reader *reader, const struct label *label, int node,
                       struct capsule_config *config)
{
    return read_flash(reader, label, node, config) &&
           blob_of(reader, label, node, "kernel", config->flash[0].data != NULL, &config->kernel) &&
           blob_of(reader, label, node, "ramdisk", true, &config->initramfs) &&
           read_blobs(reader, label, node, config);
}

/* The harts that its vCPUs are pinned to: a list of ids, none when absent. */
static bool read_pins(const void *fdt, const struct label *label, int node,
                      struct capsule_config *config)
{
    int length, exclusive;
    const fdt32_t *ids = tree_property(fdt, node, "diosix,harts", &length);

    config->pinned_count = 0;
    config->exclusive = tree_property(fdt, node, "diosix,exclusive", &exclusive) != NULL;
    if (ids && (length < 4 || length % 4 || length / 4 > CAPSULE_PINS_MAX)) {
        log_error("image: %s: property diosix,harts is not a list of 1 to %d ids", label->text,
                  CAPSULE_PINS_MAX);
        return false;
    }
    if (config->exclusive && (!ids || exclusive != 0)) {
        log_error("image: %s: property diosix,exclusive %s", label->text,
                  ids ? "is not empty" : "needs diosix,harts");
        return false;
    }
    for (; ids && config->pinned_count < (unsigned)length / 4; ids++)
        config->pinned[config->pinned_count++] = fdt32_ld(ids);
    return true;
}

static bool read_cap(const void *fdt, const struct label *label, int node,
                     struct capsule_config *config)
{
    config->cap = 0;
    if (!has_property(fdt, node, "diosix,cap"))
        return true;
    return read_number(fdt, label, node, "diosix,cap", CAPSULE_CAP_MAX, &config->cap);
}

static uint64_t property_bit(const char *name)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } known[] = {
        {"auto_crash_restart", DIOSIX_PROPERTY_AUTO_CRASH_RESTART},
        {"service_console", DIOSIX_PROPERTY_SERVICE_CONSOLE},
        {"console_write", DIOSIX_PROPERTY_CONSOLE_WRITE},
        {"console_read", DIOSIX_PROPERTY_CONSOLE_READ},
        {"hv_log_read", DIOSIX_PROPERTY_HV_LOG_READ},
        {"capsule_info", DIOSIX_PROPERTY_CAPSULE_INFO},
        {"capsule_control", DIOSIX_PROPERTY_CAPSULE_CONTROL},
        {"stats_read", DIOSIX_PROPERTY_STATS_READ},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].bit;
    return 0;
}

static bool read_properties(const void *fdt, const struct label *label, int node,
                            struct capsule_config *config)
{
    int length, at = 0;
    const char *list = tree_property(fdt, node, "diosix,properties", &length);
    const char *name;

    config->properties = 0;
    if (!list)
        return true;
    while ((name = next_string(list, length, &at))) {
        uint64_t bit = property_bit(name);

        if (!bit) {
            log_error("image: %s: '%s' is not a property of capsules", label->text,
                      masked("", name).text);
            return false;
        }
        config->properties |= bit;
    }
    if (at != length)
        log_error("image: %s: property diosix,properties does not end with NUL", label->text);
    return at == length;
}

static bool read_capsule(struct reader *reader, const struct label *label, int node,
                         struct capsule_config *config)
{
    const void *fdt = reader->image->fdt;

    config->cpus = 1;
    config->weight = CAPSULE_WEIGHT;
    return read_name(reader, label, node, config) && read_texts(fdt, label, node, config) &&
           read_ram(fdt, label, node, config) &&
           read_number(fdt, label, node, "diosix,cpus", CAPSULE_VCPU_MAX, &config->cpus) &&
           read_number(fdt, label, node, "diosix,weight", 10000, &config->weight) &&
           read_cap(fdt, label, node, config) && read_pins(fdt, label, node, config) &&
           read_text(fdt, label, node, "diosix,isa", ISA_MAX, &config->isa) &&
           read_load(fdt, label, node, config) && read_properties(fdt, label, node, config) &&
           read_files(reader, label, node, config);
}

/* "service" or "guest"; NULL for anything else. */
static const char *read_type(const void *fdt, int node)
{
    bool wrong;
    const char *type = get_text(fdt, node, "diosix,type", 32, &wrong);

    if (type && (strcmp(type, "service") == 0 || strcmp(type, "guest") == 0))
        return type;
    return NULL;
}

static void visit_capsules(struct reader *reader, bool services,
                           void (*visit)(const struct capsule_config *config))
{
    const void *fdt = reader->image->fdt;
    int node;

    tree_for_each_child(node, fdt, tree_find_child(fdt, 0, "configurations", 14))
    {
        struct label label = masked("capsule ", tree_name(fdt, node));
        const char *type = read_type(fdt, node);
        struct capsule_config config = {.is_service = services};

        if (!type && services)
            log_error("image: %s: property diosix,type is neither \"service\" nor \"guest\"",
                      label.text);
        if (!type || (strcmp(type, "service") == 0) != services)
            continue;
        if (reader->accepted_count == CAPSULE_MAX) {
            log_error("image: %s and any after it: more than %d capsules", label.text, CAPSULE_MAX);
            return;
        }
        if (!read_capsule(reader, &label, node, &config)) {
            log_error("image: %s is left out", label.text);
            continue;
        }
        reader->accepted[reader->accepted_count++] = tree_name(fdt, node);
        visit(&config);
    }
}

void dmfs_each_capsule(const struct dmfs *image, struct dmfs_filter filter,
                       void (*visit)(const struct capsule_config *config))
{
    struct reader reader = {.image = image};

    if (!filter.no_services)
        visit_capsules(&reader, true, visit);
    if (!filter.no_guests)
        visit_capsules(&reader, false, visit);
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
    struct reader reader = {.image = image};
    struct label label = masked("banner", "");
    int length, at = 0;
    const char *list = tree_property(image->fdt, 0, "diosix,banners", &length);
    const char *name;

    while (list && (name = next_string(list, length, &at))) {
        struct blob blob;

        if (!blob_get(&reader, &label, name, &blob))
            continue;
        if (is_banner(&blob))
            visit(blob.data, blob.size);
        else
            log_error("image: banner %s is not printable text", blob.name);
    }
}

/* --- the tree --- */

/* NULL when it is a tree of ours whose structure libfdt can walk, else what is wrong. */
static const char *tree_fault(const void *bytes, size_t limit)
{
    uint32_t version;
    int error;

    if ((uintptr_t)bytes % 8)
        return "it is not at an address that is a multiple of 8";
    if (limit < sizeof(struct fdt_header))
        return fdt_strerror(-FDT_ERR_TRUNCATED);
    error = fdt_check_header(bytes);
    if (error)
        return fdt_strerror(error);
    /* Devicetree 0.4, 5.6: libfdt reads the blocks as the words that these alignments promise, and
     * a misaligned read is a trap here. */
    if (fdt_off_dt_struct(bytes) % 4 || fdt_off_mem_rsvmap(bytes) % 8)
        return "its blocks are not aligned";
    error = fdt_check_full(bytes, limit);
    if (error)
        return fdt_strerror(error);
    if (fdt_version(bytes) < FDT_VERSION)
        return "its device tree is of a version before 17";
    if (!get_u32(bytes, 0, "diosix,version", &version))
        return "it has no property diosix,version";
    if (version != DMFS_VERSION)
        return "it is of another version than 1";
    if (tree_find_child(bytes, 0, "images", 6) < 0)
        return "it has no node /images";
    if (tree_find_child(bytes, 0, "configurations", 14) < 0)
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

enum error dmfs_open(struct dmfs *image, const void *bytes, size_t limit)
{
    const char *fault = tree_fault(bytes, limit);

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
}
