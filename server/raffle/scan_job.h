/* scan_job.h - one attempt at making the files of a kind, in processes of its own.
 *
 * Scanners read parts of the bets; when all have ended, a joiner writes the files that are wanted.
 * A second sort of job only checks these files. What is done is said by a struct scan_kind; the
 * processes share nothing with this one but the memory for their results.
 */
#ifndef LOTTERY_SCAN_JOB_H
#define LOTTERY_SCAN_JOB_H

#include "scan_work.h"
#include "subprocess.h"

#include <uv.h>

/* What scan_job_init() needs; copied, and what it points to is borrowed. */
struct scan_job_config {
    uv_loop_t *loop;
    const struct data_dir *data_dir;
    unsigned scanners;    /* processes that scan, at most; 1..SCAN_PARTS_MAX, more count as that */
    int key_dir_fd;       /* where the path of the key that signs begins, or AT_FDCWD */
    const char *key_path; /* that path */
    /* Asks for `count` files, see ledger_client_open_files(). op->done will run, and when
     * op->status is OK, it calls take_files. */
    void (*open_files)(void *owner, struct ledger_op *op, enum store_files files, size_t count);
    void (*take_files)(void *owner, int *fds, size_t count);
    /* The job has ended. STATUS_OK: the files are written and synced, and `outcome` says what is in
     * them, or they are right (check; it is what is on record). Otherwise *err says why. STOPPED:
     * there were no files, because the link to the ledger was lost. May start the next job. */
    void (*on_done)(void *owner, enum status status, const struct scan_outcome *outcome,
                    struct errbuf *err);
    void *owner; /* handed to all of them */
};

enum scan_job_state {
    SCAN_JOB_IDLE,
    SCAN_JOB_OPENING,   /* waits for the files */
    SCAN_JOB_SCANNING,  /* at least one scanner runs */
    SCAN_JOB_JOINING,   /* the joiner runs */
    SCAN_JOB_CHECKING,  /* the checker runs */
    SCAN_JOB_ABANDONING /* was cancelled while the files were being opened */
};

struct scan_job;

/* A process of the job. */
struct scan_task {
    struct scan_job *job;
    struct subprocess *process; /* NULL: it does not run */
    unsigned index;             /* which part a scanner reads */
};

struct scan_job {
    struct scan_job_config config;
    enum scan_job_state state;
    char source[DRAW_TEXT_MAX];             /* of the order's number */
    struct ledger_op op;                    /* that opens the files */
    struct scan_work work;                  /* what the processes do */
    struct scan_task tasks[SCAN_PARTS_MAX]; /* joiner and checker are the first */
    unsigned running;                       /* processes that have not ended */
};

/* Prepares a job for any number of attempts. */
void scan_job_init(struct scan_job *job, const struct scan_job_config *config);

/* Begins to make the files of the draw that the news says is closed or drawn; no other job may be
 * active. `drawn` has number, uid and source of the draw, as they are or will be; copied. */
void scan_job_start(struct scan_job *job, enum store_files files, const struct ledger_news *news,
                    const struct draw_drawn *drawn);

/* Begins to check the files against what the news says is on record; no other job may be active.
 * When it returns anything but STATUS_OK, *err says why and on_done is not called. */
enum status scan_job_check(struct scan_job *job, enum store_files files,
                           const struct ledger_news *news, struct errbuf *err);

/* Kills and reaps the processes and closes the files; on_done is not called. Does nothing while no
 * job is active. */
void scan_job_cancel(struct scan_job *job);

#endif
