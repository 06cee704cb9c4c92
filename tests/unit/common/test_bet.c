#include "bet.h"
#include "cmocka_all.h"
#include "guard.h"

#include <stdbool.h>
#include <stdio.h>

#define TODAY 20240821u
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct bet valid(void)
{
    return (struct bet){
        .first_name = text_of("Santiago Lionel"),
        .last_name = text_of("Lorca"),
        .document = text_of("30904465"),
        .birthdate = text_of("1999-03-17"),
        .number = 7574,
    };
}

static struct text sized(const char *data, size_t size)
{
    return (struct text){data, size};
}

/* A bet that follows every rule is valid. */
static void test_valid(void **state)
{
    struct bet bet = valid();

    (void)state;
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_NONE);
}

/* Every fault has its own text; a value that is not a fault has "?". */
static void test_fault_texts(void **state)
{
    (void)state;
    for (int i = 0; i < BET_FAULT_COUNT; i++) {
        assert_string_not_equal(bet_fault_text((enum bet_fault)i), "?");
        for (int j = 0; j < i; j++)
            assert_string_not_equal(bet_fault_text((enum bet_fault)i),
                                    bet_fault_text((enum bet_fault)j));
    }
    assert_string_equal(bet_fault_text(BET_FAULT_NUMBER), "number is not in 0..9999");
    assert_string_equal(bet_fault_text(BET_FAULT_COUNT), "?");
    assert_string_equal(bet_fault_text((enum bet_fault) - 1), "?");
}

/* The fault that is returned is the first in the order of the fields. */
static void test_order_of_faults(void **state)
{
    struct bet bet = {text_of(""), text_of(""), text_of(""), text_of(""), 10000};

    (void)state;
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_FIRST_NAME_SIZE);
    bet.first_name = text_of("\t");
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_FIRST_NAME_TEXT);
    bet.first_name = text_of("A");
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_LAST_NAME_SIZE);
    bet.last_name = text_of("\t");
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_LAST_NAME_TEXT);
    bet.last_name = text_of("B");
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_DOCUMENT);
    bet.document = text_of("1");
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_BIRTHDATE);
    bet.birthdate = text_of("2999-01-01");
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_BIRTHDATE_FUTURE);
    bet.birthdate = text_of("1999-01-01");
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_NUMBER);
    bet.number = 9999;
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_NONE);
}

/* A name has 1 to 64 bytes, counted in bytes and not in characters. */
static void test_name_sizes(void **state)
{
    char letters[BET_NAME_MAX + 1];
    char accents[BET_NAME_MAX + 2];
    struct bet bet = valid();

    (void)state;
    memset(letters, 'x', sizeof(letters));
    for (size_t i = 0; i < sizeof(accents); i += 2)
        memcpy(accents + i, "\xc3\xb1", 2);
    for (size_t size = 0; size <= sizeof(letters); size++) {
        bool fits = size >= 1 && size <= BET_NAME_MAX;
        bet = valid();
        bet.first_name = sized(letters, size);
        assert_int_equal(bet_check(&bet, TODAY), fits ? BET_FAULT_NONE : BET_FAULT_FIRST_NAME_SIZE);
        bet = valid();
        bet.last_name = sized(letters, size);
        assert_int_equal(bet_check(&bet, TODAY), fits ? BET_FAULT_NONE : BET_FAULT_LAST_NAME_SIZE);
    }
    bet = valid();
    bet.first_name = sized(accents, BET_NAME_MAX); /* 32 characters, 64 bytes */
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_NONE);
    bet.first_name = sized(accents, BET_NAME_MAX + 2); /* 33 characters, 66 bytes */
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_FIRST_NAME_SIZE);
    bet.first_name = sized(accents, BET_NAME_MAX - 1); /* the last one is cut in two */
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_FIRST_NAME_TEXT);
}

