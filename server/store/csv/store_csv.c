/* The embedded backend of store.h.
 *
 * Happy path: append and finish add an operation to the group that the committer is filling; the
 * committer's thread commits and syncs it; store_csv_on_done runs the callbacks on the loop, in
 * order.
 *
 * Failure modes: no memory for a batch's lines: append returns STATUS_NOMEM at once. A file
 * operation fails: the operation's status says so. A sync fails: the process ends (committer.c).
 */
#include "store_csv.h"

#include "assertion.h"
#include "committer.h"
#include "log.h"
#include "winners_csv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_BLOCK ((size_t)256 * 1024)
#define OP_COST 128 /* bytes that an operation without bets adds to the backlog */

struct store_csv {
    struct store store; /* first: a struct store is a struct store_csv */
    struct committer committer;
    struct data_dir *data_dir; /* borrowed */
    size_t backlog;            /* bytes of operations whose callbacks have not run */
};

static struct store_csv *store_csv_of(struct store *store)
{
    return (struct store_csv *)store;
}

static const struct state *store_csv_state(const struct store *store)
{
    return ((const struct store_csv *)store)->data_dir->state;
}

static void store_csv_run_callbacks(struct store_csv *self, struct group *done)
{
    while (done != NULL) {
        struct group *group = done;
        done = group->next;
        for (struct store_op *op = group->first, *next; op != NULL; op = next) {
            next = op->next; /* done() may free the operation */
            ASSERT(op->cost <= self->backlog);
            self->backlog -= op->cost;
            op->done(op);
        }
        committer_give_back(&self->committer, group);
    }
}

static void store_csv_on_done(uv_async_t *async)
{
    struct store_csv *self = async->data;

    /* The log lines of a group are written together, before the loop sends any of the answers. */
    log_hold();
    store_csv_run_callbacks(self, committer_take_done(&self->committer));
    log_release();
}

static enum status store_csv_append(struct store *store, struct store_op *op, uint32_t agency,
                                    uint64_t offset, const struct bet *bets, size_t count)
{
    struct store_csv *self = store_csv_of(store);
    enum status status = STATUS_OK;

    ASSERT(count <= UINT32_MAX);
    op->agency = agency;
    op->offset = offset;
    op->count = (uint32_t)count;
    op->is_finish = false;
    op->bytes = 0;
    struct group *group = committer_acquire(&self->committer);
    if (count > 0)
        status = group_format(group, op, bets);
    if (status == STATUS_OK) {
        group_add(group, op);
        op->cost = OP_COST + op->bytes;
        self->backlog += op->cost;
    }
    committer_release(&self->committer);
    return status;
}

static void store_csv_finish(struct store *store, struct store_op *op, uint32_t agency,
                             uint64_t total)
{
    struct store_csv *self = store_csv_of(store);

    op->agency = agency;
    op->offset = total;
    op->count = 0;
    op->is_finish = true;
    op->bytes = 0;
    group_add(committer_acquire(&self->committer), op);
    op->cost = OP_COST;
    self->backlog += op->cost;
    committer_release(&self->committer);
}

static size_t store_csv_backlog(const struct store *store)
{
    return ((const struct store_csv *)store)->backlog;
}

static uint32_t store_csv_agencies(const struct store *store)
{
    return store_csv_state(store)->agencies;
}

static uint32_t store_csv_finished(const struct store *store)
{
    return atomic_load(&store_csv_state(store)->finished);
}

static bool store_csv_has_draw(const struct store *store)
{
    return atomic_load(&store_csv_state(store)->has_draw) != 0;
}

/* A reading position in bets.csv, with the block read there. */
struct scan {
    const struct file_ops *ops;
    int fd;
    uint64_t at;    /* where the next line begins */
    uint64_t until; /* lines that begin here or later belong to another part */
    uint64_t end;   /* end of the committed bets */
    char block[SCAN_BLOCK];
};

