/*
 * Control and status registers: numbers and fields, by the Privileged specification 1.13 (sections
 * in comments), and the few ways to reach them. Numbers, because assemblers of different age know
 * different names.
 */
#ifndef RISCV_CSR_H
#define RISCV_CSR_H

#include <stdbool.h>
#include <stdint.h>

/* 2.2, tables of CSR numbers */
#define CSR_FCSR       0x003
#define CSR_VSTART     0x008
#define CSR_VCSR       0x00f
#define CSR_VL         0xc20
#define CSR_VTYPE      0xc21
#define CSR_VLENB      0xc22
#define CSR_TIME       0xc01
#define CSR_CYCLE      0xc00
#define CSR_INSTRET    0xc02
#define CSR_SIE        0x104
#define CSR_STVEC      0x105
#define CSR_SCOUNTEREN 0x106
#define CSR_SENVCFG    0x10a
#define CSR_SSCRATCH   0x140
#define CSR_SEPC       0x141
#define CSR_SCAUSE     0x142
#define CSR_STVAL      0x143
#define CSR_STIMECMP   0x14d
#define CSR_SATP       0x180
#define CSR_VSSTATUS   0x200
#define CSR_VSIE       0x204
#define CSR_VSTVEC     0x205
#define CSR_VSSCRATCH  0x240
#define CSR_VSEPC      0x241
#define CSR_VSCAUSE    0x242
#define CSR_VSTVAL     0x243
#define CSR_VSTIMECMP  0x24d
#define CSR_VSATP      0x280
#define CSR_MSTATUS    0x300
#define CSR_MISA       0x301
#define CSR_MEDELEG    0x302
#define CSR_MIDELEG    0x303
#define CSR_MIE        0x304
#define CSR_MTVEC      0x305
#define CSR_MCOUNTEREN 0x306
#define CSR_MENVCFG    0x30a
#define CSR_MSTATEEN0  0x30c
#define CSR_MSTATEEN1  0x30d
#define CSR_MSTATEEN2  0x30e
#define CSR_MSTATEEN3  0x30f
#define CSR_MSCRATCH   0x340
#define CSR_MEPC       0x341
#define CSR_MCAUSE     0x342
#define CSR_MTVAL      0x343
#define CSR_MIP        0x344
#define CSR_MTINST     0x34a
#define CSR_MTVAL2     0x34b
#define CSR_PMPCFG0    0x3a0
#define CSR_PMPCFG2    0x3a2
#define CSR_PMPADDR0   0x3b0
#define CSR_MSECCFG    0x747
#define CSR_HSTATUS    0x600
#define CSR_HEDELEG    0x602
#define CSR_HIDELEG    0x603
#define CSR_HTIMEDELTA 0x605
#define CSR_HCOUNTEREN 0x606
#define CSR_HENVCFG    0x60a
#define CSR_HSTATEEN0  0x60c
#define CSR_HVIP       0x645
#define CSR_HGATP      0x680
#define CSR_MHARTID    0xf14

/* Of extensions whose registers are only kept empty: unlisted.c */
#define CSR_JVT           0x017
#define CSR_SCOUNTINHIBIT 0x120
#define CSR_SCTRCTL       0x14e
#define CSR_SCTRSTATUS    0x14f
#define CSR_SISELECT      0x150
#define CSR_SIREG         0x151
#define CSR_SCTRDEPTH     0x15f
#define CSR_SRMCFG        0x181
#define CSR_VSCTRCTL      0x24e
#define CSR_VSISELECT     0x250
#define CSR_MCOUNTINHIBIT 0x320
#define CSR_SCONTEXT      0x5a8

