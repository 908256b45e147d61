/*
 * The reader of DMFS images against good, wrong and damaged ones. Each image is copied to memory
 * of exactly its size, so the address sanitizer notices a read beyond its end.
 */
#include "unit.h"
#include "dmfs.h"
#include "tree.h"
#include "log.h"
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define TREE_MAX 16384
#define DATA_MAX 4096
#define MiB      (1024UL * 1024)

/* What is logged, and which capsules and banners are visited. */
static char logged[65536];
static struct capsule_config seen[CAPSULE_MAX + 1];
static unsigned seen_count, banners_seen;
static char last_banner[256];
static unsigned crcs_computed;

/* The image under construction: a tree, and data that follows it. */
static uint8_t tree[TREE_MAX], data[DATA_MAX];
static size_t data_size;

static uint8_t *image_bytes;
static size_t image_size;
static struct dmfs image;

void log_write(const char *format, ...)
{
    va_list arguments;
    size_t used = strlen(logged);

    va_start(arguments, format);
    vsnprintf(logged + used, sizeof(logged) - used, format, arguments);
    va_end(arguments);
}

/* Counts the reader's calls: it is linked with --wrap=crc32. */
uLong __real_crc32(uLong crc, const Bytef *bytes, uInt size);
uLong __wrap_crc32(uLong crc, const Bytef *bytes, uInt size);
uLong __wrap_crc32(uLong crc, const Bytef *bytes, uInt size)
{
    crcs_computed++;
    return __real_crc32(crc, bytes, size);
}

static void see_capsule(const struct capsule_config *config)
{
    assert_true(seen_count <= CAPSULE_MAX);
    seen[seen_count++] = *config;
}

static void see_banner(const char *text, size_t size)
{
    banners_seen++;
    snprintf(last_banner, sizeof(last_banner), "%.*s", (int)size, text);
}

/* --- building --- */

static void put_string(const char *name, const char *value)
{
    assert_int_equal(fdt_property_string(tree, name, value), 0);
}

static void put_u32(const char *name, uint32_t value)
{
    assert_int_equal(fdt_property_u32(tree, name, value), 0);
}

static void put_u64(const char *name, uint64_t value)
{
    assert_int_equal(fdt_property_u64(tree, name, value), 0);
}

static void put_bytes(const char *name, const char *value, size_t size)
{
    assert_int_equal(fdt_property(tree, name, value, (int)size), 0);
}

static void begin_node(const char *name)
{
    assert_int_equal(fdt_begin_node(tree, name), 0);
}

static void end_node(void)
{
    assert_int_equal(fdt_end_node(tree), 0);
}

/* The tree up to and with the beginning of /images; `version` 0 leaves the property out. */
static void begin_image_of_version(uint32_t version)
{
    logged[0] = '\0';
    seen_count = banners_seen = crcs_computed = 0;
    data_size = 0;
    memset(data, 0, sizeof(data));
    assert_int_equal(fdt_create(tree, sizeof(tree)), 0);
    assert_int_equal(fdt_finish_reservemap(tree), 0);
    begin_node("");
    if (version)
        put_u32("diosix,version", version);
    put_bytes("diosix,banners", "hello\0missing\0", 14);
    begin_node("images");
}

static void begin_image(void)
{
    begin_image_of_version(1);
}

static void put_hash(const char *algorithm, uint32_t value)
{
    begin_node("hash-1");
    put_string("algo", algorithm);
    put_u32("value", value);
    end_node();
}

/* A blob without its hash; end_node() ends it. */
static uint32_t begin_blob(const char *name, const char *text)
{
    size_t size = strlen(text);

    begin_node(name);
    put_u32("data-offset", (uint32_t)data_size);
    put_u32("data-size", (uint32_t)size);
    memcpy(data + data_size, text, size);
    data_size += align_up(size, 8);
    return (uint32_t)__real_crc32(0, (const Bytef *)text, (uInt)size);
}

static void put_blob(const char *name, const char *text)
{
    put_hash("crc32", begin_blob(name, text));
    end_node();
}

/* From /images to /configurations. */
static void begin_configurations(void)
{
    end_node();
    begin_node("configurations");
}

