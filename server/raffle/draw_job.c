/* One attempt at the draw.
 *
 * Happy path: for each core, a thread scans one part and collects its winners; when the last one
 * has ended, the lists are joined in order; another piece of work saves the outcome; on_done.
 *
 * Failure modes: a part fails (damage, memory): the others run to their end, nothing is saved, and
 * on_done says why. Cancelled: each part stops at its next block.
 */
#include "draw_job.h"

#include "assertion.h"

#include <string.h>

static enum status draw_job_on_lines(void *context, char *lines, size_t size, size_t *bad_at)
{
    struct draw_job_part *part = context;

    if (atomic_load(&part->job->is_cancelled))
        return STATUS_STOPPED;
    return winners_collect(lines, size, part->job->config.winner_number, &part->winners, bad_at);
}

static void draw_job_scan(uv_work_t *work)
{
    struct draw_job_part *part = work->data;
    struct draw_job *job = part->job;

    part->status =
        store_scan(job->config.store, part->index, job->count, draw_job_on_lines, part, &part->err);
}

static void draw_job_save(uv_work_t *work)
{
    struct draw_job *job = work->data;

    job->status = store_save_draw(job->config.store, &job->draw, &job->err);
}

static void draw_job_end(struct draw_job *job)
{
    uint64_t winners = job->draw.winners.count;

    for (unsigned i = 0; i < job->count; i++)
        winner_list_fini(&job->parts[i].winners);
    winner_list_fini(&job->draw.winners);
    job->is_active = false;
    job->config.on_done(job->config.owner, job->status, winners, &job->err);
}

static void draw_job_on_saved(uv_work_t *work, int code)
{
    (void)code; /* this work is never cancelled */
    draw_job_end(work->data);
}

/* Joins the parts' winners in the order of the bets; the first failure counts, with its reason if
 * it gave one. */
static void draw_job_join(struct draw_job *job)
{
    for (unsigned i = 0; i < job->count && job->status == STATUS_OK; i++) {
        struct draw_job_part *part = &job->parts[i];
        job->status = part->status;
        job->err = part->err;
        for (size_t w = 0; w < part->winners.count && job->status == STATUS_OK; w++)
            job->status = winner_list_add(&job->draw.winners, &part->winners.items[w]);
    }
    if (job->status != STATUS_OK && job->err.text[0] == '\0')
        errbuf_set(&job->err, "%s", status_text(job->status));
}

static void draw_job_on_scanned(uv_work_t *work, int code)
{
    struct draw_job_part *part = work->data;
    struct draw_job *job = part->job;

    (void)code;
    if (--job->running > 0)
        return;
    draw_job_join(job);
    if (job->status == STATUS_OK &&
        uv_queue_work(job->config.loop, &job->saving, draw_job_save, draw_job_on_saved) == 0)
        return;
    if (job->status == STATUS_OK) {
        job->status = STATUS_NOMEM;
        errbuf_set(&job->err, "%s", status_text(STATUS_NOMEM));
    }
    draw_job_end(job);
}

static unsigned draw_job_part_count(void)
{
    unsigned cores = uv_available_parallelism();

    return cores < DRAW_JOB_PARTS_MAX ? cores : DRAW_JOB_PARTS_MAX;
}

void draw_job_init(struct draw_job *job, const struct draw_job_config *config)
{
    ASSERT(config->store != NULL && config->loop != NULL && config->on_done != NULL);
    memset(job, 0, sizeof(*job));
    job->config = *config;
}

enum status draw_job_start(struct draw_job *job)
{
    ASSERT(!job->is_active);
    job->count = draw_job_part_count();
    job->running = 0;
    job->status = STATUS_OK;
    job->err.text[0] = '\0';
    job->draw = (struct draw){.winner_number = job->config.winner_number};
    job->saving.data = job;
    atomic_store(&job->is_cancelled, false);
    for (unsigned i = 0; i < job->count; i++) {
        struct draw_job_part *part = &job->parts[i];
        memset(part, 0, sizeof(*part));
        part->work.data = part;
        part->job = job;
        part->index = i;
        part->status = STATUS_NOMEM; /* if it cannot be queued */
        if (uv_queue_work(job->config.loop, &part->work, draw_job_scan, draw_job_on_scanned) == 0)
            job->running++;
    }
    if (job->running == 0)
        return STATUS_NOMEM;
    job->is_active = true;
    return STATUS_OK;
}

void draw_job_cancel(struct draw_job *job)
{
    atomic_store(&job->is_cancelled, true);
}
