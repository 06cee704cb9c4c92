#include "sim_world.h"

#include "ledger_process.h"
#include "sim_agency.h"
#include "sim_check.h"
#include "sim_coordinator.h"
#include "sim_disk.h"
#include "sim_ledger.h"
#include "sim_operator.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_worker.h"

struct sim_world sim_world;
struct sim_counts sim_counts;

/* ------------------------------------------------------------------ deaths */

void sim_world_plan_death(struct sim_process *process)
{
    bool is_hard = sim_world.is_hard_start && !sim_world.has_opened;

    if (!sim_world.is_calm && (is_hard || sim_chance(&sim_world.prng, sim_world.death)))
        process->points = sim_between(&sim_world.prng, 1, is_hard ? 40 : 80);
}

void sim_world_note_death(void)
{
    bool is_hard = sim_world.is_hard_start && !sim_world.has_opened;

    if (!sim_world.is_calm && sim_chance(&sim_world.prng, is_hard ? 800 : sim_world.power))
        sim_world.power_is_due = true;
    if (is_hard)
        sim_world.is_hard_start = sim_chance(&sim_world.prng, 850);
}

static void kill_workers(void)
{
    for (uint32_t i = 0; i < sim_world.workers; i++)
        sim_worker_kill(&sim_workers[i]);
}

void sim_world_kill_all(void)
{
    kill_workers();
    sim_coordinator_kill();
    if (sim_ledger.process.is_alive)
        sim_ledger_kill();
}

void sim_world_start_server(uint32_t winner_number)
{
    sim_links_server_ended();
    sim_operator_put_back();
    sim_ledger_new_server(sim_world.n, winner_number);
}

void sim_world_cut_power(void)
{
    SIM_TRACE("the power is cut");
    sim_world_kill_all();
    sim_disk_cut_power();
    sim_world.power_is_due = false;
    sim_world_start_server(sim_ledger.winner_number);
}

/* ------------------------------------------------------------------ settings */

/* The server is stopped and started with settings that should be refused, or with more agencies.
 * Once a ledger has accepted these, they stay; until then it may have recorded them. */
static void change_settings(void)
{
    struct prng *prng = &sim_world.prng;
    uint32_t number = sim_world.winner_number;

    if (sim_ledger.core != NULL && sim_chance(prng, 700)) {
        kill_workers();
        sim_coordinator_kill();
        if (sim_coordinator.process.is_alive)
            return; /* it is in the middle of something */
        sim_ledger_stop();
    }
    sim_world_kill_all();
    if (!sim_world.has_opened || !sim_world.was_accepted) {
        sim_world_start_server(number);
        return;
    }
    if (sim_world.terms.mode == DRAW_AUTO && sim_chance(prng, 300))
        number = (number + 1) % 10000;
    if (sim_chance(prng, 500) && sim_world.n < sim_world.agencies)
        sim_world.n += sim_between(prng, 1, sim_world.agencies - sim_world.n);
    else if (sim_chance(prng, 200) && sim_world.n > 1)
        sim_world.n--;
    SIM_TRACE("new settings: %u agencies, number %u", sim_world.n, number);
    sim_world.was_accepted = sim_world.n == sim_world.n_before && number == sim_world.winner_number;
    sim_world_start_server(number);
}

static void start_ledger(void)
{
    sim_counts.recoveries++;
    if (sim_ledger_start()) {
        sim_counts.growths += sim_world.n > sim_world.n_before;
        sim_world.n_before = sim_world.n;
        return;
    }
    if (sim_ledger.start_status == STATUS_INVALID) {
        sim_counts.refused_settings++;
        SIM_TRACE("the old settings come back");
        kill_workers();
        sim_coordinator_kill();
        sim_world.n = sim_world.n_before;
        sim_world.was_accepted = true;
        sim_world_start_server(sim_world.winner_number);
    }
}

/* The supervisor was told that the directory is gone, or its ledgers cannot start in it any more:
 * the server has ended, and somebody starts the next one. */
static bool has_server_ended(void)
{
    if (sim_coordinator.process.depth > 0)
        return false;
    return sim_ledger.exit_status == LEDGER_EXIT_GONE || sim_ledger.start_status == STATUS_GONE ||
           (sim_ledger.start_status == STATUS_DAMAGED && sim_chance(&sim_world.prng, 300));
}

/* ------------------------------------------------------------------ steps */

