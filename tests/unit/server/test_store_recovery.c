/* How the store recovers a folder from damage: every cut, every flipped byte, power cuts at every
 * moment, failed syncs, and processes that end at any step. */
#include "cmocka_all.h"

#include "capture.h"
#include "crc32c.h"
#include "fake_clock.h"
#include "fault_file_ops.h"
#include "log.h"
#include "store_fixture.h"
#include "store_script.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOON "20240615T120000Z" /* the fake clock's time */
#define V1_BETS_SIZE 542        /* bytes of the bets of v1-open */

static struct store_fixture f; /* too large for the stack of a test */

/* Each step is a group of its own; the large batches are in bets.csv only. */
static const struct script automatic = {.steps = {{1, 2, 0, true, false},
                                                  {2, 1, 0, true, false},
                                                  {1, 8, 0, true, false},
                                                  {2, 0, 0, true, false},
                                                  {3, 0, 0, true, false},
                                                  {4, 3, 0, true, false},
                                                  {1, 2, 0, true, false},
                                                  {1, 0, 0, true, false},
                                                  {4, 9, 0, true, false},
                                                  {4, 1, 0, true, false},
                                                  {4, 0, 0, true, false},
                                                  {0, 0, 0, true, false}},
                                        .count = 12};

/* The same for a draw that operators run; after the closing a new journal file begins. */
#define MANUAL_CLOSING 6
static const struct script manual = {
    .steps = {{1, 2, 0, true, false},
              {0, 0, DRAW_ACT, true, false},
              {1, 8, 0, true, false},
              {2, 0, 0, true, false},
              {0, 0, DRAW_ACT, true, false},
              {4, 1, 0, true, false},
              {0, 0, DRAW_CLOSING, true, false},
              {0, 0, DRAW_ACT, true, false},
              {0, 0, DRAW_SEALING, true, false},
              {0, 0, DRAW_ACT, true, false},
              {0, 0, DRAW_DRAWING, true, false},
              {0, 0, DRAW_ACT, true, false}},
    .count = 12,
    .terms = {.mode = DRAW_MANUAL, .has_seal = true, .close_at_s = 2000000000, .id = "nocturna"}};

/* The one that a test is about; each test begins with the automatic one. */
static const struct script *fixed = &automatic;

static int setup(void **state)
{
    fixed = &automatic;
    return store_fixture_setup(state);
}

static void choose_script(const struct script *script)
{
    fixed = script;
    store_fixture_terms = script->terms;
}

/* As store_small_limits, but without new journal files, so that all records stay. */
static const struct commit_limits one_journal = {.inline_max = 200,
                                                 .sync_after = 1 << 20,
                                                 .journal_max = 1 << 20,
                                                 .bets_max = 1 << 20,
                                                 .reserve = 4096};

static const char *sub_dir(const char *dir, const char *name)
{
    static char paths[4][300];
    static unsigned next;
    char *path = paths[next++ % 4];

    (void)snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
    (void)mkdir(path, 0755);
    return path;
}

static void open_with(const char *dir, const struct file_ops *ops)
{
    if (store_fixture_open(&f, dir, ops, &one_journal, STORE_AGENCIES) != STATUS_OK)
        fail_msg("%s", f.err.text);
}

static void open_store(const char *dir)
{
    open_with(dir, &fault_file_ops);
}

/* The folder after `count` steps: properly closed, or as it is while the store runs. */
static struct folder make_folder(const char *dir, size_t count, bool is_closed)
{
    size_t acked = 0;

    open_store(dir);
    assert_int_equal(script_run(fixed, &f, 0, count, &acked), STATUS_OK);
    if (is_closed)
        store_fixture_close(&f);
    struct folder folder = folder_read(dir);
    if (!is_closed)
        store_fixture_kill(&f);
    return folder;
}

/* After a recovery the store works as before: it takes what comes next, and keeps it. */
static void goes_on(const struct script *script, const char *dir, size_t done)
{
    size_t acked = done;
    size_t next = done < script->count ? done + 1 : done;

    assert_int_equal(script_run(script, &f, done, next, &acked), STATUS_OK);
    assert_int_equal(acked, next);
    store_fixture_close(&f);
    open_with(dir, &file_ops_system);
    assert_int_equal(script_done(script, &f), next);
    assert_int_equal(f.report.bets_torn + f.report.journal_torn, 0);
    store_fixture_close(&f);
}

struct tally {
    unsigned opened;
    unsigned refused;
};

static enum status check(const char *dir, struct store_csv_report *report, struct draw *draw,
                         struct errbuf *err)
{
    struct data_dir data_dir;

    draw_init(draw);
    assert_int_equal(data_dir_open_check(dir, &file_ops_system, &data_dir, err), STATUS_OK);
    enum status status = store_csv_check(&data_dir, draw, report, err);
    data_dir_close(&data_dir);
    return status;
}

/* Opens the damaged folder: either it is refused with a reason and not changed, or it has `wanted`
 * steps and can be used. The check gives the same result, unless `is_hidden`: then only the check
 * sees the damage. It changes nothing. */
static void try_damaged(const char *dir, const struct folder *damaged, size_t file, size_t wanted,
                        bool is_hidden, struct tally *tally)
{
    struct store_csv_report report;
    struct errbuf err = {{0}};
    struct draw draw;

    folder_write(dir, damaged);
    enum status checked = check(dir, &report, &draw, &err);
    draw_fini(&draw);
    assert_true(folder_equals(dir, damaged));
    enum status status =
        store_fixture_open(&f, dir, &file_ops_system, &one_journal, STORE_AGENCIES);
    assert_int_equal(checked, is_hidden ? STATUS_DAMAGED : status);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_DAMAGED);
        assert_non_null(strstr(f.err.text, "bets."));
        assert_non_null(strstr(f.err.text, "byte"));
        assert_true(folder_equals(dir, damaged));
        tally->refused++;
        return;
    }
    size_t done = script_done(fixed, &f);
    if (!is_hidden && done != wanted)
        fail_msg("%s: %zu steps, not %zu", folder_names[file], done, wanted);
    if (is_hidden) {
        store_fixture_close(&f);
    } else {
        assert_int_equal(report.bets_torn, f.report.bets_torn);
        assert_int_equal(report.journal_torn, f.report.journal_torn);
        goes_on(fixed, dir, done);
    }
    tally->opened++;
}

