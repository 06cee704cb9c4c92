/* One commit group.
 *
 * Happy path of a small group: its records carry the lines; they are written into the reserved
 * space of the journal, then the lines to bets.csv, and only the journal is synced. bets.csv is
 * synced later (commit_maintain); until then a recovery writes its last lines from the journal. Of
 * a large group, the lines are written to bets.csv and the records to the journal, and both are
 * synced, the journal's write-back being started first so that both go to the disk together.
 *
 * Failure modes: a write fails or is short (disk full): both files are cut back to what is
 * committed, and the group is gone. Cutting back fails, or a sync fails: the process has to end,
 * and nothing is written any more. The process dies: what the files have of the group counts in
 * whole batches, which the recovery tells by their checksums; none of it was acknowledged. The
 * directory or a file was moved, removed or replaced: the group is on disk, but nobody would find
 * it there. bets.csv was cut: the group is not written.
 */
#include "commit.h"

#include "assertion.h"
#include "journal_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KEPT_MEMORY ((size_t)4 * 1024 * 1024) /* what a group's memory may have to be kept */

/* Adds a run of lines, to the last one if it is adjacent. There is room for one more. */
static void commit_add_lines(struct commit *self, const void *lines, size_t size)
{
    ASSERT(self->parts != NULL);
    struct iovec *last = self->parts_count > 0 ? &self->parts[self->parts_count - 1] : NULL;

    if (last != NULL && (const char *)last->iov_base + last->iov_len == (const char *)lines)
        last->iov_len += size;
    else
        self->parts[self->parts_count++] = (struct iovec){(void *)(uintptr_t)lines, size};
}

static enum status reserve_memory(struct commit *self)
{
    if (self->parts_count == self->parts_capacity) {
        struct iovec *parts =
            array_grow(self->parts, &self->parts_capacity, self->parts_count + 1, sizeof(*parts));
        if (parts == NULL)
            return STATUS_NOMEM;
        self->parts = parts;
    }
    return buffer_reserve(&self->records, JOURNAL_FIXED_MAX);
}

enum status commit_append(struct store *store, struct draw_record *record, const void *lines,
                          size_t size)
{
    struct commit *self = commit_of(store);
    struct journal_lines described = {.at = self->extent.size, .size = (uint32_t)size};

    ASSERT(size <= UINT32_MAX && (size > 0) == (record->type == DRAW_BETS));
    if (reserve_memory(self) != STATUS_OK)
        return STATUS_NOMEM;
    if (size > 0) {
        if (bets_extent_append(&self->extent, lines, size) != STATUS_OK)
            return STATUS_NOMEM;
        described.crc = self->extent.crc;
        commit_add_lines(self, lines, size);
    } else if (record->type == DRAW_CLOSING) {
        record->closed.extent = self->extent.size;
        self->has_closing = true;
    }
    self->records.size += journal_encode(record, &self->draw->terms, &described,
                                         (uint8_t *)self->records.data + self->records.size);
    return STATUS_OK;
}

/* Begins the next group. Gives memory back that is unusually much. */
static void commit_reset_group(struct commit *self)
{
    self->parts_count = 0;
    self->records.size = 0;
    self->image.size = 0;
    self->has_closing = false;
    if (self->parts_capacity > KEPT_MEMORY / sizeof(*self->parts)) {
        free(self->parts);
        self->parts = NULL;
        self->parts_capacity = 0;
    }
    if (self->records.capacity > KEPT_MEMORY)
        buffer_fini(&self->records);
    if (self->image.capacity > KEPT_MEMORY)
        buffer_fini(&self->image);
}

/* Extends the journal's file with zeros to `end` or beyond. To sync a record that overwrites
 * existing bytes takes half the time, as neither the inode nor the allocation of blocks changes. */
static enum status reserve_journal(struct commit *self, uint64_t end)
{
    uint64_t step = self->limits->reserve;

    if (end <= self->capacity)
        return STATUS_OK;
    uint64_t to = (end + step - 1) / step * step;
    enum status status =
        journal_file_write_zeros(self->data_dir->ops, self->journal_fd, self->capacity, to);
    if (status == STATUS_OK)
        self->capacity = to;
    return status == STATUS_NOSPACE ? STATUS_OK : status; /* the records themselves may fit */
}

static enum status commit_write_journal(struct commit *self)
{
    struct iovec part = {self->image.data, self->image.size};

    enum status status = reserve_journal(self, self->journal_size + part.iov_len);
    if (status == STATUS_OK)
        status = file_write(self->data_dir->ops, self->journal_fd, &part, 1, self->journal_size);
    return status;
}

/* Where the next line of the group is: in which part, and how far into it. */
struct cursor {
    const struct iovec *part;
    size_t done;
};

static char *commit_copy_lines(struct cursor *cursor, char *out, size_t size)
{
    while (size > 0) {
        size_t left = cursor->part->iov_len - cursor->done;
        size_t step = size < left ? size : left;
        memcpy(out, (const char *)cursor->part->iov_base + cursor->done, step);
        out += step;
        size -= step;
        cursor->done += step;
        if (cursor->done == cursor->part->iov_len)
            *cursor = (struct cursor){cursor->part + 1, 0};
    }
    return out;
}

