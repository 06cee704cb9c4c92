/* The committer's thread.
 *
 * Happy path: wait for operations and for a spare group to replace the one being filled; take the
 * filled group; commit it (group.c); sync, unless another process's sync already covered it; hand
 * the group back and wake the loop. When told to stop, commit the last group even without a spare:
 * no more operations will come, and the loop, which waits for the thread to end, gives no group
 * back. After a moment with nothing to do, note in the journal's header how far everything is on
 * disk.
 *
 * Failure modes: a sync fails, or the files cannot be restored after a failed write: the process
 * ends at once through on_fatal, because it no longer knows what is stored.
 */
#include "committer.h"

#include "assertion.h"
#include "clock.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#define IDLE_MS 200

static const char fatal_files[] =
    "a failed write cannot be undone, or another process could not sync";

static void committer_wait(struct committer *committer, bool with_timeout, bool *out_timed_out)
{
    struct timespec until;

    *out_timed_out = false;
    if (!with_timeout) {
        (void)pthread_cond_wait(&committer->changed, &committer->mutex);
        return;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += IDLE_MS * NS_PER_MS;
    if (until.tv_nsec >= NS_PER_S) {
        until.tv_nsec -= NS_PER_S;
        until.tv_sec++;
    }
    *out_timed_out =
        pthread_cond_timedwait(&committer->changed, &committer->mutex, &until) == ETIMEDOUT;
}

static void committer_commit(struct committer *committer, struct group *group)
{
    struct committing *committing = &committer->committing;
    uint64_t need;

    if (group_commit(committing, group, &need) != STATUS_OK)
        committer->on_fatal(fatal_files);
    if (atomic_load(&committing->state->synced) >= need)
        return;
    if (committing_sync(committing) != STATUS_OK)
        committer->on_fatal("a sync failed");
    state_raise_synced(committing->state, need);
}

static void committer_list_append(struct group **list, struct group *group)
{
    while (*list != NULL)
        list = &(*list)->next;
    group->next = NULL;
    *list = group;
}

static struct group *committer_list_pop(struct group **list)
{
    struct group *group = *list;

    *list = group->next;
    group->next = NULL;
    return group;
}

static void *committer_run(void *argument)
{
    struct committer *committer = argument;
    bool has_unnoted = false;

    (void)pthread_mutex_lock(&committer->mutex);
    for (;;) {
        bool has_work = committer->filling != NULL && committer->filling->count > 0;
        if (has_work && (committer->spare != NULL || committer->is_stopping)) {
            struct group *group = committer->filling;
            committer->filling =
                committer->spare != NULL ? committer_list_pop(&committer->spare) : NULL;
            (void)pthread_mutex_unlock(&committer->mutex);
            committer_commit(committer, group);
            has_unnoted = true;
            (void)pthread_mutex_lock(&committer->mutex);
            committer_list_append(&committer->done, group);
            (void)uv_async_send(&committer->wake_loop);
        } else if (!has_work && committer->is_stopping) {
            break;
        } else {
            bool is_idle;
            committer->waits_for_work = !has_work;
            committer->waits_for_spare = has_work;
            committer_wait(committer, has_unnoted && !has_work, &is_idle);
            committer->waits_for_work = false;
            committer->waits_for_spare = false;
            if (is_idle) {
                if (committing_note_synced(&committer->committing) != STATUS_OK)
                    committer->on_fatal(fatal_files);
                has_unnoted = false;
            }
        }
    }
    (void)pthread_mutex_unlock(&committer->mutex);
    return NULL;
}

/* The loop handles signals, so the thread starts with all of them blocked. */
static int committer_start_thread(struct committer *committer)
{
    sigset_t all;
    sigset_t before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&committer->thread, NULL, committer_run, committer);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

enum status committer_start(struct committer *committer, const struct data_dir *data_dir,
                            uv_loop_t *loop, uv_async_cb on_done, void *context,
                            store_fatal_cb on_fatal, struct errbuf *err)
{
    pthread_condattr_t attributes;

    memset(committer, 0, sizeof(*committer));
    committer->on_fatal = on_fatal;
    enum status status = committing_init(&committer->committing, data_dir, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < COMMITTER_GROUPS; i++) {
        group_init(&committer->groups[i]);
        committer_list_append(&committer->spare, &committer->groups[i]);
    }
    committer->filling = committer_list_pop(&committer->spare);
    (void)pthread_mutex_init(&committer->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&committer->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    int code = uv_async_init(loop, &committer->wake_loop, on_done);
    if (code != 0) {
        status = status_from_errno(-code);
        goto err_fini;
    }
    committer->wake_loop.data = context;
    code = committer_start_thread(committer);
    if (code != 0) {
        uv_close((uv_handle_t *)&committer->wake_loop, NULL);
        status = status_from_errno(code);
        goto err_fini;
    }
    return STATUS_OK;

err_fini:
    committer_fini(committer);
    errbuf_set(err, "cannot start the store's thread: %s", status_text(status));
    return status;
}

void committer_stop(struct committer *committer)
{
    (void)pthread_mutex_lock(&committer->mutex);
    committer->is_stopping = true;
    (void)pthread_cond_signal(&committer->changed);
    (void)pthread_mutex_unlock(&committer->mutex);
    (void)pthread_join(committer->thread, NULL);
}

void committer_fini(struct committer *committer)
{
    (void)pthread_cond_destroy(&committer->changed);
    (void)pthread_mutex_destroy(&committer->mutex);
    for (size_t i = 0; i < COMMITTER_GROUPS; i++)
        group_fini(&committer->groups[i]);
    committing_fini(&committer->committing);
}

struct group *committer_acquire(struct committer *committer)
{
    (void)pthread_mutex_lock(&committer->mutex);
    ASSERT(committer->filling != NULL); /* nothing is submitted after committer_stop */
    return committer->filling;
}

void committer_release(struct committer *committer)
{
    if (committer->waits_for_work)
        (void)pthread_cond_signal(&committer->changed);
    (void)pthread_mutex_unlock(&committer->mutex);
}

struct group *committer_take_done(struct committer *committer)
{
    (void)pthread_mutex_lock(&committer->mutex);
    struct group *done = committer->done;
    committer->done = NULL;
    (void)pthread_mutex_unlock(&committer->mutex);
    return done;
}

void committer_give_back(struct committer *committer, struct group *group)
{
    group_reset(group);
    (void)pthread_mutex_lock(&committer->mutex);
    committer_list_append(&committer->spare, group);
    if (committer->waits_for_spare)
        (void)pthread_cond_signal(&committer->changed);
    (void)pthread_mutex_unlock(&committer->mutex);
}
