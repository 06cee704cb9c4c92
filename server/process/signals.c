#include "signals.h"

#include <signal.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

static sigset_t signals_blocked(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
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

bool signals_take_stop(int fd)
{
    struct signalfd_siginfo info;
    bool is_stop = false;

    while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        is_stop |= info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    return is_stop;
}
