/*
 * See capsule.h. A start takes all that the capsule needs or nothing; what it takes, release()
 * gives back. What its RAM holds comes later (capsule_memory.c).
 */
#include "boot_only.h"
#include "capsule.h"
#include "log.h"
#include "memory.h"
#include "port.h"
#include "sched.h"
#include "service.h"

#define BACKOFF_FIRST  8  /* 1/8 second between reboots, doubled with each crash in a row */
#define BACKOFF_MAX    6  /* doublings: up to 8 seconds */
#define STABLE_SECONDS 10 /* a capsule that ran this long has not crashed in a row */

struct capsule *capsules[CAPSULE_MAX];
unsigned capsule_count;

const char *capsule_state_name(enum capsule_state state)
{
    static const char *const names[] = {
        [CAPSULE_CREATED] = "created", [CAPSULE_RUNNING] = "running", [CAPSULE_PAUSED] = "paused",
        [CAPSULE_STOPPED] = "stopped", [CAPSULE_CRASHED] = "crashed",
    };
    return names[state];
}

BOOT_ONLY enum error capsule_create(const struct capsule_config *config, struct capsule **result)
{
    struct capsule *capsule = NULL;
    if (capsule_count < CAPSULE_MAX)
        capsule = memory_alloc_pages(sizeof *capsule);
    if (capsule == NULL) {
        log_error("capsule %s: no memory for one more capsule", config->name);
        return ERROR_NO_MEMORY;
    }
    capsule->id = (int)capsule_count;
    capsule->config = *config;
    capsule->lock.rank = LOCK_CAPSULE;
    capsule->state = CAPSULE_CREATED;
    capsule->halted = true;
    console_init_capsule(capsule);
    enum error error = placement_admit(capsule);
    if (error == OK)
        error = port_capsule_admit(capsule);
    if (error != OK) {
        memory_free_pages(capsule, sizeof *capsule);
        return error;
    }
    capsules[capsule_count++] = capsule;
    *result = capsule;
    return OK;
}

/* --- taking and giving back what a running capsule needs --- */

/* Cache blocks are mostly of 64 bytes: two vCPUs on two harts share none. */
static size_t vcpu_size(void)
{
    return align_up(sizeof(struct vcpu) + port_vcpu_extra(), 64);
}

/* All that is the hypervisor's in a life of the capsule lies in one piece: vCPUs, and behind them
 * what the port has of it. */
static size_t life_size(const struct capsule *capsule)
{
    return capsule->config.cpus * vcpu_size() + port_capsule_size();
}

/* Without translation, a kernel that belongs to an address of the board's first RAM gets that RAM
 * from its start, but for the part that firmware has on every such board: here the hypervisor is
 * the firmware. So it finds what is usual there, a stack below itself for example. */
static bool board_ram(const struct capsule_config *config, const struct port_ram *place,
                      uint64_t lowest, struct hpa *base, uint64_t *size)
{
    *base = hpa(place->base.value + place->firmware);
    *size = config->ram - place->firmware;
    return place->firmware < config->ram && lowest >= base->value && lowest - base->value < *size;
}

/* What the kernel asks for without translation: the board's RAM if it is there, *fixed if it can be
 * nowhere else. Kernels that say that they can move are at home there too: some cannot. */
static bool wants_board_ram(const struct capsule_config *config, const struct port_ram *place,
                            bool *fixed, struct hpa *base, uint64_t *size)
{
    const char *reason;
    struct gpa lowest;
    if (!place->identity || loader_wants(config, fixed, &lowest, &reason) != OK)
        return false;
    if (!*fixed && lowest.value != 0)
        lowest = gpa(place->base.value + lowest.value);
    return board_ram(config, place, lowest.value, base, size);
}

static bool is_anothers_only_place(const struct capsule *capsule, const struct port_ram *place)
{
    struct hpa base;
    uint64_t size;
    bool fixed;
    for (unsigned i = 0; i < capsule_count; i++)
        if (capsules[i] != capsule &&
            wants_board_ram(&capsules[i]->config, place, &fixed, &base, &size) && fixed)
            return true;
    return false;
}