/* 3.1.6: mstatus; the same places in sstatus and vsstatus (12.1.1, 21.2.11) */
#define STATUS_SIE        (1UL << 1)
#define STATUS_MIE        (1UL << 3)
#define STATUS_SPIE       (1UL << 5)
#define STATUS_MPIE       (1UL << 7)
#define STATUS_SPP        (1UL << 8)
#define STATUS_VS         (3UL << 9)
#define STATUS_MPP        (3UL << 11)
#define STATUS_FS         (3UL << 13)
#define STATUS_MPRV       (1UL << 17)
#define STATUS_SUM        (1UL << 18)
#define STATUS_MXR        (1UL << 19)
#define STATUS_TW         (1UL << 21)
#define STATUS_UXL        (3UL << 32)
#define STATUS_MPV        (1UL << 39)
#define STATUS_MDT        (1UL << 42)
#define STATUS_SD         (1UL << 63)
#define STATUS_MPP_S      (1UL << 11)
#define STATUS_FS_INITIAL (1UL << 13)
#define STATUS_FS_CLEAN   (2UL << 13)
#define STATUS_FS_DIRTY   (3UL << 13)
#define STATUS_VS_INITIAL (1UL << 9)
#define STATUS_VS_CLEAN   (2UL << 9)
#define STATUS_VS_DIRTY   (3UL << 9)
#define STATUS_UXL_64     (2UL << 32)
#define STATUS_SXL_64     (2UL << 34)

/* 3.1.9: interrupts, as bits of mip and mie; 21.4.3 for the VS level */
#define INTERRUPT_SS     (1UL << 1)
#define INTERRUPT_VSS    (1UL << 2)
#define INTERRUPT_MS     (1UL << 3)
#define INTERRUPT_ST     (1UL << 5)
#define INTERRUPT_VST    (1UL << 6)
#define INTERRUPT_MT     (1UL << 7)
#define INTERRUPT_SE     (1UL << 9)
#define INTERRUPT_VSE    (1UL << 10)
#define INTERRUPT_ME     (1UL << 11)
#define INTERRUPT_SGE    (1UL << 12)
#define INTERRUPT_S_ALL  (INTERRUPT_SS | INTERRUPT_ST | INTERRUPT_SE)
#define INTERRUPT_VS_ALL (INTERRUPT_VSS | INTERRUPT_VST | INTERRUPT_VSE)
#define INTERRUPT_M_ALL  (INTERRUPT_MS | INTERRUPT_MT | INTERRUPT_ME)

/* 3.1.15, table of mcause values, and 21.6.1 */
#define CAUSE_INTERRUPT              (1UL << 63)
#define CAUSE_INSTRUCTION_MISALIGNED 0
#define CAUSE_INSTRUCTION_ACCESS     1
#define CAUSE_ILLEGAL_INSTRUCTION    2
#define CAUSE_BREAKPOINT             3
#define CAUSE_LOAD_MISALIGNED        4
#define CAUSE_LOAD_ACCESS            5
#define CAUSE_STORE_MISALIGNED       6
#define CAUSE_STORE_ACCESS           7
#define CAUSE_ECALL_U                8
#define CAUSE_ECALL_S                9
#define CAUSE_ECALL_VS               10
#define CAUSE_INSTRUCTION_PAGE       12
#define CAUSE_LOAD_PAGE              13
#define CAUSE_STORE_PAGE             15
#define CAUSE_SOFTWARE_CHECK         18
#define CAUSE_HARDWARE_ERROR         19
#define CAUSE_INSTRUCTION_GUEST_PAGE 20
#define CAUSE_LOAD_GUEST_PAGE        21
#define CAUSE_VIRTUAL_INSTRUCTION    22
#define CAUSE_STORE_GUEST_PAGE       23

/* 3.1.11 and 12.1.5: counter-enable */
#define COUNTEREN_CY (1UL << 0)
#define COUNTEREN_TM (1UL << 1)
#define COUNTEREN_IR (1UL << 2)

/* 3.1.18: environment configuration (menvcfg, henvcfg) */
#define ENVCFG_STCE (1UL << 63)
#define ENVCFG_ADUE (1UL << 61)
#define ENVCFG_CBZE (1UL << 7)
/* Smstateen 1.0, mstateen0 */
#define STATEEN_ENVCFG (1UL << 62)

/* 21.2.1: hstatus */
#define HSTATUS_SPV     (1UL << 7)
#define HSTATUS_VTW     (1UL << 21)
#define HSTATUS_VSXL_64 (2UL << 32)

