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
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* What a process leaves behind, complete when it ends with status 0. */
struct scan_result {
    enum status status;
    struct errbuf err;       /* why, if it is not OK; may be empty */
    uint64_t bets;           /* scanner: that the part has */
    struct draw_drawn drawn; /* joiner: winners, winners_size and winners_crc */
};

struct scan_results {
    size_t size; /* bytes of the mapping */
    struct scan_result of[SCAN_JOB_PARTS_MAX];
    struct winner_counts counts[]; /* agencies + 1 of each part */
};

static struct winner_counts *scan_job_counts(const struct scan_job *job, unsigned part)
{
    return job->results->counts + (size_t)part * (job->draw.agencies + 1);
}

/* Maps zeroed memory for the results of `parts` parts, whose pages exist once they are used. */
static enum status scan_job_map(struct scan_job *job, unsigned parts, struct errbuf *err)
{
    size_t counts = (size_t)parts * ((size_t)job->draw.agencies + 1);
    size_t size = sizeof(struct scan_results) + counts * sizeof(struct winner_counts);

    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    job->results = memory;
    job->results->size = size;
    return STATUS_OK;
}

/* Gives back what the attempt has; no process runs any more. */
static void scan_job_clear(struct scan_job *job)
{
    for (size_t i = 0; i < job->files; i++)
        (void)close(job->fds[i]);
    job->files = 0;
    if (job->results != NULL)
        (void)munmap(job->results, job->results->size);
    job->results = NULL;
    bets_extent_fini(&job->extent);
    draw_fini(&job->draw);
    draw_init(&job->draw);
}

static void scan_job_kill_all(struct scan_job *job)
{
    /* All at once: then none has to wait for another one's end. */
    for (unsigned i = 0; i < job->parts; i++) {
        if (job->tasks[i].process != NULL)
            (void)kill(subprocess_pid(job->tasks[i].process), SIGKILL);
    }
    for (unsigned i = 0; i < job->parts; i++) {
        subprocess_kill(job->tasks[i].process);
        job->tasks[i].process = NULL;
    }
}

static void scan_job_end(struct scan_job *job, enum status status, struct errbuf *err)
{
    const struct draw_drawn drawn = job->drawn;

    scan_job_kill_all(job);
    scan_job_clear(job);
    job->state = SCAN_JOB_IDLE;
    job->config.on_done(job->config.owner, status, &drawn, err);
}

static void scan_job_fail(struct scan_job *job, enum status status, struct errbuf *err)
{
    if (err->text[0] == '\0')
        errbuf_set(err, "%s", status_text(status));
    scan_job_end(job, status, err);
}

/* Did the process end well? Otherwise *err says what happened; `role` is what it was. */
static enum status scan_job_judge(const struct scan_task *task, int end, const char *role,
                                  struct errbuf *err)
{
    const struct scan_result *result = &task->job->results->of[task->index];
    char text[96];

    if (WIFEXITED(end) && WEXITSTATUS(end) == 0) {
        *err = result->err;
        return result->status;
    }
    forked_describe_end(end, text, sizeof(text));
    if (task->job->state == SCAN_JOB_SCANNING)
        errbuf_set(err, "%s %u of %u: %s", role, task->index + 1, task->job->parts, text);
    else
        errbuf_set(err, "%s: %s", role, text);
    return STATUS_IO;
}

static enum status scan_job_fork(struct scan_job *job, unsigned index, int (*run)(void *context),
                                 void (*on_end)(void *owner, struct subprocess *process, int end),
                                 struct errbuf *err)
{
    struct scan_task *task = &job->tasks[index];
    const struct data_dir *data_dir = job->config.data_dir;
    int fds[2 + sizeof(job->fds) / sizeof(job->fds[0])] = {data_dir->fd, data_dir->old_lock_fd};

    memcpy(fds + 2, job->fds, job->files * sizeof(*fds));
    const struct subprocess_config config = {.loop = job->config.loop,
                                             .run = run,
                                             .context = task,
                                             .fds = fds,
                                             .fds_count = 2 + job->files,
                                             .on_end = on_end,
                                             .owner = task};
    return subprocess_start(&config, &task->process, err);
}

/* The check, in its process. */
static int scan_job_run_checker(void *context)
{
    struct scan_task *task = context;
    const struct scan_job *job = task->job;
    const struct data_dir *data_dir = job->config.data_dir;
    struct scan_result *result = &job->results->of[task->index];

    result->status = winner_files_check(data_dir->ops, data_dir->fd, job->draw.agencies,
                                        &job->drawn, &result->err);
    return 0;
}

static void scan_job_on_checked(void *owner, struct subprocess *process, int end)
{
    struct scan_task *task = owner;
    struct errbuf err;

    (void)process;
    task->process = NULL;
    enum status status = scan_job_judge(task, end, "checker", &err);
    if (status == STATUS_OK)
        scan_job_end(task->job, STATUS_OK, &err);
    else
        scan_job_fail(task->job, status, &err);
}

