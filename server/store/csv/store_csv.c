/* The embedded store.
 *
 * Happy path: open the files (or create them), recover, begin a new journal file; from
 * then on commit.c does the work. At a clean stop the last checkpoint has everything.
 *
 * Failure modes: what was on disk is damaged, or there is a bets.csv without a journal, so that it
 * is not ours: refused, and nothing is changed. The disk has no space for a new journal file: the
 * recovered one goes on. Anything else ends the opening, and a later one goes on.
 */
#include "store_csv.h"

#include "bets_csv.h"
#include "bets_scan.h"
#include "commit.h"
#include "crc32c.h"
#include "log.h"
#include "recovery.h"
#include "seal_files.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLD_AGENCIES_MAX 10000 /* what a check takes for N in a folder of version 1 */

_Static_assert(sizeof(off_t) == 8, "files may be larger than 2 GiB");

static void store_csv_close(struct store *store)
{
    struct commit *commit = commit_of(store);
    bool has_news = commit->journal_size > commit->checkpoint_end || commit->must_checkpoint;
    bool is_draw_ahead = commit->is_draw_ahead || commit_has_group(commit);

    /* A checkpoint would make what was not committed durable. */
    if (!is_draw_ahead && has_news && commit_checkpoint(commit, NULL) != STATUS_OK)
        (void)commit_maintain(store, true, NULL);
    commit_fini(commit);
    free(commit);
}

static const struct store_backend csv_backend = {
    .append = commit_append,
    .commit = commit_group,
    .maintain = commit_maintain,
    .skip = bets_csv_skip,
    .open_files = commit_open_files,
    .publish_files = commit_publish_files,
    .snapshot = commit_snapshot,
    .close = store_csv_close,
};

const struct store_encoding store_csv_encoding = {BET_LINE_MAX, bet_lines_format};

/* Opens both files, with `mode` O_RDWR or O_RDONLY. *journal_fd stays -1 when there is none and the
 * folder may be new. */
static enum status store_csv_open_files(const struct data_dir *data_dir, int mode, bool must_exist,
                                        int *bets_fd, int *journal_fd, struct errbuf *err)
{
    *journal_fd = data_dir_open_file(data_dir, JOURNAL_NAME, mode);
    if (*journal_fd < 0 && errno == ENOENT && must_exist) {
        errbuf_set(err, JOURNAL_NAME " was removed: restore the folder from a copy");
        return STATUS_DAMAGED;
    }
    if (*journal_fd < 0 && (errno != ENOENT || mode == O_RDONLY)) {
        errbuf_set(err, JOURNAL_NAME ": %s", strerror(errno));
        return status_from_errno(errno);
    }
    *bets_fd = data_dir_open_file(data_dir, BETS_NAME, *journal_fd < 0 ? mode | O_CREAT : mode);
    if (*bets_fd < 0) {
        errbuf_set(err, BETS_NAME ": %s", strerror(errno));
        return errno == ENOENT ? STATUS_DAMAGED : status_from_errno(errno);
    }
    return STATUS_OK;
}

/* Notes which files are open. */
static enum status store_csv_identify_files(struct commit *commit, struct errbuf *err)
{
    const struct file_ops *ops = commit->data_dir->ops;

    enum status status = file_identify(ops, commit->bets_fd, &commit->bets_id);
    if (status == STATUS_OK && commit->journal_fd >= 0)
        status = file_identify(ops, commit->journal_fd, &commit->journal_id);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, "the files' identity", status);
}

/* A folder without a journal is new, if it has no bets either. */
static enum status store_csv_begin_folder(const struct commit *commit, struct errbuf *err)
{
    uint64_t size;

    enum status status = file_size(commit->data_dir->ops, commit->bets_fd, &size);
    if (status != STATUS_OK)
        return file_fail(err, BETS_NAME, status);
    if (size > 0) {
        errbuf_set(err,
                   BETS_NAME " has bets but " JOURNAL_NAME
                             " is missing: restore it, or move " BETS_NAME " away to start over");
        return STATUS_DAMAGED;
    }
    if (commit->data_dir->ops->fdatasync(commit->data_dir->fd) < 0)
        return file_fail(err, "syncing the folder", status_from_errno(errno));
    return STATUS_OK;
}

