/* Reading a seal.
 *
 * Happy path: read the leaves line by line, add each to the tree, and compare its root with that of
 * the log: then every leaf is right.
 *
 * Failure modes: a file is missing, or somebody has changed it.
 */
#include "draw_seal.h"

#include "assertion.h"
#include "draw.h"
#include "merkle.h"
#include "note_file.h"
#include "seal_files.h"
#include "seal_leaf.h"
#include "seal_note.h"
#include "signed_note.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)64 * 1024) /* bytes that are read at a time */

struct draw_seal {
    struct merkle tree;
    struct seal_agency *leaves; /* owned; [1..agencies]; [0] is unused */
    char *note;                 /* owned; seal.txt */
    uint32_t agencies;          /* N */
};

/* Takes the next leaf. DAMAGED: it is not the one that belongs there. */
static enum status draw_seal_take(struct draw_seal *seal, const struct draw_seal_facts *facts,
                                  struct text line)
{
    size_t index = seal->tree.leaves;
    struct seal_draw draw;

    if (index > facts->agencies)
        return STATUS_DAMAGED;
    if (index == 0 && (!seal_leaf_read_draw(line, &draw) || draw.agencies != facts->agencies ||
                       strcmp(draw.id, facts->id) != 0))
        return STATUS_DAMAGED;
    if (index > 0 &&
        (!seal_leaf_read_agency(line, &seal->leaves[index]) || seal->leaves[index].agency != index))
        return STATUS_DAMAGED;
    return merkle_add(&seal->tree, line);
}

/* Takes the whole lines at the beginning of a piece of the file; *taken are their bytes. */
static enum status draw_seal_take_lines(struct draw_seal *seal, const struct draw_seal_facts *facts,
                                        struct text piece, size_t *taken)
{
    const char *at = piece.data;
    const char *end = piece.data + piece.size;
    const char *line_end;
    enum status status = STATUS_OK;

    while (status == STATUS_OK && (line_end = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        status = draw_seal_take(seal, facts, (struct text){at, (size_t)(line_end - at)});
        at = line_end + 1;
    }
    *taken = (size_t)(at - piece.data);
    return status;
}

static enum status draw_seal_read_lines(struct draw_seal *seal, const struct file_ops *ops, int fd,
                                        const struct draw_seal_facts *facts)
{
    char *piece = malloc(PIECE);
    enum status status = piece != NULL ? STATUS_OK : STATUS_NOMEM;
    uint64_t at = 0;
    size_t got = PIECE;

    while (status == STATUS_OK && got > 0) {
        size_t taken = 0;
        status = file_read(ops, fd, piece, PIECE, at, &got);
        if (status == STATUS_OK)
            status = draw_seal_take_lines(seal, facts, (struct text){piece, got}, &taken);
        if (status == STATUS_OK && got > 0 && taken == 0)
            status = STATUS_DAMAGED; /* not a whole line */
        at += taken;
    }
    free(piece);
    return status;
}

static enum status draw_seal_read_leaves(struct draw_seal *seal, const struct file_ops *ops,
                                         int dir_fd, const struct draw_seal_facts *facts,
                                         struct errbuf *err)
{
    uint64_t size;
    int fd;

    enum status status = file_open(ops, dir_fd, SEAL_LEAVES_NAME, &fd, &size, err);
    if (status != STATUS_OK)
        return status;
    status = draw_seal_read_lines(seal, ops, fd, facts);
    (void)close(fd);
    if (status == STATUS_OK && seal->tree.leaves != (size_t)facts->agencies + 1)
        status = STATUS_DAMAGED;
    if (status == STATUS_OK)
        status = merkle_finish(&seal->tree);
    if (status == STATUS_OK) {
        struct merkle_hash root = merkle_root(&seal->tree);
        if (memcmp(root.bytes, facts->root, DRAW_ROOT_SIZE) != 0)
            status = STATUS_DAMAGED;
    }
    return status == STATUS_OK ? STATUS_OK : file_fail(err, SEAL_LEAVES_NAME, status);
}

/* Is it about this seal? Who signed it is for the agencies to check. */
static bool draw_seal_is_note(const char *text, const struct draw_seal_facts *facts)
{
    struct signed_note note;
    struct seal_note seal;

    return signed_note_parse(text_of(text), &note, NULL) == STATUS_OK &&
           seal_note_read(note.text, &seal) == STATUS_OK && strcmp(seal.id, facts->id) == 0 &&
           seal.leaves == (uint64_t)facts->agencies + 1 &&
           memcmp(seal.root.bytes, facts->root, DRAW_ROOT_SIZE) == 0;
}

static enum status draw_seal_read_note(struct draw_seal *seal, const struct file_ops *ops,
                                       int dir_fd, const struct draw_seal_facts *facts,
                                       struct errbuf *err)
{
    enum status status = note_file_read(ops, dir_fd, SEAL_NAME, &seal->note, err);

    if (status != STATUS_OK || draw_seal_is_note(seal->note, facts))
        return status;
    return file_fail(err, SEAL_NAME, STATUS_DAMAGED);
}

enum status draw_seal_open(const struct file_ops *ops, int dir_fd,
                           const struct draw_seal_facts *facts, struct draw_seal **out,
                           struct errbuf *err)
{
    struct draw_seal *seal = calloc(1, sizeof(*seal));

    if (seal == NULL)
        return file_fail(err, SEAL_NAME, STATUS_NOMEM);
    seal->agencies = facts->agencies;
    seal->leaves = calloc((size_t)facts->agencies + 1, sizeof(*seal->leaves));
    enum status status = seal->leaves != NULL ? merkle_init(&seal->tree) : STATUS_NOMEM;
    if (status != STATUS_OK)
        (void)file_fail(err, SEAL_NAME, status);
    if (status == STATUS_OK)
        status = draw_seal_read_leaves(seal, ops, dir_fd, facts, err);
    if (status == STATUS_OK)
        status = draw_seal_read_note(seal, ops, dir_fd, facts, err);
    if (status == STATUS_OK)
        *out = seal;
    else
        draw_seal_close(seal);
    return status;
}

void draw_seal_close(struct draw_seal *seal)
{
    if (seal == NULL)
        return;
    merkle_fini(&seal->tree);
    free(seal->leaves);
    free(seal->note);
    free(seal);
}

const struct seal_agency *draw_seal_leaf(const struct draw_seal *seal, uint32_t agency)
{
    ASSERT(agency >= 1 && agency <= seal->agencies);
    return &seal->leaves[agency];
}

size_t draw_seal_prove(const struct draw_seal *seal, uint32_t agency, struct merkle_hash *out)
{
    ASSERT(agency >= 1 && agency <= seal->agencies);
    return merkle_prove(&seal->tree, agency, out);
}

const char *draw_seal_note(const struct draw_seal *seal)
{
    return seal->note;
}
