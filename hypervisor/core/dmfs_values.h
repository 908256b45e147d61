/*
 * What dmfs.c takes from an image, one checked value at a time, for dmfs_capsules.c to make
 * capsules of. `user` is what it is read for, as messages name it.
 */
#ifndef CORE_DMFS_VALUES_H
#define CORE_DMFS_VALUES_H

#include "capsule.h"
#include "dmfs.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is being read, for messages: "capsule linux". */
struct dmfs_label {
    char text[DIOSIX_NAME_MAX + 16];
};

#define DMFS_CHECKED_MAX (2 * CAPSULE_MAX) /* a kernel and an initramfs each */

/* One walk through the image. It remembers that many hashes; more are computed again. */
struct dmfs_reader {
    const struct dmfs *image;
    struct dmfs_checked {
        int node;
        uint32_t crc;
    } checked[DMFS_CHECKED_MAX];
    unsigned checked_count;
};

/* A copy of a name from the image that can't upset a terminal. */
struct dmfs_label dmfs_masked(const char *prefix, const char *name);

/* A property that is one string of at most `max` printable characters. NULL when it is absent or
 * wrong; *wrong says which. */
const char *dmfs_text(const void *fdt, int node, const char *name, size_t max, bool *wrong);
/* An empty text, which is there as long as the image. */
const char *dmfs_nothing(const void *fdt);
/* False when it is absent or of another length. */
bool dmfs_u32(const void *fdt, int node, const char *name, uint32_t *value);
bool dmfs_u64(const void *fdt, int node, const char *name, uint64_t *value);
bool dmfs_has(const void *fdt, int node, const char *name);
/* The string of a list of strings that starts at *at; NULL past the last. */
const char *dmfs_next_string(const char *list, int length, int *at);

/* Finds the blob with this name, and checks its place and its hash; logs what is wrong. */
bool dmfs_blob(struct dmfs_reader *reader, const struct dmfs_label *user, const char *name,
               struct blob *blob);
/* The blob that a configuration's property names. It is no error if an optional one is absent. */
bool dmfs_blob_of(struct dmfs_reader *reader, const struct dmfs_label *user, int node,
                  const char *property, bool optional, struct blob *blob);
/* Where in a capsule's RAM a blob goes, below DMFS_ADDRESS_END; logs if it doesn't say. */
#define DMFS_ADDRESS_END (1ULL << 56) /* of the widest physical address: Privileged, 12.4 */
bool dmfs_blob_address(struct dmfs_reader *reader, const struct dmfs_label *user, const char *name,
                       uint64_t *address);

#endif
