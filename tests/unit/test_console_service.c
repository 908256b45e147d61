/* The console service as the user sees it: what is on the screen after guests have printed, the
 * hypervisor has logged and keys were pressed. The calls of services/runtime are played here. */
#include "unit.h"
#include "../../services/console/console.h"

#include <stdio.h>
#include <string.h>

#define FREQUENCY 1000UL /* a tick is a millisecond */
#define PLAIN     "\033[0m"
#define RED       "\033[31m"
#define ONE       "\033[33m" /* the colour of capsule 1 */
#define TWO       "\033[36m"

/* --- the hypervisor, played --- */

static struct diosix_capsule_info guests[] = {
    {.id = 0, .is_service = 1, .name = "console", .properties = DIOSIX_PROPERTY_SERVICE_CONSOLE},
    {.id = 1, .name = "linux1", .ram = 128UL << 20, .vcpus = 1, .weight = 100},
    {.id = 2, .name = "linux2", .description = "second"},
    {.id = 3, .name = "linux3"},
};

#define GUESTS (sizeof(guests) / sizeof(guests[0]))

static uint64_t now;
static char screen[65536];
static size_t screen_count;
static char printed[GUESTS][32768], logged[8192], keys[8192];
static size_t printed_count[GUESTS], logged_count, keys_count;
static bool logged_shown;
static char received[GUESTS][8192];
static size_t received_count[GUESTS], room[GUESTS];
static unsigned controlled, control_count;
static enum diosix_control control;
static long control_answer;

static long take(char *from, size_t *count, void *buffer, size_t size)
{
    if (size > *count)
        size = *count;
    memcpy(buffer, from, size);
    memmove(from, from + size, *count - size);
    *count -= size;
    return (long)size;
}

long diosix_output_read(void *buffer, size_t size, unsigned *capsule)
{
    for (*capsule = 0; *capsule < GUESTS; ++*capsule)
        if (printed_count[*capsule])
            return take(printed[*capsule], &printed_count[*capsule], buffer, size);
    return 0;
}

long diosix_log_read(void *buffer, size_t size, bool *shown)
{
    *shown = logged_shown;
    return take(logged, &logged_count, buffer, size);
}

long diosix_console_read(void *buffer, size_t size)
{
    return take(keys, &keys_count, buffer, size);
}

static bool port_full; /* after each write, until somebody waits */

long diosix_console_write(const void *bytes, size_t size)
{
    if (port_full)
        return 0;
    port_full = true;
    if (size > 100) /* it may take less than it is given */
        size = 100;
    assert_true(size < sizeof(screen) - screen_count);
    memcpy(screen + screen_count, bytes, size);
    screen_count += size;
    return (long)size;
}

long diosix_input_write(const void *bytes, size_t size, unsigned capsule)
{
    if (size > room[capsule])
        size = room[capsule];
    memcpy(received[capsule] + received_count[capsule], bytes, size);
    received_count[capsule] += size;
    room[capsule] -= size;
    return (long)size;
}

long diosix_capsule_info(unsigned capsule, struct diosix_capsule_info *info)
{
    if (capsule >= GUESTS)
        return DIOSIX_ERR_INVALID_PARAM;
    *info = guests[capsule];
    info->frequency = FREQUENCY;
    return DIOSIX_OK;
}

long diosix_capsule_control(unsigned capsule, enum diosix_control action)
{
    controlled = capsule;
    control = action;
    control_count++;
    return control_answer;
}

#define VCPUS 64

static struct diosix_vcpu_stats vcpu_stats[GUESTS][VCPUS];
static struct diosix_hart_stats hart_stats[8];
static unsigned hart_count;
static long stats_answer, trace_answer;

long diosix_vcpu_stats(unsigned long capsule, unsigned vcpu, struct diosix_vcpu_stats *stats)
{
    assert_true(capsule < GUESTS && vcpu < guests[capsule].vcpus && vcpu < VCPUS);
    *stats = vcpu_stats[capsule][vcpu];
    if (!stats_answer && !stats->now)
        return DIOSIX_ERR_INVALID_STATE; /* it has ended */
    return stats_answer;
}

long diosix_hart_stats(unsigned hart, struct diosix_hart_stats *stats)
{
    if (hart >= hart_count)
        return DIOSIX_ERR_INVALID_PARAM;
    *stats = hart_stats[hart];
    return stats_answer;
}

#define TRACED 100

static struct diosix_trace_entry traced[2][TRACED];
static uint64_t traced_count[2];

/* Of each hart, the first five are gone. */
long diosix_trace_read(unsigned hart, struct diosix_trace_entry *entries, size_t count,
                       uint64_t *first)
{
    if (trace_answer || hart >= 2)
        return trace_answer ? trace_answer : DIOSIX_ERR_INVALID_PARAM;
    if (*first < 5)
        *first = 5;
    if (*first >= traced_count[hart])
        return 0;
    if (count > traced_count[hart] - *first)
        count = traced_count[hart] - *first;
    memcpy(entries, &traced[hart][*first], count * sizeof(*entries));
    return (long)count;
}

uint64_t diosix_time(void)
{
    return now;
}

