#include "notifier.h"

#include "cmocka_all.h"
#include "fake_clock.h"
#include "tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_MS 1000000

/* A service manager that only listens. */
struct fixture {
    char *folder;
    struct sockaddr_un address;
    int fd;
    char text[1024]; /* what came last */
    struct notifier notifier;
};

static void listen_at(struct fixture *f, const char *name)
{
    const size_t size = strlen(name);

    f->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    assert_true(size < sizeof(f->address.sun_path));
    memcpy(f->address.sun_path, name, size);
    if (name[0] == '@')
        f->address.sun_path[0] = '\0';
    f->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(f->fd >= 0);
    assert_int_equal(bind(f->fd, (const struct sockaddr *)&f->address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)),
                     0);
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
}

static void begin_at_path(struct fixture *f)
{
    char path[PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/notify", f->folder);
    listen_at(f, path);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = tmpdir_make();
    f->fd = -1;
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
    fake_clock_begin(START_MS);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    fake_clock_end();
    if (f->fd >= 0)
        (void)close(f->fd);
    tmpdir_remove(f->folder);
    free(f);
    return 0;
}

/* The next message; "" when there is none. */
static const char *heard(struct fixture *f)
{
    ssize_t size = recv(f->fd, f->text, sizeof(f->text) - 1, 0);

    if (size < 0)
        assert_int_equal(errno, EAGAIN);
    f->text[size > 0 ? size : 0] = '\0';
    return f->text;
}

/* A server's life, as its manager hears it. */
static void test_states(void **state)
{
    struct fixture *f = *state;
    unsigned long long us = 0;
    int end = 0;

    begin_at_path(f);
    notifier_init(&f->notifier);
    notifier_tell(&f->notifier, NOTIFIER_STARTING, "reading");
    assert_string_equal(heard(f), "STATUS=reading");
    notifier_tell(&f->notifier, NOTIFIER_READY, "listening");
    assert_string_equal(heard(f), "READY=1\nSTATUS=listening");
    notifier_tell(&f->notifier, NOTIFIER_RELOADING, "reading again");
    (void)sscanf(heard(f), "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reading again%n", &us, &end);
    assert_int_equal(end, strlen(f->text));
    assert_true(us > 0);
    notifier_tell(&f->notifier, NOTIFIER_READY, "listening");
    assert_string_equal(heard(f), "READY=1\nSTATUS=listening");
    notifier_tell(&f->notifier, NOTIFIER_STOPPING, "stopping");
    assert_string_equal(heard(f), "STOPPING=1\nSTATUS=stopping");
    assert_string_equal(heard(f), "");
}

/* What the manager knows is not said again; and after the last word there is none. */
static void test_no_state_twice(void **state)
{
    struct fixture *f = *state;

    begin_at_path(f);
    notifier_init(&f->notifier);
    notifier_tell(&f->notifier, NOTIFIER_READY, "one");
    notifier_tell(&f->notifier, NOTIFIER_READY, "two");
    assert_string_equal(heard(f), "READY=1\nSTATUS=one");
    assert_string_equal(heard(f), "");
    notifier_tell(&f->notifier, NOTIFIER_STOPPING, "three");
    notifier_tell(&f->notifier, NOTIFIER_STOPPING, "four");
    notifier_tell(&f->notifier, NOTIFIER_READY, "five");
    assert_string_equal(heard(f), "STOPPING=1\nSTATUS=three");
    assert_string_equal(heard(f), "");
}

/* A text is no place for another assignment. */
static void test_text_is_made_safe(void **state)
{
    struct fixture *f = *state;
    char text[2000];

    begin_at_path(f);
    notifier_init(&f->notifier);
    notifier_tell(&f->notifier, NOTIFIER_STARTING, "a\nMAINPID=1\nb\xff");
    assert_string_equal(heard(f), "STATUS=a MAINPID=1 b?");
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    notifier_tell(&f->notifier, NOTIFIER_READY, text);
    assert_int_equal(strlen(heard(f)), strlen("READY=1\nSTATUS=") + 300);
}

static void test_abstract_name(void **state)
{
    struct fixture *f = *state;
    char name[64];

    (void)snprintf(name, sizeof(name), "@lottery-test-notify-%d", (int)getpid());
    listen_at(f, name);
    notifier_init(&f->notifier);
    notifier_tell(&f->notifier, NOTIFIER_READY, "yes");
    assert_string_equal(heard(f), "READY=1\nSTATUS=yes");
}

/* Whoever is started from here finds nothing to speak to. */
static void test_environment_is_cleared(void **state)
{
    struct fixture *f = *state;

    begin_at_path(f);
    assert_int_equal(setenv("WATCHDOG_USEC", "1000000", 1), 0);
    assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
    notifier_init(&f->notifier);
    assert_null(getenv("NOTIFY_SOCKET"));
    assert_null(getenv("WATCHDOG_USEC"));
    assert_null(getenv("WATCHDOG_PID"));
}

static void assert_is_silent(struct notifier *notifier)
{
    for (int s = NOTIFIER_STARTING; s <= NOTIFIER_STOPPING; s++) {
        notifier_tell(notifier, (enum notifier_state)s, "text");
        fake_clock.now_ms += 60000;
        assert_int_equal(notifier_wait(notifier, -1), -1);
        notifier_turn(notifier);
    }
}

static void test_nobody_to_tell(void **state)
{
    static const char *const names[] = {"", "/", "@", "notify", "vsock:2:1234"};
    struct fixture *f = *state;

    assert_int_equal(setenv("WATCHDOG_USEC", "1000000", 1), 0);
    notifier_init(&f->notifier);
    assert_is_silent(&f->notifier);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", names[i], 1), 0);
        notifier_init(&f->notifier);
        assert_int_equal(f->notifier.address_size, 0);
        assert_is_silent(&f->notifier);
    }
    assert_is_silent(NULL);
}

