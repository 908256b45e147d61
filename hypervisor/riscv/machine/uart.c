/*
 * The serial port: an ns16550a (National Semiconductor PC16550D, June 1995) whose wire is the
 * capsule's console.
 *
 * There is no baud rate: what is written goes to the console at once. When the console is full,
 * bytes stay in the transmit FIFO, and LSR.THRE stays low, until machine_console_event() tells of
 * room. Received bytes are taken from the console as the receive FIFO has room, so it never
 * overruns but in loopback; but only when the guest accesses the port or wants its interrupts, for
 * it may read its console by SBI instead. Below the trigger level a real port waits four character
 * times before it interrupts; here they have always passed, and the cause is the character timeout.
 *
 * An access of any width is one of the register at its address, as QEMU's model has it.
 */
#include "console.h"
#include "devices.h"
#include <string.h>

/* PC16550D, 8.0, table II: registers. */
enum {
    RBR_THR = 0,
    IER = 1,
    IIR_FCR = 2,
    LCR = 3,
    MCR = 4,
    LSR = 5,
    MSR = 6,
    SCR = 7
};
#define REGISTER_COUNT 8

#define IER_RECEIVE  0x01
#define IER_TRANSMIT 0x02
#define IER_LINE     0x04
#define IER_MODEM    0x08
#define IER_MASK     0x0f

#define IIR_MODEM    0x00
#define IIR_NONE     0x01
#define IIR_TRANSMIT 0x02
#define IIR_RECEIVE  0x04
#define IIR_LINE     0x06
#define IIR_TIMEOUT  0x0c
#define IIR_FIFO     0xc0

#define FCR_ENABLE         0x01
#define FCR_CLEAR_RECEIVE  0x02
#define FCR_CLEAR_TRANSMIT 0x04
#define FCR_TRIGGER_SHIFT  6

#define LCR_DLAB 0x80

#define MCR_DTR  0x01
#define MCR_RTS  0x02
#define MCR_OUT1 0x04
#define MCR_OUT2 0x08
#define MCR_LOOP 0x10
#define MCR_MASK 0x1f

#define LSR_DATA_READY 0x01
#define LSR_OVERRUN    0x02
#define LSR_THRE       0x20
#define LSR_TEMT       0x40

#define MSR_DELTA_CTS   0x01
#define MSR_DELTA_DSR   0x02
#define MSR_TRAILING_RI 0x04
#define MSR_DELTA_DCD   0x08
#define MSR_CTS         0x10
#define MSR_DSR         0x20
#define MSR_RI          0x40
#define MSR_DCD         0x80

#define RESET_DIVISOR 12 /* 9600 baud of a 1.8432 MHz clock */

static unsigned depth(const struct uart *uart)
{
    return uart->fcr & FCR_ENABLE ? UART_FIFO_SIZE : 1;
}

static bool fifo_put(struct uart_fifo *fifo, unsigned room, uint8_t byte)
{
    if (fifo->count >= room)
        return false;
    fifo->bytes[(fifo->first + fifo->count++) % UART_FIFO_SIZE] = byte;
    return true;
}

static uint8_t fifo_take(struct uart_fifo *fifo)
{
    uint8_t byte = fifo->bytes[fifo->first];
    fifo->first = (fifo->first + 1) % UART_FIFO_SIZE;
    fifo->count--;
    return byte;
}

static unsigned trigger_level(const struct uart *uart)
{
    static const uint8_t levels[] = {1, 4, 8, 14};
    return uart->fcr & FCR_ENABLE ? levels[uart->fcr >> FCR_TRIGGER_SHIFT] : 1;
}

/* The pending cause of the highest priority (table IV). */
static uint8_t interrupt_cause(const struct uart *uart)
{
    if (uart->ier & IER_LINE && uart->line_errors)
        return IIR_LINE;
    if (uart->ier & IER_RECEIVE && uart->receive.count)
        return uart->receive.count >= trigger_level(uart) ? IIR_RECEIVE : IIR_TIMEOUT;
    if (uart->ier & IER_TRANSMIT && uart->thre_interrupt)
        return IIR_TRANSMIT;
    if (uart->ier & IER_MODEM && uart->modem_deltas)
        return IIR_MODEM;
    return IIR_NONE;
}

