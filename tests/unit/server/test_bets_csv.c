#include "bets_csv.h"
#include "cmocka_all.h"
#include "guard.h"
#include "prng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MANY 2000

/* A bet that bets_csv_parse passed to on_bet, with copies of its texts. */
struct parsed {
    uint32_t agency;
    uint32_t number;
    size_t sizes[4];
    char texts[4][2 * BET_NAME_MAX];
};

struct receiver {
    struct parsed parsed[MANY];
    size_t count;
    size_t stop_at; /* the call that stops the parser; 0 = none */
};

static struct receiver receiver;

static void copy_text(struct parsed *parsed, int field, struct text text)
{
    assert_true(text.size <= sizeof(parsed->texts[field]));
    parsed->sizes[field] = text.size;
    memcpy(parsed->texts[field], text.data, text.size);
}

static bool on_bet(void *context, uint32_t agency, const struct bet *bet)
{
    struct receiver *r = context;
    struct parsed *parsed = &r->parsed[r->count++];

    assert_true(r->count <= MANY);
    parsed->agency = agency;
    parsed->number = bet->number;
    copy_text(parsed, 0, bet->first_name);
    copy_text(parsed, 1, bet->last_name);
    copy_text(parsed, 2, bet->document);
    copy_text(parsed, 3, bet->birthdate);
    return r->count != r->stop_at;
}

static void assert_parsed(const struct parsed *parsed, uint32_t agency, const struct bet *bet)
{
    const struct text texts[] = {bet->first_name, bet->last_name, bet->document, bet->birthdate};

    assert_int_equal(parsed->agency, agency);
    assert_int_equal(parsed->number, bet->number);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(parsed->sizes[i], texts[i].size);
        assert_memory_equal(parsed->texts[i], texts[i].data, texts[i].size);
    }
}

/* bets_csv_parse_number must read the same numbers as bets_csv_parse. */
static void assert_numbers(const char *text, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < receiver.count; i++) {
        uint32_t number = UINT32_MAX;
        size_t line = bets_csv_parse_number(text + at, size - at, &number);
        assert_true(line > 0);
        assert_int_equal(text[at + line - 1], '\n');
        assert_int_equal(number, receiver.parsed[i].number);
        at += line;
    }
}

/* Parses a copy of the text that ends right before a page that cannot be accessed. */
static enum status parse(const char *text, size_t size, size_t *bad_at)
{
    struct guarded guarded = guarded_copy(text, size);

    receiver.count = 0;
    enum status status = bets_csv_parse((char *)guarded.bytes, size, on_bet, &receiver, bad_at);
    guarded_free(&guarded);
    assert_numbers(text, size);
    return status;
}

static struct bet make_bet(const char *first_name, const char *last_name, const char *document,
                           const char *birthdate, uint32_t number)
{
    return (struct bet){text_of(first_name), text_of(last_name), text_of(document),
                        text_of(birthdate), number};
}

static int begin(void **state)
{
    (void)state;
    memset(&receiver, 0, sizeof(receiver));
    return 0;
}

