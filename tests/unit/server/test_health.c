/* The health check; its server is a child that answers one connection with given bytes. */
#include "cmocka_all.h"
#include "health.h"
#include "test_sockets.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Accepts one connection, waits for some bytes or the end, answers and closes. */
static void serve(int listener, const void *answer, size_t size)
{
    char question[64];
    int fd = accept(listener, NULL, NULL);

    if (fd >= 0 && read(fd, question, sizeof(question)) >= 0)
        (void)send(fd, answer, size, MSG_NOSIGNAL);
    _exit(0);
}

/* What health_ask returns for a server that answers with these bytes. */
static int ask(enum server_mode mode, const void *answer, size_t size)
{
    struct sockaddr_in address;
    struct server_settings settings = {.ip = "127.0.0.1", .mode = mode};
    int listener = sockets_listen(&address);

    (void)fflush(stdout);
    (void)fflush(stderr);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve(listener, answer, size);
    settings.port = ntohs(address.sin_port);
    int result = health_ask(&settings);
    assert_int_equal(close(listener), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
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

/* With a name for its address the server listens on all: it is asked on loopback. */
static void test_address(void **state)
{
    struct sockaddr_in address = sockets_free_address();
    struct server_settings settings = {.ip = "server", .port = ntohs(address.sin_port)};

    (void)state;
    assert_int_equal(health_ask(&settings), 1); /* nobody there */
    int listener = sockets_listen(&address);
    settings.port = ntohs(address.sin_port);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        serve(listener, "\x01\x00\x00\x00\x00", 5);
    assert_int_equal(health_ask(&settings), 0);
    assert_int_equal(close(listener), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* A server that takes the connection and says nothing is given up after two seconds. */
static void test_silence(void **state)
{
    struct sockaddr_in address;
    struct server_settings settings = {.ip = "127.0.0.1"};
    int listener = sockets_listen(&address); /* the kernel takes it; nobody reads */

    (void)state;
    settings.port = ntohs(address.sin_port);
    assert_int_equal(health_ask(&settings), 1);
    assert_int_equal(close(listener), 0);
    settings.port = 0; /* none that could be known */
    assert_int_equal(health_ask(&settings), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lottery),
        cmocka_unit_test(test_echo),
        cmocka_unit_test(test_address),
        cmocka_unit_test(test_silence),
    };

    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