static void update_interrupt(struct machine *machine)
{
    plic_set_level(machine, MACHINE_IRQ_UART, interrupt_cause(&machine->uart) != IIR_NONE);
}

/* Is something on the wire? In loopback it is cut (8.6). */
static bool has_input(const struct machine *machine)
{
    return !(machine->uart.mcr & MCR_LOOP) && console_has_input(machine->capsule);
}

/* Takes what the console has, as far as there is room. */
static void fill_receiver(struct machine *machine)
{
    struct uart *uart = &machine->uart;
    uint8_t byte;
    if (!has_input(machine))
        return;
    while (uart->receive.count < depth(uart) && console_read(machine->capsule, &byte, 1) == 1)
        fifo_put(&uart->receive, depth(uart), byte);
}

/* An empty holding register raises the transmit interrupt, once. */
static void drain_transmitter(struct machine *machine)
{
    struct uart *uart = &machine->uart;
    if (uart->transmit.count == 0)
        return;
    while (uart->transmit.count) {
        if (console_write(machine->capsule, &uart->transmit.bytes[uart->transmit.first], 1) != 1)
            return;
        fifo_take(&uart->transmit);
    }
    uart->thre_interrupt = true;
}

/* The state of the modem's wires: a modem that is always there, or our own outputs. */
static uint8_t modem_lines(const struct uart *uart)
{
    if (!(uart->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (uart->mcr & MCR_RTS ? MSR_CTS : 0) | (uart->mcr & MCR_DTR ? MSR_DSR : 0) |
           (uart->mcr & MCR_OUT1 ? MSR_RI : 0) | (uart->mcr & MCR_OUT2 ? MSR_DCD : 0);
}

static void write_modem_control(struct uart *uart, uint8_t value)
{
    uint8_t before = modem_lines(uart);
    uart->mcr = value & MCR_MASK;
    uint8_t after = modem_lines(uart), changed = before ^ after;
    if (changed & MSR_CTS)
        uart->modem_deltas |= MSR_DELTA_CTS;
    if (changed & MSR_DSR)
        uart->modem_deltas |= MSR_DELTA_DSR;
    if (changed & MSR_RI && before & MSR_RI)
        uart->modem_deltas |= MSR_TRAILING_RI;
    if (changed & MSR_DCD)
        uart->modem_deltas |= MSR_DELTA_DCD;
}

/* A loop: an overrun loses the new byte in FIFO mode and the old one without (8.4, bit 1). */
static void loop_back(struct uart *uart, uint8_t byte)
{
    if (!fifo_put(&uart->receive, depth(uart), byte)) {
        uart->line_errors |= LSR_OVERRUN;
        if (!(uart->fcr & FCR_ENABLE))
            uart->receive.bytes[uart->receive.first] = byte;
    }
    uart->thre_interrupt = true;
}

/* A byte written while the FIFO is full is lost, as the guest could see from LSR.THRE. */
static void write_data(struct machine *machine, uint8_t byte)
{
    struct uart *uart = &machine->uart;
    uart->thre_interrupt = false;
    if (uart->mcr & MCR_LOOP) {
        loop_back(uart, byte);
    } else {
        fifo_put(&uart->transmit, depth(uart), byte);
        drain_transmitter(machine);
    }
}

/* Enabling the transmit interrupt raises it if the holding register is empty. */
static void write_interrupt_enable(struct uart *uart, uint8_t value)
{
    bool was_enabled = uart->ier & IER_TRANSMIT;
    uart->ier = value & IER_MASK;
    if (!was_enabled && uart->ier & IER_TRANSMIT)
        uart->thre_interrupt = uart->transmit.count == 0;
}

/* A change of the mode clears both FIFOs; the other bits count only together with it (8.5). */
static void write_fifo_control(struct uart *uart, uint8_t value)
{
    if ((value ^ uart->fcr) & FCR_ENABLE)
        value |= FCR_CLEAR_RECEIVE | FCR_CLEAR_TRANSMIT;
    else if (!(value & FCR_ENABLE))
        return;
    if (value & FCR_CLEAR_RECEIVE)
        uart->receive.count = 0;
    if (value & FCR_CLEAR_TRANSMIT) {
        uart->transmit.count = 0;
        uart->thre_interrupt = true;
    }
    uart->fcr = value & FCR_ENABLE ? value & ~(FCR_CLEAR_RECEIVE | FCR_CLEAR_TRANSMIT) : 0;
}

static void write_register(struct machine *machine, unsigned number, uint8_t value)
{
    struct uart *uart = &machine->uart;
    bool divisor = uart->lcr & LCR_DLAB;
    switch (number) {
    case RBR_THR:
        if (divisor)
            uart->dll = value;
        else
            write_data(machine, value);
        break;
    case IER:
        if (divisor)
            uart->dlm = value;
        else
            write_interrupt_enable(uart, value);
        break;
    case IIR_FCR:
        write_fifo_control(uart, value);
        break;
    case LCR:
        uart->lcr = value;
        break;
    case MCR:
        write_modem_control(uart, value);
        break;
    case SCR:
        uart->scr = value;
        break;
    default: /* LSR and MSR: for factory tests only (8.4, 8.7) */
        break;
    }
}

/* Reading the cause acknowledges it if it is the transmit interrupt (table IV). */
static uint8_t read_interrupt_identification(struct uart *uart)
{
    uint8_t cause = interrupt_cause(uart);
    if (cause == IIR_TRANSMIT)
        uart->thre_interrupt = false;
    return cause | (uart->fcr & FCR_ENABLE ? IIR_FIFO : 0);
}

static uint8_t read_line_status(struct uart *uart)
{
    uint8_t status = uart->line_errors;
    uart->line_errors = 0;
    if (uart->receive.count)
        status |= LSR_DATA_READY;
    if (uart->transmit.count == 0)
        status |= LSR_THRE | LSR_TEMT;
    return status;
}

static uint8_t read_modem_status(struct uart *uart)
{
    uint8_t deltas = uart->modem_deltas;
    uart->modem_deltas = 0;
    return modem_lines(uart) | deltas;
}

static uint8_t read_register(struct uart *uart, unsigned number)
{
    bool divisor = uart->lcr & LCR_DLAB;
    switch (number) {
    case RBR_THR:
        if (divisor)
            return uart->dll;
        return uart->receive.count ? fifo_take(&uart->receive) : 0;
    case IER:
        return divisor ? uart->dlm : uart->ier;
    case IIR_FCR:
        return read_interrupt_identification(uart);
    case LCR:
        return uart->lcr;
    case MCR:
        return uart->mcr;
    case LSR:
        return read_line_status(uart);
    case MSR:
        return read_modem_status(uart);
    default:
        return uart->scr;
    }
}

bool uart_access(struct machine *machine, struct mmio *mmio)
{
    if (mmio->offset >= REGISTER_COUNT)
        return false;
    fill_receiver(machine);
    if (mmio->write)
        write_register(machine, (unsigned)mmio->offset, (uint8_t)mmio->value);
    else
        mmio->value = read_register(&machine->uart, (unsigned)mmio->offset);
    if (mmio->write || mmio->offset == RBR_THR) /* that may have made room */
        fill_receiver(machine);
    update_interrupt(machine);
    return true;
}

/* LSR, which is what guests poll. */
int64_t uart_look(struct vcpu *vcpu, uint64_t offset)
{
    struct capsule *capsule = vcpu->capsule;
    struct machine *machine = capsule->arch.machine;
    int64_t value = MACHINE_NO_LOOK;
    if (offset != LSR)
        return MACHINE_NO_LOOK;
    lock_acquire(&capsule->lock);
    if (machine->uart.line_errors == 0 && !has_input(machine))
        value = read_line_status(&machine->uart);
    lock_release(&capsule->lock);
    if (value >= 0)
        vcpu_count_exit(vcpu, DIOSIX_EXIT_UART);
    return value;
}

void uart_event(struct machine *machine)
{
    drain_transmitter(machine);
    if (machine->uart.ier & IER_RECEIVE)
        fill_receiver(machine);
    update_interrupt(machine);
}

void uart_reset(struct machine *machine)
{
    memset(&machine->uart, 0, sizeof machine->uart);
    machine->uart.dll = RESET_DIVISOR;
    machine->uart.mcr = MCR_OUT2;
    update_interrupt(machine);
}
