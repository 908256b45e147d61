#include "filter.h"

#include <string.h>

#define ESC '\033'
#define BEL '\a'
#define DEL 0x7f

static bool parameters_are(const struct terminal *terminal, const char *text)
{
    return terminal->count == strlen(text) && !memcmp(terminal->parameters, text, terminal->count);
}

/* A CSI command ends with `final` (ECMA-48, 5.4). */
static void end_csi(struct terminal *terminal, char final)
{
    terminal->state = TERMINAL_TEXT;
    terminal->query = final == 'n' || final == 'c'; /* DSR, 8.3.35, and DA, 8.3.24 */
    if (final == 'm')                               /* SGR, 8.3.117; 39 is the default colour */
        terminal->plain = parameters_are(terminal, "") || parameters_are(terminal, "0") ||
                          parameters_are(terminal, "39");
    if (final != 'h' && final != 'l')
        return;
    /* DEC private modes of xterm (ctlseqs): alternate screen, older and newer ways. */
    if (parameters_are(terminal, "?1049") || parameters_are(terminal, "?1047") ||
        parameters_are(terminal, "?47"))
        terminal->alternate = final == 'h';
}

static void follow_escape(struct terminal *terminal, char byte)
{
    terminal->state = TERMINAL_TEXT; /* most commands are one byte after ESC (ECMA-48, 5.3) */
    terminal->count = 0;
    if (byte == '[')
        terminal->state = TERMINAL_CSI;
    else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_')
        terminal->state = TERMINAL_STRING; /* OSC, DCS, SOS, PM, APC (ECMA-48, 5.6) */
    else if (byte >= ' ' && byte <= '/')
        terminal->state = TERMINAL_ESCAPE; /* intermediate bytes (ECMA-35, 13.2) */
}

static void follow_csi(struct terminal *terminal, char byte)
{
    if (byte >= '@' && byte <= '~')
        end_csi(terminal, byte);
    else if (byte < ' ')
        terminal->state = TERMINAL_TEXT; /* broken off */
    else if (terminal->count < sizeof(terminal->parameters))
        terminal->parameters[terminal->count++] = byte;
}

bool terminal_follow(struct terminal *terminal, char byte)
{
    terminal->plain = terminal->query = false;
    if (byte == ESC) {
        /* Within a string it begins its terminator, ESC \; anywhere else a new command. */
        terminal->state = TERMINAL_ESCAPE;
        return true;
    }
    switch (terminal->state) {
    case TERMINAL_TEXT:
        return false;
    case TERMINAL_ESCAPE:
        follow_escape(terminal, byte);
        break;
    case TERMINAL_CSI:
        follow_csi(terminal, byte);
        break;
    case TERMINAL_STRING:
        if (byte == BEL || byte == '\n') /* nobody's string has lines: it is broken off */
            terminal->state = TERMINAL_TEXT;
        break;
    }
    /* A newline is one wherever it comes: else a stray command byte would swallow lines. */
    if (byte != '\n')
        return true;
    terminal->state = TERMINAL_TEXT;
    return false;
}

/* C1 control characters (ECMA-48, 5.3) are no text: a terminal obeys them in their UTF-8 form, C2
 * 80 to C2 9F, as it does their other one, which begins with ESC. */
static void add_text(struct line *line, unsigned char byte)
{
    if (line->returned)
        line_clear(line);
    if (byte >= 0x80 && byte <= 0x9f && line->length && line->text[line->length - 1] == '\xc2')
        line->length--;
    else
        line->text[line->length++] = (char)byte;
}

bool line_add(struct line *line, char byte)
{
    if (terminal_follow(&line->terminal, byte))
        return false;
    if (byte == '\n')
        return true;
    if (byte == '\r') {
        line->returned = true;
    } else if (byte == '\b') {
        if (line->length)
            line->length--;
    } else if (((unsigned char)byte >= ' ' && byte != DEL) || byte == '\t') {
        add_text(line, (unsigned char)byte);
    }
    return line->length == LINE_SIZE;
}

void line_clear(struct line *line)
{
    line->length = 0;
    line->returned = false;
}
