/* The data folder: create, lock, recover.
 *
 * Happy path: open the folder, take its lock, open the journal and bets.csv (or create both),
 * read the newer header, replay the journal, check winners.csv if the draw took place, cut what
 * follows the valid part, rewrite what is not known to be on disk, sync, and note in the header
 * that all of it is on disk.
 *
 * Failure modes: another server holds the lock (one that is dying gets a second to end); data that
 * is known to have been on disk is damaged; there is a bets.csv but no journal, so it is not ours;
 * a file operation fails. Each of these makes the opening fail with a reason and leaves the files
 * as they were.
 */
#include "data_dir.h"

#include "clock.h"
#include "journal.h"
#include "replay.h"
#include "winners_csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define JOURNAL_TEMPORARY JOURNAL_NAME ".new"
#define REWRITE_SIZE ((size_t)64 * 1024)
#define LOCK_WAIT_MS 1000
#define LOCK_TRY_MS 20

static enum status data_dir_fail(struct errbuf *err, const char *name, int error)
{
    errbuf_set(err, "%s: %s", name, strerror(error));
    return status_from_errno(error);
}

enum status store_files_open(const struct data_dir *data_dir, struct store_files *out,
                             struct errbuf *err)
{
    int bets_fd = data_dir->ops->openat(data_dir->dir_fd, BETS_NAME, O_RDWR, 0);
    if (bets_fd < 0)
        return data_dir_fail(err, BETS_NAME, errno);
    int journal_fd = data_dir->ops->openat(data_dir->dir_fd, JOURNAL_NAME, O_RDWR, 0);
    if (journal_fd < 0) {
        enum status status = data_dir_fail(err, JOURNAL_NAME, errno);
        (void)close(bets_fd);
        return status;
    }
    *out = (struct store_files){data_dir->ops, bets_fd, journal_fd};
    return STATUS_OK;
}

void store_files_close(struct store_files *files)
{
    (void)close(files->bets_fd);
    (void)close(files->journal_fd);
}

/* The journal's write-back is started first, so that the bytes of both files go to the disk at the
 * same time. Because space in the journal is reserved in advance (see group.c), its own sync then
 * has almost nothing left to do. */
enum status store_files_sync(const struct store_files *files)
{
    files->ops->start_write(files->journal_fd);
    if (files->ops->fdatasync(files->bets_fd) < 0 || files->ops->fdatasync(files->journal_fd) < 0)
        return STATUS_IO;
    return STATUS_OK;
}

static enum status data_dir_write_header(const struct file_ops *ops, int fd, uint64_t id,
                                         uint64_t writes, uint64_t synced)
{
    uint64_t at = writes % 2 == 0 ? 0 : JOURNAL_HEADER_B;
    struct journal_record header = {
        .type = JOURNAL_HEADER, .received = writes, .synced = synced, .at = at, .id = id};
    uint8_t bytes[JOURNAL_RECORD_SIZE];
    struct iovec part = {bytes, sizeof(bytes)};

    journal_encode(&header, bytes);
    return file_write(ops, fd, &part, 1, at);
}

enum status store_header_write(const struct store_files *files, struct state *state)
{
    return data_dir_write_header(files->ops, files->journal_fd, state->id, ++state->header_writes,
                                 atomic_load(&state->synced));
}

static uint64_t data_dir_new_id(void)
{
    return (uint64_t)clock_random() << 32 | clock_random();
}

/* The journal gets its name only when it is complete and on disk. */
static enum status data_dir_create_journal(const struct file_ops *ops, int dir_fd,
                                           struct errbuf *err)
{
    static const uint8_t zeros[JOURNAL_START];
    uint64_t id = data_dir_new_id();

