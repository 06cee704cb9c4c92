/* The digests of each agency's lines, against those that the test computes line by line. */
#include "bets_csv.h"
#include "bets_digest.h"
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

#define CHUNK ((size_t)BETS_CHUNK_SIZE)
#define AGENCIES_MAX 128

struct fixture {
    char *path;
    struct data_dir data_dir;
    struct bets_extent extent;
    char *text; /* what bets.csv is to have */
    size_t size;
    size_t capacity;
    uint32_t agencies;
    struct sha256 hashes[AGENCIES_MAX + 1]; /* of each agency's lines */
    uint64_t bets[AGENCIES_MAX + 1];
    struct agency_digest out[AGENCIES_MAX + 1];
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
    f->capacity = 6 * CHUNK;
    f->text = malloc(f->capacity);
    assert_non_null(f->text);
    for (uint32_t agency = 0; agency <= AGENCIES_MAX; agency++)
        assert_int_equal(sha256_init(&f->hashes[agency]), STATUS_OK);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(close(f->data_dir.fd), 0);
    tmpdir_remove(f->path);
    for (uint32_t agency = 0; agency <= AGENCIES_MAX; agency++)
        sha256_fini(&f->hashes[agency]);
    bets_extent_fini(&f->extent);
    free(f->text);
    free(f);
    return 0;
}

static void clear(struct fixture *f, uint32_t agencies)
{
    f->size = 0;
    f->agencies = agencies;
    memset(f->bets, 0, sizeof(f->bets));
    for (uint32_t agency = 0; agency <= AGENCIES_MAX; agency++)
        assert_int_equal(sha256_restart(&f->hashes[agency]), STATUS_OK);
}

static void add(struct fixture *f, uint32_t agency, const char *name)
{
    char document[BET_DOCUMENT_MAX + 1];

    (void)snprintf(document, sizeof(document), "%" PRIu64, f->bets[agency]);
    const struct bet bet = {text_of(name), text_of("1,Paz"), text_of(document),
                            text_of("1999-03-17"), 7574};
    char *line = f->text + f->size;
    assert_true(f->size + BET_LINE_MAX <= f->capacity);
    size_t size = bet_lines_format(agency, &bet, 1, line);
    sha256_update(&f->hashes[agency], line, size);
    f->size += size;
    f->bets[agency]++;
}

static void save(struct fixture *f)
{
    bets_extent_fini(&f->extent);
    f->extent = (struct bets_extent){0};
    if (f->size > 0)
        assert_int_equal(bets_extent_append(&f->extent, f->text, f->size), STATUS_OK);
    int fd = openat(f->data_dir.fd, "bets.csv", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, f->text, f->size), f->size);
    assert_int_equal(close(fd), 0);
}

static enum status run(struct fixture *f, unsigned part, unsigned parts)
{
    const struct bets_digest digest = {.data_dir = &f->data_dir,
                                       .extent = &f->extent,
                                       .agencies = f->agencies,
                                       .part = part,
                                       .parts = parts,
                                       .out = f->out};

    f->err.text[0] = '\0';
    return bets_digest_run(&digest, &f->err);
}

/* All parts together have the digests of all agencies, and each touches only its own. */
static void check(struct fixture *f)
{
    static const unsigned counts[] = {1, 2, 3, 7, 64, AGENCIES_MAX + 5};
    uint8_t digests[AGENCIES_MAX + 1][SHA256_SIZE];

    for (uint32_t agency = 1; agency <= f->agencies; agency++)
        sha256_final(&f->hashes[agency], digests[agency]);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        memset(f->out, 0, sizeof(f->out));
        for (unsigned part = counts[i]; part > 0; part--) {
            if (run(f, part - 1, counts[i]) != STATUS_OK)
                fail_msg("part %u of %u: %s", part - 1, counts[i], f->err.text);
        }
        for (uint32_t agency = 1; agency <= f->agencies; agency++) {
            assert_int_equal(f->out[agency].bets, f->bets[agency]);
            assert_memory_equal(f->out[agency].digest, digests[agency], SHA256_SIZE);
        }
    }
}

/* Runs of any length of agencies whose ids begin alike, over the borders of the chunks. */
static void test_random(void **state)
{
    static const char *const names[] = {"Ana", "Juan Ignacio", "Pe, pe", "\"Q\"", "\"\",\"\"", "N"};
    static const uint32_t agencies[] = {1, 9, 10, 11, 99, 100, 101, AGENCIES_MAX};
    struct fixture *f = *state;
    struct prng prng = {11};

    for (size_t i = 0; i < sizeof(agencies) / sizeof(agencies[0]); i++) {
        clear(f, agencies[i]);
        size_t size = i % 2 == 0 ? 5000 : 3 * CHUNK + 777;
        while (f->size < size) {
            uint32_t agency = 1 + prng_below(&prng, agencies[i]);
            unsigned count = prng_below(&prng, 8) == 0 ? 3000 : 1 + prng_below(&prng, 90);
            if (agency == 2)
                continue; /* never bets */
            for (unsigned j = 0; j < count && f->size < size; j++)
                add(f, agency, names[prng_below(&prng, 6)]);
        }
        save(f);
        check(f);
    }
}

