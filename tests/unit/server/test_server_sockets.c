/* The listening sockets, checked by connecting to them and by asking the kernel. */
#include "cmocka_all.h"
#include "sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct server_settings settings_of(const char *ip, uint32_t port)
{
    struct server_settings settings = {.port = port, .listen_backlog = 5};

    (void)strncpy(settings.ip, ip, sizeof(settings.ip) - 1);
    return settings;
}

static int listen_at(const char *ip, struct listen_address *address)
{
    struct server_settings settings = settings_of(ip, 0);
    struct errbuf err = {{0}};
    int fd = -1;

    assert_int_equal(socket_listen(&settings, &fd, address, &err), STATUS_OK);
    assert_true(fd >= 0);
    assert_int_not_equal(address->port, 0);
    return fd;
}

static bool has_ipv6(void)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                         .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;

    if (fd >= 0)
        assert_int_equal(close(fd), 0);
    return has;
}

/* The socket is non-blocking, because workers share it, and is closed on exec. */
static void assert_flags(int fd)
{
    assert_int_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(accept(fd, NULL, NULL), -1); /* returns at once */
}

/* Connects, and checks that the listening socket gets the connection. */
static void assert_reached(int listener, const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, address, size), 0);
    int accepted = accept(listener, NULL, NULL);
    assert_true(accepted >= 0);
    assert_int_equal(close(accepted), 0);
    assert_int_equal(close(fd), 0);
}

static void assert_reached_at(int listener, const char *ip, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    if (inet_pton(AF_INET, ip, &v4.sin_addr) == 1) {
        assert_reached(listener, (const struct sockaddr *)&v4, sizeof(v4));
        return;
    }
    assert_int_equal(inet_pton(AF_INET6, ip, &v6.sin6_addr), 1);
    assert_reached(listener, (const struct sockaddr *)&v6, sizeof(v6));
}

/* The server listens on the given address, or on all of both kinds with the default, and says which
 * it is. */
static void test_tcp(void **state)
{
    static const struct {
        const char *ip;
        const char *bound;
        const char *also; /* it is reached there, too */
    } cases[] = {
        {"127.0.0.1", "127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0", "127.0.0.2"},
        {"server", "::", "127.0.0.1"},
        {"server", "::", "::1"},
        {"::", "::", "127.0.0.1"},
        {"::1", "::1", "::1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct listen_address address = {"", 0};
        if (cases[i].bound[0] == ':' && !has_ipv6())
            continue;
        int fd = listen_at(cases[i].ip, &address);
        assert_flags(fd);
        assert_string_equal(address.ip, cases[i].bound);
        assert_reached_at(fd, cases[i].also, address.port);
        assert_int_equal(close(fd), 0);
    }
}

static bool is_without_ipv6; /* socket() refuses it */

int __real_socket(int family, int type, int protocol);
int __wrap_socket(int family, int type, int protocol);

int __wrap_socket(int family, int type, int protocol)
{
    if (family == AF_INET6 && is_without_ipv6) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return __real_socket(family, type, protocol);
}

/* On a machine without IPv6 the default is all addresses of IPv4; an address of IPv6 is refused. */
static void test_tcp_without_ipv6(void **state)
{
    struct server_settings settings = settings_of("::1", 0);
    struct listen_address address = {"", 0};
    struct errbuf err = {{0}};
    int out = -1;

    (void)state;
    is_without_ipv6 = true;
    int fd = listen_at("server", &address);
    assert_string_equal(address.ip, "0.0.0.0");
    assert_reached_at(fd, "127.0.0.1", address.port);
    assert_int_equal(socket_listen(&settings, &out, &address, &err), STATUS_IO);
    assert_string_equal(err.text, "socket: Address family not supported by protocol");
    is_without_ipv6 = false;
    assert_int_equal(close(fd), 0);
}

/* What is not an address does not mean all addresses. */
static void test_tcp_no_address(void **state)
{
    static const char *const wrong[] = {"", "127.0.0.256", "localhost", "::1 ", "[::1]"};

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct server_settings settings = settings_of(wrong[i], 0);
        struct listen_address address = {"", 0};
        struct errbuf err = {{0}};
        int out = -1;
        assert_int_equal(socket_listen(&settings, &out, &address, &err), STATUS_INVALID);
        assert_int_equal(out, -1);
    }
}

