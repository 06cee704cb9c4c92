/* lottery-agency: reads the command line and the settings, and runs the agency. */
#include "agency.h"
#include "client_settings.h"
#include "file_check.h"
#include "log.h"
#include "log_output.h"
#include "privileges.h"
#include "settings.h"
#include "standard_fds.h"
#include "stop_signals.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char help[] =
    "Usage: lottery-agency [OPTION]... [FILE]\n"
    "A betting agency: sends its bets to the lottery's server and receives its winners. FILE has\n"
    "the bets (bets.file).\n"
    "\n"
    "  -c, --config PATH       settings file (default ./config.yaml, which may be absent)\n"
    "      --id N              which agency this is (id)\n"
    "      --server HOST:PORT  where the server is (server.address)\n"
    "      --mode MODE         lottery, bet or echo (mode)\n"
    "      --draw ID           which draw the bets are for, if it has an id (draw)\n"
    "      --check FILE        say whether FILE is fit to be sent, and what is wrong with it, by\n"
    "                          the settings bets.*; send nothing\n"
    "  -h, --help              this text\n"
    "  -v, --version           name and version\n"
    "\n"
    "Settings come from the command line, otherwise from the environment, otherwise from the\n"
    "file, otherwise they have a default; the README lists them. In mode bet, NOMBRE, APELLIDO,\n"
    "DOCUMENTO, NACIMIENTO and NUMERO are the bet; they are read from the environment only.\n"
    "\n"
    "Exit status: 0 when the work is done or a signal stopped it, 1 when it could not be done, 2\n"
    "for a bad command line, setting, or bet in the environment. With --check: 0 when the file is\n"
    "fit, 1 when it is not or cannot be read.\n";

static int client_fail_settings(const char *reason)
{
    LOG(CRITICAL, "config", FAIL, LOG_TEXT("reason", reason));
    log_output_finish(LOG_NO_LIMIT);
    return AGENCY_EXIT_USAGE;
}

/* Without a server, so without an id, too. */
static int client_check(const char *file, const struct settings_sources *sources)
{
    struct client_settings settings;
    struct errbuf err = {{0}};

    if (client_settings_load_without_id(sources, &settings, &err) != STATUS_OK)
        return client_fail_settings(err.text);
    return file_check(file, &settings);
}

/* What the command line says. */
struct command_line {
    struct settings_sources sources;
    const char *checked; /* the file of --check, or NULL */
};

/* Reads the command line. Returns -1, or the exit status when there is nothing more to do. */
static int client_read_command_line(int argc, char **argv, struct command_line *out)
{
    static const struct option options[] = {
        {"check", required_argument, NULL, 'C'},
        {"config", required_argument, NULL, 'c'},
        {"draw", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {"id", required_argument, NULL, 'i'},
        {"mode", required_argument, NULL, 'm'},
        {"server", required_argument, NULL, 's'},
        {"version", no_argument, NULL, 'v'},
        {NULL, 0, NULL, 0},
    };

    for (int option; (option = getopt_long(argc, argv, "c:hv", options, NULL)) != -1;) {
        switch (option) {
        case 'C':
            out->checked = optarg;
            break;
        case 'c':
            out->sources.path = optarg;
            out->sources.must_file_exist = true;
            break;
        case 'd':
            settings_add_argument(&out->sources, "--draw", "draw", optarg);
            break;
        case 'i':
            settings_add_argument(&out->sources, "--id", "id", optarg);
            break;
        case 'm':
            settings_add_argument(&out->sources, "--mode", "mode", optarg);
            break;
        case 's':
            settings_add_argument(&out->sources, "--server", "server.address", optarg);
            break;
        case 'h':
            (void)fputs(help, stdout);
            return AGENCY_EXIT_OK;
        case 'v':
            (void)puts("lottery-agency " LOTTERY_VERSION);
            return AGENCY_EXIT_OK;
        default:
            (void)fputs("Try 'lottery-agency --help'.\n", stderr);
            return AGENCY_EXIT_USAGE;
        }
    }
    if (optind < argc)
        settings_add_argument(&out->sources, "FILE", "bets.file", argv[optind++]);
    if (optind == argc)
        return -1;
    (void)fprintf(stderr, "lottery-agency: unexpected argument '%s'\n", argv[optind]);
    return AGENCY_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct command_line command_line = {.sources.path = "./config.yaml"};
    struct client_settings settings;
    struct errbuf err = {{0}};

    /* For what comes before the settings. */
    if (!log_set_format_by_name(getenv("CLI_LOG_FORMAT")))
        (void)log_set_format_by_name(getenv("LOG_FORMAT"));
    if (!standard_fds_open() || !privileges_give_up())
        return AGENCY_EXIT_FAIL;
    int status = client_read_command_line(argc, argv, &command_line);
    if (status >= 0)
        return status;
    if (command_line.checked != NULL)
        return client_check(command_line.checked, &command_line.sources);
    stop_signals_block();
    log_output_open();
    enum status loaded = client_settings_load(&command_line.sources, &settings, &err);
    if (loaded == STATUS_STOPPED) { /* by a signal, while the file kept us waiting */
        LOG(INFO, "exit", SUCCESS);
        log_output_finish(LOG_NO_LIMIT);
        return AGENCY_EXIT_OK;
    }
    if (loaded != STATUS_OK)
        return client_fail_settings(err.text);
    log_set_level(settings.log_level);
    log_set_format(settings.log_format);
    client_settings_log(&settings);
    return agency_run(&settings);
}
