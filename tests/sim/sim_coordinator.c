#include "sim_coordinator.h"

#include "bets_scan.h"
#include "journal_file.h"
#include "sim_agency.h"
#include "sim_disk.h"
#include "sim_operator.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_world.h"
#include "winner_files.h"

#include <string.h>
#include <unistd.h>

#define PARTS_MAX 3

struct sim_coordinator sim_coordinator;

static enum status add_winner(void *owner, const struct winner *winner)
{
    return winner_part_add(owner, winner);
}

/* One scanner's work: the winners of one part into the file `fd`. */
static enum status scan_part(const struct bets_scan *scan, uint32_t agencies, int fd,
                             struct winner_counts *counts, struct errbuf *err)
{
    struct winner_part_config config = {&sim_disk_ops, fd, agencies, counts};
    struct bets_scan own = *scan;
    struct winner_part *part;
    enum status status = winner_part_create(&config, &part);

    if (status != STATUS_OK)
        return status;
    own.on_winner = add_winner;
    own.owner = part;
    status = bets_scan_run(&own, err);
    if (status == STATUS_OK)
        status = winner_part_flush(part);
    winner_part_destroy(part);
    return status;
}

struct attempt {
    struct winner_counts counts[PARTS_MAX][SIM_AGENCIES_MAX + 1];
    struct draw draw;
    struct bets_extent extent;
    int fds[SIM_FDS_MAX]; /* winners.csv, its index, one for each part */
    size_t count;         /* of fds */
};

/* The scanners' work, one after the other. */
static enum status scan_parts(struct sim_coordinator *self, struct attempt *attempt,
                              struct errbuf *err)
{
    uint64_t bets = 0;
    uint64_t bets_of_part = 0;
    struct bets_scan scan = {.data_dir = &self->data_dir,
                             .extent = &attempt->extent,
                             .winner_number = self->client.news.winner_number,
                             .parts = (unsigned)attempt->count - 2,
                             .bets = &bets_of_part};

    for (scan.part = 0; scan.part < scan.parts; scan.part++) {
        enum status status = scan_part(&scan, attempt->draw.agencies, attempt->fds[2 + scan.part],
                                       attempt->counts[scan.part], err);
        if (status != STATUS_OK)
            return status;
        bets += bets_of_part;
    }
    if (bets != self->client.news.bets)
        sim_fail("the scanners saw %u bets, and %u were closed", (unsigned)bets,
                 (unsigned)self->client.news.bets);
    return STATUS_OK;
}

static enum status run_attempt(struct sim_coordinator *self, struct attempt *attempt,
                               struct draw_drawn *drawn, struct errbuf *err)
{
    const struct winner_counts *counts[PARTS_MAX];
    struct winner_join join = {.ops = &sim_disk_ops,
                               .part_fds = attempt->fds + 2,
                               .counts = counts,
                               .parts = attempt->count - 2,
                               .winners_fd = attempt->fds[0],
                               .index_fd = attempt->fds[1]};
    enum status status =
        journal_file_read_checkpoint(&self->data_dir, &attempt->draw, &attempt->extent, err);

    if (status != STATUS_OK)
        return status;
    if (attempt->draw.phase < DRAW_CLOSED)
        sim_fail("the checkpoint that a scanner reads is not of a closed draw");
    for (size_t i = 0; i < PARTS_MAX; i++)
        counts[i] = attempt->counts[i];
    join.agencies = attempt->draw.agencies;
    status = scan_parts(self, attempt, err);
    return status == STATUS_OK ? winner_files_join(&join, drawn, err) : status;
}

static void follow(struct sim_coordinator *self, struct coordinator_decision decision);

/* The step that was begun has ended. */
static void end_step(struct sim_coordinator *self, enum status status,
                     const struct scan_outcome *outcome)
{
    SIM_TRACE("coordinator: step %d ends: %s", (int)self->core.busy, status_text(status));
    if (self->core.busy == COORDINATOR_CLOSE && status == STATUS_OK)
        sim_world.draw_is_closed = true;
    follow(self, coordinator_core_on_end(&self->core, &self->client.news, status, outcome));
}

static void on_op_done(struct ledger_op *op)
{
    end_step(&sim_coordinator, op->status, NULL);
}

