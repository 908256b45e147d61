/*
 * One screen for many writers.
 *
 * The attached capsule's output passes through as it is, at once, so that prompts and editors
 * work. Everybody else's is collected to whole lines, and a line is shown, prefixed with its
 * capsule's name, only where it doesn't tear the attached capsule's: when that is at the start of
 * a line. If the attached capsule stays quiet in the middle of one (at its prompt, say) its line is
 * erased, the waiting lines are shown, and it is drawn again: `drawn` holds its bytes for that.
 * An editor that has the whole screen (the alternate one) is left alone: lines wait until it ends,
 * but for the log's, which may be urgent, and when there is no more room for them.
 *
 * The hypervisor's log is red and each capsule has a colour. A capsule that sets the plain colours
 * gets its own again.
 */
#include "console.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define QUIET_MS     250
#define PATIENCE_MS  1000 /* for one that is never quiet */
#define WAITING_SIZE 16384
#define WAITING_LOW  1024 /* less room than that, and lines are shown wherever the cursor is */
#define HELD_SIZE    8192
#define HISTORY_SIZE 16384 /* a power of two */
#define DRAWN_SIZE   512

static int attached = NOBODY;
static struct terminal terminal; /* as the attached capsule's output leaves it */
static char drawn[DRAWN_SIZE];   /* what it has written since the last newline */
static size_t drawn_count;
static bool drawn_lost;      /* that was more than DRAWN_SIZE bytes */
static size_t drawn_command; /* where in it the last command begins */
static uint64_t last_output;

static struct line lines[CAPSULES], log_line;
static char waiting[WAITING_SIZE]; /* whole lines, ready to be shown */
static size_t waiting_count;
static uint64_t waiting_since;
static bool urgent;

static bool prompting;       /* the command line is open */
static bool disturbed;       /* something was shown above it */
static char held[HELD_SIZE]; /* the attached capsule's output meanwhile */
static size_t held_count;

static char history[HISTORY_SIZE];
static size_t history_end; /* counts on for ever */

/* --- to the serial port --- */

/* While the port is full it is left alone for so long: at 115,200 baud it sends some ten bytes. */
#define ROOM_MS 1

static char collected[512];
static size_t collected_count;

void screen_flush(void)
{
    size_t sent = 0;

    while (sent < collected_count) {
        long taken = diosix_console_write(collected + sent, collected_count - sent);

        if (taken < 0)
            diosix_crash("console: may not write to the serial port");
        if (!taken)
            diosix_wait(0, diosix_time() + ticks(ROOM_MS));
        sent += (size_t)taken;
    }
    collected_count = 0;
}

static void emit(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (collected_count == sizeof(collected))
            screen_flush();
        collected[collected_count++] = bytes[i];
    }
}

void screen_put(const char *text)
{
    emit(text, strlen(text));
}

void screen_print(const char *format, ...)
{
    char text[192];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    screen_put(text);
    screen_put("\r\n");
}

/* Red is the log's. */
static const char *colour(int capsule)
{
    static const char *const colours[] = {
        "\033[32m", "\033[33m", "\033[36m", "\033[35m", "\033[34m",
        "\033[92m", "\033[93m", "\033[96m", "\033[95m", "\033[94m",
    };

    return colours[(unsigned)capsule % (sizeof(colours) / sizeof(colours[0]))];
}

/* --- the attached capsule --- */

static bool at_line_start(void)
{
    return drawn_count == 0 && !drawn_lost;
}

/* A command that the terminal answers is not to be drawn again: nobody waits for two answers. */
static void note_drawn(char byte, bool command)
{
    if (byte == '\033')
        drawn_command = drawn_count;
    if (terminal.query)
        drawn_count = drawn_command;
    else if (!command && byte == '\n') {
        drawn_count = 0;
        drawn_lost = false;
    } else if (!command && byte == '\r' && at_line_start()) {
        return; /* still there */
    } else if (drawn_count < DRAWN_SIZE) {
        drawn[drawn_count++] = byte;
    } else {
        drawn_lost = true;
    }
}

/* A capsule that has set the plain colours gets its own. */
static void colour_again(void)
{
    for (const char *byte = colour(attached); *byte; byte++) {
        emit(byte, 1);
        note_drawn(*byte, true);
    }
}

static void pass_through(const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool command = terminal_follow(&terminal, bytes[i]);

        emit(&bytes[i], 1);
        note_drawn(bytes[i], command);
        if (terminal.plain)
            colour_again();
    }
}

/* The cursor goes to the start of an empty line. */
static void put_away(void)
{
    screen_put(SGR_PLAIN);
    if (terminal.alternate || drawn_lost)
        screen_put("\r\n");
    else if (!at_line_start())
        screen_put(ERASE_LINE);
}

/* ...and here back to where it was. */
static void bring_back(void)
{
    if (attached == NOBODY)
        return;
    screen_put(colour(attached));
    if (!drawn_lost)
        emit(drawn, drawn_count);
}

static void pass_held(void)
{
    pass_through(held, held_count);
    held_count = 0;
}

/* The command line has been open for so long that what is held back has to be shown above it. */
static void make_room_to_hold(void)
{
    disturbed = true;
    screen_put(ERASE_LINE);
    bring_back();
    pass_held();
    if (!at_line_start())
        screen_put("\r\n");
    prompt_draw();
}

