/*
 * What is for boot alone: its memory is given back before the first guest runs. That is all of the
 * files that hypervisor.mk lists as HV_BOOT, their constants and data included, and single
 * functions of others. The linker refuses calls and pointers to all that from code that stays
 * (boot_only.ld). It does not see what is stored at run time: nothing that stays may hold the
 * address of a constant in such a file.
 */
#ifndef CORE_BOOT_ONLY_H
#define CORE_BOOT_ONLY_H

/* A function for boot alone. */
#define BOOT_ONLY __attribute__((section(".boot.text")))
/* One that stays, and calls such functions only while they are there. */
#define CALLS_BOOT_ONLY __attribute__((section(".text.calls_boot")))

#endif