    int fd = ops->openat(dir_fd, JOURNAL_TEMPORARY, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return data_dir_fail(err, JOURNAL_TEMPORARY, errno);
    struct iovec part = {(void *)(uintptr_t)zeros, sizeof(zeros)};
    enum status status = file_write(ops, fd, &part, 1, 0);
    for (uint64_t writes = 0; status == STATUS_OK && writes < 2; writes++)
        status = data_dir_write_header(ops, fd, id, writes, JOURNAL_START);
    if (status == STATUS_OK && ops->fdatasync(fd) < 0)
        status = STATUS_IO;
    (void)close(fd);
    if (status != STATUS_OK) {
        errbuf_set(err, JOURNAL_TEMPORARY ": %s", status_text(status));
        return status;
    }
    if (ops->renameat(dir_fd, JOURNAL_TEMPORARY, JOURNAL_NAME) < 0)
        return data_dir_fail(err, JOURNAL_NAME, errno);
    return STATUS_OK; /* data_dir_settle() syncs the folder, now or at the next start */
}

/* Creates the files of a folder without a journal, if it has no bets either. */
static enum status data_dir_create(const struct file_ops *ops, int dir_fd, struct errbuf *err)
{
    uint64_t size = 0;

    int fd = ops->openat(dir_fd, BETS_NAME, O_RDWR | O_CREAT, 0644);
    if (fd < 0)
        return data_dir_fail(err, BETS_NAME, errno);
    enum status status = file_size(ops, fd, &size);
    (void)close(fd);
    if (status == STATUS_OK && size > 0) {
        errbuf_set(err,
                   BETS_NAME " has bets but " JOURNAL_NAME
                             " is missing: restore it, or move " BETS_NAME " away to start over");
        return STATUS_DAMAGED;
    }
    if (status != STATUS_OK) {
        errbuf_set(err, BETS_NAME ": %s", status_text(status));
        return status;
    }
    return data_dir_create_journal(ops, dir_fd, err);
}

/* Reads both headers and takes the newer valid one. */
static enum status data_dir_read_header(const struct file_ops *ops, int fd,
                                        struct journal_record *out, struct errbuf *err)
{
    bool is_found = false;

    for (int i = 0; i < 2; i++) {
        uint64_t at = i == 0 ? 0 : JOURNAL_HEADER_B;
        uint8_t bytes[JOURNAL_RECORD_SIZE];
        struct journal_record header;
        size_t size;
        enum status status = file_read(ops, fd, bytes, sizeof(bytes), at, &size);
        if (status != STATUS_OK) {
            errbuf_set(err, JOURNAL_NAME ": %s", status_text(status));
            return status;
        }
        if (size == sizeof(bytes) && journal_decode(bytes, &header) &&
            header.type == JOURNAL_HEADER && header.at == at &&
            (!is_found || header.received > out->received)) {
            *out = header;
            is_found = true;
        }
    }
    if (!is_found) {
        errbuf_set(err,
                   JOURNAL_NAME ": no valid header at byte 0 or %d: restore the folder from"
                                " a copy, or move it away to start over",
                   JOURNAL_HEADER_B);
        return STATUS_DAMAGED;
    }
    return STATUS_OK;
}

/* Reads the files of a folder into a new state. Changes nothing on disk. */
static enum status data_dir_load(const struct store_files *files, int dir_fd, uint32_t agencies,
                                 struct state **out, struct replay *replay, struct errbuf *err)
{
    struct journal_record header = {0};
    struct state *state = NULL;

