/* One group commit.
 *
 * Happy path, under the robust mutex that all processes share: decide each operation against what
 * is stored (including what the group itself adds), append the new bets to bets.csv in one call and
 * their records to the journal in another, then update the agencies' numbers, then the sizes, which
 * are the commit point, and last how many agencies have finished. After releasing the mutex: sync.
 *
 * Failure modes: a write fails or is short (disk full): both files are cut back to the commit
 * point, and every operation of the group fails with nothing stored. Cutting back fails: the
 * process ends, still holding the mutex. A process dies anywhere before the commit point moves: the
 * next holder of the mutex replays what follows the commit point - whole batches count, because
 * they are valid and continue what is there - and cuts the rest. A sync fails: every process ends
 * as soon as it notices, and the next start recovers the data folder.
 */
#include "group.h"

#include "assertion.h"
#include "bets_csv.h"
#include "buffer.h"
#include "crc32c.h"
#include "log.h"
#include "replay.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_CAPACITY ((size_t)8 * 1024 * 1024)
#define FIRST_CAPACITY ((size_t)256 * 1024)
#define RESERVE_PIECE 4096               /* bytes by which the journal's file grows at least */
#define RESERVE_MAX ((size_t)256 * 1024) /* and at most */

_Static_assert(RESERVE_MAX % RESERVE_PIECE == 0, "the journal grows by whole pieces");

/* An agency's numbers as they will be after the group; valid if `round` is the current one. Kept
 * apart from the shared state, which must not change before the files do. */
struct planned {
    uint64_t received;
    uint32_t round;
    bool has_finished;
};

void group_init(struct group *group)
{
    memset(group, 0, sizeof(*group));
    group->end = &group->first;
}

void group_fini(struct group *group)
{
    free(group->bytes);
    group_init(group);
}

void group_reset(struct group *group)
{
    group->first = NULL;
    group->end = &group->first;
    group->count = 0;
    group->size = 0;
    if (group->capacity > KEPT_CAPACITY) {
        free(group->bytes);
        group->bytes = NULL;
        group->capacity = 0;
    }
}

void group_add(struct group *group, struct store_op *op)
{
    op->next = NULL;
    *group->end = op;
    group->end = &op->next;
    group->count++;
}

enum status group_format(struct group *group, struct store_op *op, const struct bet *bets)
{
    size_t max = (size_t)op->count * BETS_CSV_LINE_MAX;

    ASSERT(max <= UINT32_MAX); /* op->bytes and the journal have 32 bits for the size */
    if (max > group->capacity - group->size) {
        size_t capacity = group->bytes == NULL ? FIRST_CAPACITY : group->capacity;
        char *grown = array_grow(group->bytes, &capacity, group->size + max, 1);
        if (grown == NULL)
            return STATUS_NOMEM;
        group->bytes = grown;
        group->capacity = capacity;
    }
    char *lines = group->bytes + group->size;
    op->bytes_at = group->size;
    op->bytes = (uint32_t)bets_csv_format(op->agency, bets, op->count, lines);
    op->crc = crc32c(0, lines, op->bytes);
    group->size += op->bytes;
    ASSERT(group->size <= group->capacity);
    return STATUS_OK;
}

enum status committing_init(struct committing *committing, const struct data_dir *data_dir,
                            struct errbuf *err)
{
    memset(committing, 0, sizeof(*committing));
    committing->planned =
        calloc((size_t)data_dir->state->agencies + 1, sizeof(*committing->planned));
    if (committing->planned == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    committing->state = data_dir->state;
    enum status status = store_files_open(data_dir, &committing->files, err);
    if (status != STATUS_OK)
        free(committing->planned);
    return status;
}

void committing_fini(struct committing *committing)
{
    store_files_close(&committing->files);
    free(committing->planned);
    free(committing->parts);
    free(committing->records);
}

static bool committing_reserve(struct committing *committing, size_t count)
{
    struct iovec *parts =
        array_grow(committing->parts, &committing->parts_capacity, count, sizeof(*parts));
    if (parts == NULL)
        return false;
    committing->parts = parts;
    uint8_t *records =
        array_grow(committing->records, &committing->records_capacity, count, JOURNAL_RECORD_SIZE);
    if (records == NULL)
        return false;
    committing->records = records;
    return true;
}

/* Extends the journal's file with zeros up to `end` or beyond, in steps that grow with the file.
 * Syncing a record that overwrites existing bytes takes half the time, because the inode and the
 * block allocation do not change. */
static enum status committing_reserve_journal(const struct committing *committing, uint64_t end)
{
    static const uint8_t zeros[RESERVE_PIECE] = {0};
    const struct store_files *files = &committing->files;
    struct iovec parts[RESERVE_MAX / RESERVE_PIECE];
    uint64_t size = atomic_load(&committing->state->journal_size);
    uint64_t capacity = atomic_load(&committing->state->journal_capacity);