long diosix_wait(uint64_t events, uint64_t deadline)
{
    assert_int_equal(events, 0);
    assert_true(deadline > now && deadline < UINT64_MAX);
    port_full = false;
    return 0;
}

void diosix_crash(const char *reason)
{
    fail_msg("%s", reason);
    for (;;)
        ;
}

/* --- the user and the guests --- */

static uint64_t events; /* that the last turn wants to wait for */

static uint64_t turn(void)
{
    uint64_t deadline;

    console_turn(&events, &deadline);
    return deadline;
}

static void guest_prints(unsigned capsule, const char *text)
{
    memcpy(printed[capsule] + printed_count[capsule], text, strlen(text));
    printed_count[capsule] += strlen(text);
    turn();
}

static void log_grows(const char *text, bool shown)
{
    strcpy(logged, text);
    logged_count = strlen(text);
    logged_shown = shown;
    turn();
}

static void user_types(const char *text)
{
    memcpy(keys + keys_count, text, strlen(text));
    keys_count += strlen(text);
    turn();
}

static void clear_screen(void)
{
    memset(screen, 0, sizeof(screen));
    screen_count = 0;
}

static void assert_screen(const char *text)
{
    assert_string_equal(screen, text);
}

static void assert_on_screen(const char *text)
{
    if (!strstr(screen, text))
        fail_msg("not on the screen: %s\n--- the screen:\n%s", text, screen);
}

static void assert_not_on_screen(const char *text)
{
    if (strstr(screen, text))
        fail_msg("on the screen: %s\n--- the screen:\n%s", text, screen);
}

/* Back to the first guest at the start of a line, nothing waiting, time gone by. */
static int setup(void **state)
{
    (void)state;
    control_answer = DIOSIX_OK;
    control_count = 0;
    for (unsigned i = 0; i < GUESTS; i++) {
        room[i] = sizeof(received[i]);
        received_count[i] = 0;
        memset(received[i], 0, sizeof(received[i]));
        guests[i].state = DIOSIX_CAPSULE_RUNNING;
    }
    if (!capsule_count)
        console_start();
    now += 10000;
    turn();
    for (unsigned i = 1; i < GUESTS; i++) /* ends what a test before left */
        guest_prints(i, "\033[?1049l" PLAIN "\n");
    user_types(prompt_is_open() ? "\003" : "");
    user_types("\035attach linux1\r");
    guest_prints(1, "\r\n");
    now += 10000;
    turn();
    clear_screen();
    return 0;
}

/* --- output --- */

static void test_attached_output_passes_through(void **state)
{
    (void)state;
    guest_prints(1, "login: ");
    assert_screen("login: ");
    guest_prints(1, "\033[2J\033[1;34mx\b \a\r");
    assert_screen("login: \033[2J\033[1;34mx\b \a\r");
}

static void test_output_is_gathered_for_an_instant(void **state)
{
    (void)state;
    assert_true(turn() == DIOSIX_FOREVER);
    assert_int_equal(events, DIOSIX_EVENT_OUTPUT | DIOSIX_EVENT_LOG | DIOSIX_EVENT_CONSOLE);
    memcpy(printed[1], "x", printed_count[1] = 1);
    assert_int_equal(turn(), now + 2);
    assert_int_equal(events, DIOSIX_EVENT_LOG | DIOSIX_EVENT_CONSOLE);
    assert_screen("x");
    assert_true(turn() == DIOSIX_FOREVER);
    assert_true(events & DIOSIX_EVENT_OUTPUT);
}

static void test_background_lines_are_whole_and_named(void **state)
{
    (void)state;
    guest_prints(2, "one li");
    assert_screen("");
    guest_prints(3, "other\r\n");
    guest_prints(2, "ne\r\nnext");
    assert_screen(PLAIN "\033[35mlinux3| other" PLAIN "\r\n" ONE PLAIN TWO "linux2| one line" PLAIN
                        "\r\n" ONE);
    clear_screen();
    guest_prints(2, "\n");
    assert_screen(PLAIN TWO "linux2| next" PLAIN "\r\n" ONE);
}

static void test_background_lines_are_plain_text(void **state)
{
    (void)state;
    guest_prints(2, "10%\r20%\ra\033[31mb\033[2Jc\033]0;title\007d\033(Be\bE\a\tf\177\r\n");
    assert_screen(PLAIN TWO "linux2| abcdE\tf" PLAIN "\r\n" ONE);
}

/* A terminal takes C2 9B, CSI in UTF-8, for a command; other letters beyond ASCII are text. */
static void test_background_lines_have_no_c1_controls(void **state)
{
    (void)state;
    guest_prints(2, "\303\251\342\200\231\302\247 \302\2332J\r\n");
    assert_screen(PLAIN TWO "linux2| \303\251\342\200\231\302\247 2J" PLAIN "\r\n" ONE);
}

static void test_long_background_line_is_cut_not_lost(void **state)
{
    char text[LINE_SIZE + 11];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    text[LINE_SIZE] = 'y';
    guest_prints(2, text);
    guest_prints(2, "\r\n");
    assert_on_screen("xx" PLAIN "\r\n");
    assert_on_screen("linux2| yxxxxxxxxx" PLAIN "\r\n");
}

