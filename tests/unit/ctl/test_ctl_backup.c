/* The files and the folder of a backup: which names there are, bytes that are copied by either call
 * of the kernel, calls that fail, and what is left then. The rest is in
 * tests/integration/test_backup.py. */
#include "cmocka_all.h"
#include "ctl_copy.h"
#include "ctl_target.h"
#include "tmpdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#define SIZE 100000

static struct {
    int range_error;    /* of copy_file_range; -1: it says that it has copied nothing */
    int sendfile_error; /* of sendfile, once */
    size_t step;        /* bytes that one call copies at most; 0: all */
    unsigned ranges;    /* calls */
    unsigned sendfiles;
    unsigned fsyncs;
    unsigned fsync_fails; /* the call with this number fails; 0: none */
} calls;

/* The linker's --wrap gives these their names; that of sendfile() has 64 in it, as files are large.
 */
ssize_t __real_copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t size,
                               unsigned flags);
ssize_t __wrap_copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t size,
                               unsigned flags);
ssize_t __real_sendfile64(int to, int from, off_t *at, size_t size);
ssize_t __wrap_sendfile64(int to, int from, off_t *at, size_t size);
int __real_fsync(int fd);
int __wrap_fsync(int fd);

static size_t at_most(size_t size)
{
    return calls.step > 0 && size > calls.step ? calls.step : size;
}

ssize_t __wrap_copy_file_range(int from, off_t *from_at, int to, off_t *to_at, size_t size,
                               unsigned flags)
{
    calls.ranges++;
    if (calls.range_error > 0) {
        errno = calls.range_error;
        return -1;
    }
    if (calls.range_error < 0)
        return 0;
    return __real_copy_file_range(from, from_at, to, to_at, at_most(size), flags);
}

ssize_t __wrap_sendfile64(int to, int from, off_t *at, size_t size)
{
    calls.sendfiles++;
    if (calls.sendfile_error > 0) {
        errno = calls.sendfile_error;
        calls.sendfile_error = 0;
        return -1;
    }
    return __real_sendfile64(to, from, at, at_most(size));
}

int __wrap_fsync(int fd)
{
    if (++calls.fsyncs == calls.fsync_fails) {
        errno = EIO;
        return -1;
    }
    return __real_fsync(fd);
}

struct fixture {
    char *path;
    int dir_fd;      /* of it */
    int data_dir_fd; /* of the folder `data` in it */
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    memset(&calls, 0, sizeof(calls));
    f->path = tmpdir_make();
    f->dir_fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(f->dir_fd, "data", 0750), 0);
    f->data_dir_fd = openat(f->dir_fd, "data", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->data_dir_fd >= 0);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(close(f->data_dir_fd), 0);
    assert_int_equal(close(f->dir_fd), 0);
    tmpdir_remove(f->path);
    free(f);
    return 0;
}

/* ------------------------------------------------------------------ files */

/* Names are one or two parts of letters, digits and some signs; never a way elsewhere. */
static void test_names(void **state)
{
    static const char *const good[] = {"a", "bets.csv", "2026-11-25/bets.csv", "0/9",
                                       "a_b-c.d/e..f"};
    static const char *const bad[] = {"",      "/",     ".",       "..",   "a/",  "/a",  "a//b",
                                      "a/.b",  "a/..",  "../a",    "-a",   "_a",  "a b", "a\nb",
                                      "a/b/c", "a\x80", "a/b\x01", "a\\b", "./a", "a/b/"};
    char longest[300];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(ctl_copy_is_name(good[i]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ctl_copy_is_name(bad[i]))
            fail_msg("\"%s\"", bad[i]);
    }
    memset(longest, 'x', sizeof(longest));
    longest[128] = '\0';
    assert_true(ctl_copy_is_name(longest));
    longest[128] = 'x';
    longest[129] = '\0';
    assert_false(ctl_copy_is_name(longest));
    longest[128] = '/';
    longest[129] = 'x';
    longest[257] = '\0';
    assert_true(ctl_copy_is_name(longest));
    longest[257] = 'x';
    longest[258] = '\0';
    assert_false(ctl_copy_is_name(longest));
}

