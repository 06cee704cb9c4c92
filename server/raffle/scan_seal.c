/* Makes the seal: each scanner computes the digests of some of the agencies, and the joiner makes
 * of these the leaves, the tree, and the signed note with its root.
 */
#include "bets_digest.h"
#include "clock.h"
#include "draw_seal.h"
#include "merkle.h"
#include "scan_work.h"
#include "seal_files.h"
#include "seal_leaf.h"
#include "seal_note.h"
#include "sealed_files.h"

#include <stdlib.h>
#include <string.h>

_Static_assert(SEAL_SALT_SIZE == DRAW_SALT_SIZE, "the salt of the closing");
_Static_assert(SHA256_SIZE == DRAW_ROOT_SIZE, "a root is a hash");

/* Which scanner hashes which agency; after the digests. */
static uint8_t *scan_seal_parts(const struct scan_work *work)
{
    struct agency_digest *digests = scan_work_shared(work);

    return (uint8_t *)(digests + work->draw.agencies + 1);
}

/* An agency, and how many bets it has. */
struct seal_load {
    uint64_t bets;
    uint32_t agency;
};

static int seal_load_compare(const void *a, const void *b)
{
    const struct seal_load *left = a;
    const struct seal_load *right = b;

    return left->bets < right->bets ? 1 : left->bets > right->bets ? -1 : 0;
}

/* Gives each agency, the largest first, to the scanner that has the fewest bets. An agency is
 * hashed by one scanner, so nothing can be faster than the largest. */
static enum status scan_seal_share(const struct scan_work *work, struct errbuf *err)
{
    uint32_t agencies = work->draw.agencies;
    struct seal_load *loads = calloc((size_t)agencies + 1, sizeof(*loads));
    uint8_t *part_of = scan_seal_parts(work);
    uint64_t bets[SCAN_PARTS_MAX] = {0};

    if (loads == NULL) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    for (uint32_t i = 0; i < agencies; i++)
        loads[i] = (struct seal_load){draw_received(&work->draw, i + 1), i + 1};
    qsort(loads, agencies, sizeof(*loads), seal_load_compare);
    for (uint32_t i = 0; i < agencies; i++) {
        unsigned least = 0;
        for (unsigned part = 1; part < work->parts; part++) {
            if (bets[part] < bets[least])
                least = part;
        }
        part_of[loads[i].agency] = (uint8_t)least;
        bets[least] += loads[i].bets;
    }
    free(loads);
    return STATUS_OK;
}

static enum status scan_seal_prepare(struct scan_work *work, unsigned scanners, struct errbuf *err)
{
    enum status status = scan_work_read_checkpoint(work, err);
    uint32_t agencies = work->draw.agencies;

    if (status != STATUS_OK)
        return status;
    work->parts = agencies < scanners ? agencies : scanners;
    if (work->parts == 0)
        work->parts = 1; /* there may be bytes to verify all the same */
    status = scan_work_map(work, ((size_t)agencies + 1) * (sizeof(struct agency_digest) + 1), err);
    return status == STATUS_OK ? scan_seal_share(work, err) : status;
}

static void scan_seal_scan(const struct scan_work *work, unsigned part)
{
    struct scan_result *result = scan_work_result(work, part);
    const struct bets_digest digest = {
        .data_dir = work->data_dir,
        .extent = &work->extent,
        .agencies = work->draw.agencies,
        .part = part,
        .parts = work->parts,
        .part_of = scan_seal_parts(work),
        .out = scan_work_shared(work),
    };

    result->status = bets_digest_run(&digest, &result->err);
}

/* If they have not, a bet that was acknowledged would not be sealed. */
static enum status scan_seal_gather(const struct scan_work *work, struct errbuf *err)
{
    const struct agency_digest *digests = scan_work_shared(work);
    bool is_right = true;
    uint64_t bets = 0;

    for (uint32_t agency = 1; agency <= work->draw.agencies; agency++) {
        is_right &= digests[agency].bets == draw_received(&work->draw, agency);
        bets += digests[agency].bets;
    }
    if (is_right && bets == work->draw.closed.bets)
        return STATUS_OK;
    return scan_work_refuse_bets(work, bets, err);
}

/* Adds a leaf to the tree, and as a line to the file. */
static enum status scan_seal_add_leaf(struct merkle *tree, struct buffer *lines, char *leaf,
                                      size_t size)
{
    enum status status = merkle_add(tree, (struct text){leaf, size});

    leaf[size] = '\n';
    return status == STATUS_OK ? buffer_append(lines, leaf, size + 1) : status;
}

