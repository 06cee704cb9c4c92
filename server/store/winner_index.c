/* The index of the winners, mapped for reading.
 *
 * Happy path: open, map, copy header and table, check the copy, and that each group ends with a
 * line feed: then whoever walks the lines of a group stays within it, whatever its bytes are. A
 * published index is never written to; a new one takes its name, and the mapping keeps the old one.
 *
 * Failure modes: somebody writes to the file all the same: the documents may be wrong, but each
 * agency's place in the file stays what was checked. Somebody cuts it: reading what is gone ends
 * the process (SIGBUS), and its successor finds the file damaged.
 */
#include "winner_files.h"
#include "winner_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct winner_index {
    const uint8_t *bytes; /* owned: the whole file, mapped */
    size_t size;          /* bytes */
    uint8_t *head;        /* owned: header and table as they were checked */
    uint32_t agencies;    /* N */
};

static enum status winner_index_fail(struct errbuf *err, int error)
{
    enum status status = status_from_errno(error);

    errbuf_set(err, "%s", strerror(error));
    return status == STATUS_NOMEM || status == STATUS_NOTFOUND ? status : STATUS_IO;
}

/* Maps the file `fd`. */
static enum status winner_index_map(const struct file_ops *ops, int fd, struct winner_index *index,
                                    struct errbuf *err)
{
    struct stat info;

    if (ops->fstat(fd, &info) < 0)
        return winner_index_fail(err, errno);
    if (info.st_size == 0) {
        errbuf_set(err, "empty");
        return STATUS_DAMAGED;
    }
    index->size = (size_t)info.st_size;
    index->bytes = ops->map(fd, index->size);
    return index->bytes != NULL ? STATUS_OK : winner_index_fail(err, errno);
}

/* Copies header and table, as far as the file has them. */
static enum status winner_index_copy_head(struct winner_index *index, struct errbuf *err)
{
    size_t size = winner_layout_head_size(index->agencies);

    index->head = calloc(1, size);
    if (index->head == NULL)
        return winner_index_fail(err, ENOMEM);
    memcpy(index->head, index->bytes, size < index->size ? size : index->size);
    return STATUS_OK;
}

static enum status winner_index_check(const struct winner_index *index,
                                      const struct draw_drawn *drawn, struct errbuf *err)
{
    enum status status = winner_layout_check(index->head, index->size, index->agencies, drawn, err);

    for (uint32_t i = 1; status == STATUS_OK && i <= index->agencies; i++) {
        struct winner_group group = winner_layout_group(index->head, i);
        if (group.bytes > 0 && index->bytes[group.at + group.bytes - 1] != '\n') {
            errbuf_set(err, "the winners of agency %u do not end with a line feed", i);
            status = STATUS_DAMAGED;
        }
    }
    return status;
}

static enum status winner_index_load(const struct file_ops *ops, int dir_fd,
                                     const struct draw_drawn *drawn, struct winner_index *index,
                                     struct errbuf *err)
{
    int fd =
        ops->openat(dir_fd, WINNERS_INDEX_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);

    if (fd < 0)
        return winner_index_fail(err, errno);
    enum status status = winner_index_map(ops, fd, index, err);
    (void)close(fd);
    if (status == STATUS_OK)
        status = winner_index_copy_head(index, err);
    return status == STATUS_OK ? winner_index_check(index, drawn, err) : status;
}

enum status winner_index_open(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                              const struct draw_drawn *drawn, struct winner_index **out,
                              struct errbuf *err)
{
    struct winner_index *index = calloc(1, sizeof(*index));

    if (index == NULL) {
        errbuf_set(err, WINNERS_INDEX_NAME ": %s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    index->agencies = agencies;
    enum status status = winner_index_load(ops, dir_fd, drawn, index, err);
    if (status != STATUS_OK) {
        winner_index_close(index);
        errbuf_wrap(err, WINNERS_INDEX_NAME);
        return status;
    }
    *out = index;
    return STATUS_OK;
}

void winner_index_close(struct winner_index *index)
{
    if (index == NULL)
        return;
    if (index->bytes != NULL)
        (void)munmap((void *)(uintptr_t)index->bytes, index->size);
    free(index->head);
    free(index);
}

struct winner_documents winner_index_of(const struct winner_index *index, uint32_t agency)
{
    if (agency < 1 || agency > index->agencies)
        return (struct winner_documents){"", 0, 0};
    struct winner_group group = winner_layout_group(index->head, agency);
    return (struct winner_documents){(const char *)index->bytes + group.at, (size_t)group.bytes,
                                     group.count};
}
