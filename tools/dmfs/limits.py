"""What an image may hold: the hypervisor has the same limits."""

# Limits that the hypervisor has too: hypervisor/core/capsule.h, dmfs_capsules.c, loader.h, diosix/abi.h.
CAPSULE_MAX = 64
VCPU_MAX = 64
WEIGHT_MAX = 10000
WEIGHT_DEFAULT = 100
CAP_MAX = 6400
PINS_MAX = 64
NAME_MAX = 31
DESCRIPTION_MAX = 63
BOOTARGS_MAX = 4095
MEGAPAGE = 2 << 20
PAGE = 4096
RAM_MAX = 1 << 40
FDT_ROOM = 64 << 10  # and PAGE for each hart but the first
ELF_SEGMENT_MAX = 15
BLOB_MAX = 8
ADDRESS_MAX = 1 << 56  # the widest physical address
FLASH_SIZE = 32 << 20  # of each of two
PROPERTIES = ("auto_crash_restart", "service_console", "console_write", "console_read",
              "hv_log_read", "capsule_info", "capsule_control", "stats_read")

# What a manifest's `isa` may leave out, and what it may not: hypervisor/riscv/isa.c.
ISA_REMOVABLE = """
f d v zic64b zicbop zicboz ziccamoa ziccif zicclsm ziccrse zicond zihintntl zihintpause zimop za128rs za64rs
zabha zacas zama16b zawrs zfa zfbfmin zfh zfhmin zcb zcmop zba zbb zbc zbkb zbkc zbkx zbs zkn zknd zkne zknh
zks zksed zksh zkt ztso zvbb zvbc zve32f zve32x zve64d zve64f zve64x zvfbfmin zvfbfwma zvfh zvfhmin
zvkb zvkg zvkn zvknc zvkned zvkng zvknha zvknhb zvks zvksc zvksed zvksg zvksh zvkt ssccptr
sscounterenw sstc sstvala sstvecd ssu64xl svade svadu svinval svnapot svvptc
""".split()
ISA_FIXED = "i m a c zicntr zicsr zifencei zmmul zaamo zalrsc zca zcd".split()
ISA_MAX = 255

RAM_BASE = 0x80000000      # where a capsule's RAM starts when it is translated
FLAT_ADDRESS = 0x80200000  # where QEMU's virt starts a supervisor program
