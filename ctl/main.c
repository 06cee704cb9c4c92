/* lottery-ctl: reads the command line, then leaves the rest to the command. */
#include "ctl_act.h"
#include "ctl_ask.h"
#include "ctl_backup.h"
#include "ctl_watch.h"
#include "errbuf.h"
#include "privileges.h"
#include "rfc3339.h"
#include "standard_fds.h"
#include "text.h"
#include "utf8.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_NAME "control.sock"
#define NUMBER_MAX 9999
#define SOURCE_MAX 200 /* bytes */

static const char help[] =
    "Usage: lottery-ctl [OPTION]... COMMAND [ARGUMENT]...\n"
    "Operates a lottery-server that runs on this machine.\n"
    "\n"
    "Commands:\n"
    "  status              the state of the draw\n"
    "  agencies            how many bets each agency has sent, and whether it has finished\n"
    "  close               take no more bets; prints the root of the seal, once there is one\n"
    "  draw NUMBER         draw this number (0..9999) and find the winners\n"
    "  winners             who has won: agency and document\n"
    "  next DRAW           begin the next draw, which has this id\n"
    "  reload              read the server's settings again\n"
    "  backup DIR          copy the running draw, as it is now, to the new folder DIR\n"
    "\n"
    "  -s, --socket PATH   the server's socket (default: " SOCKET_NAME " in its data directory)\n"
    "  -d, --data-dir DIR  the server's data directory (default: LOTTERY_DATA_DIR, otherwise .)\n"
    "  -j, --json          JSON in one line instead of text\n"
    "  -w, --watch         status: again every second, until Ctrl-C\n"
    "      --source TEXT   draw: where the number is from, for the record (at most 200 bytes)\n"
    "      --close-at TIME next: when it closes, such as 2026-11-25T21:00:00-03:00\n"
    "  -h, --help          this text\n"
    "  -v, --version       name and version\n"
    "\n"
    "Only root and the server's own user may connect.\n"
    "\n"
    "Exit status: 0 when it is done, 1 when it was refused or the server cannot be reached, 2 for\n"
    "a bad command line.\n";

/* What the command line says. */
struct command_line {
    struct ctl_options options;
    const char *socket; /* NULL: not given; the next three, too */
    const char *data_dir;
    const char *source;
    const char *close_at;
    bool is_watch;
    char **words; /* the command and its arguments */
    int count;    /* of them */
};

static int ctl_fail_usage(const char *what, const char *value)
{
    char text[1024];

    if (value != NULL)
        (void)snprintf(text, sizeof(text), "%s: \"%.200s\"", what, value);
    (void)ctl_fail(value != NULL ? text : what);
    (void)fputs("Try 'lottery-ctl --help'.\n", stderr);
    return CTL_EXIT_USAGE;
}

/* Reads the options. Returns -1, or the exit status when there is nothing more to do. */
static int ctl_read_options(int argc, char **argv, struct command_line *out)
{
    static const struct option options[] = {
        {"close-at", required_argument, NULL, 'C'},
        {"data-dir", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"json", no_argument, NULL, 'j'},
        {"socket", required_argument, NULL, 's'},
        {"source", required_argument, NULL, 'S'},
        {"version", no_argument, NULL, 'v'},
        {"watch", no_argument, NULL, 'w'},
        {NULL, 0, NULL, 0},
    };

    for (int option; (option = getopt_long(argc, argv, "d:hjs:vw", options, NULL)) != -1;) {
        switch (option) {
        case 'C':
            out->close_at = optarg;
            break;
        case 'd':
            out->data_dir = optarg;
            break;
        case 'j':
            out->options.is_json = true;
            break;
        case 's':
            out->socket = optarg;
            break;
        case 'S':
            out->source = optarg;
            break;
        case 'w':
            out->is_watch = true;
            break;
        case 'h':
            (void)fputs(help, stdout);
            return ctl_finish(STATUS_OK);
        case 'v':
            (void)puts("lottery-ctl " LOTTERY_VERSION);
            return ctl_finish(STATUS_OK);
        default:
            (void)fputs("Try 'lottery-ctl --help'.\n", stderr);
            return CTL_EXIT_USAGE;
        }
    }
    out->words = argv + optind;
    out->count = argc - optind;
    return -1;
}

static int ctl_command_status(const struct command_line *line)
{
    return line->is_watch ? ctl_watch_status(&line->options) : ctl_ask_status(&line->options);
}

static int ctl_command_agencies(const struct command_line *line)
{
    return ctl_ask_agencies(&line->options);
}

