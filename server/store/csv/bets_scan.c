/* Reading bets.csv for the draw.
 *
 * Happy path: read a chunk, compare its checksum, look at the number of each line, keep the line
 * that the chunk cuts off for the next one. After its last chunk a part reads on to the end of its
 * last line, which the next part passes over.
 *
 * Failure modes: the file is short, a checksum differs, a line is not one: DAMAGED with the place,
 * and nothing counts that on_winner was given. The bytes that a part reads beyond its end are
 * verified by the next part, which reads them too.
 */
#include "bets_scan.h"

#include "assertion.h"
#include "bets_csv.h"
#include "bets_numbers.h"
#include "crc32c.h"
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REMEDY "; stop the server and restore this file from a copy"

/* One part in work. */
struct scan {
    const struct bets_scan *config;
    struct errbuf *err;
    int fd;
    uint64_t end;  /* where the part ends: lines that begin here belong to the next one */
    uint64_t at;   /* the place in the file of `chunk` */
    uint64_t bets; /* lines that were read */
    size_t carry;  /* bytes before `chunk` that begin a line which ends in it */
    /* The bytes of `carry`; the byte before the part's first chunk is read to the end of it. */
    char before[BET_LINE_MAX];
    char chunk[BETS_CHUNK_SIZE];
};

/* The text of a scan is one run of bytes from `before` to the end of `chunk`. */
_Static_assert(offsetof(struct scan, chunk) == offsetof(struct scan, before) + BET_LINE_MAX,
               "before and chunk are not neighbours");

static char *bets_scan_chunk(struct scan *scan)
{
    return (char *)scan + offsetof(struct scan, chunk);
}

static enum status bets_scan_damaged(struct scan *scan, const char *what, uint64_t at)
{
    errbuf_set(scan->err, BETS_NAME ": %s at byte %" PRIu64 REMEDY, what, at);
    return STATUS_DAMAGED;
}

/* Reads `size` bytes of the file to `out`. */
static enum status bets_scan_read(struct scan *scan, char *out, size_t size, uint64_t from)
{
    size_t done = 0;

    enum status status = file_read(scan->config->data_dir->ops, scan->fd, out, size, from, &done);
    if (status != STATUS_OK)
        errbuf_set(scan->err, BETS_NAME ": %s at byte %" PRIu64, status_text(status), from);
    else if (done < size)
        status = bets_scan_damaged(scan, "the file is cut off", from + done);
    return status;
}

/* Compares the checksum of the chunk that was read. */
static enum status bets_scan_verify(struct scan *scan, size_t size)
{
    const struct bets_scan *config = scan->config;
    const struct bets_extent *extent = config->extent;
    uint64_t index = scan->at / BETS_CHUNK_SIZE;

    if (config->verify_parts > 0 && index % config->verify_parts != config->verify_part)
        return STATUS_OK;
    uint32_t seed = index > 0 ? extent->crcs[index - 1] : 0;

    uint32_t crc = crc32c(seed, bets_scan_chunk(scan), size);
    bool is_right = size < BETS_CHUNK_SIZE || crc == extent->crcs[index];
    if (scan->at + size == extent->size)
        is_right = is_right && crc == extent->crc;
    return is_right ? STATUS_OK : bets_scan_damaged(scan, "wrong checksum of the MiB", scan->at);
}

/* What the callback of a winning line works with. */
struct winning {
    const struct scan *scan;
    enum status status;
};

static bool bets_scan_on_bet(void *context, uint32_t agency, const struct bet *bet)
{
    struct winning *winning = context;
    const struct bets_scan *config = winning->scan->config;
    struct winner winner = {.agency = agency};

    if (!has_won(bet, config->winner_number))
        return true;
    if (bet->document.size < 1 || bet->document.size > BET_DOCUMENT_MAX) {
        winning->status = STATUS_DAMAGED;
        return false;
    }
    winner.document_size = (uint8_t)bet->document.size;
    memcpy(winner.document, bet->document.data, bet->document.size);
    winning->status = config->on_winner(config->owner, &winner);
    return winning->status == STATUS_OK;
}

/* Reads a line whose number wins. */
static enum status bets_scan_win(struct scan *scan, char *line, size_t size, uint64_t at)
{
    struct winning winning = {scan, STATUS_OK};
    size_t bad_at;

    enum status status = bets_csv_parse(line, size, bets_scan_on_bet, &winning, &bad_at);
    if (status == STATUS_STOPPED)
        status = winning.status;
    if (status == STATUS_DAMAGED)
        return bets_scan_damaged(scan, "bad line", at);
    if (status != STATUS_OK)
        errbuf_set(scan->err, "the winners cannot be written: %s", status_text(status));
    return status;
}

/* Hands on the whole lines from `text` to `end`. */
static enum status bets_scan_give_lines(struct scan *scan, const char *text, const char *end)
{
    size_t bad_at = 0;

    if (text == end)
        return STATUS_OK;
    enum status status =
        scan->config->on_lines(scan->config->owner, text, (size_t)(end - text), &bad_at);
    if (status != STATUS_DAMAGED)
        return status;
    return bets_scan_damaged(scan, "bad line",
                             scan->at + (uint64_t)(text + bad_at - bets_scan_chunk(scan)));
}

/* Reads the whole lines from `text` to `end`, which is the end of one. Nearly every bet loses, and
 * its number alone shows that. */
static enum status bets_scan_lines(struct scan *scan, char *text, const char *end)
{
    if (scan->config->on_lines != NULL)
        return bets_scan_give_lines(scan, text, end);

    struct bets_number numbers[BETS_NUMBERS];
    enum status status = STATUS_OK;