static void test_background_waits_for_the_line_to_end(void **state)
{
    (void)state;
    guest_prints(1, "building");
    guest_prints(2, "hello\n");
    assert_screen("building");
    guest_prints(1, " done\r\n");
    assert_screen("building done\r\n" PLAIN TWO "linux2| hello" PLAIN "\r\n" ONE);
}

static void test_background_breaks_a_quiet_line_and_redraws_it(void **state)
{
    (void)state;
    guest_prints(1, "# ls");
    guest_prints(2, "hello\n");
    assert_int_equal(turn(), now + 250);
    now += 249;
    turn();
    assert_screen("# ls");
    now += 1;
    assert_true(turn() == DIOSIX_FOREVER);
    assert_screen("# ls" PLAIN "\r\033[K" TWO "linux2| hello" PLAIN "\r\n" ONE "# ls");
}

/* BusyBox asks where the cursor is at each prompt; a second answer would be typed at it. */
static void test_queries_are_not_repeated(void **state)
{
    (void)state;
    guest_prints(1, "\033[1m# \033[6n\033[cx");
    user_types("\035");
    clear_screen();
    user_types("\003");
    assert_screen("\r\033[K\033[1m-- linux1 --" PLAIN "\r\n" ONE "\033[1m# x");
}

static void test_never_quiet_line_is_broken_after_a_second(void **state)
{
    (void)state;
    guest_prints(1, "|");
    guest_prints(2, "hello\n");
    for (unsigned i = 0; i < 9; i++) {
        now += 100;
        guest_prints(1, "\b/");
    }
    assert_not_on_screen("hello");
    now += 100;
    guest_prints(1, "\b-");
    assert_on_screen("linux2| hello");
}

static void test_editor_keeps_its_screen(void **state)
{
    (void)state;
    guest_prints(1, "\033[?1049h\033[H~\r\n");
    guest_prints(2, "hello\n");
    now += 5000;
    assert_true(turn() == DIOSIX_FOREVER);
    assert_not_on_screen("hello");
    guest_prints(1, "\033[?1049l\r\n");
    assert_on_screen("linux2| hello");
}

static void test_editor_gives_way_to_the_log(void **state)
{
    (void)state;
    guest_prints(1, "\033[?1049h\033[H~\r\n");
    log_grows("[    1.000000] bad\n", false);
    now += 1000;
    turn();
    assert_on_screen("bad");
}

static void test_many_background_lines_are_not_lost(void **state)
{
    char line[40];

    (void)state;
    guest_prints(1, "\033[?1049h");
    for (unsigned i = 0; i < 600; i++) {
        snprintf(line, sizeof(line), "number %u.\n", i);
        guest_prints(2, line);
    }
    guest_prints(1, "\033[?1049l\n");
    for (unsigned i = 0; i < 600; i++) {
        snprintf(line, sizeof(line), "linux2| number %u." PLAIN, i);
        assert_on_screen(line);
    }
}

static void test_own_colour_comes_back(void **state)
{
    (void)state;
    guest_prints(1, "\033[1;31mred\033[0mplain\033[mmore");
    assert_screen("\033[1;31mred\033[0m" ONE "plain\033[m" ONE "more");
}

static void test_log_is_red(void **state)
{
    (void)state;
    log_grows("[    1.000000] capsule li", false);
    assert_screen("");
    log_grows("nux1: started\n", false);
    assert_screen(PLAIN RED "[    1.000000] capsule linux1: started" PLAIN "\r\n" ONE);
}

static void test_log_is_not_shown_twice(void **state)
{
    (void)state;
    log_grows("[    1.000000] early\n", true);
    assert_screen("");
    user_types("\035log\r");
    assert_on_screen("[    1.000000] early\r\n");
}

static void test_log_keeps_the_newest(void **state)
{
    char line[80];

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(line, sizeof(line), "[    2.000000] event %u.\n", i);
        log_grows(line, true);
    }
    user_types("\035log\r");
    assert_not_on_screen("event 100.");
    assert_on_screen(RED "[    2"); /* the cut line is left out */
    assert_on_screen("event 999.\r\n" PLAIN);
}

/* --- input --- */

static void test_keys_reach_the_attached_guest(void **state)
{
    (void)state;
    user_types("root\r\003\001\033[A");
    assert_string_equal(received[1], "root\r\003\001\033[A");
    assert_int_equal(received_count[2], 0);
}

static void test_long_paste_is_whole(void **state)
{
    char text[6000], got[6001] = "";
    uint64_t deadline;
    unsigned patient = 0; /* turns in which the keys were left at the serial port */

    (void)state;
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)('a' + i % 26);
    memcpy(keys, text, sizeof(text));
    keys_count = sizeof(text);
    room[1] = 0;
    for (unsigned i = 0; i < 1000 && received_count[1] < sizeof(text); i++) {
        deadline = turn();
        if (!(events & DIOSIX_EVENT_CONSOLE))
            patient++;
        assert_true(deadline <= now + 20 || (events & DIOSIX_EVENT_CONSOLE));
        now += 20;
        room[1] += 50;
    }
    memcpy(got, received[1], sizeof(text));
    assert_memory_equal(got, text, sizeof(text));
    assert_true(patient > 50);
    assert_not_on_screen("\a");
}

