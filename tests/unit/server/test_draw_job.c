/* The draw with a fake store, which has its bets in memory. */
#include "bets_csv.h"
#include "cmocka_all.h"
#include "draw_job.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINNER 7574
#define BETS_PER_PART 10 /* every second one wins; their documents count up */

struct fake_store {
    struct store store;
    unsigned failing_part; /* its scan fails; UINT_MAX = none */
    enum status failure;   /* what that scan returns */
    enum status save_status;
    _Atomic unsigned scans;
    _Atomic bool is_blocked; /* scans wait while it is set */
    _Atomic unsigned saves;
    char saved[DRAW_JOB_PARTS_MAX * BETS_PER_PART * 32]; /* "agency:document " per winner */
    uint32_t saved_number;
};

struct fixture {
    uv_loop_t loop;
    struct fake_store fake;
    struct draw_job job;
    unsigned dones;
    enum status status;
    uint64_t winners;
    struct errbuf err;
};

static enum status fake_scan(struct store *store, unsigned part, unsigned parts,
                             store_lines_cb on_lines, void *context, struct errbuf *err)
{
    struct fake_store *fake = (struct fake_store *)store;
    char text[BETS_PER_PART * BETS_CSV_LINE_MAX];
    size_t size = 0;
    size_t bad_at = 0;

    assert_true(part < parts);
    atomic_fetch_add(&fake->scans, 1);
    while (atomic_load(&fake->is_blocked))
        continue;
    if (part == fake->failing_part) {
        errbuf_set(err, "bets.csv: damaged at byte 7");
        return fake->failure;
    }
    for (unsigned i = 0; i < BETS_PER_PART; i++) {
        char document[16];
        (void)snprintf(document, sizeof(document), "%u", part * BETS_PER_PART + i);
        const struct bet bet = {text_of("Ana"), text_of("Paz"), text_of(document),
                                text_of("1999-03-17"), i % 2 == 0 ? WINNER : i};
        size += bets_csv_format(part + 1, &bet, 1, text + size);
    }
    return on_lines(context, text, size, &bad_at);
}

static enum status fake_save_draw(struct store *store, const struct draw *draw, struct errbuf *err)
{
    struct fake_store *fake = (struct fake_store *)store;
    size_t used = 0;

    atomic_fetch_add(&fake->saves, 1);
    if (fake->save_status != STATUS_OK) {
        errbuf_set(err, "winners.csv: no space left");
        return fake->save_status;
    }
    fake->saved_number = draw->winner_number;
    for (size_t i = 0; i < draw->winners.count; i++) {
        const struct winner *winner = &draw->winners.items[i];
        used += (size_t)snprintf(fake->saved + used, sizeof(fake->saved) - used, "%u:%.*s ",
                                 winner->agency, winner->document_size, winner->document);
    }
    return STATUS_OK;
}

static const struct store_backend backend = {.scan = fake_scan, .save_draw = fake_save_draw};

static void on_done(void *owner, enum status status, uint64_t winners, struct errbuf *err)
{
    struct fixture *f = owner;

    assert_false(f->job.is_active);
    f->dones++;
    f->status = status;
    f->winners = winners;
    f->err = *err;
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    loop_begin(&f->loop);
    f->fake.store.backend = &backend;
    f->fake.failing_part = UINT32_MAX;
    f->fake.failure = STATUS_DAMAGED;
    draw_job_init(&f->job, &(struct draw_job_config){&f->fake.store, &f->loop, WINNER, on_done, f});
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    loop_end(&f->loop);
    free(f);
    return 0;
}

static void draw(struct fixture *f)
{
    unsigned dones = f->dones;

    assert_int_equal(draw_job_start(&f->job), STATUS_OK);
    assert_true(f->job.is_active);
    loop_until_count(&f->loop, &f->dones, dones + 1, "on_done");
}

