/* The status, again every second.
 *
 * Happy path: one connection; a question, its answer, a second's pause.
 *
 * Failure modes: the server is away or refuses: that is shown instead, and tried again a second
 * later. SIGINT or SIGTERM: they are blocked but for the waits, so none is missed; it ends with
 * status 0. stdout cannot be written: it ends with status 1.
 */
#include "ctl_watch.h"

#include "clock.h"
#include "ctl_show.h"
#include "ctl_text.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define PERIOD_S 1
#define CLEAR "\033[H\033[2J" /* the cursor to the top left; erase all */

static void ctl_watch_on_signal(int number)
{
    (void)number; /* that it interrupts a wait is enough */
}

/* Blocks the signals that end it. *out_waiting is the mask for waits, in which they are not. */
static void ctl_watch_block(sigset_t *out_waiting)
{
    const struct sigaction action = {.sa_handler = ctl_watch_on_signal};
    sigset_t ends;

    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGINT);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &ends, out_waiting);
    (void)sigdelset(out_waiting, SIGINT);
    (void)sigdelset(out_waiting, SIGTERM);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void ctl_watch_show_time(void)
{
    char now[RFC3339_SIZE];

    rfc3339_format((uint64_t)clock_wall_s(), now);
    (void)printf("%s\n\n", now);
}

static enum status ctl_watch_show(const struct ctl_options *options,
                                  const Lottery__Control__V1__Status *status, const char *error)
{
    const bool is_terminal = isatty(STDOUT_FILENO) && !options->is_json;
    enum status shown = STATUS_OK;

    if (is_terminal)
        (void)fputs(CLEAR, stdout);
    if (!options->is_json)
        ctl_watch_show_time();
    if (status != NULL)
        shown = ctl_show_status(stdout, status, options->is_json);
    else if (options->is_json)
        shown = ctl_show_error(stdout, error);
    else
        ctl_text_print(stdout, error);
    if (!options->is_json)
        (void)fputs(status != NULL ? "\n" : "\n\n", stdout);
    return shown;
}

int ctl_watch_status(const struct ctl_options *options)
{
    const struct timespec period = {.tv_sec = PERIOD_S};
    struct ctl_link link;
    sigset_t waiting;
    int exit_status;

    ctl_watch_block(&waiting);
    ctl_link_init(&link, options->path);
    link.mask = &waiting;
    do {
        struct ctl_answer answer = {.result = NULL};
        struct errbuf err = {{0}};
        enum status status = ctl_ask_for_status(&link, &answer, &err);
        if (status == STATUS_STOPPED) {
            exit_status = CTL_EXIT_OK;
            break;
        }
        status = ctl_watch_show(options, answer.status, err.text);
        ctl_answer_fini(&answer);
        exit_status = ctl_finish(status);
    } while (exit_status == CTL_EXIT_OK && ppoll(NULL, 0, &period, &waiting) == 0);
    ctl_link_close(&link);
    return exit_status;
}