/* Where things are in a journal of these tests. */
struct layout {
    size_t checkpoint_end;
    size_t records_end;
    size_t ends[SCRIPT_MAX]; /* of each record */
    size_t last_at;          /* where the last record begins */
    size_t last_end;         /* and where its padding begins */
    size_t last_lines;       /* where the last lines begin that bets.csv alone has */
    bool last_is_large;      /* the last record is of such lines */
    size_t count;
};

static struct layout layout_of(const struct folder *folder)
{
    const unsigned char *bytes = folder->bytes[JOURNAL_FILE];
    struct layout layout = {.count = 0};
    struct journal_header a = {0};
    struct journal_record record;

    assert_true(journal_header_decode(bytes, &a));
    size_t at = JOURNAL_START + journal_checkpoint_size(bytes + JOURNAL_START, a.stamp);
    layout.checkpoint_end = layout.last_at = at;
    while (journal_decode(bytes + at, folder->sizes[JOURNAL_FILE] - at, a.stamp, at, &record)) {
        layout.last_is_large = record.draw.type == DRAW_BETS && !record.has_lines;
        if (layout.last_is_large)
            layout.last_lines = (size_t)record.lines.at;
        layout.last_at = at;
        layout.last_end = at + record.fixed_size + (record.has_lines ? record.lines.size : 0);
        at += record.size;
        layout.ends[layout.count++] = at;
    }
    layout.records_end = at;
    return layout;
}

/* How many steps are left of a running folder of `count` of them whose journal is cut: those that
 * its checkpoint has, and a record each. In the first journal of a draw, the first record opens. */
static size_t steps_before(const struct layout *layout, size_t size, size_t count)
{
    size_t records = 0;

    while (records < layout->count && layout->ends[records] <= size)
        records++;
    return count + records >= layout->count ? count + records - layout->count : 0;
}

static size_t next_place(const struct layout *layout, size_t file, size_t at)
{
    bool is_between = at > 100 && at < JOURNAL_HEADER_B - 60;
    bool is_after_b = at > JOURNAL_HEADER_B + 100 && at < JOURNAL_START - 60;

    if (file == JOURNAL_FILE && (is_between || is_after_b || at > layout->records_end + 64))
        return at + 59;
    return at + 1;
}

/* A folder that was closed, then cut at any length, is refused, unless only zeros are missing. */
static void refuses_a_closed_folder_that_was_cut(void **state)
{
    struct folder whole = make_folder(*state, fixed->count, true);
    struct layout layout = layout_of(&whole);
    struct tally tally = {0, 0};

    for (size_t file = 0; file <= JOURNAL_FILE; file++) {
        for (size_t size = 0; size < whole.sizes[file]; size = next_place(&layout, file, size)) {
            struct folder cut = whole;
            struct tally before = tally;
            cut.sizes[file] = size;
            try_damaged(*state, &cut, file, fixed->count, false, &tally);
            bool is_reserve = file == JOURNAL_FILE && size >= layout.records_end;
            assert_int_equal(tally.opened - before.opened, is_reserve);
        }
    }
    assert_true(tally.refused > 500);
    folder_free(&whole);
}

/* A folder of a server that died after `count` steps, cut at any length, opens with what the cut
 * left. Returns how many records its journal has. */
static size_t cut_running_folder(const char *dir, size_t count, struct tally *tally)
{
    folder_write(dir, &(struct folder){{NULL}, {0}});
    struct folder whole = make_folder(dir, count, false);
    struct layout layout = layout_of(&whole);

    for (size_t file = 0; file <= JOURNAL_FILE; file++) {
        for (size_t size = 0; size < whole.sizes[file]; size = next_place(&layout, file, size)) {
            struct folder cut = whole;
            size_t wanted = count;
            cut.sizes[file] = size;
            if (file == JOURNAL_FILE && size >= layout.checkpoint_end)
                wanted = steps_before(&layout, size, count);
            if (file == BETS_FILE && layout.last_is_large)
                wanted = count - 1;
            if (file == JOURNAL_FILE && layout.count > count && size < layout.ends[0] &&
                size >= layout.checkpoint_end)
                continue; /* a folder without any record: opened as a new draw */
            try_damaged(dir, &cut, file, wanted, false, tally);
        }
    }
    folder_free(&whole);
    return layout.count;
}

/* Lines that the journal has are written again, and those that it has not are missed, if they were
 * on disk. */
static void opens_a_running_folder_that_was_cut(void **state)
{
    for (size_t count = 9; count < 11; count++) { /* the closing begins a new journal */
        struct tally tally = {0, 0};
        const char *dir = sub_dir(*state, count % 2 == 0 ? "even" : "odd");
        assert_int_equal(cut_running_folder(dir, count, &tally), count + 1);
        assert_true(tally.refused > 300 && tally.opened > 100);
    }
}

/* Each type of record that only such draws have, as the last one. */
static void opens_a_running_manual_folder_that_was_cut(void **state)
{
    choose_script(&manual);
    for (size_t count = MANUAL_CLOSING - 1; count <= manual.count; count++) {
        struct tally tally = {0, 0};
        char name[32];
        (void)snprintf(name, sizeof(name), "%zu", count);
        size_t records = cut_running_folder(sub_dir(*state, name), count, &tally);
        assert_int_equal(records, count <= MANUAL_CLOSING ? count + 1 : count - MANUAL_CLOSING - 1);
        assert_true(tally.refused > 200 && tally.opened > 100);
    }
}

/* Every byte of both files, flipped in three ways. Where the checkpoint has all bets, only the
 * check sees what is wrong with these. */
