/* What this machine has, from its device tree; the interrupt controller's registers; start. */
#include "payload.h"

#define DIOSIX_SBI_IMPL_ID 5 /* SBI 3.0, 4.1 */

struct range ram;
uint64_t frequency, boot_hart, plic_base, uart_base;
uint32_t uart_irq;
unsigned hart_count;
uint64_t hart_ids[HARTS_MAX];
bool in_diosix;
uint8_t scratch_pages[2 * PAGE] __attribute__((aligned(4096)));

static const uint32_t *cpu_node(const uint32_t *after)
{
    const uint32_t *node = fdt_next(after);
    while (node && strncmp(fdt_name(node), "cpu@", 4))
        node = fdt_next(node);
    return node;
}

void machine_discover(void)
{
    ram = fdt_reg(fdt_by_name("memory"));
    frequency = fdt_cell(fdt_by_name("cpus"), "timebase-frequency", 0);
    for (const uint32_t *cpu = cpu_node(NULL); cpu; cpu = cpu_node(cpu))
        if (hart_count < HARTS_MAX && fdt_get(cpu, "mmu-type", NULL))
            hart_ids[hart_count++] = fdt_cell(cpu, "reg", 0);
    const uint32_t *uart = fdt_by_compatible("ns16550a");
    uart_base = fdt_reg(uart).base;
    uart_irq = fdt_cell(uart, "interrupts", 0);
    const uint32_t *plic = fdt_by_compatible("riscv,plic0");
    if (!plic)
        plic = fdt_by_compatible("sifive,plic-1.0.0");
    plic_base = fdt_reg(plic).base;
    in_diosix = sbi_call(SBI_BASE, 1, 0, 0, 0).value == DIOSIX_SBI_IMPL_ID;
}

/* `f` is looked for among the single letters, `sstc` among the words. */
uint64_t stimecmp_get(void)
{
    uint64_t deadline = UINT64_MAX;
    if (isa_has("sstc"))
        __asm__ volatile("csrr %0, 0x14d" : "=r"(deadline)); /* Sstc 1.0.0, 2.1 */
    return deadline;
}

bool isa_has(const char *extension)
{
    const char *isa = fdt_get(cpu_node(NULL), "riscv,isa", NULL);
    if (!isa)
        return false;
    bool letter = strlen(extension) == 1;
    for (isa += strlen("rv64"); *isa && *isa != '_'; isa++)
        if (letter && *isa == *extension)
            return true;
    size_t length = strlen(extension);
    for (; !letter && *isa; isa++)
        if (*isa == '_' && !strncmp(isa + 1, extension, length) &&
            (!isa[length + 1] || isa[length + 1] == '_'))
            return true;
    return false;
}

const char *argument(const char *name)
{
    const char *words = fdt ? fdt_get(fdt_by_name("chosen"), "bootargs", NULL) : NULL;
    size_t length = strlen(name);
    while (words && *words) {
        if (!strncmp(words, name, length) && words[length] == '=')
            return words + length + 1;
        while (*words && *words != ' ')
            words++;
        words += *words == ' ';
    }
    return NULL;
}

uint64_t argument_number(const char *name, uint64_t otherwise)
{
    const char *digits = argument(name);
    if (!digits)
        return otherwise;
    uint64_t value = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++)
        value = value * 10 + (uint64_t)(*digits - '0');
    return value;
}

void wait_until(uint64_t time)
{
    while (time_now() < time)
        ;
}

/* Contexts are in the order of interrupts-extended: pairs of a hart's controller and a line. */
uint32_t plic_context(void)
{
    const uint32_t *plic = fdt_by_compatible("riscv,plic0");
    if (!plic)
        plic = fdt_by_compatible("sifive,plic-1.0.0");
    const uint32_t *cpu = cpu_node(NULL);
    while (cpu && fdt_cell(cpu, "reg", 0) != local()->id)
        cpu = cpu_node(cpu);
    const uint32_t *controller = cpu ? fdt_next(cpu) : NULL;
    while (controller && !fdt_get(controller, "interrupt-controller", NULL))
        controller = fdt_next(controller);
    uint32_t phandle = fdt_cell(controller, "phandle", 0), length = 0;
    fdt_get(plic, "interrupts-extended", &length);
    for (uint32_t i = 0; i < length / 8; i++)
        if (fdt_cell(plic, "interrupts-extended", 2 * i) == phandle &&
            fdt_cell(plic, "interrupts-extended", 2 * i + 1) == 9)
            return i;
    return 0;
}

static volatile uint32_t *plic(uint64_t offset)
{
    return (volatile uint32_t *)(plic_base + offset);
}

volatile uint32_t *plic_priority(unsigned source)
{
    return plic(4 * source);
}

volatile uint32_t *plic_pending(unsigned source)
{
    return plic(0x1000 + source / 32 * 4);
}

volatile uint32_t *plic_enable(unsigned source)
{
    return plic(0x2000 + 0x80 * plic_context() + source / 32 * 4);
}

volatile uint32_t *plic_threshold(void)
{
    return plic(0x200000 + 0x1000 * plic_context());
}

volatile uint32_t *plic_claim(void)
{
    return plic(0x200004 + 0x1000 * plic_context());
}

__attribute__((weak)) void payload_early(void)
{
}

void payload_start(uint64_t hart, const void *tree);
void payload_start(uint64_t hart, const void *tree)
{
    boot_hart = hart;
    fdt = tree;
    payload_early();
    machine_discover();
    payload_main();
    finish();
}
