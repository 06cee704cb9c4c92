/* How the store recovers a folder from damage: every cut, every flipped byte, power cuts at every
 * moment, failed syncs, processes that died. */
#include "cmocka_all.h"

#include "data_dir.h"
#include "fault_file_ops.h"
#include "journal.h"
#include "store_fixture.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BETS 0 /* index in struct folder */
#define JOURNAL 1
#define WINNERS 2

/* The scenario: one operation after the other, each acked before the next. */
struct step {
    uint32_t agency; /* 0: the draw */
    size_t count;    /* bets; 0: the agency finishes */
};

static const struct step steps[] = {{1, 2}, {2, 1}, {1, 1}, {2, 0}, {3, 0}, {4, 3},
                                    {1, 2}, {1, 0}, {4, 1}, {4, 0}, {0, 0}};
#define STEPS (sizeof(steps) / sizeof(steps[0]))
#define BET_STEPS 9 /* up to the last batch */

/* What a store must hold after the first `done` steps. */
struct content {
    uint64_t counts[STORE_AGENCIES + 1];
    uint32_t finished;
    bool has_draw;
};

static struct content content_after(size_t done)
{
    struct content content = {{0}, 0, false};

    for (size_t i = 0; i < done; i++) {
        if (steps[i].agency == 0)
            content.has_draw = true;
        else if (steps[i].count == 0)
            content.finished++;
        else
            content.counts[steps[i].agency] += steps[i].count;
    }
    return content;
}

static bool do_step(struct store_fixture *f, size_t i)
{
    uint32_t agency = steps[i].agency;
    uint64_t received = content_after(i).counts[agency];

    if (agency == 0) {
        struct winner winner = {.agency = 1, .document_size = 3, .document = "1D0"};
        struct draw draw = {STORE_NUMBER, {&winner, 1, 1}};
        return store_save_draw(f->store, &draw, &f->err) == STATUS_OK;
    }
    if (steps[i].count == 0)
        return store_fixture_finish(f, agency, received) == STATUS_OK;
    return store_fixture_append(f, agency, received, steps[i].count) == STATUS_OK;
}

/* How many steps the store has; STEPS + 1 when its content matches no number of steps. */
static size_t steps_in(struct store_fixture *f)
{
    struct content is = {{0}, store_finished(f->store), store_has_draw(f->store)};

    if (!store_fixture_count(f, STORE_AGENCIES, is.counts))
        return STEPS + 1;
    for (size_t done = 0; done <= STEPS; done++) {
        struct content should = content_after(done);
        bool is_it = is.finished == should.finished && is.has_draw == should.has_draw;
        for (uint32_t i = 1; i <= STORE_AGENCIES; i++)
            is_it = is_it && is.counts[i] == should.counts[i];
        if (is_it)
            return done;
    }
    return STEPS + 1;
}

static struct store_fixture open_store(const char *dir)
{
    struct store_fixture f;

    assert_int_equal(store_fixture_open(&f, dir, &fault_file_ops, STORE_AGENCIES), STATUS_OK);
    return f;
}

/* The folder after `count` steps: properly closed, or as it is while the store runs. */
static struct folder make_folder(const char *dir, size_t count, bool is_closed)
{
    struct store_fixture f = open_store(dir);
    struct folder folder;

    for (size_t i = 0; i < count; i++)
        assert_true(do_step(&f, i));
    if (!is_closed)
        folder = folder_read(dir);
    store_fixture_close(&f);
    if (is_closed)
        folder = folder_read(dir);
    return folder;
}

/* After a recovery the store works as before: it takes what comes next, and keeps it. */
static void goes_on(struct store_fixture *f, const char *dir, size_t done)
{
    struct content content = content_after(done);

    if (!content.has_draw) {
        if (store_fixture_append(f, 3, 0, 2) == STATUS_OK)
            content.counts[3] = 2;
        else
            assert_int_equal(f->last.status, STATUS_CLOSED);
        /* The next step of the scenario: the agencies send again what was not acked. */
        if (done < STEPS && steps[done].agency != 3) {
            assert_true(do_step(f, done));
            struct content next = content_after(done + 1);
            next.counts[3] = content.counts[3];
            content = next;
        }
    }
    store_fixture_close(f);
    *f = open_store(dir);
    uint64_t counts[STORE_AGENCIES + 1];
    assert_true(store_fixture_count(f, STORE_AGENCIES, counts));
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        assert_int_equal(counts[i], content.counts[i]);
        assert_int_equal(store_fixture_received(f, i), content.counts[i]);
    }
    assert_int_equal(store_finished(f->store), content.finished);
    assert_int_equal(store_has_draw(f->store), content.has_draw);
    assert_int_equal(f->report.bets_cut + f->report.journal_cut, 0);
    store_fixture_close(f);
}