static void flip_everywhere(const char *dir, size_t count, bool is_closed)
{
    static const unsigned char patterns[] = {0x01, 0x80, 0xff};
    struct folder whole = make_folder(dir, count, is_closed);
    struct layout layout = layout_of(&whole);
    struct tally tally = {0, 0};
    bool has_all_bets = is_closed || layout.count < count;

    store_fixture_has_damaged_bets = has_all_bets;
    for (size_t file = 0; file <= JOURNAL_FILE; file++) {
        for (size_t at = 0; at < whole.sizes[file]; at = next_place(&layout, file, at)) {
            bool is_last =
                !is_closed && file == JOURNAL_FILE && at >= layout.last_at && at < layout.last_end;
            is_last = is_last || (!is_closed && file == BETS_FILE && layout.last_is_large &&
                                  at >= layout.last_lines);
            for (size_t p = 0; p < sizeof(patterns); p++) {
                whole.bytes[file][at] ^= patterns[p];
                try_damaged(dir, &whole, file, is_last ? count - 1 : count,
                            has_all_bets && file == BETS_FILE, &tally);
                whole.bytes[file][at] ^= patterns[p];
            }
        }
    }
    store_fixture_has_damaged_bets = false;
    assert_true(tally.refused > 0 && tally.opened > 0);
    folder_free(&whole);
}

static void refuses_a_closed_manual_folder_that_was_cut(void **state)
{
    choose_script(&manual);
    refuses_a_closed_folder_that_was_cut(state);
}

static void survives_flips_in_a_manual_folder(void **state)
{
    static const size_t counts[] = {5, 9, 11}; /* an act, the seal and the number are the last */

    choose_script(&manual);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "%zu", counts[i]);
        flip_everywhere(sub_dir(*state, name), counts[i], false);
    }
    flip_everywhere(sub_dir(*state, "closed"), manual.count, true);
}

static void survives_flips_in_a_closed_folder(void **state)
{
    flip_everywhere(*state, fixed->count, true);
}

/* A folder of a server that died lacks at most the last record. */
static void survives_flips_in_a_running_folder(void **state)
{
    flip_everywhere(sub_dir(*state, "large"), 9, false);
    flip_everywhere(sub_dir(*state, "small"), 10, false);
}

/* An idle store notes in the header that all is on disk: then the last record is missed, too, also
 * after a power cut. */
static void misses_what_an_idle_store_noted(void **state)
{
    size_t acked = 0;
    struct tally tally = {0, 0};

    open_store(*state);
    assert_int_equal(script_run(fixed, &f, 0, 10, &acked), STATUS_OK);
    assert_int_equal(store_maintain(f.store, true, &f.err), STATUS_OK);
    fault_power_cut(*state, 0);
    struct folder whole = folder_read(*state);
    store_fixture_kill(&f);
    struct layout layout = layout_of(&whole);
    for (size_t size = layout.last_at; size < layout.records_end; size++) {
        struct folder cut = whole;
        cut.sizes[JOURNAL_FILE] = size;
        try_damaged(*state, &cut, JOURNAL_FILE, 0, false, &tally);
    }
    assert_int_equal(tally.opened, 0);
    folder_free(&whole);
}

static void expect_file(const char *dir, const char *name, const void *bytes, size_t size)
{
    char path[512];
    static char is[512];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s is not there", path);
    assert_int_equal(fread(is, 1, sizeof(is), file), size);
    assert_memory_equal(is, bytes, size);
    assert_int_equal(fclose(file), 0);
}

/* What follows the valid part is set aside under a name with the time, then cut; a name that exists
 * is left alone. */
static void sets_torn_tails_aside(void **state)
{
    static unsigned char tail[130];
    struct folder whole = make_folder(*state, 9, true);
    struct layout layout = layout_of(&whole);

    memset(tail, 0x55, sizeof(tail));
    fake_clock_begin(1000);
    for (size_t extra = 1; extra <= 130; extra += 43) {
        struct folder longer = whole;
        longer.sizes[BETS_FILE] += extra;
        longer.sizes[JOURNAL_FILE] = layout.records_end + extra;
        for (size_t i = 0; i <= JOURNAL_FILE; i++) {
            longer.bytes[i] = malloc(longer.sizes[i] + whole.sizes[i]);
            assert_non_null(longer.bytes[i]);
            memcpy(longer.bytes[i], whole.bytes[i], whole.sizes[i]);
            memcpy(longer.bytes[i] + longer.sizes[i] - extra, tail, extra);
        }
        folder_write(*state, &longer);
        for (int round = 0; round < 3; round++) {
            char name[64];
            open_store(*state);
            assert_int_equal(f.report.bets_torn, extra);
            assert_int_equal(f.report.journal_torn, extra);
            assert_int_equal(script_done(fixed, &f), 9);
            store_fixture_close(&f);
            (void)snprintf(name, sizeof(name), "bets.torn-%s%s", NOON,
                           round == 0   ? ""
                           : round == 1 ? "-2"
                                        : "-3");
            expect_file(*state, name, tail, extra);
            (void)snprintf(name, sizeof(name), "bets.torn-%s%s.journal", NOON,
                           round == 0   ? ""
                           : round == 1 ? "-2"
                                        : "-3");
            expect_file(*state, name, tail, extra);
            char path[512];
            for (size_t i = 0; i <= JOURNAL_FILE; i++) { /* the torn files stay */
                (void)snprintf(path, sizeof(path), "%s/%s", (char *)*state, folder_names[i]);
                FILE *file = fopen(path, "w");
                assert_non_null(file);
                assert_int_equal(fwrite(longer.bytes[i], 1, longer.sizes[i], file),
                                 longer.sizes[i]);
                assert_int_equal(fclose(file), 0);
            }
        }
        for (size_t i = 0; i <= JOURNAL_FILE; i++)
            free(longer.bytes[i]);
    }
    fake_clock_end();
    folder_free(&whole);
}

