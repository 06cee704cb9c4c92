/* Making the files of a data directory whole again, after they were read.
 *
 * Happy path: nothing to do but to sync. After a crash: copy the torn tails, which may hold what
 * was acknowledged if the folder is a restored copy, to files of their own, sync these, and cut the
 * tails; write the bets from the journal that bets.csv may lack; write all else that is not known
 * to be on disk once more, since after a failed sync the kernel may take for written what never
 * reached the disk; sync.
 *
 * Failure modes: any step may fail or be the last one. All of them can be done again. A tail that
 * could not be set aside stays where it is, and no copy of it is left.
 */
#include "recovery.h"

#include "clock.h"
#include "crc32c.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAME_SIZE 64

/* Copies bytes from one file to another, which may be the same one, at the same place or from its
 * beginning on. *crc, unless it is NULL, goes on over what was copied. */
static enum status settle_copy(struct recovery *self, int from_fd, uint64_t from, uint64_t end,
                               int to_fd, uint64_t to, uint32_t *crc, struct errbuf *err)
{
    const struct file_ops *ops = self->data_dir->ops;
    uint8_t *piece = malloc(RECOVERY_WINDOW);
    enum status status = piece != NULL ? STATUS_OK : file_fail(err, "copying", STATUS_NOMEM);

    while (status == STATUS_OK && from < end) {
        size_t size = end - from < RECOVERY_WINDOW ? (size_t)(end - from) : RECOVERY_WINDOW;
        struct iovec part = {piece, size};
        size_t got = 0;
        status = file_read(ops, from_fd, piece, size, from, &got);
        if (status == STATUS_OK && got < size)
            status = STATUS_IO; /* it was there a moment ago */
        if (status == STATUS_OK && crc != NULL)
            *crc = crc32c(*crc, piece, size);
        if (status == STATUS_OK)
            status = file_write(ops, to_fd, &part, 1, to);
        from += size;
        to += size;
        status =
            status == STATUS_OK ? recovery_pause(self, err) : file_fail(err, "copying", status);
    }
    free(piece);
    return status;
}

/* Creates a file for a torn tail: bets.torn-TIME, or with -2, -3, ... if there is one. */
static int settle_create_torn(const struct data_dir *data_dir, const char *suffix,
                              char name[NAME_SIZE])
{
    time_t now = clock_wall_s();
    struct tm utc = {0};
    char stamp[32];
    int fd = -1;

    (void)gmtime_r(&now, &utc);
    (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &utc);
    (void)snprintf(name, NAME_SIZE, "bets.torn-%s%s", stamp, suffix);
    for (unsigned i = 2; i < 10000; i++) {
        fd = data_dir_open_file(data_dir, name, O_RDWR | O_CREAT | O_EXCL);
        if (fd >= 0 || errno != EEXIST)
            break;
        (void)snprintf(name, NAME_SIZE, "bets.torn-%s-%u%s", stamp, i, suffix);
    }
    return fd;
}

/* What was set aside, and where; empty names: nothing, or it was given up. */
struct torn {
    uint64_t bets;    /* bytes of bets.csv */
    uint64_t journal; /* bytes of the journal */
    char bets_name[NAME_SIZE];
    char journal_name[NAME_SIZE];
};

/* Removes the copies: the tails are still where they were. */
static void settle_give_up_torn(const struct data_dir *data_dir, const struct torn *torn)
{
    if (torn->bets_name[0] != '\0')
        (void)data_dir->ops->unlinkat(data_dir->fd, torn->bets_name);
    if (torn->journal_name[0] != '\0')
        (void)data_dir->ops->unlinkat(data_dir->fd, torn->journal_name);
}

/* Copies `size` bytes from `from` on to a file of their own, durably but for its name. */
static enum status settle_set_aside(struct recovery *self, int fd, uint64_t from, uint64_t size,
                                    const char *suffix, char name[NAME_SIZE], struct errbuf *err)
{
    int to = settle_create_torn(self->data_dir, suffix, name);
    enum status status = to < 0 ? status_from_errno(errno) : STATUS_OK;
    if (to < 0) {
        (void)file_fail(err, name, status);
        name[0] = '\0'; /* it is not ours */
        return status;
    }
    status = settle_copy(self, fd, from, from + size, to, 0, NULL, err);
    if (status == STATUS_OK && self->data_dir->ops->fdatasync(to) < 0)
        status = file_fail(err, "syncing", status_from_errno(errno));
    (void)close(to);
    if (status != STATUS_OK)
        errbuf_wrap(err, "%s", name);
    return status;
}

