/*
 * All of the small guest's userland: one program without a C library and without floating point,
 * for harts that have none. It mounts what Linux offers and takes commands on the console.
 *
 * Numbers of system calls are those of include/uapi/asm-generic/unistd.h in Linux.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SYS_MKDIRAT = 34,
    SYS_MOUNT = 40,
    SYS_OPENAT = 56,
    SYS_CLOSE = 57,
    SYS_READ = 63,
    SYS_WRITE = 64,
    SYS_EXIT = 93,
    SYS_REBOOT = 142,
};

/* uapi/linux/reboot.h */
#define REBOOT_MAGIC1    0xfee1dead
#define REBOOT_MAGIC2    672274793
#define REBOOT_RESTART   0x01234567
#define REBOOT_POWER_OFF 0x4321fedc

#define AT_FDCWD (-100)

struct command {
    const char *name;
    const char *help;
    void (*run)(const char *argument);
};

static long syscall5(long number, long a, long b, long c, long d, long e)
{
    register long a7 __asm__("a7") = number;
    register long a0 __asm__("a0") = a;
    register long a1 __asm__("a1") = b;
    register long a2 __asm__("a2") = c;
    register long a3 __asm__("a3") = d;
    register long a4 __asm__("a4") = e;
    __asm__ volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
    return a0;
}

static size_t length(const char *text)
{
    size_t count = 0;
    while (text[count] != '\0')
        count++;
    return count;
}

static bool same(const char *text, const char *other)
{
    while (*text != '\0' && *text == *other)
        text++, other++;
    return *text == *other;
}

static void put(const char *text)
{
    syscall5(SYS_WRITE, 1, (long)text, (long)length(text), 0, 0);
}

static void mount_at(const char *folder, const char *type)
{
    syscall5(SYS_MKDIRAT, AT_FDCWD, (long)folder, 0755, 0, 0);
    syscall5(SYS_MOUNT, (long)type, (long)folder, (long)type, 0, 0);
}

static void command_cat(const char *path)
{
    char buffer[512];
    long file = syscall5(SYS_OPENAT, AT_FDCWD, (long)path, 0, 0, 0);
    if (file < 0) {
        put("no such file\n");
        return;
    }
    long count;
    while ((count = syscall5(SYS_READ, file, (long)buffer, sizeof buffer, 0, 0)) > 0)
        syscall5(SYS_WRITE, 1, (long)buffer, count, 0, 0);
    syscall5(SYS_CLOSE, file, 0, 0, 0, 0);
}

static void command_echo(const char *text)
{
    put(text);
    put("\n");
}

static void command_cpu(const char *argument)
{
    (void)argument;
    command_cat("/proc/cpuinfo");
}

static void command_memory(const char *argument)
{
    (void)argument;
    command_cat("/proc/meminfo");
}

/* Keeps the hart busy for a while, in integers. */
static void command_work(const char *argument)
{
    (void)argument;
    uint64_t value = 1;
    for (uint32_t round = 0; round < 20 * 1000 * 1000; round++)
        value = value * 6364136223846793005 + 1442695040888963407;
    put(value == 8843630203987260673 ? "worked\n" : "worked, and got it wrong\n");
}

static void command_poweroff(const char *argument)
{
    (void)argument;
    syscall5(SYS_REBOOT, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_POWER_OFF, 0, 0);
}

static void command_reboot(const char *argument)
{
    (void)argument;
    syscall5(SYS_REBOOT, REBOOT_MAGIC1, REBOOT_MAGIC2, REBOOT_RESTART, 0, 0);
}

/* Linux panics when its first program ends. */
static void command_panic(const char *argument)
{
    (void)argument;
    syscall5(SYS_EXIT, 1, 0, 0, 0, 0);
}

static void command_help(const char *argument);

static const struct command commands[] = {
    {"help", "lists the commands", command_help},
    {"echo", "says something", command_echo},
    {"cat", "shows a file", command_cat},
    {"cpu", "shows what Linux knows of the harts", command_cpu},
    {"memory", "shows what it knows of memory", command_memory},
    {"work", "computes for a while", command_work},
    {"poweroff", "ends the guest", command_poweroff},
    {"reboot", "starts it again", command_reboot},
    {"panic", "makes Linux panic", command_panic},
};

static void command_help(const char *argument)
{
    (void)argument;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        put(commands[i].name);
        put(": ");
        put(commands[i].help);
        put("\n");
    }
}

static void run(char *line)
{
    char *argument = line;
    while (*argument != '\0' && *argument != ' ')
        argument++;
    if (*argument == ' ')
        *argument++ = '\0';
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (same(line, commands[i].name)) {
            commands[i].run(argument);
            return;
        }
    }
    if (*line != '\0')
        put("no such command; try help\n");
}

/* Reads a line that the terminal has already let the user edit. */
static void read_line(char *line, size_t size)
{
    long count = syscall5(SYS_READ, 0, (long)line, (long)size - 1, 0, 0);
    if (count < 0)
        count = 0;
    if (count > 0 && line[count - 1] == '\n')
        count--;
    line[count] = '\0';
}

__attribute__((used)) static void start_in_c(void)
{
    mount_at("/proc", "proc");
    mount_at("/sys", "sysfs");
    put("\nThe small guest is up. Try help.\n");
    for (;;) {
        char line[256];
        put("small# ");
        read_line(line, sizeof line);
        run(line);
    }
}

/* Linux sets only the stack pointer. */
__asm__(".globl _start\n"
        "_start:\n"
        "    .option push\n"
        "    .option norelax\n"
        "    lla gp, __global_pointer$\n"
        "    .option pop\n"
        "    andi sp, sp, -16\n"
        "    tail start_in_c\n");
