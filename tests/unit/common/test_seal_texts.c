/* The texts of a seal: leaves, and what the two notes say. */
#include "cmocka_all.h"
#include "guard.h"
#include "hex.h"
#include "rfc3339.h"
#include "seal_leaf.h"
#include "seal_note.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define AB "abababababababababababababababababababababababababababababababab"
#define CD "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"
#define ROOT "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=" /* AB in base64 */

#define ID_64 "0123456789012345678901234567890123456789012345678901234567890123"

/* A view of a text that ends right before a page that cannot be accessed. */
struct view {
    struct guarded guarded;
    struct text text;
};

static struct view view_of(const char *text, size_t size)
{
    struct view view = {.guarded = guarded_copy(text, size)};

    view.text = (struct text){(const char *)view.guarded.bytes, size};
    return view;
}

static bool reads_draw(const char *leaf, size_t size, struct seal_draw *out)
{
    struct view view = view_of(leaf, size);
    bool is_read = seal_leaf_read_draw(view.text, out);

    guarded_free(&view.guarded);
    return is_read;
}

static bool reads_agency(const char *leaf, size_t size, struct seal_agency *out)
{
    struct view view = view_of(leaf, size);
    bool is_read = seal_leaf_read_agency(view.text, out);

    guarded_free(&view.guarded);
    return is_read;
}

/* Leaves are written and read as they are, up to the largest values. */
static void test_leaf_draw(void **state)
{
    static const char *const leaves[] = {
        "draw 2026-11-25-nocturna 5 73110 2026-11-25T21:00:00Z",
        "draw - 0 0 1970-01-01T00:00:00Z",
        "draw " ID_64 " 4294967295 18446744073709551615 9999-12-31T23:59:59Z",
    };
    char again[SEAL_LEAF_MAX];
    struct seal_draw draw;

    (void)state;
    for (size_t i = 0; i < COUNT(leaves); i++) {
        size_t size = strlen(leaves[i]);
        assert_true(reads_draw(leaves[i], size, &draw));
        assert_int_equal(seal_leaf_put_draw(&draw, again), size);
        assert_memory_equal(again, leaves[i], size);
        for (size_t cut = 0; cut < size; cut++)
            assert_false(reads_draw(leaves[i], cut, &draw));
    }
    assert_true(reads_draw(leaves[1], strlen(leaves[1]), &draw));
    assert_string_equal(draw.id, "");
}

static void test_leaf_agency(void **state)
{
    static const char *const leaves[] = {
        "agency 3 14622 " AB " " CD,
        "agency 4294967295 18446744073709551615 " AB " " CD,
    };
    char again[SEAL_LEAF_MAX];
    struct seal_agency agency;

    (void)state;
    for (size_t i = 0; i < COUNT(leaves); i++) {
        size_t size = strlen(leaves[i]);
        assert_true(reads_agency(leaves[i], size, &agency));
        assert_int_equal(seal_leaf_put_agency(&agency, again), size);
        assert_memory_equal(again, leaves[i], size);
        for (size_t cut = 0; cut < size; cut++)
            assert_false(reads_agency(leaves[i], cut, &agency));
    }
    assert_true(reads_agency(leaves[0], strlen(leaves[0]), &agency));
    assert_int_equal(agency.agency, 3);
    assert_int_equal(agency.bets, 14622);
    assert_int_equal(agency.digest[31], 0xab);
    assert_int_equal(agency.nonce[0], 0xcd);
}

/* There is one way to write a leaf. */
static void test_leaves_refused(void **state)
{
    static const char *const draws[] = {
        "",
        "draw",
        "draw  5 1 2026-11-25T21:00:00Z",
        "Draw x 5 1 2026-11-25T21:00:00Z",
        "draw -x 5 1 2026-11-25T21:00:00Z",
        "draw _ 5 1 2026-11-25T21:00:00Z",
        "draw x.y 5 1 2026-11-25T21:00:00Z",
        "draw x/y 5 1 2026-11-25T21:00:00Z",
        "draw " ID_64 "4 5 1 2026-11-25T21:00:00Z",
        "draw x 05 1 2026-11-25T21:00:00Z",
        "draw x 4294967296 1 2026-11-25T21:00:00Z",
        "draw x 5 18446744073709551616 2026-11-25T21:00:00Z",
        "draw x 5 99999999999999999999 2026-11-25T21:00:00Z",
        "draw x 5 -1 2026-11-25T21:00:00Z",
        "draw x 5 1 2026-11-25T21:00:00z",
        "draw x 5 1 2026-11-25t21:00:00Z",
        "draw x 5 1 2026-02-29T21:00:00Z",
        "draw x 5 1 2026-11-25T18:00:00-03:00",
        "draw x 5 1 2026-11-25T21:00:00Z\n",
        "draw x 5 1  2026-11-25T21:00:00Z",
        "draw x 5 1 2026-11-25T21:00:00Z ",
    };
    static const char *const agencies[] = {
        "agency 0 1 " AB " " CD,      "agency 03 1 " AB " " CD, "agency 4294967296 1 " AB " " CD,
        "agency 3 1 " AB CD,          "agency 3 1 " AB "  " CD, "agency 3 1 " AB " " CD "\n",
        "agency 3 1 " AB " " CD "cd", "agency 3 +1 " AB " " CD, "agency 3 1 A" AB " " CD,
        "draw 3 1 " AB " " CD,        "agency 3  " AB " " CD,
    };
    char upper[] = "agency 3 1 " AB " " CD;
    struct seal_agency agency;
    struct seal_draw draw;

    (void)state;
    for (size_t i = 0; i < COUNT(draws); i++) {
        if (reads_draw(draws[i], strlen(draws[i]), &draw))
            fail_msg("was read: %s", draws[i]);
    }
    for (size_t i = 0; i < COUNT(agencies); i++) {
        if (reads_agency(agencies[i], strlen(agencies[i]), &agency))
            fail_msg("was read: %s", agencies[i]);
    }
    assert_true(reads_agency(upper, sizeof(upper) - 1, &agency));
    upper[sizeof(upper) - 2] = 'D';
    assert_false(reads_agency(upper, sizeof(upper) - 1, &agency));
}

