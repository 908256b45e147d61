/* The built-in DMFS image. */
    .section .dmfs, "a"
    .incbin DMFS_FILE