    if (capacity < size) /* on a full disk, records are written without reserved space */
        capacity = size;
    while (capacity < end) {
        size_t count = (size_t)(capacity / RESERVE_PIECE);
        count = count < 1                             ? 1
                : count > RESERVE_MAX / RESERVE_PIECE ? RESERVE_MAX / RESERVE_PIECE
                                                      : count;
        for (size_t i = 0; i < count; i++)
            parts[i] = (struct iovec){(void *)(uintptr_t)zeros, RESERVE_PIECE};
        enum status status = file_write(files->ops, files->journal_fd, parts, count, capacity);
        if (status == STATUS_NOSPACE)
            return STATUS_OK; /* the records themselves may still fit */
        if (status != STATUS_OK)
            return status;
        capacity += count * RESERVE_PIECE;
        atomic_store(&committing->state->journal_capacity, capacity);
    }
    return STATUS_OK;
}

/* Cuts both files back to the commit point. */
static enum status committing_cut_back(const struct committing *committing)
{
    const struct store_files *files = &committing->files;
    struct state *state = committing->state;

    if (files->ops->ftruncate(files->bets_fd, (off_t)atomic_load(&state->bets_size)) < 0 ||
        files->ops->ftruncate(files->journal_fd, (off_t)atomic_load(&state->journal_size)) < 0)
        return STATUS_IO;
    atomic_store(&state->journal_capacity, atomic_load(&state->journal_size));
    return STATUS_OK;
}

/* Repairs after the last holder of the mutex died: see the top of this file. */
static enum status committing_repair(const struct committing *committing)
{
    struct state *state = committing->state;
    struct errbuf err = {{0}};

    state_finish_commit(state);
    struct replay replay = {.ops = committing->files.ops,
                            .bets_fd = committing->files.bets_fd,
                            .journal_fd = committing->files.journal_fd,
                            .state = state,
                            .journal_at = atomic_load(&state->journal_size),
                            .bets_at = atomic_load(&state->bets_size)};

    enum status status = replay_run(&replay, &err);
    if (status == STATUS_OK) {
        state_commit(state, replay.bets_end, replay.journal_end);
        status = committing_cut_back(committing);
    }
    /* Everything that was found, also a draw, will count, so it has to be on disk first. */
    if (status == STATUS_OK)
        status = committing_sync(committing);
    if (status == STATUS_OK) {
        state_raise_synced(state, replay.journal_end);
        replay_publish(&replay);
        LOG(WARNING, "store_repair", SUCCESS, LOG_TEXT("reason", "a process died while writing"),
            LOG_UINT("bets_kept", replay.bets));
    } else {
        LOG(ERROR, "store_repair", FAIL,
            LOG_TEXT("reason", err.text[0] != '\0' ? err.text : status_text(status)));
    }
    return status;
}

/* Takes the mutex, and repairs if its last holder died. On failure the mutex stays locked and the
 * process must end; the next holder then has to repair. */
static enum status committing_lock(const struct committing *committing)
{
    struct state *state = committing->state;
    bool must_repair;

    state_lock(state, &must_repair);
    if (must_repair) {
        enum status status = committing_repair(committing);
        if (status != STATUS_OK)
            return status;
        state_lock_repaired(state);
    }
    return atomic_load(&state->sync_failed) != 0 ? STATUS_IO : STATUS_OK;
}

enum status committing_sync(const struct committing *committing)
{
    enum status status = store_files_sync(&committing->files);

    if (status != STATUS_OK)
        atomic_store(&committing->state->sync_failed, 1);
    return status;
}

enum status committing_note_synced(struct committing *committing)
{
    enum status status = committing_lock(committing);

    if (status != STATUS_OK)
        return status;
    /* If this fails, nothing is lost: the older note in the header is still true. */
    (void)store_header_write(&committing->files, committing->state);
    state_unlock(committing->state);
    return STATUS_OK;
}

static struct planned *committing_planned(struct committing *committing, uint32_t agency)
{
    struct planned *planned = &committing->planned[agency];