/* Copies both tails, durably. */
static enum status settle_copy_torn(struct recovery *self, struct torn *torn, struct errbuf *err)
{
    const struct data_dir *data_dir = self->data_dir;
    enum status status = STATUS_OK;

    (void)data_dir->ops->unlinkat(data_dir->fd, JOURNAL_NEW_NAME); /* a leftover takes space */
    if (torn->bets > 0)
        status = settle_set_aside(self, self->bets_fd, self->extent.size, torn->bets, "",
                                  torn->bets_name, err);
    if (status == STATUS_OK && torn->journal > 0)
        status = settle_set_aside(self, self->journal_fd, self->journal_end, torn->journal,
                                  ".journal", torn->journal_name, err);
    if (status == STATUS_OK && data_dir->ops->fdatasync(data_dir->fd) < 0)
        status = file_fail(err, "syncing the folder", status_from_errno(errno));
    if (status == STATUS_NOSPACE)
        errbuf_set(err,
                   "no space to set a torn tail aside: it needs %" PRIu64
                   " bytes in the data directory; make room there and start again",
                   torn->bets + torn->journal);
    return status;
}

/* Cuts what was copied. Up to the first cut, a failure leaves the folder as it was: otherwise each
 * start that fails would leave another copy. */
static enum status settle_cut_torn(struct recovery *self, struct errbuf *err)
{
    const struct file_ops *ops = self->data_dir->ops;
    struct torn torn = {.journal = self->journal_used - self->journal_end};
    bool is_cut = false;

    if (self->bets_size > self->extent.size)
        torn.bets = self->bets_size - self->extent.size;
    if (torn.bets == 0 && torn.journal == 0)
        return STATUS_OK;
    enum status status = settle_copy_torn(self, &torn, err);
    if (status == STATUS_OK && torn.bets > 0) {
        is_cut = ops->ftruncate(self->bets_fd, (off_t)self->extent.size) == 0;
        if (!is_cut)
            status = file_fail(err, "cutting " BETS_NAME, status_from_errno(errno));
    }
    if (status == STATUS_OK && torn.journal > 0 &&
        ops->ftruncate(self->journal_fd, (off_t)self->journal_end) < 0)
        status = file_fail(err, "cutting " JOURNAL_NAME, status_from_errno(errno));
    if (status != STATUS_OK) {
        if (!is_cut)
            settle_give_up_torn(self->data_dir, &torn);
        return status;
    }
    if (torn.journal > 0)
        self->journal_size = self->journal_end;
    LOG(WARNING, "recover_store", SUCCESS,
        LOG_TEXT("reason", "what follows the last whole record was set aside, as a crash leaves it;"
                           " if files were copied or restored, it may hold acknowledged bets"),
        LOG_UINT("bets_bytes_cut", torn.bets), LOG_UINT("journal_bytes_cut", torn.journal),
        LOG_TEXT("bets_file", torn.bets > 0 ? torn.bets_name : "none"),
        LOG_TEXT("journal_file", torn.journal > 0 ? torn.journal_name : "none"));
    return STATUS_OK;
}

/* After a failed sync the kernel forgets that pages are not on disk, and when it needs their
 * memory, it reads the old ones again: what was valid a moment ago need not be so now. */
static enum status settle_fail_changed(struct errbuf *err, const char *name, uint64_t at)
{
    errbuf_set(err, "%s: bytes from %" PRIu64 " on have changed while they were read", name, at);
    return STATUS_IO;
}

/* Gets a whole record that was valid. */
static enum status settle_look_again(struct recovery *self, uint64_t at,
                                     struct journal_record *record, const uint8_t **bytes,
                                     struct errbuf *err)
{
    size_t got;

