/* Sealing a draw and telling its result with real processes, over the files of a real store. What
 * they write is compared with what other programs make of bets.csv, and read by the modules that an
 * agency has. */
#include "store_csv.h" /* before cmocka, which has a macro named skip */

#include "cmocka_all.h"
#include "descriptors.h"
#include "hex.h"
#include "log.h"
#include "loop.h"
#include "merkle.h"
#include "note_file.h"
#include "scan_job.h"
#include "seal_check.h"
#include "seal_files.h"
#include "seal_key.h"
#include "seal_leaf.h"
#include "seal_note.h"
#include "signed_note.h"
#include "tmpdir.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENCIES 12 /* ids with one digit and with two that begin alike */
#define WINNER 7574
#define BATCH 300
#define BATCHES 400 /* makes some three MiB of bets */
#define ID "2026-11-25-nocturna"
#define CLOSED_S 1796331600 /* 2026-12-03T21:00:00Z */
#define SOURCE "drum 2, before a notary"
#define KEY "key.pem"
#define FILE_MAX 65536

static const uint8_t salt[DRAW_SALT_SIZE] = {1, 2, 3, [31] = 9};

struct fixture {
    uv_loop_t loop;
    char *path;
    struct data_dir data_dir;
    struct store *store;
    struct draw draw;
    struct ledger_news news;
    struct scan_job job;
    struct seal_key *key;
    bool has_files; /* the ledger has any to give */
    unsigned dones;
    enum status status;
    struct scan_outcome outcome;
    struct errbuf err;
    unsigned fds; /* that were open at the beginning */
};

static void open_files(void *owner, struct ledger_op *op, enum store_files files, size_t count)
{
    (void)owner;
    op->status = STATUS_OK;
    op->files = (uint32_t)files;
    op->count = (uint32_t)count;
    op->done(op);
}

static void take_files(void *owner, int *fds, size_t count)
{
    struct fixture *f = owner;
    enum store_files files = (enum store_files)f->job.op.files;

    assert_int_equal(store_open_files(f->store, files, fds, count, &f->err), STATUS_OK);
}

static void on_done(void *owner, enum status status, const struct scan_outcome *outcome,
                    struct errbuf *err)
{
    struct fixture *f = owner;

    f->dones++;
    f->status = status;
    f->outcome = *outcome;
    f->err = *err;
}

static void record(struct fixture *f, struct draw_record record, const void *bets, size_t size)
{
    struct draw_outcome outcome = draw_apply(&f->draw, &record);

    assert_int_equal(outcome.status, STATUS_OK);
    assert_int_equal(store_append(f->store, &record, bets, size), STATUS_OK);
    if (record.type == DRAW_CLOSING)
        f->draw.closed.extent = record.closed.extent;
    assert_int_equal(store_commit(f->store, &f->err), STATUS_OK);
}

/* Agencies 3 and 9 never bet; now and then a batch is of the same agency as the one before. */
static uint32_t agency_of_batch(unsigned index)
{
    static const uint32_t agencies[] = {1, 10, 2, 2, 12, 4, 11, 5, 6, 1, 7, 8, 8, 8};

    return agencies[index % (sizeof(agencies) / sizeof(agencies[0]))];
}

static void add_batch(struct fixture *f, unsigned index)
{
    static struct bet bets[BATCH];
    static char documents[BATCH][BET_DOCUMENT_MAX + 1];
    char *lines = malloc(BATCH * store_csv_encoding.bet_max);
    uint32_t agency = agency_of_batch(index);
    unsigned count = index % 3 == 0 ? 1 : BATCH - index % 50;

    assert_non_null(lines);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(documents[i], sizeof(documents[i]), "%uD%u", index, i);
        bets[i] = (struct bet){text_of(i % 7 == 0 ? "Ana, \"Nita\"" : "Santiago Lionel"),
                               text_of("1,Lorca"), text_of(documents[i]), text_of("1999-03-17"),
                               i % 50 == 0 ? WINNER : i};
    }
    size_t size = store_csv_encoding.encode(agency, bets, count, lines);
    record(
        f,
        (struct draw_record){
            .type = DRAW_BETS,
            .bets = {.agency = agency, .count = count, .offset = draw_received(&f->draw, agency)}},
        lines, size);
    free(lines);
}