/* A name has 107 bytes at most, as every address of such a socket. */
static void test_long_names(void **state)
{
    struct fixture *f = *state;
    char name[120];

    memset(name, 'x', sizeof(name));
    name[0] = '@';
    name[108] = '\0';
    assert_int_equal(setenv("NOTIFY_SOCKET", name, 1), 0);
    notifier_init(&f->notifier);
    assert_int_equal(f->notifier.address_size, 0);
    assert_is_silent(&f->notifier);
    name[107] = '\0';
    listen_at(f, name);
    notifier_init(&f->notifier);
    notifier_tell(&f->notifier, NOTIFIER_READY, "yes");
    assert_string_equal(heard(f), "READY=1\nSTATUS=yes");
}

/* A socket that is not there, is no socket, or has nobody at it, loses messages; nothing more. */
static void test_socket_that_cannot_be_used(void **state)
{
    struct fixture *f = *state;
    char path[PATH_MAX];

    for (int kind = 0; kind < 3; kind++) {
        (void)snprintf(path, sizeof(path), "%s/%d", f->folder, kind);
        if (kind == 1)
            assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
        if (kind == 2) {
            listen_at(f, path);
            assert_int_equal(close(f->fd), 0);
            f->fd = -1;
        }
        assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
        assert_int_equal(setenv("WATCHDOG_USEC", "1000000", 1), 0);
        notifier_init(&f->notifier);
        notifier_tell(&f->notifier, NOTIFIER_READY, "text");
        assert_false(f->notifier.is_pending);
        fake_clock.now_ms += 60000;
        notifier_turn(&f->notifier);
        assert_int_equal(notifier_wait(&f->notifier, -1), 500);
    }
}

/* Fills the manager's queue: a sender's own buffer is full before. Returns how many messages. */
static unsigned fill_queue(const struct fixture *f)
{
    const struct sockaddr *to = (const struct sockaddr *)&f->address;
    unsigned before;
    unsigned sent = 0;

    do {
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        assert_true(fd >= 0);
        before = sent;
        while (sendto(fd, "x", 1, 0, to, sizeof(f->address)) == 1)
            sent++;
        assert_int_equal(close(fd), 0);
    } while (sent > before);
    return sent;
}

/* A manager that is busy hears the state later. */
static void test_full_queue(void **state)
{
    struct fixture *f = *state;
    unsigned ready = 0;

    begin_at_path(f);
    const unsigned sent = fill_queue(f);
    assert_true(sent > 0);
    notifier_init(&f->notifier);
    notifier_tell(&f->notifier, NOTIFIER_READY, "text");
    assert_true(f->notifier.is_pending);
    assert_int_equal(notifier_wait(&f->notifier, -1), 0);
    notifier_turn(&f->notifier);
    assert_int_equal(notifier_wait(&f->notifier, -1), 500);
    for (unsigned i = 0; i < sent; i++)
        assert_string_equal(heard(f), "x");
    notifier_turn(&f->notifier); /* not due */
    assert_string_equal(heard(f), "");
    fake_clock.now_ms += 500;
    notifier_turn(&f->notifier);
    while (heard(f)[0] != '\0')
        ready += strcmp(f->text, "READY=1\nSTATUS=text") == 0;
    assert_int_equal(ready, 1);
    assert_int_equal(notifier_wait(&f->notifier, -1), -1);
}