struct tally {
    unsigned opened;
    unsigned refused;
};

/* Opens the damaged folder: either it is refused with a reason and not changed, or it has between
 * `min` and `max` steps and can be used. The check gives the same result and changes nothing. */
static void try_damaged(const char *dir, const struct folder *damaged, size_t file, size_t min,
                        size_t max, struct tally *tally)
{
    struct store_fixture f;
    struct store_report report;
    struct errbuf err = {{0}};

    folder_write(dir, damaged);
    enum status checked =
        data_dir_check(dir, STORE_AGENCIES, &fault_file_ops, &report, NULL, NULL, &err);
    assert_true(folder_equals(dir, damaged));
    enum status status = store_fixture_open(&f, dir, &fault_file_ops, STORE_AGENCIES);
    assert_int_equal(checked, status);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_DAMAGED);
        const char *name = strstr(f.err.text, "bets.");
        name = name != NULL ? name : strstr(f.err.text, folder_names[file]);
        assert_non_null(name);
        assert_non_null(strstr(name, "byte"));
        assert_true(folder_equals(dir, damaged));
        tally->refused++;
        return;
    }
    size_t done = steps_in(&f);
    if (done < min || done > max)
        fail_msg("%s: %zu steps, not %zu to %zu", folder_names[file], done, min, max);
    assert_int_equal(report.bets, f.report.bets);
    assert_int_equal(report.journal_cut, f.report.journal_cut);
    goes_on(&f, dir, done);
    tally->opened++;
}

/* Where the journal's records end and its reserved space begins. */
static size_t records_end(const struct folder *folder)
{
    size_t end = JOURNAL_START;
    struct journal_record record;

    while (end < folder->sizes[JOURNAL] && journal_decode(folder->bytes[JOURNAL] + end, &record))
        end += JOURNAL_RECORD_SIZE;
    return end;
}

/* The next byte to damage: every one, except in the reserved space, where a few are enough. */
static size_t next_place(const struct folder *folder, size_t file, size_t at)
{
    return file == JOURNAL && at > records_end(folder) + JOURNAL_RECORD_SIZE ? at + 59 : at + 1;
}

/* Where the last batch in bets.csv begins, which may not be known to be on disk yet. */
static size_t last_batch_at(const struct folder *folder)
{
    struct journal_record record;

    for (size_t at = records_end(folder); at > JOURNAL_START;) {
        at -= JOURNAL_RECORD_SIZE;
        assert_true(journal_decode(folder->bytes[JOURNAL] + at, &record));
        if (record.type == JOURNAL_BETS)
            return (size_t)record.data_at;
    }
    return 0;
}

/* Every length of every file. */
static void cut_everywhere(const char *dir, size_t count, bool is_closed)
{
    struct folder whole = make_folder(dir, count, is_closed);
    bool ends_with_bets = steps[count - 1].count > 0;
    size_t last_bets = last_batch_at(&whole);
    size_t records = records_end(&whole);
    struct tally tally = {0, 0};

    for (size_t file = 0; file < FOLDER_FILES; file++) {
        for (size_t size = 0; size < whole.sizes[file]; size = next_place(&whole, file, size)) {
            struct folder cut = whole;
            size_t min = count;
            cut.sizes[file] = size;
            if (!is_closed && file == JOURNAL && size >= JOURNAL_START && size < records)
                min = (size - JOURNAL_START) / JOURNAL_RECORD_SIZE;
            if (!is_closed && file == BETS && ends_with_bets && size >= last_bets)
                min = count - 1;
            try_damaged(dir, &cut, file, min, min, &tally);
        }
    }
    assert_true(tally.refused > 0);
    assert_true(is_closed == (tally.opened == 0));
    folder_free(&whole);
}

