/* The scoreboard: what workers and ledger count, in shared memory. */
#include "cmocka_all.h"
#include "peer_ip.h"
#include "scoreboard.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKERS 3

static uint64_t ip_of(uint32_t number)
{
    const struct in6_addr ip = peer_ip_of_v4((struct in_addr){.s_addr = htonl(number)});

    return peer_ip_key(&ip);
}

static int begin(void **state)
{
    struct scoreboard *scoreboard;

    assert_int_equal(scoreboard_create(WORKERS, &scoreboard), STATUS_OK);
    *state = scoreboard;
    return 0;
}

static int end(void **state)
{
    scoreboard_destroy(*state);
    scoreboard_destroy(NULL);
    return 0;
}

/* Connections are counted in all and per address, over all workers, until they are gone. */
static void test_counts(void **state)
{
    struct scoreboard *scoreboard = *state;

    assert_int_equal(scoreboard_connections(scoreboard), 0);
    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        for (uint32_t i = 0; i <= worker; i++)
            scoreboard_add(scoreboard, worker, ip_of(0x7f000001));
        scoreboard_add(scoreboard, worker, ip_of(0x0a000001));
    }
    assert_int_equal(scoreboard_connections(scoreboard), 9);
    assert_int_equal(scoreboard_connections_from(scoreboard, ip_of(0x7f000001)), 6);
    assert_int_equal(scoreboard_connections_from(scoreboard, ip_of(0x0a000001)), 3);
    assert_int_equal(scoreboard_connections_from(scoreboard, ip_of(0x0a000002)), 0);
    scoreboard_remove(scoreboard, 2, ip_of(0x7f000001));
    assert_int_equal(scoreboard_connections(scoreboard), 8);
    assert_int_equal(scoreboard_connections_from(scoreboard, ip_of(0x7f000001)), 5);
}

/* An address of IPv6 shares the limit with those of its /64, and with no others. */
static void test_ipv6(void **state)
{
    struct scoreboard *scoreboard = *state;
    static const char *const texts[] = {"2001:db8:1:2::1", "2001:db8:1:2:3:4:5:6",
                                        "2001:db8:1:3::1"};
    uint64_t ips[3];

    for (size_t i = 0; i < 3; i++) {
        struct in6_addr ip;
        assert_int_equal(inet_pton(AF_INET6, texts[i], &ip), 1);
        ips[i] = peer_ip_key(&ip);
    }
    scoreboard_add(scoreboard, 0, ips[0]);
    scoreboard_add(scoreboard, 1, ips[1]);
    scoreboard_add(scoreboard, 1, ips[2]);
    assert_int_equal(scoreboard_connections_from(scoreboard, ips[0]), 2);
    assert_int_equal(scoreboard_connections_from(scoreboard, ips[2]), 1);
    scoreboard_remove(scoreboard, 0, ips[1]);
    assert_int_equal(scoreboard_connections_from(scoreboard, ips[1]), 1);
}

/* A worker that died has no connections any more, and the others keep theirs. */
static void test_clear(void **state)
{
    struct scoreboard *scoreboard = *state;

    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        atomic_store(&scoreboard->row[worker].is_alive, 1);
        scoreboard_add(scoreboard, worker, ip_of(1));
        scoreboard_add(scoreboard, worker, ip_of(2));
    }
    scoreboard_clear(scoreboard, 1);
    assert_int_equal(scoreboard_connections(scoreboard), 4);
    assert_int_equal(scoreboard_connections_from(scoreboard, ip_of(2)), 2);
    assert_int_equal(atomic_load(&scoreboard->row[1].is_alive), 0);
    assert_int_equal(atomic_load(&scoreboard->row[0].is_alive), 1);
}

