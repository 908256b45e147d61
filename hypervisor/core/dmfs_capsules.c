/*
 * Makes capsules of the nodes below /configurations of a DMFS image: each value is checked against
 * its range. A capsule is read completely before it is visited, so a damaged one leaves nothing
 * behind.
 */
#include "dmfs.h"
#include "dmfs_values.h"
#include "log.h"
#include "tree.h"
#include <inttypes.h>
#include <libfdt.h>
#include <string.h>

#define BOOTARGS_MAX 4095 /* characters */
#define ISA_MAX      255
#define RAM_MAX      (1ULL << 40) /* keeps sums of sizes far from overflow */

/* One walk through the configurations. */
struct walk {
    struct dmfs_reader reader;
    const char *accepted[CAPSULE_MAX]; /* names of capsules, in the tree */
    unsigned accepted_count;
};

/* Letters, digits, '.', '_' and '-', a letter or digit first: also what mkdmfs accepts. */
static bool is_name(const char *name)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._-";
    size_t length = strlen(name);

    return length > 0 && length < DIOSIX_NAME_MAX && strspn(name, allowed) == length &&
           !strchr("._-", name[0]);
}

static bool read_name(struct walk *walk, const struct dmfs_label *label, int node,
                      struct capsule_config *config)
{
    const char *name = tree_name(walk->reader.image->fdt, node);

    if (!is_name(name)) {
        log_error("image: %s: the name is not one of 1 to %d letters, digits, '.', '_', '-'",
                  label->text, DIOSIX_NAME_MAX - 1);
        return false;
    }
    for (unsigned i = 0; i < walk->accepted_count; i++) {
        if (strcmp(walk->accepted[i], name) == 0) {
            log_error("image: %s: another capsule has this name already", label->text);
            return false;
        }
    }
    strcpy(config->name, name);
    return true;
}

/* Text that may be absent, which is the same as empty. */
static bool read_text(const void *fdt, const struct dmfs_label *label, int node,
                      const char *property, size_t max, const char **text)
{
    bool wrong;

    *text = dmfs_text(fdt, node, property, max, &wrong);
    if (!*text)
        *text = dmfs_nothing(fdt);
    if (wrong)
        log_error("image: %s: property %s is not printable text of at most %zu characters",
                  label->text, property, max);
    return !wrong;
}

static bool read_texts(const void *fdt, const struct dmfs_label *label, int node,
                       struct capsule_config *config)
{
    const char *description;

    if (!read_text(fdt, label, node, "description", DIOSIX_DESCRIPTION_MAX - 1, &description) ||
        !read_text(fdt, label, node, "diosix,bootargs", BOOTARGS_MAX, &config->bootargs))
        return false;
    strcpy(config->description, description);
    return true;
}

