/* lottery-server: reads the command line and the settings, then leaves the rest to the supervisor.
 */
#include "check.h"
#include "health.h"
#include "log.h"
#include "log_output.h"
#include "notifier.h"
#include "privileges.h"
#include "resolve.h"
#include "server_settings.h"
#include "server_tls.h"
#include "settings.h"
#include "signals.h"
#include "standard_fds.h"
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
    "  -c, --config PATH   settings file (default ./config.ini, which may be absent)\n"
    "      --port N        TCP port (SERVER_PORT)\n"
    "      --data-dir DIR  directory of bets.csv and winners.csv (LOTTERY_DATA_DIR)\n"
    "      --agencies N    how many there are (LOTTERY_AGENCIES)\n"
    "      --mode MODE     lottery or echo (SERVER_MODE)\n"
    "      --check DIR     print what is in a data directory and whether it is valid; change "
    "nothing\n"
    "      --health        ask the server that runs with these settings whether it is healthy\n"
    "  -h, --help          this text\n"
    "  -v, --version       name and version\n"
    "\n"
    "Settings come from the command line, otherwise from the environment, otherwise from the\n"
    "file, otherwise they have a default; the README lists them.\n"
    "\n"
    "Exit status: 0 after a clean stop, 1 when the server could not run, 2 for a bad command line\n"
    "or setting. With --check or --health: 0 when the folder is valid or the server is healthy,\n"
    "otherwise 1.\n";

static int server_fail_settings(const char *reason)
{
    LOG(CRITICAL, "config", FAIL, LOG_TEXT("reason", reason));
    log_output_finish(LOG_NO_LIMIT);
    return EXIT_USAGE;
}

/* A signal came while a file or a name service kept us waiting. */
static int server_stop_early(void)
{
    LOG(INFO, "exit", SUCCESS);
    log_output_finish(LOG_NO_LIMIT);
    return EXIT_SUCCESS;
}

/* Looks SERVER_IP up, and reads the files of TLS; the log shows what was set. */
static int server_run(const struct server_settings *settings,
                      const struct settings_sources *sources, struct notifier *notifier)
{
    struct server_settings resolved = *settings;
    struct tls_context *tls = NULL;
    struct errbuf err = {{0}};

    enum status status = resolve_listen_ip(&resolved, &err);
    if (status == STATUS_STOPPED)
        return server_stop_early();
    if (status == STATUS_OK)
        status = server_tls_load(settings, &tls, &err);
    if (status != STATUS_OK)
        return server_fail_settings(err.text);
    server_settings_log(settings);
    server_tls_log(settings, tls);
    return supervisor_run(&(struct supervisor_config){
        .settings = settings,
        .tls = tls,
        .listen_ip = resolved.ip,
        .sources = sources,
        .notifier = notifier,
    });
}

/* What the command line says. */
struct command_line {
    struct settings_sources sources;
    const char *folder; /* of --check, or NULL */
    bool is_health;
};

/* Reads the command line. Returns -1, or the exit status when there is nothing more to do. */
static int server_read_command_line(int argc, char **argv, struct command_line *out)
{
    static const struct option options[] = {
        {"agencies", required_argument, NULL, 'a'}, {"check", required_argument, NULL, 'C'},
        {"config", required_argument, NULL, 'c'},   {"data-dir", required_argument, NULL, 'd'},
        {"health", no_argument, NULL, 'H'},         {"help", no_argument, NULL, 'h'},
        {"mode", required_argument, NULL, 'm'},     {"port", required_argument, NULL, 'p'},
        {"version", no_argument, NULL, 'v'},        {NULL, 0, NULL, 0},
    };

    for (int option; (option = getopt_long(argc, argv, "c:hv", options, NULL)) != -1;) {
        switch (option) {
        case 'a':
            settings_add_argument(&out->sources, "--agencies", "LOTTERY_AGENCIES", optarg);
            break;
        case 'C':
            out->folder = optarg;
            break;
        case 'c':
            out->sources.path = optarg;
            out->sources.must_file_exist = true;
            break;
        case 'd':
            settings_add_argument(&out->sources, "--data-dir", "LOTTERY_DATA_DIR", optarg);
            break;
        case 'H':
            out->is_health = true;
            break;
        case 'h':
            (void)fputs(help, stdout);
            return EXIT_SUCCESS;
        case 'm':
            settings_add_argument(&out->sources, "--mode", "SERVER_MODE", optarg);
            break;
        case 'p':
            settings_add_argument(&out->sources, "--port", "SERVER_PORT", optarg);
            break;
        case 'v':
            (void)puts("lottery-server " LOTTERY_VERSION);
            return EXIT_SUCCESS;
        default:
            (void)fputs("Try 'lottery-server --help'.\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    (void)fprintf(stderr, "lottery-server: unexpected argument '%s'\n", argv[optind]);
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    struct command_line command_line = {.sources.path = "./config.ini"};
    struct server_settings settings;
    struct notifier notifier;
    struct errbuf err = {{0}};

    notifier_init(&notifier);
    (void)log_set_format_by_name(getenv("LOG_FORMAT")); /* for what comes before the settings */
    if (!standard_fds_open() || !privileges_give_up())
        return EXIT_FAILURE;
    int status = server_read_command_line(argc, argv, &command_line);
    if (status >= 0)
        return status;
    if (command_line.folder != NULL)
        return check_folder(command_line.folder);
    if (!command_line.is_health)
        signals_init(); /* a signal during the start stops the server after the start */
    log_output_open();
    enum status loaded = server_settings_load(&command_line.sources, &settings, &err);
    if (loaded != STATUS_OK)
        return loaded == STATUS_STOPPED ? server_stop_early() : server_fail_settings(err.text);
    log_set_level(settings.log_level);
    log_set_format(settings.log_format);
    if (command_line.is_health)
        return health_ask(&settings);
    privileges_keep_fds(NULL, 0); /* whoever has started us may have left theirs open */
    status = server_run(&settings, &command_line.sources, &notifier);
    log_output_finish(LOG_NO_LIMIT);
    return status;
}