/* While agencies cannot connect, more time is asked for, again and again. */
static void test_more_time(void **state)
{
    struct fixture *f = *state;

    begin_at_path(f);
    notifier_init(&f->notifier);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(notifier_wait(&f->notifier, -1), 0);
        notifier_turn(&f->notifier);
        assert_string_equal(heard(f), "EXTEND_TIMEOUT_USEC=30000000");
        assert_int_equal(notifier_wait(&f->notifier, -1), 5000);
        assert_int_equal(notifier_wait(&f->notifier, 4000), 4000);
        fake_clock.now_ms += 4999;
        notifier_turn(&f->notifier);
        assert_string_equal(heard(f), "");
        fake_clock.now_ms += 1;
    }
    notifier_tell(&f->notifier, NOTIFIER_READY, "text");
    assert_string_equal(heard(f), "READY=1\nSTATUS=text");
    notifier_turn(&f->notifier);
    assert_string_equal(heard(f), "");
    assert_int_equal(notifier_wait(&f->notifier, -1), -1);
    notifier_tell(&f->notifier, NOTIFIER_RELOADING, "text");
    assert_memory_equal(heard(f), "RELOADING=1\n", 12);
    notifier_turn(&f->notifier);
    assert_string_equal(heard(f), "EXTEND_TIMEOUT_USEC=30000000");
}

/* The manager hears from us twice in the time after which it would give up. */
static void test_watchdog(void **state)
{
    struct fixture *f = *state;
    char pid[32];

    begin_at_path(f);
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "3000000", 1), 0);
    notifier_init(&f->notifier);
    notifier_tell(&f->notifier, NOTIFIER_READY, "text");
    assert_string_equal(heard(f), "READY=1\nSTATUS=text");
    for (int i = 0; i < 3; i++) {
        notifier_turn(&f->notifier);
        assert_string_equal(heard(f), "WATCHDOG=1");
        assert_string_equal(heard(f), "");
        assert_int_equal(notifier_wait(&f->notifier, -1), 1500);
        fake_clock.now_ms += 1500;
    }
    /* While it is not ready, both are due. */
    notifier_tell(&f->notifier, NOTIFIER_RELOADING, "text");
    assert_memory_equal(heard(f), "RELOADING=1\n", 12);
    notifier_turn(&f->notifier);
    assert_string_equal(heard(f), "EXTEND_TIMEOUT_USEC=30000000");
    assert_string_equal(heard(f), "WATCHDOG=1");
    assert_int_equal(notifier_wait(&f->notifier, -1), 1500);
}

static void test_watchdog_of_others(void **state)
{
    static const struct {
        const char *us, *pid;
        uint64_t ms;
    } cases[] = {
        {"3000000", NULL, 1500},
        {"3000000", "1", 0},
        {"3000000", "0", 1500},
        {"0", NULL, 0},
        {"-1", NULL, 0},
        {"3s", NULL, 0},
        {"", NULL, 0},
        {"1", NULL, 1},
        {"18446744073709551616", NULL, 0},
        {"18446744073709551615", NULL, UINT64_MAX / 2000},
    };
    struct fixture *f = *state;

    begin_at_path(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(setenv("NOTIFY_SOCKET", f->address.sun_path, 1), 0);
        assert_int_equal(setenv("WATCHDOG_USEC", cases[i].us, 1), 0);
        if (cases[i].pid != NULL)
            assert_int_equal(setenv("WATCHDOG_PID", cases[i].pid, 1), 0);
        notifier_init(&f->notifier);
        assert_true(f->notifier.watchdog_ms == cases[i].ms);
        notifier_tell(&f->notifier, NOTIFIER_READY, "text");
        notifier_turn(&f->notifier);
        const int wait_ms = notifier_wait(&f->notifier, -1);
        assert_int_equal(wait_ms, cases[i].ms == 0         ? -1
                                  : cases[i].ms <= INT_MAX ? (int)cases[i].ms
                                                           : INT_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_states, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_state_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(test_text_is_made_safe, setup, teardown),
        cmocka_unit_test_setup_teardown(test_abstract_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_environment_is_cleared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_to_tell, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_socket_that_cannot_be_used, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_queue, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watchdog, setup, teardown),
        cmocka_unit_test_setup_teardown(test_watchdog_of_others, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