static enum status scan_seal_add_draw(const struct scan_work *work, struct merkle *tree,
                                      struct buffer *lines)
{
    const struct draw *draw = &work->draw;
    struct seal_draw leaf = {
        .agencies = draw->agencies, .bets = draw->closed.bets, .closed_s = draw->closed.time_s};
    char text[SEAL_LEAF_MAX + 1];

    memcpy(leaf.id, draw->terms.id, sizeof(leaf.id));
    return scan_seal_add_leaf(tree, lines, text, seal_leaf_put_draw(&leaf, text));
}

static enum status scan_seal_add_agency(const struct scan_work *work, uint32_t agency,
                                        struct merkle *tree, struct buffer *lines)
{
    const struct agency_digest *digests = scan_work_shared(work);
    struct seal_agency leaf = {.agency = agency, .bets = digests[agency].bets};
    char text[SEAL_LEAF_MAX + 1];

    memcpy(leaf.digest, digests[agency].digest, sizeof(leaf.digest));
    enum status status = seal_nonce(work->draw.closed.salt, agency, leaf.nonce);
    if (status != STATUS_OK)
        return status;
    return scan_seal_add_leaf(tree, lines, text, seal_leaf_put_agency(&leaf, text));
}

static enum status scan_seal_plant(const struct scan_work *work, struct merkle *tree,
                                   struct buffer *lines)
{
    enum status status = scan_seal_add_draw(work, tree, lines);

    for (uint32_t agency = 1; agency <= work->draw.agencies && status == STATUS_OK; agency++)
        status = scan_seal_add_agency(work, agency, tree, lines);
    return status == STATUS_OK ? merkle_finish(tree) : status;
}

/* The text of seal.txt. Returns its size. */
static size_t scan_seal_text(const struct draw_terms *terms, uint32_t agencies,
                             const struct merkle_hash *root, char out[SEAL_NOTE_MAX])
{
    struct seal_note note = {.leaves = (uint64_t)agencies + 1, .root = *root};

    memcpy(note.id, terms->id, sizeof(note.id));
    return seal_note_put(&note, out);
}

static enum status scan_seal_write(const struct scan_work *work, struct merkle *tree,
                                   const struct buffer *lines, struct errbuf *err)
{
    const struct merkle_hash root = merkle_root(tree);
    struct buffer note = {0};
    char text[SEAL_NOTE_MAX];

    memcpy(scan_work_result(work, 0)->outcome.sealed.root, root.bytes, sizeof(root.bytes));
    size_t size = scan_seal_text(&work->draw.terms, work->draw.agencies, &root, text);
    enum status status =
        sealed_note_sign(work->order.key_dir_fd, work->order.key_path, text, size, &note, err);
    if (status == STATUS_OK)
        status = sealed_file_write(work->data_dir->ops, work->fds[0], &note, SEAL_NAME, err);
    if (status == STATUS_OK)
        status = sealed_file_write(work->data_dir->ops, work->fds[1], lines, SEAL_LEAVES_NAME, err);
    buffer_fini(&note);
    return status;
}

static void scan_seal_join(const struct scan_work *work)
{
    struct scan_result *result = scan_work_result(work, 0);
    struct buffer lines = {0};
    struct merkle tree;

    result->status = merkle_init(&tree);
    if (result->status != STATUS_OK)
        return;
    result->status = scan_seal_plant(work, &tree, &lines);
    if (result->status == STATUS_OK)
        result->status = scan_seal_write(work, &tree, &lines, &result->err);
    merkle_fini(&tree);
    buffer_fini(&lines);
}

static enum status scan_seal_take(struct scan_work *work, struct errbuf *err)
{
    (void)err;
    work->outcome.sealed = scan_work_result(work, 0)->outcome.sealed;
    work->outcome.sealed.time_s = (uint64_t)clock_wall_s();
    return STATUS_OK;
}

/* As the workers read it before they send it. */
static void scan_seal_check(const struct scan_work *work)
{
    const struct draw_seal_facts facts = {work->order.news.terms.id, work->draw.agencies,
                                          work->outcome.sealed.root};
    struct scan_result *result = scan_work_result(work, 0);
    struct draw_seal *seal = NULL;

    result->status =
        draw_seal_open(work->data_dir->ops, work->data_dir->fd, &facts, &seal, &result->err);
    if (result->status == STATUS_OK)
        result->status = sealed_note_verify(work->order.key_dir_fd, work->order.key_path, SEAL_NAME,
                                            draw_seal_note(seal), &result->err);
    draw_seal_close(seal);
}

const struct scan_kind scan_seal = {
    .files = STORE_SEAL,
    .what = "the seal",
    .has_part_files = false,
    .prepare = scan_seal_prepare,
    .scan = scan_seal_scan,
    .gather = scan_seal_gather,
    .join = scan_seal_join,
    .take = scan_seal_take,
    .check = scan_seal_check,
};