static enum error take_ram_at(struct capsule *capsule, struct hpa base, uint64_t size)
{
    enum error error = memory_alloc_at(base, size, capsule->id);
    if (error != OK)
        return error;
    capsule->ram_host = base;
    capsule->ram_size = size;
    return OK;
}

static enum error take_board_ram(struct capsule *capsule, const struct port_ram *place)
{
    struct hpa base;
    uint64_t size;
    bool fixed;
    if (!wants_board_ram(&capsule->config, place, &fixed, &base, &size) ||
        (!fixed && is_anothers_only_place(capsule, place)))
        return ERROR_NO_MEMORY;
    return take_ram_at(capsule, base, size);
}

static enum error take_any_ram(struct capsule *capsule, const struct port_ram *place)
{
    enum error error =
        memory_alloc(capsule->config.ram, place->align, capsule->id, &capsule->ram_host);
    if (error == OK)
        capsule->ram_size = capsule->config.ram;
    return error;
}

static enum error take_ram(struct capsule *capsule)
{
    struct port_ram place = port_capsule_ram();
    const struct capsule_config *config = &capsule->config;
    const char *reason;
    bool fixed;
    struct gpa lowest;
    enum error error = loader_wants(config, &fixed, &lowest, &reason);
    if (error != OK) {
        log_error("capsule %s: kernel %s: %s", config->name, config->kernel.name, reason);
        return error;
    }
    fixed = fixed && place.identity;
    error = take_board_ram(capsule, &place);
    if (error != OK)
        error =
            fixed ? take_ram_at(capsule, hpa(align_down(lowest.value, MEGAPAGE_SIZE)), config->ram)
                  : take_any_ram(capsule, &place);
    if (error != OK) {
        log_error("capsule %s: no %lu MiB of free memory%s, %lu MiB are free in all", config->name,
                  config->ram >> 20, fixed ? " where its kernel is linked" : "",
                  memory_owned(MEMORY_FREE) >> 20);
        return error;
    }
    capsule->ram_base = place.identity ? gpa(capsule->ram_host.value) : place.base;
    return OK;
}

BOOT_ONLY uint64_t capsule_board_ram_end(const struct capsule *capsule)
{
    struct port_ram place = port_capsule_ram();
    struct hpa base;
    uint64_t size;
    bool fixed;
    return wants_board_ram(&capsule->config, &place, &fixed, &base, &size) ? base.value + size : 0;
}

static enum error take_life(struct capsule *capsule)
{
    char *place = memory_alloc_pages(life_size(capsule));
    if (place == NULL) {
        log_error("capsule %s: no memory for its vCPUs and devices", capsule->config.name);
        return ERROR_NO_MEMORY;
    }
    for (; capsule->vcpu_count < capsule->config.cpus; place += vcpu_size()) {
        struct vcpu *vcpu = (struct vcpu *)place;
        vcpu->capsule = capsule;
        vcpu->id = capsule->vcpu_count;
        vcpu->since = port_time();
        capsule->vcpus[capsule->vcpu_count++] = vcpu;
    }
    return port_capsule_create(capsule, place);
}

/* It outlives the capsule's ends, for what it printed may be read later. */
static enum error take_output_ring(struct capsule *capsule)
{
    if (!console_needs_output(capsule))
        return OK;
    uint8_t *bytes = memory_alloc_pages(CONSOLE_OUTPUT_SIZE);
    if (bytes == NULL) {
        log_error("capsule %s: no memory for what it prints", capsule->config.name);
        return ERROR_NO_MEMORY;
    }
    console_set_output(capsule, bytes);
    return OK;
}

static void release(struct capsule *capsule)
{
    struct vcpu *first = capsule->vcpus[0];
    service_unregister(capsule);
    port_capsule_destroy(capsule);
    while (capsule->vcpu_count > 0) {
        capsule->past_run_time += capsule->vcpus[--capsule->vcpu_count]->times[VCPU_RUNNING];
        capsule->vcpus[capsule->vcpu_count] = NULL;
    }
    if (first != NULL)
        memory_free_pages(first, life_size(capsule));
    if (capsule->ram_size != 0)
        memory_free(capsule->ram_host, capsule->ram_size, capsule->id);
    capsule->ram_size = 0;
}