    if (planned->round != committing->round) {
        const struct state_agency *stored = &committing->state->agency[agency];
        *planned = (struct planned){atomic_load(&stored->received), committing->round,
                                    atomic_load(&stored->has_finished) != 0};
    }
    return planned;
}

/* Skips the first `known` lines of a batch, which are already stored. */
static void group_skip_lines(const struct group *group, struct store_op *op, uint64_t known)
{
    const char *at = group->bytes + op->bytes_at;
    const char *end = at + op->bytes;

    for (; known > 0; known--) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        ASSERT(newline != NULL);
        at = newline + 1;
    }
    op->bytes_at = (size_t)(at - group->bytes);
    op->bytes = (uint32_t)(end - at);
    op->crc = crc32c(0, at, op->bytes);
}

static void group_plan_finish(struct store_op *op, struct planned *planned)
{
    op->received = planned->received;
    op->status = op->offset == planned->received ? STATUS_OK : STATUS_INCOMPLETE;
    if (op->status == STATUS_OK && !planned->has_finished) {
        planned->has_finished = true;
        op->stored = 1; /* here this means that there is a record to write */
    }
}

static void group_plan_append(const struct group *group, struct store_op *op,
                              struct planned *planned, bool is_drawn)
{
    op->received = planned->received;
    op->status = STATUS_OK;
    if (op->count == 0)
        return; /* only asks how many were received */
    if (op->offset > planned->received)
        op->status = STATUS_GAP;
    else if (op->count <= planned->received - op->offset)
        return; /* all of it is already stored */
    else if (planned->has_finished || is_drawn)
        op->status = STATUS_CLOSED;
    else {
        uint64_t known = planned->received - op->offset;
        if (known > 0)
            group_skip_lines(group, op, known);
        op->stored = op->count - (uint32_t)known;
        planned->received += op->stored;
        op->received = planned->received;
    }
}

static void group_plan(struct committing *committing, const struct group *group)
{
    bool is_drawn = atomic_load(&committing->state->has_draw) != 0;

    committing->round++;
    for (struct store_op *op = group->first; op != NULL; op = op->next) {
        op->stored = 0;
        op->received = 0;
        if (op->agency < 1 || op->agency > committing->state->agencies)
            op->status = STATUS_UNKNOWN_AGENCY;
        else if (op->is_finish)
            group_plan_finish(op, committing_planned(committing, op->agency));
        else
            group_plan_append(group, op, committing_planned(committing, op->agency), is_drawn);
    }
}

/* The bytes for both files that follow from what group_plan() decided. */
struct writing {
    size_t parts;         /* runs of lines for bets.csv */
    size_t records;       /* records for the journal */
    uint64_t bets_end;    /* size of bets.csv after the group */
    uint64_t journal_end; /* committed size of the journal after the group */
};

static void group_add_part(struct committing *committing, struct writing *writing,
                           const struct group *group, const struct store_op *op)
{
    char *bytes = group->bytes + op->bytes_at;
    size_t size = op->bytes;
    struct iovec *last = writing->parts > 0 ? &committing->parts[writing->parts - 1] : NULL;

    if (last != NULL && (char *)last->iov_base + last->iov_len == bytes)
        last->iov_len += size; /* adjacent batches are one run */
    else
        committing->parts[writing->parts++] = (struct iovec){bytes, size};
}

static struct writing group_prepare(struct committing *committing, const struct group *group)
{
    struct state *state = committing->state;
    struct writing writing = {0, 0, atomic_load(&state->bets_size),
                              atomic_load(&state->journal_size)};
    uint64_t synced = atomic_load(&state->synced);

    for (struct store_op *op = group->first; op != NULL; op = op->next) {
        if (op->stored == 0)
            continue;
        struct journal_record record = {.type = op->is_finish ? JOURNAL_FINISHED : JOURNAL_BETS,
                                        .agency = op->agency,
                                        .received = op->received,
                                        .synced = synced,
                                        .at = writing.journal_end,
                                        .id = state->id};
        if (!op->is_finish) {
            record.count = op->stored;
            record.data_at = writing.bets_end;
            record.data_size = op->bytes;
            record.data_crc = op->crc;
            group_add_part(committing, &writing, group, op);
            writing.bets_end += op->bytes;
        }
        journal_encode(&record, committing->records + writing.records * JOURNAL_RECORD_SIZE);
        writing.records++;
        writing.journal_end += JOURNAL_RECORD_SIZE;
    }
    ASSERT(writing.parts <= committing->parts_capacity);
    ASSERT(writing.records <= committing->records_capacity);
    return writing;
}

