#include "cmocka_all.h"
#include "guard.h"
#include "prng.h"
#include "values.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>

#define US INT64_C(1000)
#define MS (1000 * US)
#define S (1000 * MS)
#define MIN (60 * S)
#define H (60 * MIN)
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t untouched = 4711;

/* Reads right before a page that cannot be accessed; checks that a failure does not set the output.
 */
static bool read_uint(const char *text, size_t size, uint64_t min, uint64_t max, uint64_t *out)
{
    struct guarded guarded = guarded_copy(text, size);
    struct text view = {(const char *)guarded.bytes, size};

    *out = untouched;
    bool is_read = value_uint(view, min, max, out);
    guarded_free(&guarded);
    if (!is_read)
        assert_int_equal(*out, untouched);
    return is_read;
}

static bool read_duration(const char *text, int64_t *out)
{
    struct guarded guarded = guarded_copy(text, strlen(text));
    struct text view = {(const char *)guarded.bytes, guarded.size};

    *out = (int64_t)untouched;
    bool is_read = value_duration(view, out);
    guarded_free(&guarded);
    if (!is_read)
        assert_int_equal(*out, untouched);
    return is_read;
}

/* Digits are read, including leading zeros, up to the largest number. */
static void test_uint_reads_digits(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } cases[] = {
        {"0", 0},
        {"7574", 7574},
        {"73110", 73110},
        {"0007574", 7574},
        {"00000000000000000000000000000000000000000000000001", 1},
        {"18446744073709551615", UINT64_MAX},
        {"018446744073709551615", UINT64_MAX},
    };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(read_uint(cases[i].text, strlen(cases[i].text), 0, UINT64_MAX, &value));
        assert_true(value == cases[i].value);
    }
}

/* Nothing else is a number: no signs, blanks, underscores, other scripts, bases or overflow. */
static void test_uint_refuses(void **state)
{
    static const char *const wrong[] = {
        "",
        "-1",
        "+1",
        "-0",
        " 7574",
        "7574 ",
        "7574\n",
        "\t7574",
        "7_574",
        "7,574",
        "7.574",
        "7574.0",
        "0x1f",
        "1e3",
        "1f",
        "seven",
        "\xd9\xa7\xd9\xa5\xd9\xa7\xd9\xa4", /* Arabic-Indic digits */
        "\xef\xbc\x97",                     /* a fullwidth digit */
        "\xc2\xb2",                         /* superscript two */
        "18446744073709551616",
        "18446744073709551620",
        "20000000000000000000",
        "99999999999999999999",
        "184467440737095516150",
        "340282366920938463463374607431768211456",
    };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (read_uint(wrong[i], strlen(wrong[i]), 0, UINT64_MAX, &value))
            fail_msg("\"%s\" was read as %" PRIu64, wrong[i], value);
    }
    assert_false(read_uint("1\0", 2, 0, UINT64_MAX, &value));
    assert_false(read_uint("1\0002", 3, 0, UINT64_MAX, &value));
}

/* Every byte except the ten digits is refused, alone and at either end. */
static void test_uint_every_byte(void **state)
{
    uint64_t value;

    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool is_digit = byte >= '0' && byte <= '9';
        char before[2] = {(char)byte, '1'};
        char after[2] = {'1', (char)byte};
        assert_int_equal(read_uint(before, 1, 0, UINT64_MAX, &value), is_digit);
        assert_int_equal(read_uint(before, 2, 0, UINT64_MAX, &value), is_digit);
        assert_int_equal(read_uint(after, 2, 0, UINT64_MAX, &value), is_digit);
    }
}

/* Both ends of the range are allowed, and nothing beyond. */
static void test_uint_range(void **state)
{
    uint64_t value;

    (void)state;
    assert_false(read_uint("0", 1, 1, 65535, &value));
    assert_true(read_uint("1", 1, 1, 65535, &value));
    assert_true(read_uint("65535", 5, 1, 65535, &value));
    assert_false(read_uint("65536", 5, 1, 65535, &value));
    assert_false(read_uint("73110", 5, 0, 9999, &value));
    assert_true(read_uint("9999", 4, 0, 9999, &value));
}

