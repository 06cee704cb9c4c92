/* The health check; its server is a child that takes one connection, checks the question and
 * answers with given bytes. */
#include "alloc_fault.h"
#include "capture.h"
#include "clock.h"
#include "cmocka_all.h"
#include "health.h"
#include "log.h"
#include "test_certs.h"
#include "test_sockets.h"
#include "tls_session.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const enum server_mode modes[] = {SERVER_MODE_LOTTERY, SERVER_MODE_ECHO};

/* NewBets of agency 1 without bets: how many were received? */
static const uint8_t lottery_question[] = {0, 2, 0, 0, 0, 0x08, 1};

/* Accepts one connection, reads the question, answers, closes. Ends with 0 when the question was
 * the right one: in mode echo no bytes, only the end. */
static void serve(int listener, enum server_mode mode, const void *answer, size_t size)
{
    const size_t expected = mode == SERVER_MODE_ECHO ? 0 : sizeof(lottery_question);
    uint8_t question[64];
    int fd = accept(listener, NULL, NULL);

    if (fd < 0)
        _exit(1);
    ssize_t got = read(fd, question, sizeof(question));
    (void)send(fd, answer, size, MSG_NOSIGNAL);
    _exit(got == (ssize_t)expected && memcmp(question, lottery_question, expected) == 0 ? 0 : 1);
}