/* A folder that was closed, then cut at any length, is refused: all of it is known to have been on
 * disk. */
static void refuses_a_closed_folder_that_was_cut(void **state)
{
    cut_everywhere(*state, STEPS, true);
}

/* A folder of a server that died, cut at any length, opens with what the cut left, or is refused
 * when more is known to have been on disk. */
static void opens_a_running_folder_that_was_cut(void **state)
{
    cut_everywhere(*state, BET_STEPS, false);
}

/* The same, with the draw as the last step. */
static void opens_a_drawn_folder_that_was_cut(void **state)
{
    cut_everywhere(*state, STEPS, false);
}

/* Every byte of every file, flipped in three ways. */
static void flip_everywhere(const char *dir, size_t count, bool is_closed)
{
    static const unsigned char patterns[] = {0x01, 0x80, 0xff};
    struct folder whole = make_folder(dir, count, is_closed);
    bool ends_with_bets = steps[count - 1].count > 0;
    size_t records = records_end(&whole);
    size_t last_bets = last_batch_at(&whole);
    struct tally tally = {0, 0};

    for (size_t file = 0; file < FOLDER_FILES; file++) {
        for (size_t at = 0; at < whole.sizes[file]; at = next_place(&whole, file, at)) {
            bool is_last =
                (file == JOURNAL && at >= records - JOURNAL_RECORD_SIZE && at < records) ||
                (file == BETS && ends_with_bets && at >= last_bets);
            size_t min = is_last && !is_closed ? count - 1 : count;
            bool is_unused = file == JOURNAL && at < JOURNAL_START &&
                             at % JOURNAL_HEADER_B >= JOURNAL_RECORD_SIZE;
            for (size_t p = 0; p < (is_unused ? 1 : sizeof(patterns)); p++) {
                whole.bytes[file][at] ^= patterns[p];
                try_damaged(dir, &whole, file, min, min, &tally);
                whole.bytes[file][at] ^= patterns[p];
            }
        }
    }
    assert_true(tally.refused > 0 && tally.opened > 0);
    folder_free(&whole);
}

/* A folder that was closed, with any byte flipped, opens complete or is refused. */
static void survives_flips_in_a_closed_folder(void **state)
{
    flip_everywhere(*state, STEPS, true);
}

/* A folder of a server that died, with any byte flipped, lacks at most the last batch. */
static void survives_flips_in_a_running_folder(void **state)
{
    flip_everywhere(*state, BET_STEPS, false);
}

/* What follows the valid part is cut and reported to the byte, and the valid part stays. */
static void cuts_what_follows_the_valid_part(void **state)
{
    struct folder whole = make_folder(*state, BET_STEPS, true);

    for (size_t file = BETS; file <= JOURNAL; file++) {
        for (size_t extra = 1; extra <= 130; extra += 43) {
            struct folder longer = whole;
            struct store_fixture f;
            longer.bytes[file] = malloc(whole.sizes[file] + extra);
            assert_non_null(longer.bytes[file]);
            memset(longer.bytes[file] + whole.sizes[file], 0x55, extra);
            memcpy(longer.bytes[file], whole.bytes[file], whole.sizes[file]);
            longer.sizes[file] += extra;
            folder_write(*state, &longer);
            assert_int_equal(store_fixture_open(&f, *state, &fault_file_ops, STORE_AGENCIES),
                             STATUS_OK);
            assert_int_equal(f.report.bets_cut, file == BETS ? extra : 0);
            assert_int_equal(f.report.journal_cut, file == JOURNAL ? extra : 0);
            assert_int_equal(steps_in(&f), BET_STEPS);
            goes_on(&f, *state, BET_STEPS);
            free(longer.bytes[file]);
        }
    }
    folder_free(&whole);
}

/* Any number of zeros after the records is reserved space: nothing is cut, and the next records go
 * there. */
