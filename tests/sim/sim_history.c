/* One history, from its beginning to its end. */
#include "clock.h"
#include "sim_agency.h"
#include "sim_check.h"
#include "sim_coordinator.h"
#include "sim_disk.h"
#include "sim_ledger.h"
#include "sim_operator.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_v1.h"
#include "sim_worker.h"
#include "sim_world.h"

#include <stdio.h>

#define NOON_S 1718452800 /* 2024-06-15T12:00:00Z */
#define CALM_STEPS_MAX 100000
#define MIB ((uint64_t)1024 * 1024)
#define BIG_EACH 700 /* histories of which one has many bets */

static uint64_t now_ms(void)
{
    return sim_world.steps;
}

static time_t now_s(void)
{
    return NOON_S + (time_t)(sim_world.steps / 1000);
}

static uint32_t random_bits(void)
{
    return prng_next(&sim_world.prng);
}

static const struct clock_source simulated_clock = {now_ms, now_s, random_bits};

static bool is_done(void)
{
    for (uint32_t i = 0; i < sim_world.n; i++) {
        if (!sim_agencies[i].is_done)
            return false;
    }
    return sim_ledger.core != NULL && sim_world.was_accepted;
}

static void choose_limits(struct prng *prng)
{
    static const uint64_t sizes[] = {0, 200, 1000, 5000, 100000};

    sim_world.limits = (struct commit_limits){.inline_max = sizes[prng_below(prng, 5)],
                                              .sync_after = sizes[prng_below(prng, 5)],
                                              .journal_max = sizes[1 + prng_below(prng, 4)],
                                              .bets_max = sizes[1 + prng_below(prng, 4)],
                                              .reserve = 512 * sim_between(prng, 1, 8)};
    if (sim_world.limits.inline_max > JOURNAL_INLINE_MAX)
        sim_world.limits.inline_max = JOURNAL_INLINE_MAX;
}

/* Somewhere before the end of a MiB, or anywhere. */
static uint64_t choose_big_size(struct prng *prng)
{
    uint64_t size = MIB / 2 + prng_below(prng, 2 * (uint32_t)MIB);

    if (sim_chance(prng, 700))
        size = MIB * sim_between(prng, 1, 2) - prng_below(prng, 8000);
    return size;
}

static void begin_old_directory(void)
{
    struct prng *prng = &sim_world.prng;

    if (sim_world.terms.mode == DRAW_MANUAL)
        return; /* there were none */
    if (sim_world.is_big) {
        sim_counts.big++;
        sim_v1_make(choose_big_size(prng));
    } else if (sim_chance(prng, 120)) {
        sim_v1_make(0);
    }
}

/* A draw that operators run. The clock moves on by a second each 1000 steps. */
static void choose_terms(struct prng *prng)
{
    struct draw_terms *terms = &sim_world.terms;

    if (sim_world.is_big || !sim_chance(prng, 300))
        return;
    terms->mode = DRAW_MANUAL;
    terms->has_seal = sim_chance(prng, 700);
    if (sim_chance(prng, 300))
        terms->close_at_s = NOON_S + (sim_chance(prng, 900) ? 1 : 0);
    if (sim_chance(prng, 500))
        (void)snprintf(terms->id, sizeof(terms->id), "2026-11-25-nocturna");
    sim_counts.manual++;
}

/* Who is there. */
static void choose_world(struct prng *prng)
{
    sim_world.agencies = sim_between(prng, 1, 4);
    sim_world.n =
        sim_chance(prng, 700) ? sim_world.agencies : sim_between(prng, 1, sim_world.agencies);
    sim_world.n_before = sim_world.n;
    sim_world.winner_number = sim_world.drawn_number = prng_below(prng, 10000);
    sim_world.workers = sim_between(prng, 1, SIM_WORKERS_MAX);
    sim_world.is_big = prng_below(prng, BIG_EACH) == 0;
    choose_terms(prng);
    sim_world.bets_max = sim_chance(prng, 200) ? SIM_BETS_MAX : 12;
    sim_world.haste = prng_below(prng, 3) * 300;
    sim_world.group_max = sim_chance(prng, 300) ? sim_between(prng, 1, 5) : 1000;
    choose_limits(prng);
}