static size_t store_csv_smaller(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

/* Moves to the first line that begins at or after scan->at. */
static enum status store_csv_find_line(struct scan *scan, struct errbuf *err)
{
    size_t size;

    if (scan->at == 0)
        return STATUS_OK;
    uint64_t from = scan->at - 1; /* a newline just before means that a line begins at `at` */
    enum status status =
        file_read(scan->ops, scan->fd, scan->block,
                  store_csv_smaller(scan->end - from, sizeof(scan->block)), from, &size);
    if (status != STATUS_OK) {
        errbuf_set(err, BETS_NAME ": %s at byte %" PRIu64, status_text(status), from);
        return status;
    }
    const char *newline = memchr(scan->block, '\n', size);
    scan->at = newline != NULL ? from + (uint64_t)(newline - scan->block) + 1 : scan->end;
    return STATUS_OK;
}

/* Hands out the whole lines of the next block. */
static enum status store_csv_scan_block(struct scan *scan, store_lines_cb on_lines, void *context,
                                        struct errbuf *err)
{
    size_t size;
    size_t bad_at = 0;

    enum status status =
        file_read(scan->ops, scan->fd, scan->block,
                  store_csv_smaller(scan->end - scan->at, sizeof(scan->block)), scan->at, &size);
    if (status != STATUS_OK) {
        errbuf_set(err, BETS_NAME ": %s at byte %" PRIu64, status_text(status), scan->at);
        return status;
    }
    /* Up to the newline that ends the last line of this part, if it is here, or else the last whole
     * line of this block. */
    const char *newline = NULL;
    if (scan->until - scan->at < size) {
        size_t from = (size_t)(scan->until - scan->at) - 1;
        newline = memchr(scan->block + from, '\n', size - from);
    }
    if (newline == NULL)
        newline = memrchr(scan->block, '\n', size);
    if (newline == NULL) {
        errbuf_set(err, BETS_NAME ": no newline after byte %" PRIu64, scan->at);
        return STATUS_DAMAGED;
    }
    size_t lines = (size_t)(newline - scan->block) + 1;
    status = on_lines(context, scan->block, lines, &bad_at);
    if (status == STATUS_DAMAGED)
        errbuf_set(err, BETS_NAME ": bad line at byte %" PRIu64, scan->at + bad_at);
    else if (status != STATUS_OK)
        errbuf_set(err, BETS_NAME ": %s", status_text(status));
    scan->at += lines;
    return status;
}

static enum status store_csv_scan(struct store *store, unsigned part, unsigned parts,
                                  store_lines_cb on_lines, void *context, struct errbuf *err)
{
    struct store_csv *self = store_csv_of(store);
    uint64_t end = atomic_load(&self->data_dir->state->bets_size);
    struct scan *scan = malloc(sizeof(*scan));

    ASSERT(part < parts);
    if (scan == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    scan->ops = self->data_dir->ops;
    scan->fd = self->committer.committing.files.bets_fd;
    scan->end = end;
    scan->at = end / parts * part;
    scan->until = part + 1 == parts ? end : end / parts * (part + 1);
    enum status status = store_csv_find_line(scan, err);
    while (status == STATUS_OK && scan->at < scan->until)
        status = store_csv_scan_block(scan, on_lines, context, err);
    free(scan);
    return status;
}

static enum status store_csv_save_draw(struct store *store, const struct draw *draw,
                                       struct errbuf *err)
{
    struct store_csv *self = store_csv_of(store);
    struct journal_record record = {.type = JOURNAL_DRAW, .count = draw->winner_number};
    struct committing committing;
    bool must_end;

    if (store_csv_has_draw(store)) {
        errbuf_set(err, "the draw has already taken place");
        return STATUS_CLOSED;
    }
    enum status status = winners_csv_write(self->data_dir->ops, self->data_dir->dir_fd,
                                           &draw->winners, &record, err);
    if (status != STATUS_OK)
        return status;
    /* With files of its own: the committer's belong to its thread. */
    status = committing_init(&committing, self->data_dir, err);
    if (status != STATUS_OK)
        return status;
    status = draw_commit(&committing, &record, &must_end);
    committing_fini(&committing);
    if (must_end)
        self->committer.on_fatal("the record of the draw cannot be synced");
    if (status != STATUS_OK)
        errbuf_set(err, JOURNAL_NAME ": %s", status_text(status));
    return status;
}

static enum status store_csv_read_draw(struct store *store, struct draw *out, struct errbuf *err)
{
    struct store_csv *self = store_csv_of(store);
    const struct state *state = self->data_dir->state;

    if (!store_csv_has_draw(store)) {
        errbuf_set(err, "the draw has not taken place yet");
        return STATUS_NOTFOUND;
    }
    out->winner_number = state->draw.count;
    return winners_csv_read(self->data_dir->ops, self->data_dir->dir_fd, &state->draw,
                            &out->winners, err);
}

static const struct store_backend store_csv_backend = {
    .append = store_csv_append,
    .finish = store_csv_finish,
    .backlog = store_csv_backlog,
    .agencies = store_csv_agencies,
    .finished = store_csv_finished,
    .has_draw = store_csv_has_draw,
    .scan = store_csv_scan,
    .save_draw = store_csv_save_draw,
    .read_draw = store_csv_read_draw,
};

enum status store_csv_attach(struct data_dir *data_dir, uv_loop_t *loop, store_fatal_cb on_fatal,
                             struct store **out, struct errbuf *err)
{
    struct store_csv *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    if (atomic_load(&data_dir->state->sync_failed) != 0) {
        errbuf_set(err, "a sync failed: the data folder has to be opened again");
        free(self);
        return STATUS_IO;
    }
    self->store.backend = &store_csv_backend;
    self->data_dir = data_dir;
    enum status status =
        committer_start(&self->committer, data_dir, loop, store_csv_on_done, self, on_fatal, err);
    if (status != STATUS_OK) {
        free(self);
        return status;
    }
    *out = &self->store;
    return STATUS_OK;
}

static void store_csv_on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

void store_csv_detach(struct store *store)
{
    struct store_csv *self = store_csv_of(store);

    if (store == NULL)
        return;
    committer_stop(&self->committer);
    store_csv_run_callbacks(self, committer_take_done(&self->committer));
    committer_fini(&self->committer);
    uv_close((uv_handle_t *)&self->committer.wake_loop, store_csv_on_closed);
}