static void takes_zeros_for_reserved_space(void **state)
{
    struct folder whole = make_folder(*state, BET_STEPS, true);

    for (size_t extra = 1; extra <= 10000; extra += 1111) {
        struct folder longer = whole;
        struct store_fixture f;
        longer.bytes[JOURNAL] = calloc(1, whole.sizes[JOURNAL] + extra);
        assert_non_null(longer.bytes[JOURNAL]);
        memcpy(longer.bytes[JOURNAL], whole.bytes[JOURNAL], whole.sizes[JOURNAL]);
        longer.sizes[JOURNAL] += extra;
        folder_write(*state, &longer);
        free(longer.bytes[JOURNAL]);
        f = open_store(*state);
        assert_int_equal(f.report.journal_cut, 0);
        assert_int_equal(f.report.journal_bytes, whole.sizes[JOURNAL]);
        assert_int_equal(steps_in(&f), BET_STEPS);
        goes_on(&f, *state, BET_STEPS);
    }
    folder_free(&whole);
}

/* Closing a folder cuts its reserved space. */
static void closing_cuts_the_reserved_space(void **state)
{
    struct folder running = make_folder(*state, BET_STEPS, false);
    struct folder closed = folder_read(*state);

    assert_true(running.sizes[JOURNAL] > records_end(&running));
    assert_int_equal(closed.sizes[JOURNAL], records_end(&running));
    folder_free(&running);
    folder_free(&closed);
}

/* A missing file - bets.csv, the journal, or winners.csv after the draw - is refused, and the error
 * names it. */
static void refuses_a_missing_file(void **state)
{
    struct folder whole = make_folder(*state, STEPS, true);

    for (size_t file = 0; file < FOLDER_FILES; file++) {
        struct folder lacking = whole;
        struct store_fixture f;
        lacking.bytes[file] = NULL;
        lacking.sizes[file] = 0;
        folder_write(*state, &lacking);
        assert_int_equal(store_fixture_open(&f, *state, &fault_file_ops, STORE_AGENCIES),
                         STATUS_DAMAGED);
        assert_non_null(strstr(f.err.text, folder_names[file]));
    }
    folder_free(&whole);
}

/* A record of another folder is refused, although it is valid in itself. */
static void refuses_records_of_another_folder(void **state)
{
    char other[300];
    char command[320];

    (void)snprintf(other, sizeof(other), "%s/other", (char *)*state);
    (void)snprintf(command, sizeof(command), "mkdir '%s'", other);
    assert_int_equal(system(command), 0);
    struct folder mine = make_folder(*state, BET_STEPS, true);
    struct folder its = make_folder(other, BET_STEPS, true);
    size_t at = JOURNAL_START + JOURNAL_RECORD_SIZE;

    assert_int_equal(its.sizes[BETS], mine.sizes[BETS]);
    memcpy(mine.bytes[JOURNAL] + at, its.bytes[JOURNAL] + at, JOURNAL_RECORD_SIZE);
    struct tally tally = {0, 0};
    try_damaged(*state, &mine, JOURNAL, BET_STEPS, BET_STEPS, &tally);
    assert_int_equal(tally.refused, 1);
    /* So is a record of the same folder at the wrong offset. */
    memcpy(mine.bytes[JOURNAL] + at, mine.bytes[JOURNAL] + JOURNAL_START, JOURNAL_RECORD_SIZE);
    try_damaged(*state, &mine, JOURNAL, BET_STEPS, BET_STEPS, &tally);
    assert_int_equal(tally.refused, 2);
    folder_free(&mine);
    folder_free(&its);
}

/* Headers with correct checksums are invalid if no record can end where they say. */
static void refuses_an_impossible_header(void **state)
{
    static const uint64_t claims[] = {0, JOURNAL_START - JOURNAL_RECORD_SIZE, JOURNAL_START + 1};
    struct folder folder = make_folder(*state, 2, true);
    struct store_report report;
    struct data_dir *data_dir;
    struct errbuf err;

    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        for (size_t at = 0; at <= JOURNAL_HEADER_B; at += JOURNAL_HEADER_B) {
            struct journal_record header = {
                .type = JOURNAL_HEADER, .received = 9, .synced = claims[i], .at = at};
            journal_encode(&header, folder.bytes[JOURNAL] + at);
        }
        folder_write(*state, &folder);
        assert_int_equal(
            data_dir_check(*state, STORE_AGENCIES, &fault_file_ops, &report, NULL, NULL, &err),
            STATUS_DAMAGED);
        assert_int_equal(
            data_dir_open(*state, STORE_AGENCIES, &fault_file_ops, &data_dir, &report, &err),
            STATUS_DAMAGED);
        assert_non_null(strstr(err.text, "no valid header"));
        assert_true(folder_equals(*state, &folder));
    }
    folder_free(&folder);
}

