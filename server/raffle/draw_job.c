/* One attempt to hold the raffle.
 *
 * Happy path: a piece of work per core scans its part and collects its winners; when the last one
 * has ended, the lists are joined in order; another piece of work saves the draw; on_done.
 *
 * Failure modes: a part fails (damage, memory): the others run out, nothing is saved, on_done says
 * why. Cancelled: parts stop at their next block.
 */
#include "draw_job.h"

#include <string.h>

static enum status on_lines(void *context, char *lines, size_t size, size_t *bad_at)
{
    struct holding_part *part = context;

    if (atomic_load(&part->holding->is_cancelled))
        return STATUS_STOPPED;
    return raffle_collect(lines, size, part->holding->winner_number, &part->winners, bad_at);
}

static void scan(uv_work_t *work)
{
    struct holding_part *part = work->data;
    struct holding *holding = part->holding;

    part->status =
        store_scan(holding->store, part->index, holding->count, on_lines, part, &part->err);
}

static void save(uv_work_t *work)
{
    struct holding *holding = work->data;

    holding->status = store_save_draw(holding->store, &holding->draw, &holding->err);
}

static void end(struct holding *holding)
{
    uint64_t winners = holding->draw.winners.count;

    for (unsigned i = 0; i < holding->count; i++)
        winner_list_fini(&holding->parts[i].winners);
    winner_list_fini(&holding->draw.winners);
    holding->is_active = false;
    holding->on_done(holding->owner, holding->status, winners, &holding->err);
}

static void on_saved(uv_work_t *work, int code)
{
    (void)code; /* this work is never cancelled */
    end(work->data);
}

/* Joins the parts' winners in the order of the bets; the first failure counts. */
static void join(struct holding *holding)
{
    for (unsigned i = 0; i < holding->count && holding->status == STATUS_OK; i++) {
        struct holding_part *part = &holding->parts[i];
        holding->status = part->status;
        holding->err = part->err;
        for (size_t w = 0; w < part->winners.count && holding->status == STATUS_OK; w++)
            holding->status = winner_list_add(&holding->draw.winners, &part->winners.items[w]);
    }
    if (holding->status == STATUS_NOMEM)
        errbuf_set(&holding->err, "%s", status_text(STATUS_NOMEM));
}

static void on_scanned(uv_work_t *work, int code)
{
    struct holding_part *part = work->data;
    struct holding *holding = part->holding;

    (void)code;
    if (--holding->running > 0)
        return;
    join(holding);
    if (holding->status == STATUS_OK &&
        uv_queue_work(holding->loop, &holding->saving, save, on_saved) == 0)
        return;
    if (holding->status == STATUS_OK)
        holding->status = STATUS_NOMEM;
    end(holding);
}

static unsigned part_count(void)
{
    unsigned cores = uv_available_parallelism();

    return cores < HOLDING_PARTS_MAX ? cores : HOLDING_PARTS_MAX;
}

enum status holding_start(struct holding *holding)
{
    holding->count = part_count();
    holding->running = 0;
    holding->status = STATUS_OK;
    holding->err.text[0] = '\0';
    holding->draw = (struct draw){.winner_number = holding->winner_number};
    holding->saving.data = holding;
    atomic_store(&holding->is_cancelled, false);
    for (unsigned i = 0; i < holding->count; i++) {
        struct holding_part *part = &holding->parts[i];
        memset(part, 0, sizeof(*part));
        part->work.data = part;
        part->holding = holding;
        part->index = i;
        part->status = STATUS_NOMEM; /* for one that can not even be queued */
        if (uv_queue_work(holding->loop, &part->work, scan, on_scanned) == 0)
            holding->running++;
    }
    if (holding->running == 0)
        return STATUS_NOMEM;
    holding->is_active = true;
    return STATUS_OK;
}

void holding_cancel(struct holding *holding)
{
    atomic_store(&holding->is_cancelled, true);
}
