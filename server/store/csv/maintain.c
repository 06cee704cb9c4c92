/* What the embedded store does between its commit groups.
 *
 * Happy path: sync bets.csv when enough of its lines are in the journal alone, or when there is
 * nothing else to do, and then note in the journal that all is on disk; begin a new journal file
 * when the old one has grown. For a backup, sync bets.csv and make what such a new file would begin
 * with: the running journal, whose headers change in place, needs not be copied.
 *
 * Failure modes: no space for a new journal file: the old one goes on, and later this is tried
 * again. A sync fails: the process has to end, and nothing is written any more. Somebody has put
 * another file in the place of one of them: it is not replaced.
 */
#include "commit.h"

#include "assertion.h"
#include "journal_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

const struct commit_limits commit_limits_usual = {.inline_max = JOURNAL_INLINE_MAX,
                                                  .sync_after = MIB,
                                                  .journal_max = 8 * MIB,
                                                  .bets_max = 256 * MIB,
                                                  .reserve = MIB / 4};

enum status commit_be_uncertain(struct commit *self, struct errbuf *err, const char *what)
{
    self->is_uncertain = true;
    errbuf_set(err, "%s: %s", what, strerror(errno));
    return STATUS_UNCERTAIN;
}

enum status commit_refuse(struct errbuf *err)
{
    errbuf_set(err, "an earlier sync or write failed");
    return STATUS_UNCERTAIN;
}

enum status commit_sync_bets(struct commit *self, struct errbuf *err)
{
    if (self->data_dir->ops->fdatasync(self->bets_fd) < 0)
        return commit_be_uncertain(self, err, "syncing " BETS_NAME);
    self->bets_synced = self->bets_size;
    self->bets_sync_at = self->journal_size;
    return STATUS_OK;
}

/* Is this file what has the name now? An error that does not say so, such as a lack of memory, is
 * not taken for its end. */
static bool commit_has_file(const struct commit *self, const struct file_id *id, const char *name,
                            struct errbuf *err)
{
    const struct data_dir *data_dir = self->data_dir;
    struct stat there;

    if (data_dir->ops->fstatat(data_dir->fd, name, &there, AT_SYMLINK_NOFOLLOW) < 0
            ? errno != ENOENT
            : file_is(id, &there))
        return true;
    errbuf_set(err, "data directory %s: %s was moved, removed or replaced", data_dir->path, name);
    return false;
}

bool commit_has_bets(const struct commit *self, struct errbuf *err)
{
    const struct data_dir *data_dir = self->data_dir;
    struct stat info;

    if (data_dir->ops->fstat(self->bets_fd, &info) < 0 || (uint64_t)info.st_size >= self->bets_size)
        return true;
    errbuf_set(err, "data directory %s: %s has become shorter", data_dir->path, BETS_NAME);
    return false;
}

bool commit_is_in_place(const struct commit *self, struct errbuf *err)
{
    return data_dir_is_in_place(self->data_dir, err) &&
           commit_has_file(self, &self->bets_id, BETS_NAME, err) && commit_has_bets(self, err) &&
           commit_has_file(self, &self->journal_id, JOURNAL_NAME, err);
}

enum status commit_checkpoint(struct commit *self, struct errbuf *err)
{
    struct journal_file file;
    enum status status = STATUS_OK;

    ASSERT(!commit_has_group(self));
    if (self->is_uncertain)
        return commit_refuse(err);
    if (self->journal_fd >= 0 && !commit_is_in_place(self, err))
        return STATUS_GONE;
    if (self->bets_synced < self->bets_size)
        status = commit_sync_bets(self, err);
    if (status != STATUS_OK)
        return status;
    status = journal_file_create(self->data_dir, self->draw, &self->extent, self->limits->reserve,
                                 &file, err);
    if (status != STATUS_OK) {
        self->is_uncertain = status == STATUS_UNCERTAIN;
        self->retry_at = self->journal_size + self->limits->journal_max / 8;
        return status;
    }
    if (self->journal_fd >= 0)
        (void)close(self->journal_fd);
    self->journal_fd = file.fd;
    self->journal_id = file.id;
    self->header = file.header;
    self->journal_size = self->checkpoint_end = self->bets_sync_at = file.end;
    self->capacity = file.capacity;
    self->checkpoint_bets = self->bets_size;
    self->retry_at = 0;
    self->must_checkpoint = false;
    return STATUS_OK;
}

static bool is_checkpoint_due(const struct commit *self)
{
    if (self->must_checkpoint)
        return true;
    return self->journal_size >= self->retry_at &&
           (self->journal_size - self->checkpoint_end > self->limits->journal_max ||
            self->bets_size - self->checkpoint_bets > self->limits->bets_max);
}

/* Notes in the header, durably, that everything is on disk: then the next start misses also the
 * last records. It can do without, so a write that fails does not matter. UNCERTAIN. */
static enum status commit_note_synced(struct commit *self, struct errbuf *err)
{
    struct journal_header header = self->header;

    if (header.synced == self->journal_size && header.bets_synced == self->bets_synced)
        return STATUS_OK;
    header.generation++;
    header.synced = self->journal_size;
    header.bets_synced = self->bets_synced;
    if (journal_file_write_header(self->data_dir->ops, self->journal_fd, &header) != STATUS_OK)
        return STATUS_OK;
    self->header = header;
    if (self->data_dir->ops->fdatasync(self->journal_fd) < 0)
        return commit_be_uncertain(self, err, "syncing " JOURNAL_NAME);
    return STATUS_OK;
}

enum status commit_maintain(struct store *store, bool is_idle, struct errbuf *err)
{
    struct commit *self = commit_of(store);
    enum status status = STATUS_OK;

    if (self->is_uncertain)
        return commit_refuse(err);
    if (is_checkpoint_due(self))
        return commit_checkpoint(self, err);
    if (self->bets_synced < self->bets_size &&
        (is_idle || self->journal_size - self->bets_sync_at > self->limits->sync_after))
        status = commit_sync_bets(self, err);
    if (status == STATUS_OK && is_idle)
        status = commit_note_synced(self, err);
    return status;
}

enum status commit_snapshot(struct store *store, struct buffer *out, struct errbuf *err)
{
    struct commit *self = commit_of(store);
    enum status status = STATUS_OK;

    ASSERT(!commit_has_group(self));
    if (self->is_uncertain)
        return commit_refuse(err);
    if (!commit_is_in_place(self, err))
        return STATUS_GONE;
    if (self->bets_synced < self->bets_size)
        status = commit_sync_bets(self, err);
    if (status != STATUS_OK)
        return status;
    status = journal_file_encode(self->draw, &self->extent, out);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, JOURNAL_NAME, status);
}