/* Names may have any printable text: punctuation, quotes, all of Unicode. */
static void test_name_texts(void **state)
{
    static const char *const good[] = {
        " ",
        "O'Higgins",
        "P\xc3\xa9rez, Jr.",
        "\"El Diez\"",
        "; | & : / =",
        "Ana-Mar\303\255a",
        "\xc2\xa0",         /* no-break space: the first after the C1 controls */
        "\xed\x9f\xbf",     /* U+D7FF */
        "\xee\x80\x80",     /* U+E000 */
        "\xef\xbf\xbf",     /* U+FFFF */
        "\xf0\x9f\x8e\xb0", /* U+1F3B0 */
        "\xf4\x8f\xbf\xbf", /* U+10FFFF */
    };
    static const char *const bad[] = {
        "\t",
        "a\r",
        "a\nb",
        "\x1f",
        "\x7f",
        "\xc2\x80",         /* U+0080 */
        "\xc2\x85",         /* U+0085, next line */
        "\xc2\x9f",         /* U+009F */
        "\x80",             /* a continuation byte without a lead byte */
        "\xbf",             /* another one */
        "\xc3",             /* a lead byte without continuation */
        "\xc3(",            /* the same, followed by something else */
        "\xc0\xaf",         /* overlong '/' */
        "\xc1\xbf",         /* overlong */
        "\xe0\x9f\xbf",     /* overlong U+07FF */
        "\xf0\x8f\xbf\xbf", /* overlong U+FFFF */
        "\xed\xa0\x80",     /* U+D800, a surrogate */
        "\xed\xbf\xbf",     /* U+DFFF, the last one */
        "\xf4\x90\x80\x80", /* U+110000 */
        "\xf5\x80\x80\x80", /* beyond */
        "\xfe",
        "\xff",
        "Per\xf3n", /* Latin-1 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct bet bet = valid();
        bet.first_name = text_of(good[i]);
        bet.last_name = text_of(good[i]);
        if (bet_check(&bet, TODAY) != BET_FAULT_NONE)
            fail_msg("good name %zu was refused", i);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bet bet = valid();
        bet.first_name = text_of(bad[i]);
        if (bet_check(&bet, TODAY) != BET_FAULT_FIRST_NAME_TEXT)
            fail_msg("bad name %zu was taken as a first name", i);
        bet = valid();
        bet.last_name = text_of(bad[i]);
        if (bet_check(&bet, TODAY) != BET_FAULT_LAST_NAME_TEXT)
            fail_msg("bad name %zu was taken as a last name", i);
    }
    struct bet bet = valid();
    bet.first_name = sized("a\0b", 3);
    assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_FIRST_NAME_TEXT);
}

/* A document has 1 to 16 ASCII letters or digits and no other byte. */
static void test_document(void **state)
{
    static const char letters[] = "0123456789ABCDEFG";

    (void)state;
    for (size_t size = 0; size <= 17; size++) {
        struct bet bet = valid();
        bet.document = sized(letters, size);
        assert_int_equal(bet_check(&bet, TODAY),
                         size >= 1 && size <= 16 ? BET_FAULT_NONE : BET_FAULT_DOCUMENT);
    }
    for (int byte = 0; byte < 256; byte++) {
        char text[3] = {'0', (char)byte, '1'};
        bool is_good = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z');
        struct bet bet = valid();
        bet.document = sized(text, 3);
        assert_int_equal(bet_check(&bet, TODAY), is_good ? BET_FAULT_NONE : BET_FAULT_DOCUMENT);
    }
}

/* The days of a month by the rules of the calendar, computed in another way than in the code. */
static unsigned last_day(unsigned year, unsigned month)
{
    if (month == 2)
        return year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/* Every day and month of many years: a date is valid exactly when it is in the calendar. */
static void test_birthdate_calendar(void **state)
{
    static const unsigned years[] = {0,    1,    4,    100,  400,  1582, 1899, 1900,
                                     1999, 2000, 2001, 2004, 2023, 2024, 2100, 9999};

    (void)state;
    for (size_t y = 0; y < COUNT(years); y++) {
        for (unsigned month = 0; month <= 99; month++) {
            for (unsigned day = 0; day <= 99; day++) {
                char text[16];
                (void)snprintf(text, sizeof(text), "%04u-%02u-%02u", years[y], month, day);
                struct bet bet = valid();
                bet.birthdate = text_of(text);
                bool is_date = years[y] >= 1 && month >= 1 && month <= 12 && day >= 1 &&
                               day <= last_day(years[y], month);
                if (bet_check(&bet, 99991231) != (is_date ? BET_FAULT_NONE : BET_FAULT_BIRTHDATE))
                    fail_msg("%s is judged wrongly", text);
            }
        }
    }
}

/* Today is not in the future and tomorrow is, also across the ends of months and years. */
static void test_birthdate_future(void **state)
{
    static const struct {
        const char *birthdate;
        uint32_t today;
        enum bet_fault fault;
    } cases[] = {
        {"2024-08-21", 20240821, BET_FAULT_NONE},
        {"2024-08-22", 20240821, BET_FAULT_BIRTHDATE_FUTURE},
        {"2024-09-01", 20240831, BET_FAULT_BIRTHDATE_FUTURE},
        {"2025-01-01", 20241231, BET_FAULT_BIRTHDATE_FUTURE},
        {"2024-12-31", 20250101, BET_FAULT_NONE},
        {"2024-02-29", 20240229, BET_FAULT_NONE},
        {"9999-12-31", 20240821, BET_FAULT_BIRTHDATE_FUTURE},
        {"0001-01-01", 20240821, BET_FAULT_NONE},
        {"2025-02-29", 20240821, BET_FAULT_BIRTHDATE},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bet bet = valid();
        bet.birthdate = text_of(cases[i].birthdate);
        assert_int_equal(bet_check(&bet, cases[i].today), cases[i].fault);
    }
}

/* A birthdate has exactly the form YYYY-MM-DD; each of its bytes is checked. */
static void test_birthdate_form(void **state)
{
    static const char *const bad[] = {
        "",
        "1999-3-17",
        "1999-03-1",
        "1999-03-017",
        "1999/03/17",
        "17-03-1999",
        "19990317",
        "1999-03-17 ",
        " 1999-03-17",
        "1999-03-17T",
        "1999-W11-3",
        "-999-03-17",
        "+999-03-17",
        "1999-+3-17",
        "1999- 3-17",
        "99-03-17",
        "1999\342\210\2223-17",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bet bet = valid();
        bet.birthdate = text_of(bad[i]);
        if (bet_check(&bet, TODAY) != BET_FAULT_BIRTHDATE)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    for (size_t at = 0; at < BET_BIRTHDATE_SIZE; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char text[] = "1111-11-11";
            bool is_good = at == 4 || at == 7 ? byte == '-' : byte >= '0' && byte <= '9';
            text[at] = (char)byte;
            struct bet bet = valid();
            bet.birthdate = sized(text, BET_BIRTHDATE_SIZE);
            if (!is_good)
                assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_BIRTHDATE);
        }
    }
}

/* The number goes up to 9999 and no further. */
static void test_number_range(void **state)
{
    static const uint32_t good[] = {0, 1, 7574, 9999};
    static const uint32_t bad[] = {10000, 73110, UINT32_MAX};

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct bet bet = valid();
        bet.number = good[i];
        assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_NONE);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bet bet = valid();
        bet.number = bad[i];
        assert_int_equal(bet_check(&bet, TODAY), BET_FAULT_NUMBER);
    }
}

