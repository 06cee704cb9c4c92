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

static void merkle_hash_leaf(struct sha256 *hash, struct text leaf, struct merkle_hash *out)
{
    static const uint8_t prefix = LEAF_PREFIX;

    sha256_update(hash, &prefix, 1);
    sha256_update(hash, leaf.data, leaf.size);
    sha256_final(hash, out->bytes);
}

static void merkle_hash_node(struct sha256 *hash, const struct merkle_hash *left,
                             const struct merkle_hash *right, struct merkle_hash *out)
{
    uint8_t node[1 + 2 * SHA256_SIZE] = {NODE_PREFIX};

    memcpy(node + 1, left->bytes, SHA256_SIZE);
    memcpy(node + 1 + SHA256_SIZE, right->bytes, SHA256_SIZE);
    sha256_update(hash, node, sizeof(node));
    sha256_final(hash, out->bytes);
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
    enum status status = merkle_reserve(tree, tree->count + 1);
    if (status != STATUS_OK)
        return status;
    merkle_hash_leaf(&tree->hash, leaf, &tree->hashes[tree->count++]);
    tree->leaves++;
    return STATUS_OK;
}

/* Each level pairs the hashes of the one below; a last one without a partner moves up unchanged. So
 * each node has a full tree to its left, as RFC 6962 splits: its largest power of two. */
enum status merkle_finish(struct merkle *tree)
{
    size_t at = 0;
    size_t total = tree->leaves;

    ASSERT(tree->levels == 0);
    for (size_t width = tree->leaves; width > 1; width = (width + 1) / 2)
        total += (width + 1) / 2;
    enum status status = merkle_reserve(tree, total > 0 ? total : 1);
    if (status != STATUS_OK)
        return status;
    tree->level_at[tree->levels++] = 0;
    for (size_t width = tree->leaves; width > 1; width = (width + 1) / 2) {
        for (size_t i = 0; i + 1 < width; i += 2)
            merkle_hash_node(&tree->hash, &tree->hashes[at + i], &tree->hashes[at + i + 1],
                             &tree->hashes[tree->count++]);
        if (width % 2 == 1)
            tree->hashes[tree->count++] = tree->hashes[at + width - 1];
        at += width;
        tree->level_at[tree->levels++] = at;
    }
    return STATUS_OK;
}

struct merkle_hash merkle_root(struct merkle *tree)
{
    struct merkle_hash root;

    ASSERT(tree->levels > 0);
    if (tree->leaves > 0)
        return tree->hashes[tree->count - 1];
    sha256_final(&tree->hash, root.bytes);
    return root;
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
    merkle_hash_leaf(&hash, leaf, out);
    sha256_fini(&hash);
    return STATUS_OK;
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
    for (uint64_t last = size - 1; last > 0; last /= 2, index /= 2) {
        if ((index & 1) == 1)
            merkle_hash_node(&running, &proof[used++], &hash, &hash);
        else if (index < last)
            merkle_hash_node(&running, &hash, &proof[used++], &hash);
    }
    sha256_fini(&running);
    return memcmp(hash.bytes, root->bytes, SHA256_SIZE) == 0 ? STATUS_OK : STATUS_MISMATCH;
}
