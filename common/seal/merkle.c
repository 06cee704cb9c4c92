#include "merkle.h"

#include "assertion.h"
#include "buffer.h"

#include <stdlib.h>

#define LEAF_PREFIX 0x00
#define NODE_PREFIX 0x01
#define FIRST_CAPACITY 64

enum status merkle_init(struct merkle *tree)
{
    *tree = (struct merkle){.capacity = 0};
    return sha256_init(&tree->hash);
}

void merkle_fini(struct merkle *tree)
{
    sha256_fini(&tree->hash);
    free(tree->hashes);
    tree->hashes = NULL;
}

static enum status merkle_hash_leaf(struct sha256 *hash, struct text leaf, struct merkle_hash *out)
{
    static const uint8_t prefix = LEAF_PREFIX;
    enum status status = sha256_restart(hash);

    if (status != STATUS_OK)
        return status;
    sha256_update(hash, &prefix, 1);
    sha256_update(hash, leaf.data, leaf.size);
    sha256_final(hash, out->bytes);
    return STATUS_OK;
}

static enum status merkle_hash_node(struct sha256 *hash, const struct merkle_hash *left,
                                    const struct merkle_hash *right, struct merkle_hash *out)
{
    uint8_t node[1 + 2 * SHA256_SIZE] = {NODE_PREFIX};
    enum status status = sha256_restart(hash);

    if (status != STATUS_OK)
        return status;
    memcpy(node + 1, left->bytes, SHA256_SIZE);
    memcpy(node + 1 + SHA256_SIZE, right->bytes, SHA256_SIZE);
    sha256_update(hash, node, sizeof(node));
    sha256_final(hash, out->bytes);
    return STATUS_OK;
}

static enum status merkle_reserve(struct merkle *tree, size_t count)
{
    if (tree->capacity == 0)
        tree->capacity = FIRST_CAPACITY;
    struct merkle_hash *grown =
        array_grow(tree->hashes, &tree->capacity, count, sizeof(*tree->hashes));
    if (grown == NULL)
        return STATUS_NOMEM;
    tree->hashes = grown;
    return STATUS_OK;
}

enum status merkle_add(struct merkle *tree, struct text leaf)
{
    ASSERT(tree->levels == 0);
    enum status status = merkle_reserve(tree, tree->leaves + 1);
    if (status == STATUS_OK)
        status = merkle_hash_leaf(&tree->hash, leaf, &tree->hashes[tree->leaves]);
    if (status == STATUS_OK)
        tree->leaves++;
    return status;
}

/* Computes the level above the one of `width` hashes at `at`, right after it: pairs them; a last
 * one without a partner moves up unchanged. So each node has a full tree to its left, of the
 * largest power of two, as RFC 6962 splits. */
static enum status merkle_add_level(struct merkle *tree, size_t at, size_t width)
{
    struct merkle_hash *below = tree->hashes + at;
    struct merkle_hash *above = below + width;

    for (size_t i = 0; i + 1 < width; i += 2) {
        enum status status = merkle_hash_node(&tree->hash, &below[i], &below[i + 1], &above[i / 2]);
        if (status != STATUS_OK)
            return status;
    }
    if (width % 2 == 1)
        above[width / 2] = below[width - 1];
    return STATUS_OK;
}

enum status merkle_finish(struct merkle *tree)
{
    size_t levels = 0;
    size_t total = tree->leaves;
    size_t at = 0;

    ASSERT(tree->levels == 0);
    for (size_t width = tree->leaves; width > 1; width = (width + 1) / 2)
        total += (width + 1) / 2;
    enum status status =
        total > 0 ? merkle_reserve(tree, total) : sha256_of((struct text){"", 0}, tree->root.bytes);
    tree->level_at[levels++] = 0;
    for (size_t width = tree->leaves; status == STATUS_OK && width > 1; width = (width + 1) / 2) {
        status = merkle_add_level(tree, at, width);
        at += width;
        tree->level_at[levels++] = at;
    }
    if (status != STATUS_OK)
        return status;
    if (total > 0)
        tree->root = tree->hashes[total - 1];
    tree->levels = levels;
    return STATUS_OK;
}

struct merkle_hash merkle_root(const struct merkle *tree)
{
    ASSERT(tree->levels > 0);
    return tree->root;
}

size_t merkle_prove(const struct merkle *tree, size_t index,
                    struct merkle_hash out[MERKLE_PROOF_MAX])
{
    size_t count = 0;

    ASSERT(tree->levels > 0 && index < tree->leaves);
    for (size_t level = 0; level + 1 < tree->levels; level++, index /= 2) {
        size_t partner = tree->level_at[level] + (index ^ 1);
        if (partner < tree->level_at[level + 1])
            out[count++] = tree->hashes[partner];
    }
    return count;
}

enum status merkle_leaf_hash(struct text leaf, struct merkle_hash *out)
{
    struct sha256 hash;
    enum status status = sha256_init(&hash);

    if (status != STATUS_OK)
        return status;
    status = merkle_hash_leaf(&hash, leaf, out);
    sha256_fini(&hash);
    return status;
}

/* How many hashes the proof for this leaf has: one for each level at which it has a partner. */
static size_t merkle_proof_size(uint64_t index, uint64_t size)
{
    size_t count = 0;

    for (uint64_t last = size - 1; last > 0; last /= 2, index /= 2)
        count += (index & 1) == 1 || index < last;
    return count;
}

enum status merkle_verify(const struct merkle_hash *leaf, uint64_t index, uint64_t size,
                          const struct merkle_hash *proof, size_t count,
                          const struct merkle_hash *root)
{
    struct merkle_hash hash = *leaf;
    struct sha256 running;
    size_t used = 0;

    if (index >= size || count != merkle_proof_size(index, size))
        return STATUS_INVALID;
    enum status status = sha256_init(&running);
    if (status != STATUS_OK)
        return status;
    for (uint64_t last = size - 1; status == STATUS_OK && last > 0; last /= 2, index /= 2) {
        if ((index & 1) == 1)
            status = merkle_hash_node(&running, &proof[used++], &hash, &hash);
        else if (index < last)
            status = merkle_hash_node(&running, &hash, &proof[used++], &hash);
    }
    sha256_fini(&running);
    if (status == STATUS_OK && memcmp(hash.bytes, root->bytes, SHA256_SIZE) != 0)
        status = STATUS_MISMATCH;
    return status;
}