/* What goes wrong. */
static void choose_faults(struct prng *prng)
{
    sim_world.is_hard_start = sim_chance(prng, 100);
    sim_world.odd = sim_chance(prng, 300) ? 50 : 0;
    sim_world.cuts = prng_below(prng, 3) * 300;
    sim_world.event = prng_below(prng, 4) * 10;
    sim_world.death = prng_below(prng, 3) * 300;
    sim_world.power = prng_below(prng, 3) * 400;
    sim_world.has_operator = sim_chance(prng, 120);
    sim_world.has_memory_faults = sim_chance(prng, 150);
    sim_memory_faults.prng = prng;
    sim_memory_faults.parts =
        sim_world.has_memory_faults ? 1U << prng_below(prng, 9) : 0; /* up to 256 */
    sim_world.has_disk_faults = sim_chance(prng, 300);
    sim_disk_faults = (struct sim_disk_faults){0};
    if (sim_world.has_disk_faults)
        sim_disk_faults = (struct sim_disk_faults){.write_fails = prng_below(prng, 3) * 20,
                                                   .sync_fails = prng_below(prng, 3) * 20,
                                                   .open_fails = prng_below(prng, 2) * 10,
                                                   .short_transfer = prng_below(prng, 3) * 100};
}

static void begin(uint64_t seed)
{
    struct prng *prng = &sim_world.prng;

    sim_world = (struct sim_world){.seed = seed, .prng = {.state = seed}};
    (void)prng_next(prng);
    choose_world(prng);
    choose_faults(prng);
    sim_disk_reset(prng);
    sim_links_reset();
    sim_conns_reset();
    sim_check_reset();
    sim_operator_reset();
    for (uint32_t i = 0; i < sim_world.agencies; i++)
        sim_agency_init(&sim_agencies[i], i + 1);
    begin_old_directory();
    if (sim_world.has_disk_faults && sim_chance(prng, 300))
        sim_world_fill_disk();
    sim_ledger_new_server(sim_world.n, sim_world.winner_number);
}

/* Nothing goes wrong any more: all that has begun comes to its end. */
static void calm_down(void)
{
    SIM_TRACE("from here on nothing goes wrong");
    sim_world.is_calm = true;
    sim_disk_calm_down();
    sim_memory_faults.parts = 0;
    sim_ledger.process.points = 0;
    sim_coordinator.process.points = 0;
    if (sim_operator.has_meddled) {
        sim_world_kill_all();
        sim_world_start_server(sim_ledger.winner_number);
    }
    for (uint32_t i = 0; !is_done(); i++) {
        if (i == CALM_STEPS_MAX)
            sim_fail("the history does not come to an end");
        sim_world_step(1);
    }
}

/* What was removed at the end is made again when the server has started. */
static void wait_for_winners(void)
{
    for (uint32_t i = 0; !sim_check_has_winners(); i++) {
        if (i == CALM_STEPS_MAX)
            sim_fail("lost winners are not made again");
        sim_world_step(1);
    }
}

static void while_reading(void)
{
    sim_world_let_others_go_on(100);
}

void sim_world_run(uint64_t seed)
{
    clock_replace(&simulated_clock);
    sim_disk_while_reading = while_reading;
    begin(seed);
    sim_world_step(sim_between(&sim_world.prng, 50, 600));
    calm_down();
    sim_check_visible();
    sim_world_cut_power();
    if (!sim_ledger_start())
        sim_fail("the ledger does not start at the end");
    if (sim_operator.has_lost_winners)
        wait_for_winners();
    sim_check_end(&sim_ledger.draw);
    sim_world_kill_all();
    for (uint32_t i = 0; i < sim_world.agencies; i++)
        sim_agency_hang_up(&sim_agencies[i]);
    clock_replace(NULL);
    sim_counts.steps += sim_world.steps;
}