void sim_world_fill_disk(void)
{
    static const uint32_t spaces[] = {0, 100, 1000, 10000, 100000};

    if (!sim_world.has_disk_faults)
        return;
    if (sim_chance(&sim_world.prng, 500))
        sim_disk_set_space(SIM_NO_LIMIT);
    else
        sim_disk_set_space(spaces[prng_below(&sim_world.prng, 5)]);
}

static void break_something(void)
{
    struct sim_conn *conn = &sim_conns[prng_below(&sim_world.prng, SIM_CONNS_MAX)];
    struct sim_agency *agency = &sim_agencies[prng_below(&sim_world.prng, sim_world.agencies)];

    if (sim_chance(&sim_world.prng, 300) && sim_ledger.core != NULL &&
        sim_ledger.process.depth == 0)
        sim_ledger_drop_link();
    else if (conn->agency != NULL)
        sim_conn_break(conn, &sim_world.prng);
    else
        sim_agency_hang_up(agency);
}

static void step_operator(void)
{
    if (sim_chance(&sim_world.prng, 500))
        sim_operator_lose_winners();
    else if (sim_operator_may_put_back_now() && sim_chance(&sim_world.prng, 500))
        sim_operator_put_back();
    else
        sim_operator_meddle();
}

/* Something goes wrong. */
static void step_event(void)
{
    struct prng *prng = &sim_world.prng;

    if (sim_world.has_operator && sim_chance(prng, 200)) {
        step_operator();
        return;
    }
    switch (prng_below(prng, 12)) {
    case 0:
    case 1:
        sim_worker_kill(&sim_workers[prng_below(prng, sim_world.workers)]);
        break;
    case 2:
        sim_coordinator_kill();
        break;
    case 3:
    case 4:
        if (sim_ledger.process.is_alive)
            sim_ledger_kill();
        break;
    case 5:
        if (sim_ledger.process.is_alive)
            sim_ledger.process.points = sim_between(prng, 1, 20);
        break;
    case 6:
        sim_world.power_is_due = sim_chance(prng, sim_world.power);
        break;
    case 7:
        if (sim_coordinator.process.depth == 0 && sim_ledger.process.depth == 0)
            change_settings();
        break;
    case 8:
        sim_world_fill_disk();
        break;
    default:
        break_something();
        break;
    }
}

static void step_dead_ledger(void)
{
    if (!has_server_ended()) {
        start_ledger();
        return;
    }
    sim_world_kill_all();
    sim_world_start_server(sim_ledger.winner_number);
}

static void step_ledger(void)
{
    struct prng *prng = &sim_world.prng;

    if (sim_ledger.process.depth > 0)
        return;
    if (sim_ledger.core != NULL && sim_chance(prng, 20))
        sim_check_visible();
    if (!sim_ledger.process.is_alive)
        step_dead_ledger();
    else if (sim_ledger.owes_acknowledgement && sim_chance(prng, 200))
        sim_ledger_acknowledge();
    else if (sim_world.terms.close_at_s > 0 && sim_chance(prng, 50))
        sim_ledger_tick();
    else if (!sim_ledger_step(sim_between(prng, 1, 12)) && sim_chance(prng, 100))
        sim_ledger_idle();
}

static void step_worker(void)
{
    struct sim_worker *worker = &sim_workers[prng_below(&sim_world.prng, sim_world.workers)];

    if (worker->process.depth > 0)
        return;
    if (!worker->process.is_alive)
        sim_worker_start(worker);
    else
        (void)sim_worker_step(worker);
}

static void step_coordinator(void)
{
    if (sim_coordinator.process.depth > 0)
        return;
    if (!sim_coordinator.process.is_alive)
        sim_coordinator_start();
    else
        (void)sim_coordinator_step();
}

static void step(void)
{
    uint32_t kind = prng_below(&sim_world.prng, 100);

    sim_world.steps++;
    if (!sim_world.is_calm && sim_chance(&sim_world.prng, sim_world.event))
        step_event();
    else if (kind < 35)
        (void)sim_agency_step(&sim_agencies[prng_below(&sim_world.prng, sim_world.agencies)]);
    else if (kind < 70)
        step_worker();
    else if (kind < 88)
        step_ledger();
    else if (kind < 98)
        step_coordinator();
    else
        sim_disk_work_in_background();
}

void sim_world_let_others_go_on(uint32_t parts)
{
    struct sim_process *current = sim_current;

    if (!sim_chance(&sim_world.prng, parts))
        return;
    sim_current = NULL;
    for (uint32_t i = prng_below(&sim_world.prng, 20); i > 0; i--)
        step();
    sim_current = current;
}

void sim_world_step(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        step();
        if (sim_world.power_is_due)
            sim_world_cut_power();
    }
}