/* Any number of zeros after the records is reserved space: nothing is cut, and the next records go
 * on as if nothing were there. */
static void takes_zeros_for_reserved_space(void **state)
{
    struct folder whole = make_folder(*state, 9, false);

    for (size_t extra = 1; extra <= 10000; extra += 1111) {
        struct folder longer = whole;
        longer.bytes[JOURNAL_FILE] = calloc(1, whole.sizes[JOURNAL_FILE] + extra);
        assert_non_null(longer.bytes[JOURNAL_FILE]);
        memcpy(longer.bytes[JOURNAL_FILE], whole.bytes[JOURNAL_FILE], whole.sizes[JOURNAL_FILE]);
        longer.sizes[JOURNAL_FILE] += extra;
        folder_write(*state, &longer);
        free(longer.bytes[JOURNAL_FILE]);
        open_store(*state);
        assert_int_equal(f.report.journal_torn, 0);
        assert_int_equal(script_done(fixed, &f), 9);
        goes_on(fixed, *state, 9);
    }
    folder_free(&whole);
}

/* A missing file is refused, and the error names it. */
static void refuses_a_missing_file(void **state)
{
    struct folder whole = make_folder(*state, 9, true);

    for (size_t file = 0; file <= JOURNAL_FILE; file++) {
        struct folder lacking = whole;
        lacking.bytes[file] = NULL;
        lacking.sizes[file] = 0;
        folder_write(*state, &lacking);
        assert_int_equal(
            store_fixture_open(&f, *state, &fault_file_ops, &one_journal, STORE_AGENCIES),
            STATUS_DAMAGED);
        assert_non_null(strstr(f.err.text, folder_names[file]));
        assert_true(folder_equals(*state, &lacking));
    }
    folder_free(&whole);
}

/* A record of another folder or at the wrong place is refused, although it is valid in itself. */
static void refuses_misplaced_records(void **state)
{
    struct folder mine = make_folder(sub_dir(*state, "mine"), 10, false);
    struct folder its = make_folder(sub_dir(*state, "its"), 10, false);
    struct layout layout = layout_of(&mine);
    size_t at = layout.ends[3];
    size_t size = layout.ends[4] - at;
    struct tally tally = {0, 0};

    assert_memory_equal(mine.bytes[BETS_FILE], its.bytes[BETS_FILE], mine.sizes[BETS_FILE]);
    memcpy(mine.bytes[JOURNAL_FILE] + at, its.bytes[JOURNAL_FILE] + at, size);
    try_damaged(sub_dir(*state, "mine"), &mine, JOURNAL_FILE, 0, false, &tally);
    memcpy(its.bytes[JOURNAL_FILE] + layout.ends[4], its.bytes[JOURNAL_FILE] + at, size);
    try_damaged(sub_dir(*state, "its"), &its, JOURNAL_FILE, 0, false, &tally);
    assert_int_equal(tally.refused, 2);
    folder_free(&mine);
    folder_free(&its);
}

static void put_number(char *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (char)(value >> (8 * i));
}

/* Changes the last record of a running folder, a number, whose root begins with another byte or
 * whose record is a short one; its checksum is right. Then the number does not count. */
static void expect_no_number(const char *dir, size_t count, bool is_short, struct tally *tally)
{
    enum { AT_SIZE = 4, AT_ROOT = 48 + 40, SHORT = 48 + 32 };
    struct folder whole = make_folder(dir, count, false);
    struct layout layout = layout_of(&whole);
    char *record = (char *)whole.bytes[JOURNAL_FILE] + layout.last_at;
    size_t size = is_short ? SHORT : layout.last_end - layout.last_at;

    try_damaged(dir, &whole, JOURNAL_FILE, count, false, tally);
    if (is_short)
        put_number(record + AT_SIZE, SHORT, 4);
    else
        record[AT_ROOT] ^= 1;
    put_number(record, crc32c(0, record + AT_SIZE, size - AT_SIZE), 4);
    try_damaged(dir, &whole, JOURNAL_FILE, count - 1, false, tally);
    folder_free(&whole);
}

/* A number with the root of another seal, or whose record does not say who gave it, is none. */
static void refuses_a_number_of_another_seal(void **state)
{
    struct script unsealed = manual;
    struct tally tally = {0, 0};

    choose_script(&manual);
    expect_no_number(sub_dir(*state, "root"), 11, false, &tally);
    expect_no_number(sub_dir(*state, "short"), 11, true, &tally);
    unsealed.terms.has_seal = false;
    unsealed.steps[8] = (struct script_step){.type = DRAW_ACT, .ends_group = true};
    choose_script(&unsealed);
    expect_no_number(sub_dir(*state, "unsealed"), 11, false, &tally);
    expect_no_number(sub_dir(*state, "unsealed-short"), 11, true, &tally);
    assert_int_equal(tally.opened, 8);
    choose_script(&automatic);
}

static enum status decode_checkpoint(const struct buffer *bytes)
{
    struct bets_extent extent = {0};
    struct draw draw;

    draw_init(&draw);
    enum status status =
        journal_decode_checkpoint((const uint8_t *)bytes->data, bytes->size, &draw, &extent);
    bets_extent_fini(&extent);
    draw_fini(&draw);
    return status;
}

/* The checkpoint of a draw that closed with `closed` bytes of bets, of which there are 100. */
static void make_checkpoint(uint32_t agencies, uint64_t closed, struct buffer *out)
{
    const struct journal_mark mark = {.stamp = 1, .at = JOURNAL_START};
    const struct bets_extent extent = {.size = 100};
    struct draw_record opened = {.type = DRAW_OPENED,
                                 .opened = {.agencies = agencies, .winner_number = STORE_NUMBER}};
    struct draw_record closing = {.type = DRAW_CLOSING,
                                  .closed = {.by = DRAW_BY_ALL_FINISHED, .extent = closed}};
    struct draw draw;

    draw_init(&draw);
    assert_int_equal(draw_apply(&draw, &opened).status, STATUS_OK);
    for (uint32_t i = 1; i <= agencies; i++) {
        struct draw_record finished = {.type = DRAW_FINISHED, .finished = {.agency = i}};
        assert_true(draw_apply(&draw, &finished).is_recorded);
    }
    assert_true(draw_apply(&draw, &closing).is_recorded);
    assert_int_equal(journal_encode_checkpoint(&draw, &extent, &mark, out), STATUS_OK);
    draw_fini(&draw);
}

