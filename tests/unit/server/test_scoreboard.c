/* The scoreboard: connections of all workers, in shared memory. */
#include "cmocka_all.h"
#include "peer_ip.h"
#include "scoreboard.h"

#include <arpa/inet.h>
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
    };

    return cmocka_run_group_tests_name("scoreboard", tests, NULL, NULL);
}