    enum status status = data_dir_read_header(files->ops, files->journal_fd, &header, err);
    if (status != STATUS_OK)
        return status;
    status = state_create(agencies, &state);
    if (status != STATUS_OK) {
        errbuf_set(err, "%s", status_text(status));
        return status;
    }
    state->id = header.id;
    state->header_writes = header.received;
    *replay = (struct replay){.ops = files->ops,
                              .bets_fd = files->bets_fd,
                              .journal_fd = files->journal_fd,
                              .state = state,
                              .journal_at = JOURNAL_START,
                              .synced = header.synced};
    status = replay_run(replay, err);
    if (status == STATUS_OK && replay->has_draw)
        status = winners_csv_check(files->ops, dir_fd, &replay->draw, err);
    if (status != STATUS_OK) {
        state_destroy(state);
        return status;
    }
    atomic_store(&state->bets_size, replay->bets_end);
    atomic_store(&state->journal_size, replay->journal_end);
    atomic_store(&state->journal_capacity, replay->journal_size);
    replay_publish(replay);
    *out = state;
    return STATUS_OK;
}

static void data_dir_fill_report(const struct replay *replay, struct store_report *report)
{
    *report = (struct store_report){
        .bets = replay->bets,
        .bets_bytes = replay->bets_end,
        .journal_bytes = replay->journal_end,
        .bets_cut = replay->bets_size - replay->bets_end,
        .journal_cut = replay->journal_used - replay->journal_end,
        .finished = atomic_load(&replay->state->finished),
        .has_draw = atomic_load(&replay->state->has_draw) != 0,
        .winner_number = replay->state->draw.count,
        .winners = replay->state->draw.received,
    };
}

/* Rewrites the bytes of a file from `at` to `end` unchanged. */
static enum status data_dir_rewrite(const struct file_ops *ops, int fd, uint64_t at, uint64_t end)
{
    static uint8_t bytes[REWRITE_SIZE];
    enum status status = STATUS_OK;

    while (status == STATUS_OK && at < end) {
        size_t size = end - at < sizeof(bytes) ? (size_t)(end - at) : sizeof(bytes);
        struct iovec part = {bytes, size};
        size_t got = 0;
        status = file_read(ops, fd, bytes, size, at, &got);
        if (status == STATUS_OK && got < size)
            status = STATUS_IO;
        if (status == STATUS_OK)
            status = file_write(ops, fd, &part, 1, at);
        at += size;
    }
    return status;
}

/* Finds where the first batch starts that is not known to be on disk. */
static enum status data_dir_unsynced_bets(const struct store_files *files,
                                          const struct replay *replay, uint64_t *out)
{
    *out = replay->bets_end;
    for (uint64_t at = replay->synced; at < replay->journal_end; at += JOURNAL_RECORD_SIZE) {
        uint8_t bytes[JOURNAL_RECORD_SIZE];
        struct journal_record record;
        size_t size;
        enum status status =
            file_read(files->ops, files->journal_fd, bytes, sizeof(bytes), at, &size);
        if (status != STATUS_OK)
            return status;
        if (size < sizeof(bytes) || !journal_decode(bytes, &record))
            return STATUS_IO; /* it was valid a moment ago */
        if (record.type == JOURNAL_BETS) {
            *out = record.data_at;
            break;
        }
    }
    return STATUS_OK;
}

/* After a failed sync the kernel may treat data as written that never reached the disk, and another
 * sync would report no error. Only writing the data again makes the kernel try again. */
static enum status data_dir_rewrite_unsynced(const struct store_files *files,
                                             const struct replay *replay)
{
    uint64_t bets_at;

    enum status status = data_dir_unsynced_bets(files, replay, &bets_at);
    if (status == STATUS_OK)
        status = data_dir_rewrite(files->ops, files->bets_fd, bets_at, replay->bets_end);
    if (status == STATUS_OK)
        status =
            data_dir_rewrite(files->ops, files->journal_fd, replay->synced, replay->journal_end);
    return status;
}

/* Cuts the torn tail and syncs everything that was found, before anything builds on it. This
 * includes the folder: the process that created the files may have died before their names were on
 * disk. */
static enum status data_dir_settle(const struct store_files *files, int dir_fd, struct state *state,
                                   const struct replay *replay, const struct store_report *report,
                                   struct errbuf *err)
{
    const struct file_ops *ops = files->ops;