/* A line is what Python's csv.writer writes for the same fields (it wrote these). */
static void test_lines_like_python(void **state)
{
    static const struct {
        uint32_t agency;
        const char *first_name;
        const char *last_name;
        const char *document;
        const char *birthdate;
        uint32_t number;
        const char *line;
    } cases[] = {
        {1, "Santiago Lionel", "Lorca", "30904465", "1999-03-17", 7574,
         "1,Santiago Lionel,Lorca,30904465,1999-03-17,7574\r\n"},
        {5, "a,b", "\"", "1", "2000-02-29", 0, "5,\"a,b\",\"\"\"\",1,2000-02-29,0\r\n"},
        {UINT32_MAX, "\"\"", "O'Higgins; | & : / =", "A1", "0001-01-01", 9999,
         "4294967295,\"\"\"\"\"\",O'Higgins; | & : / =,A1,0001-01-01,9999\r\n"},
        {2, " x ", "'q'", "00000001", "2000-01-01", 1, "2, x ,'q',00000001,2000-01-01,1\r\n"},
        {3, ",", "a\"b\"c", "1", "2000-01-01", 10, "3,\",\",\"a\"\"b\"\"c\",1,2000-01-01,10\r\n"},
        {3, "\\", "#", "1", "2000-01-01", 10, "3,\\,#,1,2000-01-01,10\r\n"},
        {10, "Mar\xc3\xad\x61",
         "N\xc3\xba\xc3\xb1"
         "ez",
         "1", "2000-01-01", 100,
         "10,Mar\xc3\xad\x61,N\xc3\xba\xc3\xb1"
         "ez,1,2000-01-01,100\r\n"},
        {0, "\"a\"", "b\"", "1", "2000-01-01", 5, "0,\"\"\"a\"\"\",\"b\"\"\",1,2000-01-01,5\r\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[BET_LINE_MAX + 1];
        size_t bad_at;
        struct bet bet = make_bet(cases[i].first_name, cases[i].last_name, cases[i].document,
                                  cases[i].birthdate, cases[i].number);
        size_t size = bet_lines_format(cases[i].agency, &bet, 1, out);
        out[size] = '\0';
        assert_string_equal(out, cases[i].line);
        assert_int_equal(parse(out, size, &bad_at), STATUS_OK);
        assert_int_equal(receiver.count, 1);
        assert_parsed(&receiver.parsed[0], cases[i].agency, &bet);
    }
}

/* The longest possible line is exactly BET_LINE_MAX bytes long. */
static void test_longest_line(void **state)
{
    char quotes[BET_NAME_MAX + 1];
    char fresh[BET_LINE_MAX] = {0};

    (void)state;
    memset(quotes, '"', BET_NAME_MAX);
    quotes[BET_NAME_MAX] = '\0';
    struct bet bet = make_bet(quotes, quotes, "ABCDEFGHIJKLMNOP", "1999-03-17", 9999);
    assert_int_equal(bet_check(&bet, 20240821), BET_FAULT_NONE);
    struct guarded out = guarded_copy(fresh, sizeof(fresh));
    size_t size = bet_lines_format(UINT32_MAX, &bet, 1, (char *)out.bytes);
    assert_int_equal(size, BET_LINE_MAX);
    size_t bad_at;
    assert_int_equal(bets_csv_parse((char *)out.bytes, size, on_bet, &receiver, &bad_at),
                     STATUS_OK);
    assert_parsed(&receiver.parsed[0], UINT32_MAX, &bet);
    guarded_free(&out);
}

/* The bytes of the first lines; all of them when there are no more lines. */
static void test_skip(void **state)
{
    static const char text[] = "1,a\r\n2,b\r\n3";

    (void)state;
    assert_int_equal(bets_csv_skip(text, 11, 0), 0);
    assert_int_equal(bets_csv_skip(text, 11, 1), 5);
    assert_int_equal(bets_csv_skip(text, 11, 2), 10);
    for (uint32_t count = 3; count < 6; count++)
        assert_int_equal(bets_csv_skip(text, 11, count), 11);
    assert_int_equal(bets_csv_skip(text, 10, 3), 10);
    assert_int_equal(bets_csv_skip(text, 0, 1), 0);
}

/* No bets make no lines, and an empty text has no bets. */
static void test_nothing(void **state)
{
    char out[1] = {'x'};
    size_t bad_at = 4711;

    (void)state;
    assert_int_equal(bet_lines_format(1, NULL, 0, out), 0);
    assert_int_equal(out[0], 'x');
    assert_int_equal(bets_csv_parse(out, 0, on_bet, &receiver, &bad_at), STATUS_OK);
    assert_int_equal(bets_csv_parse(NULL, 0, on_bet, &receiver, &bad_at), STATUS_OK);
    assert_int_equal(receiver.count, 0);
    assert_int_equal(bad_at, 4711);
}

/* A random valid name with many quotes, commas and bytes that are not ASCII. Returns its size. */
static size_t random_name(struct prng *prng, char out[BET_NAME_MAX])
{
    static const char *const pieces[] = {
        "a", "Z", " ", ",", "\"", "\"\"", ",\"", "'", ";", "|", "\xc3\xb1", "\xf0\x9f\x8e\xb0",
    };
    size_t max = 1 + prng_below(prng, BET_NAME_MAX);
    size_t size = 0;

    for (int tries = 0; tries < 100 || size == 0; tries++) {
        const char *piece = pieces[prng_below(prng, COUNT(pieces))];
        if (strlen(piece) <= max - size) {
            memcpy(out + size, piece, strlen(piece));
            size += strlen(piece);
        }
    }
    return size;
}

/* Valid bets that are formatted and parsed again are the same, in the same order. */
static void test_round_trip(void **state)
{
    static char names[MANY][2][BET_NAME_MAX];
    static char documents[MANY][BET_DOCUMENT_MAX];
    static char birthdates[MANY][BET_BIRTHDATE_SIZE + 1];
    static struct bet bets[MANY];
    static uint32_t agencies[MANY];
    static const char alphabet[] = "0123456789ABCXYZabcxyz";
    char *text = malloc((size_t)MANY * BET_LINE_MAX);
    struct prng prng = {6};
    size_t size = 0;
    size_t bad_at;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < MANY; i++) {
        struct bet *bet = &bets[i];
        bet->first_name = (struct text){names[i][0], random_name(&prng, names[i][0])};
        bet->last_name = (struct text){names[i][1], random_name(&prng, names[i][1])};
        bet->document = (struct text){documents[i], 1 + prng_below(&prng, BET_DOCUMENT_MAX)};
        for (size_t k = 0; k < bet->document.size; k++)
            documents[i][k] = alphabet[prng_below(&prng, sizeof(alphabet) - 1)];
        (void)snprintf(birthdates[i], sizeof(birthdates[i]), "%04u-%02u-%02u",
                       1 + prng_below(&prng, 2000) % 2000, 1 + prng_below(&prng, 12) % 12,
                       1 + prng_below(&prng, 28) % 28);
        bet->birthdate = text_of(birthdates[i]);
        bet->number = prng_below(&prng, BET_NUMBER_MAX + 1);
        assert_int_equal(bet_check(bet, 20240821), BET_FAULT_NONE);
        agencies[i] = prng_next(&prng) >> prng_below(&prng, 32);
        size += bet_lines_format(agencies[i], bet, 1, text + size);
    }
    assert_int_equal(parse(text, size, &bad_at), STATUS_OK);
    assert_int_equal(receiver.count, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_parsed(&receiver.parsed[i], agencies[i], &bets[i]);
    free(text);
}

/* Formatting several bets at once gives the lines of each, one after the other. */
static void test_batch_is_its_lines(void **state)
{
    const struct bet bets[] = {
        make_bet("Ana", "P\xc3\xa9rez", "1", "1999-03-17", 1),
        make_bet("a,b", "c\"d", "22", "2000-01-01", 22),
        make_bet("x", "y", "333", "2001-12-31", 333),
    };
    char whole[3 * BET_LINE_MAX];
    char parts[3 * BET_LINE_MAX];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        size += bet_lines_format(77, &bets[i], 1, parts + size);
    assert_int_equal(bet_lines_format(77, bets, 3, whole), size);
    assert_memory_equal(whole, parts, size);
}

/* Needless quotes, which csv.reader accepts as well, are accepted. */
static void test_needless_quotes(void **state)
{
    static const char text[] = "\"1\",\"Ana\",\"\",\"30904465\",\"1999-03-17\",\"7574\"\r\n"
                               "1,a\"b,c,1,1999-03-17,1\r\n";
    const struct bet first = make_bet("Ana", "", "30904465", "1999-03-17", 7574);
    const struct bet second = make_bet("a\"b", "c", "1", "1999-03-17", 1);
    size_t bad_at;

    (void)state;
    assert_int_equal(parse(text, sizeof(text) - 1, &bad_at), STATUS_OK);
    assert_int_equal(receiver.count, 2);
    assert_parsed(&receiver.parsed[0], 1, &first);
    assert_parsed(&receiver.parsed[1], 1, &second);
}

/* A damaged line is reported with its offset. Only the lines before it are parsed. */
static void test_damage_is_located(void **state)
{
    static const char good[] = "1,Ana,Lopez,1,1999-03-17,1\r\n";
    static const char *const bad[] = {
        "\n",
        "\r\n",
        "1,Ana,Lopez,1,1999-03-17,1\n",                      /* no CR */
        "1,Ana,Lopez,1,1999-03-17,1\r",                      /* no LF: the rest joins it */
        "1,Ana,Lopez,1,1999-03-17\r\n",                      /* a field is missing */
        "1,Ana,Lopez,1,1999-03-17,1,1\r\n",                  /* one field too many */
        "1,Ana,Lopez,1,1999-03-17,\r\n",                     /* no number */
        "1,Ana,Lopez,1,1999-03-17,10000\r\n",                /* over the range */
        "1,Ana,Lopez,1,1999-03-17,-1\r\n",                   /* a sign */
        "1,Ana,Lopez,1,1999-03-17, 1\r\n",                   /* a space before it */
        "1,Ana,Lopez,1,1999-03-17,1 \r\n",                   /* a space after it */
        "1,Ana,Lopez,1,1999-03-17,1\r\r\n",                  /* one CR too many */
        ",Ana,Lopez,1,1999-03-17,1\r\n",                     /* no agency */
        "x,Ana,Lopez,1,1999-03-17,1\r\n",                    /* not a number */
        "-1,Ana,Lopez,1,1999-03-17,1\r\n",                   /* a sign */
        "4294967296,Ana,Lopez,1,1999-03-17,1\r\n",           /* over 32 bits */
        "18446744073709551617,Ana,Lopez,1,1999-03-17,1\r\n", /* wraps to 1 in 64 bits */
        "1,\"Ana,Lopez,1,1999-03-17,1\r\n",                  /* a quote that never ends */
        "1,\"Ana\"x,Lopez,1,1999-03-17,1\r\n",               /* something after the quote */
        "1,\"Ana\" ,Lopez,1,1999-03-17,1\r\n",
        "1,Ana,Lopez,1,1999-03-17,\"1\r\n",
        "1,Ana,Lopez,1,1999-03-17,\"1\"2\r\n",
        "\r\r\n",
        "garbage\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        for (size_t before = 0; before <= 2; before++) {
            char text[400] = "";
            size_t bad_at = 4711;
            for (size_t k = 0; k < before; k++)
                strcat(text, good);
            strcat(text, bad[i]);
            strcat(text, good);
            if (parse(text, strlen(text), &bad_at) != STATUS_DAMAGED)
                fail_msg("line %zu was accepted", i);
            assert_int_equal(bad_at, before * strlen(good));
            assert_int_equal(receiver.count, before);
        }
    }
}