enum status scan_job_check(struct scan_job *job, const struct ledger_news *news, struct errbuf *err)
{
    ASSERT(job->state == SCAN_JOB_IDLE && news->phase == DRAW_DRAWN);
    job->parts = 1;
    job->draw.agencies = news->agencies;
    job->drawn = news->drawn;
    enum status status = scan_job_map(job, 0, err);
    if (status == STATUS_OK)
        status = scan_job_fork(job, 0, scan_job_run_checker, scan_job_on_checked, err);
    if (status == STATUS_OK)
        job->state = SCAN_JOB_CHECKING;
    else
        scan_job_clear(job);
    return status;
}

/* The joiner, in its process. */
static int scan_job_run_joiner(void *context)
{
    struct scan_task *task = context;
    const struct scan_job *job = task->job;
    struct scan_result *result = &job->results->of[task->index];
    const struct winner_counts *counts[SCAN_JOB_PARTS_MAX];

    for (unsigned i = 0; i < job->parts; i++)
        counts[i] = scan_job_counts(job, i);
    const struct winner_join join = {
        .ops = job->config.data_dir->ops,
        .part_fds = job->fds + 2,
        .counts = counts,
        .parts = job->parts,
        .agencies = job->draw.agencies,
        .winners_fd = job->fds[0],
        .index_fd = job->fds[1],
    };
    result->status = winner_files_join(&join, &result->drawn, &result->err);
    return 0;
}

/* Takes over the outcome; it has to have the winners that the scanners have found. */
static enum status scan_job_take_outcome(struct scan_job *job, struct errbuf *err)
{
    const struct draw_drawn *joined = &job->results->of[0].drawn;
    uint64_t found = 0;

    for (unsigned part = 0; part < job->parts; part++) {
        for (uint32_t agency = 0; agency <= job->draw.agencies; agency++)
            found += scan_job_counts(job, part)[agency].winners;
    }
    if (joined->winners != found) {
        errbuf_set(err, "the scanners have found %" PRIu64 " winners, but %" PRIu64 " were joined",
                   found, joined->winners);
        return STATUS_DAMAGED;
    }
    job->drawn = (struct draw_drawn){
        .time_s = (uint64_t)clock_wall_s(),
        .winner_number = job->draw.winner_number,
        .winners = joined->winners,
        .winners_size = joined->winners_size,
        .winners_crc = joined->winners_crc,
    };
    return STATUS_OK;
}

static void scan_job_on_joined(void *owner, struct subprocess *process, int end)
{
    struct scan_task *task = owner;
    struct scan_job *job = task->job;
    struct errbuf err;

    (void)process;
    task->process = NULL;
    enum status status = scan_job_judge(task, end, "joiner", &err);
    if (status == STATUS_OK)
        status = scan_job_take_outcome(job, &err);
    if (status == STATUS_OK)
        scan_job_end(job, STATUS_OK, &err);
    else
        scan_job_fail(job, status, &err);
}

static enum status scan_job_on_winner(void *owner, const struct winner *winner)
{
    return winner_part_add(owner, winner);
}

/* A scanner, in its process. */
static int scan_job_run_scanner(void *context)
{
    struct scan_task *task = context;
    const struct scan_job *job = task->job;
    struct scan_result *result = &job->results->of[task->index];
    struct winner_part *part = NULL;

    const struct winner_part_config config = {
        .ops = job->config.data_dir->ops,
        .fd = job->fds[2 + task->index],
        .agencies = job->draw.agencies,
        .counts = scan_job_counts(job, task->index),
    };
    result->status = winner_part_create(&config, &part);
    if (result->status != STATUS_OK)
        return 0;
    const struct bets_scan scan = {
        .data_dir = job->config.data_dir,
        .extent = &job->extent,
        .winner_number = job->draw.winner_number,
        .part = task->index,
        .parts = job->parts,
        .on_winner = scan_job_on_winner,
        .owner = part,
        .bets = &result->bets,
    };
    result->status = bets_scan_run(&scan, &result->err);
    if (result->status == STATUS_OK)
        result->status = winner_part_flush(part);
    winner_part_destroy(part);
    return 0;
}

/* All bets that the draw was closed with have to be there: else one that was acked might have won.
 */
static enum status scan_job_count_bets(const struct scan_job *job, struct errbuf *err)
{
    uint64_t bets = 0;

    for (unsigned i = 0; i < job->parts; i++)
        bets += job->results->of[i].bets;
    if (bets == job->draw.closed.bets)
        return STATUS_OK;
    errbuf_set(err,
               "bets.csv: %" PRIu64 " bets up to byte %" PRIu64
               ", but the draw was closed with %" PRIu64
               "; stop the server and restore the data directory from a copy",
               bets, job->extent.size, job->draw.closed.bets);
    return STATUS_DAMAGED;
}