    if ((report->bets_cut > 0 && ops->ftruncate(files->bets_fd, (off_t)report->bets_bytes) < 0) ||
        (report->journal_cut > 0 &&
         ops->ftruncate(files->journal_fd, (off_t)report->journal_bytes) < 0))
        return data_dir_fail(err, "cutting the torn tail", errno);
    if (report->journal_cut > 0)
        atomic_store(&state->journal_capacity, report->journal_bytes);
    enum status status = data_dir_rewrite_unsynced(files, replay);
    if (status != STATUS_OK) {
        errbuf_set(err, "rewriting what may not be on disk: %s", status_text(status));
        return status;
    }
    if (store_files_sync(files) != STATUS_OK || ops->fdatasync(dir_fd) < 0)
        return data_dir_fail(err, "syncing the files", errno);
    atomic_store(&state->synced, report->journal_bytes);
    status = store_header_write(files, state);
    if (status != STATUS_OK)
        errbuf_set(err, JOURNAL_NAME ": %s", status_text(status));
    else if (ops->fdatasync(files->journal_fd) < 0)
        status = data_dir_fail(err, JOURNAL_NAME, errno);
    return status;
}

static enum status data_dir_recover(struct data_dir *data_dir, uint32_t agencies,
                                    struct store_report *report, struct errbuf *err)
{
    struct store_files files = {data_dir->ops, -1, -1};
    struct replay replay;

    int fd = data_dir->ops->openat(data_dir->dir_fd, JOURNAL_NAME, O_RDWR, 0);
    if (fd >= 0) {
        (void)close(fd);
    } else if (errno != ENOENT) {
        return data_dir_fail(err, JOURNAL_NAME, errno);
    } else {
        enum status status = data_dir_create(data_dir->ops, data_dir->dir_fd, err);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = store_files_open(data_dir, &files, err);
    if (status != STATUS_OK)
        return status == STATUS_NOTFOUND ? STATUS_DAMAGED : status;
    status = data_dir_load(&files, data_dir->dir_fd, agencies, &data_dir->state, &replay, err);
    if (status == STATUS_OK) {
        data_dir_fill_report(&replay, report);
        status = data_dir_settle(&files, data_dir->dir_fd, data_dir->state, &replay, report, err);
    }
    store_files_close(&files);
    return status;
}

/* Waits a moment for the lock: after a server is killed, its children die soon, but hold the lock
 * until then. */
static enum status data_dir_take_lock(int fd, int kind, struct errbuf *err)
{
    for (int waited_ms = 0;; waited_ms += LOCK_TRY_MS) {
        if (flock(fd, kind | LOCK_NB) == 0)
            return STATUS_OK;
        if (errno != EWOULDBLOCK || waited_ms >= LOCK_WAIT_MS)
            break;
        (void)usleep(LOCK_TRY_MS * 1000);
    }
    if (errno == EWOULDBLOCK) {
        errbuf_set(err, LOCK_NAME ": another server works on this folder");
        return STATUS_INUSE;
    }
    return data_dir_fail(err, LOCK_NAME, errno);
}

enum status data_dir_open(const char *dir, uint32_t agencies, const struct file_ops *ops,
                          struct data_dir **out, struct store_report *report, struct errbuf *err)
{
    struct data_dir *data_dir = calloc(1, sizeof(*data_dir));
    enum status status;

