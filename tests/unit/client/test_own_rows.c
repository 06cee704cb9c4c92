/* The walk through an agency's own rows: what it hashes, in pieces, with interruptions. */
#include "bet_line.h"
#include "bets_fixture.h"
#include "cmocka_all.h"
#include "own_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY_ROWS 20000 /* several steps */

static struct own_rows rows; /* big */

static int begin(void **state)
{
    assert_int_equal(own_rows_init(&rows, 7), STATUS_OK);
    return bets_fixture_begin(state);
}

static int end(void **state)
{
    own_rows_fini(&rows);
    own_rows_fini(&rows); /* may be called again */
    return bets_fixture_end(state);
}

/* Opens the file and checks it to its end. */
static void open_file(struct bets_fixture *f)
{
    bool is_done = false;

    assert_int_equal(bets_file_open(f->path, &f->format, 7, &f->file, &f->err), STATUS_OK);
    while (!is_done)
        assert_int_equal(bets_file_check(f->file, &is_done, &f->err), STATUS_OK);
}

/* Writes and opens a file whose row i has document i and number i % 10; returns its lines in
 * bets.csv. */
static char *make_many(struct bets_fixture *f)
{
    char *file = malloc((size_t)MANY_ROWS * BET_LINE_MAX);
    char *lines = malloc((size_t)MANY_ROWS * BET_LINE_MAX);
    size_t file_size = 0;
    size_t lines_size = 0;

    assert_non_null(file);
    assert_non_null(lines);
    for (int i = 0; i < MANY_ROWS; i++) {
        file_size += (size_t)sprintf(file + file_size, "Ana,Paz,%d,1999-03-17,%d\n", i, i % 10);
        lines_size +=
            (size_t)sprintf(lines + lines_size, "7,Ana,Paz,%d,1999-03-17,%d\r\n", i, i % 10);
    }
    bets_fixture_write(f, file, file_size);
    free(file);
    open_file(f);
    return lines;
}

/* Walks to the end; between the steps, the file goes elsewhere. Returns how many steps it took. */
static unsigned walk(struct bets_fixture *f, bool is_interrupted, struct text_digest *out)
{
    unsigned steps = 0;
    bool is_done = false;

    while (!is_done) {
        assert_int_equal(own_rows_step(&rows, f->file, &is_done, out, &f->err), STATUS_OK);
        steps++;
        if (!is_interrupted)
            continue;
        assert_int_equal(bets_fixture_seek(f, steps), STATUS_OK);
        own_rows_leave(&rows);
    }
    return steps;
}

static void assert_digest(const struct text_digest *digest, uint64_t count, struct text bytes)
{
    uint8_t expected[SHA256_SIZE];

    assert_int_equal(sha256_of(bytes, expected), STATUS_OK);
    assert_int_equal(digest->count, count);
    assert_memory_equal(digest->bytes, expected, sizeof(expected));
}

/* Lines are hashed as bets.csv has them: agency, quotes, numbers without needless zeros, CRLF. */
static void test_lines(void **state)
{
    static const char text[] =
        "Ana,Paz,1,1999-03-17,0042\n\n\"Ana, Mar\",\"P\"\"az\",2,1999-03-17,7\n";
    static const char lines[] =
        "7,Ana,Paz,1,1999-03-17,42\r\n7,\"Ana, Mar\",\"P\"\"az\",2,1999-03-17,7\r\n";
    struct bets_fixture *f = *state;
    struct text_digest digest;

    bets_fixture_write(f, text, strlen(text));
    open_file(f);
    own_rows_begin_lines(&rows, 2);
    (void)walk(f, false, &digest);
    assert_digest(&digest, 2, text_of(lines));
    own_rows_begin_lines(&rows, 1);
    (void)walk(f, false, &digest);
    assert_digest(&digest, 1, (struct text){lines, strlen("7,Ana,Paz,1,1999-03-17,42\r\n")});
    own_rows_begin_lines(&rows, 0);
    (void)walk(f, false, &digest);
    assert_digest(&digest, 0, text_of(""));
}

/* A large file takes several steps, and interruptions change nothing. */
static void test_steps(void **state)
{
    struct bets_fixture *f = *state;
    struct text_digest digest;
    char *lines = make_many(f);

    for (int i = 0; i < 2; i++) {
        own_rows_begin_lines(&rows, MANY_ROWS);
        assert_true(walk(f, i == 1, &digest) >= MANY_ROWS / 4096);
        assert_digest(&digest, MANY_ROWS, text_of(lines));
    }
    free(lines);
}

/* Winners are the documents of the rows with the number, within the rows that count; they have the
 * hash of the documents that the central sends. */
static void test_winners(void **state)
{
    struct bets_fixture *f = *state;
    struct text_hash told;
    struct text_digest digest;
    char document[16];

    free(make_many(f));
    assert_int_equal(text_hash_init(&told), STATUS_OK);
    for (int i = 3; i < MANY_ROWS / 2; i += 10) {
        (void)snprintf(document, sizeof(document), "%d", i);
        text_hash_add_document(&told, text_of(document));
    }
    const struct text_digest expected = text_hash_end(&told);
    own_rows_begin_winners(&rows, MANY_ROWS / 2, 3);
    (void)walk(f, true, &digest);
    assert_int_equal(expected.count, MANY_ROWS / 20);
    assert_int_equal(digest.count, expected.count);
    assert_memory_equal(digest.bytes, expected.bytes, sizeof(expected.bytes));
    own_rows_begin_winners(&rows, MANY_ROWS, 10);
    (void)walk(f, false, &digest);
    assert_digest(&digest, 0, text_of(""));
    text_hash_fini(&told);
}

/* Where one document ends is a part of the hash; one of any size is taken. */
static void test_documents(void **state)
{
    struct text_hash hash;
    struct text_digest digest;
    char *large = calloc(1, 3 * OWN_ROWS_BUFFER);

    (void)state;
    assert_non_null(large);
    assert_int_equal(text_hash_init(&hash), STATUS_OK);
    text_hash_add_document(&hash, text_of("12"));
    text_hash_add_document(&hash, text_of("3"));
    digest = text_hash_end(&hash);
    assert_digest(&digest, 2, text_of("12\n3\n"));
    text_hash_add_document(&hash, text_of("1"));
    text_hash_restart(&hash);
    text_hash_add_document(&hash, text_of("9"));
    text_hash_add_document(&hash, (struct text){large, 3 * OWN_ROWS_BUFFER});
    assert_int_equal(text_hash_end(&hash).count, 2);
    text_hash_fini(&hash);
    free(large);
}

/* A file that has changed since it was checked is an error, and not another digest. */
static void test_changed_file(void **state)
{
    struct bets_fixture *f = *state;
    struct text_digest digest;
    bool is_done = false;

    free(make_many(f));
    bets_fixture_write(f, "Ana,Paz,1,1999-03-17,1\n", 23);
    own_rows_begin_lines(&rows, MANY_ROWS);
    assert_int_equal(own_rows_step(&rows, f->file, &is_done, &digest, &f->err), STATUS_INVALID);
    assert_false(is_done);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_lines),     CASE(test_steps),        CASE(test_winners),
        CASE(test_documents), CASE(test_changed_file),
    };

    return cmocka_run_group_tests_name("own_rows", tests, NULL, NULL);
}
