/*
 * A service with capsule_info and capsule_control: does `do=restart` (or stop, start, pause,
 * resume) to the capsule that `capsule=` names, `times=` times, `gap_ms=` apart, then powers itself
 * off. `do=cycle` stops it, waits `hold_ms=`, and then starts, restarts and stops it `times=`
 * times, at most `gap_us=` apart, and waits again.
 * `do=starve` stops the capsule that `room=` names, if any, and then starts, restarts and stops the
 * other `times=` times, where starts fail; then it stays. Before all that it waits until the
 * capsule that `idle=` names has come to rest. `do=revive` starts it whenever it has crashed.
 */
#include "payload.h"
#include <diosix/abi.h>

#define CAPSULES_MAX 8

static struct diosix_capsule_info info;
struct counters {
    uint64_t state, restarts, ram;
};

static bool word_is(const char *argument_name, const char *text)
{
    const char *word = argument(argument_name);
    size_t length = strlen(text);
    return word && !strncmp(word, text, length) && (word[length] == ' ' || !word[length]);
}

static long find(const char *argument_name)
{
    for (uint64_t index = 0;; index++) {
        if (sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, index, &info, 0).error)
            return -1;
        if (word_is(argument_name, info.name))
            return info.id;
    }
}

static uint64_t command(void)
{
    static const char *const names[DIOSIX_CONTROL_COUNT] = {"stop", "start", "restart", "pause",
                                                            "resume"};
    for (uint64_t i = 0; i < DIOSIX_CONTROL_COUNT; i++)
        if (word_is("do", names[i]))
            return i;
    return DIOSIX_CONTROL_COUNT;
}

static void sleep(uint64_t milliseconds)
{
    uint64_t end = time_now() + milliseconds * (frequency / 1000);
    csr_write(sie, SIP_STIP);
    sbi_set_timer(end);
    while (time_now() < end)
        __asm__ volatile("wfi");
    sbi_set_timer(~0UL);
}

/* Until the capsule that `idle=` names has done next to nothing for two seconds. */
static void wait_until_idle(long id)
{
    for (unsigned idle = 0; idle < 4;) {
        sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
        uint64_t before = info.run_time;
        sleep(500);
        sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
        idle = info.run_time - before < frequency / 20 ? idle + 1 : 0;
    }
}

static void arguments(long id)
{
    struct sbi_return result =
        sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, id, DIOSIX_CONTROL_COUNT, 0);
    check(result.error == SBI_ERR_INVALID_PARAM, "control.unknown_command", "error %ld",
          result.error);
    result = sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, 1000, DIOSIX_CONTROL_STOP, 0);
    check(result.error == SBI_ERR_INVALID_PARAM, "control.unknown_capsule", "error %ld",
          result.error);
    result = sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, 0, ram.base + ram.size - 8, 0);
    check(result.error == SBI_ERR_INVALID_ADDRESS || result.error == SBI_ERR_INVALID_PARAM,
          "info.bad_buffer", "error %ld", result.error);
}

static long control(long id, uint64_t what)
{
    return sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, id, what, 0).error;
}

/* A request may be carried out a little later. */
static bool reaches(long id, unsigned state)
{
    uint64_t end = time_now() + 60 * frequency;
    do {
        sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
        if (info.state == state)
            return true;
    } while (time_now() < end);
    return false;
}

static bool stop(long id)
{
    return !control(id, DIOSIX_CONTROL_STOP) && reaches(id, DIOSIX_CAPSULE_STOPPED);
}

static uint64_t restarts(long id)
{
    sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
    return info.restarts;
}

/* One that is carried out counts once. */
static bool restart(long id)
{
    uint64_t before = restarts(id), end = time_now() + 60 * frequency;
    bool good = !control(id, DIOSIX_CONTROL_RESTART);
    while (restarts(id) == before && time_now() < end)
        ;
    return good && restarts(id) == before + 1;
}

/* Each life ends at another moment: while its memory is made, in its first instructions, later. */
static bool live_once(long id, uint64_t i, uint64_t longest)
{
    bool good = !control(id, DIOSIX_CONTROL_START);
    uint64_t end = time_now() + longest * (i * 7 % 16) / 16;
    while (time_now() < end)
        ;
    if (i % 8 == 3)
        good &= restart(id);
    else if (i % 8 == 7) /* the stop may come before it is carried out */
        good &= !control(id, DIOSIX_CONTROL_RESTART);
    return good & stop(id);
}

/* The states and counters of all capsules that are not to be touched, and how many there are. */
static uint64_t note_others(long id, struct counters *counters)
{
    uint64_t count = 0;
    while (count < CAPSULES_MAX &&
           !sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, count, &info, 0).error) {
        counters[count] = (struct counters){info.state, info.restarts, info.ram};
        if (count++ == (uint64_t)id)
            counters[id] = (struct counters){0};
    }
    return count;
}

static bool same(const struct counters *some, const struct counters *others, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (some[i].state != others[i].state || some[i].restarts != others[i].restarts ||
            some[i].ram != others[i].ram)
            return false;
    return true;
}

