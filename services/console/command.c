/* The commands: a table of them, and for each a function that is given the word behind its name. */
#include "console.h"

#include <string.h>

enum outcome {
    PROMPT_AGAIN,
    BACK_TO_GUEST
};

struct command {
    const char *name, *argument; /* NULL: it has none; in brackets: it may be left out */
    enum outcome (*run)(const struct command *command, int capsule);
    const char *help;
    enum diosix_control control; /* for those that are one */
};

static enum outcome run_help(const struct command *command, int capsule);

static const char *state_name(unsigned state)
{
    static const char *const names[] = {
        [DIOSIX_CAPSULE_CREATED] = "created", [DIOSIX_CAPSULE_RUNNING] = "running",
        [DIOSIX_CAPSULE_PAUSED] = "paused",   [DIOSIX_CAPSULE_STOPPED] = "stopped",
        [DIOSIX_CAPSULE_CRASHED] = "crashed",
    };

    return state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

static void list_one(const struct diosix_capsule_info *info, bool is_attached)
{
    unsigned long tenth = info->frequency / 10;
    unsigned long tenths = tenth ? info->run_time / tenth : 0;

    screen_print("%c%2u %-12s %-8s %5luM %5u %6u %7lu.%lus %8u  %s", is_attached ? '*' : ' ',
                 info->id, info->name, state_name(info->state), info->ram >> 20, info->vcpus,
                 info->weight, tenths / 10, tenths % 10, info->restarts, info->description);
}

static enum outcome run_list(const struct command *command, int capsule)
{
    (void)command, (void)capsule;
    capsules_refresh();
    screen_print(" No name         state       RAM vCPUs weight  run time restarts  description");
    for (unsigned i = 0; i < capsule_count; i++)
        list_one(&capsules[i], (int)i == screen_attached());
    return PROMPT_AGAIN;
}

static enum outcome run_attach(const struct command *command, int capsule)
{
    (void)command;
    if (!capsules_attachable(capsule)) {
        screen_print("%s is this console", capsules[capsule].name);
        return PROMPT_AGAIN;
    }
    screen_attach(capsule);
    if (capsules[capsule].state != DIOSIX_CAPSULE_RUNNING)
        screen_print("%s is %s", capsules[capsule].name, state_name(capsules[capsule].state));
    return BACK_TO_GUEST;
}

static enum outcome run_next(const struct command *command, int capsule)
{
    (void)command;
    capsule = capsules_next_guest(screen_attached());
    if (capsule == NOBODY) {
        screen_print("there is no guest");
        return PROMPT_AGAIN;
    }
    screen_attach(capsule);
    return BACK_TO_GUEST;
}

static void report(const char *action, const struct diosix_capsule_info *info, long error)
{
    switch (error) {
    case DIOSIX_OK:
        screen_print("%s: %s", info->name, action);
        break;
    case DIOSIX_ERR_INVALID_STATE:
        screen_print("%s is %s: cannot %s it", info->name, state_name(info->state), action);
        break;
    case DIOSIX_ERR_DENIED:
        screen_print("this console lacks the property for that");
        break;
    default:
        screen_print("%s: %s failed; the log says why", info->name, action);
    }
}

/* Without this console nobody could undo what is done to it here. */
static enum outcome run_control(const struct command *command, int capsule)
{
    const struct diosix_capsule_info *info = &capsules[capsule];

    if (!capsules_attachable(capsule))
        screen_print("%s is this console: it cannot %s itself", info->name, command->name);
    else
        report(command->name, info, diosix_capsule_control(info->id, command->control));
    return PROMPT_AGAIN;
}

static enum outcome run_log(const struct command *command, int capsule)
{
    (void)command, (void)capsule;
    screen_print_log();
    return PROMPT_AGAIN;
}

/* Without a name, of the one that the user talks to. */
static enum outcome run_stats(const struct command *command, int capsule)
{
    (void)command;
    if (capsule == NOBODY)
        capsule = screen_attached();
    if (capsule == NOBODY)
        screen_print("there is no guest");
    else
        stats_show(capsule);
    return PROMPT_AGAIN;
}

static enum outcome run_top(const struct command *command, int capsule)
{
    (void)command, (void)capsule;
    top_begin();
    return PROMPT_AGAIN;
}

static enum outcome run_trace(const struct command *command, int capsule)
{
    (void)command;
    if (capsule == NOBODY)
        capsules_refresh();
    trace_show(capsule);
    return PROMPT_AGAIN;
}

static enum outcome run_escape(const struct command *command, int capsule)
{
    (void)command, (void)capsule;
    input_send(screen_attached(), ESCAPE_KEY);
    return BACK_TO_GUEST;
}

static enum outcome run_quit(const struct command *command, int capsule)
{
    (void)command, (void)capsule;
    return BACK_TO_GUEST;
}

#define CAPSULE_WORD  "N|name"
#define OPTIONAL_WORD "[N|name]"

static const struct command commands[] = {
    {"help", NULL, run_help, "this list", 0},
    {"list", NULL, run_list, "all capsules; * is the one that you talk to", 0},
    {"attach", CAPSULE_WORD, run_attach, "talk to this one", 0},
    {"next", NULL, run_next, "talk to the next guest (also: Control-] twice)", 0},
    {"stop", CAPSULE_WORD, run_control, "end it, as if its power were cut", DIOSIX_CONTROL_STOP},
    {"start", CAPSULE_WORD, run_control, "start it anew after its end", DIOSIX_CONTROL_START},
    {"restart", CAPSULE_WORD, run_control, "stop and start it", DIOSIX_CONTROL_RESTART},
    {"pause", CAPSULE_WORD, run_control, "let it rest", DIOSIX_CONTROL_PAUSE},
    {"resume", CAPSULE_WORD, run_control, "let it go on", DIOSIX_CONTROL_RESUME},
    {"log", NULL, run_log, "the hypervisor's log again", 0},
    {"stats", OPTIONAL_WORD, run_stats, "what it spends its time and its exits on", 0},
    {"top", NULL, run_top, "who uses the harts, until you press a key", 0},
    {"trace", OPTIONAL_WORD, run_trace, "the last things that happened (debug builds)", 0},
    {"escape", NULL, run_escape, "send the escape key itself, Control-]", 0},
    {"quit", NULL, run_quit, "back to the guest (also: an empty line, Control-c)", 0},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static enum outcome run_help(const struct command *command, int capsule)
{
    (void)command, (void)capsule;
    for (size_t i = 0; i < COMMANDS; i++)
        screen_print("  %-8s %-8s %s", commands[i].name,
                     commands[i].argument ? commands[i].argument : "", commands[i].help);
    return PROMPT_AGAIN;
}

/* Cuts the next word off; an empty one at the end. */
static char *next_word(char **rest)
{
    char *word = *rest + strspn(*rest, " ");

    *rest = word + strcspn(word, " ");
    if (**rest)
        *(*rest)++ = '\0';
    return word;
}

static enum outcome run(const struct command *command, const char *argument, bool too_many)
{
    int capsule = NOBODY;
    bool optional = command->argument && *command->argument == '[';

    if (too_many || (*argument ? !command->argument : command->argument && !optional)) {
        screen_print("usage: %s%s%s", command->name, command->argument ? " " : "",
                     command->argument ? command->argument : "");
        return PROMPT_AGAIN;
    }
    if (*argument) {
        capsule = capsules_find(argument);
        if (capsule == NOBODY) {
            screen_print("there is no capsule %s (list shows them)", argument);
            return PROMPT_AGAIN;
        }
    }
    return command->run(command, capsule);
}

bool command_run(char *line)
{
    char *name = next_word(&line), *argument = next_word(&line);
    bool too_many = *next_word(&line);

    if (!*name)
        return false;
    for (size_t i = 0; i < COMMANDS; i++)
        if (!strcmp(name, commands[i].name))
            return run(&commands[i], argument, too_many) == PROMPT_AGAIN;
    screen_print("%s is no command (help lists them)", name);
    return true;
}