/* More was typed than the guest takes, and behind it stands the key that leads out. */
static void user_wants_out_of_a_full_guest(void)
{
    room[1] = 0;
    memset(keys, 'x', 1500);
    keys_count = 1500;
    turn();
    user_types("\035");
}

static void test_stuck_guest_does_not_lock_the_user_out(void **state)
{
    (void)state;
    user_wants_out_of_a_full_guest();
    for (unsigned i = 0; i < 20; i++)
        turn();
    assert_false(prompt_is_open()); /* for a second it may still take it */
    now += 1000;
    for (unsigned i = 0; i < 20; i++)
        turn();
    assert_on_screen("\a");
    assert_true(prompt_is_open());
    room[1] = sizeof(received[1]);
    turn();
    assert_int_equal(received_count[1], 1024); /* what had fitted */
}

/* Nor does one that takes a byte now and then. */
static void test_slow_guest_does_not_lock_the_user_out(void **state)
{
    (void)state;
    user_wants_out_of_a_full_guest();
    for (unsigned i = 0; i < 40; i++) {
        now += 100;
        room[1]++;
        turn();
    }
    assert_on_screen("\a");
    assert_true(prompt_is_open());
    room[1] = sizeof(received[1]);
    turn();
}

static void test_waiting_input_goes_to_whom_it_was_typed_for(void **state)
{
    (void)state;
    room[1] = 0;
    user_types("abc");
    user_types("\035attach 2\rdef");
    assert_string_equal(received[2], "def");
    room[1] = 100;
    turn();
    assert_string_equal(received[1], "abc");
}

/* --- the command line --- */

static void test_escape_opens_and_empty_line_closes(void **state)
{
    (void)state;
    guest_prints(1, "# vi");
    user_types("\035");
    assert_on_screen("# vi" PLAIN "\r\n\033[1mdiosix> " PLAIN);
    clear_screen();
    user_types("\r");
    assert_screen("\r\n\r\033[K\033[1m-- linux1 --" PLAIN "\r\n" ONE "# vi");
    user_types("x");
    assert_string_equal(received[1], "x");
}

static void test_line_can_be_corrected(void **state)
{
    (void)state;
    user_types("\035quix\177t\025lust\b\b\b\033[Dist\r");
    assert_on_screen("No name");
    assert_true(prompt_is_open());
    user_types("stop linux2\003");
    assert_false(prompt_is_open());
    assert_int_equal(control_count, 0);
    assert_int_equal(received_count[1], 0);
}

static void test_line_has_an_end(void **state)
{
    char text[200];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    user_types("\035");
    user_types(text);
    assert_on_screen("x\a\a");
    user_types("\r");
    assert_on_screen("is no command");
}

static void test_output_is_held_back_at_the_prompt(void **state)
{
    (void)state;
    user_types("\035li");
    guest_prints(1, "working\r\n# ");
    assert_not_on_screen("working");
    user_types("st\r");
    assert_not_on_screen("working");
    clear_screen();
    user_types("\003");
    assert_screen("\r\033[K\033[1m-- linux1 --" PLAIN "\r\n" ONE "working\r\n# ");
}

static void test_much_output_is_shown_above_the_prompt(void **state)
{
    char text[101];

    (void)state;
    memset(text, 'x', 100);
    text[98] = '\r', text[99] = '\n', text[100] = '\0';
    user_types("\035li");
    for (unsigned i = 0; i < 100; i++)
        guest_prints(1, text);
    user_types("\003");
    size_t lines = 0;

    for (char *at = screen; (at = strchr(at, 'x')); at += strspn(at, "x"))
        lines += strspn(at, "x") == 98;
    assert_int_equal(lines, 100);
    assert_on_screen("diosix> " PLAIN "li");
}

static void test_background_is_shown_above_the_prompt(void **state)
{
    (void)state;
    user_types("\035li");
    clear_screen();
    guest_prints(2, "hello\n");
    assert_screen("\r\033[K" TWO "linux2| hello" PLAIN "\r\n\033[1mdiosix> " PLAIN "li");
}

static void test_attach_by_number_and_name(void **state)
{
    (void)state;
    guest_prints(2, "linux2 login: ");
    user_types("\035attach linux2\r");
    assert_on_screen("-- linux2 --" PLAIN "\r\n" TWO "linux2 login: ");
    user_types("a\035attach 3\rb\035attach linux9\r\r");
    assert_string_equal(received[2], "a");
    assert_string_equal(received[3], "b");
    assert_on_screen("there is no capsule linux9");
    assert_int_equal(screen_attached(), 3);
}

static void test_next_goes_round(void **state)
{
    static const int order[] = {2, 3, 1, 2};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        user_types("\035\035");
        assert_int_equal(screen_attached(), order[i]);
        assert_false(prompt_is_open());
    }
    user_types("\035next\r");
    assert_int_equal(screen_attached(), 3);
}

static void test_switching_keeps_held_output(void **state)
{
    (void)state;
    user_types("\035");
    guest_prints(1, "last words");
    user_types("\035");
    assert_on_screen("last words");
    assert_int_equal(screen_attached(), 2);
}