/* The ids that a draw may have, and no other word in their place. */
static void test_ids(void **state)
{
    static const char *const good[] = {"-", "0", "z", "A_-", ID_64};
    static const char *const bad[] = {"",         "--",   "_x",      "x\n",
                                      "\xc3\xb1", "../x", ID_64 "4", "current"};
    char leaf[SEAL_LEAF_MAX * 2];
    struct seal_draw draw;

    (void)state;
    for (size_t i = 0; i < COUNT(good) + COUNT(bad); i++) {
        bool is_good = i < COUNT(good);
        const char *id = is_good ? good[i] : bad[i - COUNT(good)];
        (void)snprintf(leaf, sizeof(leaf), "draw %s 5 7 2026-11-25T21:00:00Z", id);
        if (reads_draw(leaf, strlen(leaf), &draw) != is_good)
            fail_msg("'%s' is taken for what it is not", id);
        if (is_good)
            assert_string_equal(draw.id, id[0] == '-' ? "" : id);
    }
}

/* The nonce is the HMAC of the id in decimal; computed elsewhere. */
static void test_nonce(void **state)
{
    static const struct {
        uint32_t agency;
        const char *nonce;
    } cases[] = {
        {1, "7761b1cc25227dfca0bd6d972acc52abb62f24ce50ad5a7a430b05c5a6f5497b"},
        {10000, "9d64219e87cc5bdab9874136ce90e6d10af54f93d33fbe0e1be4fdf657fab8d5"},
        {UINT32_MAX, "cc49739e3afc6457e8fb1f517ace92f5315dccf330945f58e46d980de377e759"},
    };
    uint8_t salt[SEAL_SALT_SIZE];
    uint8_t nonce[SEAL_NONCE_SIZE];
    char text[2 * SEAL_NONCE_SIZE + 1];

    (void)state;
    for (size_t i = 0; i < sizeof(salt); i++)
        salt[i] = (uint8_t)i;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(seal_nonce(salt, cases[i].agency, nonce), STATUS_OK);
        *hex_encode(nonce, sizeof(nonce), text) = '\0';
        assert_string_equal(text, cases[i].nonce);
    }
}

#define RESULT                                                                                     \
    "lottery/x/result\nroot " ROOT "\nnumber 7574\nsource bolillero\n"                             \
    "time 2026-11-25T21:14:30Z\nwinners 2 " CD "\n"

static enum status read_seal(const char *text, size_t size, struct seal_note *out)
{
    struct view view = view_of(text, size);
    enum status status = seal_note_read(view.text, out);

    guarded_free(&view.guarded);
    return status;
}

/* A result's source points into the text, so only its size is left. */
static enum status read_result(const char *text, size_t size, struct result_note *out)
{
    struct view view = view_of(text, size);
    enum status status = result_note_read(view.text, out);

    guarded_free(&view.guarded);
    return status;
}

