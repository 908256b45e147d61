/* The hypervisor's own errors. Zero is success; error_name() gives each a name for people. */
#ifndef CORE_ERROR_H
#define CORE_ERROR_H

enum error {
    OK = 0,
    ERROR_NO_MEMORY,  /* no free extent is large enough, or a table is full */
    ERROR_BAD_IMAGE,  /* the DMFS image or a blob in it is damaged or not what it says */
    ERROR_BAD_CONFIG, /* a value is out of its range */
    ERROR_NOT_FOUND,
    ERROR_BAD_STATE, /* not possible in the state that the thing is in */
    ERROR_NO_SUPPORT,
};

/* Returns a short English description, never NULL. */
const char *error_name(enum error error);

#endif