static void cycle(long id)
{
    static struct counters before[CAPSULES_MAX], after[CAPSULES_MAX];
    uint64_t times = argument_number("times", 1000), failed = 0;
    uint64_t longest = argument_number("gap_us", 4000) * frequency / 1000000;
    check(stop(id), "cycle.stop", "it does not stop");
    uint64_t count = note_others(id, before), restarted = restarts(id);
    print("cycles begin");
    sleep(argument_number("hold_ms", 0));
    uint64_t start = time_now();
    for (uint64_t i = 0; i < times; i++)
        failed += !live_once(id, i, longest);
    check(!failed, "cycle", "%lu of %lu went wrong", failed, times);
    restarted = restarts(id) - restarted;
    check(restarted >= times / 8 && restarted <= times / 4, "cycle.restarts", "%lu in %lu lives",
          restarted, times);
    check(note_others(id, after) == count && same(before, after, count), "cycle.others",
          "others have changed");
    print("cycles end after %lu ms", (time_now() - start) / (frequency / 1000));
    sleep(argument_number("hold_ms", 0));
}

/* A start, or one that fails and changes nothing. */
static bool start(long id, uint64_t *failed)
{
    bool starts = !control(id, DIOSIX_CONTROL_START);
    *failed += !starts;
    sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
    return info.state == (starts ? DIOSIX_CAPSULE_RUNNING : DIOSIX_CAPSULE_STOPPED);
}

static bool gets_time(long id)
{
    sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
    uint64_t before = info.run_time, end = time_now() + 60 * frequency;
    while (info.run_time == before && time_now() < end)
        sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
    return info.run_time > before;
}

static bool live_or_starve(long id, uint64_t *failed)
{
    uint64_t before = *failed;
    bool good = start(id, failed);
    if (*failed != before)
        return good;
    good &= gets_time(id);
    sleep(argument_number("gap_ms", 150));
    good &= restart(id);
    good &= gets_time(id);
    sleep(argument_number("gap_ms", 150));
    return good & stop(id);
}

static void starve(long id)
{
    static struct counters before[CAPSULES_MAX], after[CAPSULES_MAX];
    uint64_t times = argument_number("times", 8), failed = 0, wrong = 0;
    if (argument("room"))
        check(stop(find("room")), "starve.room", "it does not stop");
    control(id, DIOSIX_CONTROL_STOP);
    check(reaches(id, DIOSIX_CAPSULE_STOPPED), "starve.stop", "it does not stop");
    uint64_t count = note_others(id, before);
    print("starts begin");
    sleep(argument_number("hold_ms", 0));
    for (uint64_t i = 0; i < times; i++)
        wrong += !live_or_starve(id, &failed);
    check(!wrong, "starve", "%lu of %lu went wrong", wrong, times);
    check(note_others(id, after) == count && same(before, after, count), "starve.others",
          "others have changed");
    print("starts end, %lu of %lu failed", failed, times);
    for (;;)
        sleep(1000);
}

/* It may crash by itself just then. */
static bool stop_or_crash(long id)
{
    uint64_t end = time_now() + 60 * frequency;
    control(id, DIOSIX_CONTROL_STOP);
    do
        sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_INFO, id, &info, 0);
    while (info.state != DIOSIX_CAPSULE_STOPPED && info.state != DIOSIX_CAPSULE_CRASHED &&
           time_now() < end);
    return info.state == DIOSIX_CAPSULE_STOPPED || info.state == DIOSIX_CAPSULE_CRASHED;
}

/* Starts it again each time that it has crashed. */
static void revive(long id)
{
    uint64_t times = argument_number("times", 1000);
    check(stop_or_crash(id), "revive.stop", "it does not stop");
    print("crashes begin");
    sleep(argument_number("hold_ms", 0));
    bool good = !control(id, DIOSIX_CONTROL_START);
    for (uint64_t i = 0; i < times && good; i++)
        good = reaches(id, DIOSIX_CAPSULE_CRASHED) && !control(id, DIOSIX_CONTROL_START);
    check(good, "revive", "it does not crash, or does not start");
    check(stop_or_crash(id), "revive.end", "it does not stop");
    print("crashes end");
    sleep(argument_number("hold_ms", 0));
}

void payload_main(void)
{
    long id = in_diosix ? find("capsule") : -1;
    if (!in_diosix) {
        skip("control", "not on Diosix");
        return;
    }
    if (!check(id >= 0, "control.find", "no capsule has that name"))
        return;
    arguments(id);
    if (argument("idle"))
        wait_until_idle(find("idle"));
    sleep(argument_number("delay_ms", 0));
    if (word_is("do", "cycle"))
        return cycle(id);
    if (word_is("do", "revive"))
        return revive(id);
    if (word_is("do", "starve"))
        return starve(id);
    for (uint64_t i = 0; i < argument_number("times", 1); i++) {
        struct sbi_return result =
            sbi_call(DIOSIX_SBI_EXTENSION, DIOSIX_CAPSULE_CONTROL, id, command(), 0);
        check(!result.error, "control", "error %ld", result.error);
        sleep(argument_number("gap_ms", 500));
    }
}