/* A line without a valid number is refused. */
static void test_no_number(void **state)
{
    static const char *const bad[] = {
        "",         "\n",        "\r\n",     "1\r\n",       "1,2\n",
        "1,2",      "1,2\r",     ",\r\n",    "1,10000\r\n", "1,-1\r\n",
        "1, 1\r\n", "1,1\r\r\n", "1,\"\r\n", "1,\"\"\r\n",  "1,\"1\r\n",
    };
    uint32_t number = 4711;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct guarded guarded = guarded_copy(bad[i], strlen(bad[i]));
        if (bets_csv_parse_number((char *)guarded.bytes, guarded.size, &number) != 0)
            fail_msg("line %zu was accepted", i);
        guarded_free(&guarded);
    }
    assert_int_equal(number, 4711);
}

/* Cut at any byte, a text is parsed up to its last line end, and damaged after that. */
static void test_cut_anywhere(void **state)
{
    const struct bet bets[] = {
        make_bet("Ana", "P\xc3\xa9rez", "1", "1999-03-17", 1),
        make_bet("a,b\"", "c\"d,", "22", "2000-01-01", 22),
        make_bet("x", "y", "333", "2001-12-31", 333),
    };
    char text[3 * BET_LINE_MAX];
    size_t ends[4] = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        ends[i + 1] = ends[i] + bet_lines_format(9, &bets[i], 1, text + ends[i]);
    for (size_t size = 0; size <= ends[3]; size++) {
        size_t bad_at = 4711;
        size_t whole = 0;
        while (whole < 3 && ends[whole + 1] <= size)
            whole++;
        enum status status = parse(text, size, &bad_at);
        assert_int_equal(receiver.count, whole);
        if (size == ends[whole]) {
            assert_int_equal(status, STATUS_OK);
        } else {
            assert_int_equal(status, STATUS_DAMAGED);
            assert_int_equal(bad_at, ends[whole]);
        }
    }
}

