/*
 * One line to type at, with the keys that every terminal has for correcting it. Arrow keys and the
 * like are understood only so far that they do nothing.
 */
#include "console.h"

#define PROMPT    SGR_BOLD "diosix> " SGR_PLAIN
#define TYPED_MAX 80

/* ASCII control characters. */
#define CONTROL_C 0x03
#define BACKSPACE 0x08
#define CONTROL_U 0x15
#define DELETE    0x7f

static bool open;
static char typed[TYPED_MAX + 1];
static size_t count;
static struct terminal keys;

bool prompt_is_open(void)
{
    return open;
}

void prompt_draw(void)
{
    if (top_is_on())
        return;
    typed[count] = '\0';
    screen_put(PROMPT);
    screen_put(typed);
}

void prompt_open(void)
{
    open = true;
    count = 0;
    keys = (struct terminal){0};
    screen_open_prompt();
}

static void close_prompt(void)
{
    open = false;
    screen_close_prompt();
}

static void enter(void)
{
    bool more = count != 0;

    typed[count] = '\0';
    count = 0;
    screen_put("\r\n");
    if (more)
        more = command_run(typed);
    if (more)
        prompt_draw();
    else
        close_prompt();
}

static void next_guest(void)
{
    screen_put(ERASE_LINE);
    screen_attach(capsules_next_guest(screen_attached()));
    close_prompt();
}

static void erase(size_t characters)
{
    for (; characters && count; characters--, count--)
        screen_put("\b \b");
}

static void insert(char character)
{
    if (count == TYPED_MAX) {
        screen_put(BELL);
        return;
    }
    typed[count++] = character;
    typed[count] = '\0';
    screen_put(&typed[count - 1]);
}

void prompt_type(char character)
{
    if (terminal_follow(&keys, character))
        return;
    if (top_is_on()) {
        top_end();
        prompt_draw();
        return;
    }
    switch (character) {
    case '\r':
    case '\n':
        enter();
        break;
    case ESCAPE_KEY:
        next_guest();
        break;
    case CONTROL_C:
        close_prompt();
        break;
    case BACKSPACE:
    case DELETE:
        erase(1);
        break;
    case CONTROL_U:
        erase(count);
        break;
    default:
        if (character >= ' ' && character <= '~')
            insert(character);
    }
}