static void test_seal_note(void **state)
{
    static const char *const texts[] = {
        "lottery/2026-11-25-nocturna\n6\n" ROOT "\n",
        "lottery/-\n0\n" ROOT "\n",
        "lottery/" ID_64 "\n18446744073709551615\n" ROOT "\n",
    };
    static const char *const wrong[] = {
        "lottery/x\n6\n" ROOT,
        "lottery/x\n06\n" ROOT "\n",
        "lottery/x\n18446744073709551616\n" ROOT "\n",
        "lottery/\n6\n" ROOT "\n",
        "lottery/x/result\n6\n" ROOT "\n",
        "lottery\n6\n" ROOT "\n",
        "Lottery/x\n6\n" ROOT "\n",
        "lottery/x\n6\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6t=\n",
        "lottery/x\n6\nq6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s\n",
        "lottery/x\n6\n" ROOT "\nmore\n",
        "lottery/x\n6\n\n" ROOT "\n",
        RESULT,
    };
    char again[SEAL_NOTE_MAX];
    struct seal_note note;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t size = strlen(texts[i]);
        assert_int_equal(read_seal(texts[i], size, &note), STATUS_OK);
        assert_int_equal(seal_note_put(&note, again), size);
        assert_memory_equal(again, texts[i], size);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(read_seal(texts[i], cut, &note), STATUS_MALFORMED);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (read_seal(wrong[i], strlen(wrong[i]), &note) != STATUS_MALFORMED)
            fail_msg("was read: %s", wrong[i]);
    }
}

static void test_result_note(void **state)
{
    static const char *const texts[] = {
        RESULT,
        "lottery/-/result\nroot " ROOT "\nnumber 0\nsource -\ntime 1970-01-01T00:00:00Z\n"
        "winners 0 " CD "\n",
        "lottery/" ID_64 "/result\nroot " ROOT "\nnumber 4294967295\nsource a - b \xc3\xb1\n"
        "time 9999-12-31T23:59:59Z\nwinners 18446744073709551615 " CD "\n",
    };
    static const char *const wrong[] = {
        "lottery/x\nroot " ROOT "\nnumber 1\nsource a\ntime 2026-11-25T21:14:30Z\nwinners 2 " CD
        "\n",
        "lottery/x/result\nroot " ROOT "\nnumber 01\nsource a\ntime 2026-11-25T21:14:30Z\n"
        "winners 2 " CD "\n",
        "lottery/x/result\nroot " ROOT "\nnumber 1\nsource \ntime 2026-11-25T21:14:30Z\n"
        "winners 2 " CD "\n",
        "lottery/x/result\nroot " ROOT "\nnumber 1\ntime 2026-11-25T21:14:30Z\nwinners 2 " CD "\n",
        "lottery/x/result\nroot " ROOT "\nnumber 1\nsource a\ntime 2026-11-25T21:14:30+00:00\n"
        "winners 2 " CD "\n",
        "lottery/x/result\nroot " ROOT "\nnumber 1\nsource a\ntime 2026-11-25T21:14:30Z\n"
        "winners 2 " CD "\n\n",
        "lottery/x/result\nroot " ROOT "\nnumber 1\nsource a\nnumber 2\n"
        "time 2026-11-25T21:14:30Z\nwinners 2 " CD "\n",
        "lottery/x/result\nroot " ROOT "\nnumber 4294967296\nsource a\n"
        "time 2026-11-25T21:14:30Z\nwinners 2 " CD "\n",
    };
    char again[RESULT_NOTE_MAX];
    struct result_note note;

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        size_t size = strlen(texts[i]);
        assert_int_equal(result_note_read(text_of(texts[i]), &note), STATUS_OK);
        assert_int_equal(result_note_put(&note, again), size);
        assert_memory_equal(again, texts[i], size);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(read_result(texts[i], cut, &note), STATUS_MALFORMED);
        assert_int_equal(read_result(texts[i], size, &note), STATUS_OK);
    }
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (read_result(wrong[i], strlen(wrong[i]), &note) != STATUS_MALFORMED)
            fail_msg("was read: %s", wrong[i]);
    }
}

/* The longest source fits, with all else as long as it may be; one byte more is refused. */
static void test_longest_source(void **state)
{
    char source[SEAL_SOURCE_MAX + 2];
    char text[RESULT_NOTE_MAX];
    char longer[RESULT_NOTE_MAX + 1];
    struct result_note note = {.id = ID_64,
                               .number = UINT32_MAX,
                               .source = {source, SEAL_SOURCE_MAX},
                               .time_s = UINT64_MAX,
                               .winners = UINT64_MAX};
    struct result_note again;

    (void)state;
    memset(source, 's', sizeof(source));
    size_t size = result_note_put(&note, text);
    assert_in_range(size, 400, RESULT_NOTE_MAX - 1);
    assert_int_equal(result_note_read((struct text){text, size}, &again), STATUS_OK);
    assert_int_equal(again.source.size, SEAL_SOURCE_MAX);
    const char *at = strstr(text, "\nsource ") + 8;
    size_t before = (size_t)(at - text);
    memcpy(longer, text, before);
    longer[before] = 's';
    memcpy(longer + before + 1, at, size - before);
    assert_int_equal(result_note_read((struct text){longer, size + 1}, &again), STATUS_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaf_draw),      cmocka_unit_test(test_leaf_agency),
        cmocka_unit_test(test_leaves_refused), cmocka_unit_test(test_ids),
        cmocka_unit_test(test_nonce),          cmocka_unit_test(test_seal_note),
        cmocka_unit_test(test_result_note),    cmocka_unit_test(test_longest_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
