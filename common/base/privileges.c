#include "privileges.h"

#include "log_output.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

bool privileges_give_up(void)
{
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

static bool privileges_is_in(const int *fds, size_t count, int fd)
{
    for (size_t i = 0; i < count; i++) {
        if (fds[i] == fd)
            return true;
    }
    return false;
}

/* Closes those from `first` on that are open, by the kernel's list of them: for kernels before 5.9,
 * and sandboxes that do not know close_range(2). */
static void privileges_close_listed(int first)
{
    DIR *dir = opendir("/proc/self/fd");
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        long fd = strtol(entry->d_name, NULL, 10); /* 0 for the names that are no numbers */
        if (fd >= first && fd != dirfd(dir))
            (void)close((int)fd);
    }
    if (dir != NULL)
        (void)closedir(dir);
}

void privileges_keep_fds(const int *fds, size_t count)
{
    int of_log[LOG_FDS_MAX];
    size_t of_log_count = log_output_fds(of_log);
    int last = STDERR_FILENO;

    for (size_t i = 0; i < count; i++)
        last = fds[i] > last ? fds[i] : last;
    for (size_t i = 0; i < of_log_count; i++)
        last = of_log[i] > last ? of_log[i] : last;
    /* Those that are kept were opened early and have low numbers. */
    for (int fd = STDERR_FILENO + 1; fd < last; fd++) {
        if (!privileges_is_in(fds, count, fd) && !privileges_is_in(of_log, of_log_count, fd))
            (void)close(fd);
    }
    if (close_range((unsigned)last + 1, UINT_MAX, 0) < 0)
        privileges_close_listed(last + 1);
}

void privileges_leave_no_core(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_CORE, &limit) < 0)
        return;
    limit.rlim_cur = 0;
    (void)setrlimit(RLIMIT_CORE, &limit);
}
