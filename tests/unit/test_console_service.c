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

long diosix_console_write(const void *bytes, size_t size)
{
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

uint64_t diosix_time(void)
{
    return now;
}

void diosix_yield(void)
{
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

static void test_stuck_guest_does_not_lock_the_user_out(void **state)
{
    (void)state;
    room[1] = 0;
    memset(keys, 'x', 1500);
    keys_count = 1500;
    turn();
    user_types("\035");
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

static void test_control_that_fails_says_so(void **state)
{
    (void)state;
    control_answer = DIOSIX_ERR_INVALID_STATE;
    user_types("\035resume 2\r");
    assert_on_screen("linux2 is running: cannot resume it");
    control_answer = DIOSIX_ERR_FAILED;
    user_types("start 2\r");
    assert_on_screen("linux2: start failed; the log says why");
    control_answer = DIOSIX_ERR_DENIED;
    user_types("start 2\r");
    assert_on_screen("lacks the property");
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
    assert_on_screen("  attach   N|name  talk to this one\r\n");
}

static void test_escape_key_can_be_sent(void **state)
{
    (void)state;
    user_types("\035escape\r");
    assert_string_equal(received[1], "\035");
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
        cmocka_unit_test_setup(test_random_bytes_do_no_harm, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