/* Durations are printed as Go prints them, and read back as the same number. */
static void test_duration_prints_like_go(void **state)
{
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {999, "999ns"},
        {US, "1\xc2\xb5s"},
        {1100, "1.1\xc2\xb5s"},
        {1001, "1.001\xc2\xb5s"},
        {MS - 1, "999.999\xc2\xb5s"},
        {MS, "1ms"},
        {2200 * US, "2.2ms"},
        {100 * MS, "100ms"},
        {500 * MS, "500ms"},
        {MS + 1, "1.000001ms"},
        {S - 1, "999.999999ms"},
        {S, "1s"},
        {3300 * MS, "3.3s"},
        {5 * S, "5s"},
        {S + 1, "1.000000001s"},
        {59 * S + 999 * MS, "59.999s"},
        {MIN, "1m0s"},
        {90 * S, "1m30s"},
        {4 * MIN + 5 * S, "4m5s"},
        {4 * MIN + 5001 * MS, "4m5.001s"},
        {59 * MIN + 59 * S, "59m59s"},
        {H, "1h0m0s"},
        {90 * MIN, "1h30m0s"},
        {5 * H + 6 * MIN + 7001 * MS, "5h6m7.001s"},
        {24 * H, "24h0m0s"},
        {8 * MIN + 1, "8m0.000000001s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
    };
    char text[VALUE_DURATION_MAX];
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        value_duration_print(cases[i].ns, text);
        assert_string_equal(text, cases[i].text);
        assert_true(read_duration(cases[i].text, &ns));
        assert_true(ns == cases[i].ns);
    }
}

/* What Go reads is read as Go reads it, except with a sign. */
static void test_duration_reads_like_go(void **state)
{
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"000s", 0},
        {"5s", 5 * S},
        {"30s", 30 * S},
        {"1478s", 1478 * S},
        {"5.0s", 5 * S},
        {"5.6s", 5600 * MS},
        {"5.s", 5 * S},
        {".5s", 500 * MS},
        {"1.0s", S},
        {"1.00s", S},
        {"1.004s", 1004 * MS},
        {"1.0040s", 1004 * MS},
        {"100.00100s", 100 * S + MS},
        {"10ns", 10},
        {"11us", 11 * US},
        {"12\xc2\xb5s", 12 * US},
        {"13ms", 13 * MS},
        {"14s", 14 * S},
        {"15m", 15 * MIN},
        {"16h", 16 * H},
        {"3h30m", 3 * H + 30 * MIN},
        {"10.5s4m", 4 * MIN + 10500 * MS},
        {"1.5h", 90 * MIN},
        {"1m30s", 90 * S},
        {"300ms", 300 * MS},
        {"0.57s", 570 * MS},
        {"0.29s", 290 * MS},
        {"4.35ms", 4350 * US},
        {"1.1h", 66 * MIN},
        {"1h2m3s4ms5us6ns", H + 2 * MIN + 3 * S + 4 * MS + 5 * US + 6},
        {"39h9m14.425s", 39 * H + 9 * MIN + 14425 * MS},
        {"52763797000ns", INT64_C(52763797000)},
        {"0.3333333333333333333h", 20 * MIN},
        {"9007199254740993ns", INT64_C(9007199254740993)},
        {"9223372036854775807ns", INT64_MAX},
        {"9223372036854775.807us", INT64_MAX},
        {"9223372036s854ms775us807ns", INT64_MAX},
        {"0.100000000000000000000h", 6 * MIN},
        {"0.9999999999ns", 0},
    };
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (!read_duration(cases[i].text, &ns))
            fail_msg("\"%s\" was refused", cases[i].text);
        if (ns != cases[i].ns)
            fail_msg("\"%s\" was read as %" PRId64, cases[i].text, ns);
    }
}

/* Nothing else is a duration; one that is too long is refused and does not wrap around. */
static void test_duration_refuses(void **state)
{
    static const char *const wrong[] = {
        "",
        "3",
        "00",
        "-1s",
        "+5s",
        "-0",
        "s",
        ".",
        ".s",
        "-.s",
        " 5s",
        "5s ",
        "5 s",
        "5s\n",
        "5S",
        "5sec",
        "5min",
        "1d",
        "1m 30s",
        "1m30",
        "1m30.",
        "1..5s",
        "1.5.5s",
        "1,5s",
        "5_0s",
        "1e3s",
        "0x5s",
        "\xd9\xa5s",
        "5\xc2s",
        "5\xc2\xb5",
        "five",
        "9223372036854775808ns",
        "9223372036854775.808us",
        "9223372036854ms775us808ns",
        "20000000000000000000ns",
        "99999999999999999999s",
        "18446744073709551616ns",
        "36893488147419103233ns",
        "2562047h47m16.854775808s",
        "2562048h",
        "9223372036854775807ns1ns",
        "9223372036854775807s",
    };
    int64_t ns;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (read_duration(wrong[i], &ns))
            fail_msg("\"%s\" was read as %" PRId64, wrong[i], ns);
    }
}