/* All parts are scanned, and the winners are saved in the order of the bets. */
static void test_drawn(void **state)
{
    struct fixture *f = *state;
    char expected[sizeof(f->fake.saved)] = "";
    size_t used = 0;

    draw(f);
    assert_int_equal(f->status, STATUS_OK);
    assert_int_equal(atomic_load(&f->fake.scans), f->job.count);
    assert_int_equal(f->winners, f->job.count * BETS_PER_PART / 2);
    for (unsigned i = 0; i < f->job.count * BETS_PER_PART; i += 2)
        used += (size_t)snprintf(expected + used, sizeof(expected) - used, "%u:%u ",
                                 i / BETS_PER_PART + 1, i);
    assert_string_equal(f->fake.saved, expected);
    assert_int_equal(f->fake.saved_number, WINNER);
    assert_int_equal(atomic_load(&f->fake.saves), 1);
}

/* A draw without winners is saved like any other. */
static void test_no_winner(void **state)
{
    struct fixture *f = *state;

    f->job.config.winner_number = 9999;
    draw(f);
    assert_int_equal(f->status, STATUS_OK);
    assert_int_equal(f->winners, 0);
    assert_int_equal(atomic_load(&f->fake.saves), 1);
    assert_string_equal(f->fake.saved, "");
}

/* One part fails, whichever: nothing is saved, the reason is reported, and the next attempt works.
 */
static void test_a_part_fails(void **state)
{
    struct fixture *f = *state;

    draw(f); /* to learn how many parts there are */
    for (unsigned part = 0; part < f->job.count; part++) {
        f->fake.failing_part = part;
        atomic_store(&f->fake.saves, 0);
        draw(f);
        assert_int_equal(f->status, STATUS_DAMAGED);
        assert_string_equal(f->err.text, "bets.csv: damaged at byte 7");
        assert_int_equal(atomic_load(&f->fake.saves), 0);
    }
    f->fake.failing_part = UINT32_MAX;
    draw(f);
    assert_int_equal(f->status, STATUS_OK);
    assert_string_equal(f->err.text, "");
}

/* The reason that a part gives is the one that is reported, also when there is no memory. */
static void test_a_part_has_no_memory(void **state)
{
    struct fixture *f = *state;

    f->fake.failing_part = 0;
    f->fake.failure = STATUS_NOMEM;
    draw(f);
    assert_int_equal(f->status, STATUS_NOMEM);
    assert_string_equal(f->err.text, "bets.csv: damaged at byte 7");
}

/* If the outcome cannot be saved, the attempt fails. */
static void test_saving_fails(void **state)
{
    struct fixture *f = *state;

    f->fake.save_status = STATUS_NOSPACE;
    draw(f);
    assert_int_equal(f->status, STATUS_NOSPACE);
    assert_string_equal(f->err.text, "winners.csv: no space left");
    f->fake.save_status = STATUS_OK;
    draw(f);
    assert_int_equal(f->status, STATUS_OK);
}

/* When it is cancelled during the scan, it ends with STATUS_STOPPED and saves nothing. */
static void test_cancelled(void **state)
{
    struct fixture *f = *state;

    atomic_store(&f->fake.is_blocked, true);
    assert_int_equal(draw_job_start(&f->job), STATUS_OK);
    draw_job_cancel(&f->job);
    atomic_store(&f->fake.is_blocked, false);
    loop_until_count(&f->loop, &f->dones, 1, "on_done");
    assert_int_equal(f->status, STATUS_STOPPED);
    assert_int_equal(atomic_load(&f->fake.saves), 0);
    draw(f);
    assert_int_equal(f->status, STATUS_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_drawn),        CASE(test_no_winner),
        CASE(test_a_part_fails), CASE(test_a_part_has_no_memory),
        CASE(test_saving_fails), CASE(test_cancelled),
    };

    return cmocka_run_group_tests_name("draw_job", tests, NULL, NULL);
}
