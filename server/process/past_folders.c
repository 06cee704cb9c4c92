/* Reading the folder of a draw that is over.
 *
 * Happy path: open the folder, read the journal's state, open the index of the winners, and what
 * else is sent of the draw. The folder is closed again; the index keeps a descriptor of its own.
 *
 * Failure modes: there is no such folder, or no draw was held in it: there is none. One of its
 * files is missing or is not right: it is damaged.
 */
#include "past_folders.h"

#include "assertion.h"
#include "draw_seal.h"
#include "note_file.h"
#include "past_state.h"
#include "seal_files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Reads the files of the seal, and the result. */
static enum status past_folders_read_seal(const struct data_dir *folder, struct past_draw *out,
                                          struct errbuf *err)
{
    const struct draw *draw = &out->draw;
    const struct draw_seal_facts facts = {draw->terms.id, draw->agencies, draw->sealed.root};

    enum status status = draw_seal_open(folder->ops, folder->fd, &facts, &out->files.seal, err);
    if (status == STATUS_OK)
        status = note_file_read(folder->ops, folder->fd, RESULT_NAME, &out->files.result, err);
    return status;
}

static enum status past_folders_read(const struct data_dir *folder, struct past_draw *out,
                                     struct errbuf *err)
{
    enum status status = past_state_read(folder, &out->draw, err);
    if (status != STATUS_OK)
        return status;
    status = winner_index_open(folder->ops, folder->fd, out->draw.agencies, &out->draw.drawn,
                               &out->files.winners, err);
    if (status == STATUS_OK && out->draw.is_sealed)
        status = past_folders_read_seal(folder, out, err);
    return status == STATUS_NOTFOUND ? STATUS_DAMAGED : status;
}

enum status past_folders_load(const struct data_dir *base, const char *id, struct past_draw *out,
                              struct errbuf *err)
{
    struct data_dir folder = {.ops = base->ops, .path = id, .fd = base->fd, .old_lock_fd = -1};

    if (id[0] == '\0')
        return past_folders_read(&folder, out, err);
    ASSERT(draw_id_is_valid(text_of(id)));
    folder.fd = base->ops->openat(base->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (folder.fd < 0) {
        bool is_none = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
        errbuf_set(err, "%s", strerror(errno));
        return is_none ? STATUS_NOTFOUND : status_from_errno(errno);
    }
    enum status status = past_folders_read(&folder, out, err);
    (void)close(folder.fd);
    return status;
}