    if (data_dir == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    data_dir->ops = ops;
    data_dir->dir_fd = ops->openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    if (data_dir->dir_fd < 0) {
        status = status_from_errno(errno);
        errbuf_set(err, "%s", strerror(errno));
        goto err_free;
    }
    data_dir->lock_fd = ops->openat(data_dir->dir_fd, LOCK_NAME, O_RDWR | O_CREAT, 0644);
    if (data_dir->lock_fd < 0) {
        status = data_dir_fail(err, LOCK_NAME, errno);
        goto err_close_dir;
    }
    status = data_dir_take_lock(data_dir->lock_fd, LOCK_EX, err);
    if (status == STATUS_OK)
        status = data_dir_recover(data_dir, agencies, report, err);
    if (status != STATUS_OK)
        goto err_close_lock;
    *out = data_dir;
    return STATUS_OK;

err_close_lock:
    state_destroy(data_dir->state);
    (void)close(data_dir->lock_fd);
err_close_dir:
    (void)close(data_dir->dir_fd);
err_free:
    free(data_dir);
    errbuf_wrap(err, "data folder %s", dir);
    return status;
}

/* Cuts the journal's reserved space and notes that everything is on disk. Without this the next
 * start only has less to check against, so failures are ignored. */
static void data_dir_note_end(struct data_dir *data_dir)
{
    struct store_files files = {data_dir->ops, -1, -1};
    uint64_t journal_size = atomic_load(&data_dir->state->journal_size);

    if (store_files_open(data_dir, &files, NULL) != STATUS_OK)
        return;
    (void)data_dir->ops->ftruncate(files.journal_fd, (off_t)journal_size);
    if (store_files_sync(&files) == STATUS_OK) {
        state_raise_synced(data_dir->state, journal_size);
        if (store_header_write(&files, data_dir->state) == STATUS_OK)
            (void)data_dir->ops->fdatasync(files.journal_fd);
    }
    store_files_close(&files);
}

void data_dir_close(struct data_dir *data_dir)
{
    if (data_dir == NULL)
        return;
    struct state *state = data_dir->state;
    bool has_died;

    /* If a process died during a commit, only a recovery can tell where the files end. After a
     * failed sync, the success of another sync would prove nothing. */
    state_lock(state, &has_died);
    if (!has_died && atomic_load(&state->sync_failed) == 0)
        data_dir_note_end(data_dir);
    state_unlock(state);
    state_destroy(data_dir->state);
    (void)close(data_dir->lock_fd);
    (void)close(data_dir->dir_fd);
    free(data_dir);
}

/* Files that a server is writing would look damaged. The lock is released at once, so that a server
 * can start during the check. */
static enum status data_dir_check_lock(const struct file_ops *ops, int dir_fd, struct errbuf *err)
{
    int fd = ops->openat(dir_fd, LOCK_NAME, O_RDONLY, 0);
    if (fd < 0)
        return errno == ENOENT ? STATUS_OK : data_dir_fail(err, LOCK_NAME, errno);
    enum status status = data_dir_take_lock(fd, LOCK_SH, err);
    (void)close(fd);
    return status;
}

enum status data_dir_check(const char *dir, uint32_t agencies, const struct file_ops *ops,
                           struct store_report *report, uint64_t *received, bool *has_finished,
                           struct errbuf *err)
{
    struct store_files files = {.ops = ops, .bets_fd = -1, .journal_fd = -1};
    struct state *state = NULL;
    struct replay replay;

    int dir_fd = ops->openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
    if (dir_fd < 0) {
        errbuf_set(err, "%s", strerror(errno));
        return status_from_errno(errno);
    }
    enum status status = data_dir_check_lock(ops, dir_fd, err);
    if (status == STATUS_OK) {
        files.bets_fd = ops->openat(dir_fd, BETS_NAME, O_RDONLY, 0);
        if (files.bets_fd < 0)
            status = data_dir_fail(err, BETS_NAME, errno);
    }
    if (status == STATUS_OK) {
        files.journal_fd = ops->openat(dir_fd, JOURNAL_NAME, O_RDONLY, 0);
        if (files.journal_fd < 0)
            status = data_dir_fail(err, JOURNAL_NAME, errno);
    }
    if (status == STATUS_OK)
        status = data_dir_load(&files, dir_fd, agencies, &state, &replay, err);
    if (status == STATUS_OK) {
        data_dir_fill_report(&replay, report);
        for (uint32_t i = 1; i <= agencies; i++) {
            if (received != NULL)
                received[i] = atomic_load(&state->agency[i].received);
            if (has_finished != NULL)
                has_finished[i] = atomic_load(&state->agency[i].has_finished) != 0;
        }
    }
    state_destroy(state);
    if (files.journal_fd >= 0)
        (void)close(files.journal_fd);
    if (files.bets_fd >= 0)
        (void)close(files.bets_fd);
    (void)close(dir_fd);
    return status;
}
