/* The index of the winners, open for reading.
 *
 * Happy path: open the file, read header and table, check them, and keep them. The documents are
 * read when they are sent. A published index is never written to; a new one takes its name, and the
 * descriptor keeps the old one.
 *
 * Failure modes: somebody writes to the file all the same: the documents may be wrong, but each
 * agency's place in the file stays what was checked. Somebody cuts it: reading what is gone says
 * that it is damaged.
 */
#include "winner_files.h"

#include "assertion.h"
#include "winner_layout.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

struct winner_index {
    const struct file_ops *ops; /* borrowed */
    int fd;                     /* owned; -1: not open */
    uint32_t agencies;          /* N */
    uint8_t head[];             /* header and table as they were checked */
};

static enum status winner_index_load(struct winner_index *index, int dir_fd,
                                     const struct draw_drawn *drawn, struct errbuf *err)
{
    uint64_t size;
    size_t got;

    enum status status = file_open(index->ops, dir_fd, WINNERS_INDEX_NAME, &index->fd, &size, err);
    if (status != STATUS_OK)
        return status;
    status = file_read(index->ops, index->fd, index->head, winner_layout_head_size(index->agencies),
                       0, &got);
    if (status != STATUS_OK)
        return file_fail(err, WINNERS_INDEX_NAME, status);
    status = winner_layout_check(index->head, size, index->agencies, drawn, err);
    if (status != STATUS_OK)
        errbuf_wrap(err, WINNERS_INDEX_NAME);
    return status;
}

enum status winner_index_open(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                              const struct draw_drawn *drawn, struct winner_index **out,
                              struct errbuf *err)
{
    struct winner_index *index = calloc(1, sizeof(*index) + winner_layout_head_size(agencies));

    if (index == NULL)
        return file_fail(err, WINNERS_INDEX_NAME, STATUS_NOMEM);
    index->ops = ops;
    index->fd = -1;
    index->agencies = agencies;
    enum status status = winner_index_load(index, dir_fd, drawn, err);
    if (status == STATUS_OK)
        *out = index;
    else
        winner_index_close(index);
    return status;
}

void winner_index_close(struct winner_index *index)
{
    if (index == NULL)
        return;
    if (index->fd >= 0)
        (void)close(index->fd);
    free(index);
}

struct winner_documents winner_index_of(const struct winner_index *index, uint32_t agency)
{
    if (agency < 1 || agency > index->agencies)
        return (struct winner_documents){0, 0};
    struct winner_group group = winner_layout_group(index->head, agency);
    return (struct winner_documents){group.bytes, group.count};
}

enum status winner_index_read(const struct winner_index *index, uint32_t agency, uint64_t from,
                              char *out, size_t size)
{
    size_t got;

    ASSERT(agency >= 1 && agency <= index->agencies);
    struct winner_group group = winner_layout_group(index->head, agency);
    ASSERT(from <= group.bytes && size <= group.bytes - from);
    enum status status = file_read(index->ops, index->fd, out, size, group.at + from, &got);
    if (status != STATUS_OK)
        return status;
    return got == size ? STATUS_OK : STATUS_DAMAGED;
}

enum status winner_index_verify(const struct winner_index *index, struct errbuf *err)
{
    for (uint32_t i = 1; i <= index->agencies; i++) {
        struct winner_group group = winner_layout_group(index->head, i);
        uint32_t crc;
        enum status status = file_crc(index->ops, index->fd, group.at, group.bytes, &crc);
        if (status != STATUS_OK)
            return file_fail(err, WINNERS_INDEX_NAME, status);
        if (crc != group.crc) {
            errbuf_set(err,
                       WINNERS_INDEX_NAME ": checksum mismatch in the winners at byte %" PRIu64,
                       group.at);
            return STATUS_DAMAGED;
        }
    }
    return STATUS_OK;
}
