#include "sim_coordinator.h"

#include "bets_scan.h"
#include "journal_file.h"
#include "seal_files.h"
#include "sim_agency.h"
#include "sim_check.h"
#include "sim_disk.h"
#include "sim_operator.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_world.h"
#include "winner_files.h"

#include <stdio.h>
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

/* The number that is on record, or is to be. */
static uint32_t number_to_draw(const struct sim_coordinator *self)
{
    const struct ledger_news *news = &self->client.news;

    if (news->phase == DRAW_DRAWN)
        return news->drawn.winner_number;
    return news->terms.mode == DRAW_MANUAL ? self->core.order.number : news->winner_number;
}

/* The scanners' work, one after the other. */
static enum status scan_parts(struct sim_coordinator *self, struct attempt *attempt,
                              struct errbuf *err)
{
    uint64_t bets = 0;
    uint64_t bets_of_part = 0;
    struct bets_scan scan = {.data_dir = &self->data_dir,
                             .extent = &attempt->extent,
                             .winner_number = number_to_draw(self),
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

/* Ends an attempt: what it has open is closed. */
static void end_attempt(struct sim_coordinator *self, struct attempt *attempt, enum status status,
                        const struct scan_outcome *outcome)
{
    for (size_t i = 0; i < attempt->count; i++)
        (void)close(attempt->fds[i]);
    draw_fini(&attempt->draw);
    bets_extent_fini(&attempt->extent);
    end_step(self, status, outcome);
}

#define NOTE_SIZE (2 * DRAW_ROOT_SIZE + 1)

/* What stands for a note: the root, in a line. */
static void write_note(const uint8_t root[DRAW_ROOT_SIZE], char out[NOTE_SIZE + 1])
{
    for (size_t i = 0; i < DRAW_ROOT_SIZE; i++)
        (void)sprintf(out + 2 * i, "%02x", root[i]);
    out[NOTE_SIZE - 1] = '\n';
    out[NOTE_SIZE] = '\0';
}

/* Writes it into all files of the attempt, and syncs them. */
static enum status write_files(const struct attempt *attempt, const uint8_t root[DRAW_ROOT_SIZE])
{
    enum status status = STATUS_OK;
    char note[NOTE_SIZE + 1];

    write_note(root, note);
    for (size_t i = 0; i < attempt->count && status == STATUS_OK; i++) {
        struct iovec part = {note, NOTE_SIZE};
        status = file_write(&sim_disk_ops, attempt->fds[i], &part, 1, 0);
        if (status == STATUS_OK && sim_disk_ops.fdatasync(attempt->fds[i]) < 0)
            status = STATUS_IO;
    }
    return status;
}

/* Stands for a seal: its root is what the checkpoint says of bets.csv. */
static enum status make_root(struct sim_coordinator *self, struct attempt *attempt,
                             struct draw_sealed *out, struct errbuf *err)
{
    enum status status =
        journal_file_read_checkpoint(&self->data_dir, &attempt->draw, &attempt->extent, err);

    if (status != STATUS_OK)
        return status;
    if (attempt->draw.phase < DRAW_CLOSED)
        sim_fail("the checkpoint that a seal is made of is not of a closed draw");
    memcpy(out->root, &attempt->extent.crc, sizeof(attempt->extent.crc));
    memcpy(out->root + 8, &attempt->extent.size, sizeof(attempt->extent.size));
    memcpy(out->root + 16, attempt->draw.closed.salt, 16);
    return STATUS_OK;
}

/* The files of a seal or a result are open: makes them. */
static void on_files_open(struct ledger_op *op)
{
    struct sim_coordinator *self = &sim_coordinator;
    struct attempt attempt = {.count = self->client.fds_count};
    struct scan_outcome outcome = {.sealed = {.time_s = sim_world.steps}};
    struct errbuf err = {{0}};
    enum status status = op->status;

    if (status != STATUS_OK) {
        end_step(self, status, NULL);
        return;
    }
    memcpy(attempt.fds, self->client.fds, sizeof(attempt.fds));
    draw_init(&attempt.draw);
    if (op->files == STORE_SEAL) {
        status = make_root(self, &attempt, &outcome.sealed, &err);
        sim_counts.seals++;
    }
    if (status == STATUS_OK)
        status = write_files(&attempt, op->files == STORE_SEAL ? outcome.sealed.root
                                                               : self->client.news.sealed.root);
    end_attempt(self, &attempt, status, &outcome);
}

/* The files are open: scans and joins. */
static void on_winners_open(struct ledger_op *op)
{
    struct sim_coordinator *self = &sim_coordinator;
    struct attempt attempt = {.count = self->client.fds_count};
    const struct draw_order *order = &self->core.order;
    struct scan_outcome outcome = {.drawn = {.time_s = sim_world.steps,
                                             .winner_number = number_to_draw(self),
                                             .uid = order->uid,
                                             .source = {order->source, order->source_size}}};
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
    end_attempt(self, &attempt, status, &outcome);
}

static struct ledger_op *new_op(struct sim_coordinator *self, ledger_done_cb done)
{
    self->op = (struct ledger_op){.done = done};
    return &self->op;
}

/* Is it what write_files() has written? */
static enum status check_file(struct sim_coordinator *self, const char *name)
{
    char wanted[NOTE_SIZE + 1];
    char bytes[NOTE_SIZE];
    struct errbuf err = {{0}};
    size_t got = 0;
    uint64_t size;
    int fd;

