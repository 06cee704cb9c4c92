#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* An ignored signal that is blocked would be kept and read all the same. */
static bool is_hangup_ignored(void)
{
    struct sigaction action;

    return sigaction(SIGHUP, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

static sigset_t signals_blocked(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    if (!is_hangup_ignored())
        sigaddset(&set, SIGHUP);
    return set;
}

/* A program starts with signals that are ignored or have their default; anything else is a handler
 * of the runtime's own, such as a sanitizer's. SIGKILL, SIGSTOP and those that the C library keeps
 * for itself cannot be set. */
static void signal_reset(int number)
{
    struct sigaction action;

    if (sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
        (void)signal(number, SIG_DFL);
}

void signals_init(void)
{
    const sigset_t set = signals_blocked();

    (void)sigprocmask(SIG_SETMASK, &set, NULL); /* first, so that none is lost or ends us */
    for (int number = 1; number <= SIGRTMAX; number++) {
        if (number != SIGHUP)
            signal_reset(number);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
}

void signals_init_child(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int signals_open(void)
{
    const sigset_t set = signals_blocked();

    return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

struct signals_taken signals_take(int fd)
{
    struct signalfd_siginfo info;
    struct signals_taken taken = {0};

    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
        taken.is_stop |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
        if (info.ssi_signo != SIGHUP)
            continue;
        taken.is_reload = true;
        taken.uid = info.ssi_uid;
    }
    return taken;
}