/* What health_ask returns for a server that answers with these bytes. */
static int ask(enum server_mode mode, const void *answer, size_t size)
{
    struct sockaddr_in address;
    int status;
    struct server_settings settings = {.ip = "127.0.0.1", .mode = mode};
    int listener = sockets_listen(&address);

    (void)fflush(stdout);
    (void)fflush(stderr);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve(listener, mode, answer, size);
    settings.port = ntohs(address.sin_port);
    int result = health_ask(&settings);
    assert_int_equal(close(listener), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    return result;
}

/* Any Ack means that the server works; anything else does not. */
static void test_lottery(void **state)
{
    (void)state;
    assert_int_equal(ask(SERVER_MODE_LOTTERY, "\x01\x00\x00\x00\x00", 5), 0);
    assert_int_equal(ask(SERVER_MODE_LOTTERY, "\x04\x00\x00\x00\x00", 5), 1);
    assert_int_equal(ask(SERVER_MODE_LOTTERY, "HTTP/1.1", 8), 1);
    assert_int_equal(ask(SERVER_MODE_LOTTERY, "", 0), 1);
}

/* An echo server ends the connection of a client that sends nothing. */
static void test_echo(void **state)
{
    (void)state;
    assert_int_equal(ask(SERVER_MODE_ECHO, "", 0), 0);
    assert_int_equal(ask(SERVER_MODE_ECHO, "220 hello\r\n", 11), 1);
}

/* With a name as its address the server listens everywhere, so the check connects to loopback. */
static void test_address(void **state)
{
    struct sockaddr_in address = sockets_free_address();
    struct server_settings settings = {.ip = "server", .port = ntohs(address.sin_port)};

    (void)state;
    assert_int_equal(health_ask(&settings), 1); /* nobody listens */
    int listener = sockets_listen(&address);
    settings.port = ntohs(address.sin_port);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve(listener, SERVER_MODE_LOTTERY, "\x01\x00\x00\x00\x00", 5);
    assert_int_equal(health_ask(&settings), 0);
    assert_int_equal(close(listener), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* If nobody listens on the port, or the port is not known, the check fails without waiting. */
static void test_refused(void **state)
{
    struct sockaddr_in address = sockets_free_address();
    struct server_settings settings = {.ip = "127.0.0.1", .port = ntohs(address.sin_port)};
    uint64_t start_ms = clock_monotonic_ms();

    (void)state;
    assert_int_equal(health_ask(&settings), 1);
    settings.mode = SERVER_MODE_ECHO;
    assert_int_equal(health_ask(&settings), 1);
    settings.port = 0;
    assert_int_equal(health_ask(&settings), 1);
    assert_true(clock_monotonic_ms() - start_ms < 2000);
}

/* A server hangs: there is a connection, but no answer. The check fails after two seconds. */
static void test_no_answer(void **state)
{
    struct sockaddr_in address;
    int listener = sockets_listen(&address);
    struct server_settings settings = {.ip = "127.0.0.1", .port = ntohs(address.sin_port)};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t start_ms = clock_monotonic_ms();
        settings.mode = modes[i];
        assert_int_equal(health_ask(&settings), 1);
        uint64_t took_ms = clock_monotonic_ms() - start_ms;
        assert_in_range(took_ms, 1990, 30000);
    }
    assert_int_equal(close(listener), 0);
}

/* The connection is reset before there is an answer. */
static void test_reset(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct sockaddr_in address;
        int listener = sockets_listen(&address);
        struct server_settings settings = {
            .ip = "127.0.0.1", .port = ntohs(address.sin_port), .mode = modes[i]};
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            sockets_reset(accept(listener, NULL, NULL));
            _exit(0);
        }
        assert_int_equal(health_ask(&settings), 1);
        assert_int_equal(close(listener), 0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

/* stderr goes to a pipe from begin to end, which returns what was written. */
struct errors {
    int saved;
    int fd;
    char text[256];
};

static void errors_begin(struct errors *errors)
{
    int fds[2];

    errors->saved = dup(STDERR_FILENO);
    assert_true(errors->saved >= 0);
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(dup2(fds[1], STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(fds[1]), 0);
    errors->fd = fds[0];
}

static const char *errors_end(struct errors *errors)
{
    assert_int_equal(dup2(errors->saved, STDERR_FILENO), STDERR_FILENO);
    assert_int_equal(close(errors->saved), 0);
    ssize_t size = read(errors->fd, errors->text, sizeof(errors->text) - 1);
    assert_true(size >= 0);
    assert_int_equal(close(errors->fd), 0);
    errors->text[size] = '\0';
    return errors->text;
}

/* Whatever the outcome and the log's level, nothing is written to stdout. A failure writes one line
 * to stderr, which names the address. */
static void test_output(void **state)
{
    struct sockaddr_in address = sockets_free_address();
    struct server_settings settings = {.ip = "127.0.0.1", .port = ntohs(address.sin_port)};
    struct capture capture;
    struct errors errors;
    char expected[128];

    (void)state;
    log_set_level(LOG_DEBUG);
    errors_begin(&errors);
    capture_begin(&capture);
    int result = health_ask(&settings);
    capture_end(&capture);
    (void)snprintf(expected, sizeof(expected),
                   "lottery-server: 127.0.0.1:%u: cannot connect: connection refused\n",
                   settings.port);
    assert_string_equal(errors_end(&errors), expected);
    assert_int_equal(result, 1);
    assert_string_equal(capture.text, "");
    capture_free(&capture);
}

static void assert_reason(struct errors *errors, const char *reason)
{
    const char *text = errors_end(errors);

    if (strstr(text, reason) == NULL)
        fail_msg("\"%s\" is not in: %s", reason, text);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

/* The line says what was wrong, and nothing is written when nothing is. */
static void test_reasons(void **state)
{
    static const struct {
        enum server_mode mode;
        const char *answer;
        size_t size;
        const char *reason;
    } cases[] = {
        {SERVER_MODE_LOTTERY, "HTTP/1.1", 8, ": wrong answer\n"},
        {SERVER_MODE_ECHO, "hello", 5, ": wrong answer\n"},
        {SERVER_MODE_LOTTERY, "", 0, ": the connection ended without an answer: "},
    };
    struct server_settings settings = {.ip = "127.0.0.1"};
    struct errors errors;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        errors_begin(&errors);
        assert_int_equal(ask(cases[i].mode, cases[i].answer, cases[i].size), 1);
        assert_reason(&errors, cases[i].reason);
    }
    errors_begin(&errors);
    assert_int_equal(ask(SERVER_MODE_LOTTERY, "\x01\x00\x00\x00\x00", 5), 0);
    assert_string_equal(errors_end(&errors), "");
    errors_begin(&errors);
    assert_int_equal(health_ask(&settings), 1);
    assert_reason(&errors, ": SERVER_PORT is 0");
}

/* A central that takes connections but does not answer cannot store bets either. */
static void test_reason_of_silence(void **state)
{
    static const char *const reasons[] = {
        ": no answer within 2 s: the central cannot store bets at the moment\n",
        ": no answer within 2 s\n"};
    struct sockaddr_in address;
    struct errors errors;
    int listener = sockets_listen(&address);
    struct server_settings settings = {.ip = "127.0.0.1", .port = ntohs(address.sin_port)};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        settings.mode = modes[i];
        errors_begin(&errors);
        assert_int_equal(health_ask(&settings), 1);
        assert_reason(&errors, reasons[i]);
    }
    assert_int_equal(close(listener), 0);
}

/* Sends what the session has to say. */
static void flush(struct tls_session *session, int fd)
{
    struct buffer out = {NULL, 0, 0};

    if (tls_session_take(session, &out) != STATUS_OK ||
        (out.size > 0 && send(fd, out.data, out.size, MSG_NOSIGNAL) != (ssize_t)out.size))
        _exit(80);
    buffer_fini(&out);
}

/* Waits for more. False at the end of the peer's side. */
static bool receive(struct tls_session *session, int fd)
{
    uint8_t bytes[4096];
    ssize_t size = read(fd, bytes, sizeof(bytes));

    if (size > 0 && tls_session_feed(session, bytes, (size_t)size) != STATUS_OK)
        _exit(81);
    return size > 0;
}

/* As serve(), with TLS; the client has to be the server itself. */
static void serve_tls(int listener, const struct tls_context *context, enum server_mode mode,
                      const void *answer, size_t answer_size)
{
    const size_t expected = mode == SERVER_MODE_ECHO ? 0 : sizeof(lottery_question);
    struct tls_session *session;
    uint8_t question[64];
    size_t size = 0;
    size_t more;
    enum tls_result result;
    int fd = accept(listener, NULL, NULL);

    if (fd < 0 || tls_session_create(context, NULL, &session) != STATUS_OK)
        _exit(82);
    while ((result = tls_session_handshake(session)) == TLS_NEED_MORE) {
        flush(session, fd);
        if (!receive(session, fd))
            _exit(83);
    }
    flush(session, fd);
    if (result != TLS_OK || tls_session_peer(session)->role != TLS_PEER_SERVER)
        _exit(84);
    do {
        result = tls_session_read(session, question + size, sizeof(question) - size, &more);
        size += more;
    } while (result != TLS_ENDED && (size < expected || expected == 0) && receive(session, fd));
    if (size != expected || memcmp(question, lottery_question, expected) != 0 ||
        tls_session_write(session, answer, answer_size) != STATUS_OK)
        _exit(85);
    tls_session_end(session);
    flush(session, fd);
    (void)shutdown(fd, SHUT_WR);
    while (receive(session, fd))
        continue;
    _exit(0);
}

/* What health_ask() returns for a server that has the certificate `name` of `authority`, if ours is
 * the same of `certs`. *status is how the server has ended, as waitpid(2) says. */
static int ask_tls(struct test_certs *authority, struct test_certs *certs, const char *name,
                   enum server_mode mode, int *status)
{
    const bool is_echo = mode == SERVER_MODE_ECHO;
    const struct tls_files own = test_certs_files(certs, name);
    const struct tls_files files = test_certs_files(authority, name);
    struct tls_context *context;
    struct errbuf err;
    struct sockaddr_in address;
    struct server_settings settings = {.ip = "127.0.0.1", .mode = mode};
    int listener = sockets_listen(&address);

    assert_int_equal(tls_context_create(TLS_SERVER, &files, &context, &err), STATUS_OK);
    (void)fflush(stdout);
    (void)fflush(stderr);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve_tls(listener, context, mode, "\x01\x00\x00\x00\x00", is_echo ? 0 : 5);
    settings.port = ntohs(address.sin_port);
    (void)snprintf(settings.tls_cert, sizeof(settings.tls_cert), "%s", own.cert);
    (void)snprintf(settings.tls_key, sizeof(settings.tls_key), "%s", own.key);
    (void)snprintf(settings.tls_ca, sizeof(settings.tls_ca), "%s", own.ca);
    int result = health_ask(&settings);
    assert_int_equal(close(listener), 0);
    assert_int_equal(waitpid(pid, status, 0), pid);
    tls_context_destroy(context);
    return result;
}

/* With TLS the check shows the server's own certificate, and wants one of the same authority, for
 * whatever name. Files that cannot be used are a reason, too. */
static void test_tls(void **state)
{
    static const struct test_cert elsewhere = {.names = {"DNS:elsewhere", "URI:lottery:server"}};
    struct test_certs *certs = test_certs_create();
    struct test_certs *others = test_certs_create();
    struct server_settings settings = {.ip = "127.0.0.1", .port = 1, .tls_cert = "/nowhere"};
    struct errors errors;
    int status;

    (void)state;
    test_certs_issue(certs, "elsewhere", &elsewhere);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ask_tls(certs, certs, "server", modes[i], &status), 0);
        assert_int_equal(status, 0);
        assert_int_equal(ask_tls(certs, certs, "elsewhere", modes[i], &status), 0);
        assert_int_equal(status, 0);
        errors_begin(&errors);
        assert_int_equal(ask_tls(others, certs, "server", modes[i], &status), 1);
        assert_reason(&errors, "the peer's certificate is of another authority\n");
        assert_int_not_equal(status, 0);
    }
    errors_begin(&errors);
    assert_int_equal(health_ask(&settings), 1);
    assert_reason(&errors, "lottery-server: 127.0.0.1:1: /nowhere: No such file or directory\n");
    test_certs_destroy(certs);
    test_certs_destroy(others);
}

/* Without memory the check fails and frees what it had begun with, and the next one works. */
static void test_no_memory(void **state)
{
    struct sockaddr_in address = sockets_free_address();
    struct server_settings settings = {.ip = "127.0.0.1", .port = ntohs(address.sin_port)};

    (void)state;
    alloc_fault_after(0);
    int result = health_ask(&settings);
    assert_true(alloc_fault_end());
    assert_int_equal(result, 1);
    test_lottery(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lottery),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_answer),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_reason_of_silence),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
