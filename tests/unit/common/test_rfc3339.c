#include "cmocka_all.h"
#include "guard.h"
#include "prng.h"
#include "rfc3339.h"

#include <limits.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t untouched = 4711;

/* Reads right before a page that cannot be accessed; a failure says why and sets nothing. */
static enum status read_time(const char *text, uint64_t *seconds, struct errbuf *err)
{
    struct guarded guarded = guarded_copy(text, strlen(text));

    *seconds = untouched;
    errbuf_set(err, "%s", "");
    enum status status =
        rfc3339_parse((struct text){(const char *)guarded.bytes, guarded.size}, seconds, err);
    guarded_free(&guarded);
    if (status != STATUS_OK) {
        assert_int_equal(*seconds, untouched);
        assert_true(err->text[0] != '\0');
    }
    return status;
}

/* Times that are known from elsewhere, in both directions. */
static void test_known(void **state)
{
    static const struct {
        uint64_t seconds;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00Z"},          {951782400, "2000-02-29T00:00:00Z"},
        {1000000000, "2001-09-09T01:46:40Z"}, {1795640400, "2026-11-25T21:00:00Z"},
        {2147483648, "2038-01-19T03:14:08Z"}, {4107542399, "2100-02-28T23:59:59Z"},
        {4107542400, "2100-03-01T00:00:00Z"}, {RFC3339_LAST_S, "9999-12-31T23:59:59Z"},
    };
    char text[RFC3339_SIZE];
    struct errbuf err;
    uint64_t seconds;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rfc3339_format(cases[i].seconds, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(read_time(cases[i].text, &seconds, &err), STATUS_OK);
        assert_int_equal(seconds, cases[i].seconds);
    }
    rfc3339_format(UINT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

/* Local times, and what cannot be told as such. What is written reads as the same time. */
static void test_local(void **state)
{
    static const struct {
        uint64_t seconds;
        long offset_min;
        const char *text;
    } cases[] = {
        {1795640400, -180, "2026-11-25T18:00:00-03:00"},
        {1795640400, 0, "2026-11-25T21:00:00+00:00"},
        {1795640400, 330, "2026-11-26T02:30:00+05:30"},
        {1795640400, 1439, "2026-11-26T20:59:00+23:59"},
        {1795640400, -1439, "2026-11-24T21:01:00-23:59"},
        {1795640400, 1440, "2026-11-25T21:00:00+00:00"},
        {1795640400, -1440, "2026-11-25T21:00:00+00:00"},
        {1795640400, LONG_MAX, "2026-11-25T21:00:00+00:00"},
        {1795640400, LONG_MIN, "2026-11-25T21:00:00+00:00"},
        {3600, -60, "1970-01-01T00:00:00-01:00"},
        {3599, -60, "1970-01-01T00:59:59+00:00"},
    };
    char text[RFC3339_LOCAL_SIZE];
    struct errbuf err;
    uint64_t seconds;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        rfc3339_format_local(cases[i].seconds, cases[i].offset_min, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(read_time(text, &seconds, &err), STATUS_OK);
        assert_int_equal(seconds, cases[i].seconds);
    }
    rfc3339_format_local(UINT64_MAX, 600, text);
    assert_string_equal(text, "9999-12-31T23:59:59+10:00");
}

/* The first and last second of every day until 2200, and others at random: as the C library has
 * them, and back. */
static void test_like_the_library(void **state)
{
    struct prng prng = {1};
    char text[RFC3339_SIZE];
    char expected[64];
    struct errbuf err;
    uint64_t seconds;
    struct tm tm;

    (void)state;
    for (uint32_t i = 0; i < 2 * 230 * 366; i++) {
        time_t time = (time_t)((i + 1) / 2) * 86400 - i % 2;
        if (i % 8 == 7) /* up to the year 9999 */
            time = (time_t)((uint64_t)prng_next(&prng) * 59);
        assert_non_null(gmtime_r(&time, &tm));
        assert_true(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0);
        rfc3339_format((uint64_t)time, text);
        assert_string_equal(text, expected);
        assert_int_equal(rfc3339_parse(text_of(text), &seconds, &err), STATUS_OK);
        assert_int_equal(seconds, time);
    }
}

/* Any offset, a fraction, small letters. */
static void test_forms(void **state)
{
    static const char *const same[] = {
        "2026-11-25T21:00:00Z",           "2026-11-25t21:00:00z",
        "2026-11-25T18:00:00-03:00",      "2026-11-26T02:30:00+05:30",
        "2026-11-25T21:00:00+00:00",      "2026-11-25T21:00:00-00:00",
        "2026-11-25T21:00:00.999999999Z", "2026-11-25T18:00:00.0-03:00",
        "2026-11-26T20:59:00+23:59",      "2026-11-24T21:01:00-23:59",
    };
    struct errbuf err;
    uint64_t seconds;

    (void)state;
    for (size_t i = 0; i < COUNT(same); i++) {
        assert_int_equal(read_time(same[i], &seconds, &err), STATUS_OK);
        assert_int_equal(seconds, 1795640400);
    }
    assert_int_equal(read_time("1969-12-31T21:00:00-03:00", &seconds, &err), STATUS_OK);
    assert_int_equal(seconds, 0);
    assert_int_equal(read_time("9999-12-31T20:59:59-03:00", &seconds, &err), STATUS_OK);
    assert_int_equal(seconds, RFC3339_LAST_S);
}

/* What is not a time is refused, and the text says what is wrong with it. */
static void test_refused(void **state)
{
    static const struct {
        const char *text;
        const char *why; /* a part of the error's text */
    } cases[] = {
        {"", "not a time like"},
        {"2026-11-25", "not a time like"},
        {"2026-11-25T21:00Z", "not a time like"},
        {"2026-11-25 21:00:00Z", "not a time like"},
        {"2026-11-25T21:00:0aZ", "not a time like"},
        {"+026-11-25T21:00:00Z", "not a time like"},
        {" 2026-11-25T21:00:00Z", "not a time like"},
        {"2026-11-25T21:00:00Z ", "not a time like"},
        {"2026-11-25T21:00:00ZZ", "not a time like"},
        {"2026-11-25T21:00:00.Z", "not a time like"},
        {"2026-11-25T21:00:00,5Z", "not a time like"},
        {"2026-11-25T21:00:00-0300", "not a time like"},
        {"2026-11-25T21:00:00-3:00", "not a time like"},
        {"2026-11-25T21:00:00-03:00:00", "not a time like"},
        {"2026-11-25T21:00:00-03", "not a time like"},
        {"20261125T210000Z", "not a time like"},
        {"2026-11-25T21:00:00", "no offset"},
        {"2026-11-25T21:00:00.5", "no offset"},
        {"2026-11-25T21:00:00+24:00", "no such offset"},
        {"2026-11-25T21:00:00-03:60", "no such offset"},
        {"2026-02-29T00:00:00Z", "no such date"},
        {"2100-02-29T00:00:00Z", "no such date"},
        {"2026-11-31T00:00:00Z", "no such date"},
        {"2026-13-01T00:00:00Z", "no such date"},
        {"2026-00-01T00:00:00Z", "no such date"},
        {"2026-01-00T00:00:00Z", "no such date"},
        {"0000-01-01T00:00:00Z", "no such date"},
        {"2026-11-25T24:00:00Z", "no such time of day"},
        {"2026-11-25T21:60:00Z", "no such time of day"},
        {"2016-12-31T23:59:60Z", "no such time of day"}, /* there was a leap second */
        {"1969-12-31T23:59:59Z", "1970"},
        {"1970-01-01T00:00:00+00:01", "1970"},
        {"0001-01-01T00:00:00Z", "1970"},
        {"9999-12-31T23:59:59-00:01", "9999"},
    };
    struct errbuf err;
    uint64_t seconds;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(read_time(cases[i].text, &seconds, &err), STATUS_INVALID);
        if (strstr(err.text, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].text, err.text);
    }
    assert_int_equal(rfc3339_parse(text_of("x"), &seconds, NULL), STATUS_INVALID);
}

/* A NUL is a byte like others: what follows it counts. */
static void test_nul(void **state)
{
    static const char text[] = "2026-11-25T21:00:00Z\0";
    uint64_t seconds;

    (void)state;
    assert_int_equal(rfc3339_parse((struct text){text, sizeof(text) - 1}, &seconds, NULL),
                     STATUS_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_local),
        cmocka_unit_test(test_like_the_library),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
