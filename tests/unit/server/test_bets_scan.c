/* Scanning bets.csv, against what was written to it.
 *
 * Each file is made in memory, line by line, and the test keeps its winners; its checksums are
 * computed here as the header of the checkpoint says.
 */
#include "bets_csv.h"
#include "bets_scan.h"
#include "cmocka_all.h"
#include "crc32c.h"
#include "prng.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINNER 7574
#define CHUNK ((size_t)BETS_CHUNK_SIZE)
#define WINNERS_MAX 200000

struct fixture {
    char *path;
    struct data_dir data_dir;
    struct bets_extent extent;
    char *text; /* what bets.csv is to have */
    size_t size;
    size_t capacity;
    uint64_t bets;
    struct winner *winners; /* the right ones, in order */
    size_t count;
    size_t found;     /* how many of them the scan has found, in order */
    size_t stop_at;   /* on_winner fails for this one */
    enum status stop; /* with this */
    struct errbuf err;
};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->path = tmpdir_make();
    int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    f->data_dir =
        (struct data_dir){.ops = &file_ops_system, .path = f->path, .fd = fd, .old_lock_fd = -1};
    f->capacity = 8 * CHUNK;
    f->text = malloc(f->capacity);
    f->winners = malloc(WINNERS_MAX * sizeof(*f->winners));
    assert_true(f->text != NULL && f->winners != NULL);
    f->stop_at = SIZE_MAX;
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(close(f->data_dir.fd), 0);
    tmpdir_remove(f->path);
    free(f->extent.crcs);
    free(f->text);
    free(f->winners);
    free(f);
    return 0;
}

static void clear(struct fixture *f)
{
    f->size = 0;
    f->bets = 0;
    f->count = 0;
}

/* Adds a line; `name` is the first name. */
static void add(struct fixture *f, uint32_t agency, const char *name, uint32_t number)
{
    char document[BET_DOCUMENT_MAX + 1];

    (void)snprintf(document, sizeof(document), "%" PRIu64, f->bets);
    const struct bet bet = {text_of(name), text_of("Paz"), text_of(document), text_of("1999-03-17"),
                            number};
    assert_true(f->size + BET_LINE_MAX <= f->capacity);
    f->size += bet_lines_format(agency, &bet, 1, f->text + f->size);
    f->bets++;
    if (number != WINNER)
        return;
    struct winner *winner = &f->winners[f->count++];
    winner->agency = agency;
    winner->document_size = (uint8_t)strlen(document);
    memcpy(winner->document, document, strlen(document));
}

/* Adds random lines, some of them quoted, until there are `size` bytes or a few more. */
static void fill(struct fixture *f, struct prng *prng, size_t size)
{
    static const char *const names[] = {"Ana", "Juan Ignacio", "Pe, pe", "\"Q\"", "\"\",\"\"", "N"};

    while (f->size < size)
        add(f, 1 + prng_below(prng, 9), names[prng_below(prng, 6)],
            prng_below(prng, 4) == 0 ? WINNER : prng_below(prng, 10000));
}

/* Writes the file, and computes its extent. */
static void save(struct fixture *f)
{
    struct bets_extent *extent = &f->extent;
    size_t chunks = f->size / CHUNK;
    uint32_t crc = 0;

    free(extent->crcs);
    extent->crcs = chunks > 0 ? malloc(chunks * sizeof(*extent->crcs)) : NULL;
    assert_true(chunks == 0 || extent->crcs != NULL);
    for (size_t i = 0; i < chunks; i++) {
        crc = crc32c(crc, f->text + i * CHUNK, CHUNK);
        extent->crcs[i] = crc;
    }
    extent->crc = crc32c(crc, f->text + chunks * CHUNK, f->size % CHUNK);
    extent->size = f->size;
    int fd = openat(f->data_dir.fd, "bets.csv", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    for (size_t done = 0; done < f->size;) {
        ssize_t count = write(fd, f->text + done, f->size - done);
        assert_true(count > 0);
        done += (size_t)count;
    }
    assert_int_equal(close(fd), 0);
}

static enum status on_winner(void *owner, const struct winner *winner)
{
    struct fixture *f = owner;

    if (f->found == f->stop_at)
        return f->stop;
    assert_true(f->found < f->count);
    const struct winner *expected = &f->winners[f->found++];
    assert_int_equal(winner->agency, expected->agency);
    assert_int_equal(winner->document_size, expected->document_size);
    assert_memory_equal(winner->document, expected->document, expected->document_size);
    return STATUS_OK;
}

/* Scans part after part until one fails. Returns its status. */
static enum status scan(struct fixture *f, unsigned parts)
{
    uint64_t all = 0;

    f->found = 0;
    for (unsigned part = 0; part < parts; part++) {
        uint64_t bets = UINT64_MAX;
        const struct bets_scan config = {.data_dir = &f->data_dir,
                                         .extent = &f->extent,
                                         .winner_number = WINNER,
                                         .part = part,
                                         .parts = parts,
                                         .on_winner = on_winner,
                                         .owner = f,
                                         .bets = &bets};
        enum status status = bets_scan_run(&config, &f->err);
        if (status != STATUS_OK)
            return status;
        all += bets;
    }
    assert_int_equal(all, f->bets);
    return STATUS_OK;
}

static void scan_well(struct fixture *f, unsigned parts)
{
    assert_int_equal(scan(f, parts), STATUS_OK);
    assert_int_equal(f->found, f->count);
}

/* Any number of parts finds the same winners, and counts the same bets; of some files, whole chunks
 * only, or a last one of few bytes. */
static void test_parts(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {1};
    static const size_t sizes[] = {1, 1000, 2 * CHUNK, 2 * CHUNK + 1, 4 * CHUNK + 77777};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        clear(f);
        fill(f, &prng, sizes[i]);
        save(f);
        for (unsigned parts = 1; parts <= 9; parts++)
            scan_well(f, parts);
        scan_well(f, 64);
    }
}