    while (text < end && status == STATUS_OK) {
        uint64_t at = scan->at + (uint64_t)(text - bets_scan_chunk(scan));
        size_t count = bets_numbers_read(text, (size_t)(end - text), numbers);
        size_t line = 0;
        if (count == 0)
            return bets_scan_damaged(scan, "bad line", at);
        for (size_t i = 0; i < count && status == STATUS_OK; i++) {
            const struct bet bet = {.number = numbers[i].number};
            if (has_won(&bet, scan->config->winner_number))
                status = bets_scan_win(scan, text + line, numbers[i].end - line, at + line);
            line = numbers[i].end;
        }
        scan->bets += count;
        text += line;
    }
    return status;
}

/* Reads the lines of a chunk of `size` bytes. `skip` bytes belong to a line of the part before. */
static enum status bets_scan_take_chunk(struct scan *scan, size_t size, size_t skip)
{
    char *chunk = bets_scan_chunk(scan);
    char *text = chunk + skip - scan->carry;
    char *end = chunk + size;

    char *newline = memrchr(chunk + skip, '\n', size - skip);
    char *rest = newline != NULL ? newline + 1 : text;
    enum status status = bets_scan_lines(scan, text, rest);
    if (status != STATUS_OK)
        return status;
    scan->carry = (size_t)(end - rest);
    if (scan->carry > sizeof(scan->before))
        return bets_scan_damaged(scan, "a line without an end",
                                 scan->at + size - (uint64_t)scan->carry);
    memmove(chunk - scan->carry, rest, scan->carry);
    return STATUS_OK;
}

/* How many bytes of the part's first chunk belong to a line that begins before it. */
static enum status bets_scan_find_line(struct scan *scan, size_t size, size_t *skip)
{
    char *chunk = bets_scan_chunk(scan);

    *skip = 0;
    if (scan->at == 0 || chunk[-1] == '\n')
        return STATUS_OK;
    const char *newline = memchr(chunk, '\n', size);
    if (newline == NULL)
        return bets_scan_damaged(scan, "no end of a line", scan->at);
    *skip = (size_t)(newline - chunk) + 1;
    return STATUS_OK;
}

/* Reads the chunk at scan->at, and with the first one the byte before it. */
static enum status bets_scan_chunk_at(struct scan *scan, size_t size, bool is_first)
{
    char *chunk = bets_scan_chunk(scan);
    size_t before = is_first && scan->at > 0;
    size_t skip = 0;

    enum status status = bets_scan_read(scan, chunk - before, size + before, scan->at - before);
    if (status == STATUS_OK)
        status = bets_scan_verify(scan, size);
    if (status == STATUS_OK && is_first)
        status = bets_scan_find_line(scan, size, &skip);
    if (status == STATUS_OK)
        status = bets_scan_take_chunk(scan, size, skip);
    scan->at += size;
    return status;
}

/* Reads the line that begins in the part and does not end in it. */
static enum status bets_scan_last_line(struct scan *scan)
{
    char *chunk = bets_scan_chunk(scan);
    uint64_t left = scan->config->extent->size - scan->end;
    size_t size = left < BET_LINE_MAX ? (size_t)left : BET_LINE_MAX;

    if (scan->carry == 0)
        return STATUS_OK;
    enum status status = bets_scan_read(scan, chunk, size, scan->end);
    if (status != STATUS_OK)
        return status;
    const char *newline = memchr(chunk, '\n', size);
    if (newline == NULL)
        return bets_scan_damaged(scan, "a line without an end", scan->end - scan->carry);
    return bets_scan_lines(scan, chunk - scan->carry, newline + 1);
}

static enum status bets_scan_part(struct scan *scan)
{
    const struct bets_scan *config = scan->config;
    uint64_t size = config->extent->size;
    uint64_t chunks = size / BETS_CHUNK_SIZE + (size % BETS_CHUNK_SIZE != 0);
    uint64_t begin = chunks * config->part / config->parts * BETS_CHUNK_SIZE;
    enum status status = STATUS_OK;

    scan->end = chunks * (config->part + 1) / config->parts * BETS_CHUNK_SIZE;
    if (scan->end > size)
        scan->end = size;
    scan->at = begin;
    while (status == STATUS_OK && scan->at < scan->end) {
        uint64_t left = scan->end - scan->at;
        size_t part = left < BETS_CHUNK_SIZE ? (size_t)left : (size_t)BETS_CHUNK_SIZE;
        status = bets_scan_chunk_at(scan, part, scan->at == begin);
    }
    return status == STATUS_OK ? bets_scan_last_line(scan) : status;
}

static enum status bets_scan_open(struct scan *scan)
{
    scan->fd = data_dir_open_file(scan->config->data_dir, BETS_NAME, O_RDONLY);
    if (scan->fd >= 0)
        return STATUS_OK;
    enum status status = status_from_errno(errno);
    errbuf_set(scan->err, BETS_NAME ": %s", strerror(errno));
    return status;
}

enum status bets_scan_run(const struct bets_scan *config, struct errbuf *err)
{
    ASSERT(config->part < config->parts);
    ASSERT((config->on_winner != NULL) != (config->on_lines != NULL));
    struct scan *scan = malloc(sizeof(*scan)); /* big, and each byte is written before it is read */

    if (scan == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    scan->config = config;
    scan->err = err;
    scan->bets = 0;
    scan->carry = 0;
    enum status status = bets_scan_open(scan);
    if (status == STATUS_OK) {
        status = bets_scan_part(scan);
        (void)close(scan->fd);
    }
    if (status == STATUS_OK && config->bets != NULL)
        *config->bets = scan->bets;
    free(scan);
    return status;
}