static void hold(const char *bytes, size_t count)
{
    while (count) {
        size_t part = HELD_SIZE - held_count;

        if (part > count)
            part = count;
        memcpy(held + held_count, bytes, part);
        held_count += part;
        bytes += part;
        count -= part;
        if (held_count == HELD_SIZE)
            make_room_to_hold();
    }
}

/* --- lines --- */

static void show_waiting(void)
{
    if (!waiting_count)
        return;
    disturbed = true;
    if (prompting)
        screen_put(ERASE_LINE);
    else
        put_away();
    emit(waiting, waiting_count);
    waiting_count = 0;
    urgent = false;
    if (prompting)
        prompt_draw();
    else
        bring_back();
}

static void show_waiting_if_fit(void)
{
    bool fit = terminal.state == TERMINAL_TEXT && at_line_start() && !terminal.alternate;

    if (prompting || attached == NOBODY || fit)
        show_waiting();
}

static void append(const char *bytes, size_t count)
{
    if (!waiting_count)
        waiting_since = diosix_time();
    memcpy(waiting + waiting_count, bytes, count);
    waiting_count += count;
}

static void append_text(const char *text)
{
    append(text, strlen(text));
}

/* One line of a capsule's (`name` not empty) or the log, in its colour. */
static void queue_line(const char *sgr, const char *name, const struct line *line)
{
    _Static_assert(LINE_SIZE + DIOSIX_NAME_MAX + 32 < WAITING_LOW, "a line and its frame fit");
    if (WAITING_SIZE - waiting_count < WAITING_LOW)
        show_waiting();
    append_text(sgr);
    append_text(name);
    append_text(*name ? "| " : "");
    append(line->text, line->length);
    append_text(SGR_PLAIN "\r\n");
}

void screen_output(unsigned capsule, const char *bytes, size_t count)
{
    struct line *line = &lines[capsule];
    bool foreground = (int)capsule == attached;

    /* The attached one's line is followed, too, for the day that it is no longer attached. */
    for (size_t i = 0; i < count; i++) {
        if (!line_add(line, bytes[i]))
            continue;
        if (!foreground)
            queue_line(colour((int)capsule), capsules[capsule].name, line);
        line_clear(line);
    }
    if (foreground && prompting) {
        hold(bytes, count);
    } else if (foreground) {
        pass_through(bytes, count);
        last_output = diosix_time();
    }
    show_waiting_if_fit();
}

static void keep_in_history(const struct line *line)
{
    for (size_t i = 0; i < line->length; i++)
        history[history_end++ % HISTORY_SIZE] = line->text[i];
    history[history_end++ % HISTORY_SIZE] = '\n';
}

void screen_log(const char *bytes, size_t count, bool shown)
{
    for (size_t i = 0; i < count; i++) {
        if (!line_add(&log_line, bytes[i]))
            continue;
        keep_in_history(&log_line);
        if (!shown) {
            queue_line(SGR_RED, "", &log_line);
            urgent = true;
        }
        line_clear(&log_line);
    }
    show_waiting_if_fit();
}

void screen_print_log(void)
{
    size_t i = history_end > HISTORY_SIZE ? history_end - HISTORY_SIZE : 0;

    screen_put(SGR_RED);
    if (i) /* the first line may have lost its beginning */
        while (i < history_end && history[i++ % HISTORY_SIZE] != '\n')
            ;
    for (; i < history_end; i++) {
        char byte = history[i % HISTORY_SIZE];

        if (byte == '\n')
            screen_put("\r\n");
        else
            emit(&byte, 1);
    }
    screen_put(SGR_PLAIN);
}

bool screen_was_disturbed(void)
{
    bool was = disturbed;

    disturbed = false;
    return was;
}

uint64_t screen_deadline(void)
{
    if (!waiting_count || (terminal.alternate && !urgent))
        return DIOSIX_FOREVER;
    uint64_t quiet = last_output + ticks(QUIET_MS), late = waiting_since + ticks(PATIENCE_MS);

    return quiet < late ? quiet : late;
}

void screen_tick(void)
{
    if (diosix_time() >= screen_deadline())
        show_waiting();
}

/* --- whom the user talks to --- */

int screen_attached(void)
{
    return attached;
}

/* The line of the newly attached capsule as it stands. */
static void adopt_line(const struct line *line)
{
    drawn_count = line->returned ? 0 : line->length;
    drawn_lost = false;
    memcpy(drawn, line->text, drawn_count);
    terminal = line->terminal;
    terminal.alternate = false; /* what it had on it is lost */
}

void screen_attach(int capsule)
{
    if (capsule == attached)
        return;
    if (held_count) { /* the last words of the one that was attached */
        bring_back();
        pass_held();
        screen_put(at_line_start() ? SGR_PLAIN : SGR_PLAIN "\r\n");
    }
    if (terminal.alternate)
        screen_put("\033[?1049l");
    attached = capsule;
    if (capsule != NOBODY)
        adopt_line(&lines[capsule]);
}

void screen_open_prompt(void)
{
    screen_put(SGR_PLAIN);
    if (!at_line_start() || terminal.alternate)
        screen_put("\r\n");
    prompting = true;
    prompt_draw();
}

void screen_close_prompt(void)
{
    prompting = false;
    screen_put(ERASE_LINE);
    if (attached != NOBODY)
        screen_print(SGR_BOLD "-- %s --" SGR_PLAIN, capsules[attached].name);
    bring_back();
    pass_held();
    last_output = diosix_time();
    show_waiting_if_fit();
}