/* A checkpoint that is valid by its checksum, but has other numbers than the store writes, is not
 * taken; its size is compared with them before anybody reserves memory for it. */
static void refuses_checkpoints_with_wrong_numbers(void **state)
{
    enum { AT_SIZE = 4, AT_AGENCIES = 64, AT_EXTENT = 72 + 24 };
    static const struct {
        size_t at;
        uint64_t value;
        size_t size;
        bool is_sized;
    } cases[] = {{AT_SIZE, 0xfffffff8, 4, false},
                 {AT_AGENCIES, 1000000, 4, false},
                 {48, (uint64_t)1 << 60, 8, false}, /* bets */
                 {AT_EXTENT, 99, 8, true}};
    struct buffer bytes = {0};

    (void)state;
    make_checkpoint(STORE_AGENCIES, 100, &bytes);
    assert_int_equal(journal_checkpoint_size((uint8_t *)bytes.data, 1), bytes.size);
    assert_int_equal(decode_checkpoint(&bytes), STATUS_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        buffer_fini(&bytes);
        make_checkpoint(STORE_AGENCIES, 100, &bytes);
        put_number(bytes.data + cases[i].at, cases[i].value, cases[i].size);
        put_number(bytes.data, crc32c(0, bytes.data + 4, bytes.size - 4), 4);
        assert_int_equal(journal_checkpoint_size((uint8_t *)bytes.data, 1),
                         cases[i].is_sized ? bytes.size : 0);
        if (cases[i].at != AT_SIZE)
            assert_int_equal(decode_checkpoint(&bytes), STATUS_DAMAGED);
    }
    buffer_fini(&bytes);
    make_checkpoint(1000001, 100, &bytes);
    assert_int_equal(journal_checkpoint_size((uint8_t *)bytes.data, 1), 0);
    assert_int_equal(decode_checkpoint(&bytes), STATUS_DAMAGED);
    buffer_fini(&bytes);
}

/* A state whose bets end elsewhere than its closing says is not written. */
static void writes_no_checkpoint_that_contradicts_the_closing(void **state)
{
    int status;

    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct buffer bytes = {0};
        (void)signal(SIGABRT, SIG_DFL); /* cmocka's own would go on with the test */
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        make_checkpoint(STORE_AGENCIES, 99, &bytes);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* The check reads all of bets.csv and the winners' files, changes nothing and says what is there.
 */
static void checks_without_changing_anything(void **state)
{
    struct store_csv_report report;
    struct errbuf err = {{0}};
    struct draw draw;
    size_t acked = 0;

    open_store(*state);
    assert_int_equal(script_run(fixed, &f, 0, fixed->count, &acked), STATUS_OK);
    assert_int_equal(store_fixture_hold_draw(&f), STATUS_OK);
    store_fixture_close(&f);
    struct folder whole = folder_read(*state);
    assert_int_equal(check(*state, &report, &draw, &err), STATUS_OK);
    struct script_content content = script_content(fixed, fixed->count);
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        assert_int_equal(draw_received(&draw, i), content.counts[i]);
        assert_true(draw.agency[i].has_finished);
    }
    assert_int_equal(draw.phase, DRAW_DRAWN);
    draw_fini(&draw);
    assert_true(folder_equals(*state, &whole));
    for (size_t file = 0; file < FOLDER_FILES; file++) {
        if (whole.sizes[file] == 0)
            continue;
        whole.bytes[file][whole.sizes[file] / 3] ^= 1;
        folder_write(*state, &whole);
        enum status status = check(*state, &report, &draw, &err);
        draw_fini(&draw);
        if (file != JOURNAL_FILE) {
            assert_int_equal(status, STATUS_DAMAGED);
            assert_non_null(strstr(err.text, folder_names[file]));
        }
        whole.bytes[file][whole.sizes[file] / 3] ^= 1;
    }
    folder_free(&whole);
}

static volatile size_t *shared_count(void)
{
    static volatile size_t *count;

    if (count == NULL) {
        void *memory =
            mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(memory != MAP_FAILED);
        count = memory;
    }
    *count = 0;
    return count;
}

/* Opens what a power cut left, or a process that ended, and compares it with the script. */
static void expect_script(const struct script *script, const char *dir, const struct file_ops *ops,
                          size_t acked, size_t most, const char *what, size_t number)
{
    if (store_fixture_open(&f, dir, ops, &store_small_limits, STORE_AGENCIES) != STATUS_OK)
        fail_msg("%s %zu, %zu steps acked: %s", what, number, acked, f.err.text);
    size_t done = script_done(script, &f);
    if (done < acked || done > most)
        fail_msg("%s %zu: %zu steps, %zu were acked", what, number, done, acked);
    size_t after = done;
    assert_int_equal(script_run(script, &f, done, script->count, &after), STATUS_OK);
    store_fixture_close(&f);
    if (store_fixture_open(&f, dir, ops, &store_small_limits, STORE_AGENCIES) != STATUS_OK)
        fail_msg("%s %zu, opened again: %s", what, number, f.err.text);
    assert_int_equal(script_done(script, &f), script->count);
    store_fixture_close(&f);
}

static struct {
    const char *dir; /* where the disk of a moment is written to */
    const struct script *script;
    volatile size_t *acked;
    size_t moments;
    bool is_busy;
} history;