static void make_draw(struct fixture *f, unsigned batches)
{
    const struct draw_opened opened = {.agencies = AGENCIES,
                                       .terms = {.mode = DRAW_MANUAL, .has_seal = true, .id = ID}};
    const struct store_csv_config config = {.data_dir = &f->data_dir, .opened = opened};
    struct store_csv_report report;
    struct draw_record closing = {
        .type = DRAW_CLOSING, .closed = {.time_s = CLOSED_S, .by = DRAW_BY_OPERATOR, .uid = 1000}};

    draw_init(&f->draw);
    assert_int_equal(store_csv_open(&config, &f->draw, &f->store, &report, &f->err), STATUS_OK);
    record(f, (struct draw_record){.type = DRAW_OPENED, .opened = opened}, NULL, 0);
    for (unsigned i = 0; i < batches; i++)
        add_batch(f, i);
    memcpy(closing.closed.salt, salt, sizeof(salt));
    record(f, closing, NULL, 0);
    f->news = (struct ledger_news){
        .phase = DRAW_CLOSED, .agencies = AGENCIES, .bets = f->draw.bets, .terms = opened.terms};
}

static struct fixture *begin_with(unsigned batches)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    f->path = tmpdir_make();
    assert_int_equal(data_dir_open(f->path, &file_ops_system, &f->data_dir, &f->err), STATUS_OK);
    assert_int_equal(seal_key_generate(f->data_dir.fd, KEY, &f->key, &f->err), STATUS_OK);
    make_draw(f, batches);
    loop_begin(&f->loop);
    f->fds = descriptors_count();
    return f;
}

static int begin(void **state)
{
    *state = begin_with(BATCHES);
    return 0;
}

static int begin_small(void **state)
{
    *state = begin_with(14);
    return 0;
}

static int begin_empty(void **state)
{
    *state = begin_with(0);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(descriptors_count(), f->fds);
    loop_end(&f->loop);
    store_close(f->store);
    seal_key_destroy(f->key);
    draw_fini(&f->draw);
    data_dir_close(&f->data_dir);
    tmpdir_remove(f->path);
    free(f);
    return 0;
}

static void init(struct fixture *f, unsigned scanners)
{
    scan_job_init(&f->job, &(struct scan_job_config){
                               .loop = &f->loop,
                               .data_dir = &f->data_dir,
                               .scanners = scanners,
                               .key_dir_fd = f->data_dir.fd,
                               .key_path = KEY,
                               .open_files = open_files,
                               .take_files = take_files,
                               .on_done = on_done,
                               .owner = f,
                           });
}

static enum status run(struct fixture *f, enum store_files files)
{
    const struct draw_drawn number = {
        .winner_number = WINNER, .uid = 1000, .source = text_of(SOURCE)};
    unsigned dones = f->dones;

    f->err.text[0] = '\0';
    scan_job_start(&f->job, files, &f->news,
                   f->news.phase == DRAW_DRAWN ? &f->news.drawn : &number);
    loop_until_count(&f->loop, &f->dones, dones + 1, "on_done");
    return f->status;
}

static void run_well(struct fixture *f, enum store_files files)
{
    if (run(f, files) != STATUS_OK)
        fail_msg("it failed: %s", f->err.text);
}

static enum status check(struct fixture *f, enum store_files files)
{
    unsigned dones = f->dones;

    assert_int_equal(scan_job_check(&f->job, files, &f->news, &f->err), STATUS_OK);
    loop_until_count(&f->loop, &f->dones, dones + 1, "on_done");
    return f->status;
}

static void publish(struct fixture *f, enum store_files files)
{
    assert_int_equal(store_publish_files(f->store, files, &f->err), STATUS_OK);
    if (files != STORE_SEAL)
        return;
    f->news.is_sealed = true;
    f->news.sealed = f->outcome.sealed;
}

