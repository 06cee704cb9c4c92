/* draw_job.h - one attempt at the draw, on threads of its own.
 *
 * All parts of the stored bets are scanned at the same time, each on a thread of its own; the
 * winners are joined in the order of the bets and made durable.
 */
#ifndef LOTTERY_DRAW_JOB_H
#define LOTTERY_DRAW_JOB_H

#include "store.h"
#include "winners.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <uv.h>

#define DRAW_JOB_PARTS_MAX 64

struct draw_job;

/* What draw_job_init() needs; copied. */
struct draw_job_config {
    struct store *store; /* borrowed; its scan and save_draw are called from other threads */
    uv_loop_t *loop;     /* borrowed */
    uint32_t winner_number;
    /* The outcome is durable (STATUS_OK; `winners` is their number), or it is not and `err` says
     * why. On the loop's thread, once for each successful start; may start the next attempt. */
    void (*on_done)(void *owner, enum status status, uint64_t winners, struct errbuf *err);
    void *owner; /* handed to on_done */
};

/* What one thread does. */
struct draw_job_part {
    uv_work_t work;
    struct draw_job *job;
    unsigned index;             /* which part of the bets */
    struct winner_list winners; /* found in this part */
    enum status status;         /* how its scan ended; `err` says why */
    struct errbuf err;
};

struct draw_job {
    struct draw_job_config config;
    struct draw_job_part parts[DRAW_JOB_PARTS_MAX];
    unsigned count;   /* parts of this attempt */
    unsigned running; /* parts whose work has not ended */
    _Atomic bool is_cancelled;
    bool is_active;     /* between start and on_done */
    struct draw draw;   /* the outcome; empty while none is being saved */
    uv_work_t saving;   /* the work that saves the outcome */
    enum status status; /* of the attempt; `err` says why it failed */
    struct errbuf err;
};

/* Prepares a job for any number of attempts. */
void draw_job_init(struct draw_job *job, const struct draw_job_config *config);

/* Begins an attempt; no other one may be active. When it returns anything but STATUS_OK, on_done is
 * not called. */
enum status draw_job_start(struct draw_job *job);

/* Abandons the scan; on_done is called soon, with STATUS_STOPPED unless it was too late for that.
 * Does nothing while no attempt is active. */
void draw_job_cancel(struct draw_job *job);

#endif