/* Only the other workers that are alive count for whose turn it is. */
static void test_fewest_of_others(void **state)
{
    struct scoreboard *scoreboard = *state;

    assert_true(scoreboard_fewest_of_others(scoreboard, 0) == UINT32_MAX); /* nobody lives */
    atomic_store(&scoreboard->row[0].is_alive, 1);
    assert_true(scoreboard_fewest_of_others(scoreboard, 0) == UINT32_MAX); /* alone */
    assert_int_equal(scoreboard_fewest_of_others(scoreboard, 1), 0);
    atomic_store(&scoreboard->row[1].is_alive, 1);
    atomic_store(&scoreboard->row[2].is_alive, 1);
    for (uint32_t i = 0; i < 5; i++)
        scoreboard_add(scoreboard, 0, ip_of(i));
    for (uint32_t i = 0; i < 3; i++)
        scoreboard_add(scoreboard, 1, ip_of(i));
    for (uint32_t i = 0; i < 4; i++)
        scoreboard_add(scoreboard, 2, ip_of(i));
    assert_int_equal(scoreboard_fewest_of_others(scoreboard, 0), 3);
    assert_int_equal(scoreboard_fewest_of_others(scoreboard, 1), 4);
    atomic_store(&scoreboard->row[1].is_alive, 0);
    assert_int_equal(scoreboard_fewest_of_others(scoreboard, 0), 4);
}

/* Processes see each other's counts. */
static void test_shared_between_processes(void **state)
{
    struct scoreboard *scoreboard = *state;
    int status;

    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        scoreboard_add(scoreboard, 1, ip_of(9));
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(scoreboard_connections(scoreboard), 1);
    assert_int_equal(scoreboard_connections_from(scoreboard, ip_of(9)), 1);
}

/* Neighbouring addresses, as in one network, rarely share a bucket. */
static void test_neighbours_are_told_apart(void **state)
{
    enum { NEIGHBOURS = 254 };
    struct scoreboard *scoreboard = *state;
    unsigned shared = 0;

    for (uint32_t i = 1; i <= NEIGHBOURS; i++)
        scoreboard_add(scoreboard, 0, ip_of(0xc0a80000 + i));
    for (uint32_t i = 1; i <= NEIGHBOURS; i++)
        shared += scoreboard_connections_from(scoreboard, ip_of(0xc0a80000 + i)) > 1;
    assert_true(shared <= NEIGHBOURS / 10);
}

/* A view shows what is written after it was made, and outlives the scoreboard it was made from. */
static void test_view(void **state)
{
    const struct scoreboard *view;
    struct scoreboard *scoreboard;

    (void)state;
    assert_int_equal(scoreboard_create(WORKERS, &scoreboard), STATUS_OK);
    assert_int_equal(scoreboard_view(scoreboard_fd(scoreboard), &view), STATUS_OK);
    assert_int_equal(view->workers, WORKERS);
    assert_int_equal(scoreboard_connections(view), 0);
    scoreboard_add(scoreboard, 2, ip_of(1));
    scoreboard_count(&scoreboard->row[2], SCOREBOARD_BETS, 7);
    scoreboard_set_agency(scoreboard->ledger, SCOREBOARD_AGENCIES_MAX, 9, true);
    scoreboard_destroy(scoreboard);
    assert_int_equal(scoreboard_connections(view), 1);
    assert_int_equal(scoreboard_total(view, SCOREBOARD_BETS), 7);
    assert_int_equal(scoreboard_agency(view, SCOREBOARD_AGENCIES_MAX).bets, 9);
    scoreboard_unview(view);
    scoreboard_unview(NULL);
}

/* Nobody can write through the descriptor or the view: not by mprotect(2), not by opening the same
 * memory again. */
static void test_view_is_read_only(void **state)
{
    const struct scoreboard *scoreboard = *state;
    const struct scoreboard *view;
    int fd = scoreboard_fd(scoreboard);
    char path[32];

    assert_int_equal(scoreboard_view(fd, &view), STATUS_OK);
    assert_int_equal(mprotect(view->shared, 4096, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
    assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    if (again >= 0) {
        assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0) == MAP_FAILED);
        assert_int_equal(pwrite(again, "x", 1, 0), -1);
        assert_int_equal(ftruncate(again, 0), -1);
        (void)close(again);
    }
    scoreboard_unview(view);
}

/* Other memory is not taken for a scoreboard. */
static void test_view_of_others(void **state)
{
    const struct scoreboard *view;
    int fd = memfd_create("other", MFD_CLOEXEC);
    const struct scoreboard *scoreboard = *state;

    assert_true(fd >= 0);
    assert_int_equal(scoreboard_view(fd, &view), STATUS_DAMAGED);
    off_t size = lseek(scoreboard_fd(scoreboard), 0, SEEK_END);
    assert_int_equal(ftruncate(fd, size - 1), 0);
    assert_int_equal(scoreboard_view(fd, &view), STATUS_DAMAGED);
    (void)close(fd);
    assert_int_equal(scoreboard_view(-1, &view), STATUS_IO);
}