static void test_unfinished_line_comes_whole_after_a_switch(void **state)
{
    (void)state;
    guest_prints(1, "half ");
    user_types("\035\035");
    clear_screen();
    guest_prints(1, "whole\n");
    assert_on_screen("linux1| half whole" PLAIN);
}

static void test_list(void **state)
{
    (void)state;
    guests[1].run_time = 12345;
    guests[1].restarts = 7;
    guests[2].state = DIOSIX_CAPSULE_PAUSED;
    user_types("\035list\r");
    assert_on_screen("* 1 linux1       running    128M     1    100      12.3s        7  \r\n");
    assert_on_screen("  2 linux2       paused");
    assert_on_screen("  second\r\n");
    assert_on_screen("  0 console");
}

static void test_control(void **state)
{
    static const char *const words[] = {"stop", "start", "restart", "pause", "resume"};
    char line[40];

    (void)state;
    user_types("\035");
    for (unsigned i = 0; i < 5; i++) {
        snprintf(line, sizeof(line), " %s  linux%u \r", words[i], 1 + i % 3);
        user_types(line);
        assert_int_equal(control, i);
        assert_int_equal(controlled, 1 + i % 3);
    }
    assert_int_equal(control_count, 5);
    assert_true(prompt_is_open());
}

/* With this answer of the hypervisor's to the call behind it, what is typed brings this. */
static void assert_answered(long *answer, long error, const char *typed, const char *shown)
{
    *answer = error;
    user_types(typed);
    assert_on_screen(shown);
}

static void test_control_that_fails_says_so(void **state)
{
    (void)state;
    assert_answered(&control_answer, DIOSIX_ERR_INVALID_STATE, "\035resume 2\r",
                    "linux2 is running: cannot resume it");
    assert_answered(&control_answer, DIOSIX_ERR_FAILED, "start 2\r",
                    "linux2: start failed; the log says why");
    assert_answered(&control_answer, DIOSIX_ERR_DENIED, "start 2\r", "lacks the property");
}

static void test_console_does_not_stop_itself(void **state)
{
    (void)state;
    user_types("\035stop console\rpause 0\rrestart 0\rattach 0\r");
    assert_int_equal(control_count, 0);
    assert_on_screen("console is this console: it cannot stop itself");
    assert_on_screen("it cannot pause itself");
    assert_int_equal(screen_attached(), 1);
}

static void test_wrong_commands_are_explained(void **state)
{
    (void)state;
    user_types("\035stop\rlist all\rattach 1 2\rfly\rattach 99999999999\rattach -1\r");
    assert_on_screen("usage: stop N|name\r\n");
    assert_on_screen("usage: list\r\n");
    assert_on_screen("usage: attach N|name\r\n");
    assert_on_screen("fly is no command");
    assert_on_screen("there is no capsule 99999999999 ");
    assert_on_screen("there is no capsule -1 ");
    user_types("help\r");
    assert_on_screen("  attach   N|name   talk to this one\r\n");
}

static void test_escape_key_can_be_sent(void **state)
{
    (void)state;
    user_types("\035escape\r");
    assert_string_equal(received[1], "\035");
}

/* --- statistics --- */

static void set_vcpu(unsigned capsule, unsigned vcpu, unsigned long run, unsigned long steal,
                     unsigned long idle, unsigned long wfi, unsigned long uart)
{
    struct diosix_vcpu_stats *stats = &vcpu_stats[capsule][vcpu];

    *stats = (struct diosix_vcpu_stats){.now = now, .state = DIOSIX_VCPU_IDLE, .hart = 3};
    stats->times[DIOSIX_VCPU_RUNNING] = run;
    stats->times[DIOSIX_VCPU_READY] = steal;
    stats->times[DIOSIX_VCPU_IDLE] = idle;
    stats->exits[DIOSIX_EXIT_WFI] = wfi;
    stats->exits[DIOSIX_EXIT_UART] = uart;
}

/* The first time of its whole life; then since the last time. */
static void test_stats(void **state)
{
    (void)state;
    set_vcpu(1, 0, 1000, 500, 8500, 90, 10);
    vcpu_stats[1][0].switches = 44;
    vcpu_stats[1][0].exits[DIOSIX_EXIT_ROOM - 1] = 1; /* of a hypervisor that is newer than we */
    user_types("\035stats linux1\r");
    assert_on_screen("linux1: 1 vCPU\r\n");
    assert_on_screen("vCPU 0: idle, hart 3; the last 10.0 s: 10.1 exits/s\r\n");
    assert_on_screen("  run 10.0%, steal 5.0%, idle 85.0%, capped 0.0%, off 0.0%\r\n");
    assert_on_screen("in all 101 exits, 44 switches, 0 migrations");
    assert_on_screen("uart                10       1.0/s    wfi                 90       9.0/s");
    assert_on_screen("newer                1       0.1/s\r\n");
    assert_not_on_screen("timer");
    clear_screen();
    set_vcpu(1, 0, 2500, 500, 9000, 90, 30);
    user_types("stats 1\r");
    assert_on_screen("vCPU 0: idle, hart 3; the last 2.0 s: 9.5 exits/s\r\n");
    assert_on_screen("  run 75.0%, steal 0.0%, idle 25.0%, capped 0.0%, off 0.0%\r\n");
    assert_on_screen("uart                30      10.0/s    wfi                 90       0.0/s");
    assert_true(prompt_is_open());
}

