/* How many processors the server uses, with files of control groups of the test's own. */
#include "cmocka_all.h"
#include "cpu_count.h"
#include "tmpdir.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define V2 "/sys/fs/cgroup"

#define NO_LIMIT UINT32_MAX

struct fixture {
    char *root;
};

/* Writes a file of the pretended system, and the folders that it needs. */
static void put(const struct fixture *f, const char *path, const char *text)
{
    char full[PATH_MAX];

    (void)snprintf(full, sizeof(full), "%s%s", f->root, path);
    for (char *slash = full + strlen(f->root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        (void)mkdir(full, 0700);
        *slash = '/';
    }
    FILE *file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->root = tmpdir_make();
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    tmpdir_remove(f->root);
    free(f);
    return 0;
}

static void assert_quota(const struct fixture *f, uint32_t expected)
{
    assert_int_equal(cpu_quota(f->root), expected);
}

/* The affinity counts as long as no quota is smaller, and the other way round. */
static void test_count(void **state)
{
    struct fixture *f = *state;
    cpu_set_t before;
    cpu_set_t one;
    int cpu = 0;

    assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(cpu_count(f->root), CPU_COUNT(&before));
    while (!CPU_ISSET(cpu, &before))
        cpu++;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
    uint32_t count = cpu_count(f->root);
    assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
    assert_int_equal(count, 1);

    put(f, "/proc/self/cgroup", "0::/\n");
    put(f, V2 "/cpu.max", "100000000 100000\n");
    assert_int_equal(cpu_count(f->root), CPU_COUNT(&before));
    put(f, V2 "/cpu.max", "100000 100000\n");
    assert_int_equal(cpu_count(f->root), 1);
    assert_in_range(cpu_count(""), 1, CPU_COUNT(&before)); /* the real system */
}

/* Without files of control groups, or with empty or foreign ones, there is no limit. */
static void test_no_groups(void **state)
{
    struct fixture *f = *state;

    assert_quota(f, NO_LIMIT);
    put(f, "/proc/self/cgroup", "");
    assert_quota(f, NO_LIMIT);
    put(f, "/proc/self/cgroup", "nonsense\n:\n\n0:\n1:cpu\n2:memory:/\n");
    assert_quota(f, NO_LIMIT);
}

/* Version 2: "QUOTA PERIOD", rounded up, or "max PERIOD". What is not a number does not limit. */
static void test_version_2(void **state)
{
    static const struct {
        const char *line;
        uint32_t expected;
    } cases[] = {
        {"100000 100000\n", 1},
        {"100001 100000\n", 2},
        {"1000 100000\n", 1},
        {"50000 100000", 1},
        {"150000 100000\n", 2},
        {"9223372036854775807 1\n", NO_LIMIT},
        {"max 100000\n", NO_LIMIT},
        {"0 100000\n", NO_LIMIT},
        {"100000 0\n", NO_LIMIT},
        {"-1 100000\n", NO_LIMIT},
        {"100000\n", NO_LIMIT},
        {"\n", NO_LIMIT},
        {"", NO_LIMIT},
        {"x 1\n", NO_LIMIT},
        {"99999999999999999999 1\n", NO_LIMIT},
    };
    struct fixture *f = *state;

    put(f, "/proc/self/cgroup", "0::/a/b\n");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put(f, V2 "/a/b/cpu.max", cases[i].line);
        assert_quota(f, cases[i].expected);
    }
}

/* A group above limits those in it; the smallest quota counts, whichever group has it. */
static void test_groups_above(void **state)
{
    struct fixture *f = *state;

    put(f, "/proc/self/cgroup", "0::/a/b/c\n");
    put(f, V2 "/a/cpu.max", "100000 100000\n");
    assert_quota(f, 1);
    put(f, V2 "/a/b/c/cpu.max", "900000 100000\n");
    assert_quota(f, 1);
    put(f, V2 "/a/cpu.max", "900000 100000\n");
    put(f, V2 "/a/b/c/cpu.max", "1 100000\n");
    assert_quota(f, 1);
    put(f, V2 "/a/b/c/cpu.max", "max 100000\n");
    assert_quota(f, 9);
    put(f, V2 "/a/bx/cpu.max", "1 100000\n"); /* another one */
    put(f, V2 "/a/b/cpu.maxi", "1 100000\n");
    assert_quota(f, 9);
}