static void begin_capsule(const char *name, const char *type)
{
    begin_node(name);
    put_string("diosix,type", type);
}

static void put_capsule(const char *name, const char *type)
{
    begin_capsule(name, type);
    put_string("kernel", "kernel-1");
    put_u64("diosix,ram", 4 * MiB);
    end_node();
}

static void copy_image(const void *bytes, size_t size)
{
    free(image_bytes);
    image_bytes = malloc(size); /* which aligns to 16 */
    memcpy(image_bytes, bytes, size);
    image_size = size;
}

static void finish_image(void)
{
    uint8_t whole[TREE_MAX + DATA_MAX];
    size_t start;

    end_node();
    end_node();
    assert_int_equal(fdt_finish(tree), 0);
    start = align_up(fdt_totalsize(tree), 8);
    fdt_set_totalsize(tree, (uint32_t)start);
    memset(whole, 0, sizeof(whole));
    memcpy(whole, tree, start);
    memcpy(whole + start, data, data_size);
    copy_image(whole, start + data_size);
}

static struct tree_index places;

/* Reads the whole image; visits are in `seen`. */
static enum error read_image(void)
{
    enum error error = dmfs_open(&image, image_bytes, image_size, &places);

    seen_count = banners_seen = 0;
    if (error)
        return error;
    assert_true(image.size <= image_size);
    dmfs_each_banner(&image, see_banner);
    dmfs_each_capsule(&image, (struct dmfs_filter){0}, see_capsule);
    return OK;
}

static void finish_and_read(void)
{
    finish_image();
    assert_int_equal(read_image(), OK);
}

static int release(void **state)
{
    (void)state;
    free(image_bytes);
    image_bytes = NULL;
    return 0;
}

static void assert_logged(const char *word)
{
    if (!strstr(logged, word))
        fail_msg("'%s' is not in the log:\n%s", word, logged);
}

/* A good image: a guest with everything, a service with the least. */
static void good_image(void)
{
    begin_image();
    put_blob("hello", "Hello!\n");
    put_blob("kernel-1", "the kernel");
    put_blob("ramdisk-1", "the initramfs");
    begin_configurations();
    begin_capsule("linux", "guest");
    put_string("description", "a guest");
    put_string("kernel", "kernel-1");
    put_string("ramdisk", "ramdisk-1");
    put_u64("diosix,ram", 256 * MiB);
    put_u32("diosix,cpus", 4);
    put_u32("diosix,weight", 250);
    put_u32("diosix,cap", 150);
    put_bytes("diosix,harts", "\0\0\0\3\0\0\1\2", 8);
    put_bytes("diosix,exclusive", "", 0);
    put_string("diosix,bootargs", "console=ttyS0 quiet");
    put_string("diosix,isa", "-v,-sstc");
    put_u64("diosix,load", 0x80400000);
    put_bytes("diosix,properties", "auto_crash_restart\0console_read\0", 32);
    end_node();
    put_capsule("console", "service");
    finish_image();
}

/* --- good images --- */

static void everything_is_read(void **state)
{
    (void)state;
    good_image();
    assert_int_equal(read_image(), OK);
    assert_int_equal(image.size, image_size - 3); /* 13 bytes at the end, padded to 16 */
    assert_int_equal(seen_count, 2);
    assert_string_equal(seen[0].name, "console"); /* services first */
    assert_true(seen[0].is_service);
    assert_int_equal(seen[0].cpus, 1);
    assert_int_equal(seen[0].weight, CAPSULE_WEIGHT);
    assert_int_equal(seen[0].cap, 0);
    assert_int_equal(seen[0].pinned_count, 0);
    assert_false(seen[0].exclusive);
    assert_int_equal(seen[0].properties, 0);
    assert_int_equal(seen[0].load, 0);
    assert_string_equal(seen[0].bootargs, "");
    assert_string_equal(seen[0].isa, "");
    assert_string_equal(seen[0].description, "");
    assert_null(seen[0].initramfs.data);
    assert_string_equal(seen[1].name, "linux");
    assert_false(seen[1].is_service);
    assert_string_equal(seen[1].description, "a guest");
    assert_int_equal(seen[1].ram, 256 * MiB);
    assert_int_equal(seen[1].cpus, 4);
    assert_int_equal(seen[1].weight, 250);
    assert_int_equal(seen[1].cap, 150);
    assert_int_equal(seen[1].pinned_count, 2);
    assert_int_equal(seen[1].pinned[0], 3);
    assert_int_equal(seen[1].pinned[1], 0x102);
    assert_true(seen[1].exclusive);
    assert_int_equal(seen[1].load, 0x80400000);
    assert_int_equal(seen[1].properties,
                     DIOSIX_PROPERTY_AUTO_CRASH_RESTART | DIOSIX_PROPERTY_CONSOLE_READ);
    assert_string_equal(seen[1].bootargs, "console=ttyS0 quiet");
    assert_string_equal(seen[1].isa, "-v,-sstc");
    assert_int_equal(seen[1].kernel.size, 10);
    assert_memory_equal(seen[1].kernel.data, "the kernel", 10);
    assert_string_equal(seen[1].kernel.name, "kernel-1");
    assert_memory_equal(seen[1].initramfs.data, "the initramfs", 13);
}