/* The check reports every agency and changes nothing. */
static void checks_without_changing_anything(void **state)
{
    struct folder whole = make_folder(*state, STEPS, true);
    uint64_t received[STORE_AGENCIES + 1];
    bool has_finished[STORE_AGENCIES + 1];
    struct store_report report;
    struct errbuf err = {{0}};
    struct content content = content_after(STEPS);

    assert_int_equal(data_dir_check(*state, STORE_AGENCIES, &file_ops_system, &report, received,
                                    has_finished, &err),
                     STATUS_OK);
    assert_int_equal(report.bets, 10);
    assert_int_equal(report.finished, 4);
    assert_true(report.has_draw);
    assert_int_equal(report.winner_number, STORE_NUMBER);
    assert_int_equal(report.winners, 1);
    assert_int_equal(report.bets_bytes, whole.sizes[BETS]);
    assert_int_equal(report.journal_bytes, whole.sizes[JOURNAL]);
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        assert_int_equal(received[i], content.counts[i]);
        assert_true(has_finished[i]);
    }
    assert_true(folder_equals(*state, &whole));
    folder_free(&whole);
}

/* A folder in use is not checked: what the server is writing would look damaged. */
static void does_not_check_a_folder_in_use(void **state)
{
    struct store_fixture f = open_store(*state);
    struct store_report report;
    struct errbuf err = {{0}};

    assert_int_equal(
        data_dir_check(*state, STORE_AGENCIES, &file_ops_system, &report, NULL, NULL, &err),
        STATUS_INUSE);
    assert_non_null(strstr(err.text, "bets.lock"));
    store_fixture_close(&f);
    assert_int_equal(
        data_dir_check(*state, STORE_AGENCIES, &file_ops_system, &report, NULL, NULL, &err),
        STATUS_OK);
}

static pid_t start_child(void)
{
    pid_t pid = fork();

    assert_true(pid >= 0);
    return pid;
}