static void store_csv_fill_report(const struct recovery *recovery, struct store_csv_report *report)
{
    uint64_t size = recovery->extent.size;

    *report = (struct store_csv_report){
        .bets_torn = recovery->bets_size > size ? recovery->bets_size - size : 0,
        .journal_torn = recovery->journal_used - recovery->journal_end,
        .bets_size = size,
        .is_carried_over = recovery->is_version_1};
}

/* The recovered files are what is committed. */
static void store_csv_take_recovered(struct commit *commit, struct recovery *recovery)
{
    commit->extent = recovery->extent;
    recovery->extent = (struct bets_extent){0};
    commit->header = recovery->header;
    commit->bets_size = commit->bets_synced = commit->extent.size;
    commit->bets_crc = commit->extent.crc;
    commit->journal_size = commit->bets_sync_at = recovery->journal_end;
    commit->capacity = recovery->journal_size;
    commit->checkpoint_bets = recovery->at_checkpoint.size;
    commit->checkpoint_end = recovery->checkpoint_end;
    commit->must_checkpoint = commit->draw->phase >= DRAW_CLOSED;
}

static enum status store_csv_recover(struct commit *commit, const struct store_csv_config *config,
                                     struct store_csv_report *report, struct errbuf *err)
{
    struct recovery recovery = {.data_dir = config->data_dir,
                                .bets_fd = commit->bets_fd,
                                .journal_fd = commit->journal_fd,
                                .must_stop = config->must_stop,
                                .opened = config->opened,
                                .draw = commit->draw};

    enum status status = recovery_read(&recovery, err);
    if (status == STATUS_OK) {
        store_csv_fill_report(&recovery, report);
        status = recovery_settle(&recovery, err);
    }
    if (status == STATUS_OK)
        store_csv_take_recovered(commit, &recovery);
    recovery_fini(&recovery);
    return status;
}

/* Opens or creates all of it. */
static enum status store_csv_open_commit(struct commit *commit,
                                         const struct store_csv_config *config,
                                         struct store_csv_report *report, struct errbuf *err)
{
    const struct data_dir *data_dir = config->data_dir;

    *report = (struct store_csv_report){0};
    enum status status = store_csv_open_files(data_dir, O_RDWR, config->must_exist,
                                              &commit->bets_fd, &commit->journal_fd, err);
    if (status == STATUS_OK)
        status = store_csv_identify_files(commit, err);
    if (status != STATUS_OK)
        return status;
    bool is_new = commit->journal_fd < 0;
    status = is_new ? store_csv_begin_folder(commit, err)
                    : store_csv_recover(commit, config, report, err);
    if (status != STATUS_OK)
        return status;
    status = commit_checkpoint(commit, err);
    if (status == STATUS_NOSPACE && !is_new && !report->is_carried_over) {
        LOG(WARNING, "recover_store", IN_PROGRESS, LOG_TEXT("reason", err->text));
        status = STATUS_OK;
    }
    if (status != STATUS_OK)
        return status == STATUS_UNCERTAIN ? STATUS_IO : status;
    (void)data_dir->ops->unlinkat(data_dir->fd, DATA_DIR_OLD_LOCK); /* rarely there */
    return STATUS_OK;
}

enum status store_csv_open(const struct store_csv_config *config, struct draw *draw,
                           struct store **out, struct store_csv_report *report, struct errbuf *err)
{
    struct commit *self = malloc(sizeof(*self));
    struct errbuf reason = {{0}};

    if (self == NULL)
        return file_fail(err, "the store", STATUS_NOMEM);
    *self =
        (struct commit){.store.backend = &csv_backend,
                        .data_dir = config->data_dir,
                        .limits = config->limits != NULL ? config->limits : &commit_limits_usual,
                        .draw = draw,
                        .bets_fd = -1,
                        .journal_fd = -1};
    enum status status = store_csv_open_commit(self, config, report, &reason);
    if (status != STATUS_OK) {
        errbuf_set(err, "%s", reason.text);
        commit_fini(self);
        free(self);
        return status;
    }
    LOG(INFO, "recover_store", SUCCESS, LOG_UINT("bets", draw->bets),
        LOG_UINT("finished", draw->finished),
        LOG_TEXT("draw", draw->phase == DRAW_DRAWN ? "yes" : "no"));
    *out = &self->store;
    return STATUS_OK;
}

static enum status store_csv_ignore_winner(void *owner, const struct winner *winner)
{
    (void)owner;
    (void)winner;
    return STATUS_OK;
}