static void each_property_has_its_bit(void **state)
{
    static const struct {
        const char *name;
        uint64_t bit;
    } all[] = {
        {"auto_crash_restart", 1}, {"service_console", 2}, {"console_write", 4},
        {"console_read", 8},       {"hv_log_read", 16},    {"capsule_info", 32},
        {"capsule_control", 64},   {"stats_read", 128},
    };

    (void)state;
    begin_image();
    put_blob("kernel-1", "k");
    begin_configurations();
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        char name[2] = {(char)('a' + i), '\0'};

        begin_capsule(name, "guest");
        put_string("kernel", "kernel-1");
        put_u64("diosix,ram", 2 * MiB);
        put_string("diosix,properties", all[i].name);
        end_node();
    }
    finish_and_read();
    assert_int_equal(seen_count, sizeof(all) / sizeof(all[0]));
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        assert_int_equal(seen[i].properties, all[i].bit);
}

static void good_banners_are_shown(void **state)
{
    (void)state;
    good_image();
    assert_int_equal(read_image(), OK);
    assert_int_equal(banners_seen, 1);
    assert_string_equal(last_banner, "Hello!\n");
    assert_logged("there is no blob missing");
}

static void a_banner_that_would_upset_a_terminal_is_not_shown(void **state)
{
    (void)state;
    begin_image();
    put_blob("hello", "\033[2Jgone");
    begin_configurations();
    finish_and_read();
    assert_int_equal(banners_seen, 0);
    assert_logged("banner hello is not printable");
}

static void filters_leave_out_services_or_guests(void **state)
{
    (void)state;
    good_image();
    assert_int_equal(dmfs_open(&image, image_bytes, image_size, NULL), OK);
    dmfs_each_capsule(&image, (struct dmfs_filter){.no_services = true}, see_capsule);
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].name, "linux");
    dmfs_each_capsule(&image, (struct dmfs_filter){.no_guests = true}, see_capsule);
    assert_int_equal(seen_count, 2);
    assert_string_equal(seen[1].name, "console");
    dmfs_each_capsule(&image, (struct dmfs_filter){true, true}, see_capsule);
    assert_int_equal(seen_count, 2);
}

static void a_shared_blob_is_hashed_once_and_an_unused_one_never(void **state)
{
    (void)state;
    begin_image();
    put_blob("kernel-1", "k");
    put_blob("kernel-2", "nobody's");
    begin_configurations();
    put_capsule("a", "guest");
    put_capsule("b", "guest");
    put_capsule("c", "service");
    finish_and_read();
    assert_int_equal(seen_count, 3);
    assert_int_equal(crcs_computed, 1);
}

static void a_blob_may_have_an_absolute_position(void **state)
{
    uint32_t crc = (uint32_t)__real_crc32(0, (const Bytef *)"kern", 4);

    (void)state;
    begin_image();
    begin_node("kernel-1");
    put_u32("data-position", 2048);
    put_u32("data-size", 4);
    put_hash("sha1", 1);
    begin_node("hash-2");
    put_string("algo", "crc32");
    put_u32("value", crc);
    end_node();
    end_node();
    begin_configurations();
    put_capsule("a", "guest");
    data_size = 2048;
    finish_image();
    memcpy(image_bytes + 2048, "kern", 4);
    assert_int_equal(read_image(), OK);
    assert_int_equal(seen_count, 1);
    assert_memory_equal(seen[0].kernel.data, "kern", 4);
    assert_int_equal(image.size, 2052);
}

