#include "forked.h"

#include "log_limit.h"
#include "log_output.h"
#include "privileges.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void forked_end_with(pid_t parent)
{
    log_output_forked();
    log_limits_forked();
    /* If the parent died before prctl took effect, nothing would ever stop us. */
    if (!privileges_give_up() || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
        _exit(1);
}

void forked_describe_end(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        (void)snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
    else
        (void)snprintf(out, size, "exit status %d", WEXITSTATUS(status));
}
