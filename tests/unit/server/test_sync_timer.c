/* Syncs are passed on as they are, and each counts with the time it took. */
#include "cmocka_all.h"
#include "sync_timer.h"

#include <errno.h>
#include <poll.h>

#define SYNC_MS 3

static int synced_fd;
static int fails_with; /* errno; 0: it succeeds */

static int slow_fdatasync(int fd)
{
    synced_fd = fd;
    (void)poll(NULL, 0, SYNC_MS);
    errno = fails_with;
    return fails_with == 0 ? 0 : -1;
}

static void test_sync_timer(void **state)
{
    struct file_ops slow = file_ops_system;
    struct scoreboard *scoreboard;

    (void)state;
    slow.fdatasync = slow_fdatasync;
    assert_int_equal(scoreboard_create(1, &scoreboard), STATUS_OK);
    const struct file_ops *timed = sync_timer_start(&slow, scoreboard->ledger);
    assert_ptr_equal(timed->pwritev, slow.pwritev);
    assert_int_equal(timed->fdatasync(7), 0);
    assert_int_equal(synced_fd, 7);
    fails_with = EIO;
    assert_int_equal(timed->fdatasync(8), -1);
    assert_int_equal(errno, EIO);
    assert_int_equal(synced_fd, 8);
    const struct scoreboard_syncs syncs = scoreboard_syncs(scoreboard);
    assert_int_equal(syncs.count, 2);
    assert_true(syncs.total_ns >= 2 * SYNC_MS * UINT64_C(1000000));
    for (int i = 0; i < SCOREBOARD_SYNC_BOUNDS; i++) {
        if (scoreboard_sync_bounds_ns[i] < SYNC_MS * UINT64_C(1000000))
            assert_int_equal(syncs.up_to[i], 0);
    }
    scoreboard_destroy(scoreboard);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sync_timer)};

    return cmocka_run_group_tests_name("sync_timer", tests, NULL, NULL);
}