/* --- wrong images --- */

/* Reads an image whose guest "bad" was just finished by the test, beside a good one. */
static void assert_only_good(const char *word)
{
    put_capsule("good", "guest");
    finish_and_read();
    assert_logged(word);
    assert_logged("capsule ");
    assert_logged("left out");
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].name, "good");
}

static void begin_bad(void)
{
    begin_image();
    put_blob("kernel-1", "the kernel");
    begin_configurations();
    begin_capsule("bad", "guest");
}

#define BAD(word, change)                                                                          \
    do {                                                                                           \
        begin_bad();                                                                               \
        change;                                                                                    \
        end_node();                                                                                \
        assert_only_good(word);                                                                    \
    } while (0)

/* With what a capsule must have beside the thing under test. */
#define BAD_VALUE(word, change)                                                                    \
    BAD(word, put_string("kernel", "kernel-1"); put_u64("diosix,ram", 2 * MiB); change)

static void bad_values_of_a_capsule_are_refused(void **state)
{
    char text[DIOSIX_DESCRIPTION_MAX + 1];

    (void)state;
    memset(text, 'x', DIOSIX_DESCRIPTION_MAX);
    text[DIOSIX_DESCRIPTION_MAX] = '\0';
    BAD("diosix,ram is missing", put_string("kernel", "kernel-1"));
    BAD("diosix,ram is missing", put_u32("diosix,ram", 2 * MiB));
    BAD("bytes of RAM", put_u64("diosix,ram", 0));
    BAD("bytes of RAM", put_u64("diosix,ram", 3 * MiB));
    BAD("bytes of RAM", put_u64("diosix,ram", 0xffffffffffe00000UL));
    BAD("kernel is missing", put_u64("diosix,ram", 2 * MiB));
    BAD_VALUE("diosix,cpus is 0, expected 1 to 64", put_u32("diosix,cpus", 0));
    BAD_VALUE("diosix,cpus is 65", put_u32("diosix,cpus", 65));
    BAD_VALUE("diosix,cpus is not 32 bits", put_u64("diosix,cpus", 1));
    BAD_VALUE("diosix,weight is 10001", put_u32("diosix,weight", 10001));
    BAD_VALUE("diosix,weight is 0", put_u32("diosix,weight", 0));
    BAD_VALUE("diosix,cap is 0, expected 1 to 6400", put_u32("diosix,cap", 0));
    BAD_VALUE("diosix,cap is 6401", put_u32("diosix,cap", 6401));
    BAD_VALUE("diosix,cap is not 32 bits", put_u64("diosix,cap", 50));
    BAD_VALUE("diosix,harts is not a list", put_bytes("diosix,harts", "", 0));
    BAD_VALUE("diosix,harts is not a list", put_bytes("diosix,harts", "\0\0\0\1\0\0", 6));
    BAD_VALUE("diosix,harts is not a list", put_bytes("diosix,harts", (const char *)data, 65 * 4));
    BAD_VALUE("diosix,exclusive needs", put_bytes("diosix,exclusive", "", 0));
    BAD_VALUE("diosix,exclusive is not empty", put_u32("diosix,harts", 1);
              put_u32("diosix,exclusive", 1));
    BAD_VALUE("diosix,load", put_u64("diosix,load", 1UL << 56));
    BAD_VALUE("diosix,load", put_u32("diosix,load", 0x80200000));
    BAD_VALUE("description", put_string("description", text));
    BAD_VALUE("description", put_string("description", "\033[31m"));
    BAD_VALUE("description", put_bytes("description", "abc", 3));
    BAD_VALUE("description", put_bytes("description", "a\0c", 4));
    BAD_VALUE("bootargs", put_bytes("diosix,bootargs", "", 0));
    BAD_VALUE("bootargs", put_string("diosix,bootargs", "a\nb"));
    BAD_VALUE("diosix,isa is not printable text", put_string("diosix,isa", "-v\n"));
    BAD_VALUE("diosix,isa is not printable text", put_bytes("diosix,isa", "-v", 2));
    BAD_VALUE("'root' is not a property", put_string("diosix,properties", "root"));
    BAD_VALUE("'' is not a property", put_string("diosix,properties", ""));
    BAD_VALUE("end with NUL", put_bytes("diosix,properties", "console_read\0cons", 17));
    BAD_VALUE("ramdisk is not the name", put_bytes("ramdisk", "x", 1));
    BAD_VALUE("capsule bad: there is no blob nowhere", put_string("ramdisk", "nowhere"));
    BAD_VALUE("there is no blob ../images", put_string("ramdisk", "../images"));
}

