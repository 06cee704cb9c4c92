/* One attempt at making the files of a kind.
 *
 * Happy path: ask for the files; read the checkpoint, which is of the closed draw once there are
 * files; fork a scanner per part; when all have ended, compare how many bets there were with what
 * the draw was closed with; fork the joiner; compare what it has found with what the scanners have;
 * on_done.
 *
 * Failure modes: a process fails (damage, no space) or dies: the others are killed, and on_done
 * says why. Cancelled: the same without on_done. This process dies: the kernel kills the others,
 * and their files vanish.
 */
#include "scan_job.h"

#include "assertion.h"
#include "forked.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* What a process does: the state of the job when it was forked says which kind it is. */
static int scan_job_run(void *context)
{
    const struct scan_task *task = context;
    const struct scan_work *work = &task->job->work;

    if (task->job->state == SCAN_JOB_SCANNING)
        work->order.kind->scan(work, task->index);
    else if (task->job->state == SCAN_JOB_JOINING)
        work->order.kind->join(work);
    else
        work->order.kind->check(work);
    return 0;
}

static void scan_job_on_end(void *owner, struct subprocess *process, int end);

/* Which descriptors the process needs: those of the directories, which also hold the locks, and its
 * files. A scanner has at most one of its own. Returns how many. */
static size_t scan_job_list_fds(const struct scan_job *job, unsigned index,
                                int out[3 + SCAN_FDS_MAX])
{
    const struct scan_work *work = &job->work;
    const struct scan_kind *kind = work->order.kind;
    size_t count = 0;

    out[count++] = work->data_dir->fd;
    out[count++] = work->data_dir->old_lock_fd;
    out[count++] = job->config.key_dir_fd;
    if (job->state != SCAN_JOB_SCANNING) {
        memcpy(out + count, work->fds, work->files * sizeof(*out));
        return count + work->files;
    }
    if (kind->has_part_files)
        out[count++] = work->fds[store_files_named(kind->files) + index];
    return count;
}

/* Forks the process for what the state says. */
static enum status scan_job_fork(struct scan_job *job, unsigned index, struct errbuf *err)
{
    int fds[3 + SCAN_FDS_MAX];

    const struct subprocess_config config = {.loop = job->config.loop,
                                             .run = scan_job_run,
                                             .context = &job->tasks[index],
                                             .fds = fds,
                                             .fds_count = scan_job_list_fds(job, index, fds),
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
    const struct scan_outcome outcome = job->work.outcome;

    if (status != STATUS_OK && err->text[0] == '\0')
        errbuf_set(err, "%s", status_text(status));
    scan_job_stop(job);
    job->config.on_done(job->config.owner, status, &outcome, err);
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
    enum status status = job->work.order.kind->gather(&job->work, err);

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
        status = job->work.order.kind->take(&job->work, &err);
    else if (status == STATUS_OK && job->state == SCAN_JOB_SCANNING && job->running == 0)
        status = scan_job_join(job, &err);
    if (status != STATUS_OK || job->running == 0)
        scan_job_end(job, status, &err);
}

static enum status scan_job_scan(struct scan_job *job, struct errbuf *err)
{
    struct scan_work *work = &job->work;

    enum status status = work->order.kind->prepare(work, job->config.scanners, err);
    if (status == STATUS_OK && work->parts == 0) {
        job->state = SCAN_JOB_JOINING;
        return scan_job_fork(job, 0, err);
    }
    for (unsigned i = 0; i < work->parts && status == STATUS_OK; i++)
        status = scan_job_fork(job, i, err);
    return status;
}

static size_t scan_job_files(const struct scan_job *job)
{
    const struct scan_kind *kind = job->work.order.kind;

    return store_files_named(kind->files) + (kind->has_part_files ? job->config.scanners : 0);
}

/* The files are there, or are not. */
static void scan_job_on_opened(struct ledger_op *op)
{
    struct scan_job *job = LIST_ITEM(op, struct scan_job, op);
    struct errbuf err = {{0}};
    enum status status = op->status;

    if (status == STATUS_OK) {
        job->work.files = scan_job_files(job);
        job->config.take_files(job->config.owner, job->work.fds, job->work.files);
    } else {
        errbuf_set(&err, "the files for %s cannot be made: %s", job->work.order.kind->what,
                   status_text(status));
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

/* What is to be done. */
static void scan_job_take_order(struct scan_job *job, enum store_files files,
                                const struct ledger_news *news, const struct draw_drawn *drawn)
{
    static const struct scan_kind *const kinds[STORE_FILES] = {
        [STORE_WINNERS] = &scan_winners, [STORE_SEAL] = &scan_seal, [STORE_RESULT] = &scan_note};
    struct scan_order *order = &job->work.order;

    *order = (struct scan_order){.kind = kinds[files],
                                 .news = *news,
                                 .drawn = *drawn,
                                 .key_dir_fd = job->config.key_dir_fd,
                                 .key_path = job->config.key_path};
    if (drawn->source.size > 0)
        memcpy(job->source, drawn->source.data, drawn->source.size);
    order->drawn.source.data = order->news.drawn.source.data = job->source;
}

void scan_job_start(struct scan_job *job, enum store_files files, const struct ledger_news *news,
                    const struct draw_drawn *drawn)
{
    ASSERT(job->state == SCAN_JOB_IDLE);
    job->state = SCAN_JOB_OPENING;
    scan_job_take_order(job, files, news, drawn);
    job->op.done = scan_job_on_opened;
    job->config.open_files(job->config.owner, &job->op, files, scan_job_files(job));
}

enum status scan_job_check(struct scan_job *job, enum store_files files,
                           const struct ledger_news *news, struct errbuf *err)
{
    ASSERT(job->state == SCAN_JOB_IDLE && (files == STORE_SEAL || news->phase == DRAW_DRAWN));
    job->state = SCAN_JOB_CHECKING;
    scan_job_take_order(job, files, news, &news->drawn);
    enum status status = scan_work_prepare_check(&job->work, err);
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