static int ctl_command_winners(const struct command_line *line)
{
    return ctl_ask_winners(&line->options);
}

static int ctl_command_close(const struct command_line *line)
{
    return ctl_act_close(&line->options);
}

static int ctl_command_draw(const struct command_line *line)
{
    const char *word = line->words[1];
    const char *source = line->source != NULL ? line->source : "";
    const size_t digits = strspn(word, "0123456789");

    /* So long that strtoul() cannot overflow. */
    if (digits == 0 || digits > 9 || word[digits] != '\0' || strtoul(word, NULL, 10) > NUMBER_MAX)
        return ctl_fail_usage("draw: not a number of 0..9999", word);
    if (strlen(source) > SOURCE_MAX)
        return ctl_fail_usage("--source: longer than 200 bytes", NULL);
    if (!utf8_is_printable(text_of(source)))
        return ctl_fail_usage("--source: not a text in UTF-8 without control characters", NULL);
    return ctl_act_draw(&line->options, (unsigned)strtoul(word, NULL, 10), source);
}

static int ctl_command_next(const struct command_line *line)
{
    struct errbuf err = {{0}};
    uint64_t close_at_s = 0;

    if (line->close_at != NULL &&
        rfc3339_parse(text_of(line->close_at), &close_at_s, &err) != STATUS_OK) {
        errbuf_wrap(&err, "--close-at");
        return ctl_fail_usage(err.text, NULL);
    }
    return ctl_act_next(&line->options, line->words[1], close_at_s);
}

static int ctl_command_reload(const struct command_line *line)
{
    return ctl_act_reload(&line->options);
}

static int ctl_command_backup(const struct command_line *line)
{
    return ctl_backup(&line->options, line->words[1]);
}

static const struct command {
    const char *name;
    const char *missing; /* what to say if nothing follows it; NULL: nothing has to */
    int (*run)(const struct command_line *line);
} commands[] = {
    {"status", NULL, ctl_command_status},
    {"agencies", NULL, ctl_command_agencies},
    {"winners", NULL, ctl_command_winners},
    {"close", NULL, ctl_command_close},
    {"draw", "draw: the number is missing", ctl_command_draw},
    {"next", "next: the id is missing", ctl_command_next},
    {"reload", NULL, ctl_command_reload},
    {"backup", "backup: the folder is missing", ctl_command_backup},
};

/* The command that the line names; NULL: it has said what is wrong. */
static const struct command *ctl_find_command(const struct command_line *line)
{
    if (line->count == 0) {
        (void)ctl_fail_usage("a command is missing", NULL);
        return NULL;
    }
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (strcmp(commands[i].name, line->words[0]) == 0)
            return &commands[i];
    }
    (void)ctl_fail_usage("not a command", line->words[0]);
    return NULL;
}

/* Do arguments and options belong to the command? Returns -1, or the exit status. */
static int ctl_check_usage(const struct command *command, const struct command_line *line)
{
    const int wanted = command->missing != NULL ? 2 : 1;

    if (line->count < wanted)
        return ctl_fail_usage(command->missing, NULL);
    if (line->count > wanted)
        return ctl_fail_usage("unexpected argument", line->words[wanted]);
    if (line->source != NULL && command->run != ctl_command_draw)
        return ctl_fail_usage("--source belongs to draw", NULL);
    if (line->close_at != NULL && command->run != ctl_command_next)
        return ctl_fail_usage("--close-at belongs to next", NULL);
    if (line->is_watch && command->run != ctl_command_status)
        return ctl_fail_usage("--watch belongs to status", NULL);
    if (line->socket != NULL && line->data_dir != NULL)
        return ctl_fail_usage("--socket and --data-dir exclude each other", NULL);
    return -1;
}

int main(int argc, char **argv)
{
    struct command_line line = {.socket = NULL};
    char path[4096];

    if (!standard_fds_open() || !privileges_give_up())
        return CTL_EXIT_FAIL;
    int exit_status = ctl_read_options(argc, argv, &line);
    if (exit_status >= 0)
        return exit_status;
    const struct command *command = ctl_find_command(&line);
    if (command == NULL)
        return CTL_EXIT_USAGE;
    exit_status = ctl_check_usage(command, &line);
    if (exit_status >= 0)
        return exit_status;
    const char *folder = line.data_dir != NULL ? line.data_dir : getenv("LOTTERY_DATA_DIR");
    if (folder == NULL || folder[0] == '\0')
        folder = ".";
    (void)snprintf(path, sizeof(path), "%s/" SOCKET_NAME, folder);
    line.options.path = line.socket != NULL ? line.socket : path;
    return command->run(&line);
}