static void bad_names_are_refused_and_masked(void **state)
{
    (void)state;
    begin_image();
    put_blob("kernel-1", "the kernel");
    begin_configurations();
    put_capsule("a\033b", "guest");
    put_capsule("-a", "guest");
    put_capsule("guest@1", "guest");
    put_capsule("a-name-that-has-exactly-32-chars", "guest");
    put_capsule("a-name-that-has-exactly-31-char", "guest");
    finish_and_read();
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].name, "a-name-that-has-exactly-31-char");
    assert_logged("capsule a?b:");
    assert_null(strchr(logged, '\033'));
}

static void a_second_capsule_of_a_name_is_refused(void **state)
{
    (void)state;
    begin_image();
    put_blob("kernel-1", "the kernel");
    begin_configurations();
    put_capsule("a", "guest");
    put_capsule("a", "service");
    put_capsule("a", "guest");
    finish_and_read();
    assert_int_equal(seen_count, 1);
    assert_true(seen[0].is_service);
    assert_logged("capsule a: another capsule has this name");
}

static void an_unknown_type_is_refused(void **state)
{
    (void)state;
    begin_image();
    put_blob("kernel-1", "the kernel");
    begin_configurations();
    put_capsule("a", "quest");
    put_capsule("b", "guest");
    finish_and_read();
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].name, "b");
    assert_logged("capsule a: property diosix,type");
}

static void more_capsules_than_the_limit_are_left_out(void **state)
{
    (void)state;
    begin_image();
    put_blob("kernel-1", "the kernel");
    begin_configurations();
    for (unsigned i = 0; i < CAPSULE_MAX + 3; i++) {
        char name[16];

        snprintf(name, sizeof(name), "g%u", i);
        put_capsule(name, "guest");
    }
    finish_and_read();
    assert_int_equal(seen_count, CAPSULE_MAX);
    assert_logged("more than 64");
}

/* A capsule whose only blob is made by `make`, beside one with a good blob. */
#define BAD_BLOB(word, make)                                                                       \
    do {                                                                                           \
        begin_image();                                                                             \
        put_blob("kernel-1", "the kernel");                                                        \
        make;                                                                                      \
        end_node();                                                                                \
        begin_configurations();                                                                    \
        begin_capsule("bad", "guest");                                                             \
        put_string("kernel", "blob");                                                              \
        put_u64("diosix,ram", 2 * MiB);                                                            \
        end_node();                                                                                \
        assert_only_good(word);                                                                    \
        assert_logged("capsule bad: blob blob ");                                                  \
    } while (0)

static void place_blob(uint32_t offset, uint32_t size)
{
    begin_node("blob");
    put_u32("data-offset", offset);
    put_u32("data-size", size);
    put_hash("crc32", 0);
}