static int wait_status(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static struct store_fixture open_data_dir(const char *dir)
{
    struct store_fixture f = {.dir = dir, .ops = &fault_file_ops};

    assert_int_equal(
        data_dir_open(dir, STORE_AGENCIES, &fault_file_ops, &f.data_dir, &f.report, &f.err),
        STATUS_OK);
    return f;
}

/* The power fails: the folder has only what is on the disk. */
static void cut_power(const char *dir, unsigned seed)
{
    static unsigned char bytes[FOLDER_FILES][64 * 1024];
    struct folder folder = {{NULL}, {0}};

    for (size_t i = 0; i < FOLDER_FILES; i++) {
        long size = fault_disk_read(dir, folder_names[i], bytes[i], sizeof(bytes[i]), seed);
        if (size >= 0) {
            folder.bytes[i] = bytes[i];
            folder.sizes[i] = (size_t)size;
        }
    }
    folder_write(dir, &folder);
    fault_reset();
}

/* A child stores two steps; the sync of the third fails, which ends the child. */
static struct store_fixture fail_a_sync(const char *dir, unsigned which)
{
    struct store_fixture f = open_data_dir(dir);
    pid_t pid = start_child();

    if (pid == 0) {
        bool is_fine = store_fixture_attach(&f) == STATUS_OK && do_step(&f, 0) && do_step(&f, 1);
        fault_plan(FAULT_FDATASYNC, which, FAULT_ERROR, EIO, false);
        (void)do_step(&f, 2);
        _exit(is_fine ? 0 : 1);
    }
    assert_int_equal(wait_status(pid), STORE_FATAL_EXIT);
    return f;
}

/* After a failed sync the kernel may treat data as clean that never reached the disk. A recovery
 * writes it again, so that what it counts as stored survives a power cut. */
static void recovery_rewrites_what_a_failed_sync_lost(void **state)
{
    for (unsigned which = 0; which < 2; which++) {
        char dir[300];
        char command[320];
        (void)snprintf(dir, sizeof(dir), "%s/%u", (char *)*state, which);
        (void)snprintf(command, sizeof(command), "mkdir '%s'", dir);
        assert_int_equal(system(command), 0);
        struct store_fixture f = fail_a_sync(dir, which);
        data_dir_close(f.data_dir);

        f = open_store(dir);
        assert_int_equal(steps_in(&f), 3); /* the page cache still has it */
        store_fixture_detach(&f);
        struct data_dir *data_dir = f.data_dir;
        cut_power(dir, 0);
        data_dir_close(data_dir); /* releases the lock; the files that it writes to are replaced */

        f = open_store(dir);
        assert_int_equal(steps_in(&f), 3);
        goes_on(&f, dir, 3);
        fault_reset();
    }
}

/* Closing a folder after a failed sync does not claim that everything is durable: after a power cut
 * the folder opens with what was acked. */
static void closing_after_a_failed_sync_claims_nothing(void **state)
{
    struct store_fixture f = fail_a_sync(*state, 0);

    data_dir_close(f.data_dir);
    cut_power(*state, 0);
    f = open_store(*state);
    assert_int_equal(steps_in(&f), 2);
    goes_on(&f, *state, 2);
}

/* After a failed sync no other process of the server stores or attaches, until the folder is opened
 * again. */
static void a_failed_sync_ends_every_process(void **state)
{
    struct store_fixture f = open_data_dir(*state);
    int go[2];
    int attached[2];
    char byte;

    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(attached), 0);
    pid_t other = start_child();
    if (other == 0) {
        bool is_fine = store_fixture_attach(&f) == STATUS_OK && write(attached[1], "!", 1) == 1 &&
                       read(go[0], &byte, 1) == 1;
        (void)store_fixture_append(&f, 4, 0, 1);
        _exit(is_fine ? 0 : 1);
    }
    assert_int_equal(read(attached[0], &byte, 1), 1);
    pid_t failing = start_child();
    if (failing == 0) {
        (void)store_fixture_attach(&f);
        fault_plan(FAULT_FDATASYNC, 0, FAULT_ERROR, EIO, false);
        (void)store_fixture_append(&f, 1, 0, 1);
        _exit(0);
    }
    assert_int_equal(wait_status(failing), STORE_FATAL_EXIT);
    assert_int_equal(write(go[1], "!", 1), 1);
    assert_int_equal(wait_status(other), STORE_FATAL_EXIT);
    assert_int_equal(store_fixture_attach(&f), STATUS_IO);
    data_dir_close(f.data_dir);
    for (size_t i = 0; i < 2; i++) {
        (void)close(go[i]);
        (void)close(attached[i]);
    }
    f = open_store(*state);
    assert_int_equal(store_fixture_received(&f, 4), 0);
    store_fixture_close(&f);
}

/* If a process dies while it moves the commit point, the next one completes the move. */
static void completes_a_half_moved_commit_point(void **state)
{
    for (unsigned half = 0; half < 3; half++) {
        char dir[300];
        char command[320];
        (void)snprintf(dir, sizeof(dir), "%s/%u", (char *)*state, half);
        (void)snprintf(command, sizeof(command), "mkdir '%s'", dir);
        assert_int_equal(system(command), 0);
        struct store_fixture f = open_data_dir(dir);
        pid_t pid = start_child();
        if (pid == 0) {
            bool must_repair;
            struct state *shared = f.data_dir->state;
            bool is_fine = store_fixture_attach(&f) == STATUS_OK && do_step(&f, 0);
            uint64_t bets = atomic_load(&shared->bets_size);
            uint64_t journal = atomic_load(&shared->journal_size);
            is_fine = is_fine && do_step(&f, 1);
            store_fixture_detach(&f);
            /* Dies in the middle of the second step's commit. */
            state_lock(shared, &must_repair);
            atomic_store(&shared->is_moving, half < 2);
            if (half == 0)
                atomic_store(&shared->bets_size, bets);
            if (half == 2)
                atomic_store(&shared->bets_size, bets);
            atomic_store(&shared->journal_size, journal);
            _exit(is_fine ? 0 : 1);
        }
        assert_int_equal(wait_status(pid), 0);
        assert_int_equal(store_fixture_attach(&f), STATUS_OK);
        assert_int_equal(store_fixture_received(&f, 2), 1); /* takes the lock, repairs */
        assert_int_equal(steps_in(&f), 2);
        goes_on(&f, dir, 2);
        fault_reset();
    }
}