/* The power fails at this moment, with three subsets of what was not synced. */
static void cut_power_now(void *context)
{
    static struct store_fixture running;

    (void)context;
    if (history.is_busy)
        return;
    history.is_busy = true;
    running = f;
    for (unsigned i = 0; i < 3; i++) {
        fault_power_cut(history.dir, i * (unsigned)(history.moments + 1));
        expect_script(history.script, history.dir, &file_ops_system, *history.acked,
                      history.script->count, "moment", history.moments++);
    }
    f = running;
    history.is_busy = false;
}

/* Whenever the power fails, and whichever of the unsynced bytes reached the disk before: what was
 * acked is there, and what was not is there in whole batches or not at all. */
static void cut_power_at_every_moment(const char *base, struct script (*make)(unsigned seed))
{
    for (unsigned seed = 1; seed <= 3; seed++) {
        struct script script = make(seed);
        char dir[32];
        store_fixture_terms = script.terms;
        (void)snprintf(dir, sizeof(dir), "run%u", seed);
        const char *run = sub_dir(base, dir);
        fault_reset();
        history.dir = sub_dir(base, "cut");
        history.script = &script;
        history.acked = shared_count();
        fault_watch(cut_power_now, NULL);
        size_t done = 0;
        for (int round = 0; round < 3; round++) { /* three runs of a server */
            size_t to = script.count * (size_t)(round + 1) / 3;
            assert_int_equal(
                store_fixture_open(&f, run, &fault_file_ops, &store_small_limits, STORE_AGENCIES),
                STATUS_OK);
            assert_int_equal(script_run(&script, &f, done, to, history.acked), STATUS_OK);
            done = to;
            if (round == 1) {
                fault_watch(NULL, NULL);
                store_fixture_kill(&f);
                fault_watch(cut_power_now, NULL);
            } else {
                store_fixture_close(&f);
            }
        }
        fault_watch(NULL, NULL);
    }
    assert_true(history.moments > 600);
}

static void survives_a_power_cut_at_every_moment(void **state)
{
    cut_power_at_every_moment(*state, script_random);
}

static void survives_a_power_cut_in_a_manual_draw(void **state)
{
    history.moments = 0;
    cut_power_at_every_moment(*state, script_random_manual);
}