/* Verifies what bets.csv had at the checkpoint; what came later was verified with its records. */
static enum status store_csv_check_bets(const struct recovery *recovery, struct errbuf *err)
{
    struct bets_extent extent = recovery->at_checkpoint;
    struct bets_scan scan = {.data_dir = recovery->data_dir,
                             .extent = &extent,
                             .winner_number = recovery->draw->winner_number,
                             .parts = 1,
                             .on_winner = store_csv_ignore_winner};

    extent.crcs = recovery->extent.crcs;
    return recovery->is_version_1 ? STATUS_OK : bets_scan_run(&scan, err);
}

/* Version 1 had no index. */
static enum status store_csv_check_old_winners(const struct data_dir *data_dir,
                                               const struct draw_drawn *drawn, struct errbuf *err)
{
    static uint8_t piece[64 * 1024];
    uint64_t done = 0;
    uint32_t crc = 0;
    size_t got = sizeof(piece);
    enum status status = STATUS_OK;

    int fd = data_dir_open_file(data_dir, WINNERS_NAME, O_RDONLY);
    if (fd < 0)
        return file_fail(err, WINNERS_NAME, status_from_errno(errno));
    for (; status == STATUS_OK && got == sizeof(piece); done += got) {
        status = file_read(data_dir->ops, fd, piece, sizeof(piece), done, &got);
        crc = status == STATUS_OK ? crc32c(crc, piece, got) : crc;
    }
    (void)close(fd);
    if (status == STATUS_OK && (done != drawn->winners_size || crc != drawn->winners_crc)) {
        errbuf_set(err, WINNERS_NAME ": not what was drawn: it ends at byte %" PRIu64, done);
        return STATUS_DAMAGED;
    }
    return status == STATUS_OK ? status : file_fail(err, WINNERS_NAME, status);
}

static enum status store_csv_check_file(const struct data_dir *data_dir, const char *name,
                                        struct errbuf *err)
{
    uint64_t size;
    int fd;

    enum status status = file_open(data_dir->ops, data_dir->fd, name, &fd, &size, err);
    if (status == STATUS_OK)
        (void)close(fd);
    return status;
}

/* The files of a seal get their names before it is recorded; the result is written after the record
 * of the draw, and may still be missing. */
static enum status store_csv_check_seal(const struct data_dir *data_dir, const struct draw *draw,
                                        struct store_csv_report *report, struct errbuf *err)
{
    struct errbuf reason = {{0}};

    if (!draw->is_sealed)
        return STATUS_OK;
    enum status status = store_csv_check_file(data_dir, SEAL_NAME, err);
    if (status == STATUS_OK)
        status = store_csv_check_file(data_dir, SEAL_LEAVES_NAME, err);
    if (status != STATUS_OK || draw->phase != DRAW_DRAWN)
        return status;
    status = store_csv_check_file(data_dir, RESULT_NAME, &reason);
    report->lacks_result = status == STATUS_NOTFOUND;
    if (status != STATUS_OK && status != STATUS_NOTFOUND) {
        errbuf_set(err, "%s", reason.text);
        return status;
    }
    return STATUS_OK;
}

enum status store_csv_check(const struct data_dir *data_dir, struct draw *draw,
                            struct store_csv_report *report, struct errbuf *err)
{
    struct recovery recovery = {.data_dir = data_dir,
                                .bets_fd = -1,
                                .journal_fd = -1,
                                .opened.agencies = OLD_AGENCIES_MAX,
                                .draw = draw};

    enum status status = store_csv_open_files(data_dir, O_RDONLY, false, &recovery.bets_fd,
                                              &recovery.journal_fd, err);
    if (status == STATUS_OK)
        status = recovery_read(&recovery, err);
    if (status == STATUS_OK) {
        store_csv_fill_report(&recovery, report);
        status = store_csv_check_bets(&recovery, err);
    }
    if (status == STATUS_OK && draw->phase == DRAW_DRAWN)
        status = recovery.is_version_1 ? store_csv_check_old_winners(data_dir, &draw->drawn, err)
                                       : winner_files_check(data_dir->ops, data_dir->fd,
                                                            draw->agencies, &draw->drawn, err);
    if (status == STATUS_OK)
        status = store_csv_check_seal(data_dir, draw, report, err);
    if (recovery.bets_fd >= 0)
        (void)close(recovery.bets_fd);
    if (recovery.journal_fd >= 0)
        (void)close(recovery.journal_fd);
    recovery_fini(&recovery);
    return status;
}