/* A number's text has only ASCII digits; anything else leaves the output unchanged. */
static void test_number_read(void **state)
{
    static const struct {
        const char *text;
        uint32_t value;
    } good[] = {{"0", 0},
                {"7574", 7574},
                {"9999", 9999},
                {"0007574", 7574},
                {"00000000000000000000000001", 1}};
    static const char *const bad[] = {
        "",
        "10000",
        "73110",
        "-1",
        "+1",
        " 7574",
        "7574 ",
        "7574\r",
        "7_574",
        "7,574",
        "7574.0",
        "0x1",
        "1e3",
        "seven",
        "99999999999999999999",
        "4294967296",           /* wraps to 0 in 32 bits */
        "4294974870",           /* wraps to 7574 */
        "18446744073709559190", /* wraps to 7574 in 64 bits */
        "\xd9\xa7\xd9\xa5\xd9\xa7\xd9\xa4",
        "\xef\xbc\x97\xef\xbc\x95",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct guarded guarded = guarded_copy(good[i].text, strlen(good[i].text));
        uint32_t value = 4711;
        assert_int_equal(bet_number_read(sized((char *)guarded.bytes, guarded.size), &value),
                         BET_FAULT_NONE);
        assert_int_equal(value, good[i].value);
        guarded_free(&guarded);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct guarded guarded = guarded_copy(bad[i], strlen(bad[i]));
        uint32_t value = 4711;
        if (bet_number_read(sized((char *)guarded.bytes, guarded.size), &value) != BET_FAULT_NUMBER)
            fail_msg("\"%s\" was read as %u", bad[i], value);
        assert_int_equal(value, 4711);
        guarded_free(&guarded);
    }
}

