/* Are winners.csv and its index those of a draw?
 *
 * Happy path: winners.csv is read once. Its size and checksum have to be those of the draw; of each
 * agency the documents are counted and a checksum is kept, of the same bytes that the index has.
 * Then the index is read once: its table has to say the same, and its documents have to have the
 * checksums that the table says. So both hold the same winners, and memory grows only with the
 * number of agencies.
 *
 * Failure modes: a file is missing, is not right, or cannot be read.
 */
#include "winner_files.h"

#include "crc32c.h"
#include "winner_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_SIZE ((size_t)64 * 1024)

struct checking {
    const struct file_ops *ops;
    uint32_t agencies;
    const struct draw_drawn *drawn;
    struct winner_group *groups; /* owned; [1..agencies]: what winners.csv has of each agency */
    uint64_t winners;            /* lines of winners.csv */
    char block[BLOCK_SIZE];      /* of a file */
};

static enum status winner_check_fail(struct errbuf *err, enum status status)
{
    errbuf_set(err, "%s", status_text(status));
    return status == STATUS_NOMEM ? STATUS_NOMEM : STATUS_IO;
}

static enum status winner_check_damaged(struct errbuf *err, const char *what)
{
    errbuf_set(err, "%s", what);
    return STATUS_DAMAGED;
}

/* Opens a file and tells its size. */
static enum status winner_check_open(const struct checking *checking, int dir_fd, const char *name,
                                     int *fd, uint64_t *size, struct errbuf *err)
{
    *fd = checking->ops->openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (*fd < 0) {
        enum status status = status_from_errno(errno);
        errbuf_set(err, "%s", strerror(errno));
        return status == STATUS_NOTFOUND || status == STATUS_NOMEM ? status : STATUS_IO;
    }
    enum status status = file_size(checking->ops, *fd, size);
    if (status == STATUS_OK)
        return STATUS_OK;
    (void)close(*fd);
    return winner_check_fail(err, status);
}

/* Takes one line without its line feed. */
static bool winner_check_take_line(struct checking *checking, const char *line, size_t size)
{
    uint64_t agency = 0;
    const char *comma = memchr(line, ',', size);

    if (comma == NULL || comma == line || comma - line > 10 || line[size - 1] != '\r')
        return false;
    for (const char *p = line; p < comma; p++) {
        if (*p < '0' || *p > '9')
            return false;
        agency = agency * 10 + (uint64_t)(*p - '0');
    }
    size_t document_size = size - (size_t)(comma - line) - 2;
    if (agency < 1 || agency > checking->agencies || document_size < 1 ||
        document_size > BET_DOCUMENT_MAX)
        return false;
    struct winner_group *group = &checking->groups[agency];
    group->crc = crc32c(crc32c(group->crc, comma + 1, document_size), "\n", 1);
    group->bytes += document_size + 1;
    group->count++;
    checking->winners++;
    return true;
}

/* Takes the whole lines of the block. Returns how many bytes they have; 0 for a bad line, or when
 * there is none. */
static size_t winner_check_take_lines(struct checking *checking, size_t size)
{
    size_t done = 0;

    while (done < size) {
        const char *line = checking->block + done;
        const char *end = memchr(line, '\n', size - done);
        if (end == NULL)
            break;
        if (!winner_check_take_line(checking, line, (size_t)(end - line)))
            return 0;
        done += (size_t)(end - line) + 1;
    }
    return done;
}

/* Reads winners.csv, open in `fd`, as far as it has whole lines. A block that ends within a line is
 * read again from there. */
static enum status winner_check_read_lines(struct checking *checking, int fd, uint64_t *end,
                                           uint32_t *crc, struct errbuf *err)
{
    for (*end = 0, *crc = 0;;) {
        size_t size;
        enum status status =
            file_read(checking->ops, fd, checking->block, sizeof(checking->block), *end, &size);
        if (status != STATUS_OK)
            return winner_check_fail(err, status);
        size_t taken = winner_check_take_lines(checking, size);
        if (taken == 0)
            return STATUS_OK;
        *crc = crc32c(*crc, checking->block, taken);
        *end += taken;
    }
}

static enum status winner_check_lines(struct checking *checking, int dir_fd, struct errbuf *err)
{
    const struct draw_drawn *drawn = checking->drawn;
    uint64_t end = 0;
    uint64_t size;
    uint32_t crc = 0;
    int fd;