static void test_stats_of_one_that_was_started_anew(void **state)
{
    (void)state;
    guests[2].vcpus = 2;
    set_vcpu(2, 0, 20000, 0, 0, 500, 0);
    set_vcpu(2, 1, 20000, 0, 0, 500, 0);
    user_types("\035stats linux2\r");
    clear_screen();
    set_vcpu(2, 0, 1000, 0, 0, 70, 0);
    set_vcpu(2, 1, 24000, 0, 0, 504, 0);
    user_types("stats linux2\r");
    assert_on_screen("vCPU 0: idle, hart 3; the last 1.0 s: 70.0 exits/s\r\n");
    assert_on_screen("vCPU 1: idle, hart 3; the last 4.0 s: 1.0 exits/s\r\n");
    guests[2].vcpus = 0;
}

/* Two of the largest are remembered from one look to the next. */
static void test_stats_of_many_vcpus(void **state)
{
    (void)state;
    for (unsigned capsule = 1; capsule <= 2; capsule++) {
        guests[capsule].vcpus = VCPUS;
        for (unsigned vcpu = 0; vcpu < VCPUS; vcpu++)
            set_vcpu(capsule, vcpu, 20000, 0, 0, 500, 0);
    }
    user_types("\035stats 1\rstats 2\r");
    for (unsigned capsule = 1; capsule <= 2; capsule++) {
        for (unsigned vcpu = 0; vcpu < VCPUS; vcpu++)
            set_vcpu(capsule, vcpu, 24000, 0, 0, 504, 0);
        clear_screen();
        user_types(capsule == 1 ? "stats 1\r" : "stats 2\r");
        assert_on_screen("vCPU 0: idle, hart 3; the last 4.0 s: 1.0 exits/s\r\n");
        assert_on_screen("vCPU 63: idle, hart 3; the last 4.0 s: 1.0 exits/s\r\n");
    }
    guests[1].vcpus = 1;
    guests[2].vcpus = 0;
}

static void test_stats_of_the_attached_guest(void **state)
{
    (void)state;
    set_vcpu(1, 0, 10, 10, 10, 1, 1);
    user_types("\035stats\r");
    assert_on_screen("linux1: 1 vCPU\r\n");
}

static void test_stats_that_are_refused(void **state)
{
    (void)state;
    vcpu_stats[1][0].now = 0;
    user_types("\035stats linux1\r");
    assert_on_screen("it has ended, and its counters with it\r\n");
    stats_answer = DIOSIX_ERR_DENIED;
    clear_screen();
    user_types("stats linux1\r");
    assert_on_screen("this console lacks the property stats_read\r\n");
    stats_answer = DIOSIX_ERR_NOT_SUPPORTED;
    user_types("stats linux1\r");
    assert_on_screen("this hypervisor has no such statistics\r\n");
    user_types("stats 9\rstats 1 2\r");
    assert_on_screen("there is no capsule 9");
    assert_on_screen("usage: stats [N|name]\r\n");
    stats_answer = DIOSIX_OK;
}

static void set_hart(unsigned hart, unsigned long busy)
{
    hart_stats[hart] =
        (struct diosix_hart_stats){.now = now, .online = 1, .runs_guests = 1, .busy_time = busy};
    if (hart >= hart_count)
        hart_count = hart + 1;
}

static void begin_top(void)
{
    hart_count = 0;
    guests[2].vcpus = 2;
    set_vcpu(1, 0, 1000, 1000, 1000, 100, 100);
    set_vcpu(2, 0, 1000, 1000, 1000, 100, 100);
    set_vcpu(2, 1, 1000, 1000, 1000, 100, 100);
    set_hart(0, 0);
    set_hart(1, 5000);
    set_hart(2, 0);
    hart_stats[0].runs_guests = 0;
    hart_stats[2].online = 0;
    user_types("\035top\r");
}

static void end_top(void)
{
    user_types("q");
    assert_false(top_is_on());
    assert_true(prompt_is_open());
    guests[2].vcpus = 0;
}

static void test_top(void **state)
{
    (void)state;
    begin_top();
    clear_screen();
    assert_in_range(turn(), now, now + 1000); /* it wants to look again by then */
    now += 1000;
    set_vcpu(1, 0, 1250, 1000, 1750, 110, 140);
    set_vcpu(2, 0, 2000, 1000, 1000, 100, 100);
    set_vcpu(2, 1, 1500, 1300, 1200, 100, 105);
    set_hart(0, 0);
    set_hart(1, 5750);
    hart_stats[0].runs_guests = 0;
    turn();
    assert_on_screen("harts  0: no guests  1: 75.0%     2: absent  \r\n");
    assert_on_screen(" 1 linux1          25.0%     0.0%    75.0%      50.0  uart, wfi\r\n");
    assert_on_screen(" 2 linux2         150.0%    30.0%    20.0%       5.0  uart\r\n");
    assert_not_on_screen("linux3");
    assert_not_on_screen("diosix>");
    assert_true(top_is_on());
    end_top();
    assert_on_screen("diosix> ");
}

