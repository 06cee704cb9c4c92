/* Addresses of peers: from sockets, as text, and as what limits count. */
#include "cmocka_all.h"
#include "peer_ip.h"

#include <arpa/inet.h>
#include <string.h>

/* The address that a socket would report for this text. */
static struct in6_addr ip_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

    if (strchr(text, ':') == NULL) {
        v4->sin_family = AF_INET;
        assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
    } else {
        v6->sin6_family = AF_INET6;
        assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
    }
    return peer_ip_of(&address);
}

/* IPv4 looks the same whether the socket is one of IPv4 or of both. */
static void test_print(void **state)
{
    static const struct {
        const char *ip;
        const char *text;
    } cases[] = {
        {"172.25.125.3", "172.25.125.3"}, {"::ffff:172.25.125.3", "172.25.125.3"},
        {"0.0.0.0", "0.0.0.0"},           {"::1", "::1"},
        {"2001:db8::1", "2001:db8::1"},   {"::", "::"},
    };
    char text[PEER_IP_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct in6_addr ip = ip_of(cases[i].ip);
        assert_string_equal(peer_ip_print(&ip, text), cases[i].text);
    }
    struct sockaddr_storage other = {.ss_family = AF_UNIX};
    struct in6_addr ip = peer_ip_of(&other);
    assert_string_equal(peer_ip_print(&ip, text), "::");
}

static uint64_t key_of(const char *text)
{
    struct in6_addr ip = ip_of(text);

    return peer_ip_key(&ip);
}

/* One IPv4 address is one, and so is a /64 of IPv6. */
static void test_key(void **state)
{
    (void)state;
    assert_true(key_of("10.0.0.1") == key_of("::ffff:10.0.0.1"));
    assert_true(key_of("10.0.0.1") != key_of("10.0.0.2"));
    assert_true(key_of("2001:db8:1:2::1") == key_of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
    assert_true(key_of("2001:db8:1:2::1") != key_of("2001:db8:1:3::1"));
    assert_true(key_of("2001:db8:1:2::1") != key_of("2001:db9:1:2::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_print), cmocka_unit_test(test_key)};

    return cmocka_run_group_tests_name("peer_ip", tests, NULL, NULL);
}