    enum status status = recovery_look(self, at, JOURNAL_RECORD_MAX, bytes, &got, err);
    if (status != STATUS_OK)
        return status;
    if (!journal_decode(*bytes, got, self->header.stamp, at, record) || got < record->size)
        return settle_fail_changed(err, JOURNAL_NAME, at);
    return STATUS_OK;
}

/* Writes `size` bytes that were read and checked. */
static enum status settle_write_bytes(struct recovery *self, int fd, const char *name,
                                      const uint8_t *bytes, size_t size, uint64_t at,
                                      struct errbuf *err)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};

    enum status status = file_write(self->data_dir->ops, fd, &part, 1, at);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, name, status);
}

/* Writes the lines of the record at `bytes` to bets.csv, unless they are known to be there. `crc`
 * is that of the bytes before them. */
static enum status settle_write_lines(struct recovery *self, const struct journal_record *record,
                                      const uint8_t *bytes, uint32_t crc, struct errbuf *err)
{
    const struct journal_lines *lines = &record->lines;
    const uint8_t *text = bytes + record->fixed_size;

    if (record->has_lines) {
        if (crc32c(crc, text, lines->size) != lines->crc)
            return settle_fail_changed(err, JOURNAL_NAME, record->mark.at);
        return settle_write_bytes(self, self->bets_fd, BETS_NAME, text, lines->size, lines->at,
                                  err);
    }
    if (lines->at + lines->size <= self->bets_synced)
        return STATUS_OK;
    enum status status = settle_copy(self, self->bets_fd, lines->at, lines->at + lines->size,
                                     self->bets_fd, lines->at, &crc, err);
    if (status == STATUS_OK && crc != lines->crc)
        status = settle_fail_changed(err, BETS_NAME, lines->at);
    return status;
}

/* Writes the bets of all records after the checkpoint, and those records that may not be on disk.
 */
static enum status settle_write_records(struct recovery *self, struct errbuf *err)
{
    uint32_t crc = self->at_checkpoint.crc;
    struct journal_record record;

    for (uint64_t at = self->checkpoint_end; at < self->journal_end; at += record.size) {
        const uint8_t *bytes;
        enum status status = settle_look_again(self, at, &record, &bytes, err);
        if (status == STATUS_OK && record.draw.type == DRAW_BETS) {
            status = settle_write_lines(self, &record, bytes, crc, err);
            crc = record.lines.crc;
        }
        if (status == STATUS_OK && at + record.size > self->synced)
            status = settle_write_bytes(self, self->journal_fd, JOURNAL_NAME, bytes, record.size,
                                        at, err);
        if (status == STATUS_OK)
            status = recovery_pause(self, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* Writes the bets of a folder of version 1 that may not be on disk once more: from the beginning of
 * their MiB on, as the checksum up to there is known. */
static enum status settle_write_version_1(struct recovery *self, struct errbuf *err)
{
    size_t chunks = (size_t)(self->bets_synced / BETS_CHUNK_SIZE);
    uint64_t from = chunks * BETS_CHUNK_SIZE;
    uint32_t crc = chunks > 0 ? self->extent.crcs[chunks - 1] : 0;

    if (self->bets_synced == self->extent.size)
        return STATUS_OK;
    enum status status =
        settle_copy(self, self->bets_fd, from, self->extent.size, self->bets_fd, from, &crc, err);
    if (status == STATUS_OK && crc != self->extent.crc)
        status = settle_fail_changed(err, BETS_NAME, from);
    return status;
}

enum status recovery_settle(struct recovery *self, struct errbuf *err)
{
    const struct file_ops *ops = self->data_dir->ops;

    enum status status = settle_cut_torn(self, err);
    if (status == STATUS_OK && self->is_version_1)
        status = settle_write_version_1(self, err);
    else if (status == STATUS_OK)
        status = settle_write_records(self, err);
    if (status != STATUS_OK)
        return status;
    if (ops->fdatasync(self->bets_fd) < 0 || ops->fdatasync(self->journal_fd) < 0 ||
        ops->fdatasync(self->data_dir->fd) < 0)
        return file_fail(err, "syncing the files", status_from_errno(errno));
    return STATUS_OK;
}