/* A child does the script until a fault ends it, or to the end. Returns its exit status. */
static int run_child(const struct script *script, const char *dir, unsigned after,
                     enum fault_kind kind, volatile size_t *acked)
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        fault_plan(FAULT_ANY & ~(unsigned)FAULT_PREAD, after, kind, 0, false);
        bool is_fine = store_fixture_open(&f, dir, &fault_file_ops, &store_small_limits,
                                          STORE_AGENCIES) == STATUS_OK &&
                       script_run(script, &f, 0, script->count, acked) == STATUS_OK;
        if (is_fine)
            store_fixture_close(&f);
        _exit(is_fine ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* A process ends before, within or after each of its file operations: the next one finds what was
 * acked, and goes on; so does one after a power cut in between. */
static void end_process_at_every_step(const char *base, struct script script)
{
    const char *cut = sub_dir(base, "cut");
    unsigned ends = 0;

    store_fixture_terms = script.terms;

    for (int kind = FAULT_EXIT_BEFORE; kind <= FAULT_EXIT_AFTER; kind++) {
        int status = FAULT_EXIT_STATUS;
        for (unsigned after = 0; status == FAULT_EXIT_STATUS; after++) {
            volatile size_t *acked = shared_count();
            char name[32];
            (void)snprintf(name, sizeof(name), "%d-%u", kind, after);
            const char *dir = sub_dir(base, name);
            fault_reset();
            status = run_child(&script, dir, after, (enum fault_kind)kind, acked);
            assert_true(status == 0 || status == FAULT_EXIT_STATUS);
            ends += status != 0;
            fault_power_cut(cut, after);
            expect_script(&script, cut, &file_ops_system, *acked, script.count, "power", after);
            expect_script(&script, dir, &fault_file_ops, *acked, script.count, name, after);
        }
    }
    assert_true(ends > 300);
}

static void survives_the_end_of_its_process_at_every_step(void **state)
{
    end_process_at_every_step(*state, script_random(7));
}

static void survives_the_end_of_its_process_in_a_manual_draw(void **state)
{
    end_process_at_every_step(*state, script_random_manual(7));
}

/* After a failed sync the kernel may treat data as clean that never reached the disk. A recovery
 * writes it again, so that what it counts as stored survives a power cut. */
static void fail_every_sync(const char *base, struct script script)
{
    unsigned failures = 0;
    bool has_struck = true;

    store_fixture_terms = script.terms;

    for (unsigned after = 0; has_struck; after++) {
        char name[32];
        size_t acked = 0;
        (void)snprintf(name, sizeof(name), "%u", after);
        const char *dir = sub_dir(base, name);
        fault_reset();
        assert_int_equal(
            store_fixture_open(&f, dir, &fault_file_ops, &store_small_limits, STORE_AGENCIES),
            STATUS_OK);
        fault_plan(FAULT_FDATASYNC, after, FAULT_ERROR, EIO, false);
        enum status status = script_run(&script, &f, 0, script.count, &acked);
        has_struck = fault_end();
        if (status == STATUS_UNCERTAIN) { /* and it stays so */
            failures++;
            assert_int_equal(store_maintain(f.store, true, &f.err), STATUS_UNCERTAIN);
            (void)store_fixture_add(&f, 1, draw_received(&f.draw, 1), 1);
            assert_int_equal(store_fixture_commit(&f), STATUS_UNCERTAIN);
        }
        store_fixture_close(&f);
        assert_int_equal(
            store_fixture_open(&f, dir, &fault_file_ops, &store_small_limits, STORE_AGENCIES),
            STATUS_OK);
        size_t done = script_done(&script, &f); /* the page cache still has it */
        assert_true(done >= acked && done <= script.count);
        const char *cut = sub_dir(base, "cut");
        fault_power_cut(cut, 0);
        store_fixture_kill(&f);
        expect_script(&script, cut, &file_ops_system, done, done, "sync", after);
    }
    assert_true(failures > 20);
}

static void recovery_rewrites_what_a_failed_sync_lost(void **state)
{
    fail_every_sync(*state, script_random(5));
}

static void recovery_rewrites_what_a_failed_sync_lost_of_a_manual_draw(void **state)
{
    fail_every_sync(*state, script_random_manual(5));
}

/* Closing a store after a failed sync does not claim that everything is durable: after a power cut
 * the folder opens with what was acked. */
static void closing_after_a_failed_sync_claims_nothing(void **state)
{
    size_t acked = 0;

    open_store(*state);
    assert_int_equal(script_run(fixed, &f, 0, 2, &acked), STATUS_OK);
    fault_plan(FAULT_FDATASYNC, 0, FAULT_ERROR, EIO, false);
    assert_int_equal(script_run(fixed, &f, 2, 3, &acked), STATUS_UNCERTAIN);
    assert_true(fault_end());
    store_fixture_close(&f);
    const char *cut = sub_dir(*state, "cut");
    fault_power_cut(cut, 0);
    expect_script(fixed, cut, &file_ops_system, 2, 2, "cut", 0);
}

/* Copies a folder of the first release, DATA_DIR/name, to `dir`. */
static void copy_version_1(const char *name, const char *dir)
{
    char command[900];

    (void)snprintf(command, sizeof(command), "rm -f %s/* && cp %s/%s/* %s && chmod u+w %s/*", dir,
                   DATA_DIR, name, dir, dir);
    assert_int_equal(system(command), 0);
}

static bool has_name(const char *dir, const char *name)
{
    char path[512];
    struct stat info;

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return stat(path, &info) == 0;
}

static enum status open_version_1(const char *dir, const struct file_ops *ops)
{
    return store_fixture_open(&f, dir, ops, &store_small_limits, 2);
}

/* What the folders of the first release have, whichever format they are in by now. */
static void expect_version_1(const char *dir, bool is_drawn)
{
    if (open_version_1(dir, &file_ops_system) != STATUS_OK)
        fail_msg("%s", f.err.text);
    assert_int_equal(f.draw.bets, 12);
    assert_int_equal(f.draw.phase, is_drawn ? DRAW_DRAWN : DRAW_OPEN);
    assert_int_equal(f.draw.drawn.winners, is_drawn ? 4 : 0);
    store_fixture_close(&f);
}

/* A folder of the first release is carried over: its bets stay as they are, the journal becomes one
 * of format 2, and the file that was locked goes. */
static void carries_over_version_1(void **state)
{
    for (int is_drawn = 0; is_drawn < 2; is_drawn++) {
        copy_version_1(is_drawn ? "v1-drawn" : "v1-open", *state);
        struct folder before = folder_read(*state);
        for (int round = 0; round < 2; round++) {
            struct journal_header header;
            assert_int_equal(open_version_1(*state, &fault_file_ops), STATUS_OK);
            assert_int_equal(f.report.is_carried_over, round == 0);
            assert_int_equal(f.report.bets_torn + f.report.journal_torn, 0);
            struct folder now = folder_read(*state);
            assert_int_equal(now.sizes[BETS_FILE], before.sizes[BETS_FILE]);
            assert_memory_equal(now.bytes[BETS_FILE], before.bytes[BETS_FILE],
                                before.sizes[BETS_FILE]);
            assert_true(journal_header_decode(now.bytes[JOURNAL_FILE], &header));
            assert_false(has_name(*state, DATA_DIR_OLD_LOCK));
            folder_free(&now);
            store_fixture_close(&f);
            expect_version_1(*state, is_drawn);
        }
        if (!is_drawn) {
            assert_int_equal(open_version_1(*state, &file_ops_system), STATUS_OK);
            assert_int_equal(store_fixture_append(&f, 2, draw_received(&f.draw, 2), 9), STATUS_OK);
            store_fixture_close(&f);
            assert_int_equal(open_version_1(*state, &file_ops_system), STATUS_OK);
            assert_int_equal(f.draw.bets, 21);
            store_fixture_close(&f);
        }
        folder_free(&before);
    }
}

/* Lets the model of the disk know the files that are there. */
static void know_files(const char *dir)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_true(dir_fd >= 0);
    for (size_t i = 0; i <= JOURNAL_FILE; i++) {
        int fd = fault_file_ops.openat(dir_fd, folder_names[i], O_RDONLY, 0);
        assert_true(fd >= 0);
        assert_int_equal(close(fd), 0);
    }
    assert_int_equal(close(dir_fd), 0);
}

/* Whatever fails or ends the process while a folder is carried over, or whenever the power is cut,
 * it is one of either format, complete. */
static void carries_over_at_once(void **state)
{
    static const int errors[] = {EIO, ENOSPC};
    const char *dir = sub_dir(*state, "old");
    const char *cut = sub_dir(*state, "cut");

    for (size_t e = 0; e < 2; e++) {
        bool has_struck = true;
        for (unsigned after = 0; has_struck; after++) {
            copy_version_1("v1-open", dir);
            fault_reset();
            know_files(dir);
            fault_plan(FAULT_ANY & ~(unsigned)FAULT_UNLINKAT, after, FAULT_ERROR, errors[e], false);
            enum status status = open_version_1(dir, &fault_file_ops);
            has_struck = fault_end();
            if (status == STATUS_OK)
                store_fixture_kill(&f);
            else
                assert_true(has_struck);
            fault_power_cut(cut, after);
            expect_version_1(cut, false);
            expect_version_1(dir, false);
        }
    }
}

/* Reads of the last byte of the bets of v1-open: the later ones get another byte, as after a sync
 * that failed, when the kernel has dropped what it could not write. */
static unsigned last_byte_reads;

static ssize_t pread_forgetting(int fd, void *bytes, size_t size, off_t offset)
{
    ssize_t got = file_ops_system.pread(fd, bytes, size, offset);
    struct stat info;

    assert_int_equal(fstat(fd, &info), 0);
    if (info.st_size == V1_BETS_SIZE && got > 0 && offset + got == V1_BETS_SIZE &&
        ++last_byte_reads > 1)
        ((char *)bytes)[got - 1] ^= 1;
    return got;
}