/* No bytes, no bets. */
static void test_empty(void **state)
{
    struct fixture *f = *state;

    save(f);
    scan_well(f, 1);
    scan_well(f, 3);
}

/* Adds losing lines until there are exactly `target` bytes; needs room for a few lines. */
static void pad_to(struct fixture *f, size_t target)
{
    char name[BET_NAME_MAX + 1];

    while (f->size < target) {
        char line[BET_LINE_MAX];
        size_t rest = target - f->size;
        (void)snprintf(name, sizeof(name), "%" PRIu64, f->bets); /* as long as the document */
        const struct bet bet = {text_of("n"), text_of("Paz"), text_of(name), text_of("1999-03-17"),
                                12};
        size_t bare = bet_lines_format(1, &bet, 1, line);
        size_t size = rest > 3 * bare ? bare : rest > bare + 60 ? rest / 2 : rest;
        assert_true(size >= bare && size - bare < BET_NAME_MAX);
        memset(name, 'n', size - bare + 1);
        name[size - bare + 1] = '\0';
        add(f, 1, name, 12);
    }
    assert_int_equal(f->size, target);
}

/* The end of the first chunk, at every byte of a line, and around it: of winners and losers, quoted
 * or not. */
static void test_boundaries(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"Ana", "\"a\", b"};
    struct prng prng = {2};

    fill(f, &prng, CHUNK - 800);
    const struct fixture filled = *f;
    for (unsigned kind = 0; kind < 4; kind++) {
        for (size_t before = 0; before < 60; before++) {
            f->size = filled.size;
            f->bets = filled.bets;
            f->count = filled.count;
            pad_to(f, CHUNK - before);
            add(f, 3, names[kind / 2], kind % 2 == 0 ? WINNER : 12);
            assert_true(f->size < CHUNK - before + 60); /* else some of its bytes are left out */
            for (unsigned more = 0; more < before % 3; more++)
                add(f, 4, "more", WINNER);
            save(f);
            scan_well(f, 1);
            scan_well(f, 2);
        }
    }
}

/* A file of whole chunks, whose last line ends with the last byte. */
static void test_ends_with_chunk(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {3};

    for (size_t chunks = 1; chunks <= 2; chunks++) {
        clear(f);
        fill(f, &prng, chunks * CHUNK - 800);
        pad_to(f, chunks * CHUNK);
        save(f);
        for (unsigned parts = 1; parts <= 3; parts++)
            scan_well(f, parts);
    }
}