    enum status status = winner_check_open(checking, dir_fd, WINNERS_NAME, &fd, &size, err);
    if (status == STATUS_OK) {
        if (size == drawn->winners_size)
            status = winner_check_read_lines(checking, fd, &end, &crc, err);
        (void)close(fd);
    }
    if (status == STATUS_OK && (size != drawn->winners_size || end != size ||
                                crc != drawn->winners_crc || checking->winners != drawn->winners)) {
        errbuf_set(err, "not the file that the draw wrote (%" PRIu64 " bytes)",
                   drawn->winners_size);
        status = STATUS_DAMAGED;
    }
    if (status != STATUS_OK)
        errbuf_wrap(err, WINNERS_NAME);
    return status;
}

/* The documents of one agency in the index, open in `fd`. */
static enum status winner_check_group(struct checking *checking, int fd,
                                      const struct winner_group *group, struct errbuf *err)
{
    uint32_t crc = 0;
    size_t size;

    for (uint64_t done = 0; done < group->bytes; done += size) {
        size_t want = group->bytes - done < BLOCK_SIZE ? (size_t)(group->bytes - done) : BLOCK_SIZE;
        enum status status =
            file_read(checking->ops, fd, checking->block, want, group->at + done, &size);
        if (status != STATUS_OK)
            return winner_check_fail(err, status);
        if (size < want)
            return winner_check_damaged(err, "became shorter while it was read");
        crc = crc32c(crc, checking->block, size);
    }
    if (crc == group->crc)
        return STATUS_OK;
    errbuf_set(err, "checksum mismatch in the winners at byte %" PRIu64, group->at);
    return STATUS_DAMAGED;
}

static enum status winner_check_groups(struct checking *checking, int fd, const uint8_t *head,
                                       struct errbuf *err)
{
    enum status status = STATUS_OK;

    for (uint32_t i = 1; status == STATUS_OK && i <= checking->agencies; i++) {
        struct winner_group group = winner_layout_group(head, i);
        const struct winner_group *expected = &checking->groups[i];
        if (group.bytes != expected->bytes || group.count != expected->count ||
            group.crc != expected->crc)
            return winner_check_damaged(err, "has other winners than " WINNERS_NAME);
        status = winner_check_group(checking, fd, &group, err);
    }
    return status;
}

static enum status winner_check_index(struct checking *checking, int dir_fd, struct errbuf *err)
{
    size_t head_size = winner_layout_head_size(checking->agencies);
    uint8_t *head = NULL;
    uint64_t size;
    size_t got = 0;
    int fd;

    enum status status = winner_check_open(checking, dir_fd, WINNERS_INDEX_NAME, &fd, &size, err);
    if (status != STATUS_OK)
        goto err_open;
    if (size < head_size)
        status = winner_check_damaged(err, "too short");
    else if ((head = malloc(head_size)) == NULL)
        status = winner_check_fail(err, STATUS_NOMEM);
    else if ((status = file_read(checking->ops, fd, head, head_size, 0, &got)) != STATUS_OK)
        status = winner_check_fail(err, status);
    else if (got < head_size)
        status = winner_check_damaged(err, "became shorter while it was read");
    if (status == STATUS_OK)
        status = winner_layout_check(head, size, checking->agencies, checking->drawn, err);
    if (status == STATUS_OK)
        status = winner_check_groups(checking, fd, head, err);
    free(head);
    (void)close(fd);
err_open:
    if (status != STATUS_OK)
        errbuf_wrap(err, WINNERS_INDEX_NAME);
    return status;
}

enum status winner_files_check(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                               const struct draw_drawn *drawn, struct errbuf *err)
{
    struct checking *checking = calloc(1, sizeof(*checking));
    enum status status = STATUS_NOMEM;

    if (checking != NULL)
        checking->groups = calloc(agencies + (size_t)1, sizeof(*checking->groups));
    if (checking == NULL || checking->groups == NULL) {
        errbuf_set(err, WINNERS_NAME ": %s", status_text(STATUS_NOMEM));
    } else {
        checking->ops = ops;
        checking->agencies = agencies;
        checking->drawn = drawn;
        status = winner_check_lines(checking, dir_fd, err);
        if (status == STATUS_OK)
            status = winner_check_index(checking, dir_fd, err);
        free(checking->groups);
    }
    free(checking);
    return status;
}