/* Opens `from` with SIZE bytes, at its beginning, and an empty `to`. */
static void make_files(const struct fixture *f, int *from, int *to)
{
    char bytes[SIZE];

    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (char)(i % 251);
    *from = openat(f->dir_fd, "from", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    *to = openat(f->dir_fd, "to", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_int_equal(write(*from, bytes, SIZE), SIZE);
    assert_int_equal(lseek(*from, 0, SEEK_SET), 0);
}

/* `to` has the first `size` bytes of `from`, and no others. Closes both. */
static void expect_copied(int from, int to, size_t size)
{
    char bytes[SIZE + 1];

    assert_int_equal(pread(to, bytes, sizeof(bytes), 0), size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal((unsigned char)bytes[i], i % 251);
    assert_int_equal(close(from), 0);
    assert_int_equal(close(to), 0);
}

struct counter {
    uint64_t bytes;
    uint64_t stops_at; /* 0: never */
};

static bool count(void *owner, uint64_t size)
{
    struct counter *counter = owner;

    counter->bytes += size;
    return counter->stops_at == 0 || counter->bytes < counter->stops_at;
}

/* However much a call copies, and whichever call it is that can: what it cannot, the other does. */
static void test_copies(void **state)
{
    static const int range_errors[] = {0, EXDEV, EINVAL, ENOSYS, EOPNOTSUPP, EINTR, -1};
    static const size_t steps[] = {0, 1000, 4097};
    struct fixture *f = *state;
    struct errbuf err;

    for (size_t i = 0; i < sizeof(range_errors) / sizeof(range_errors[0]); i++) {
        for (size_t j = 0; j < 3; j++) {
            struct counter counter = {0};
            int from;
            int to;
            memset(&calls, 0, sizeof(calls));
            calls.range_error = range_errors[i];
            calls.sendfile_error = i == 1 ? EINTR : 0;
            calls.step = steps[j];
            make_files(f, &from, &to);
            assert_int_equal(
                ctl_copy_bytes(from, to, SIZE - 1, &(struct ctl_progress){count, &counter}, &err),
                STATUS_OK);
            assert_int_equal(counter.bytes, SIZE - 1);
            assert_int_equal(calls.sendfiles > 0, range_errors[i] != 0);
            assert_true(range_errors[i] == 0 || calls.ranges == 1);
            expect_copied(from, to, SIZE - 1);
        }
    }
    int from;
    int to;
    make_files(f, &from, &to);
    assert_int_equal(ctl_copy_bytes(from, to, 0, &(struct ctl_progress){NULL, NULL}, &err),
                     STATUS_OK);
    expect_copied(from, to, 0);
}

/* Fewer bytes than there have to be; a full disk; and somebody who wants it to stop. */
static void test_copying_fails(void **state)
{
    struct fixture *f = *state;
    struct counter counter = {.stops_at = 5000};
    struct errbuf err;
    int from;
    int to;

    make_files(f, &from, &to);
    assert_int_equal(ctl_copy_bytes(from, to, SIZE + 1, &(struct ctl_progress){NULL, NULL}, &err),
                     STATUS_DAMAGED);
    assert_string_equal(err.text, "it has become shorter");
    expect_copied(from, to, SIZE);
    calls.range_error = calls.sendfile_error = ENOSPC;
    make_files(f, &from, &to);
    assert_int_equal(ctl_copy_bytes(from, to, SIZE, &(struct ctl_progress){NULL, NULL}, &err),
                     STATUS_NOSPACE);
    assert_string_equal(err.text, strerror(ENOSPC));
    expect_copied(from, to, 0);
    calls.range_error = 0;
    calls.step = 1000;
    make_files(f, &from, &to);
    assert_int_equal(ctl_copy_bytes(from, to, SIZE, &(struct ctl_progress){count, &counter}, &err),
                     STATUS_STOPPED);
    expect_copied(from, to, 5000);
    assert_int_equal(ctl_copy_write(-1, "x", 1, &err), STATUS_IO);
    assert_string_equal(err.text, strerror(EBADF));
}

/* ------------------------------------------------------------------ the folder */

/* How many names are in the test's folder, and how many of these are another name of a backup. */
static void count_names(const struct fixture *f, unsigned *all, unsigned *parts)
{
    DIR *stream = opendir(f->path);
    const struct dirent *entry;

    *all = *parts = 0;
    assert_non_null(stream);
    while ((entry = readdir(stream)) != NULL) {
        *all += entry->d_name[0] != '.';
        *parts += strstr(entry->d_name, "copy.part-") == entry->d_name;
    }
    (void)closedir(stream);
}

static void make_file(struct ctl_target *target, const char *name)
{
    struct errbuf err = {{0}};
    int fd;

    if (ctl_target_make_file(target, name, 0640, &fd, &err) != STATUS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(ctl_copy_write(fd, name, strlen(name), &err), STATUS_OK);
    assert_int_equal(close(fd), 0);
}

static void create(const struct fixture *f, struct ctl_target *target)
{
    char path[600];
    struct errbuf err = {{0}};

    (void)snprintf(path, sizeof(path), "%s/copy", f->path);
    if (ctl_target_create(target, path, f->data_dir_fd, &err) != STATUS_OK)
        fail_msg("%s", err.text);
}

/* It has another name until it is finished: its folders are synced before, and the one in which it
 * is afterwards. */
static void test_target(void **state)
{
    struct fixture *f = *state;
    struct ctl_target target;
    struct errbuf err;
    unsigned all;
    unsigned parts;
    int fd;

    create(f, &target);
    make_file(&target, "a");
    make_file(&target, "d/b");
    make_file(&target, "d/c");
    assert_int_equal(ctl_target_make_file(&target, "a", 0640, &fd, &err), STATUS_IO);
    assert_int_equal(ctl_target_make_file(&target, "e/a", 0640, &fd, &err), STATUS_INVALID);
    assert_int_equal(ctl_target_make_file(&target, "../a", 0640, &fd, &err), STATUS_INVALID);
    count_names(f, &all, &parts);
    assert_int_equal(all, 2);
    assert_int_equal(parts, 1);
    assert_int_equal(ctl_target_finish(&target, &err), STATUS_OK);
    assert_int_equal(calls.fsyncs, 3);
    ctl_target_close(&target);
    count_names(f, &all, &parts);
    assert_int_equal(all, 2);
    assert_int_equal(parts, 0);
    assert_int_equal(faccessat(f->dir_fd, "copy/d/c", R_OK, 0), 0);
}

/* A sync that fails: before it has its name, nothing is left; afterwards it stays, and that is
 * said. */
static void test_target_fails(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= 3; i++) {
        struct ctl_target target;
        struct errbuf err;
        unsigned all;
        unsigned parts;
        calls.fsyncs = 0;
        calls.fsync_fails = i;
        create(f, &target);
        make_file(&target, "a");
        make_file(&target, "d/b");
        assert_int_equal(ctl_target_finish(&target, &err), i < 3 ? STATUS_IO : STATUS_UNCERTAIN);
        assert_non_null(strstr(err.text, "/copy: "));
        if (i < 3)
            ctl_target_discard(&target);
        ctl_target_close(&target);
        count_names(f, &all, &parts);
        assert_int_equal(all, i < 3 ? 1 : 2);
        assert_int_equal(parts, 0);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_names),  CASE(test_copies),       CASE(test_copying_fails),
        CASE(test_target), CASE(test_target_fails),
    };

    return cmocka_run_group_tests_name("ctl_backup", tests, NULL, NULL);
}
