#include "cmocka_all.h"
#include "data_dir.h"
#include "fault_file_ops.h"
#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A folder `data` in a folder of the test's own, so that it can be moved and replaced. */
struct fixture {
    char *base;              /* owned */
    char path[300];          /* of the data directory */
    char elsewhere[300];     /* beside it; nothing is there at first */
    struct data_dir dir;     /* opened by some tests */
    struct data_dir another; /* opened by some tests */
    struct errbuf err;
};

static int setup(void **state)
{
    struct fixture *self = calloc(1, sizeof(*self));

    assert_non_null(self);
    self->base = tmpdir_make();
    (void)snprintf(self->path, sizeof(self->path), "%s/data", self->base);
    (void)snprintf(self->elsewhere, sizeof(self->elsewhere), "%s/elsewhere", self->base);
    assert_int_equal(mkdir(self->path, 0755), 0);
    self->dir = self->another = (struct data_dir){.fd = -1, .old_lock_fd = -1};
    fault_reset();
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *self = *state;

    data_dir_close(&self->dir);
    data_dir_close(&self->another);
    tmpdir_remove(self->base);
    free(self);
    return 0;
}

static void open_dir(struct fixture *self)
{
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->dir, &self->err), STATUS_OK);
}

static void make_file(struct fixture *self, const char *name)
{
    int fd = data_dir_open_file(&self->dir, name, O_RDWR | O_CREAT | O_EXCL);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(close(fd), 0);
}

static void assert_reason(const struct fixture *self, const char *text)
{
    if (strstr(self->err.text, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, self->err.text);
}

/* The second opening is refused while the first one lasts, and succeeds afterwards. */
static void test_second_opening(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_INUSE);
    assert_reason(self, "data directory ");
    assert_reason(self, "/data: another server works on this folder");
    data_dir_close(&self->dir);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_OK);
}

/* Whatever is removed in the folder, it stays locked; nothing in it was made by the opening. */
static void test_removed_files_do_not_unlock(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    make_file(self, "bets.csv");
    make_file(self, "bets.lock");
    assert_int_equal(unlinkat(self->dir.fd, "bets.csv", 0), 0);
    assert_int_equal(unlinkat(self->dir.fd, "bets.lock", 0), 0);
    assert_int_equal(rmdir(self->path), 0); /* it is empty */
    assert_int_equal(mkdir(self->path, 0755), 0);
    data_dir_close(&self->dir);

    open_dir(self);
    make_file(self, "bets.csv");
    assert_int_equal(unlinkat(self->dir.fd, "bets.csv", 0), 0);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_INUSE);
}

/* A process that inherited the folder keeps it locked until it ends. */
static void test_children_hold_the_lock(void **state)
{
    struct fixture *self = *state;
    int channel[2];
    char byte;

    open_dir(self);
    assert_int_equal(pipe(channel), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(channel[1]);
        _exit(read(channel[0], &byte, 1) == 0 ? 0 : 1);
    }
    assert_int_equal(close(channel[0]), 0);
    data_dir_close(&self->dir);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_INUSE);
    int status;
    assert_int_equal(close(channel[1]), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_OK);
}

/* The opening waits for a server that is about to end. */
static void test_waits_for_a_dying_server(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)usleep(100 * 1000); /* not for synchronisation: how long it takes to die */
        _exit(0);
    }
    data_dir_close(&self->dir);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_OK);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A server of the previous release locks bets.lock: opening and checking are refused. When it has
 * ended, the lock is taken and held while the folder is open. */
static void test_old_lock_file(void **state)
{
    struct fixture *self = *state;
    char name[320];

    (void)snprintf(name, sizeof(name), "%s/bets.lock", self->path);
    int old = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(old >= 0);
    assert_int_equal(flock(old, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->dir, &self->err),
                     STATUS_INUSE);
    assert_reason(self, "/data: bets.lock: another server works on this folder");
    assert_int_equal(data_dir_open_check(self->path, &fault_file_ops, &self->dir, &self->err),
                     STATUS_INUSE);
    assert_string_equal(self->err.text, "bets.lock: another server works on this folder");
    assert_int_equal(flock(old, LOCK_UN), 0);

    open_dir(self);
    assert_int_equal(flock(old, LOCK_EX | LOCK_NB), -1);
    data_dir_close(&self->dir);
    assert_int_equal(flock(old, LOCK_EX | LOCK_NB), 0);
    assert_int_equal(close(old), 0);
    assert_int_equal(access(name, F_OK), 0); /* opening changes nothing */
}