/* Any one byte is changed to any other: nothing is read or reported out of bounds. */
static void test_any_byte_changed(void **state)
{
    const struct bet bets[] = {make_bet("a,b\"", "c\"d,", "22", "2000-01-01", 22),
                               make_bet("x", "y", "333", "2001-12-31", 333)};
    char text[2 * BET_LINE_MAX];
    size_t size = bet_lines_format(9, bets, 2, text);

    (void)state;
    for (size_t at = 0; at < size; at++) {
        for (int byte = 0; byte < 256; byte++) {
            char saved = text[at];
            size_t bad_at = 0;
            text[at] = (char)byte;
            enum status status = parse(text, size, &bad_at);
            assert_true(status == STATUS_OK || status == STATUS_DAMAGED);
            assert_true(bad_at < size);
            text[at] = saved;
        }
    }
}

/* bets_csv_parse stops when on_bet returns false. */
static void test_stop(void **state)
{
    static const char good[] = "1,Ana,Lopez,1,1999-03-17,1\r\n1,Eva,Lopez,2,1999-03-17,2\r\n";
    size_t bad_at;

    (void)state;
    for (size_t stop_at = 1; stop_at <= 2; stop_at++) {
        receiver.stop_at = stop_at;
        assert_int_equal(parse(good, sizeof(good) - 1, &bad_at), STATUS_STOPPED);
        assert_int_equal(receiver.count, stop_at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines_like_python, begin),
        cmocka_unit_test_setup(test_longest_line, begin),
        cmocka_unit_test_setup(test_nothing, begin),
        cmocka_unit_test_setup(test_skip, begin),
        cmocka_unit_test_setup(test_round_trip, begin),
        cmocka_unit_test_setup(test_batch_is_its_lines, begin),
        cmocka_unit_test_setup(test_needless_quotes, begin),
        cmocka_unit_test_setup(test_damage_is_located, begin),
        cmocka_unit_test_setup(test_no_number, begin),
        cmocka_unit_test_setup(test_cut_anywhere, begin),
        cmocka_unit_test_setup(test_any_byte_changed, begin),
        cmocka_unit_test_setup(test_stop, begin),
    };

    return cmocka_run_group_tests_name("bets_csv", tests, NULL, NULL);
}