static bool read_ram(const void *fdt, const struct dmfs_label *label, int node,
                     struct capsule_config *config)
{
    if (!dmfs_u64(fdt, node, "diosix,ram", &config->ram)) {
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
static bool read_number(const void *fdt, const struct dmfs_label *label, int node,
                        const char *property, uint32_t max, unsigned *value)
{
    uint32_t number = *value;

    if (dmfs_has(fdt, node, property) && !dmfs_u32(fdt, node, property, &number)) {
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

static bool read_load(const void *fdt, const struct dmfs_label *label, int node,
                      struct capsule_config *config)
{
    config->load = 0;
    if (!dmfs_has(fdt, node, "diosix,load"))
        return true;
    if (!dmfs_u64(fdt, node, "diosix,load", &config->load) || config->load >= DMFS_ADDRESS_END) {
        log_error("image: %s: property diosix,load is not an address below 2^56", label->text);
        return false;
    }
    return true;
}

static bool read_blobs(struct dmfs_reader *reader, const struct dmfs_label *label, int node,
                       struct capsule_config *config)
{
    int length, at = 0;
    const char *list = tree_property(reader->image->fdt, node, "loadables", &length);
    const char *name;

    config->blob_count = 0;
    if (!list)
        return true;
    while ((name = dmfs_next_string(list, length, &at))) {
        struct placed_blob *placed = &config->blobs[config->blob_count];

        if (config->blob_count == CAPSULE_BLOB_MAX) {
            log_error("image: %s: more than %d loadables", label->text, CAPSULE_BLOB_MAX);
            return false;
        }
        if (!dmfs_blob(reader, label, name, &placed->blob) ||
            !dmfs_blob_address(reader, label, placed->blob.name, &placed->address))
            return false;
        config->blob_count++;
    }
    if (at != length)
        log_error("image: %s: property loadables does not end with NUL", label->text);
    return at == length;
}

static bool read_flash(struct dmfs_reader *reader, const struct dmfs_label *label, int node,
                       struct capsule_config *config)
{
    static const char *const properties[CAPSULE_FLASH_MAX] = {"diosix,flash0", "diosix,flash1"};

    for (unsigned bank = 0; bank < CAPSULE_FLASH_MAX; bank++) {
        if (!dmfs_blob_of(reader, label, node, properties[bank], true, &config->flash[bank]))
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
static bool read_files(struct dmfs_reader *reader, const struct dmfs_label *label, int node,
                       struct capsule_config *config)
{
    return read_flash(reader, label, node, config) &&
           dmfs_blob_of(reader, label, node, "kernel", config->flash[0].data != NULL,
                        &config->kernel) &&
           dmfs_blob_of(reader, label, node, "ramdisk", true, &config->initramfs) &&
           read_blobs(reader, label, node, config);
}

/* The harts that its vCPUs are pinned to: a list of ids, none when absent. */
static bool read_pins(const void *fdt, const struct dmfs_label *label, int node,
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

static bool read_cap(const void *fdt, const struct dmfs_label *label, int node,
                     struct capsule_config *config)
{
    config->cap = 0;
    if (!dmfs_has(fdt, node, "diosix,cap"))
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

static bool read_properties(const void *fdt, const struct dmfs_label *label, int node,
                            struct capsule_config *config)
{
    int length, at = 0;
    const char *list = tree_property(fdt, node, "diosix,properties", &length);
    const char *name;

    config->properties = 0;
    if (!list)
        return true;
    while ((name = dmfs_next_string(list, length, &at))) {
        uint64_t bit = property_bit(name);

        if (!bit) {
            log_error("image: %s: '%s' is not a property of capsules", label->text,
                      dmfs_masked("", name).text);
            return false;
        }
        config->properties |= bit;
    }
    if (at != length)
        log_error("image: %s: property diosix,properties does not end with NUL", label->text);
    return at == length;
}

static bool read_capsule(struct walk *walk, const struct dmfs_label *label, int node,
                         struct capsule_config *config)
{
    const void *fdt = walk->reader.image->fdt;

    config->cpus = 1;
    config->weight = CAPSULE_WEIGHT;
    return read_name(walk, label, node, config) && read_texts(fdt, label, node, config) &&
           read_ram(fdt, label, node, config) &&
           read_number(fdt, label, node, "diosix,cpus", CAPSULE_VCPU_MAX, &config->cpus) &&
           read_number(fdt, label, node, "diosix,weight", 10000, &config->weight) &&
           read_cap(fdt, label, node, config) && read_pins(fdt, label, node, config) &&
           read_text(fdt, label, node, "diosix,isa", ISA_MAX, &config->isa) &&
           read_load(fdt, label, node, config) && read_properties(fdt, label, node, config) &&
           read_files(&walk->reader, label, node, config);
}

/* "service" or "guest"; NULL for anything else. */
static const char *read_type(const void *fdt, int node)
{
    bool wrong;
    const char *type = dmfs_text(fdt, node, "diosix,type", 32, &wrong);

    if (type && (strcmp(type, "service") == 0 || strcmp(type, "guest") == 0))
        return type;
    return NULL;
}

static void visit_capsules(struct walk *walk, bool services,
                           void (*visit)(const struct capsule_config *config))
{
    const void *fdt = walk->reader.image->fdt;
    int node;

    tree_for_each_child(node, fdt, tree_find_child(fdt, 0, "configurations", 14))
    {
        struct dmfs_label label = dmfs_masked("capsule ", tree_name(fdt, node));
        const char *type = read_type(fdt, node);
        struct capsule_config config = {.is_service = services};

        if (!type && services)
            log_error("image: %s: property diosix,type is neither \"service\" nor \"guest\"",
                      label.text);
        if (!type || (strcmp(type, "service") == 0) != services)
            continue;
        if (walk->accepted_count == CAPSULE_MAX) {
            log_error("image: %s and any after it: more than %d capsules", label.text, CAPSULE_MAX);
            return;
        }
        if (!read_capsule(walk, &label, node, &config)) {
            log_error("image: %s is left out", label.text);
            continue;
        }
        walk->accepted[walk->accepted_count++] = tree_name(fdt, node);
        visit(&config);
    }
}

void dmfs_each_capsule(const struct dmfs *image, struct dmfs_filter filter,
                       void (*visit)(const struct capsule_config *config))
{
    struct walk walk = {.reader.image = image};

    if (!filter.no_services)
        visit_capsules(&walk, true, visit);
    if (!filter.no_guests)
        visit_capsules(&walk, false, visit);
}