/* In a container the group is the root of what is mounted, whatever /proc calls it. */
static void test_container(void **state)
{
    struct fixture *f = *state;

    put(f, V2 "/cpu.max", "100000 100000\n");
    put(f, "/proc/self/cgroup", "0::/\n");
    assert_quota(f, 1);
    put(f, "/proc/self/cgroup", "0::/docker/0123456789\n");
    assert_quota(f, 1);
    put(f, "/proc/self/cgroup", "0::/../elsewhere\n");
    assert_quota(f, 1);
}

/* Version 1 has two files, in the mount of the controllers of which cpu is one. */
static void test_version_1(void **state)
{
    static const char *const mounts[] = {"cpu", "cpu,cpuacct", "cpuacct,cpu"};
    char path[256];

    for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
        struct fixture *f = *state;
        (void)snprintf(path, sizeof(path), "9:memory:/m\n3:%s:/a\n1:cpuset:/\n", mounts[i]);
        put(f, "/proc/self/cgroup", path);
        (void)snprintf(path, sizeof(path), V2 "/%s/a/cpu.cfs_quota_us", mounts[i]);
        put(f, path, "100000\n");
        assert_quota(f, NO_LIMIT); /* no period */
        (void)snprintf(path, sizeof(path), V2 "/%s/a/cpu.cfs_period_us", mounts[i]);
        put(f, path, "100000\n");
        assert_quota(f, 1);
        (void)snprintf(path, sizeof(path), V2 "/%s/a/cpu.cfs_quota_us", mounts[i]);
        put(f, path, "-1\n");
        assert_quota(f, NO_LIMIT);
        assert_int_equal(end(state), 0);
        assert_int_equal(begin(state), 0);
    }
}

/* Another controller whose name begins or ends with cpu is not it. */
static void test_other_controllers(void **state)
{
    struct fixture *f = *state;

    put(f, "/proc/self/cgroup", "3:cpuset,cpuacct:/\n4:mycpu:/\n5:name=cpu:/\n");
    put(f, V2 "/cpu/cpu.cfs_quota_us", "1\n");
    put(f, V2 "/cpu/cpu.cfs_period_us", "100000\n");
    assert_quota(f, NO_LIMIT);
}

/* Both versions at once: systems that are on their way have version 2 in a folder of its own. */
static void test_both(void **state)
{
    struct fixture *f = *state;

    put(f, "/proc/self/cgroup", "1:cpu:/\n0::/user\n");
    put(f, V2 "/unified/user/cpu.max", "100000 100000\n");
    assert_quota(f, 1);
    put(f, V2 "/unified/user/cpu.max", "max 100000\n");
    assert_quota(f, NO_LIMIT);
    put(f, V2 "/cpu/cpu.cfs_quota_us", "100000\n");
    put(f, V2 "/cpu/cpu.cfs_period_us", "100000\n");
    assert_quota(f, 1);
}

/* Names of groups that are too long for a path do not limit, and do no harm. */
static void test_long_names(void **state)
{
    struct fixture *f = *state;
    static char line[2 * PATH_MAX];

    for (size_t length = PATH_MAX - 64; length < PATH_MAX + 64; length++) {
        (void)snprintf(line, sizeof(line), "0::/");
        memset(line + 4, 'x', length);
        line[4 + length] = '\0';
        put(f, "/proc/self/cgroup", line);
        assert_quota(f, NO_LIMIT);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_count),
        CASE(test_no_groups),
        CASE(test_version_2),
        CASE(test_groups_above),
        CASE(test_container),
        CASE(test_version_1),
        CASE(test_other_controllers),
        CASE(test_both),
        CASE(test_long_names),
    };

    return cmocka_run_group_tests_name("cpu_count", tests, NULL, NULL);
}