static void bad_blobs_are_refused(void **state)
{
    (void)state;
    BAD_BLOB("no place", place_blob(0, 17));
    BAD_BLOB("no place", place_blob(16, 1));
    BAD_BLOB("no place", place_blob(UINT32_MAX, 1));
    BAD_BLOB("no place", place_blob(8, UINT32_MAX - 7));
    BAD_BLOB("no place", place_blob(UINT32_MAX, UINT32_MAX));
    BAD_BLOB("empty", place_blob(0, 0));
    BAD_BLOB("no place", begin_node("blob"); put_u32("data-size", 4));
    BAD_BLOB("no place", begin_node("blob"); put_u32("data-offset", 0));
    BAD_BLOB("no place", begin_node("blob"); put_u32("data-size", 4); put_u64("data-offset", 0));
    BAD_BLOB("no place", begin_node("blob"); put_u32("data-size", 4); put_u32("data-position", 0));
    BAD_BLOB("compressed", begin_blob("blob", "abc"); put_string("compression", "gzip"));
    BAD_BLOB("compressed", begin_blob("blob", "abc"); put_bytes("compression", "none", 4));
    BAD_BLOB("no crc32", begin_blob("blob", "abc"));
    BAD_BLOB("no crc32", begin_blob("blob", "abc"); put_hash("md5", 0));
    BAD_BLOB("crc32 found 352441c2, expected 00000001", begin_blob("blob", "abc");
             put_hash("crc32", 1));
}

static void one_damaged_byte_of_data_is_noticed(void **state)
{
    (void)state;
    good_image();
    for (size_t i = fdt_totalsize(image_bytes); i < image_size; i++) {
        bool used = memcmp(&image_bytes[i], "\0", 1) != 0; /* not padding */

        image_bytes[i] ^= 1;
        logged[0] = '\0';
        assert_int_equal(read_image(), OK);
        assert_int_equal(strstr(logged, "is damaged: crc32 found") != NULL, used);
        assert_true(seen_count + banners_seen < 3 || !used);
        image_bytes[i] ^= 1;
    }
}

/* --- damaged trees --- */

static void every_truncation_is_survived(void **state)
{
    uint8_t whole[TREE_MAX + DATA_MAX];
    size_t size, tree_size;

    (void)state;
    good_image();
    size = image_size;
    tree_size = fdt_totalsize(image_bytes);
    memcpy(whole, image_bytes, size);
    for (size_t length = 0; length < size - 3; length++) {
        logged[0] = '\0';
        copy_image(whole, length);
        assert_int_equal(read_image(), length < tree_size ? ERROR_BAD_IMAGE : OK);
        assert_true(logged[0] != '\0');
        assert_true(seen_count < 2);
    }
}

/* Any value in any byte of the tree: what is visited is still within its limits and the image. */
static void assert_seen_is_sound(void)
{
    for (unsigned i = 0; i < seen_count; i++) {
        const struct capsule_config *config = &seen[i];
        const uint8_t *kernel = config->kernel.data, *initramfs = config->initramfs.data;

        assert_in_range(strlen(config->name), 1, DIOSIX_NAME_MAX - 1);
        assert_true(strlen(config->description) < DIOSIX_DESCRIPTION_MAX);
        assert_true(config->ram > 0 && config->ram % (2 * MiB) == 0 && config->ram <= 1UL << 40);
        assert_in_range(config->cpus, 1, 64);
        assert_in_range(config->weight, 1, 10000);
        assert_in_range(config->cap, 0, 6400);
        assert_in_range(config->pinned_count, config->exclusive, 64);
        assert_true(kernel > image_bytes &&
                    kernel + config->kernel.size <= image_bytes + image_size);
        assert_true(!initramfs || (initramfs > image_bytes &&
                                   initramfs + config->initramfs.size <= image_bytes + image_size));
        assert_true(strlen(config->bootargs) <= 4095);
    }
}

static void every_byte_of_the_tree_may_change(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xff};
    size_t tree_size;

    (void)state;
    good_image();
    tree_size = fdt_totalsize(image_bytes);
    for (size_t i = 0; i < tree_size; i++) {
        uint8_t before = image_bytes[i];

        for (size_t j = 0; j < sizeof(changes) + 1; j++) {
            image_bytes[i] = j < sizeof(changes) ? before ^ changes[j] : 0;
            logged[0] = '\0';
            if (read_image() == OK)
                assert_seen_is_sound();
        }
        image_bytes[i] = before;
    }
    assert_int_equal(read_image(), OK);
    assert_int_equal(seen_count, 2);
}

