/*
 * How a capsule is confined. Two back ends, chosen once at boot:
 *
 *   pmp     guest-physical addresses are host-physical ones; PMP lets the guest reach its RAM alone
 *   gstage  a G-stage page table translates; PMP stands behind it as a second wall
 *
 * Nothing outside asks which one it is.
 */
#ifndef RISCV_ISOLATION_H
#define RISCV_ISOLATION_H

#include "capsule.h"
#include "hart.h"

/* At boot, once the features of all harts are known: picks the back end. */
void isolation_choose(const struct hart_features *common, bool force_pmp);
const char *isolation_name(void);

/* Makes and frees what a capsule with RAM in place needs. Holding LOCK_CAPSULE. */
enum error isolation_create(struct capsule *capsule);
void isolation_destroy(struct capsule *capsule);
/* The capsule's RAM is out of its reach; nothing of it runs. */
void isolation_hide_ram(struct capsule *capsule);
/* RAM from one guest-physical address to another has been filled: port_capsule_show(). */
void isolation_show_ram(struct capsule *capsule, uint64_t from, uint64_t to);
/* Puts memory of the capsule's, beside its RAM, into its guest-physical space, to be read and
 * executed but not written, or takes it out again; whole megapages. Holding LOCK_CAPSULE; vCPUs
 * that run owe a FENCE_G afterwards. `gstage` only: isolation_create() has refused it elsewhere. */
void isolation_show_rom(struct capsule *capsule, struct gpa guest, struct hpa host, uint64_t size,
                        bool shown);
/* Confines what runs next on this hart to the capsule. No locks. */
void isolation_enter(struct hart *hart, struct capsule *capsule);
/* Pays a FENCE_G: forgets all translations of the guest-physical kind on this hart. */
void isolation_fence(void);

/* Was the access fault of the loaded vCPU one of its RAM that only had to be filled, or had not
 * been shown to this hart? Then the guest shall try again. No locks. */
bool isolation_memory_comes(struct vcpu *vcpu);
/* The same of a fault of ours (guest_access.h) that it was to be given: by the address that it
 * would see, and by the guest-physical one of a G-stage fault. */
bool isolation_memory_comes_at(struct vcpu *vcpu, uint64_t virtual_address);
bool isolation_memory_comes_to(struct vcpu *vcpu, struct gpa address);

/* Finds the guest-physical address behind an access fault of the loaded vCPU, and what the guest is
 * to see if nothing answers there. False: there is no such address, it shall see *fault. */
struct guest_fault;
bool isolation_fault_address(struct vcpu *vcpu, struct gpa *address, struct guest_fault *fault);

/* A hart that protects itself strictly (protect.h) reaches the memory of a capsule, its RAM and its
 * flash, only between these two; elsewhere they do nothing. Open it for the lines that need it, and
 * never twice; not while a guest runs. Any hart, on which the capsule runs or nothing. */
void isolation_open(struct hart *hart, struct capsule *capsule);
void isolation_close(struct hart *hart);
/* For protect.c: is there G-stage translation before PMP? */
bool isolation_translates(void);

/* The parts of the two back ends that isolation.c calls. */
struct pmp_range {
    struct hpa base;
    uint64_t size;        /* 0: none */
    unsigned permissions; /* PMP_R | PMP_W | PMP_X */
};
/* All that is in none of the ranges is denied to the modes below machine mode. A third one takes
 * PMP_ENTRIES_OF_THREE entries. `fixed` is the part of pmpcfg0 that is not theirs. */
#define PMP_ENTRIES_OF_THREE 7
void pmp_set(uint64_t fixed, const struct pmp_range *first, const struct pmp_range *second,
             const struct pmp_range *third);
enum error gstage_create(struct capsule *capsule);
void gstage_destroy(struct capsule *capsule);
void gstage_hide_ram(struct capsule *capsule);
void gstage_show_ram(struct capsule *capsule, uint64_t from, uint64_t to);
void gstage_show_rom(struct capsule *capsule, struct gpa guest, struct hpa host, uint64_t size,
                     bool shown);

#endif
