/* What a copy of the draw has to have.
 *
 * The ledger has said how the draw was at one point of its order: a journal that begins there, with
 * no record yet, and so names how many bytes of bets.csv count. These do not change any more,
 * whatever is appended to that file; the journal is sent as it is. So nobody has to copy the
 * running journal, and nobody outside the server knows what is in one.
 *
 * What is computed from the bets is named if the draw had it at that point. Such files are never
 * changed in place, and what takes their place has the same in it; so when they are copied does not
 * matter. One that is missing now is left out: whoever starts a server on the copy has it made
 * again.
 */
#include "operator_backup.h"

#include "buffer.h"
#include "draws.h"
#include "journal_file.h"
#include "seal_files.h"
#include "signing_key.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define NAME_SIZE (DRAW_ID_MAX + 1 + 32)
#define FILES_MAX 9

/* The list that is being made, and what it points to. */
struct listing {
    const struct data_dir *data_dir; /* borrowed */
    struct draw draw;                /* of the snapshot; owned */
    struct bets_extent extent;       /* the same */
    struct buffer journal;           /* the snapshot's file; owned */
    struct control_file files[FILES_MAX];
    char names[FILES_MAX][NAME_SIZE];
    size_t count;
    char current[DRAW_ID_MAX + sizeof("\n")]; /* what the file of that name has */
    char lacks[CONTROL_TEXT_MAX + 1];         /* for people */
};

/* Adds a file that lies beside bets.csv. */
static struct control_file *listing_add(struct listing *self, const char *name,
                                        enum control_source source)
{
    const char *id = self->draw.terms.id;
    struct control_file *file = &self->files[self->count];
    char *full_name = self->names[self->count++];

    (void)snprintf(full_name, NAME_SIZE, "%s%s%s", id, id[0] != '\0' ? "/" : "", name);
    *file = (struct control_file){.name = full_name, .source = source};
    return file;
}

static enum status listing_stat(const struct listing *self, const char *name, struct stat *out)
{
    const struct data_dir *data_dir = self->data_dir;

    return data_dir->ops->fstatat(data_dir->fd, name, out, AT_SYMLINK_NOFOLLOW) < 0
               ? status_from_errno(errno)
               : STATUS_OK;
}

/* Adds a file that is computed from the bets, if it is there. */
static void listing_add_computed(struct listing *self, const char *name)
{
    const size_t size = strlen(self->lacks);
    struct stat info;

    if (listing_stat(self, name, &info) == STATUS_OK) {
        (void)listing_add(self, name, CONTROL_WHOLE);
        return;
    }
    (void)snprintf(self->lacks + size, sizeof(self->lacks) - size,
                   "%s%s is not in it, as it is not in the data directory now: a server makes it "
                   "again",
                   size > 0 ? "; " : "", name);
}

/* The bets, and the journal. */
static enum status listing_add_snapshot(struct listing *self, struct errbuf *err)
{
    struct control_file *file = listing_add(self, BETS_NAME, CONTROL_BEGINNING);
    struct stat info;

    enum status status = listing_stat(self, BETS_NAME, &info);
    if (status != STATUS_OK)
        return file_fail(err, BETS_NAME, status);
    file->size = self->extent.size;
    file->device = info.st_dev;
    file->inode = info.st_ino;
    file = listing_add(self, JOURNAL_NAME, CONTROL_CONTENT);
    file->content = (struct text){self->journal.data, self->journal.size};
    return STATUS_OK;
}

static void listing_add_others(struct listing *self)
{
    const struct draw *draw = &self->draw;

    if (draw->is_sealed) {
        listing_add_computed(self, SEAL_NAME);
        listing_add_computed(self, SEAL_LEAVES_NAME);
    }
    if (draw->phase == DRAW_DRAWN) {
        listing_add_computed(self, WINNERS_NAME);
        listing_add_computed(self, WINNERS_INDEX_NAME);
    }
    if (draw->phase == DRAW_DRAWN && draw->terms.has_seal)
        listing_add_computed(self, RESULT_NAME);
    /* These two lie in the data directory itself. */
    self->files[self->count++] =
        (struct control_file){.name = SIGNING_KEY_NAME, .source = CONTROL_IF_ANY};
    if (draw->terms.id[0] == '\0')
        return;
    (void)snprintf(self->current, sizeof(self->current), "%s\n", draw->terms.id);
    self->files[self->count++] = (struct control_file){
        .name = DRAWS_CURRENT, .source = CONTROL_CONTENT, .content = text_of(self->current)};
}

/* Reads the snapshot's file. */
static enum status listing_read(struct listing *self, int fd, struct errbuf *err)
{
    const struct file_ops *ops = self->data_dir->ops;
    struct journal_header header;
    uint64_t size;
    uint64_t end;

    enum status status = journal_file_load(ops, fd, &header, &self->draw, &self->extent, &end, err);
    if (status != STATUS_OK)
        return status;
    status = file_size(ops, fd, &size);
    if (status == STATUS_OK)
        status = buffer_reserve(&self->journal, size);
    if (status == STATUS_OK)
        status = file_read(ops, fd, self->journal.data, size, 0, &self->journal.size);
    return status == STATUS_OK ? STATUS_OK : file_fail(err, JOURNAL_NAME, status);
}

enum status operator_give_backup(const struct data_dir *data_dir, int fd, const char *lacks,
                                 struct control_request *request, struct errbuf *err)
{
    struct listing self = {.data_dir = data_dir};

    draw_init(&self.draw);
    (void)snprintf(self.lacks, sizeof(self.lacks), "%s", lacks);
    enum status status = listing_read(&self, fd, err);
    if (status == STATUS_OK)
        status = listing_add_snapshot(&self, err);
    if (status == STATUS_OK) {
        listing_add_others(&self);
        const struct control_snapshot snapshot = {.draw = self.draw.terms.id,
                                                  .phase = self.draw.phase,
                                                  .is_sealed = self.draw.is_sealed,
                                                  .bets = self.draw.bets,
                                                  .files = self.files,
                                                  .count = self.count};
        control_end_backup(request, &snapshot, self.lacks);
    }
    draw_fini(&self.draw);
    bets_extent_fini(&self.extent);
    buffer_fini(&self.journal);
    return status;
}
