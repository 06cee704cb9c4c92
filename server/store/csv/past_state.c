/* Reading a draw that is over.
 *
 * Happy path: the last checkpoint is of the draw as it ended, as a clean stop leaves it. If the
 * server was killed after the draw, the checkpoint is that of the closing, which is there before
 * anybody draws, and a few records follow it.
 *
 * Failure modes: the draw is not closed in the last checkpoint, so it was not drawn. The journal is
 * damaged, or is one of the first format, which has to be carried over before.
 */
#include "past_state.h"

#include "bets_extent.h"
#include "journal_file.h"
#include "recovery.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* A symbolic link in the place of a file is not ours. */
static enum status past_state_open(const struct data_dir *data_dir, const char *name, int *fd,
                                   struct errbuf *err)
{
    *fd = data_dir_open_file(data_dir, name, O_RDONLY);
    if (*fd >= 0)
        return STATUS_OK;
    errbuf_set(err, "%s: %s", name, strerror(errno));
    return errno == ELOOP ? STATUS_DAMAGED : status_from_errno(errno);
}

static enum status past_state_read_checkpoint(const struct data_dir *data_dir, struct draw *draw,
                                              struct errbuf *err)
{
    struct journal_header header;
    struct bets_extent extent = {0};
    uint64_t end;
    int fd;

    enum status status = past_state_open(data_dir, JOURNAL_NAME, &fd, err);
    if (status != STATUS_OK)
        return status;
    status = journal_file_load(data_dir->ops, fd, &header, draw, &extent, &end, err);
    (void)close(fd);
    bets_extent_fini(&extent);
    return status;
}

/* Reads the checkpoint once more, and the records after it. No bets come after a closing. */
static enum status past_state_read_records(const struct data_dir *data_dir, struct draw *draw,
                                           struct errbuf *err)
{
    struct recovery recovery = {
        .data_dir = data_dir, .bets_fd = -1, .journal_fd = -1, .draw = draw};

    enum status status = past_state_open(data_dir, JOURNAL_NAME, &recovery.journal_fd, err);
    if (status == STATUS_OK)
        status = past_state_open(data_dir, BETS_NAME, &recovery.bets_fd, err);
    if (status == STATUS_OK)
        status = recovery_read(&recovery, err);
    if (status == STATUS_NOTFOUND) /* a moment ago there was a journal */
        status = STATUS_DAMAGED;
    if (recovery.bets_fd >= 0)
        (void)close(recovery.bets_fd);
    if (recovery.journal_fd >= 0)
        (void)close(recovery.journal_fd);
    recovery_fini(&recovery);
    return status;
}

enum status past_state_read(const struct data_dir *data_dir, struct draw *draw, struct errbuf *err)
{
    enum status status = past_state_read_checkpoint(data_dir, draw, err);

    if (status == STATUS_OK && draw->phase == DRAW_CLOSED) {
        draw_fini(draw);
        status = past_state_read_records(data_dir, draw, err);
    }
    if (status != STATUS_OK || draw->phase == DRAW_DRAWN)
        return status;
    errbuf_set(err, "the draw was not held");
    return STATUS_NOTFOUND;
}
