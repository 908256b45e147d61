/*
 * Understands as much of a terminal's language (ECMA-48, and xterm's private modes) as it takes to
 * tell text from commands.
 */
#ifndef CONSOLE_FILTER_H
#define CONSOLE_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#define LINE_SIZE 256

/* Where in a command a stream of output is. */
enum terminal_state {
    TERMINAL_TEXT,
    TERMINAL_ESCAPE,
    TERMINAL_CSI,
    TERMINAL_STRING
};

struct terminal {
    enum terminal_state state;
    char parameters[8]; /* of a CSI command, as far as they fit */
    unsigned count;
    bool alternate; /* the alternate screen is on: an editor or the like has all of the screen */
    bool plain;     /* the last byte ended a command that sets the plain colours */
    bool query;     /* the last byte ended a command that the terminal answers */
};

/* Follows one byte; true if it is part of a command, false if it is text or a control character. */
bool terminal_follow(struct terminal *terminal, char byte);

/* A line of output with all commands left out, as it stands after backspaces and the like. */
struct line {
    struct terminal terminal;
    char text[LINE_SIZE];
    size_t length;
    bool returned; /* after a carriage return: text overwrites the line */
};

/* Adds a byte. True when the line is complete (a newline, or full): take it, then line_clear(). */
bool line_add(struct line *line, char byte);
void line_clear(struct line *line);

#endif