/* A worker that died keeps what it has counted, but has no claims any more. */
static void test_clear_keeps_counts(void **state)
{
    struct scoreboard *scoreboard = *state;

    for (uint32_t worker = 0; worker < WORKERS; worker++) {
        scoreboard_count(&scoreboard->row[worker], SCOREBOARD_NEW_BETS, 10);
        scoreboard_claim(&scoreboard->row[worker], 1);
        scoreboard_claim(&scoreboard->row[worker], SCOREBOARD_AGENCIES_MAX);
    }
    scoreboard_clear(scoreboard, 1);
    assert_int_equal(scoreboard_total(scoreboard, SCOREBOARD_NEW_BETS), 30);
    assert_int_equal(scoreboard_agency(scoreboard, 1).connections, 2);
    assert_int_equal(scoreboard_agency(scoreboard, SCOREBOARD_AGENCIES_MAX).connections, 2);
    scoreboard_count(&scoreboard->row[1], SCOREBOARD_NEW_BETS, 1);
    assert_int_equal(scoreboard_total(scoreboard, SCOREBOARD_NEW_BETS), 31);
}

/* Each agency has its own place; ids that have none change nothing. */
static void test_agencies(void **state)
{
    struct scoreboard *scoreboard = *state;
    const uint32_t ids[] = {0, SCOREBOARD_AGENCIES_MAX + 1, UINT32_MAX};

    scoreboard_set_agency(scoreboard->ledger, 1, 5, false);
    scoreboard_set_agency(scoreboard->ledger, SCOREBOARD_AGENCIES_MAX, 6, true);
    scoreboard_claim(&scoreboard->row[0], 1);
    scoreboard_claim(&scoreboard->row[2], 1);
    scoreboard_unclaim(&scoreboard->row[0], 1);
    for (size_t i = 0; i < 3; i++) {
        scoreboard_set_agency(scoreboard->ledger, ids[i], 9, true);
        scoreboard_claim(&scoreboard->row[0], ids[i]);
        struct scoreboard_agency none = scoreboard_agency(scoreboard, ids[i]);
        assert_int_equal(none.bets + none.connections + none.has_finished, 0);
    }
    struct scoreboard_agency first = scoreboard_agency(scoreboard, 1);
    assert_int_equal(first.bets, 5);
    assert_false(first.has_finished);
    assert_int_equal(first.connections, 1);
    struct scoreboard_agency last = scoreboard_agency(scoreboard, SCOREBOARD_AGENCIES_MAX);
    assert_int_equal(last.bets, 6);
    assert_true(last.has_finished);
    assert_int_equal(last.connections, 0);
    assert_int_equal(scoreboard_agency(scoreboard, 2).bets, 0);
}

/* Who has no scoreboard counts nothing. */
static void test_without_scoreboard(void **state)
{
    (void)state;
    scoreboard_count(NULL, SCOREBOARD_BETS, 1);
    scoreboard_claim(NULL, 1);
    scoreboard_unclaim(NULL, 1);
    scoreboard_set_agency(NULL, 1, 1, true);
    scoreboard_recovered(NULL, 1);
    scoreboard_committed(NULL, STATUS_OK, 1);
    scoreboard_synced(NULL, 1);
}

/* What a draw had before the server started does not count as stored by it. What its ledger had
 * made durable, but did not live to count, does. */