/* For a port in use, or an address of another machine, the error says which call failed, and why.
 */
static void test_tcp_refused(void **state)
{
    struct errbuf err = {{0}};
    struct listen_address address = {"", 0};
    struct listen_address unused = {"", 0};
    int out = -1;

    (void)state;
    int fd = listen_at("127.0.0.1", &address);
    struct server_settings settings = settings_of("127.0.0.1", address.port);
    assert_int_equal(socket_listen(&settings, &out, &unused, &err), STATUS_IO);
    assert_string_equal(err.text, "bind: Address already in use");
    assert_int_equal(close(fd), 0);
    settings = settings_of("192.0.2.1", 0);
    assert_int_equal(socket_listen(&settings, &out, &unused, &err), STATUS_IO);
    assert_string_equal(err.text, "bind: Cannot assign requested address");
    assert_int_equal(out, -1);
}

static struct server_settings http_settings_of(const char *address)
{
    struct server_settings settings = settings_of("127.0.0.1", 0);

    (void)strncpy(settings.http_address, address, sizeof(settings.http_address) - 1);
    return settings;
}

/* The observer's socket is where its setting says; without one there is none. */
static void test_http(void **state)
{
    static const struct {
        const char *set;
        const char *ip;
    } cases[] = {{"0", "127.0.0.1"},
                 {"127.0.0.1:0", "127.0.0.1"},
                 {"0.0.0.0:0", "0.0.0.0"},
                 {"[::1]:0", "::1"}};
    struct listen_address address = {"", 0};
    struct errbuf err = {{0}};
    int fd = 0;

    (void)state;
    struct server_settings settings = http_settings_of("");
    assert_int_equal(socket_listen_http(&settings, &fd, &address, &err), STATUS_OK);
    assert_int_equal(fd, -1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (cases[i].set[0] == '[' && !has_ipv6())
            continue;
        settings = http_settings_of(cases[i].set);
        assert_int_equal(socket_listen_http(&settings, &fd, &address, &err), STATUS_OK);
        assert_string_equal(address.ip, cases[i].ip);
        assert_flags(fd);
        assert_reached_at(fd, cases[i].ip[0] == '0' ? "127.0.0.1" : cases[i].ip, address.port);
        assert_int_equal(close(fd), 0);
    }
}

/* The error says which setting it is about, and for a port in use what to do. */
static void test_http_refused(void **state)
{
    struct listen_address address = {"", 0};
    struct listen_address unused = {"", 0};
    struct errbuf err = {{0}};
    char set[32];
    char expected[200];
    int out = 0;

    (void)state;
    int fd = listen_at("127.0.0.1", &address);
    (void)snprintf(set, sizeof(set), "127.0.0.1:%u", address.port);
    (void)snprintf(expected, sizeof(expected),
                   "SERVER_HTTP_ADDRESS: %s is taken: set another, or stop the program that "
                   "listens there: bind: Address already in use",
                   set);
    struct server_settings settings = http_settings_of(set);
    assert_int_equal(socket_listen_http(&settings, &out, &unused, &err), STATUS_IO);
    assert_string_equal(err.text, expected);
    assert_int_equal(out, -1);
    assert_int_equal(close(fd), 0);
    settings = http_settings_of("192.0.2.1:9090");
    assert_int_equal(socket_listen_http(&settings, &out, &unused, &err), STATUS_IO);
    assert_string_equal(err.text, "SERVER_HTTP_ADDRESS: 192.0.2.1:9090: bind: Cannot assign "
                                  "requested address");
    assert_int_equal(out, -1);
}

