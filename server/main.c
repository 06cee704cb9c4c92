/* lottery-server: reads the command line and the settings, then leaves the rest to the supervisor.
 */
#include "check.h"
#include "health.h"
#include "log.h"
#include "server_settings.h"
#include "signals.h"
#include "supervisor.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define EXIT_USAGE 2

static const char help[] =
    "Usage: lottery-server [OPTION]...\n"
    "Receives the agencies' bets, holds the draw, and sends each agency its winners.\n"
    "\n"
    "  -c, --config PATH  settings file (default ./config.ini; may be absent)\n"
    "      --check DIR    print what is in a data directory and whether it is valid; change "
    "nothing\n"
    "      --health       ask the server that runs with these settings whether it is healthy\n"
    "  -h, --help         this text\n"
    "  -v, --version      name and version\n"
    "\n"
    "Settings come from the environment, otherwise from the file, otherwise they have a default;\n"
    "the README lists them.\n"
    "\n"
    "Exit status: 0 after a clean stop, 1 when the server could not run, 2 for a bad command line\n"
    "or setting. With --check or --health: 0 when the folder is valid or the server is healthy,\n"
    "otherwise 1.\n";

static int server_fail_settings(const char *reason)
{
    LOG(CRITICAL, "config", FAIL, LOG_TEXT("reason", reason));
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"check", required_argument, NULL, 'C'}, {"config", required_argument, NULL, 'c'},
        {"health", no_argument, NULL, 'H'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},     {NULL, 0, NULL, 0},
    };
    const char *path = "./config.ini";
    const char *folder = NULL; /* of --check */
    struct server_settings settings;
    struct errbuf err = {{0}};
    bool is_health = false;

    for (int option; (option = getopt_long(argc, argv, "c:hv", options, NULL)) != -1;) {
        switch (option) {
        case 'C':
            folder = optarg;
            break;
        case 'c':
            path = optarg;
            break;
        case 'H':
            is_health = true;
            break;
        case 'h':
            (void)fputs(help, stdout);
            return EXIT_SUCCESS;
        case 'v':
            (void)puts("lottery-server " LOTTERY_VERSION);
            return EXIT_SUCCESS;
        default:
            (void)fputs("Try 'lottery-server --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "lottery-server: unexpected argument '%s'\n", argv[optind]);
        return EXIT_USAGE;
    }
    if (folder != NULL)
        return check_folder(folder);
    if (!is_health)
        signals_init(); /* a signal during the start stops the server after the start */
    if (server_settings_load(path, &settings, &err) != STATUS_OK)
        return server_fail_settings(err.text);
    log_set_level(settings.log_level);
    if (is_health)
        return health_ask(&settings);
    server_settings_log(&settings);
    return supervisor_run(&settings);
}
