/* One attempt at finding the winners.
 *
 * Happy path: ask for the files; read the checkpoint, which is of the closed draw once there are
 * files; fork a scanner per part; when all have ended, compare how many bets there were with what
 * the draw was closed with; fork the joiner; compare how many winners it has joined with what the
 * scanners have found; on_done.
 *
 * Failure modes: a process fails (damage, no space) or dies: the others are killed, and on_done
 * says why. Cancelled: the same without on_done. This process dies: the kernel kills the others,
 * and their files vanish.
 */
#include "scan_job.h"

#include "assertion.h"
#include "bets_scan.h"
#include "clock.h"
#include "forked.h"

#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

struct scan_results {
    size_t size; /* bytes of the mapping */
    struct scan_result of[SCAN_PARTS_MAX];
    struct winner_counts counts[]; /* agencies + 1 of each part */
};

static void scan_work_init(struct scan_work *work, const struct data_dir *data_dir)
{
    *work = (struct scan_work){.data_dir = data_dir};
    draw_init(&work->draw);
}

static void scan_work_clear(struct scan_work *work)
{
    for (size_t i = 0; i < work->files; i++)
        (void)close(work->fds[i]);
    work->files = 0;
    if (work->results != NULL)
        (void)munmap(work->results, work->results->size);
    work->results = NULL;
    bets_extent_fini(&work->extent);
    draw_fini(&work->draw);
    draw_init(&work->draw);
}

/* Maps zeroed memory for the results, whose pages exist once they are used. */
static enum status scan_work_map(struct scan_work *work, struct errbuf *err)
{
    size_t counts = (size_t)work->parts * ((size_t)work->draw.agencies + 1);
    size_t size = sizeof(struct scan_results) + counts * sizeof(struct winner_counts);

    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    work->results = memory;
    work->results->size = size;
    return STATUS_OK;
}

static struct winner_counts *scan_work_counts(const struct scan_work *work, unsigned part)
{
    return work->results->counts + (size_t)part * (work->draw.agencies + 1);
}

static const struct scan_result *scan_work_result(const struct scan_work *work, unsigned index)
{
    return &work->results->of[index];
}

static enum status scan_work_read_checkpoint(struct scan_work *work, const struct ledger_news *news,
                                             struct errbuf *err)
{
    const struct draw *draw = &work->draw;

    enum status status = journal_file_read_checkpoint(work->data_dir, &work->draw, &work->extent, err);
    if (status != STATUS_OK)
        return status;
    if ((draw->phase == DRAW_CLOSED || draw->phase == DRAW_DRAWN) &&
        draw->closed.extent == work->extent.size && draw->closed.bets == news->bets &&
        draw->agencies == news->agencies && draw->winner_number == news->winner_number)
        return STATUS_OK;
    errbuf_set(err, "the journal's checkpoint is not of the draw that was closed");
    return STATUS_DAMAGED;
}

/* As many parts as scanners, but none without a chunk of its own. */
static unsigned scan_work_part_count(const struct scan_work *work, unsigned scanners)
{
    uint64_t chunks = (work->extent.size + BETS_CHUNK_SIZE - 1) / BETS_CHUNK_SIZE;

    if (chunks < 1)
        return 1;
    return chunks < scanners ? (unsigned)chunks : scanners;
}

static enum status scan_work_prepare(struct scan_work *work, const struct ledger_news *news,
                                     unsigned scanners, struct errbuf *err)
{
    enum status status = scan_work_read_checkpoint(work, news, err);

    if (status != STATUS_OK)
        return status;
    work->parts = scan_work_part_count(work, scanners);
    return scan_work_map(work, err);
}

static enum status scan_work_prepare_check(struct scan_work *work, const struct ledger_news *news,
                                           struct errbuf *err)
{
    work->parts = 0;
    work->draw.agencies = news->agencies;
    work->drawn = news->drawn;
    return scan_work_map(work, err);
}

static enum status scan_work_on_winner(void *owner, const struct winner *winner)
{
    return winner_part_add(owner, winner);
}

static void scan_work_scan(const struct scan_work *work, unsigned part)
{
    struct scan_result *result = &work->results->of[part];
    struct winner_part *found = NULL;

    const struct winner_part_config config = {
        .ops = work->data_dir->ops,
        .fd = work->fds[2 + part],
        .agencies = work->draw.agencies,
        .counts = scan_work_counts(work, part),
    };
    result->status = winner_part_create(&config, &found);
    if (result->status != STATUS_OK)
        return;
    const struct bets_scan scan = {
        .data_dir = work->data_dir,
        .extent = &work->extent,
        .winner_number = work->draw.winner_number,
        .part = part,
        .parts = work->parts,
        .on_winner = scan_work_on_winner,
        .owner = found,
        .bets = &result->bets,
    };
    result->status = bets_scan_run(&scan, &result->err);
    if (result->status == STATUS_OK)
        result->status = winner_part_flush(found);
    winner_part_destroy(found);
}

