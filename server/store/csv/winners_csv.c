#include "winners_csv.h"

#include "crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEMPORARY WINNERS_NAME ".new"
#define LINE_MAX_SIZE (10 + 1 + BET_DOCUMENT_MAX + 2) /* agency, comma, document, CRLF */

static char *winners_csv_format(const struct winner_list *winners, size_t *size)
{
    char *text = calloc(winners->count + 1, LINE_MAX_SIZE);
    char *at = text;

    if (text == NULL)
        return NULL;
    for (size_t i = 0; i < winners->count; i++) {
        const struct winner *winner = &winners->items[i];
        at += sprintf(at, "%" PRIu32 ",", winner->agency);
        memcpy(at, winner->document, winner->document_size);
        at += winner->document_size;
        *at++ = '\r';
        *at++ = '\n';
    }
    *size = (size_t)(at - text);
    return text;
}

static enum status winners_csv_fail(struct errbuf *err, enum status status)
{
    errbuf_set(err, WINNERS_NAME ": %s", status_text(status));
    return status;
}

enum status winners_csv_write(const struct file_ops *ops, int dir_fd,
                              const struct winner_list *winners, struct journal_record *record,
                              struct errbuf *err)
{
    size_t size;
    char *text = winners_csv_format(winners, &size);

    if (text == NULL)
        return winners_csv_fail(err, STATUS_NOMEM);
    record->received = winners->count;
    record->data_at = size;
    record->data_crc = crc32c(0, text, size);

    enum status status = STATUS_OK;
    int fd = ops->openat(dir_fd, TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        status = status_from_errno(errno);
    if (status == STATUS_OK && size > 0) {
        struct iovec part = {text, size};
        status = file_write(ops, fd, &part, 1, 0);
    }
    if (status == STATUS_OK && ops->fdatasync(fd) < 0)
        status = STATUS_IO;
    if (fd >= 0)
        (void)close(fd);
    if (status == STATUS_OK && ops->renameat(dir_fd, TEMPORARY, WINNERS_NAME) < 0)
        status = status_from_errno(errno);
    if (status == STATUS_OK && ops->fdatasync(dir_fd) < 0)
        status = STATUS_IO;
    free(text);
    return status == STATUS_OK ? STATUS_OK : winners_csv_fail(err, status);
}

/* Reads and verifies the whole file; the caller frees *out. */
static enum status winners_csv_load(const struct file_ops *ops, int dir_fd,
                                    const struct journal_record *record, char **out,
                                    struct errbuf *err)
{
    uint64_t size = 0;
    size_t got = 0;
    char *text = NULL;

    int fd = ops->openat(dir_fd, WINNERS_NAME, O_RDONLY, 0);
    if (fd < 0 && errno != ENOENT)
        return winners_csv_fail(err, status_from_errno(errno));
    enum status status = fd < 0 ? STATUS_DAMAGED : file_size(ops, fd, &size);
    if (status == STATUS_OK && size != record->data_at)
        status = STATUS_DAMAGED;
    if (status == STATUS_OK && (text = malloc((size_t)size + 1)) == NULL)
        status = STATUS_NOMEM;
    if (status == STATUS_OK)
        status = file_read(ops, fd, text, (size_t)size, 0, &got);
    if (fd >= 0)
        (void)close(fd);
    if (status == STATUS_OK && (got != size || crc32c(0, text, got) != record->data_crc))
        status = STATUS_DAMAGED;
    if (status != STATUS_OK) {
        free(text);
        if (status == STATUS_DAMAGED)
            errbuf_set(err,
                       WINNERS_NAME ": not the file that the draw wrote (%" PRIu64
                                    " bytes): restore it from a copy",
                       record->data_at);
        else
            (void)winners_csv_fail(err, status);
        return status;
    }
    *out = text;
    return STATUS_OK;
}

static bool winners_csv_read_line(char **at, const char *end, struct winner *out)
{
    char *comma = memchr(*at, ',', (size_t)(end - *at));
    char *newline = memchr(*at, '\n', (size_t)(end - *at));

    if (comma == NULL || newline == NULL || newline - comma < 3 ||
        newline - comma - 2 > BET_DOCUMENT_MAX)
        return false;
    *out = (struct winner){.document_size = (uint8_t)(newline - comma - 2)};
    for (const char *p = *at; p < comma; p++)
        out->agency = out->agency * 10 + (uint32_t)(*p - '0');
    memcpy(out->document, comma + 1, out->document_size);
    *at = newline + 1;
    return true;
}

enum status winners_csv_read(const struct file_ops *ops, int dir_fd,
                             const struct journal_record *record, struct winner_list *out,
                             struct errbuf *err)
{
    struct winner_list list = {NULL, 0, 0};
    char *text = NULL;

    enum status status = winners_csv_load(ops, dir_fd, record, &text, err);
    if (status != STATUS_OK)
        return status;
    for (char *at = text; status == STATUS_OK && at < text + record->data_at;) {
        struct winner winner;
        status = winners_csv_read_line(&at, text + record->data_at, &winner)
                     ? winner_list_add(&list, &winner)
                     : STATUS_DAMAGED;
    }
    free(text);
    if (status != STATUS_OK) {
        winner_list_fini(&list);
        return winners_csv_fail(err, status);
    }
    *out = list;
    return STATUS_OK;
}

enum status winners_csv_check(const struct file_ops *ops, int dir_fd,
                              const struct journal_record *record, struct errbuf *err)
{
    char *text = NULL;

    enum status status = winners_csv_load(ops, dir_fd, record, &text, err);
    if (status == STATUS_OK)
        free(text);
    return status;
}