/* A check is refused while a server works there, and keeps no server from starting. */
static void test_open_check(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    assert_int_equal(data_dir_open_check(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_INUSE);
    assert_string_equal(self->err.text, "another server works on this folder");
    make_file(self, "bets.lock");
    data_dir_close(&self->dir);
    assert_int_equal(data_dir_open_check(self->path, &fault_file_ops, &self->another, &self->err),
                     STATUS_OK);
    open_dir(self);
}

static void test_not_a_folder(void **state)
{
    struct fixture *self = *state;
    char name[320];

    assert_int_equal(data_dir_open(self->elsewhere, &fault_file_ops, &self->dir, &self->err),
                     STATUS_NOTFOUND);
    assert_reason(self, "elsewhere: No such file or directory");
    assert_int_equal(data_dir_open_check(self->elsewhere, &fault_file_ops, &self->dir, &self->err),
                     STATUS_NOTFOUND);
    assert_string_equal(self->err.text, "No such file or directory");
    open_dir(self);
    make_file(self, "file");
    (void)snprintf(name, sizeof(name), "%s/file", self->path);
    assert_int_equal(data_dir_open(name, &fault_file_ops, &self->another, &self->err), STATUS_IO);
    assert_reason(self, "Not a directory");
}

static void test_in_place(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    assert_true(data_dir_is_in_place(&self->dir, &self->err));
    make_file(self, "file");
    assert_true(data_dir_is_in_place(&self->dir, &self->err));
    assert_int_equal(unlinkat(self->dir.fd, "file", 0), 0);
    assert_true(data_dir_is_in_place(&self->dir, &self->err)); /* emptied: that is for the store */
}

static void test_moved(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    assert_int_equal(rename(self->path, self->elsewhere), 0);
    assert_false(data_dir_is_in_place(&self->dir, &self->err));
    assert_reason(self, "/data: it was moved: nothing is at its path");
    assert_int_equal(rename(self->elsewhere, self->path), 0);
    assert_true(data_dir_is_in_place(&self->dir, &self->err));
}

static void test_removed(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    assert_int_equal(rmdir(self->path), 0);
    assert_false(data_dir_is_in_place(&self->dir, &self->err));
    assert_reason(self, "/data: it was removed");
}

static void test_replaced(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    assert_int_equal(rename(self->path, self->elsewhere), 0);
    assert_int_equal(mkdir(self->path, 0755), 0);
    assert_false(data_dir_is_in_place(&self->dir, &self->err));
    assert_reason(self, "/data: it was replaced: another one is at its path");
    assert_int_equal(rmdir(self->elsewhere), 0);
    assert_false(data_dir_is_in_place(&self->dir, &self->err));
    assert_reason(self, "/data: it was replaced");
    assert_int_equal(rmdir(self->path), 0);
    int fd = open(self->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644); /* a file is not it, either */
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    assert_false(data_dir_is_in_place(&self->dir, &self->err));
}

/* The path may be a link to the folder; when the link is changed, the folder is not in place. */
static void test_linked_folder(void **state)
{
    struct fixture *self = *state;
    char other[320];

    (void)snprintf(other, sizeof(other), "%s/other", self->base);
    assert_int_equal(mkdir(other, 0755), 0);
    assert_int_equal(symlink("data", self->elsewhere), 0);
    assert_int_equal(data_dir_open(self->elsewhere, &fault_file_ops, &self->dir, &self->err),
                     STATUS_OK);
    assert_true(data_dir_is_in_place(&self->dir, &self->err));
    assert_int_equal(unlink(self->elsewhere), 0);
    assert_int_equal(symlink("other", self->elsewhere), 0);
    assert_false(data_dir_is_in_place(&self->dir, &self->err));
    assert_reason(self, "replaced");
    assert_int_equal(unlink(self->elsewhere), 0);
    assert_int_equal(symlink("elsewhere", self->elsewhere), 0); /* a link to itself */
    assert_false(data_dir_is_in_place(&self->dir, &self->err));
    assert_reason(self, "moved");
}

/* The working directory itself: it is always where the process is, until it is removed. */
static void test_dot(void **state)
{
    struct fixture *self = *state;

    int before = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(before >= 0);
    assert_int_equal(chdir(self->path), 0);
    assert_int_equal(data_dir_open(".", &fault_file_ops, &self->dir, &self->err), STATUS_OK);
    bool is_at_first = data_dir_is_in_place(&self->dir, &self->err);
    assert_int_equal(rename(self->path, self->elsewhere), 0);
    bool is_after_move = data_dir_is_in_place(&self->dir, &self->err);
    assert_int_equal(rmdir(self->elsewhere), 0);
    bool is_after_removal = data_dir_is_in_place(&self->dir, &self->err);
    assert_int_equal(fchdir(before), 0);
    assert_int_equal(close(before), 0);
    assert_true(is_at_first);
    assert_true(is_after_move);
    assert_false(is_after_removal);
    assert_reason(self, "data directory .: it was removed");
}

/* No link is followed, whether to a file or to nothing; neither is a linked bets.lock. */
static void test_links_are_refused(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    make_file(self, "file");
    assert_int_equal(symlinkat("file", self->dir.fd, "link"), 0);
    assert_int_equal(data_dir_open_file(&self->dir, "link", O_RDONLY), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(symlinkat("nothing", self->dir.fd, "dangling"), 0);
    assert_int_equal(data_dir_open_file(&self->dir, "dangling", O_RDWR | O_CREAT), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(symlinkat("file", self->dir.fd, "bets.lock"), 0);
    data_dir_close(&self->dir);
    assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->dir, &self->err), STATUS_IO);
    assert_reason(self, "bets.lock: ");
}

/* A FIFO in the place of a file keeps nobody waiting. */
static void test_fifos(void **state)
{
    struct fixture *self = *state;

    open_dir(self);
    assert_int_equal(mkfifoat(self->dir.fd, "bets.lock", 0600), 0);
    data_dir_close(&self->dir);
    (void)alarm(10);
    open_dir(self);
    int fd = data_dir_open_file(&self->dir, "bets.lock", O_RDONLY);
    assert_true(fd >= 0);
    (void)alarm(0);
    assert_int_equal(close(fd), 0);
}

/* New files are for the owner and his group, and no descriptor reaches another program. */
static void test_modes(void **state)
{
    struct fixture *self = *state;
    struct stat info;

    open_dir(self);
    mode_t mask = umask(0);
    int fd = data_dir_open_file(&self->dir, "file", O_RDWR | O_CREAT);
    (void)umask(mask);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(self->dir.fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(close(fd), 0);
}

/* Whichever file cannot be opened, the folder is free afterwards, and no descriptor stays open. */
static void test_open_faults(void **state)
{
    struct fixture *self = *state;

    for (unsigned after = 0; after < 2; after++) {
        int next = dup(0);
        assert_int_equal(close(next), 0);
        fault_plan(FAULT_OPENAT, after, FAULT_ERROR, EMFILE, false);
        assert_int_equal(data_dir_open(self->path, &fault_file_ops, &self->dir, &self->err),
                         STATUS_IO);
        assert_true(fault_end());
        assert_int_equal(dup(0), next);
        assert_int_equal(close(next), 0);
    }
    open_dir(self);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_second_opening),
        CASE(test_removed_files_do_not_unlock),
        CASE(test_children_hold_the_lock),
        CASE(test_waits_for_a_dying_server),
        CASE(test_old_lock_file),
        CASE(test_open_check),
        CASE(test_not_a_folder),
        CASE(test_in_place),
        CASE(test_moved),
        CASE(test_removed),
        CASE(test_replaced),
        CASE(test_linked_folder),
        CASE(test_dot),
        CASE(test_links_are_refused),
        CASE(test_fifos),
        CASE(test_modes),
        CASE(test_open_faults),
    };

    return cmocka_run_group_tests_name("data_dir", tests, NULL, NULL);
}