static enum status group_write(struct committing *committing, const struct writing *writing)
{
    const struct store_files *files = &committing->files;
    struct state *state = committing->state;
    struct iovec records = {committing->records, writing->records * JOURNAL_RECORD_SIZE};

    enum status status = committing_reserve_journal(committing, writing->journal_end);
    if (status == STATUS_OK)
        status = file_write(files->ops, files->bets_fd, committing->parts, writing->parts,
                            atomic_load(&state->bets_size));
    if (status == STATUS_OK)
        status = file_write(files->ops, files->journal_fd, &records, 1,
                            atomic_load(&state->journal_size));
    return status;
}

static void group_apply(struct committing *committing, const struct group *group,
                        const struct writing *writing)
{
    struct state *state = committing->state;
    uint32_t finished = 0;

    for (struct store_op *op = group->first; op != NULL; op = op->next) {
        if (op->stored == 0)
            continue;
        struct state_agency *agency = &state->agency[op->agency];
        if (op->is_finish) {
            atomic_store(&agency->has_finished, 1);
            finished++;
        } else {
            atomic_store(&agency->received, op->received);
        }
    }
    state_commit(state, writing->bets_end, writing->journal_end);
    /* Last, because a process that sees that all have finished draws from the committed bets. */
    atomic_fetch_add(&state->finished, finished);
}

static void group_fail(const struct committing *committing, const struct group *group,
                       enum status status)
{
    for (struct store_op *op = group->first; op != NULL; op = op->next) {
        bool is_known = op->agency >= 1 && op->agency <= committing->state->agencies;
        op->status = status;
        op->stored = 0;
        op->received = is_known ? atomic_load(&committing->state->agency[op->agency].received) : 0;
    }
}

/* A Finished stores no bets: what group_plan_finish() has noted there is done with. */
static void group_clear_finished(const struct group *group)
{
    for (struct store_op *op = group->first; op != NULL; op = op->next) {
        if (op->is_finish)
            op->stored = 0;
    }
}

enum status group_commit(struct committing *committing, struct group *group, uint64_t *need)
{
    struct state *state = committing->state;

    *need = 0;
    if (!committing_reserve(committing, group->count)) {
        group_fail(committing, group, STATUS_NOMEM);
        return STATUS_OK;
    }
    enum status status = committing_lock(committing);
    if (status != STATUS_OK)
        return status;
    group_plan(committing, group);
    struct writing writing = group_prepare(committing, group);
    if (writing.records > 0) {
        enum status written = group_write(committing, &writing);
        if (written == STATUS_OK) {
            group_apply(committing, group, &writing);
        } else {
            status = committing_cut_back(committing);
            if (status != STATUS_OK)
                return status; /* still holding the mutex */
            group_fail(committing, group, written);
        }
    }
    *need = atomic_load(&state->journal_size);
    state_unlock(state);
    group_clear_finished(group);
    return STATUS_OK;
}

enum status draw_commit(struct committing *committing, const struct journal_record *record,
                        bool *must_end)
{
    struct state *state = committing->state;
    struct journal_record whole = *record;
    uint8_t bytes[JOURNAL_RECORD_SIZE];
    struct iovec part = {bytes, sizeof(bytes)};

    *must_end = true;
    enum status status = committing_lock(committing);
    if (status != STATUS_OK)
        return status;
    *must_end = false;
    if (atomic_load(&state->has_draw) != 0) {
        state_unlock(state);
        return STATUS_CLOSED;
    }
    uint64_t end = atomic_load(&state->journal_size);
    whole.type = JOURNAL_DRAW;
    whole.synced = atomic_load(&state->synced);
    whole.at = end;
    whole.id = state->id;
    journal_encode(&whole, bytes);
    status = committing_reserve_journal(committing, end + JOURNAL_RECORD_SIZE);
    if (status == STATUS_OK)
        status = file_write(committing->files.ops, committing->files.journal_fd, &part, 1, end);
    if (status != STATUS_OK) {
        if (committing_cut_back(committing) != STATUS_OK) {
            *must_end = true;
            return status; /* still holding the mutex */
        }
    } else if ((status = committing_sync(committing)) != STATUS_OK) {
        *must_end = true;
    } else {
        end += JOURNAL_RECORD_SIZE;
        state->draw = whole;
        atomic_store(&state->has_draw, 1);
        state_commit(state, atomic_load(&state->bets_size), end);
        state_raise_synced(state, end);
    }
    state_unlock(state);
    return status;
}