/* The borders of lines and chunks meet in every way. */
static void test_borders(void **state)
{
    struct fixture *f = *state;
    char name[65];

    memset(name, 'x', sizeof(name));
    for (unsigned shift = 0; shift < 60; shift++) {
        clear(f, 2);
        name[64] = '\0';
        while (f->size < CHUNK - 200)
            add(f, 1, name);
        name[shift + 1] = '\0';
        add(f, 1, name);
        name[shift + 1] = 'x';
        for (unsigned i = 0; i < 8; i++)
            add(f, 1 + (i / 3) % 2, name);
        save(f);
        uint8_t digest[SHA256_SIZE];
        sha256_final(&f->hashes[1], digest);
        memset(f->out, 0, sizeof(f->out));
        assert_int_equal(run(f, 1, 2), STATUS_OK);
        assert_int_equal(f->out[2].bets, 0); /* another part's */
        assert_int_equal(f->out[1].bets, f->bets[1]);
        assert_memory_equal(f->out[1].digest, digest, SHA256_SIZE);
    }
}

/* Nobody has bet. */
static void test_empty(void **state)
{
    struct fixture *f = *state;

    clear(f, 5);
    save(f);
    check(f);
}

/* Each byte is verified by one of the parts, and by one alone. */
static void test_damage(void **state)
{
    enum { PARTS = 3 };
    struct fixture *f = *state;

    clear(f, 4);
    for (unsigned i = 0; f->size < 4 * CHUNK + 1000; i++)
        add(f, 1 + i / 100 % 4, "Ana Paz");
    for (size_t chunk = 0; chunk <= 4; chunk++) {
        char *byte = memchr(f->text + chunk * CHUNK + 300, 'P', 200);
        assert_non_null(byte);
        *byte = 'Q';
        save(f); /* with the checksums of what is right */
        *byte = 'P';
        bets_extent_fini(&f->extent);
        f->extent = (struct bets_extent){0};
        assert_int_equal(bets_extent_append(&f->extent, f->text, f->size), STATUS_OK);
        for (unsigned part = 0; part < PARTS; part++) {
            assert_int_equal(run(f, part, PARTS),
                             chunk % PARTS == part ? STATUS_DAMAGED : STATUS_OK);
            if (chunk % PARTS == part)
                assert_non_null(strstr(f->err.text, "wrong checksum of the MiB at byte"));
        }
    }
    save(f);
    f->extent.size++; /* the file is too short */
    assert_int_equal(run(f, 0, 1), STATUS_DAMAGED);
    f->extent.size--;
    assert_int_equal(unlinkat(f->data_dir.fd, "bets.csv", 0), 0);
    assert_int_equal(run(f, 0, 1), STATUS_NOTFOUND);
}

/* A line of no agency of the draw is damage, with its place. */
static void test_bad_lines(void **state)
{
    static const char *const lines[] = {"0,A,B,1,1999-03-17,5\r\n",
                                        "13,A,B,1,1999-03-17,5\r\n",
                                        "120,A,B,1,1999-03-17,5\r\n",
                                        "01,A,B,1,1999-03-17,5\r\n",
                                        ",A,B,1,1999-03-17,5\r\n",
                                        "A,B,1,1999-03-17,5\r\n",
                                        "1;A,B\r\n",
                                        "\r\n",
                                        "1\r\n",
                                        "-1,A\r\n",
                                        "4294967297,A\r\n",
                                        "18446744073709551617,A\r\n"};
    struct fixture *f = *state;
    char expected[128];

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        clear(f, 12);
        add(f, 12, "Ana");
        add(f, 1, "Ana");
        size_t at = f->size;
        memcpy(f->text + f->size, lines[i], strlen(lines[i]));
        f->size += strlen(lines[i]);
        add(f, 2, "Ana");
        save(f);
        for (unsigned part = 0; part < 2; part++) {
            assert_int_equal(run(f, part, 2), STATUS_DAMAGED);
            (void)snprintf(expected, sizeof(expected), "bets.csv: bad line at byte %zu;", at);
            if (strncmp(f->err.text, expected, strlen(expected)) != 0)
                fail_msg("line %zu: %s", i, f->err.text);
        }
    }
    clear(f, 12);
    add(f, 1, "Ana");
    f->size -= 2; /* without an end */
    save(f);
    assert_int_equal(run(f, 0, 1), STATUS_DAMAGED);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_random), CASE(test_borders),   CASE(test_empty),
        CASE(test_damage), CASE(test_bad_lines),
    };

    return cmocka_run_group_tests_name("bets_digest", tests, NULL, NULL);
}