static void test_recovery(void **state)
{
    struct scoreboard *scoreboard = *state;

    assert_int_equal(scoreboard_bets_stored(scoreboard), 0);
    scoreboard_recovered(scoreboard->ledger, 1000);
    assert_int_equal(scoreboard_bets_stored(scoreboard), 0);
    assert_int_equal(scoreboard_draw_bets(scoreboard), 1000);
    scoreboard_committed(scoreboard->ledger, STATUS_OK, 1010);
    scoreboard_committed(scoreboard->ledger, STATUS_NOSPACE, 1020);
    assert_int_equal(scoreboard_bets_stored(scoreboard), 10);
    assert_int_equal(scoreboard_groups(scoreboard), 2);
    assert_int_equal(scoreboard_store_status(scoreboard), STATUS_NOSPACE);
    scoreboard_recovered(scoreboard->ledger, 1025);
    assert_int_equal(scoreboard_bets_stored(scoreboard), 25);
    assert_int_equal(scoreboard_draw_bets(scoreboard), 1025);
    assert_int_equal(scoreboard_store_status(scoreboard), STATUS_OK);
}

/* A sync counts for its own bound and for all larger ones. */
static void test_syncs(void **state)
{
    struct scoreboard *scoreboard = *state;
    const uint64_t last = scoreboard_sync_bounds_ns[SCOREBOARD_SYNC_BOUNDS - 1];

    scoreboard_synced(scoreboard->ledger, 0);
    scoreboard_synced(scoreboard->ledger, scoreboard_sync_bounds_ns[0]);
    scoreboard_synced(scoreboard->ledger, scoreboard_sync_bounds_ns[0] + 1);
    scoreboard_synced(scoreboard->ledger, last);
    scoreboard_synced(scoreboard->ledger, last + 1);
    struct scoreboard_syncs syncs = scoreboard_syncs(scoreboard);
    assert_int_equal(syncs.count, 5);
    assert_int_equal(syncs.up_to[0], 2);
    assert_int_equal(syncs.up_to[1], 3);
    assert_int_equal(syncs.up_to[SCOREBOARD_SYNC_BOUNDS - 2], 3);
    assert_int_equal(syncs.up_to[SCOREBOARD_SYNC_BOUNDS - 1], 4);
    assert_true(syncs.total_ns == 2 * scoreboard_sync_bounds_ns[0] + 1 + 2 * last + 1);
}

/* Counts as they are: all of them, added up, so that a change of any shows. */
static uint64_t sum_of_counts(const struct scoreboard *scoreboard)
{
    const struct scoreboard_syncs syncs = scoreboard_syncs(scoreboard);
    uint64_t sum = syncs.count + syncs.total_ns + scoreboard_groups(scoreboard);

    for (int i = 0; i < SCOREBOARD_SYNC_BOUNDS; i++)
        sum += syncs.up_to[i];
    for (int i = 0; i < SCOREBOARD_COUNTS; i++)
        sum += scoreboard_total(scoreboard, (enum scoreboard_count)i);
    return sum + scoreboard_bets_stored(scoreboard);
}

/* Two scoreboards; the first one has counted everything, in a draw of 1000 bets, 10 of them new. */
static struct scoreboard *count_everything(struct scoreboard *scoreboard)
{
    struct scoreboard *next;

    for (int i = 0; i < SCOREBOARD_COUNTS; i++) {
        scoreboard_count(&scoreboard->row[0], (enum scoreboard_count)i, (uint64_t)i + 1);
        scoreboard_count(&scoreboard->row[WORKERS - 1], (enum scoreboard_count)i, 100);
    }
    scoreboard_recovered(scoreboard->ledger, 990);
    scoreboard_set_agency(scoreboard->ledger, 3, 1000, true);
    scoreboard_committed(scoreboard->ledger, STATUS_OK, 1000);
    scoreboard_synced(scoreboard->ledger, 300000);
    scoreboard_synced(scoreboard->ledger, UINT32_MAX);
    scoreboard_add(scoreboard, 0, ip_of(1));
    scoreboard_claim(&scoreboard->row[0], 3);
    assert_int_equal(scoreboard_create(1, &next), STATUS_OK);
    return next;
}

/* New settings: counts go on, also with fewer workers, and the draw is known at once. What the last
 * ledger did not live to count is counted by the next. Connections are not taken over. */