/* Makes what the journal gets: the sealed records, those of bets with their lines or without. */
static enum status make_image(struct commit *self, bool has_lines)
{
    struct journal_mark mark = {self->header.stamp, self->journal_size, self->journal_size,
                                self->bets_synced};
    struct cursor cursor = {self->parts, 0};
    size_t lines = has_lines ? (size_t)(self->extent.size - self->bets_size) : 0;
    size_t count = self->records.size / JOURNAL_FIXED_MIN; /* at most */

    if (buffer_reserve(&self->image, self->records.size + lines + 8 * count) != STATUS_OK)
        return STATUS_NOMEM;
    for (size_t at = 0; at < self->records.size;) {
        const uint8_t *record = (const uint8_t *)self->records.data + at;
        char *out = self->image.data + self->image.size;
        size_t fixed = journal_size_of(record);
        size_t bytes = has_lines ? journal_lines_of(record) : 0;
        memcpy(out, record, fixed);
        size_t whole = journal_seal((uint8_t *)out, bytes > 0, &mark);
        char *end = commit_copy_lines(&cursor, out + fixed, bytes);
        memset(end, 0, (size_t)(out + whole - end));
        self->image.size += whole;
        mark.at += whole;
        at += fixed;
    }
    return STATUS_OK;
}

/* Writes the group. The journal of a small one comes first, so that bets.csv has nothing that it
 * lacks; that of a large one last, so that it describes nothing that is not there. */
static enum status commit_write(struct commit *self, bool is_large, const char **name)
{
    *name = JOURNAL_NAME;
    enum status status = make_image(self, !is_large);
    if (status == STATUS_OK && !is_large)
        status = commit_write_journal(self);
    if (status == STATUS_OK) {
        *name = BETS_NAME;
        status = file_write(self->data_dir->ops, self->bets_fd, self->parts, self->parts_count,
                            self->bets_size);
    }
    if (status == STATUS_OK && is_large) {
        *name = JOURNAL_NAME;
        status = commit_write_journal(self);
    }
    return status;
}

/* Takes the group back from both files. */
static enum status commit_cut_back(struct commit *self, struct errbuf *err)
{
    const struct file_ops *ops = self->data_dir->ops;

    if (ops->ftruncate(self->bets_fd, (off_t)self->bets_size) < 0 ||
        ops->ftruncate(self->journal_fd, (off_t)self->journal_size) < 0)
        return commit_be_uncertain(self, err, "cutting back what could not be written");
    self->capacity = self->journal_size;
    return STATUS_OK;
}

/* Takes what was written for committed, and syncs it. */
static enum status commit_settle(struct commit *self, bool is_large, struct errbuf *err)
{
    const struct file_ops *ops = self->data_dir->ops;

    self->bets_size = self->extent.size;
    self->bets_crc = self->extent.crc;
    self->journal_size += self->image.size;
    if (self->capacity < self->journal_size)
        self->capacity = self->journal_size;
    if (is_large) {
        ops->start_write(self->journal_fd);
        enum status status = commit_sync_bets(self, err);
        if (status != STATUS_OK)
            return status;
    }
    if (ops->fdatasync(self->journal_fd) < 0)
        return commit_be_uncertain(self, err, "syncing " JOURNAL_NAME);
    self->must_checkpoint = self->must_checkpoint || self->has_closing;
    return STATUS_OK;
}

enum status commit_group(struct store *store, struct errbuf *err)
{
    struct commit *self = commit_of(store);
    const char *name = BETS_NAME;

    if (self->is_uncertain)
        return commit_refuse(err);
    if (self->records.size == 0)
        return STATUS_OK;
    bool is_large = self->extent.size - self->bets_size > self->limits->inline_max;
    /* Afterwards the file would have its size again, with a hole in it. */
    bool is_whole = commit_has_bets(self, err);
    enum status status = is_whole ? commit_write(self, is_large, &name) : STATUS_GONE;
    self->is_draw_ahead = status != STATUS_OK;
    if (!is_whole) {
        bets_extent_cut(&self->extent, self->bets_size, self->bets_crc);
    } else if (status != STATUS_OK) {
        (void)file_fail(err, name, status);
        if (commit_cut_back(self, err) != STATUS_OK)
            status = STATUS_UNCERTAIN;
        bets_extent_cut(&self->extent, self->bets_size, self->bets_crc);
    } else {
        status = commit_settle(self, is_large, err);
        if (status == STATUS_OK && !commit_is_in_place(self, err))
            status = STATUS_GONE;
    }
    commit_reset_group(self);
    return status;
}

void commit_fini(struct commit *self)
{
    bets_extent_fini(&self->extent);
    free(self->parts);
    buffer_fini(&self->records);
    buffer_fini(&self->image);
    if (self->bets_fd >= 0)
        (void)close(self->bets_fd);
    if (self->journal_fd >= 0)
        (void)close(self->journal_fd);
}