/* The files are open: scans and joins. */
static void on_winners_open(struct ledger_op *op)
{
    struct sim_coordinator *self = &sim_coordinator;
    struct attempt attempt = {.count = self->client.fds_count};
    struct scan_outcome outcome = {
        .drawn = {.time_s = sim_world.steps, .winner_number = self->client.news.winner_number}};
    struct errbuf err = {{0}};
    enum status status = op->status;

    if (status != STATUS_OK) {
        end_step(self, status, NULL);
        return;
    }
    sim_counts.attempts++;
    memcpy(attempt.fds, self->client.fds, sizeof(attempt.fds));
    draw_init(&attempt.draw);
    status = run_attempt(self, &attempt, &outcome.drawn, &err);
    if (status == STATUS_DAMAGED && !sim_operator.has_meddled)
        sim_fail("the scan found damage: %s", err.text);
    for (size_t i = 0; i < attempt.count; i++)
        (void)close(attempt.fds[i]);
    draw_fini(&attempt.draw);
    bets_extent_fini(&attempt.extent);
    end_step(self, status, &outcome);
}

static struct ledger_op *new_op(struct sim_coordinator *self, ledger_done_cb done)
{
    self->op = (struct ledger_op){.done = done};
    return &self->op;
}

static void check_files(struct sim_coordinator *self)
{
    const struct ledger_news *news = &self->client.news;
    struct errbuf err = {{0}};

    end_step(
        self,
        winner_files_check(&sim_disk_ops, self->data_dir.fd, news->agencies, &news->drawn, &err),
        NULL);
}

static void check_note(enum coordinator_note note)
{
    if (note == COORDINATOR_NOTE_DIFFERENT)
        sim_fail("the coordinator found other winners than were drawn");
    if (note == COORDINATOR_NOTE_FAILED && sim_world.draw_is_held)
        sim_fail("the coordinator says that the draw failed, which was held");
}

/* Does what the core has decided. */
static void follow(struct sim_coordinator *self, struct coordinator_decision decision)
{
    check_note(decision.note);
    switch (decision.step) {
    case COORDINATOR_WAIT:
        break;
    case COORDINATOR_CLOSE:
        sim_client_close_draw(&self->client, new_op(self, on_op_done));
        break;
    case COORDINATOR_MAKE:
        sim_client_open_winners(&self->client, new_op(self, on_winners_open),
                                2 + sim_between(&sim_world.prng, 1, PARTS_MAX));
        break;
    case COORDINATOR_CHECK:
        check_files(self);
        break;
    case COORDINATOR_SUBMIT:
        sim_client_draw(&self->client, new_op(self, on_op_done), &self->core.outcome.drawn, true);
        break;
    case COORDINATOR_CONFIRM:
        sim_client_draw(&self->client, new_op(self, on_op_done), &self->core.outcome.drawn, false);
        break;
    case COORDINATOR_PAUSE:
        self->is_pausing = true;
        break;
    }
}

static void on_news(struct sim_client *client)
{
    follow(&sim_coordinator, coordinator_core_on_news(&sim_coordinator.core, &client->news));
}

static void run_step(void *context)
{
    struct sim_coordinator *self = &sim_coordinator;
    bool *has_worked = context;

    *has_worked = sim_client_step(&self->client);
    if (*has_worked || !self->is_pausing || !sim_chance(&sim_world.prng, 100))
        return;
    self->is_pausing = false;
    follow(self, coordinator_core_on_pause_end(&self->core, &self->client.news));
}

static void after_death(void)
{
    SIM_TRACE("coordinator is dead");
    sim_client_fini(&sim_coordinator.client);
}

bool sim_coordinator_step(void)
{
    bool has_worked = true;

    if (!sim_process_turn(&sim_coordinator.process, run_step, &has_worked))
        after_death();
    return has_worked;
}

static void run_start(void *context)
{
    struct sim_coordinator *self = context;

    self->data_dir = (struct data_dir){
        .ops = &sim_disk_ops, .path = SIM_DIR_PATH, .fd = sim_disk_open_dir(), .old_lock_fd = -1};
}

void sim_coordinator_start(void)
{
    struct sim_coordinator *self = &sim_coordinator;

    SIM_TRACE("coordinator starts");
    sim_process_start(&self->process, "coordinator");
    sim_world_plan_death(&self->process);
    self->is_pausing = false;
    coordinator_core_init(&self->core);
    sim_client_init(&self->client, &self->process, on_news);
    (void)sim_process_turn(&self->process, run_start, self);
}

void sim_coordinator_kill(void)
{
    struct sim_coordinator *self = &sim_coordinator;

    if (!self->process.is_alive)
        return;
    sim_process_kill(&self->process);
    if (!self->process.is_alive)
        after_death();
}