static void test_take_over_same_draw(void **state)
{
    struct scoreboard *scoreboard = *state;
    struct scoreboard *next = count_everything(scoreboard);
    const uint64_t sum = sum_of_counts(scoreboard);

    scoreboard_take_over(next, scoreboard, true);
    assert_int_equal(sum_of_counts(next), sum);
    assert_int_equal(scoreboard_draw_bets(next), 1000);
    assert_int_equal(scoreboard_agency(next, 3).bets, 1000);
    assert_true(scoreboard_agency(next, 3).has_finished);
    assert_int_equal(scoreboard_agency(next, 3).connections, 0);
    assert_int_equal(scoreboard_connections(next), 0);
    scoreboard_recovered(next->ledger, 1003);
    assert_int_equal(scoreboard_bets_stored(next), 13);
    scoreboard_count(&next->row[0], SCOREBOARD_ACCEPTED, 1);
    assert_int_equal(sum_of_counts(next), sum + 4);
    scoreboard_destroy(next);
}

/* The next draw: counts go on, and nothing is left of the draw before. */
static void test_take_over_next_draw(void **state)
{
    struct scoreboard *scoreboard = *state;
    struct scoreboard *next = count_everything(scoreboard);
    const uint64_t sum = sum_of_counts(scoreboard);

    scoreboard_take_over(next, scoreboard, false);
    assert_int_equal(sum_of_counts(next), sum);
    assert_int_equal(scoreboard_draw_bets(next), 0);
    assert_int_equal(scoreboard_agency(next, 3).bets, 0);
    assert_false(scoreboard_agency(next, 3).has_finished);
    scoreboard_recovered(next->ledger, 0);
    scoreboard_committed(next->ledger, STATUS_OK, 5);
    assert_int_equal(scoreboard_bets_stored(next), 15);
    assert_int_equal(sum_of_counts(next), sum + 5 + 1);
    scoreboard_destroy(next);
}

/* A movement that failed: the scoreboard before goes on from what the other has counted meanwhile.
 */
static void test_take_over_and_back(void **state)
{
    for (int is_same_draw = 0; is_same_draw < 2; is_same_draw++) {
        struct scoreboard *before;
        assert_int_equal(scoreboard_create(WORKERS, &before), STATUS_OK);
        struct scoreboard *next = count_everything(before);
        scoreboard_take_over(next, before, is_same_draw != 0);
        scoreboard_recovered(next->ledger, is_same_draw != 0 ? 1002 : 0);
        scoreboard_committed(next->ledger, STATUS_OK, is_same_draw != 0 ? 1004 : 0);
        scoreboard_synced(next->ledger, 1);
        scoreboard_count(&next->row[0], SCOREBOARD_SENT_BYTES, 77);
        const uint64_t sum = sum_of_counts(next);
        scoreboard_take_over(before, next, is_same_draw != 0);
        assert_int_equal(sum_of_counts(before), sum);
        scoreboard_recovered(before->ledger, is_same_draw != 0 ? 1004 : 1000);
        assert_int_equal(sum_of_counts(before), sum);
        assert_int_equal(scoreboard_bets_stored(before), is_same_draw != 0 ? 14 : 10);
        scoreboard_destroy(next);
        scoreboard_destroy(before);
    }
    (void)state;
}

/* Workers are counted as alive, and each as it is. */
static void test_workers(void **state)
{
    struct scoreboard *scoreboard = *state;

    assert_int_equal(scoreboard_workers_alive(scoreboard), 0);
    atomic_store(&scoreboard->row[1].is_alive, 1);
    scoreboard_add(scoreboard, 1, ip_of(1));
    assert_int_equal(scoreboard_workers_alive(scoreboard), 1);
    assert_true(scoreboard_worker(scoreboard, 1).is_alive);
    assert_int_equal(scoreboard_worker(scoreboard, 1).connections, 1);
    assert_false(scoreboard_worker(scoreboard, 0).is_alive);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_counts),
        CASE(test_ipv6),
        CASE(test_clear),
        CASE(test_fewest_of_others),
        CASE(test_shared_between_processes),
        CASE(test_neighbours_are_told_apart),
        cmocka_unit_test(test_view),
        CASE(test_view_is_read_only),
        CASE(test_view_of_others),
        CASE(test_clear_keeps_counts),
        CASE(test_agencies),
        cmocka_unit_test(test_without_scoreboard),
        CASE(test_recovery),
        CASE(test_syncs),
        CASE(test_take_over_same_draw),
        CASE(test_take_over_next_draw),
        cmocka_unit_test(test_take_over_and_back),
        CASE(test_workers),
    };

    return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
