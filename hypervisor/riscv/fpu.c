/* See fpu.h. The instructions themselves are in fp.S and vector.S. */
#include "fpu.h"
#include "csr.h"
#include "illegal.h"

void fp_save(struct fp_state *state);
void fp_restore(const struct fp_state *state);
void fp_save_single(struct fp_state *state);
void fp_restore_single(const struct fp_state *state);
void vector_save(uint8_t *registers, uint64_t vlenb);
void vector_restore(const uint8_t *registers, uint64_t vlenb);
void vector_set_type(uint64_t vl, uint64_t vtype);

/* A hart with F and without D has registers of 32 bits. */
static void save_fp(const struct hart_features *features, struct fp_state *state)
{
    if (features->d)
        fp_save(state);
    else if (features->f)
        fp_save_single(state);
}

static void restore_fp(const struct hart_features *features, const struct fp_state *state)
{
    if (features->d)
        fp_restore(state);
    else if (features->f)
        fp_restore_single(state);
}

/* `registers`: those too, which have changed. */
__attribute__((noinline)) static void save_vector(const struct hart_features *features,
                                                  struct vector_state *state, bool registers)
{
    state->vstart = csr_read(CSR_VSTART); /* first: vector instructions clear it */
    state->vl = csr_read(CSR_VL);
    state->vtype = csr_read(CSR_VTYPE);
    state->vcsr = csr_read(CSR_VCSR);
    if (registers) {
        csr_write(CSR_VSTART, 0);
        vector_save(state->registers, features->vlenb);
        csr_write(CSR_VSTART, state->vstart);
    }
}

__attribute__((noinline)) static void restore_vector(const struct hart_features *features,
                                                     const struct vector_state *state)
{
    csr_write(CSR_VSTART, 0);
    vector_restore(state->registers, features->vlenb);
    vector_set_type(state->vl, state->vtype);
    csr_write(CSR_VCSR, state->vcsr);
    csr_write(CSR_VSTART, state->vstart); /* last: vsetvl clears it */
}

/* `fp` and `vector`: the registers too, which have changed. The control registers are always saved:
 * QEMU does not count a guest's write to fcsr as a change that mstatus.FS shows. */
static void save(struct hart *hart, struct vcpu *vcpu, bool fp, bool vector)
{
    const struct hart_features *features = &hart->arch.features;
    csr_set(CSR_MSTATUS, STATUS_FS | STATUS_VS);
    if (features->vlenb != 0)
        save_vector(features, &vcpu->arch.vector, vector);
    if (fp)
        save_fp(features, &vcpu->arch.fp);
    else if (features->f)
        vcpu->arch.fp.fcsr = csr_read(CSR_FCSR);
}

static void restore(struct hart *hart, struct vcpu *vcpu)
{
    const struct hart_features *features = &hart->arch.features;
    csr_set(CSR_MSTATUS, STATUS_FS | STATUS_VS);
    hart->arch.fp_owner = vcpu;
    vcpu->arch.fp_on = hart;
    if (features->vlenb != 0)
        restore_vector(features, &vcpu->arch.vector);
    restore_fp(features, &vcpu->arch.fp);
}

static bool still_here(const struct hart *hart, const struct vcpu *vcpu)
{
    return hart->arch.fp_owner == vcpu && vcpu->arch.fp_on == hart;
}

/* With H: may the guest use the registers without our seeing it? If so, illegal instructions are
 * all its own and go straight to it; if not, they come to us first. */
static void open_to_guest(struct hart *hart, struct vcpu *vcpu, bool open)
{
    vcpu->arch.mstatus &= ~(STATUS_FS | STATUS_VS);
    if (open)
        vcpu->arch.mstatus |= vcpu->arch.units & (STATUS_FS_CLEAN | STATUS_VS_CLEAN);
    hart->arch.fp_loaded = open;
    illegal_delegate(hart, open);
}

void fpu_enter(struct hart *hart, struct vcpu *vcpu)
{
    bool here = still_here(hart, vcpu);
    if (hart->arch.features.h) {
        open_to_guest(hart, vcpu, here || !hart->arch.features.f);
    } else if (!here) {
        restore(hart, vcpu);
    }
}

bool fpu_first_use(struct hart *hart, struct vcpu *vcpu)
{
    if (!fpu_waits(hart))
        return false;
    restore(hart, vcpu);
    open_to_guest(hart, vcpu, true);
    return true;
}

void fpu_leave(struct hart *hart, struct vcpu *vcpu)
{
    if (!hart->arch.features.h) {
        save(hart, vcpu, true, true);
        return;
    }
    uint64_t mstatus = vcpu->arch.mstatus;
    if (hart->arch.fp_loaded)
        save(hart, vcpu, (mstatus & STATUS_FS) == STATUS_FS_DIRTY,
             (mstatus & STATUS_VS) == STATUS_VS_DIRTY);
    hart->arch.fp_loaded = false;
}

/* An FP load or store that traps finds its registers in the hart. But the instruction was fetched a
 * second time, and the guest may have seen to it that this is not the one that the hart executed:
 * what is in the hart may still be another capsule's. */
__attribute__((noinline)) static void save_own(struct hart *hart, struct vcpu *vcpu)
{
    (void)fpu_first_use(hart, vcpu);
    save(hart, vcpu, true, false);
}

uint64_t fpu_get(struct hart *hart, struct vcpu *vcpu, unsigned number)
{
    save_own(hart, vcpu);
    return vcpu->arch.fp.f[number];
}

void fpu_set(struct hart *hart, struct vcpu *vcpu, unsigned number, uint64_t value)
{
    save_own(hart, vcpu);
    vcpu->arch.fp.f[number] = value;
    restore_fp(&hart->arch.features, &vcpu->arch.fp);
    vcpu->arch.mstatus |= vcpu->arch.units & STATUS_FS; /* dirty */
    if (hart->arch.features.h)
        csr_set(CSR_VSSTATUS, STATUS_FS);
}
