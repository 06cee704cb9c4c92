/* Which draw is in force, and the draws' folders.
 *
 * Happy path: `current` is written under another name, synced, renamed, and the directory is
 * synced.
 *
 * Failure modes: it cannot be written or renamed: the old one stays, and what was begun is removed
 * now or by the next writing. The last sync fails: the kernel knows the new one, and the disk may
 * have either. Somebody has edited it and broken it: refused, since a guess could send bets into
 * the wrong draw.
 */
#include "draws.h"

#include "assertion.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define CURRENT_NEW DRAWS_CURRENT ".new"
#define FOLDER_MODE 0750

/* Takes "ID" or "ID\n". */
static bool draws_parse_current(struct text text, char out_id[DRAW_ID_MAX + 1])
{
    if (text.size > 0 && text.data[text.size - 1] == '\n')
        text.size--;
    if (!draw_id_is_valid(text))
        return false;
    memcpy(out_id, text.data, text.size);
    out_id[text.size] = '\0';
    return true;
}

enum status draws_read_current(const struct data_dir *data_dir, char out_id[DRAW_ID_MAX + 1],
                               struct errbuf *err)
{
    char text[DRAW_ID_MAX + 8]; /* more than any valid one has */
    uint64_t all;
    size_t size = 0;
    int fd;

    enum status status = file_open(data_dir->ops, data_dir->fd, DRAWS_CURRENT, &fd, &all, err);
    if (status == STATUS_NOTFOUND) {
        out_id[0] = '\0';
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        return status;
    status = file_read(data_dir->ops, fd, text, sizeof(text), 0, &size);
    (void)close(fd);
    if (status != STATUS_OK)
        return file_fail(err, DRAWS_CURRENT, status);
    if (draws_parse_current((struct text){text, size}, out_id))
        return STATUS_OK;
    errbuf_set(err, DRAWS_CURRENT ": it is not the id of a draw in one line: write the id of the "
                                  "draw in force into it");
    return STATUS_INVALID;
}

/* Writes the new file; a half-written one may remain. */
static enum status draws_write_new(const struct data_dir *data_dir, const char *id)
{
    const struct file_ops *ops = data_dir->ops;
    char line[DRAW_ID_MAX + 2]; /* with a line feed and a NUL */
    struct iovec part = {.iov_base = line};

    ASSERT(draw_id_is_valid(text_of(id)));
    part.iov_len = (size_t)snprintf(line, sizeof(line), "%s\n", id);
    if (ops->unlinkat(data_dir->fd, CURRENT_NEW) < 0 && errno != ENOENT)
        return status_from_errno(errno);
    int fd = data_dir_open_file(data_dir, CURRENT_NEW, O_WRONLY | O_CREAT | O_EXCL);
    if (fd < 0)
        return status_from_errno(errno);
    enum status status = file_write(ops, fd, &part, 1, 0);
    if (status == STATUS_OK && ops->fdatasync(fd) < 0)
        status = status_from_errno(errno);
    (void)close(fd);
    return status;
}

enum status draws_write_current(const struct data_dir *data_dir, const char *id, struct errbuf *err)
{
    const struct file_ops *ops = data_dir->ops;

    enum status status = draws_write_new(data_dir, id);
    if (status == STATUS_OK && ops->renameat(data_dir->fd, CURRENT_NEW, DRAWS_CURRENT) < 0)
        status = status_from_errno(errno);
    if (status != STATUS_OK) {
        (void)ops->unlinkat(data_dir->fd, CURRENT_NEW);
        return file_fail(err, DRAWS_CURRENT, status);
    }
    if (ops->fdatasync(data_dir->fd) < 0)
        return file_fail(err, DRAWS_CURRENT, STATUS_UNCERTAIN);
    return STATUS_OK;
}

enum status draws_make_folder(const struct data_dir *data_dir, const char *id, bool *out_is_made,
                              struct errbuf *err)
{
    *out_is_made = false;
    if (mkdirat(data_dir->fd, id, FOLDER_MODE) < 0) {
        if (errno == EEXIST)
            return STATUS_OK;
        errbuf_set(err, "making the folder %s: %s", id, strerror(errno));
        return status_from_errno(errno);
    }
    if (data_dir->ops->fdatasync(data_dir->fd) < 0) {
        errbuf_set(err, "making the folder %s: %s", id, strerror(errno));
        draws_remove_folder(data_dir, id);
        return STATUS_IO;
    }
    *out_is_made = true;
    return STATUS_OK;
}

void draws_remove_folder(const struct data_dir *data_dir, const char *id)
{
    (void)unlinkat(data_dir->fd, id, AT_REMOVEDIR);
}
