/* committer.h - the thread that writes and syncs a group while the loop fills the next one. */
#ifndef LOTTERY_STORE_COMMITTER_H
#define LOTTERY_STORE_COMMITTER_H

#include "group.h"

#include <pthread.h>
#include <uv.h>

#define COMMITTER_GROUPS 3 /* one being filled, one being committed, one on its way back */

/* Shared by two threads. `mutex` guards the fields below it; a group that is in no list belongs to
 * the thread that took it. */
struct committer {
    struct committing committing; /* used by the thread alone */
    store_fatal_cb on_fatal;
    pthread_t thread;
    uv_async_t wake_loop; /* tells the loop that `done` has a group */
    struct group groups[COMMITTER_GROUPS];

    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct group *filling; /* takes new operations; NULL only after committer_stop */
    struct group *done;    /* committed, oldest first; the loop runs their callbacks */
    struct group *spare;   /* empty groups */
    bool waits_for_work;   /* nothing to commit: the next operation wakes the thread */
    bool waits_for_spare;  /* nothing to fill next: the next group given back wakes it */
    bool is_stopping;
};

/* Opens the files and starts the thread. `on_done` is the callback of wake_loop, on the loop;
 * wake_loop.data is `context`. `data_dir` is borrowed until committer_fini. On failure nothing
 * stays open, and *err has the reason. */
enum status committer_start(struct committer *committer, const struct data_dir *data_dir,
                            uv_loop_t *loop, uv_async_cb on_done, void *context,
                            store_fatal_cb on_fatal, struct errbuf *err);

/* Lets the thread commit what was submitted and waits for it to end; blocks for that. The caller
 * closes wake_loop. */
void committer_stop(struct committer *committer);

/* Frees the rest, after committer_stop and the last callbacks. */
void committer_fini(struct committer *committer);

/* Returns the group to add to, locked until committer_release(). */
struct group *committer_acquire(struct committer *committer);
void committer_release(struct committer *committer);

/* Takes all committed groups, oldest first; NULL when there are none. The loop gives each back
 * after running its callbacks. */
struct group *committer_take_done(struct committer *committer);
void committer_give_back(struct committer *committer, struct group *group);

#endif