static void random_damage_is_survived(void **state)
{
    uint64_t seed = 7;
    uint8_t whole[TREE_MAX + DATA_MAX];
    size_t tree_size;

    (void)state;
    good_image();
    tree_size = fdt_totalsize(image_bytes);
    memcpy(whole, image_bytes, image_size);
    for (int round = 0; round < 5000; round++) {
        for (uint32_t n = 1 + unit_random(&seed) % 4; n > 0; n--)
            image_bytes[unit_random(&seed) % tree_size] = (uint8_t)unit_random(&seed);
        logged[0] = '\0';
        if (read_image() == OK)
            assert_seen_is_sound();
        memcpy(image_bytes, whole, image_size);
    }
}

/* From its old place nothing is read any more. */
static void an_image_may_move(void **state)
{
    (void)state;
    good_image();
    assert_int_equal(dmfs_open(&image, image_bytes, image_size, &places), OK);
    uint8_t *before = image_bytes;

    image_bytes = memcpy(malloc(image_size), before, image_size);
    free(before);
    dmfs_moved(&image, image_bytes);
    seen_count = 0;
    dmfs_each_capsule(&image, (struct dmfs_filter){0}, see_capsule);
    assert_int_equal(seen_count, 2);
    assert_seen_is_sound();
}

/* libfdt is compiled to know version 17 only. */
static void trees_of_other_versions_are_refused(void **state)
{
    (void)state;
    good_image();
    fdt_set_version(image_bytes, 16);
    assert_int_equal(read_image(), ERROR_BAD_IMAGE);
    assert_logged("version before 17");
    fdt_set_version(image_bytes, 18);
    assert_int_equal(read_image(), OK); /* it says that it can be read like 17 */
    fdt_set_last_comp_version(image_bytes, 18);
    assert_int_equal(read_image(), ERROR_BAD_IMAGE);
    assert_logged("that can't be read like 17");
}

static void what_is_no_image_is_refused(void **state)
{
    (void)state;
    good_image();
    assert_int_equal(dmfs_open(&image, image_bytes + 4, image_size - 4, NULL), ERROR_BAD_IMAGE);
    assert_logged("multiple of 8");
    begin_image_of_version(2);
    begin_configurations();
    finish_image();
    assert_int_equal(read_image(), ERROR_BAD_IMAGE);
    assert_logged("another version");
    begin_image_of_version(0);
    begin_configurations();
    finish_image();
    assert_int_equal(read_image(), ERROR_BAD_IMAGE);
    assert_logged("no property diosix,version");
    begin_image();
    begin_node("configurations"); /* within /images */
    end_node();
    finish_image();
    assert_int_equal(read_image(), ERROR_BAD_IMAGE);
    assert_logged("no node /configurations");
    logged[0] = '\0';
    copy_image("070701 this is a cpio archive, not an image", 43);
    assert_int_equal(read_image(), ERROR_BAD_IMAGE);
    assert_logged("FDT_ERR_BADMAGIC");
}

/* --- blobs and flash --- */

/* An image with two blobs, of which the first has a 32-bit load address, and two flash banks. */
static void begin_blob_image(const char *name)
{
    begin_image();
    put_blob("kernel-1", "the kernel");
    uint32_t crc = begin_blob(name, "one");
    put_u32("load", 0x80001234);
    put_hash("crc32", crc);
    end_node();
    crc = begin_blob("blob-2", "number two");
    put_u64("load", 0x180001234);
    put_hash("crc32", crc);
    end_node();
    put_blob("flash-1", "code");
    begin_configurations();
    begin_capsule("guest", "guest");
    put_u64("diosix,ram", 4 * MiB);
}

static void finish_blob_image(void)
{
    end_node();
    finish_and_read();
}

static void blobs_are_read(void **state)
{
    (void)state;
    begin_blob_image("blob-1");
    put_string("kernel", "kernel-1");
    put_bytes("loadables", "blob-2\0blob-1", 14);
    finish_blob_image();
    assert_int_equal(seen_count, 1);
    assert_int_equal(seen[0].blob_count, 2);
    assert_int_equal(seen[0].blobs[0].address, 0x180001234);
    assert_int_equal(seen[0].blobs[0].blob.size, 10);
    assert_memory_equal(seen[0].blobs[0].blob.data, "number two", 10);
    assert_int_equal(seen[0].blobs[1].address, 0x80001234);
    assert_memory_equal(seen[0].blobs[1].blob.data, "one", 3);
}