    enum status status = file_open(&sim_disk_ops, self->data_dir.fd, name, &fd, &size, &err);
    if (status != STATUS_OK)
        return status;
    status = file_read(&sim_disk_ops, fd, bytes, sizeof(bytes), 0, &got);
    (void)close(fd);
    write_note(self->client.news.sealed.root, wanted);
    if (status == STATUS_OK && (got != NOTE_SIZE || memcmp(bytes, wanted, NOTE_SIZE) != 0))
        sim_fail("%s is not what it was", name);
    return status;
}

static void check_files(struct sim_coordinator *self)
{
    const struct ledger_news *news = &self->client.news;
    struct errbuf err = {{0}};
    enum status status;

    if (self->core.files == STORE_WINNERS)
        status = winner_files_check(&sim_disk_ops, self->data_dir.fd, news->agencies, &news->drawn,
                                    &err);
    else
        status = check_file(self, self->core.files == STORE_SEAL ? SEAL_NAME : RESULT_NAME);
    end_step(self, status, NULL);
}

/* Begins to make the files. */
static void make_files(struct sim_coordinator *self, enum store_files files)
{
    if (files == STORE_WINNERS)
        sim_client_open_files(&self->client, new_op(self, on_winners_open), files,
                              2 + sim_between(&sim_world.prng, 1, PARTS_MAX));
    else
        sim_client_open_files(&self->client, new_op(self, on_files_open), files,
                              store_files_named(files));
}

/* Hands in what they were made for. */
static void submit_files(struct sim_coordinator *self, enum store_files files, bool is_new)
{
    struct ledger_op *op = new_op(self, on_op_done);

    if (files == STORE_SEAL)
        sim_client_seal(&self->client, op, &self->core.outcome.sealed, is_new);
    else if (files == STORE_RESULT)
        sim_client_result(&self->client, op, is_new);
    else
        sim_client_draw(&self->client, op, &self->core.outcome.drawn, is_new);
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
        sim_client_close_draw(&self->client, new_op(self, on_op_done), DRAW_BY_ALL_FINISHED, 0);
        break;
    case COORDINATOR_MAKE:
        make_files(self, decision.files);
        break;
    case COORDINATOR_CHECK:
        check_files(self);
        break;
    case COORDINATOR_SUBMIT:
        submit_files(self, decision.files, true);
        break;
    case COORDINATOR_CONFIRM:
        submit_files(self, decision.files, false);
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

/* ------------------------------------------------------------------ the operators */

static void on_closed(struct ledger_op *op)
{
    sim_coordinator.is_closing = false;
    if (op->status == STATUS_OK)
        sim_world.draw_is_closed = true;
}

static void on_acted(struct ledger_op *op)
{
    sim_coordinator.is_acting = false;
    if (op->status == STATUS_OK)
        sim_check_note_act();
}

static void on_copied(struct ledger_op *op)
{
    struct sim_coordinator *self = &sim_coordinator;

    self->is_copying = false;
    if (op->status != STATUS_OK)
        return;
    SIM_TRACE("an operator has a copy");
    int fd = self->client.fds[0];
    sim_check_copy(&self->copy, sim_disk_file(sim_fd_of(fd)->file));
    (void)close(fd);
}

/* A number, mostly the one that many bets have. Two operators need not agree. */
static void order_number(struct sim_coordinator *self)
{
    struct prng *prng = &sim_world.prng;
    struct draw_order order = {.number =
                                   (sim_world.winner_number + prng_below(prng, 3) / 2) % 10000,
                               .uid = prng_below(prng, 2) * 1000,
                               .source_size = prng_below(prng, 2) * prng_below(prng, 201)};

    memset(order.source, 'u', order.source_size);
    SIM_TRACE("an operator gives the number %u", order.number);
    follow(self, coordinator_core_on_order(&self->core, &self->client.news, &order));
}

/* Somebody wants a copy, closes the draw, or tries to, gives its number, or is noted. Returns false
 * if nobody does anything. */
static bool step_operators(struct sim_coordinator *self)
{
    static const char longest[] =
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890"
        "12345678901234567890123456789012345678901234567890123456789012345678901234567890"
        "1234567890123456789012345678901234567890";
    struct prng *prng = &sim_world.prng;
    const struct ledger_news *news = &self->client.news;

    if (self->client.has_news && !self->is_copying && sim_chance(prng, 15)) {
        self->is_copying = true;
        self->copy_op = (struct ledger_op){.done = on_copied};
        SIM_TRACE("an operator wants a copy");
        sim_check_note_copy(&self->copy);
        sim_client_snapshot(&self->client, &self->copy_op);
        return true;
    }
    if (!self->client.has_news || news->terms.mode != DRAW_MANUAL)
        return false;
    if (!self->is_closing && news->phase == DRAW_OPEN && sim_chance(prng, 15)) {
        self->is_closing = true;
        self->close_op = (struct ledger_op){.done = on_closed};
        SIM_TRACE("an operator closes the draw");
        sim_client_close_draw(&self->client, &self->close_op, DRAW_BY_OPERATOR, 1000);
    } else if (!self->is_acting && sim_chance(prng, 15)) {
        struct draw_act act = {sim_world.steps, 1000, {longest, sim_between(prng, 1, 200)}};
        self->is_acting = true;
        self->act_op = (struct ledger_op){.done = on_acted};
        sim_client_act(&self->client, &self->act_op, &act);
    } else if (coordinator_core_refusal(&self->core, news) == NULL && sim_chance(prng, 100)) {
        order_number(self);
    } else {
        return false;
    }
    return true;
}

static void run_step(void *context)
{
    struct sim_coordinator *self = &sim_coordinator;
    bool *has_worked = context;

    *has_worked = sim_client_step(&self->client) || step_operators(self);
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
    self->is_pausing = self->is_closing = self->is_acting = self->is_copying = false;
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
