/* SERVER_IP as an address. Names are looked up in a table of the test's own: getaddrinfo() is
 * defined here. */
#include "cmocka_all.h"
#include "resolve.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct sockaddr_in v4 = {.sin_family = AF_INET};
static struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
static struct addrinfo second = {
    .ai_family = AF_INET, .ai_addrlen = sizeof(v4), .ai_addr = (struct sockaddr *)&v4};
static struct addrinfo first = {
    .ai_family = AF_INET6, .ai_addrlen = sizeof(v6), .ai_addr = (struct sockaddr *)&v6};

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)hints;
    if (port != NULL)
        return EAI_SERVICE;
    while (strcmp(host, "slow.test") == 0)
        (void)pause();
    if (strcmp(host, "deadly.test") == 0)
        _exit(3);
    first.ai_next = strcmp(host, "both.test") == 0 ? &second : NULL;
    *out = strcmp(host, "nothing.test") == 0 ? NULL : &first;
    return strcmp(host, "127.0.0.l") == 0 ? EAI_NONAME : 0;
}

static struct server_settings settings_of(const char *ip)
{
    struct server_settings settings = {.ip_place = "config.ini:3"};

    (void)snprintf(settings.ip, sizeof(settings.ip), "%s", ip);
    return settings;
}

/* Addresses and the default stay as they are; a name becomes its address, IPv4 before IPv6. */
static void test_accepted(void **state)
{
    static const struct {
        const char *ip;
        const char *address;
    } cases[] = {
        {"server", "server"},
        {"127.0.0.1", "127.0.0.1"},
        {"0.0.0.0", "0.0.0.0"},
        {"::1", "::1"},
        {"::", "::"},
        {"2001:db8::1", "2001:db8::1"},
        {"both.test", "192.0.2.7"},
        {"six.test", "2001:db8::7"},
        {"central-1", "2001:db8::7"},
    };
    struct errbuf err = {{0}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server_settings settings = settings_of(cases[i].ip);
        if (resolve_listen_ip(&settings, &err) != STATUS_OK)
            fail_msg("%s: %s", cases[i].ip, err.text);
        assert_string_equal(settings.ip, cases[i].address);
    }
}

/* What is neither is refused: where it was set, what it is, and what was probably meant. */
static void test_refused(void **state)
{
    static const struct {
        const char *ip;
        const char *reason;
    } cases[] = {
        {"127.0.0.1 # this machine only",
         "is neither an IP address nor a name; a comment after a value begins with \";\""},
        {"127.0.0.l", "cannot be looked up: "},
        {"127.0.0.256", "is neither an IP address nor a name"},
        {"127.0.0", "is neither an IP address nor a name"},
        {"127.0.0.1:12345",
         "is neither an IP address nor a name; the port has a setting of its own, SERVER_PORT"},
        {"\"127.0.0.1\"", "is neither an IP address nor a name; it needs no quotes"},
        {"[::1]", "is neither an IP address nor a name; it needs no brackets"},
        {"::g", "is neither an IP address nor a name"},
        {"my central", "is neither an IP address nor a name"},
        {".test", "is neither an IP address nor a name"},
        {"a..test", "is neither an IP address nor a name"},
        {"test.", "is neither an IP address nor a name"},
        {"*", "is neither an IP address nor a name"},
        {"nothing.test", "has no IP address"},
    };
    char begin[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct server_settings settings = settings_of(cases[i].ip);
        struct errbuf err = {{0}};
        assert_int_equal(resolve_listen_ip(&settings, &err), STATUS_INVALID);
        (void)snprintf(begin, sizeof(begin), "config.ini:3: SERVER_IP: \"%s\" %s", cases[i].ip,
                       cases[i].reason);
        if (strncmp(err.text, begin, strlen(begin)) != 0)
            fail_msg("%s: %s", cases[i].ip, err.text);
        assert_string_equal(settings.ip, cases[i].ip);
    }
}

/* A name service that does not answer: a signal to stop ends the wait, stays pending, and no child
 * is left. */
static void test_signal(void **state)
{
    struct server_settings settings = settings_of("slow.test");
    struct errbuf err = {{0}};
    sigset_t set;

    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
    pid_t parent = getpid();
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)usleep(100000); /* the lookup has probably begun; the outcome is the same if not */
        _exit(kill(parent, SIGTERM) == 0 ? 0 : 1);
    }
    assert_int_equal(resolve_listen_ip(&settings, &err), STATUS_STOPPED);
    assert_string_equal(settings.ip, "slow.test");
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(sigpending(&set), 0);
    assert_int_equal(sigismember(&set, SIGTERM), 1);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    int number = 0;
    assert_int_equal(sigwait(&set, &number), 0); /* so that it ends nothing */
}

/* The process that looks it up dies: the reason says that, and does not blame the name. */
static void test_death(void **state)
{
    struct server_settings settings = settings_of("deadly.test");
    struct errbuf err = {{0}};

    (void)state;
    assert_int_equal(resolve_listen_ip(&settings, &err), STATUS_IO);
    assert_string_equal(err.text, "cannot look up SERVER_IP: the process that does it has died");
    assert_string_equal(settings.ip, "deadly.test");
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_signal),
        cmocka_unit_test(test_death),
    };

    (void)inet_pton(AF_INET, "192.0.2.7", &v4.sin_addr);
    (void)inet_pton(AF_INET6, "2001:db8::7", &v6.sin6_addr);
    return cmocka_run_group_tests_name("resolve", tests, NULL, NULL);
}