static void put_byte(struct fixture *f, size_t at, unsigned char byte)
{
    int fd = openat(f->data_dir.fd, "bets.csv", O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    assert_int_equal(close(fd), 0);
}

static void expect_damage(struct fixture *f, unsigned parts, const char *text)
{
    assert_int_equal(scan(f, parts), STATUS_DAMAGED);
    if (strstr(f->err.text, text) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", text, f->err.text);
    assert_non_null(strstr(f->err.text, "bets.csv: "));
    assert_non_null(strstr(f->err.text, "restore this file from a copy"));
}

/* One bit flipped anywhere is found, also if it makes no line wrong, and the chunk is named. */
static void test_flips(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {4};
    char place[64];

    fill(f, &prng, 2 * CHUNK + 5000);
    save(f);
    for (unsigned i = 0; i < 60; i++) {
        size_t at = prng_below(&prng, (uint32_t)f->size);
        if (i < 6) /* around the chunks' ends */
            at = (i / 3 + 1) * CHUNK - 1 + i % 3;
        put_byte(f, at, (unsigned char)f->text[at] ^ (unsigned char)(1u << prng_below(&prng, 8)));
        (void)snprintf(place, sizeof(place), "wrong checksum of the MiB at byte %zu;",
                       at / CHUNK * CHUNK);
        for (unsigned parts = 1; parts <= 3; parts++)
            expect_damage(f, parts, place);
        put_byte(f, at, (unsigned char)f->text[at]);
    }
    scan_well(f, 2);
}

/* A file that is shorter than its extent. */
static void test_cut_off(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {5};
    char place[64];

    fill(f, &prng, CHUNK + 5000);
    save(f);
    static const size_t cuts[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + 4999};
    for (size_t i = sizeof(cuts) / sizeof(cuts[0]); i-- > 0;) {
        int fd = openat(f->data_dir.fd, "bets.csv", O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(ftruncate(fd, (off_t)cuts[i]), 0);
        assert_int_equal(close(fd), 0);
        (void)snprintf(place, sizeof(place), "cut off at byte %zu;", cuts[i]);
        expect_damage(f, 1, place);
        expect_damage(f, 2, "cut off at byte ");
    }
    assert_int_equal(unlinkat(f->data_dir.fd, "bets.csv", 0), 0);
    assert_int_equal(scan(f, 1), STATUS_NOTFOUND);
    assert_string_equal(f->err.text, "bets.csv: No such file or directory");
}

/* More bytes than the extent has: those of bets that do not count. */
static void test_longer(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {6};

    fill(f, &prng, CHUNK + 5000);
    const struct fixture counts = *f;
    fill(f, &prng, CHUNK + 9000);
    save(f);
    f->extent.size = counts.size;
    f->extent.crc = crc32c(f->extent.crcs[0], f->text + CHUNK, counts.size - CHUNK);
    f->bets = counts.bets;
    f->count = counts.count;
    scan_well(f, 1);
    scan_well(f, 2);
}

/* Lines that are none, although the checksums are right: the byte where the line begins is named.
 */
static void test_bad_lines(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *line;
        const char *text; /* of the error; the place is the line's beginning */
    } cases[] = {
        {"1,a,b,1,1999-01-01,12\n", "bad line"},
        {"1,a,b,1,1999-01-01,10000\r\n", "bad line"},
        {"1,a,b,1,1999-01-01,\r\n", "bad line"},
        {"\r\n", "bad line"},
        {"\n", "bad line"},
        {"7574\r\n", "bad line"},
        {"x,a,b,1,1999-01-01,7574\r\n", "bad line"},
        {"1,a,b,,1999-01-01,7574\r\n", "bad line"},
        {"1,a,b,12345678901234567,1999-01-01,7574\r\n", "bad line"},
        {"1,a,b,1,7574\r\n", "bad line"},
        {"1,a,b,1,1999-01-01,12", "a line without an end"},
    };
    char place[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        clear(f);
        add(f, 1, "Ana", WINNER);
        size_t at = f->size;
        memcpy(f->text + f->size, cases[i].line, strlen(cases[i].line));
        f->size += strlen(cases[i].line);
        save(f);
        (void)snprintf(place, sizeof(place), "%s at byte %zu;", cases[i].text, at);
        expect_damage(f, 1, place);
        expect_damage(f, 2, place);
    }
}

/* A chunk without any end of a line, at each place; and a last line that never ends. */
static void test_no_line_ends(void **state)
{
    struct fixture *f = *state;
    struct prng prng = {7};
    char place[64];

    for (size_t chunk = 0; chunk < 3; chunk++) {
        clear(f);
        fill(f, &prng, 3 * CHUNK);
        memset(f->text + chunk * CHUNK, 'x', CHUNK);
        save(f);
        for (unsigned parts = 1; parts <= 4; parts++)
            expect_damage(f, parts, " at byte ");
    }
    clear(f);
    fill(f, &prng, CHUNK);
    f->size = CHUNK + 2000;
    memset(f->text + CHUNK - 10, 'x', 2010);
    size_t line = CHUNK - 10;
    while (f->text[line - 1] != '\n')
        line--;
    save(f);
    (void)snprintf(place, sizeof(place), "a line without an end at byte %zu;", line);
    expect_damage(f, 1, place);
    expect_damage(f, 2, place);
}

/* What on_winner returns ends the scan: DAMAGED names the line. */
static void test_on_winner_fails(void **state)
{
    struct fixture *f = *state;
    char place[64];

    for (unsigned i = 0; i < 3; i++)
        add(f, 1, "Ana", WINNER);
    save(f);
    f->stop_at = 1;
    f->stop = STATUS_NOSPACE;
    assert_int_equal(scan(f, 1), STATUS_NOSPACE);
    assert_string_equal(f->err.text, "the winners cannot be written: no space left");
    assert_int_equal(f->found, 1);
    f->stop = STATUS_DAMAGED;
    (void)snprintf(place, sizeof(place), "bad line at byte %zu;", f->size / 3);
    expect_damage(f, 1, place);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_parts),           CASE(test_empty),     CASE(test_boundaries),
        CASE(test_ends_with_chunk), CASE(test_flips),     CASE(test_cut_off),
        CASE(test_longer),          CASE(test_bad_lines), CASE(test_no_line_ends),
        CASE(test_on_winner_fails),
    };

    return cmocka_run_group_tests_name("bets_scan", tests, NULL, NULL);
}