/* All harts have been idle since, and the clock of who told before was a tick ahead of theirs. */
static void test_top_where_clocks_differ(void **state)
{
    (void)state;
    begin_top();
    for (unsigned hart = 0; hart < 6; hart++)
        set_hart(hart, 100);
    now += 1000;
    turn();
    clear_screen();
    now += 2000;
    for (unsigned hart = 0; hart < 6; hart++)
        set_hart(hart, 99);
    turn();
    assert_on_screen("harts  0: 0.0%      1: 0.0%      2: 0.0%      3: 0.0%      4: 0.0%      5: "
                     "0.0%    \r\n");
    end_top();
}

/* Over what it drew before, unless a line of somebody else's stands below. */
static void test_top_draws_in_its_place(void **state)
{
    (void)state;
    begin_top();
    now += 1000;
    set_vcpu(1, 0, 2000, 1000, 1000, 110, 140);
    turn();
    clear_screen();
    now += 2000;
    set_vcpu(1, 0, 3000, 1000, 2000, 110, 140);
    turn();
    assert_on_screen("\033[3A\r\033[J"); /* harts, the heading, linux1 */
    clear_screen();
    guest_prints(3, "a line\n");
    assert_on_screen("linux3| a line" PLAIN "\r\n");
    assert_not_on_screen("diosix>");
    now += 2000;
    set_vcpu(1, 0, 4000, 1000, 3000, 110, 140);
    turn();
    assert_on_screen("harts");
    assert_not_on_screen("A\r\033[J");
    user_types("\033[A"); /* an arrow is no key */
    assert_true(top_is_on());
    end_top();
}

static void test_top_that_is_refused(void **state)
{
    (void)state;
    stats_answer = DIOSIX_ERR_DENIED;
    set_hart(0, 0);
    user_types("\035top\r");
    assert_on_screen("this console lacks the property stats_read\r\n");
    assert_false(top_is_on());
    stats_answer = DIOSIX_OK;
}

static void trace_one(unsigned hart, unsigned event, unsigned capsule, unsigned long value)
{
    static unsigned long time = 1000;

    traced[hart][traced_count[hart]++] =
        (struct diosix_trace_entry){.time = time++,
                                    .event = event,
                                    .capsule = (unsigned short)capsule,
                                    .vcpu = 1,
                                    .pc = 0x80001234,
                                    .value = value};
}

static void begin_trace(void)
{
    traced_count[0] = traced_count[1] = 0;
    for (unsigned i = 0; i < 5; i++) {
        trace_one(0, DIOSIX_EXIT_FLASH, 1, 0); /* which are gone */
        trace_one(1, DIOSIX_EXIT_FLASH, 1, 0);
    }
}

static void test_trace(void **state)
{
    static const char *const wanted[] = {
        "linux1.1       uart              pc 0x80001234 value 0x10000005\r\n",
        "linux2.1       wfi ",
        "linux2.1       leaves it:        idle\r\n",
        "-              interrupts hart   1\r\n",
        "linux1.1       is woken; was on  1\r\n",
        "linux1.1       comes to the hart \r\n",
        "linux1.1       gets an exception pc 0x80001234 value 0x5\r\n",
    };

    (void)state;
    begin_trace();
    for (unsigned i = 0; i < 40; i++)
        trace_one(1, DIOSIX_EXIT_KICK, 3, 0); /* too long ago, but for some */
    trace_one(0, DIOSIX_EXIT_UART, 1, 0x10000005);
    trace_one(1, DIOSIX_EXIT_WFI, 2, 0);
    trace_one(0, DIOSIX_EXIT_SBI_DIOSIX, 0, 0); /* this console's */
    trace_one(1, DIOSIX_TRACE_LEAVE, 2, DIOSIX_VCPU_IDLE);
    trace_one(0, DIOSIX_TRACE_KICK, 65535, 1);
    trace_one(0, DIOSIX_TRACE_WAKE, 1, 1);
    trace_one(1, DIOSIX_TRACE_ENTER, 1, 0);
    trace_one(1, DIOSIX_TRACE_EXCEPTION, 1, 5);
    user_types("\035trace\r");
    const char *at = screen;

    for (unsigned i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        assert_on_screen(wanted[i]);
        assert_true(strstr(screen, wanted[i]) > at);
        at = strstr(screen, wanted[i]);
    }
    assert_not_on_screen("flash");
    assert_not_on_screen("sbi diosix");
    assert_on_screen("     1.050000    0  linux1.1       uart");
    unsigned lines = 0;

    for (at = screen; (at = strstr(at, "linux3.1       kick")); at++)
        lines++;
    assert_int_equal(lines, 24 - 7);
    clear_screen();
    user_types("trace linux2\r");
    assert_on_screen("linux2.1       wfi");
    assert_not_on_screen("linux1.1");
    clear_screen();
    user_types("trace console\r");
    assert_on_screen("console.1      sbi diosix");
}

