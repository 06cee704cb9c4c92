/* Makes result.txt, the signed note that ties number and winners of a draw to its seal. There is
 * nothing to scan: the bets are in winners.csv already.
 */
#include "crc32c.h"
#include "note_file.h"
#include "scan_work.h"
#include "seal_files.h"
#include "seal_note.h"
#include "sealed_files.h"
#include "winner_files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE_SIZE ((size_t)64 * 1024)

_Static_assert(DRAW_TEXT_MAX <= SEAL_SOURCE_MAX, "every source has room in the note");
_Static_assert(RESULT_NOTE_MAX < NOTE_FILE_MAX && SEAL_NOTE_MAX < NOTE_FILE_MAX,
               "what is signed can be read again");

static enum status scan_note_prepare(struct scan_work *work, unsigned scanners, struct errbuf *err)
{
    (void)scanners;
    work->parts = 0;
    work->outcome.drawn = work->order.news.drawn;
    return scan_work_map(work, 0, err);
}

/* Hashes winners.csv. DAMAGED: it is not the file that is on record. */
static enum status scan_note_hash(const struct file_ops *ops, int fd, char *piece,
                                  const struct draw_drawn *drawn, struct sha256 *hash)
{
    enum status status = STATUS_OK;
    size_t got = PIECE_SIZE;
    uint64_t at = 0;
    uint32_t crc = 0;

    for (; status == STATUS_OK && got == PIECE_SIZE; at += got) {
        status = file_read(ops, fd, piece, PIECE_SIZE, at, &got);
        if (status != STATUS_OK)
            return status;
        sha256_update(hash, piece, got);
        crc = crc32c(crc, piece, got);
    }
    return at == drawn->winners_size && crc == drawn->winners_crc ? STATUS_OK : STATUS_DAMAGED;
}

/* The SHA-256 of winners.csv, which is what is on record. */
static enum status scan_note_digest(const struct data_dir *data_dir, const struct draw_drawn *drawn,
                                    uint8_t out[SHA256_SIZE], struct errbuf *err)
{
    struct sha256 hash = {0};
    char *piece;
    uint64_t size;
    int fd;

    enum status status = file_open(data_dir->ops, data_dir->fd, WINNERS_NAME, &fd, &size, err);
    if (status != STATUS_OK)
        return status;
    piece = malloc(PIECE_SIZE);
    status = piece != NULL ? sha256_init(&hash) : STATUS_NOMEM;
    if (status == STATUS_OK)
        status = scan_note_hash(data_dir->ops, fd, piece, drawn, &hash);
    if (status == STATUS_OK)
        sha256_final(&hash, out);
    sha256_fini(&hash);
    free(piece);
    (void)close(fd);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, WINNERS_NAME, status);
}

/* The text of result.txt, as what is on record makes it. */
static enum status scan_note_text(const struct scan_work *work, char out[RESULT_NOTE_MAX],
                                  size_t *size, struct errbuf *err)
{
    const struct ledger_news *news = &work->order.news;
    struct result_note note = {.number = news->drawn.winner_number,
                               .source = news->drawn.source,
                               .time_s = news->drawn.time_s,
                               .winners = news->drawn.winners};

    memcpy(note.id, news->terms.id, sizeof(note.id));
    memcpy(note.root.bytes, news->sealed.root, sizeof(note.root.bytes));
    enum status status = scan_note_digest(work->data_dir, &news->drawn, note.winners_digest, err);
    if (status == STATUS_OK)
        *size = result_note_put(&note, out);
    return status;
}

static void scan_note_join(const struct scan_work *work)
{
    struct scan_result *result = scan_work_result(work, 0);
    struct buffer note = {0};
    char text[RESULT_NOTE_MAX];
    size_t size;

    result->status = scan_note_text(work, text, &size, &result->err);
    if (result->status == STATUS_OK)
        result->status = sealed_note_sign(work->order.key_dir_fd, work->order.key_path, text, size,
                                          &note, &result->err);
    if (result->status == STATUS_OK)
        result->status =
            sealed_file_write(work->data_dir->ops, work->fds[0], &note, RESULT_NAME, &result->err);
    buffer_fini(&note);
}

static enum status scan_note_take(struct scan_work *work, struct errbuf *err)
{
    (void)work;
    (void)err;
    return STATUS_OK;
}

static void scan_note_check(const struct scan_work *work)
{
    struct scan_result *result = scan_work_result(work, 0);
    char text[RESULT_NOTE_MAX];
    size_t size;

    result->status = scan_note_text(work, text, &size, &result->err);
    if (result->status == STATUS_OK)
        result->status = sealed_note_check(work->data_dir, RESULT_NAME, work->order.key_dir_fd,
                                           work->order.key_path, text, size, &result->err);
}

const struct scan_kind scan_note = {
    .files = STORE_RESULT,
    .what = "the result",
    .has_part_files = false,
    .prepare = scan_note_prepare,
    .join = scan_note_join,
    .take = scan_note_take,
    .check = scan_note_check,
};