static void scan_work_join(const struct scan_work *work)
{
    struct scan_result *result = &work->results->of[0];
    const struct winner_counts *counts[SCAN_PARTS_MAX];

    for (unsigned i = 0; i < work->parts; i++)
        counts[i] = scan_work_counts(work, i);
    const struct winner_join join = {
        .ops = work->data_dir->ops,
        .part_fds = work->fds + 2,
        .counts = counts,
        .parts = work->parts,
        .agencies = work->draw.agencies,
        .winners_fd = work->fds[0],
        .index_fd = work->fds[1],
    };
    result->status = winner_files_join(&join, &result->drawn, &result->err);
}

static void scan_work_check(const struct scan_work *work)
{
    struct scan_result *result = &work->results->of[0];

    result->status = winner_files_check(work->data_dir->ops, work->data_dir->fd,
                                        work->draw.agencies, &work->drawn, &result->err);
}

static enum status scan_work_count_bets(const struct scan_work *work, struct errbuf *err)
{
    uint64_t bets = 0;

    for (unsigned i = 0; i < work->parts; i++)
        bets += work->results->of[i].bets;
    if (bets == work->draw.closed.bets)
        return STATUS_OK;
    errbuf_set(err,
               "bets.csv: %" PRIu64 " bets up to byte %" PRIu64
               ", but the draw was closed with %" PRIu64
               "; stop the server and restore the data directory from a copy",
               bets, work->extent.size, work->draw.closed.bets);
    return STATUS_DAMAGED;
}

static enum status scan_work_take_outcome(struct scan_work *work, struct errbuf *err)
{
    const struct draw_drawn *joined = &work->results->of[0].drawn;
    uint64_t found = 0;

    for (unsigned part = 0; part < work->parts; part++) {
        for (uint32_t agency = 0; agency <= work->draw.agencies; agency++)
            found += scan_work_counts(work, part)[agency].winners;
    }
    if (joined->winners != found) {
        errbuf_set(err, "the scanners have found %" PRIu64 " winners, but %" PRIu64 " were joined",
                   found, joined->winners);
        return STATUS_DAMAGED;
    }
    work->drawn = (struct draw_drawn){
        .time_s = (uint64_t)clock_wall_s(),
        .winner_number = work->draw.winner_number,
        .winners = joined->winners,
        .winners_size = joined->winners_size,
        .winners_crc = joined->winners_crc,
    };
    return STATUS_OK;
}

/* What a process does: the state of the job when it was forked says which kind it is. */
static int scan_job_run(void *context)
{
    const struct scan_task *task = context;
    const struct scan_work *work = &task->job->work;

    if (task->job->state == SCAN_JOB_SCANNING)
        scan_work_scan(work, task->index);
    else if (task->job->state == SCAN_JOB_JOINING)
        scan_work_join(work);
    else
        scan_work_check(work);
    return 0;
}

static void scan_job_on_end(void *owner, struct subprocess *process, int end);

/* Forks the process for what the state says. */
static enum status scan_job_fork(struct scan_job *job, unsigned index, struct errbuf *err)
{
    const struct data_dir *data_dir = job->work.data_dir;
    int fds[2 + SCAN_FDS_MAX] = {data_dir->fd, data_dir->old_lock_fd};

    memcpy(fds + 2, job->work.fds, job->work.files * sizeof(*fds));
    const struct subprocess_config config = {.loop = job->config.loop,
                                             .run = scan_job_run,
                                             .context = &job->tasks[index],
                                             .fds = fds,
                                             .fds_count = 2 + job->work.files,
                                             .on_end = scan_job_on_end,
                                             .owner = &job->tasks[index]};
    enum status status = subprocess_start(&config, &job->tasks[index].process, err);
    if (status == STATUS_OK)
        job->running++;
    return status;
}

/* Ends it without on_done. */
static void scan_job_stop(struct scan_job *job)
{
    /* All at once: then none has to wait for another one's end. */
    for (unsigned i = 0; i < SCAN_PARTS_MAX; i++) {
        if (job->tasks[i].process != NULL)
            (void)kill(subprocess_pid(job->tasks[i].process), SIGKILL);
    }
    for (unsigned i = 0; i < SCAN_PARTS_MAX; i++) {
        subprocess_kill(job->tasks[i].process);
        job->tasks[i].process = NULL;
    }
    job->running = 0;
    scan_work_clear(&job->work);
    job->state = SCAN_JOB_IDLE;
}

static void scan_job_end(struct scan_job *job, enum status status, struct errbuf *err)
{
    const struct draw_drawn drawn = job->work.drawn;

    if (status != STATUS_OK && err->text[0] == '\0')
        errbuf_set(err, "%s", status_text(status));
    scan_job_stop(job);
    job->config.on_done(job->config.owner, status, &drawn, err);
}