static size_t read_file(const struct fixture *f, const char *name, char out[FILE_MAX])
{
    int fd = openat(f->data_dir.fd, name, O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    ssize_t size = read(fd, out, FILE_MAX);
    assert_true(size >= 0 && size < FILE_MAX);
    assert_int_equal(close(fd), 0);
    return (size_t)size;
}

static void write_file(const struct fixture *f, const char *name, const char *bytes, size_t size)
{
    int fd = openat(f->data_dir.fd, name, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    assert_int_equal(close(fd), 0);
}

/* Changes the byte of a file; twice is as before. */
static void flip(const struct fixture *f, const char *name, off_t at)
{
    int fd = openat(f->data_dir.fd, name, O_RDWR | O_CLOEXEC);
    char byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

/* ------------------------------------------------------------------ the seal */

/* What other programs say of the agency's lines: their SHA-256, and how many there are. */
static void ask_others(const struct fixture *f, uint32_t agency, char digest[65], uint64_t *count)
{
    char command[512];

    (void)snprintf(command, sizeof(command),
                   "cd '%s' && grep '^%" PRIu32 ",' bets.csv | sha256sum | cut -c1-64; "
                   "grep -c '^%" PRIu32 ",' bets.csv",
                   f->path, agency, agency);
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the test's own command */
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%64s %" SCNu64, digest, count), 2);
    (void)pclose(pipe);
}

/* The leaves that are in the file: each is what it should be. Plants their tree. */
static void check_leaves(struct fixture *f, struct merkle *tree)
{
    static char lines[FILE_MAX];
    size_t left = read_file(f, SEAL_LEAVES_NAME, lines);
    const char *at = lines;

    assert_int_equal(merkle_init(tree), STATUS_OK);
    for (uint32_t agency = 0; agency <= AGENCIES; agency++) {
        const char *newline = memchr(at, '\n', left);
        assert_non_null(newline);
        struct text leaf = {at, (size_t)(newline - at)};
        struct seal_agency of;
        struct seal_draw draw;
        char hex[65];
        char digest[65];
        uint64_t count;
        assert_int_equal(merkle_add(tree, leaf), STATUS_OK);
        left -= leaf.size + 1;
        at = newline + 1;
        if (agency == 0) {
            assert_true(seal_leaf_read_draw(leaf, &draw));
            assert_string_equal(draw.id, ID);
            assert_int_equal(draw.agencies, AGENCIES);
            assert_int_equal(draw.bets, f->draw.bets);
            assert_int_equal(draw.closed_s, CLOSED_S);
            continue;
        }
        assert_true(seal_leaf_read_agency(leaf, &of));
        assert_int_equal(of.agency, agency);
        ask_others(f, agency, digest, &count);
        assert_int_equal(of.bets, count);
        (void)hex_encode(of.digest, sizeof(of.digest), hex);
        assert_memory_equal(hex, digest, 64);
        uint8_t nonce[SHA256_SIZE];
        char id[16];
        (void)snprintf(id, sizeof(id), "%" PRIu32, agency);
        assert_int_equal(
            sha256_hmac((struct text){(const char *)salt, sizeof(salt)}, text_of(id), nonce),
            STATUS_OK);
        assert_memory_equal(of.nonce, nonce, sizeof(nonce));
    }
    assert_int_equal(left, 0);
    assert_int_equal(merkle_finish(tree), STATUS_OK);
}

/* The note is what an agency expects that has the server's key. */
static void check_note(struct fixture *f, const struct merkle *tree)
{
    char text[FILE_MAX];
    const struct merkle_hash root = merkle_root(tree);
    size_t size = read_file(f, SEAL_NAME, text);
    struct signed_note note;
    struct seal_note seal;
    struct errbuf err;

    assert_int_equal(signed_note_parse((struct text){text, size}, &note, &err), STATUS_OK);
    assert_int_equal(signed_note_verify(&note, seal_key_public(f->key), &err), STATUS_OK);
    assert_int_equal(seal_note_read(note.text, &seal), STATUS_OK);
    assert_string_equal(seal.id, ID);
    assert_int_equal(seal.leaves, AGENCIES + 1);
    assert_memory_equal(seal.root.bytes, root.bytes, sizeof(root.bytes));
    assert_memory_equal(f->outcome.sealed.root, root.bytes, sizeof(root.bytes));
    assert_true(f->outcome.sealed.time_s > CLOSED_S / 2);
}

/* Any number of scanners makes the same seal, more than there are agencies among them. */
static void test_seal(void **state)
{
    static const unsigned scanners[] = {1, 2, 3, 5, 12, 64, 1000};
    struct fixture *f = *state;
    uint8_t root[DRAW_ROOT_SIZE];
    struct merkle tree;

    if (f->draw.bets > 10000)
        assert_true(f->draw.closed.extent > 2 * BETS_CHUNK_SIZE);
    for (size_t i = 0; i < sizeof(scanners) / sizeof(scanners[0]); i++) {
        init(f, scanners[i]);
        run_well(f, STORE_SEAL);
        if (i > 0)
            assert_memory_equal(f->outcome.sealed.root, root, sizeof(root));
        memcpy(root, f->outcome.sealed.root, sizeof(root));
    }
    publish(f, STORE_SEAL);
    check_leaves(f, &tree);
    check_note(f, &tree);
    merkle_fini(&tree);
    assert_int_equal(check(f, STORE_SEAL), STATUS_OK);
}

/* A bet that is not as it was acknowledged is never sealed, wherever it is, and whoever reads it.
 */
static void test_damaged_bets(void **state)
{
    struct fixture *f = *state;
    off_t last = (off_t)f->draw.closed.extent - 1;
    const off_t places[] = {0,
                            1,
                            777,
                            (off_t)BETS_CHUNK_SIZE - 1,
                            (off_t)BETS_CHUNK_SIZE,
                            2 * (off_t)BETS_CHUNK_SIZE + 12345,
                            last - 40,
                            last};

    for (unsigned scanners = 1; scanners <= 4; scanners++) {
        init(f, scanners);
        for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
            flip(f, "bets.csv", places[i]);
            assert_int_equal(run(f, STORE_SEAL), STATUS_DAMAGED);
            assert_non_null(strstr(f->err.text, "bets.csv: "));
            flip(f, "bets.csv", places[i]);
        }
    }
}

/* What the scanners have counted has to be what the draw was closed with, of each agency. */
static void test_counts(void **state)
{
    struct fixture *f = *state;
    struct scan_work work;
    struct errbuf err = {{0}};

    scan_work_init(&work, &f->data_dir);
    work.order.news = f->news;
    work.files = 2;
    assert_int_equal(store_open_files(f->store, STORE_SEAL, work.fds, 2, &err), STATUS_OK);
    assert_int_equal(scan_seal.prepare(&work, 5, &err), STATUS_OK);
    assert_int_equal(work.parts, 5);
    for (unsigned part = 0; part < work.parts; part++) {
        scan_seal.scan(&work, part);
        assert_int_equal(scan_work_result(&work, part)->status, STATUS_OK);
    }
    assert_int_equal(scan_seal.gather(&work, &err), STATUS_OK);
    struct agency_digest {
        uint64_t bets;
        uint8_t digest[SHA256_SIZE];
    } *digests = scan_work_shared(&work);
    digests[1].bets++;
    assert_int_equal(scan_seal.gather(&work, &err), STATUS_DAMAGED);
    digests[2].bets--; /* the sum is right */
    assert_int_equal(scan_seal.gather(&work, &err), STATUS_DAMAGED);
    digests[1].bets--;
    digests[2].bets++;
    assert_int_equal(scan_seal.gather(&work, &err), STATUS_OK);
    digests[3].bets++; /* of an agency without bets */
    assert_int_equal(scan_seal.gather(&work, &err), STATUS_DAMAGED);
    scan_work_clear(&work);
    work.order.news.bets++; /* the news is of another draw */
    assert_int_equal(scan_seal.prepare(&work, 5, &err), STATUS_DAMAGED);
    scan_work_clear(&work);
}

/* The key cannot be used: no seal, and the reason names the file. */
static void test_no_key(void **state)
{
    struct fixture *f = *state;

    init(f, 2);
    assert_int_equal(fchmodat(f->data_dir.fd, KEY, 0644, 0), 0);
    assert_int_equal(run(f, STORE_SEAL), STATUS_INVALID);
    assert_non_null(strstr(f->err.text, KEY));
    assert_int_equal(unlinkat(f->data_dir.fd, KEY, 0), 0);
    assert_int_equal(run(f, STORE_SEAL), STATUS_NOTFOUND);
    assert_non_null(strstr(f->err.text, KEY));
    assert_int_equal(faccessat(f->data_dir.fd, SEAL_NAME, F_OK, 0), -1);
}

/* ------------------------------------------------------------------ looking at the files */

/* Is it in what says whose signature of a note it is? Only the key's owner knows. */
static bool is_of_signer(const char *text, size_t size, size_t at)
{
    static const char line[] = "\n\n\xe2\x80\x94 lottery ";
    enum { KEY_ID = 6 }; /* of base64, with a bit of the signature */
    const char *found = memmem(text, size, line, sizeof(line) - 1);
    size_t begin = found == NULL ? size : (size_t)(found - text) + 2;

    return at >= begin && at < begin + sizeof(line) - 3 + KEY_ID;
}

/* Each byte of the file that is changed, missing or too many is noticed. */
static void check_changes(struct fixture *f, enum store_files files, const char *name)
{
    static char right[FILE_MAX];
    static char wrong[FILE_MAX];
    size_t size = read_file(f, name, right);

    assert_int_equal(check(f, files), STATUS_OK);
    for (size_t i = 0; i < size; i += 1 + size / 60) {
        if (is_of_signer(right, size, i))
            continue;
        memcpy(wrong, right, size);
        wrong[i] ^= 1;
        write_file(f, name, wrong, size);
        if (check(f, files) != STATUS_DAMAGED)
            fail_msg("byte %zu of %s is not looked at", i, name);
        assert_non_null(strstr(f->err.text, name));
    }
    write_file(f, name, right, size - 1);
    assert_int_equal(check(f, files), STATUS_DAMAGED);
    write_file(f, name, right, 0);
    assert_int_equal(check(f, files), STATUS_DAMAGED);
    for (size_t at = 0; at + size < sizeof(wrong); at += size)
        memcpy(wrong + at, right, size);
    write_file(f, name, wrong, sizeof(wrong) - size);
    assert_int_equal(check(f, files), STATUS_DAMAGED);
    memcpy(wrong + size, "x\n", 2);
    write_file(f, name, wrong, size + 2);
    assert_int_equal(check(f, files), STATUS_DAMAGED);
    assert_int_equal(unlinkat(f->data_dir.fd, name, 0), 0);
    assert_int_equal(check(f, files), STATUS_NOTFOUND);
    assert_non_null(strstr(f->err.text, name));
    write_file(f, name, right, size);
    assert_int_equal(check(f, files), STATUS_OK);
}

/* A note that has become too long to be sent is one that has to be made again, even if all of it is
 * well-formed. */
static void check_long_note(struct fixture *f, enum store_files files, const char *name)
{
    static const char other[] = "\xe2\x80\x94 other AAAAAAAA\n";
    char note[FILE_MAX];
    size_t size = read_file(f, name, note);

    memcpy(note + size, other, sizeof(other) - 1);
    write_file(f, name, note, size + sizeof(other) - 1);
    assert_int_equal(check(f, files), STATUS_OK);
    for (size_t at = size; at < NOTE_FILE_MAX; at = size) {
        memcpy(note + at, other, sizeof(other) - 1);
        size += sizeof(other) - 1;
    }
    write_file(f, name, note, size);
    assert_int_equal(check(f, files), STATUS_DAMAGED);
    assert_non_null(strstr(f->err.text, name));
}

static void test_check_seal(void **state)
{
    struct fixture *f = *state;

    init(f, 2);
    run_well(f, STORE_SEAL);
    publish(f, STORE_SEAL);
    check_changes(f, STORE_SEAL, SEAL_LEAVES_NAME);
    check_changes(f, STORE_SEAL, SEAL_NAME);
    f->news.sealed.root[31] ^= 1; /* another one is on record */
    assert_int_equal(check(f, STORE_SEAL), STATUS_DAMAGED);
    f->news.sealed.root[31] ^= 1;
    (void)strcpy(f->news.terms.id, "another");
    assert_int_equal(check(f, STORE_SEAL), STATUS_DAMAGED);
    (void)strcpy(f->news.terms.id, ID);
    check_long_note(f, STORE_SEAL, SEAL_NAME);
}

/* A seal of an earlier key stays as it is: nobody but its owner could make it again. */
static void test_other_key(void **state)
{
    struct seal_key *other = NULL;
    struct fixture *f = *state;

    init(f, 2);
    run_well(f, STORE_SEAL);
    publish(f, STORE_SEAL);
    assert_int_equal(unlinkat(f->data_dir.fd, KEY, 0), 0);
    assert_int_equal(check(f, STORE_SEAL), STATUS_OK);
    assert_int_equal(seal_key_generate(f->data_dir.fd, KEY, &other, &f->err), STATUS_OK);
    seal_key_destroy(other);
    assert_int_equal(check(f, STORE_SEAL), STATUS_OK);
}

/* ------------------------------------------------------------------ the result */

/* Seals and draws, up to the files of the winners. */
static void draw_winners(struct fixture *f)
{
    init(f, 2);
    run_well(f, STORE_SEAL);
    publish(f, STORE_SEAL);
    run_well(f, STORE_WINNERS);
    assert_int_equal(f->outcome.drawn.uid, 1000);
    assert_int_equal(f->outcome.drawn.winner_number, WINNER);
    publish(f, STORE_WINNERS);
    f->news.phase = DRAW_DRAWN;
    f->news.drawn = f->outcome.drawn;
    memcpy(f->news.source, SOURCE, sizeof(SOURCE) - 1);
    f->news.drawn.source = (struct text){f->news.source, sizeof(SOURCE) - 1};
}

/* result.txt says what is on record, and what other programs make of winners.csv. */
static void test_result(void **state)
{
    struct fixture *f = *state;
    char text[FILE_MAX];
    char command[512];
    char digest[65];
    char hex[65];
    struct signed_note note;
    struct result_note result;
    struct errbuf err;

    draw_winners(f);
    run_well(f, STORE_RESULT);
    publish(f, STORE_RESULT);
    size_t size = read_file(f, RESULT_NAME, text);
    assert_int_equal(signed_note_parse((struct text){text, size}, &note, &err), STATUS_OK);
    assert_int_equal(signed_note_verify(&note, seal_key_public(f->key), &err), STATUS_OK);
    assert_int_equal(result_note_read(note.text, &result), STATUS_OK);
    assert_string_equal(result.id, ID);
    assert_memory_equal(result.root.bytes, f->news.sealed.root, DRAW_ROOT_SIZE);
    assert_int_equal(result.number, WINNER);
    assert_int_equal(result.source.size, strlen(SOURCE));
    assert_memory_equal(result.source.data, SOURCE, strlen(SOURCE));
    assert_int_equal(result.time_s, f->news.drawn.time_s);
    assert_int_equal(result.winners, f->news.drawn.winners);
    (void)snprintf(command, sizeof(command), "cd '%s' && sha256sum < winners.csv | cut -c1-64",
                   f->path);
    FILE *pipe = popen(command, "r"); /* NOLINT(cert-env33-c): the test's own command */
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%64s", digest), 1);
    (void)pclose(pipe);
    (void)hex_encode(result.winners_digest, sizeof(result.winners_digest), hex);
    assert_memory_equal(hex, digest, 64);
    check_changes(f, STORE_RESULT, RESULT_NAME);
    check_long_note(f, STORE_RESULT, RESULT_NAME);
}

/* Winners that are not those on record are never signed. */
static void test_other_winners(void **state)
{
    static char right[FILE_MAX];
    struct fixture *f = *state;

    draw_winners(f);
    size_t size = read_file(f, WINNERS_NAME, right);
    assert_true(size > 0);
    flip(f, WINNERS_NAME, 0);
    assert_int_equal(run(f, STORE_RESULT), STATUS_DAMAGED);
    assert_non_null(strstr(f->err.text, WINNERS_NAME));
    flip(f, WINNERS_NAME, 0);
    write_file(f, WINNERS_NAME, right, size - 1);
    assert_int_equal(run(f, STORE_RESULT), STATUS_DAMAGED);
    assert_int_equal(unlinkat(f->data_dir.fd, WINNERS_NAME, 0), 0);
    assert_int_equal(run(f, STORE_RESULT), STATUS_NOTFOUND);
    write_file(f, WINNERS_NAME, right, size);
    run_well(f, STORE_RESULT);
    publish(f, STORE_RESULT);
    flip(f, WINNERS_NAME, 0);
    assert_int_equal(check(f, STORE_RESULT), STATUS_DAMAGED);
    flip(f, WINNERS_NAME, 0);
    assert_int_equal(check(f, STORE_RESULT), STATUS_OK);
    f->news.drawn.winner_number++;
    assert_int_equal(check(f, STORE_RESULT), STATUS_DAMAGED);
}

#define CASE(name, begins) cmocka_unit_test_setup_teardown(name, begins, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_seal, begin),
        CASE(test_seal, begin_small),
        CASE(test_seal, begin_empty),
        CASE(test_damaged_bets, begin),
        CASE(test_counts, begin_small),
        CASE(test_no_key, begin_small),
        CASE(test_check_seal, begin_small),
        CASE(test_other_key, begin_small),
        CASE(test_result, begin_small),
        CASE(test_other_winners, begin_small),
    };

    return cmocka_run_group_tests_name("scan_seal", tests, NULL, NULL);
}