static void test_trace_of_a_release_build(void **state)
{
    (void)state;
    assert_answered(&trace_answer, DIOSIX_ERR_NOT_SUPPORTED, "\035trace\r",
                    "release build: it keeps no trace\r\n");
    assert_answered(&trace_answer, DIOSIX_ERR_DENIED, "trace\r",
                    "lacks the property stats_read\r\n");
    begin_trace();
    assert_answered(&trace_answer, DIOSIX_OK, "trace\r", "nothing yet\r\n");
}

/* --- anything at all --- */

static void test_random_bytes_do_no_harm(void **state)
{
    static const char likely[] = "\033[?1049hl;m]\r\n\b\a\035\003 attachnext12\t";
    uint64_t seed = 42;

    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        unsigned capsule = 1 + unit_random(&seed) % 3;
        uint32_t random = unit_random(&seed);
        char byte = random & 1 ? likely[random / 2 % (sizeof(likely) - 1)] : (char)(random >> 8);

        printed[capsule][printed_count[capsule]++] = byte;
        if (random % 7 == 0)
            keys[keys_count++] = (char)(random >> 16 & 0x7f);
        if (random % 50 == 0)
            log_grows("a line\n", random & 64);
        if (random % 13 == 0) {
            now += random % 300;
            turn();
            clear_screen();
        }
        for (unsigned g = 0; g < GUESTS; g++)
            received_count[g] = 0, room[g] = random % 10;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_attached_output_passes_through, setup),
        cmocka_unit_test_setup(test_output_is_gathered_for_an_instant, setup),
        cmocka_unit_test_setup(test_background_lines_are_whole_and_named, setup),
        cmocka_unit_test_setup(test_background_lines_are_plain_text, setup),
        cmocka_unit_test_setup(test_background_lines_have_no_c1_controls, setup),
        cmocka_unit_test_setup(test_long_background_line_is_cut_not_lost, setup),
        cmocka_unit_test_setup(test_background_waits_for_the_line_to_end, setup),
        cmocka_unit_test_setup(test_background_breaks_a_quiet_line_and_redraws_it, setup),
        cmocka_unit_test_setup(test_queries_are_not_repeated, setup),
        cmocka_unit_test_setup(test_never_quiet_line_is_broken_after_a_second, setup),
        cmocka_unit_test_setup(test_editor_keeps_its_screen, setup),
        cmocka_unit_test_setup(test_editor_gives_way_to_the_log, setup),
        cmocka_unit_test_setup(test_many_background_lines_are_not_lost, setup),
        cmocka_unit_test_setup(test_own_colour_comes_back, setup),
        cmocka_unit_test_setup(test_log_is_red, setup),
        cmocka_unit_test_setup(test_log_is_not_shown_twice, setup),
        cmocka_unit_test_setup(test_log_keeps_the_newest, setup),
        cmocka_unit_test_setup(test_keys_reach_the_attached_guest, setup),
        cmocka_unit_test_setup(test_long_paste_is_whole, setup),
        cmocka_unit_test_setup(test_stuck_guest_does_not_lock_the_user_out, setup),
        cmocka_unit_test_setup(test_slow_guest_does_not_lock_the_user_out, setup),
        cmocka_unit_test_setup(test_waiting_input_goes_to_whom_it_was_typed_for, setup),
        cmocka_unit_test_setup(test_escape_opens_and_empty_line_closes, setup),
        cmocka_unit_test_setup(test_line_can_be_corrected, setup),
        cmocka_unit_test_setup(test_line_has_an_end, setup),
        cmocka_unit_test_setup(test_output_is_held_back_at_the_prompt, setup),
        cmocka_unit_test_setup(test_much_output_is_shown_above_the_prompt, setup),
        cmocka_unit_test_setup(test_background_is_shown_above_the_prompt, setup),
        cmocka_unit_test_setup(test_attach_by_number_and_name, setup),
        cmocka_unit_test_setup(test_next_goes_round, setup),
        cmocka_unit_test_setup(test_switching_keeps_held_output, setup),
        cmocka_unit_test_setup(test_unfinished_line_comes_whole_after_a_switch, setup),
        cmocka_unit_test_setup(test_list, setup),
        cmocka_unit_test_setup(test_control, setup),
        cmocka_unit_test_setup(test_control_that_fails_says_so, setup),
        cmocka_unit_test_setup(test_console_does_not_stop_itself, setup),
        cmocka_unit_test_setup(test_wrong_commands_are_explained, setup),
        cmocka_unit_test_setup(test_escape_key_can_be_sent, setup),
        cmocka_unit_test_setup(test_stats, setup),
        cmocka_unit_test_setup(test_stats_of_one_that_was_started_anew, setup),
        cmocka_unit_test_setup(test_stats_of_many_vcpus, setup),
        cmocka_unit_test_setup(test_stats_of_the_attached_guest, setup),
        cmocka_unit_test_setup(test_stats_that_are_refused, setup),
        cmocka_unit_test_setup(test_top, setup),
        cmocka_unit_test_setup(test_top_where_clocks_differ, setup),
        cmocka_unit_test_setup(test_top_draws_in_its_place, setup),
        cmocka_unit_test_setup(test_top_that_is_refused, setup),
        cmocka_unit_test_setup(test_trace, setup),
        cmocka_unit_test_setup(test_trace_of_a_release_build, setup),
        cmocka_unit_test_setup(test_random_bytes_do_no_harm, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