/* The port can be bound again although a connection of the previous socket is in TIME_WAIT. */
static void test_tcp_again(void **state)
{
    struct listen_address address = {"", 0};
    struct errbuf err = {{0}};

    (void)state;
    int fd = listen_at("127.0.0.1", &address);
    assert_reached_at(fd, "127.0.0.1", address.port); /* we close first */
    assert_int_equal(close(fd), 0);
    struct server_settings settings = settings_of("127.0.0.1", address.port);
    assert_int_equal(socket_listen(&settings, &fd, &address, &err), STATUS_OK);
    assert_int_equal(close(fd), 0);
}

/* Each Unix socket has an abstract name of its own, under which it can be reached. */
static void test_unix(void **state)
{
    struct sockaddr_un addresses[2];
    socklen_t sizes[2] = {0};
    struct errbuf err = {{0}};
    int fds[2] = {-1, -1};

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(socket_listen_unix(&fds[i], &addresses[i], &sizes[i], &err), STATUS_OK);
        assert_flags(fds[i]);
        assert_true(sizes[i] > sizeof(sa_family_t));
        assert_int_equal(addresses[i].sun_path[0], '\0'); /* abstract */
        assert_reached(fds[i], (const struct sockaddr *)&addresses[i], sizes[i]);
    }
    assert_true(sizes[0] != sizes[1] || memcmp(&addresses[0], &addresses[1], sizes[0]) != 0);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(close(fds[i]), 0);
}

/* A pair passes whole messages both ways, and neither end blocks. */
static void test_pair(void **state)
{
    struct errbuf err = {{0}};
    char text[16];
    int fds[2];

    (void)state;
    assert_int_equal(socket_pair(fds, &err), STATUS_OK);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(recv(fds[i], text, sizeof(text), 0), -1);
        assert_int_equal(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
        assert_int_equal(send(fds[i], "one", 3, 0), 3);
        assert_int_equal(send(fds[i], "three", 5, 0), 5);
        assert_int_equal(recv(fds[1 - i], text, sizeof(text), 0), 3);
        assert_int_equal(recv(fds[1 - i], text, sizeof(text), 0), 5);
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(close(fds[i]), 0);
}

/* Without a free descriptor all calls return an error. */
static void test_no_descriptor(void **state)
{
    struct server_settings settings = settings_of("127.0.0.1", 0);
    struct sockaddr_un address;
    struct errbuf err = {{0}};
    struct rlimit limit;
    socklen_t size = 0;
    struct listen_address listening = {"", 0};
    int fds[2];
    int fd = -1;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = limit.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    enum status tcp = socket_listen(&settings, &fd, &listening, &err);
    struct errbuf unix_err = {{0}};
    enum status local = socket_listen_unix(&fd, &address, &size, &unix_err);
    struct errbuf pair_err = {{0}};
    enum status pair = socket_pair(fds, &pair_err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(tcp, STATUS_IO);
    assert_int_equal(local, STATUS_IO);
    assert_string_equal(err.text, "socket: Too many open files");
    assert_string_equal(unix_err.text, "socket: Too many open files");
    assert_int_equal(pair, STATUS_IO);
    assert_string_equal(pair_err.text, "socketpair: Too many open files");
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tcp),
        cmocka_unit_test(test_tcp_without_ipv6),
        cmocka_unit_test(test_tcp_no_address),
        cmocka_unit_test(test_tcp_refused),
        cmocka_unit_test(test_tcp_again),
        cmocka_unit_test(test_http),
        cmocka_unit_test(test_http_refused),
        cmocka_unit_test(test_unix),
        cmocka_unit_test(test_pair),
        cmocka_unit_test(test_no_descriptor),
    };

    return cmocka_run_group_tests_name("server_sockets", tests, NULL, NULL);
}