/* All fractions of three digits are exact, for every unit above nanoseconds. */
static void test_duration_fractions_are_exact(void **state)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"us", US}, {"ms", MS}, {"s", S}, {"m", MIN}, {"h", H}};
    char text[32];
    int64_t ns;

    (void)state;
    for (size_t u = 0; u < COUNT(units); u++) {
        for (int thousandths = 0; thousandths < 2000; thousandths++) {
            (void)snprintf(text, sizeof(text), "%d.%03d%s", thousandths / 1000, thousandths % 1000,
                           units[u].name);
            assert_true(value_duration(text_of(text), &ns));
            if (ns != units[u].ns / 1000 * thousandths)
                fail_msg("\"%s\" was read as %" PRId64, text, ns);
        }
    }
}

/* A printed duration reads back as the same number, at every magnitude. */
static void test_duration_round_trip(void **state)
{
    struct prng prng = {3};
    char text[VALUE_DURATION_MAX];
    int64_t ns;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = (uint64_t)prng_next(&prng) << 32 | prng_next(&prng);
        int64_t any = (int64_t)(bits >> (1 + prng_below(&prng, 63)));
        value_duration_print(any, text);
        if (!value_duration(text_of(text), &ns) || ns != any)
            fail_msg("%" PRId64 " printed as \"%s\" came back as %" PRId64, any, text, ns);
    }
}

/* An address is split at its last colon; brackets around the host are removed. */
static void test_address_splits(void **state)
{
    static const struct {
        const char *text;
        const char *host;
        uint16_t port;
    } cases[] = {
        {"server:12345", "server", 12345}, {"127.0.0.1:1", "127.0.0.1", 1},
        {"[::1]:80", "::1", 80},           {"::1:80", "::1", 80},
        {"a:65535", "a", 65535},           {"host.example:00080", "host.example", 80},
    };
    char host[32];
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(value_address(cases[i].text, host, sizeof(host), &port));
        assert_string_equal(host, cases[i].host);
        assert_int_equal(port, cases[i].port);
    }
}

/* What is not an address is refused, and nothing is written. */
static void test_address_refuses(void **state)
{
    static const char *const wrong[] = {
        "",
        "server",
        "server:",
        ":12345",
        "[]:80",
        "server:0",
        "server:65536",
        "a:-1",
        "a: 80",
        "a:80 ",
        "a:8_0",
        "a:http",
        "a:80/",
        "[::1]",
        "a:80:",
        ":",
        "a:123456789012345678901234567890",
    };
    char host[32] = "kept";
    uint16_t port = 4711;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (value_address(wrong[i], host, sizeof(host), &port))
            fail_msg("\"%s\" was accepted", wrong[i]);
        assert_string_equal(host, "kept");
        assert_int_equal(port, 4711);
    }
}

/* A host that just fits is accepted; one byte more is refused. */
static void test_address_host_size(void **state)
{
    char host[7] = "";
    uint16_t port;

    (void)state;
    assert_true(value_address("server:1", host, 7, &port));
    assert_string_equal(host, "server");
    assert_false(value_address("server:1", host, 6, &port));
    assert_true(value_address("[server]:1", host, 7, &port));
    assert_string_equal(host, "server");
}

/* A port alone is that of this machine; everything else names an IP address, IPv6 in brackets. */
static void test_listen_address(void **state)
{
    static const struct {
        const char *text;
        const char *ip;
        uint16_t port;
    } cases[] = {
        {"9090", "127.0.0.1", 9090},          {"0", "127.0.0.1", 0},
        {"0.0.0.0:65535", "0.0.0.0", 65535},  {"10.0.0.1:0", "10.0.0.1", 0},
        {"[::1]:9090", "::1", 9090},          {"[::]:0", "::", 0},
        {"[fe80::1:2]:080", "fe80::1:2", 80},
    };
    char ip[VALUE_IP_SIZE];
    uint16_t port;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(value_listen_address(cases[i].text, ip, &port));
        assert_string_equal(ip, cases[i].ip);
        assert_int_equal(port, cases[i].port);
    }
}

