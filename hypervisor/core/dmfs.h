/*
 * The DMFS image: a FIT (Flattened Image Tree, U-Boot's doc/usage/fit) with external data, made by
 * tools/mkdmfs. /images holds blobs, each with a crc32 hash; /configurations holds one node per
 * capsule. tools/mkdmfs and docs/manifest.md describe the properties.
 *
 * The image comes from outside and is checked completely before use. Structural damage of the tree
 * makes the whole image unusable; a damaged blob or a bad configuration is reported and skipped.
 */
#ifndef CORE_DMFS_H
#define CORE_DMFS_H

#include "capsule.h"
#include "error.h"
#include <stddef.h>

struct dmfs {
    const void *fdt;
    size_t size; /* of the whole image with its external data */
    size_t data; /* offset of the external data: the FDT's size, aligned to 4 (FIT) */
};

struct tree_index;

/* Checks the tree of an image of at most `limit` bytes. ERROR_BAD_IMAGE, logged with the reason.
 * image->size is then the number of bytes that it takes. With an index (else NULL) what follows
 * takes less time, until tree_forget(). */
enum error dmfs_open(struct dmfs *image, const void *bytes, size_t limit, struct tree_index *index);

/* All bytes of the image are now at another address, which is a multiple of 8. */
void dmfs_moved(struct dmfs *image, const void *bytes);

/* Calls `visit` for each good banner (text). */
void dmfs_each_banner(const struct dmfs *image, void (*visit)(const char *text, size_t size));

/* Calls `visit` for each capsule whose configuration and blobs are good, services first; logs
 * and skips the others. Which to leave out: */
struct dmfs_filter {
    bool no_services, no_guests;
};
void dmfs_each_capsule(const struct dmfs *image, struct dmfs_filter filter,
                       void (*visit)(const struct capsule_config *config));

#endif
