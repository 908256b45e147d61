/*
 * The console service: what the user sees and types. Its parts:
 *
 *   capsules.c  who there is
 *   filter.c    makes of a guest's raw output plain text lines, and follows its terminal commands
 *   screen.c    puts the guests' output and the log on one screen
 *   prompt.c    the command line that the escape key opens
 *   command.c   its commands
 *   stats.c, top.c, trace.c  what capsules and harts are busy with
 *   input.c     brings to guests what is typed
 *   console.c   takes turns
 *   main.c      waits between two turns
 */
#ifndef CONSOLE_CONSOLE_H
#define CONSOLE_CONSOLE_H

#include "diosix.h"
#include "filter.h"

#define ESCAPE_KEY 0x1d /* Control-], not Control-a, which is QEMU's */
#define CAPSULES   64
#define NOBODY     (-1)

/* ECMA-48, 8.3.117 SGR, and 8.3.41 EL */
#define SGR_PLAIN  "\033[0m"
#define SGR_BOLD   "\033[1m"
#define SGR_RED    "\033[31m"
#define ERASE_LINE "\r\033[K"
#define BELL       "\a"

/* --- capsules.c --- */

extern struct diosix_capsule_info capsules[CAPSULES];
extern unsigned capsule_count;

/* Asks the hypervisor about all capsules anew. */
void capsules_refresh(void);
/* By number or name; NOBODY when there is none. */
int capsules_find(const char *word);
/* Can the user work with it? All but the console itself. */
bool capsules_attachable(int capsule);
/* The next guest after this one, in a circle; NOBODY when there is no guest. */
int capsules_next_guest(int capsule);
/* Ticks of the time CSR. */
uint64_t ticks(unsigned milliseconds);

/* --- screen.c --- */

/* What a capsule has printed. */
void screen_output(unsigned capsule, const char *bytes, size_t count);
/* What the hypervisor has logged; `shown`: the user has seen it already. */
void screen_log(const char *bytes, size_t count, bool shown);
/* Shows what has waited long enough for the attached guest's line to end. */
void screen_tick(void);
/* When screen_tick() is due; DIOSIX_FOREVER. */
uint64_t screen_deadline(void);
/* Sends what is collected to the serial port. */
void screen_flush(void);

/* The one capsule whose output passes through as it is; NOBODY. */
int screen_attached(void);
void screen_attach(int capsule);

/* While the command line is open, the attached capsule's output is held back. */
void screen_open_prompt(void);
void screen_close_prompt(void);
/* Prints for the command line, which is open. */
void screen_put(const char *text);
__attribute__((format(printf, 1, 2))) void screen_print(const char *format, ...);
/* The log as far as it is kept. */
void screen_print_log(void);
/* Has anything else been shown at the command line since this was last asked? */
bool screen_was_disturbed(void);

/* --- prompt.c --- */

bool prompt_is_open(void);
void prompt_open(void);
void prompt_type(char character);
/* Draws the prompt and what is typed at it, on a line that is empty. */
void prompt_draw(void);

/* --- command.c --- */

/* Carries out a line; false: it ends the command line. The line is cut into words. */
bool command_run(char *line);

/* --- stats.c --- */

/* Shows what a capsule's vCPUs do. */
void stats_show(int capsule);
const char *stats_exit_name(unsigned reason);
const char *stats_state_name(unsigned long state);
unsigned long stats_sum(const unsigned long *counts, unsigned number);
/* In tenths: of a count, per second; of ticks, per cent. */
unsigned long stats_rate(unsigned long count, unsigned long interval);
unsigned long stats_part(unsigned long time, unsigned long interval);
/* Says why a call for statistics was refused. */
void stats_explain(long error);

/* --- top.c --- */

/* A table has the place of the command line until a key ends it, if the console may see it. */
void top_begin(void);
void top_end(void);
bool top_is_on(void);
void top_tick(void);
uint64_t top_deadline(void);

/* --- trace.c --- */

/* The last entries of all harts' traces: one capsule's, or all but this console's (NOBODY). */
void trace_show(int capsule);

/* --- input.c --- */

/* For the attached capsule, or for the command line. */
void input_type(char character);
/* Past the command line. */
void input_send(int capsule, char character);
/* Should more be taken from the serial port now? */
bool input_wanted(void);
/* Brings capsules what they have room for. */
void input_deliver(void);
/* When to try again; DIOSIX_FOREVER. */
uint64_t input_deadline(void);

/* --- console.c --- */

/* Looks who is there and attaches the first guest. */
void console_start(void);
/* Does what there is to do, then says for which events and how long to wait. */
void console_turn(uint64_t *events, uint64_t *deadline);

#endif