static void scan_job_on_scanned(void *owner, struct subprocess *process, int end)
{
    struct scan_task *task = owner;
    struct scan_job *job = task->job;
    struct errbuf err;

    (void)process;
    task->process = NULL;
    job->running--;
    enum status status = scan_job_judge(task, end, "scanner", &err);
    if (status == STATUS_OK && job->running > 0)
        return;
    if (status == STATUS_OK)
        status = scan_job_count_bets(job, &err);
    if (status == STATUS_OK) {
        job->state = SCAN_JOB_JOINING;
        status = scan_job_fork(job, 0, scan_job_run_joiner, scan_job_on_joined, &err);
    }
    if (status != STATUS_OK)
        scan_job_fail(job, status, &err);
}

/* Reads how far bets.csv goes and what its checksums are, as the draw was closed with. */
static enum status scan_job_read_checkpoint(struct scan_job *job, struct errbuf *err)
{
    const struct draw *draw = &job->draw;
    const struct ledger_news *news = &job->news;

    enum status status =
        journal_file_read_checkpoint(job->config.data_dir, &job->draw, &job->extent, err);
    if (status != STATUS_OK)
        return status;
    if ((draw->phase == DRAW_CLOSED || draw->phase == DRAW_DRAWN) &&
        draw->closed.extent == job->extent.size && draw->closed.bets == news->bets &&
        draw->agencies == news->agencies && draw->winner_number == news->winner_number)
        return STATUS_OK;
    errbuf_set(err, "the journal's checkpoint is not of the draw that was closed");
    return STATUS_DAMAGED;
}

/* As many parts as scanners, but none without a chunk of its own. */
static unsigned scan_job_part_count(const struct scan_job *job)
{
    uint64_t chunks = (job->extent.size + BETS_CHUNK_SIZE - 1) / BETS_CHUNK_SIZE;

    if (chunks < 1)
        return 1;
    return chunks < job->config.scanners ? (unsigned)chunks : job->config.scanners;
}

/* Forks the scanners. */
static enum status scan_job_scan(struct scan_job *job, struct errbuf *err)
{
    enum status status = scan_job_read_checkpoint(job, err);

    if (status == STATUS_OK) {
        job->parts = scan_job_part_count(job);
        status = scan_job_map(job, job->parts, err);
    }
    for (unsigned i = 0; i < job->parts && status == STATUS_OK; i++) {
        status = scan_job_fork(job, i, scan_job_run_scanner, scan_job_on_scanned, err);
        job->running += status == STATUS_OK;
    }
    return status;
}

/* The files are there, or are not. */
static void scan_job_on_opened(struct ledger_op *op)
{
    struct scan_job *job = LIST_ITEM(op, struct scan_job, op);
    bool is_abandoned = job->state == SCAN_JOB_ABANDONING;
    struct errbuf err = {{0}};
    enum status status = op->status;

    ASSERT(is_abandoned || job->state == SCAN_JOB_OPENING);
    if (status == STATUS_OK) {
        job->files = 2 + (size_t)job->config.scanners;
        job->config.take_files(job->config.owner, job->fds, job->files);
    } else {
        errbuf_set(&err, "the files for the winners cannot be made: %s", status_text(status));
    }
    if (is_abandoned) {
        scan_job_clear(job);
        job->state = SCAN_JOB_IDLE;
        return;
    }
    job->state = SCAN_JOB_SCANNING;
    if (status == STATUS_OK)
        status = scan_job_scan(job, &err);
    if (status != STATUS_OK)
        scan_job_fail(job, status, &err);
}

void scan_job_init(struct scan_job *job, const struct scan_job_config *config)
{
    ASSERT(config->loop != NULL && config->on_done != NULL && config->scanners > 0);
    memset(job, 0, sizeof(*job));
    job->config = *config;
    if (job->config.scanners > SCAN_JOB_PARTS_MAX)
        job->config.scanners = SCAN_JOB_PARTS_MAX;
    for (unsigned i = 0; i < SCAN_JOB_PARTS_MAX; i++)
        job->tasks[i] = (struct scan_task){job, NULL, i};
    draw_init(&job->draw);
}

void scan_job_start(struct scan_job *job, const struct ledger_news *news)
{
    ASSERT(job->state == SCAN_JOB_IDLE);
    job->state = SCAN_JOB_OPENING;
    job->news = *news;
    job->parts = 0;
    job->running = 0;
    job->op.done = scan_job_on_opened;
    job->config.open_files(job->config.owner, &job->op, 2 + (size_t)job->config.scanners);
}

void scan_job_cancel(struct scan_job *job)
{
    if (job->state == SCAN_JOB_IDLE || job->state == SCAN_JOB_ABANDONING)
        return;
    if (job->state == SCAN_JOB_OPENING) { /* its outcome comes in any case */
        job->state = SCAN_JOB_ABANDONING;
        return;
    }
    scan_job_kill_all(job);
    scan_job_clear(job);
    job->state = SCAN_JOB_IDLE;
}