static enum error take(struct capsule *capsule)
{
    enum error error = take_ram(capsule);
    if (error == OK)
        error = take_life(capsule);
    if (error == OK)
        error = take_output_ring(capsule);
    if (error != OK)
        release(capsule);
    return error;
}

/* Brings a capsule that has all it needs to the moment of its reset. */
static enum error boot(struct capsule *capsule)
{
    const char *reason;
    enum error error = loader_plan(&capsule->config, capsule->ram_base, capsule->ram_size,
                                   &capsule->plan, &reason);
    if (error != OK) {
        log_error("capsule %s: %s", capsule->config.name, reason);
        return error;
    }
    capsule_memory_reset(capsule);
    port_capsule_reset(capsule);
    capsule->prepared = false;
    for (unsigned i = 0; i < capsule->vcpu_count; i++) {
        struct vcpu *vcpu = capsule->vcpus[i];
        port_vcpu_reset(vcpu, capsule->plan.entry, vcpu->id, capsule->plan.fdt.value);
        atomic_store(&vcpu->hsm, i == 0 ? HSM_STARTED : HSM_STOPPED);
    }
    capsule->started_at = port_time();
    capsule->state = CAPSULE_RUNNING;
    sched_release(capsule);
    return OK;
}

/* --- before it runs --- */

bool capsule_is_prepared(const struct capsule *capsule)
{
    return capsule->prepared;
}

/* Runs in the place of the capsule's first vCPU, so nothing else does. */
void capsule_prepare_step(struct vcpu *vcpu)
{
    struct capsule *capsule = vcpu->capsule;
    if (port_time() < capsule->restart_at)
        sched_block_current(vcpu, capsule->restart_at);
    else if (port_capsule_prepare(capsule))
        capsule->prepared = true;
}

/* --- the life cycle --- */

#ifdef DEBUG
void (*capsule_start_watcher)(void);

static void start_begins(void)
{
    if (capsule_start_watcher)
        capsule_start_watcher();
}
#else
static void start_begins(void)
{
}
#endif

enum error capsule_start(struct capsule *capsule)
{
    start_begins();
    lock_acquire(&capsule->lock);
    enum error error = ERROR_BAD_STATE;
    if (capsule->state != CAPSULE_RUNNING && capsule->state != CAPSULE_PAUSED) {
        capsule->restart_at = 0;
        error = take(capsule);
        if (error == OK) {
            error = boot(capsule);
            if (error != OK)
                release(capsule);
        }
    }
    if (error != OK && capsule->state == CAPSULE_CREATED)
        capsule->state = CAPSULE_STOPPED; /* nobody waits for what did not start */
    lock_release(&capsule->lock);
    if (error == OK)
        log_info("capsule %s: started, %u vCPU%s, %lu MiB at 0x%lx", capsule->config.name,
                 capsule->config.cpus, capsule->config.cpus == 1 ? "" : "s",
                 capsule->config.ram >> 20, capsule->ram_host.value);
    return error;
}

/* Notes what is to become of a capsule and takes it off its harts. A request that ends more of it
 * wins over one that is already noted. */
static enum error request(struct capsule *capsule, enum capsule_request what)
{
    static const int strength[] = {[REQUEST_NONE] = 0,
                                   [REQUEST_PAUSE] = 1,
                                   [REQUEST_RESTART] = 2,
                                   [REQUEST_CRASH] = 3,
                                   [REQUEST_STOP] = 4};
    lock_acquire(&capsule->lock);
    bool alive = capsule->state == CAPSULE_RUNNING || capsule->state == CAPSULE_PAUSED;
    if (!alive || (what == REQUEST_PAUSE && capsule->state == CAPSULE_PAUSED)) {
        lock_release(&capsule->lock);
        return ERROR_BAD_STATE;
    }
    if (strength[what] > strength[capsule->request])
        capsule->request = what;
    bool quiet = sched_halt(capsule);
    lock_release(&capsule->lock);
    if (quiet)
        capsule_quiescent(capsule);
    return OK;
}

enum error capsule_stop(struct capsule *capsule)
{
    return request(capsule, REQUEST_STOP);
}

