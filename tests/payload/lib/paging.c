/* Sv39 tables: everything mapped one to one and again high up, and a window for single pages. */
#include "payload.h"

#define SATP_SV39 (8UL << 60)

uint64_t page_root[512] __attribute__((aligned(4096)));
uint64_t page_middle[512] __attribute__((aligned(4096)));
uint64_t page_leaves[512] __attribute__((aligned(4096)));

void paging_on(void)
{
    for (uint64_t i = 0; i < 256; i++)
        page_root[i] = pte(i * GIGAPAGE, PTE_LEAF);
    for (uint64_t i = 0; i < 128; i++)
        page_root[256 + i] = pte(i * GIGAPAGE, PTE_LEAF);
    page_root[256 + 128] = pte((uint64_t)page_middle, PTE_V);
    page_middle[0] = pte((uint64_t)page_leaves, PTE_V);
    fence_vma();
    csr_write(satp, SATP_SV39 | (uint64_t)page_root >> 12);
    fence_vma();
}

void paging_off(void)
{
    csr_write(satp, 0);
    fence_vma();
}

void page_map(uint64_t virtual_address, uint64_t physical, uint64_t flags)
{
    page_leaves[virtual_address / PAGE % 512] = pte(physical, flags);
    fence_vma();
}
