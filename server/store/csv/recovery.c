/* Reading a data directory.
 *
 * Happy path: take the newer header and the checkpoint, then the records that follow, in their
 * order, up to the first that is not valid.
 *
 * Failure modes: if a header or any valid record, also one further on, says that this place was on
 * disk before, it is damaged, and the opening is refused. Otherwise it is a torn tail, or the end.
 */
#include "recovery.h"

#include "crc32c.h"
#include "journal_file.h"
#include "journal_v1.h"

#include <string.h>

/* Follows the lines of a record: do they continue bets.csv, and are they what they were? *checksum,
 * that of their agency's bets, goes on over them. */
static enum status recovery_take_lines(struct recovery *self, const struct journal_record *record,
                                       uint32_t *checksum, struct errbuf *err)
{
    const uint8_t *bytes = NULL;
    size_t got = 0;
    enum status status;

    if (record->lines.at != self->extent.size ||
        record->draw.bets.offset != draw_received(self->draw, record->draw.bets.agency)) {
        recovery_mark_end(self, JOURNAL_NAME, record->mark.at,
                          "record that does not continue " BETS_NAME);
        return STATUS_OK;
    }
    if (record->has_lines) {
        status = recovery_look(self, record->mark.at + record->fixed_size, record->lines.size,
                               &bytes, &got, err);
        if (status == STATUS_OK && bets_extent_append(&self->extent, bytes, got) != STATUS_OK)
            status = file_fail(err, BETS_NAME, STATUS_NOMEM);
        if (status == STATUS_OK)
            *checksum = crc32c(*checksum, bytes, got);
    } else {
        status = recovery_follow_bets(self, record->lines.size, checksum, 1, err);
    }
    if (status == STATUS_OK && !recovery_is_at_end(self) && self->extent.crc != record->lines.crc)
        recovery_mark_end(self, record->has_lines ? JOURNAL_NAME : BETS_NAME,
                          record->has_lines ? record->mark.at : record->lines.at,
                          "checksum mismatch in the batch");
    return status;
}

static bool recovery_is_closing_right(const struct recovery *self,
                                      const struct journal_record *record)
{
    return record->draw.closed.extent == self->extent.size &&
           record->draw.closed.bets == self->draw->bets;
}

/* Does the number belong to the seal that there is, and is it said who gave it, where somebody
 * does? */
static bool recovery_is_drawing_right(const struct recovery *self,
                                      const struct journal_record *record)
{
    return memcmp(record->draw.drawn.root, self->draw->sealed.root, DRAW_ROOT_SIZE) == 0 &&
           record->is_long == journal_has_long_drawing(&self->draw->terms);
}

static bool recovery_fits(const struct recovery *self, const struct journal_record *record)
{
    if (record->draw.type == DRAW_CLOSING)
        return recovery_is_closing_right(self, record);
    return record->draw.type != DRAW_DRAWING || recovery_is_drawing_right(self, record);
}

/* Applies a valid record, or marks the end. */
static enum status recovery_take_record(struct recovery *self, const struct journal_record *record,
                                        struct errbuf *err)
{
    uint64_t bets_size = self->extent.size;
    uint32_t bets_crc = self->extent.crc;
    struct draw_record applied = record->draw;
    struct draw_outcome outcome = {.status = STATUS_INVALID};

    if (applied.type == DRAW_BETS) {
        applied.bets.checksum = draw_checksum(self->draw, applied.bets.agency);
        enum status status = recovery_take_lines(self, record, &applied.bets.checksum, err);
        if (status != STATUS_OK)
            return status;
    }
    if (!recovery_is_at_end(self) && recovery_fits(self, record))
        outcome = draw_apply(self->draw, &applied);
    if (outcome.status == STATUS_NOMEM)
        return file_fail(err, JOURNAL_NAME, STATUS_NOMEM);
    if (outcome.is_recorded)
        return STATUS_OK;
    if (!recovery_is_at_end(self))
        recovery_mark_end(self, JOURNAL_NAME, record->mark.at,
                          "record that the draw does not accept");
    bets_extent_cut(&self->extent, bets_size, bets_crc);
    return STATUS_OK;
}