/* Did the process end well? Otherwise *err says what happened. */
static enum status scan_job_judge(const struct scan_task *task, int end, struct errbuf *err)
{
    const struct scan_job *job = task->job;
    const struct scan_result *result = scan_work_result(&job->work, task->index);
    char text[96];

    if (WIFEXITED(end) && WEXITSTATUS(end) == 0) {
        *err = result->err;
        return result->status;
    }
    forked_describe_end(end, text, sizeof(text));
    if (job->state == SCAN_JOB_SCANNING)
        errbuf_set(err, "scanner %u of %u: %s", task->index + 1, job->work.parts, text);
    else
        errbuf_set(err, "%s: %s", job->state == SCAN_JOB_JOINING ? "joiner" : "checker", text);
    return STATUS_IO;
}

/* All scanners have ended well. */
static enum status scan_job_join(struct scan_job *job, struct errbuf *err)
{
    enum status status = scan_work_count_bets(&job->work, err);

    if (status != STATUS_OK)
        return status;
    job->state = SCAN_JOB_JOINING;
    return scan_job_fork(job, 0, err);
}

static void scan_job_on_end(void *owner, struct subprocess *process, int end)
{
    struct scan_task *task = owner;
    struct scan_job *job = task->job;
    struct errbuf err;

    (void)process;
    task->process = NULL;
    job->running--;
    enum status status = scan_job_judge(task, end, &err);
    if (status == STATUS_OK && job->state == SCAN_JOB_JOINING)
        status = scan_work_take_outcome(&job->work, &err);
    else if (status == STATUS_OK && job->state == SCAN_JOB_SCANNING && job->running == 0)
        status = scan_job_join(job, &err);
    if (status != STATUS_OK || job->running == 0)
        scan_job_end(job, status, &err);
}

static enum status scan_job_scan(struct scan_job *job, struct errbuf *err)
{
    enum status status = scan_work_prepare(&job->work, &job->news, job->config.scanners, err);

    for (unsigned i = 0; i < job->work.parts && status == STATUS_OK; i++)
        status = scan_job_fork(job, i, err);
    return status;
}

/* The files are there, or are not. */
static void scan_job_on_opened(struct ledger_op *op)
{
    struct scan_job *job = LIST_ITEM(op, struct scan_job, op);
    struct errbuf err = {{0}};
    enum status status = op->status;

    if (status == STATUS_OK) {
        job->work.files = 2 + (size_t)job->config.scanners;
        job->config.take_files(job->config.owner, job->work.fds, job->work.files);
    } else {
        errbuf_set(&err, "the files for the winners cannot be made: %s", status_text(status));
    }
    if (job->state == SCAN_JOB_ABANDONING) {
        scan_job_stop(job);
        return;
    }
    ASSERT(job->state == SCAN_JOB_OPENING);
    job->state = SCAN_JOB_SCANNING;
    if (status == STATUS_OK)
        status = scan_job_scan(job, &err);
    if (status != STATUS_OK)
        scan_job_end(job, status, &err);
}

void scan_job_init(struct scan_job *job, const struct scan_job_config *config)
{
    ASSERT(config->loop != NULL && config->on_done != NULL && config->scanners > 0);
    memset(job, 0, sizeof(*job));
    job->config = *config;
    if (job->config.scanners > SCAN_PARTS_MAX)
        job->config.scanners = SCAN_PARTS_MAX;
    for (unsigned i = 0; i < SCAN_PARTS_MAX; i++)
        job->tasks[i] = (struct scan_task){job, NULL, i};
    scan_work_init(&job->work, config->data_dir);
}

void scan_job_start(struct scan_job *job, const struct ledger_news *news)
{
    ASSERT(job->state == SCAN_JOB_IDLE);
    job->state = SCAN_JOB_OPENING;
    job->news = *news;
    job->op.done = scan_job_on_opened;
    job->config.open_files(job->config.owner, &job->op, 2 + (size_t)job->config.scanners);
}

enum status scan_job_check(struct scan_job *job, const struct ledger_news *news, struct errbuf *err)
{
    ASSERT(job->state == SCAN_JOB_IDLE && news->phase == DRAW_DRAWN);
    job->state = SCAN_JOB_CHECKING;
    enum status status = scan_work_prepare_check(&job->work, news, err);
    if (status == STATUS_OK)
        status = scan_job_fork(job, 0, err);
    if (status != STATUS_OK)
        scan_job_stop(job);
    return status;
}

void scan_job_cancel(struct scan_job *job)
{
    if (job->state == SCAN_JOB_OPENING)
        job->state = SCAN_JOB_ABANDONING; /* the files come in any case */
    else if (job->state != SCAN_JOB_ABANDONING)
        scan_job_stop(job);
}
