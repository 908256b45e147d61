/* Prints what the hypervisor's reader makes of an image: for test_mkdmfs.py. */
#include "dmfs.h"
#include "loader.h"
#include "log.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void log_write(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static void print_banner(const char *text, size_t size)
{
    printf("banner %zu %08lx\n", size, crc32(0, (const Bytef *)text, (uInt)size));
}

static void print_blob(const char *kind, const struct blob *blob)
{
    if (blob->data)
        printf(" %s=%zu:%08lx", kind, blob->size, crc32(0, blob->data, (uInt)blob->size));
}

static void print_plan(const struct capsule_config *config)
{
    struct load_plan plan;
    const char *reason;

    if (loader_plan(config, gpa(0x80000000), config->ram, &plan, &reason))
        printf(" plan=\"%s\"", reason);
    else
        printf(" entry=%#llx", (unsigned long long)plan.entry.value);
}

static void print_capsule(const struct capsule_config *config)
{
    printf(
        "%s %s ram=%llu cpus=%u weight=%u cap=%u harts=", config->is_service ? "service" : "guest",
        config->name, (unsigned long long)config->ram, config->cpus, config->weight, config->cap);
    for (unsigned i = 0; i < config->pinned_count; i++)
        printf("%s%u", i ? "," : "", config->pinned[i]);
    printf("%s properties=%#llx load=%#llx", config->exclusive ? ",alone" : "",
           (unsigned long long)config->properties, (unsigned long long)config->load);
    if (config->isa[0])
        printf(" isa=\"%s\"", config->isa);
    print_blob("kernel", &config->kernel);
    print_blob("initramfs", &config->initramfs);
    print_blob("flash0", &config->flash[0]);
    print_blob("flash1", &config->flash[1]);
    for (unsigned i = 0; i < config->blob_count; i++) {
        printf(" at=%#llx", (unsigned long long)config->blobs[i].address);
        print_blob("blob", &config->blobs[i].blob);
    }
    print_plan(config);
    printf(" bootargs=\"%s\" description=\"%s\"\n", config->bootargs, config->description);
}

static void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    void *bytes;

    if (!file || fseek(file, 0, SEEK_END))
        return NULL;
    *size = (size_t)ftell(file);
    rewind(file);
    bytes = aligned_alloc(8, (*size + 7) / 8 * 8);
    if (!bytes || fread(bytes, 1, *size, file) != *size)
        return NULL;
    fclose(file);
    return bytes;
}

int main(int count, char **arguments)
{
    struct dmfs image;
    size_t size;
    void *bytes = count == 2 ? read_file(arguments[1], &size) : NULL;

    if (!bytes || dmfs_open(&image, bytes, size, NULL))
        return 1;
    printf("image %zu of %zu\n", image.size, size);
    dmfs_each_banner(&image, print_banner);
    dmfs_each_capsule(&image, (struct dmfs_filter){0}, print_capsule);
    free(bytes);
    return 0;
}