static void recovery_note_mark(struct recovery *self, const struct journal_mark *mark)
{
    if (mark->synced > self->synced)
        self->synced = mark->synced;
    if (mark->bets_synced > self->bets_synced)
        self->bets_synced = mark->bets_synced;
}

/* Reads the record at `at`; size 0 when there is no valid one. */
static enum status recovery_look_at_record(struct recovery *self, uint64_t at,
                                           struct journal_record *out, struct errbuf *err)
{
    const uint8_t *bytes = NULL;
    size_t got = 0;

    out->size = 0;
    enum status status = recovery_look(self, at, JOURNAL_FIXED_MAX, &bytes, &got, err);
    if (status == STATUS_OK && journal_decode(bytes, got, self->header.stamp, at, out) &&
        out->size > self->journal_size - at)
        out->size = 0; /* cut off */
    return status;
}

static enum status recovery_take_records(struct recovery *self, struct errbuf *err)
{
    struct journal_record record;

    for (self->journal_end = self->checkpoint_end;; self->journal_end += record.size) {
        enum status status = recovery_look_at_record(self, self->journal_end, &record, err);
        if (status != STATUS_OK)
            return status;
        if (record.size == 0) {
            recovery_mark_end(self, JOURNAL_NAME, self->journal_end, "no valid record");
            return STATUS_OK;
        }
        recovery_note_mark(self, &record.mark);
        status = recovery_take_record(self, &record, err);
        if (status != STATUS_OK || recovery_is_at_end(self))
            return status;
    }
}

/* After the valid part: where do the zeros of the reserve begin, and does a record say that what is
 * not valid was on disk? */
static enum status recovery_take_rest(struct recovery *self, struct errbuf *err)
{
    struct journal_record record;

    self->journal_used = self->journal_end;
    for (uint64_t at = self->journal_end; at < self->journal_size; at += 8) {
        const uint8_t *bytes = NULL;
        size_t got = 0;
        enum status status = recovery_look(self, at, JOURNAL_FIXED_MAX, &bytes, &got, err);
        if (status != STATUS_OK)
            return status;
        if (journal_decode(bytes, got, self->header.stamp, at, &record))
            recovery_note_mark(self, &record.mark);
        for (size_t i = 0; i < 8 && i < got; i++)
            self->journal_used = bytes[i] != 0 ? at + i + 1 : self->journal_used;
    }
    return STATUS_OK;
}

static enum status recovery_read_version_2(struct recovery *self, struct errbuf *err)
{
    enum status status = journal_file_load(self->data_dir->ops, self->journal_fd, &self->header,
                                           self->draw, &self->extent, &self->checkpoint_end, err);
    if (status != STATUS_OK)
        return status;
    self->at_checkpoint = (struct bets_extent){.size = self->extent.size, .crc = self->extent.crc};
    self->bytes_all = self->journal_size;
    if (self->bets_size < self->extent.size) {
        recovery_mark_end(self, BETS_NAME, self->bets_size, "bets missing");
        return recovery_refuse_damage(self, err);
    }
    self->bytes_all += self->bets_size - self->extent.size;
    self->synced =
        self->header.synced > self->checkpoint_end ? self->header.synced : self->checkpoint_end;
    self->bets_synced =
        self->header.bets_synced > self->extent.size ? self->header.bets_synced : self->extent.size;
    status = recovery_take_records(self, err);
    if (status == STATUS_OK)
        status = recovery_take_rest(self, err);
    if (status == STATUS_OK &&
        (self->journal_end < self->synced || self->extent.size < self->bets_synced))
        status = recovery_refuse_damage(self, err);
    return status;
}

enum status recovery_read(struct recovery *self, struct errbuf *err)
{
    const struct file_ops *ops = self->data_dir->ops;

    enum status status = file_size(ops, self->bets_fd, &self->bets_size);
    if (status == STATUS_OK)
        status = file_size(ops, self->journal_fd, &self->journal_size);
    if (status != STATUS_OK)
        return file_fail(err, "the files' sizes", status);
    status = journal_v1_read(self, err);
    if (status == STATUS_OK && !self->is_version_1)
        status = recovery_read_version_2(self, err);
    return status;
}
