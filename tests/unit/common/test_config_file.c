/* Reading settings files, among them such that are no ordinary files. */
#include "cmocka_all.h"
#include "config_file.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char *dir;
    char path[300];
    char *text;
    size_t size;
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->dir = tmpdir_make();
    (void)snprintf(f->path, sizeof(f->path), "%s/file", f->dir);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    free(f->text);
    tmpdir_remove(f->dir);
    free(f);
    return 0;
}

static enum status read_it(struct fixture *f)
{
    free(f->text);
    f->text = NULL;
    f->err.text[0] = '\0';
    return config_file_read(f->path, false, &f->text, &f->size, &f->err);
}

static void write_bytes(int fd, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char byte = (char)('a' + i % 26);
        assert_int_equal(write(fd, &byte, 1), 1);
    }
}

static void assert_bytes(const struct fixture *f, size_t size)
{
    assert_int_equal(f->size, size);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(f->text[i], 'a' + i % 26);
    assert_int_equal(f->text[size], '\0');
}

/* Files of every size around those of the pieces are read whole. */
static void test_files(void **state)
{
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 20000};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        int fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
        assert_true(fd >= 0);
        write_bytes(fd, sizes[i]);
        assert_int_equal(close(fd), 0);
        assert_int_equal(read_it(f), STATUS_OK);
        assert_bytes(f, sizes[i]);
    }
}

/* No file, a folder, and a file without end. */
static void test_what_cannot_be_read(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(read_it(f), STATUS_NOTFOUND);
    assert_int_equal(mkdir(f->path, 0700), 0);
    assert_int_equal(read_it(f), STATUS_IO);
    assert_non_null(strstr(f->err.text, "/file: Is a directory"));
    assert_int_equal(rmdir(f->path), 0);
    (void)strcpy(f->path, "/dev/zero");
    assert_int_equal(read_it(f), STATUS_INVALID);
    assert_string_equal(f->err.text, "/dev/zero: longer than 1048576 bytes");
    (void)strcpy(f->path, "/dev/null");
    assert_int_equal(read_it(f), STATUS_OK);
    assert_int_equal(f->size, 0);
}

/* A named pipe whose writer comes later, and writes in two pieces. */
static void test_named_pipe(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mkfifo(f->path, 0600), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)usleep(50000); /* probably after the reader; the outcome is the same if not */
        int fd = open(f->path, O_WRONLY);
        (void)write(fd, "abc", 3);
        (void)usleep(50000);
        (void)write(fd, "defg", 4);
        _exit(0);
    }
    assert_int_equal(read_it(f), STATUS_OK);
    assert_bytes(f, 7);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A signal to stop that is pending, or that comes while the pipe has no writer: the wait ends, and
 * the signal stays pending. */
static void test_signals(void **state)
{
    static const int numbers[] = {SIGTERM, SIGINT};
    struct fixture *f = *state;
    sigset_t pending;
    sigset_t set;
    int number;

    assert_int_equal(mkfifo(f->path, 0600), 0);
    for (unsigned i = 0; i < 4; i++) {
        sigemptyset(&set);
        sigaddset(&set, numbers[i % 2]);
        assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
        pid_t parent = getpid();
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            (void)usleep(i / 2 * 50000);
            _exit(kill(parent, numbers[i % 2]));
        }
        if (i / 2 == 0)
            assert_int_equal(waitpid(pid, NULL, 0), pid);
        assert_int_equal(read_it(f), STATUS_STOPPED);
        assert_int_equal(sigpending(&pending), 0);
        assert_int_equal(sigismember(&pending, numbers[i % 2]), 1);
        assert_int_equal(sigwait(&set, &number), 0);
        if (i / 2 == 1)
            assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files, begin, end),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_read, begin, end),
        cmocka_unit_test_setup_teardown(test_named_pipe, begin, end),
        cmocka_unit_test_setup_teardown(test_signals, begin, end),
    };

    return cmocka_run_group_tests_name("config_file", tests, NULL, NULL);
}
