/* The files of a draw: made for those who hold it, and given their names once they are written.
 *
 * Happy path: the coordinator asks for the files, its scanners write and sync them, and those that
 * stay are renamed, the first of the kind last, and the directory is synced.
 *
 * Failure modes: a file cannot be made, or a rename fails: all of it can be asked for again, and
 * then replaces what was renamed. The sync fails: the process has to end. The directory or a file
 * was moved, removed or replaced: nothing is made or renamed.
 */
#include "commit.h"

#include "seal_files.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PART_NAME "winners.part" /* files without a name have this one for a moment */

struct file_names {
    const char *name;     /* once it is published */
    const char *new_name; /* until then */
};

#define NAMES(name)                                                                                \
    {                                                                                              \
        name, name ".new"                                                                          \
    }
static const struct file_names names_of[STORE_FILES][2] = {
    [STORE_WINNERS] = {NAMES(WINNERS_NAME), NAMES(WINNERS_INDEX_NAME)},
    [STORE_SEAL] = {NAMES(SEAL_NAME), NAMES(SEAL_LEAVES_NAME)},
    [STORE_RESULT] = {NAMES(RESULT_NAME)},
};

/* Creates one of the files, in the place of what has its name. */
static int commit_create_file(const struct data_dir *data_dir, enum store_files files, size_t index)
{
    bool is_named = index < store_files_named(files);
    const char *name = is_named ? names_of[files][index].new_name : PART_NAME;

    if (data_dir->ops->unlinkat(data_dir->fd, name) < 0 && errno != ENOENT)
        return -1;
    int fd = data_dir_open_file(data_dir, name, O_RDWR | O_CREAT | O_EXCL);
    if (fd >= 0 && !is_named && data_dir->ops->unlinkat(data_dir->fd, name) < 0) {
        (void)close(fd);
        return -1;
    }
    return fd;
}

static const char *const creating[STORE_FILES] = {
    [STORE_WINNERS] = "creating the winners' files",
    [STORE_SEAL] = "creating the seal's files",
    [STORE_RESULT] = "creating the result's file",
};

enum status commit_open_files(struct store *store, enum store_files files, int *fds, size_t count,
                              struct errbuf *err)
{
    struct commit *self = commit_of(store);

    if (!commit_is_in_place(self, err))
        return STATUS_GONE;
    /* Who draws reads the checkpoint: it has to be the one of the closing. */
    if (self->must_checkpoint) {
        enum status status = commit_has_group(self) ? file_fail(err, JOURNAL_NAME, STATUS_INUSE)
                                                    : commit_checkpoint(self, err);
        if (status != STATUS_OK)
            return status;
    }
    for (size_t i = 0; i < count; i++) {
        fds[i] = commit_create_file(self->data_dir, files, i);
        if (fds[i] >= 0)
            continue;
        enum status status = file_fail(err, creating[files], status_from_errno(errno));
        while (i > 0)
            (void)close(fds[--i]);
        return status;
    }
    return STATUS_OK;
}

enum status commit_publish_files(struct store *store, enum store_files files, struct errbuf *err)
{
    struct commit *self = commit_of(store);
    const struct data_dir *data_dir = self->data_dir;
    const struct file_ops *ops = data_dir->ops;

    if (!commit_is_in_place(self, err))
        return STATUS_GONE;
    for (size_t i = store_files_named(files); i-- > 0;) {
        const struct file_names *names = &names_of[files][i];
        if (ops->renameat(data_dir->fd, names->new_name, names->name) < 0)
            return file_fail(err, names->name, status_from_errno(errno));
    }
    if (ops->fdatasync(data_dir->fd) < 0) {
        self->is_uncertain = true;
        return file_fail(err, "syncing the folder", STATUS_UNCERTAIN);
    }
    return STATUS_OK;
}
