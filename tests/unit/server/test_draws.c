/* Which draw of a data directory is in force, and the draws' folders. */
#include "cmocka_all.h"
#include "draws.h"
#include "fault_file_ops.h"
#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char *path;           /* of the data directory; owned */
    char draw_path[300];  /* of the folder of draw `a` in it */
    struct data_dir dir;  /* open */
    struct data_dir draw; /* opened by some tests */
    struct errbuf err;
    char id[DRAW_ID_MAX + 1];
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->path = tmpdir_make();
    (void)snprintf(f->draw_path, sizeof(f->draw_path), "%s/a", f->path);
    f->draw = (struct data_dir){.fd = -1, .old_lock_fd = -1};
    fault_reset();
    assert_int_equal(data_dir_open(f->path, &fault_file_ops, &f->dir, &f->err), STATUS_OK);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    data_dir_close(&f->draw);
    data_dir_close(&f->dir);
    tmpdir_remove(f->path);
    free(f);
    return 0;
}

static void write_current(const struct fixture *f, const char *bytes, size_t size)
{
    int fd = openat(f->dir.fd, "current", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(close(fd), 0);
}

static void assert_current(struct fixture *f, const char *id)
{
    assert_int_equal(draws_read_current(&f->dir, f->id, &f->err), STATUS_OK);
    assert_string_equal(f->id, id);
}

/* Without the file no draw has an id; what is written is read; it can be replaced. */
static void test_written_and_read(void **state)
{
    struct fixture *f = *state;
    char bytes[32];

    assert_current(f, "");
    assert_int_equal(draws_write_current(&f->dir, "2026-11-25-nocturna", &f->err), STATUS_OK);
    assert_current(f, "2026-11-25-nocturna");
    int fd = openat(f->dir.fd, "current", O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), 20);
    assert_memory_equal(bytes, "2026-11-25-nocturna\n", 20);
    assert_int_equal(close(fd), 0);
    assert_int_equal(draws_write_current(&f->dir, "b", &f->err), STATUS_OK);
    assert_current(f, "b");
    assert_int_equal(faccessat(f->dir.fd, "current.new", F_OK, 0), -1);
}

/* What an editor leaves is fine with and without the end of the line. */
static void test_edited(void **state)
{
    struct fixture *f = *state;
    char id[DRAW_ID_MAX + 2];

    write_current(f, "x", 1);
    assert_current(f, "x");
    write_current(f, "x-y\n", 4);
    assert_current(f, "x-y");
    memset(id, 'i', sizeof(id));
    write_current(f, id, DRAW_ID_MAX);
    id[DRAW_ID_MAX] = '\0';
    assert_current(f, id);
}

/* Whatever else is in it: refused, with what to do. */
static void test_malformed(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {{"", 0},      {"\n", 1},        {"a\n\n", 3},    {"a\nb\n", 4},
                 {"a\r\n", 3}, {" a\n", 3},      {"a\0\n", 3},    {"..\n", 3},
                 {"a/b\n", 4}, {"current\n", 8}, {"\0\0\0\0", 4}, {"-a\n", 3}};
    struct fixture *f = *state;
    char text[300];

    for (size_t i = 0; i <= sizeof(cases) / sizeof(cases[0]); i++) {
        memset(text, 'a', sizeof(text));
        if (i < sizeof(cases) / sizeof(cases[0]))
            write_current(f, cases[i].bytes, cases[i].size);
        else
            write_current(f, text, sizeof(text));
        strcpy(f->id, "as it was");
        assert_int_equal(draws_read_current(&f->dir, f->id, &f->err), STATUS_INVALID);
        assert_string_equal(f->err.text, "current: it is not the id of a draw in one line: write "
                                         "the id of the draw in force into it");
    }
}

/* A link, a folder or a pipe of this name is not followed, read or waited for. */
static void test_not_a_file(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(symlinkat("elsewhere", f->dir.fd, "current"), 0);
    assert_int_equal(draws_read_current(&f->dir, f->id, &f->err), STATUS_IO);
    assert_non_null(strstr(f->err.text, "current: "));
    assert_int_equal(unlinkat(f->dir.fd, "current", 0), 0);
    assert_int_equal(mkdirat(f->dir.fd, "current", 0700), 0);
    assert_int_equal(draws_read_current(&f->dir, f->id, &f->err), STATUS_IO);
    assert_int_equal(unlinkat(f->dir.fd, "current", AT_REMOVEDIR), 0);
    assert_int_equal(mkfifoat(f->dir.fd, "current", 0600), 0);
    assert_int_not_equal(draws_read_current(&f->dir, f->id, &f->err), STATUS_OK);
}

/* Whatever fails while it is replaced, there is the old one, or after the last sync either; and it
 * can be replaced later. */
