/* The fixtures themselves: a helper that cannot fail proves nothing. */
#include "alloc_fault.h"
#include "capture.h"
#include "cmocka_all.h"
#include "guard.h"
#include "loop.h"
#include "test_sockets.h"
#include "tmpdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SURVIVED 77

/* A guarded copy has the bytes, and reading the byte after them kills the process. */
static void test_guard_page_kills(void **state)
{
    struct guarded guarded = guarded_copy("four", 4);
    int status;

    (void)state;
    assert_memory_equal(guarded.bytes, "four", 4);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)fclose(stderr); /* a sanitizer's report is expected here */
        const volatile uint8_t *after = guarded.bytes + 4;
        (void)*after;
        _exit(SURVIVED);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED);
    guarded_free(&guarded);
}

/* A guarded copy may be empty, or longer than a page. */
static void test_guard_sizes(void **state)
{
    static char big[10000];
    static const size_t sizes[] = {0, 1, 4095, 4096, 4097, sizeof(big)};

    (void)state;
    memset(big, 'x', sizeof(big));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct guarded guarded = guarded_copy(big, sizes[i]);
        assert_int_equal(guarded.size, sizes[i]);
        assert_memory_equal(guarded.bytes, big, sizes[i]);
        guarded_free(&guarded);
    }
}

/* capture records each write separately, in order, with its bytes unchanged. */
static void test_capture_keeps_writes_apart(void **state)
{
    struct capture capture;

    (void)state;
    capture_begin(&capture);
    ssize_t first = write(STDOUT_FILENO, "one\n", 4);
    ssize_t second = write(STDOUT_FILENO, "t\0o", 3);
    capture_end(&capture);
    assert_int_equal(first, 4);
    assert_int_equal(second, 3);
    assert_int_equal(capture.writes, 2);
    assert_int_equal(capture.sizes[0], 4);
    assert_int_equal(capture.sizes[1], 3);
    assert_int_equal(capture.size, 7);
    assert_memory_equal(capture.text, "one\nt\0o", 8);
    capture_free(&capture);
}

/* Only the n-th allocation fails, whichever function makes it. */
static void test_alloc_fault_hits_once(void **state)
{
    void *blocks[4];

    (void)state;
    alloc_fault_after(1);
    blocks[0] = malloc(8);
    blocks[1] = calloc(1, 8);
    blocks[2] = realloc(NULL, 8);
    bool has_failed = alloc_fault_end();
    blocks[3] = malloc(8);
    assert_true(has_failed);
    assert_non_null(blocks[0]);
    assert_null(blocks[1]);
    assert_non_null(blocks[2]);
    assert_non_null(blocks[3]);
    alloc_fault_after(1);
    free(blocks[0]);
    assert_false(alloc_fault_end());
    free(blocks[2]);
    free(blocks[3]);
}

static void add_one(uv_timer_t *timer)
{
    ++*(unsigned *)timer->data;
}

/* loop_until_count runs the loop until the callback has run that often; the loop then closes
 * without open handles. */
static void test_loop_waits(void **state)
{
    uv_loop_t loop;
    uv_timer_t timer;
    unsigned count = 0;

    (void)state;
    loop_begin(&loop);
    assert_int_equal(uv_timer_init(&loop, &timer), 0);
    timer.data = &count;
    assert_int_equal(uv_timer_start(&timer, add_one, 1, 1), 0);
    loop_until_count(&loop, &count, 3, "three ticks");
    assert_true(count >= 3);
    uv_close((uv_handle_t *)&timer, NULL);
    loop_end(&loop);
}

/* What is written to one socket of a pair is read from the other; a close and a reset are both
 * seen. */
static void test_sockets_pair(void **state)
{
    int fds[2];
    char text[8];
    bool has_ended = false;

    (void)state;
    for (int tcp = 0; tcp < 2; tcp++) {
        (tcp != 0 ? sockets_pair_tcp : sockets_pair_unix)(fds, 4096);
        assert_int_equal(sockets_read(fds[0], text, sizeof(text), &has_ended), 0);
        assert_false(has_ended);
        sockets_write(fds[1], "abc", 3);
        assert_int_equal(sockets_read(fds[0], text, sizeof(text), &has_ended), 3);
        assert_memory_equal(text, "abc", 3);
        if (tcp != 0)
            sockets_reset(fds[1]);
        else
            assert_int_equal(close(fds[1]), 0);
        assert_int_equal(sockets_read(fds[0], text, sizeof(text), &has_ended), 0);
        assert_true(has_ended);
        has_ended = false;
        assert_int_equal(close(fds[0]), 0);
    }
}

/* Each temporary folder is a new one, and is removed with its content. */
static void test_tmpdir_is_removed(void **state)
{
    char *folder = tmpdir_make();
    char *other = tmpdir_make();
    char path[512];
    struct stat info;

    (void)state;
    assert_string_not_equal(folder, other);
    (void)snprintf(path, sizeof(path), "%s/inner", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    tmpdir_remove(other);
    (void)snprintf(path, sizeof(path), "%s", folder);
    tmpdir_remove(folder);
    assert_int_equal(stat(path, &info), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guard_page_kills),
        cmocka_unit_test(test_guard_sizes),
        cmocka_unit_test(test_capture_keeps_writes_apart),
        cmocka_unit_test(test_alloc_fault_hits_once),
        cmocka_unit_test(test_loop_waits),
        cmocka_unit_test(test_sockets_pair),
        cmocka_unit_test(test_tmpdir_is_removed),
    };

    return cmocka_run_group_tests_name("fixtures", tests, NULL, NULL);
}