enum error capsule_restart(struct capsule *capsule)
{
    enum error error = request(capsule, REQUEST_RESTART);
    return error == ERROR_BAD_STATE ? capsule_start(capsule) : error;
}

enum error capsule_pause(struct capsule *capsule)
{
    return request(capsule, REQUEST_PAUSE);
}

enum error capsule_resume(struct capsule *capsule)
{
    lock_acquire(&capsule->lock);
    bool paused = capsule->state == CAPSULE_PAUSED && capsule->request == REQUEST_NONE;
    if (paused) {
        capsule->state = CAPSULE_RUNNING;
        sched_release(capsule);
    }
    lock_release(&capsule->lock);
    return paused ? OK : ERROR_BAD_STATE;
}

static void log_crash(const struct capsule *capsule)
{
    const struct crash_record *crash = &capsule->crash;
    log_error("capsule %s: vCPU %u crashed: %s, pc 0x%lx, fault value 0x%lx", capsule->config.name,
              crash->vcpu, crash->cause, crash->pc, crash->value);
    for (unsigned i = 0; i < 32; i += 4)
        log_error("  x%-2u %016lx %016lx %016lx %016lx", i, crash->registers[i],
                  crash->registers[i + 1], crash->registers[i + 2], crash->registers[i + 3]);
}

void capsule_crash(struct vcpu *vcpu, const struct crash_record *record)
{
    struct capsule *capsule = vcpu->capsule;
    lock_acquire(&capsule->lock);
    capsule->crash = *record;
    lock_release(&capsule->lock);
    log_crash(capsule);
    request(capsule, REQUEST_CRASH);
}

static void stop(struct capsule *capsule, enum capsule_state state)
{
    release(capsule);
    capsule->state = state;
    log_info("capsule %s: %s", capsule->config.name, capsule_state_name(state));
    console_flush(); /* if it was the console, nobody else will show what is kept */
}

static void restart(struct capsule *capsule)
{
    service_unregister(capsule);
    capsule->restarts++;
    log_info("capsule %s: restarting", capsule->config.name);
    if (boot(capsule) != OK)
        stop(capsule, CAPSULE_STOPPED);
}

/* One that crashes again and again waits longer each time. */
static void restart_after_crash(struct capsule *capsule)
{
    uint64_t now = port_time(), second = port_frequency();
    if (now - capsule->started_at > STABLE_SECONDS * second)
        capsule->crashes_in_a_row = 0;
    unsigned doublings = capsule->crashes_in_a_row++;
    if (doublings > BACKOFF_MAX)
        doublings = BACKOFF_MAX;
    capsule->restart_at = now + (second / BACKOFF_FIRST << doublings);
    restart(capsule);
}

static void carry_out(struct capsule *capsule, enum capsule_request what)
{
    switch (what) {
    case REQUEST_STOP:
        stop(capsule, CAPSULE_STOPPED);
        break;
    case REQUEST_RESTART:
        /* One that reboots as fast as it can fills neither the log nor the serial port. */
        capsule->restart_at = capsule->started_at + port_frequency() / BACKOFF_FIRST;
        restart(capsule);
        break;
    case REQUEST_PAUSE:
        capsule->state = CAPSULE_PAUSED;
        log_info("capsule %s: paused", capsule->config.name);
        break;
    case REQUEST_CRASH:
        if (capsule->config.properties & DIOSIX_PROPERTY_AUTO_CRASH_RESTART)
            restart_after_crash(capsule);
        else
            stop(capsule, CAPSULE_CRASHED);
        break;
    case REQUEST_NONE:
        break;
    }
}

static bool anything_alive(void)
{
    for (unsigned i = 0; i < capsule_count; i++)
        if (capsules[i]->state == CAPSULE_RUNNING || capsules[i]->state == CAPSULE_PAUSED)
            return true;
    return false;
}

void capsule_quiescent(struct capsule *capsule)
{
    lock_acquire(&capsule->lock);
    enum capsule_request what = capsule->request;
    if (what != REQUEST_NONE && sched_is_quiet(capsule)) {
        capsule->request = REQUEST_NONE;
        carry_out(capsule, what);
    }
    lock_release(&capsule->lock);
    if (!anything_alive()) {
        log_info("nothing is left to run: power off");
        port_power_off();
    }
}