/* The bets of a folder of the first release that change between being read and being written once
 * more are not carried over. */
static void notices_changed_bets_of_version_1(void **state)
{
    struct file_ops forgetting = file_ops_system;

    copy_version_1("v1-open", *state);
    forgetting.pread = pread_forgetting;
    last_byte_reads = 0;
    assert_int_equal(open_version_1(*state, &forgetting), STATUS_IO);
    assert_non_null(strstr(f.err.text, "have changed while they were read"));
    assert_int_equal(open_version_1(*state, &file_ops_system), STATUS_OK);
    assert_true(f.report.is_carried_over);
    assert_int_equal(f.draw.bets, 6); /* the last batch is torn now */
    store_fixture_close(&f);
}

/* The check reads a folder of the first release, too, with its winners, and leaves it as it is. */
static void checks_version_1(void **state)
{
    struct store_csv_report report;
    struct errbuf err = {{0}};
    struct draw draw;
    char command[600];

    copy_version_1("v1-drawn", *state);
    assert_int_equal(check(*state, &report, &draw, &err), STATUS_OK);
    assert_int_equal(draw.phase, DRAW_DRAWN);
    assert_int_equal(draw.bets, 12);
    draw_fini(&draw);
    assert_true(has_name(*state, DATA_DIR_OLD_LOCK));
    (void)snprintf(command, sizeof(command), "printf x >> %s/%s", (char *)*state,
                   folder_names[WINNERS_FILE]);
    assert_int_equal(system(command), 0);
    assert_int_equal(check(*state, &report, &draw, &err), STATUS_DAMAGED);
    assert_non_null(strstr(err.text, folder_names[WINNERS_FILE]));
    draw_fini(&draw);
}

/* Every opening syncs the folder: the process that made the files may have died too early. */
static void every_opening_syncs_the_directory(void **state)
{
    for (int round = 0; round < 2; round++) {
        unsigned before = fault_folder_syncs();
        open_store(*state);
        assert_true(fault_folder_syncs() > before);
        store_fixture_close(&f);
    }
}

static unsigned stop_after;

static bool must_stop(void)
{
    fake_clock.now_ms += 700;
    return stop_after-- == 0;
}

static enum status open_stoppable(const char *dir, struct draw *draw, struct store **out,
                                  struct errbuf *err)
{
    static struct data_dir data_dir;
    struct store_csv_report report;
    struct store_csv_config config = {
        .data_dir = &data_dir, .must_stop = must_stop, .limits = &one_journal};

    draw_init(draw);
    assert_int_equal(data_dir_open(dir, &fault_file_ops, &data_dir, err), STATUS_OK);
    enum status status = store_csv_open(&config, draw, out, &report, err);
    if (status == STATUS_OK)
        store_close(*out);
    draw_fini(draw);
    data_dir_close(&data_dir);
    return status;
}

/* A recovery that takes longer than a second says how far it is; it can be stopped at any time, and
 * the next one does the rest. */
static void says_how_far_it_is(void **state)
{
    struct folder whole = make_folder(*state, 10, false);
    enum status status = STATUS_STOPPED;
    struct capture capture;
    struct errbuf err;
    struct store *store;
    struct draw draw;
    unsigned stops = 0;

    fake_clock_begin(1000);
    log_set_level(LOG_INFO);
    capture_begin(&capture);
    for (unsigned after = 0; status == STATUS_STOPPED; after++) {
        folder_write(*state, &whole);
        stop_after = after;
        status = open_stoppable(*state, &draw, &store, &err);
        stops += status == STATUS_STOPPED;
    }
    capture_end(&capture);
    log_set_level(LOG_CRITICAL);
    fake_clock_end();
    assert_int_equal(status, STATUS_OK);
    assert_true(stops > 3);
    assert_non_null(
        strstr(capture.text, "action: recover_store | result: in_progress | percent: "));
    assert_non_null(strstr(capture.text, "action: recover_store | result: success | bets: "));
    capture_free(&capture);
    open_store(*state);
    assert_int_equal(script_done(fixed, &f), 10);
    store_fixture_close(&f);
    folder_free(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, store_fixture_teardown)
        CASE(refuses_a_closed_folder_that_was_cut),
        CASE(refuses_a_closed_manual_folder_that_was_cut),
        CASE(opens_a_running_folder_that_was_cut),
        CASE(opens_a_running_manual_folder_that_was_cut),
        CASE(survives_flips_in_a_closed_folder),
        CASE(survives_flips_in_a_running_folder),
        CASE(survives_flips_in_a_manual_folder),
        CASE(misses_what_an_idle_store_noted),
        CASE(sets_torn_tails_aside),
        CASE(takes_zeros_for_reserved_space),
        CASE(refuses_a_missing_file),
        CASE(refuses_misplaced_records),
        CASE(refuses_a_number_of_another_seal),
        CASE(refuses_checkpoints_with_wrong_numbers),
        CASE(writes_no_checkpoint_that_contradicts_the_closing),
        CASE(checks_without_changing_anything),
        CASE(survives_a_power_cut_at_every_moment),
        CASE(survives_a_power_cut_in_a_manual_draw),
        CASE(survives_the_end_of_its_process_at_every_step),
        CASE(survives_the_end_of_its_process_in_a_manual_draw),
        CASE(recovery_rewrites_what_a_failed_sync_lost),
        CASE(recovery_rewrites_what_a_failed_sync_lost_of_a_manual_draw),
        CASE(closing_after_a_failed_sync_claims_nothing),
        CASE(carries_over_version_1),
        CASE(carries_over_at_once),
        CASE(notices_changed_bets_of_version_1),
        CASE(checks_version_1),
        CASE(every_opening_syncs_the_directory),
        CASE(says_how_far_it_is),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
