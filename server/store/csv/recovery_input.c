/* How a recovery reads the two files, whatever the version of the journal. */
#include "recovery.h"

#include "clock.h"
#include "crc32c.h"
#include "log.h"

#include <inttypes.h>
#include <stdlib.h>

#define REPORT_MS 1000

_Static_assert(RECOVERY_WINDOW >= JOURNAL_RECORD_MAX, "a record fits");

enum status recovery_pause(struct recovery *self, struct errbuf *err)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (self->must_stop != NULL && self->must_stop()) {
        errbuf_set(err, "the recovery was stopped");
        return STATUS_STOPPED;
    }
    if (self->next_report_ms == 0)
        self->next_report_ms = now_ms + REPORT_MS;
    if (now_ms < self->next_report_ms)
        return STATUS_OK;
    self->next_report_ms = now_ms + REPORT_MS;
    uint64_t done = self->bytes_done < self->bytes_all ? self->bytes_done : self->bytes_all;
    LOG(INFO, "recover_store", IN_PROGRESS,
        LOG_UINT("percent", done / (self->bytes_all / 100 + 1)));
    return STATUS_OK;
}

enum status recovery_look(struct recovery *self, uint64_t at, size_t size, const uint8_t **bytes,
                          size_t *got, struct errbuf *err)
{
    struct recovery_window *window = &self->window;
    bool is_inside = at + size <= window->at + window->size || window->is_last;

    if (window->bytes == NULL || at < window->at || !is_inside) {
        if (window->bytes == NULL && (window->bytes = malloc(RECOVERY_WINDOW)) == NULL)
            return file_fail(err, JOURNAL_NAME, STATUS_NOMEM);
        enum status status = recovery_pause(self, err);
        if (status != STATUS_OK)
            return status;
        window->at = at;
        status = file_read(self->data_dir->ops, self->journal_fd, window->bytes, RECOVERY_WINDOW,
                           at, &window->size);
        if (status != STATUS_OK)
            return file_fail(err, JOURNAL_NAME, status);
        window->is_last = window->size < RECOVERY_WINDOW;
        self->bytes_done += window->size;
    }
    size_t there = window->at + window->size > at ? (size_t)(window->at + window->size - at) : 0;
    *got = size < there ? size : there;
    *bytes = window->bytes + (at - window->at);
    return STATUS_OK;
}

void recovery_mark_end(struct recovery *self, const char *file, uint64_t at, const char *what)
{
    errbuf_set(&self->reason, "%s: %s at byte %" PRIu64, file, what, at);
}

bool recovery_is_at_end(const struct recovery *self)
{
    return self->reason.text[0] != '\0';
}

enum status recovery_follow_bets(struct recovery *self, size_t size, uint32_t *crcs, size_t count,
                                 struct errbuf *err)
{
    uint8_t *piece = malloc(RECOVERY_WINDOW);
    enum status status = piece != NULL ? STATUS_OK : file_fail(err, BETS_NAME, STATUS_NOMEM);

    while (status == STATUS_OK && size > 0) {
        size_t want = size < RECOVERY_WINDOW ? size : RECOVERY_WINDOW;
        size_t got = 0;
        status =
            file_read(self->data_dir->ops, self->bets_fd, piece, want, self->extent.size, &got);
        if (status == STATUS_OK)
            status = bets_extent_append(&self->extent, piece, got);
        if (status != STATUS_OK) {
            (void)file_fail(err, BETS_NAME, status);
            break;
        }
        if (got < want) {
            recovery_mark_end(self, BETS_NAME, self->extent.size, "bets missing");
            break;
        }
        for (size_t i = 0; i < count; i++)
            crcs[i] = crc32c(crcs[i], piece, got);
        size -= got;
        self->bytes_done += got;
        status = recovery_pause(self, err);
    }
    free(piece);
    return status;
}

enum status recovery_refuse_damage(const struct recovery *self, struct errbuf *err)
{
    errbuf_set(err,
               "%s, although it was on disk before: restore the folder from a copy, or move it"
               " away to start over",
               self->reason.text);
    return STATUS_DAMAGED;
}

void recovery_fini(struct recovery *self)
{
    bets_extent_fini(&self->extent);
    free(self->window.bytes);
    self->window = (struct recovery_window){0};
}