/* Names, halves and other ways to write an address are refused, and nothing is written. */
static void test_listen_address_refuses(void **state)
{
    static const char *const wrong[] = {
        "",
        ":",
        ":9090",
        "127.0.0.1",
        "127.0.0.1:",
        "65536",
        "-1",
        "+1",
        " 9090",
        "9090 ",
        "localhost:9090",
        "127.1:9090",
        "127.0.0.256:1",
        "::1:9090",
        "[::1]",
        "[::1]:",
        "[]:1",
        "[::1:9090",
        "::1]:9090",
        "[[::1]]:1",
        "[127.0.0.1]:1",
        "[fe80::1%lo]:1",
        "[::1]:65536",
        "[::1] :1",
        "127.0.0.1:1:2",
        "9090,9091",
        "http://127.0.0.1:9090",
        "127.0.0.1:9090/",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc]:1",
    };
    char ip[VALUE_IP_SIZE] = "kept";
    uint16_t port = 4711;

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (value_listen_address(wrong[i], ip, &port))
            fail_msg("\"%s\" was accepted", wrong[i]);
        assert_int_equal(port, 4711);
    }
    assert_string_equal(ip, "kept");
}

/* What is an address here is what is one for sockets, but for IPv6 with the end of IPv4: any text
 * of the characters that addresses have. */
static void test_listen_address_as_sockets(void **state)
{
    static const char v4[] = "0123456789...";
    static const char v6[] = "09aF:::::1";
    struct prng prng = {7574};
    unsigned accepted[2] = {0, 0};

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        const bool is_v6 = i % 2 == 1;
        char text[64] = "";
        char address[40] = "";
        char ip[VALUE_IP_SIZE];
        unsigned char binary[16];
        uint16_t port;
        size_t size = 1 + prng_below(&prng, is_v6 ? 20 : 10);
        for (size_t at = 0; at < size; at++)
            address[at] = is_v6 ? v6[prng_below(&prng, sizeof(v6) - 1)]
                                : v4[prng_below(&prng, sizeof(v4) - 1)];
        (void)snprintf(text, sizeof(text), is_v6 ? "[%s]:1" : "%s:1", address);
        bool is_good = inet_pton(is_v6 ? AF_INET6 : AF_INET, address, binary) == 1;
        if (value_listen_address(text, ip, &port) != is_good)
            fail_msg("\"%s\" is %s", text, is_good ? "good" : "bad");
        accepted[is_v6] += is_good;
        if (is_good)
            assert_string_equal(ip, address);
    }
    assert_true(accepted[0] > 100 && accepted[1] > 100);
}

/* A list is taken address by address; spaces may follow a comma. */
static void test_address_list(void **state)
{
    const char *list = "server:12345,[::1]:80, b:1";
    char host[32];
    uint16_t port;

    (void)state;
    assert_true(value_is_address_list(list));
    assert_true(value_address_next(&list, host, sizeof(host), &port));
    assert_string_equal(host, "server");
    assert_int_equal(port, 12345);
    assert_true(value_address_next(&list, host, sizeof(host), &port));
    assert_string_equal(host, "::1");
    assert_int_equal(port, 80);
    assert_true(value_address_next(&list, host, sizeof(host), &port));
    assert_string_equal(host, "b");
    assert_int_equal(port, 1);
    assert_string_equal(list, "");
}

/* Every item has to be an address, and there may be as many as the limit says. */
static void test_address_list_refuses(void **state)
{
    static const char *const wrong[] = {
        "", ",", "a:1,", "a:1, ", ",a:1", "a:1,,b:1", "a:1 ,b:1", "a:1,b", "a,b:1",
    };
    const char *most = "a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8";
    const char *more = "a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9";

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (value_is_address_list(wrong[i]))
            fail_msg("\"%s\" was accepted", wrong[i]);
    }
    assert_int_equal(VALUE_ADDRESSES_MAX, 8);
    assert_true(value_is_address_list(most));
    assert_false(value_is_address_list(more));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uint_reads_digits),
        cmocka_unit_test(test_uint_refuses),
        cmocka_unit_test(test_uint_every_byte),
        cmocka_unit_test(test_uint_range),
        cmocka_unit_test(test_duration_prints_like_go),
        cmocka_unit_test(test_duration_reads_like_go),
        cmocka_unit_test(test_duration_refuses),
        cmocka_unit_test(test_duration_fractions_are_exact),
        cmocka_unit_test(test_duration_round_trip),
        cmocka_unit_test(test_address_splits),
        cmocka_unit_test(test_address_refuses),
        cmocka_unit_test(test_address_host_size),
        cmocka_unit_test(test_listen_address),
        cmocka_unit_test(test_listen_address_refuses),
        cmocka_unit_test(test_listen_address_as_sockets),
        cmocka_unit_test(test_address_list),
        cmocka_unit_test(test_address_list_refuses),
    };

    return cmocka_run_group_tests_name("values", tests, NULL, NULL);
}