static void bad_blobs_of_a_capsule_are_refused(void **state)
{
    static const struct {
        const char *name, *list;
        size_t size;
        const char *logged;
    } cases[] = {
        {"blob-1", "blob-1\0kernel-1", 16, "blob kernel-1 has no load address"},
        {"blob-1", "blob-3", 7, "there is no blob blob-3"},
        {"blob-1", "blob-1", 6, "loadables does not end with NUL"},
        {"blob-1", "blob-1\0\0", 8, "there is no blob"},
        {"\33[2J", "\33[2J", 5, "there is no blob ?[2J"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin_blob_image(cases[i].name);
        put_string("kernel", "kernel-1");
        put_bytes("loadables", cases[i].list, cases[i].size);
        finish_blob_image();
        assert_int_equal(seen_count, 0);
        assert_logged(cases[i].logged);
    }
}

/* A blob is found without its node's unit address, of which nobody has looked at a letter. */
static void blobs_are_called_what_they_were_asked_for_by(void **state)
{
    (void)state;
    begin_blob_image("blob-1@\33[2J");
    put_string("kernel", "kernel-1");
    put_bytes("loadables", "blob-1", 7);
    finish_blob_image();
    assert_int_equal(seen_count, 1);
    assert_string_equal(seen[0].blobs[0].blob.name, "blob-1");
    assert_int_equal(seen[0].blobs[0].address, 0x80001234);
}

static void more_blobs_than_the_limit_are_refused(void **state)
{
    char list[7 * (CAPSULE_BLOB_MAX + 1)];

    (void)state;
    for (unsigned i = 0; i <= CAPSULE_BLOB_MAX; i++)
        memcpy(list + 7 * i, "blob-2", 7);
    for (unsigned more = 0; more <= 1; more++) {
        begin_blob_image("blob-1");
        put_string("kernel", "kernel-1");
        put_bytes("loadables", list, 7 * (CAPSULE_BLOB_MAX + more));
        finish_blob_image();
        assert_int_equal(seen_count, 1 - more);
    }
    assert_logged("more than 8 loadables");
}

static void a_guest_with_flash_needs_no_kernel(void **state)
{
    (void)state;
    begin_blob_image("blob-1");
    put_string("diosix,flash0", "flash-1");
    put_string("diosix,flash1", "blob-2");
    finish_blob_image();
    assert_int_equal(seen_count, 1);
    assert_null(seen[0].kernel.data);
    assert_memory_equal(seen[0].flash[0].data, "code", 4);
    assert_int_equal(seen[0].flash[1].size, 10);
    begin_blob_image("blob-1");
    put_string("diosix,flash1", "flash-1"); /* it starts in the other bank */
    finish_blob_image();
    assert_int_equal(seen_count, 0);
    assert_logged("property kernel is missing");
}

#define TEST(name) cmocka_unit_test_teardown(name, release)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_is_read),
        TEST(each_property_has_its_bit),
        TEST(good_banners_are_shown),
        TEST(a_banner_that_would_upset_a_terminal_is_not_shown),
        TEST(filters_leave_out_services_or_guests),
        TEST(a_shared_blob_is_hashed_once_and_an_unused_one_never),
        TEST(a_blob_may_have_an_absolute_position),
        TEST(bad_values_of_a_capsule_are_refused),
        TEST(bad_names_are_refused_and_masked),
        TEST(a_second_capsule_of_a_name_is_refused),
        TEST(an_unknown_type_is_refused),
        TEST(more_capsules_than_the_limit_are_left_out),
        TEST(bad_blobs_are_refused),
        TEST(one_damaged_byte_of_data_is_noticed),
        TEST(every_truncation_is_survived),
        TEST(every_byte_of_the_tree_may_change),
        TEST(random_damage_is_survived),
        TEST(an_image_may_move),
        TEST(trees_of_other_versions_are_refused),
        TEST(what_is_no_image_is_refused),
        TEST(blobs_are_read),
        TEST(bad_blobs_of_a_capsule_are_refused),
        TEST(blobs_are_called_what_they_were_asked_for_by),
        TEST(more_blobs_than_the_limit_are_refused),
        TEST(a_guest_with_flash_needs_no_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