/* 12.1.11 and 21.2.10 */
#define SATP_MODE_SHIFT   60
#define SATP_MODE_BARE    0UL
#define SATP_MODE_SV39    8UL
#define SATP_MODE_SV48    9UL
#define SATP_MODE_SV57    10UL
#define SATP_PPN          ((1UL << 44) - 1)
#define HGATP_MODE_SV39X4 (8UL << 60)
#define HGATP_VMID_SHIFT  44
#define HGATP_VMID        (0x3fffUL << HGATP_VMID_SHIFT)

/* 12.3.1 and 12.4.1, page-table entries; N: chapter 13 (Svnapot) */
#define PTE_V         (1UL << 0)
#define PTE_R         (1UL << 1)
#define PTE_W         (1UL << 2)
#define PTE_X         (1UL << 3)
#define PTE_U         (1UL << 4)
#define PTE_A         (1UL << 6)
#define PTE_D         (1UL << 7)
#define PTE_PPN_SHIFT 10
#define PTE_PPN       ((1UL << 44) - 1)
#define PTE_N         (1UL << 63)

/* 3.7.1: physical memory protection */
#define PMP_R     (1U << 0)
#define PMP_W     (1U << 1)
#define PMP_X     (1U << 2)
#define PMP_TOR   (1U << 3)
#define PMP_NAPOT (3U << 3)
#define PMP_LOCK  (1U << 7)

/* Smepmp 1.0: mseccfg */
#define MSECCFG_MML  (1UL << 0)
#define MSECCFG_MMWP (1UL << 1)
#define MSECCFG_RLB  (1UL << 2)

#ifndef __ASSEMBLER__

#define csr_read(csr)                                                                              \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrr %0, %1" : "=r"(value_) : "i"(csr) : "memory");                      \
        value_;                                                                                    \
    })
#define csr_write(csr, value) __asm__ volatile("csrw %0, %1" ::"i"(csr), "rK"(value) : "memory")
#define csr_set(csr, value)   __asm__ volatile("csrs %0, %1" ::"i"(csr), "rK"(value) : "memory")
#define csr_clear(csr, value) __asm__ volatile("csrc %0, %1" ::"i"(csr), "rK"(value) : "memory")
#define csr_swap(csr, value)                                                                       \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("csrrw %0, %1, %2" : "=r"(value_) : "i"(csr), "rK"(value) : "memory");    \
        value_;                                                                                    \
    })

/* Tries an instruction that this hart may not have: does it trap? If so, that goes to the one after
 * it, and spoils mepc, mcause, mtval and mstatus.MPP: for use at boot only. The code may name a CSR
 * as %[csr] and a variable as %[value]. */
#define try_instruction(code, number, variable)                                                    \
    ({                                                                                             \
        uint64_t there_ = 0, old_;                                                                 \
        __asm__ volatile("la %[old], 1f\n\t"                                                       \
                         "csrrw %[old], mtvec, %[old]\n\t" code "\n\t"                             \
                         "li %[there], 1\n\t"                                                      \
                         ".balign 4\n"                                                             \
                         "1:\n\t"                                                                  \
                         "csrw mtvec, %[old]\n\t"                                                  \
                         "csrc mstatus, %[mdt]"                                                    \
                         : [there] "+&r"(there_), [old] "=&r"(old_), [value] "+&r"(variable)       \
                         : [csr] "i"(number), [mdt] "r"(STATUS_MDT)                                \
                         : "memory");                                                              \
        there_ != 0;                                                                               \
    })
#define csr_try_read(number, value)                                                                \
    (*(value) = 0, try_instruction("csrr %[value], %[csr]", number, *(value)))
#define csr_try_write(number, value)                                                               \
    ({                                                                                             \
        uint64_t value_ = (value);                                                                 \
        try_instruction("csrw %[csr], %[value]", number, value_);                                  \
    })

/* 21.3.2: by encoding, for assemblers without the H extension. All addresses, all spaces. */
static inline void hfence_gvma_all(void)
{
    __asm__ volatile(".word 0x62000073" ::: "memory");
}

static inline void hfence_vvma_all(void)
{
    __asm__ volatile(".word 0x22000073" ::: "memory");
}

static inline void sfence_vma_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

static inline void fence_i(void)
{
    __asm__ volatile("fence.i" ::: "memory");
}

#endif
#endif