/* A commit point that would move back is a mistake in the program: it ends the process before
 * either size has changed. */
static void never_moves_the_commit_point_back(void **state)
{
    struct store_fixture f = open_store(*state);

    assert_true(do_step(&f, 0));
    store_fixture_detach(&f);
    struct state *shared = f.data_dir->state;
    uint64_t bets = atomic_load(&shared->bets_size);
    uint64_t journal = atomic_load(&shared->journal_size);
    for (uint64_t back = 0; back < 2; back++) {
        pid_t pid = start_child();
        if (pid == 0) {
            (void)signal(SIGABRT, SIG_DFL); /* cmocka's own would go on with the test */
            state_commit(shared, bets - back, journal - (1 - back) * JOURNAL_RECORD_SIZE);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_int_equal(atomic_load(&shared->bets_size), bets);
        assert_int_equal(atomic_load(&shared->journal_size), journal);
        assert_int_equal(atomic_load(&shared->is_moving), 0);
    }
    data_dir_close(f.data_dir);
}

/* If a repair fails, the next start recovers. */
static void recovers_after_failed_repairs(void **state)
{
    struct store_fixture f = open_data_dir(*state);
    pid_t pid = start_child();

    if (pid == 0) {
        (void)store_fixture_attach(&f);
        (void)do_step(&f, 0);
        fault_plan(FAULT_PWRITEV, 1, FAULT_EXIT_HALF, 0, false); /* whole bets, half a record */
        (void)do_step(&f, 1);
        _exit(0);
    }
    assert_int_equal(wait_status(pid), FAULT_EXIT_STATUS);
    for (unsigned op = FAULT_PREAD; op <= FAULT_FTRUNCATE; op *= 2) {
        if (op == FAULT_PWRITEV)
            continue; /* a repair writes nothing */
        pid = start_child();
        if (pid == 0) {
            (void)store_fixture_attach(&f);
            fault_plan(op, 0, FAULT_ERROR, EIO, true);
            (void)store_fixture_received(&f, 1);
            _exit(0);
        }
        assert_int_equal(wait_status(pid), STORE_FATAL_EXIT);
        if (op == FAULT_FDATASYNC)
            break; /* a failed sync ends all processes */
    }
    data_dir_close(f.data_dir);
    f = open_store(*state);
    assert_int_equal(steps_in(&f), 1);
    goes_on(&f, *state, 1);
}

/* If a repair fails in one process, the next process repairs. */
static void repairs_after_a_failed_repair(void **state)
{
    struct store_fixture f = open_data_dir(*state);
    pid_t pid = start_child();

    if (pid == 0) {
        (void)store_fixture_attach(&f);
        (void)do_step(&f, 0);
        fault_plan(FAULT_PWRITEV, 1, FAULT_EXIT_HALF, 0, false);
        (void)do_step(&f, 1);
        _exit(0);
    }
    assert_int_equal(wait_status(pid), FAULT_EXIT_STATUS);
    pid = start_child();
    if (pid == 0) {
        (void)store_fixture_attach(&f);
        fault_plan(FAULT_FTRUNCATE, 0, FAULT_ERROR, EIO, true);
        (void)store_fixture_received(&f, 1);
        _exit(0);
    }
    assert_int_equal(wait_status(pid), STORE_FATAL_EXIT);
    assert_int_equal(store_fixture_attach(&f), STATUS_OK);
    assert_int_equal(store_fixture_received(&f, 1), 2);
    assert_int_equal(steps_in(&f), 1);
    struct folder folder = folder_read(*state);
    assert_int_equal(folder.sizes[JOURNAL], JOURNAL_START + JOURNAL_RECORD_SIZE);
    folder_free(&folder);
    goes_on(&f, *state, 1);
}

/* What was on the disk at one moment, and how many steps were acked by then. */
struct moment {
    struct folder folder;
    size_t acked;
};

static struct {
    const char *dir;
    struct moment moments[800];
    size_t count;
    _Atomic size_t acked;
} history;

static void keep_moment(void *context)
{
    (void)context;
    for (unsigned seed = 0; seed < 3 && history.count < 800; seed++) {
        static unsigned char bytes[64 * 1024];
        struct moment *moment = &history.moments[history.count];
        *moment = (struct moment){.acked = atomic_load(&history.acked)};
        for (size_t i = 0; i < FOLDER_FILES; i++) {
            long size = fault_disk_read(history.dir, folder_names[i], bytes, sizeof(bytes),
                                        seed * (unsigned)history.count);
            if (size < 0)
                continue;
            moment->folder.sizes[i] = (size_t)size;
            moment->folder.bytes[i] = malloc((size_t)size + 1);
            if (moment->folder.bytes[i] == NULL)
                abort();
            memcpy(moment->folder.bytes[i], bytes, (size_t)size);
        }
        history.count++;
    }
}

/* Whenever the power fails, and whichever of the unsynced bytes reached the disk before: what was
 * acked is there, and what was not is there entirely or not at all. */
static void survives_a_power_cut_at_every_moment(void **state)
{
    char dir[300];
    char command[320];

    (void)snprintf(dir, sizeof(dir), "%s/run", (char *)*state);
    (void)snprintf(command, sizeof(command), "mkdir '%s'", dir);
    assert_int_equal(system(command), 0);
    history.dir = dir;
    history.count = 0;
    atomic_store(&history.acked, 0);
    struct store_fixture f = open_store(dir);
    fault_watch(keep_moment, NULL);
    for (size_t i = 0; i < STEPS; i++) {
        assert_true(do_step(&f, i));
        atomic_store(&history.acked, i + 1);
    }
    store_fixture_close(&f);
    f = open_store(dir);
    store_fixture_close(&f);
    fault_watch(NULL, NULL);
    assert_true(history.count > 150);
    for (size_t i = 0; i < history.count; i++) {
        struct moment *moment = &history.moments[i];
        fault_reset();
        folder_write(*state, &moment->folder);
        if (store_fixture_open(&f, *state, &fault_file_ops, STORE_AGENCIES) != STATUS_OK)
            fail_msg("moment %zu, %zu steps acked: %s", i, moment->acked, f.err.text);
        size_t done = steps_in(&f);
        if (done < moment->acked || done > moment->acked + 1)
            fail_msg("moment %zu: %zu steps, %zu were acked", i, done, moment->acked);
        goes_on(&f, *state, done);
        folder_free(&moment->folder);
    }
}

/* Every opening syncs the folder: the process that created the files may have died too early. */
static void every_opening_syncs_the_directory(void **state)
{
    for (int round = 0; round < 2; round++) {
        unsigned before = fault_folder_syncs();
        struct store_fixture f = open_store(*state);
        assert_true(fault_folder_syncs() > before);
        store_fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define CASE(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        CASE(refuses_a_closed_folder_that_was_cut),
        CASE(opens_a_running_folder_that_was_cut),
        CASE(opens_a_drawn_folder_that_was_cut),
        CASE(survives_flips_in_a_closed_folder),
        CASE(survives_flips_in_a_running_folder),
        CASE(cuts_what_follows_the_valid_part),
        CASE(takes_zeros_for_reserved_space),
        CASE(closing_cuts_the_reserved_space),
        CASE(refuses_a_missing_file),
        CASE(refuses_records_of_another_folder),
        CASE(refuses_an_impossible_header),
        CASE(checks_without_changing_anything),
        CASE(does_not_check_a_folder_in_use),
        CASE(recovery_rewrites_what_a_failed_sync_lost),
        CASE(closing_after_a_failed_sync_claims_nothing),
        CASE(a_failed_sync_ends_every_process),
        CASE(completes_a_half_moved_commit_point),
        CASE(never_moves_the_commit_point_back),
        CASE(recovers_after_failed_repairs),
        CASE(repairs_after_a_failed_repair),
        CASE(survives_a_power_cut_at_every_moment),
        CASE(every_opening_syncs_the_directory),
#undef CASE
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
