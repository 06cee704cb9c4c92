#include "cmocka_all.h"
#include "standard_fds.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child: closes those of the three that `closed` has a bit for. Returns which of them are open
 * on /dev/null afterwards, as bits; 8 when the call fails or the next file gets one of the three.
 */
static int open_after_closing(unsigned closed)
{
    struct stat null;
    int result = 0;

    for (unsigned fd = 0; fd <= 2; fd++) {
        if ((closed >> fd & 1) != 0)
            (void)close((int)fd);
    }
    if (!standard_fds_open() || stat("/dev/null", &null) < 0)
        return 8;
    for (unsigned fd = 0; fd <= 2; fd++) {
        struct stat found;
        if (fstat((int)fd, &found) == 0 && found.st_rdev == null.st_rdev)
            result |= 1 << fd;
    }
    return open("/dev/null", O_RDONLY) > 2 ? result : 8;
}

/* Of all combinations, exactly those that were closed are opened on /dev/null. */
static void test_all_combinations(void **state)
{
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    for (unsigned closed = 0; closed < 8; closed++) {
        int status;
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (int fd = 0; fd <= 2; fd++)
                (void)dup2(ends[fd == 0 ? 0 : 1], fd);
            _exit(open_after_closing(closed));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), closed);
    }
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(close(ends[1]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_combinations),
    };

    return cmocka_run_group_tests_name("standard_fds", tests, NULL, NULL);
}