/* No field is read beyond its end. */
static void test_no_read_beyond_a_field(void **state)
{
    static const char *const names[] = {"A", "\xc3", "\xe2\x82", "\xf0\x9f\x8e", "\xc2"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        struct guarded name = guarded_copy(names[i], strlen(names[i]));
        struct guarded document = guarded_copy("1", 1);
        struct guarded birthdate = guarded_copy("1999-03-17", 10);
        struct bet bet = valid();
        bet.last_name = sized((char *)name.bytes, name.size);
        bet.document = sized((char *)document.bytes, document.size);
        for (size_t size = 0; size <= birthdate.size; size++) {
            bet.birthdate = sized((char *)birthdate.bytes + birthdate.size - size, size);
            enum bet_fault expected = size == birthdate.size ? BET_FAULT_NONE : BET_FAULT_BIRTHDATE;
            assert_int_equal(bet_check(&bet, TODAY), i == 0 ? expected : BET_FAULT_LAST_NAME_TEXT);
        }
        guarded_free(&name);
        guarded_free(&document);
        guarded_free(&birthdate);
    }
}

/* bet_check_sizes checks sizes and the number, and nothing else. */
static void test_sizes_only(void **state)
{
    static char bytes[BET_NAME_MAX + 1]; /* NUL bytes, which no field may have */
    const struct text nothing = {bytes, 0};
    const struct text birthdate = {bytes, BET_BIRTHDATE_SIZE};

    (void)state;
    for (size_t size = 0; size <= BET_NAME_MAX + 1; size++) {
        struct text text = {bytes, size};
        bool is_name = size >= 1 && size <= BET_NAME_MAX;
        bool is_document = size >= 1 && size <= BET_DOCUMENT_MAX;
        struct text one = {bytes, 1};
        struct bet bet = {text, one, one, birthdate, BET_NUMBER_MAX};
        assert_int_equal(bet_check_sizes(&bet),
                         is_name ? BET_FAULT_NONE : BET_FAULT_FIRST_NAME_SIZE);
        bet = (struct bet){one, text, one, birthdate, 0};
        assert_int_equal(bet_check_sizes(&bet),
                         is_name ? BET_FAULT_NONE : BET_FAULT_LAST_NAME_SIZE);
        bet = (struct bet){one, one, text, birthdate, 0};
        assert_int_equal(bet_check_sizes(&bet), is_document ? BET_FAULT_NONE : BET_FAULT_DOCUMENT);
        bet = (struct bet){one, one, one, text, 0};
        assert_int_equal(bet_check_sizes(&bet),
                         size == BET_BIRTHDATE_SIZE ? BET_FAULT_NONE : BET_FAULT_BIRTHDATE);
        bet = (struct bet){one, one, one, birthdate, BET_NUMBER_MAX + 1};
        assert_int_equal(bet_check_sizes(&bet), BET_FAULT_NUMBER);
    }
    struct bet empty = {nothing, nothing, nothing, nothing, 0};
    assert_int_equal(bet_check_sizes(&empty), BET_FAULT_FIRST_NAME_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid),
        cmocka_unit_test(test_fault_texts),
        cmocka_unit_test(test_order_of_faults),
        cmocka_unit_test(test_name_sizes),
        cmocka_unit_test(test_sizes_only),
        cmocka_unit_test(test_name_texts),
        cmocka_unit_test(test_document),
        cmocka_unit_test(test_birthdate_calendar),
        cmocka_unit_test(test_birthdate_future),
        cmocka_unit_test(test_birthdate_form),
        cmocka_unit_test(test_number_range),
        cmocka_unit_test(test_number_read),
        cmocka_unit_test(test_no_read_beyond_a_field),
    };

    return cmocka_run_group_tests_name("bet", tests, NULL, NULL);
}
