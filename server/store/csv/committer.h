/* committer.h - the thread that writes and syncs groups while the loop goes on filling the next. */
#ifndef LOTTERY_STORE_COMMITTER_H
#define LOTTERY_STORE_COMMITTER_H

#include "group.h"

#include <pthread.h>
#include <uv.h>

#define COMMITTER_GROUPS 3 /* one filling, one being committed, one on its way back */

/* Two threads meet here. `mutex` guards what stands below it; a group outside the lists belongs to
 * the thread that took it. */
struct committer {
    struct committing committing; /* the thread's alone */
    store_fatal_cb on_fatal;
    pthread_t thread;
    uv_async_t wake_loop; /* the thread tells the loop that `done` has something */
    struct group groups[COMMITTER_GROUPS];

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct group *filling; /* takes new operations; NULL only after committer_stop */
    struct group *done;    /* committed, oldest first, for the loop to run the callbacks of */
    struct group *spare;   /* empty ones */
    bool waits_for_work;   /* nothing to commit: wake the thread with the next operation */
    bool waits_for_spare;  /* nothing to fill next: wake it with the next group given back */
    bool is_stopping;
};

/* Opens the files and starts the thread. `on_done` is the loop's callback for wake_loop, whose data
 * is `context`. */
enum status committer_start(struct committer *committer, const struct data_dir *data_dir,
                            uv_loop_t *loop, uv_async_cb on_done, void *context,
                            store_fatal_cb on_fatal, struct errbuf *err);

/* Lets the thread commit what was handed in and waits for its end. wake_loop stays to be closed. */
void committer_stop(struct committer *committer);

/* Frees what is left, after committer_stop and the callbacks. */
void committer_fini(struct committer *committer);

/* The group to add to, locked until committer_release(). */
struct group *committer_acquire(struct committer *committer);
void committer_release(struct committer *committer);

/* Takes all committed groups, oldest first; the loop gives each back once its callbacks ran. */
struct group *committer_take_done(struct committer *committer);
void committer_give_back(struct committer *committer, struct group *group);

#endif