static void test_faults(void **state)
{
    struct fixture *f = *state;
    unsigned after = 0;

    assert_int_equal(draws_write_current(&f->dir, "old", &f->err), STATUS_OK);
    for (;; after++) {
        fault_plan(FAULT_ANY, after, FAULT_ERROR, ENOSPC, false);
        enum status status = draws_write_current(&f->dir, "new", &f->err);
        if (!fault_end())
            break;
        assert_non_null(strstr(f->err.text, "current: "));
        if (status == STATUS_UNCERTAIN) {
            assert_current(f, "new");
            assert_int_equal(draws_write_current(&f->dir, "old", &f->err), STATUS_OK);
        } else {
            assert_int_equal(status, STATUS_NOSPACE);
            assert_current(f, "old");
            assert_int_equal(faccessat(f->dir.fd, "current.new", F_OK, 0), -1);
        }
    }
    assert_int_equal(after, 6); /* unlink, open, write, sync, rename, sync of the folder */
    assert_current(f, "new");
}

/* A folder of a draw: made once, locked like the data directory, and apart from it. */
static void test_folder(void **state)
{
    struct fixture *f = *state;
    struct stat info;
    bool is_made;

    mode_t mask = umask(0);
    assert_int_equal(draws_make_folder(&f->dir, "a", &is_made, &f->err), STATUS_OK);
    (void)umask(mask);
    assert_true(is_made);
    assert_int_equal(fstatat(f->dir.fd, "a", &info, 0), 0);
    assert_int_equal(info.st_mode & 07777, 0750);
    assert_int_equal(draws_make_folder(&f->dir, "a", &is_made, &f->err), STATUS_OK);
    assert_false(is_made);
    assert_int_equal(data_dir_open_draw(&f->dir, "a", f->draw_path, &f->draw, &f->err), STATUS_OK);
    assert_true(data_dir_is_in_place(&f->draw, &f->err));
    assert_int_equal(fcntl(f->draw.fd, F_GETFD), FD_CLOEXEC);
    struct data_dir other;
    assert_int_equal(data_dir_open_draw(&f->dir, "a", f->draw_path, &other, &f->err), STATUS_INUSE);
    assert_non_null(strstr(f->err.text, "/a: another server works on this folder"));
    draws_remove_folder(&f->dir, "a");
    assert_false(data_dir_is_in_place(&f->draw, &f->err));
}

/* What is not an empty folder stays. */
static void test_folder_stays(void **state)
{
    struct fixture *f = *state;
    bool is_made;

    assert_int_equal(draws_make_folder(&f->dir, "a", &is_made, &f->err), STATUS_OK);
    assert_int_equal(data_dir_open_draw(&f->dir, "a", f->draw_path, &f->draw, &f->err), STATUS_OK);
    int fd = data_dir_open_file(&f->draw, "bets.csv", O_RDWR | O_CREAT);
    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
    draws_remove_folder(&f->dir, "a");
    assert_true(data_dir_is_in_place(&f->draw, &f->err));
}

/* A folder that cannot be made for good is not made. */
static void test_folder_faults(void **state)
{
    struct fixture *f = *state;
    bool is_made;

    fault_plan(FAULT_FDATASYNC, 0, FAULT_ERROR, EIO, false);
    assert_int_equal(draws_make_folder(&f->dir, "a", &is_made, &f->err), STATUS_IO);
    assert_true(fault_end());
    assert_false(is_made);
    assert_string_equal(f->err.text, "making the folder a: Input/output error");
    assert_int_equal(faccessat(f->dir.fd, "a", F_OK, 0), -1);
    assert_int_equal(data_dir_open_draw(&f->dir, "a", f->draw_path, &f->draw, &f->err),
                     STATUS_NOTFOUND);
}

/* A link to a folder is not followed, wherever it leads. */
static void test_folder_link(void **state)
{
    struct fixture *f = *state;
    bool is_made;

    assert_int_equal(draws_make_folder(&f->dir, "b", &is_made, &f->err), STATUS_OK);
    assert_int_equal(symlinkat("b", f->dir.fd, "a"), 0);
    assert_int_equal(draws_make_folder(&f->dir, "a", &is_made, &f->err), STATUS_OK);
    assert_int_not_equal(data_dir_open_draw(&f->dir, "a", f->draw_path, &f->draw, &f->err),
                         STATUS_OK);
    assert_non_null(strstr(f->err.text, "it is not a folder, or a symbolic link"));
}

/* What is shared is locked until both have closed it. */
static void test_share(void **state)
{
    struct fixture *f = *state;
    struct data_dir other;

    assert_int_equal(data_dir_share(&f->dir, "its path", &f->draw, &f->err), STATUS_OK);
    assert_string_equal(f->draw.path, "its path");
    assert_int_not_equal(f->draw.fd, f->dir.fd);
    assert_int_equal(fcntl(f->draw.fd, F_GETFD), FD_CLOEXEC);
    data_dir_close(&f->dir);
    assert_int_equal(data_dir_open(f->path, &fault_file_ops, &other, &f->err), STATUS_INUSE);
    data_dir_close(&f->draw);
    assert_int_equal(data_dir_open(f->path, &fault_file_ops, &f->dir, &f->err), STATUS_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_written_and_read), CASE(test_edited),
        CASE(test_malformed),        CASE(test_not_a_file),
        CASE(test_faults),           CASE(test_folder),
        CASE(test_folder_stays),     CASE(test_folder_faults),
        CASE(test_folder_link),      CASE(test_share),
    };

    return cmocka_run_group_tests_name("draws", tests, NULL, NULL);
}
