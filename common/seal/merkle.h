/* merkle.h - a tree of hashes over leaves, after RFC 6962, section 2.1: its root fixes all leaves
 * and their order, and a short proof shows that a leaf is one of them.
 *
 * Hash of a leaf: SHA-256 of 0x00 and the leaf; of a node: SHA-256 of 0x01 and the two hashes below
 * it. A tree without leaves has the SHA-256 of nothing as its root.
 */
#ifndef LOTTERY_MERKLE_H
#define LOTTERY_MERKLE_H

#include "sha256.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MERKLE_LEVELS_MAX 65 /* of any tree: 2^64 leaves have as many */
#define MERKLE_PROOF_MAX 64  /* hashes in any proof */

struct merkle_hash {
    uint8_t bytes[SHA256_SIZE];
};

/* A tree with all its hashes. Leaves are added, then merkle_finish() computes the rest, then it can
 * be asked. */
struct merkle {
    struct sha256 hash;         /* for all hashes in turn */
    struct merkle_hash *hashes; /* owned; the leaves', then those of each level above */
    size_t capacity;            /* how many there is room for */
    size_t leaves;
    size_t level_at[MERKLE_LEVELS_MAX]; /* where each level begins; level 0 are the leaves */
    size_t levels;                      /* 0 until merkle_finish() */
    struct merkle_hash root;            /* from then on */
};

/* A tree without leaves. NOMEM: there is nothing to end. */
enum status merkle_init(struct merkle *tree);

/* Frees it; a zeroed one is fine. */
void merkle_fini(struct merkle *tree);

/* Adds a leaf after the others; not after merkle_finish(). NOMEM: the tree is as before. */
enum status merkle_add(struct merkle *tree, struct text leaf);

/* Computes all hashes above the leaves: about as many as there are leaves. NOMEM: the tree is as
 * before. */
enum status merkle_finish(struct merkle *tree);

/* The root of a finished tree. */
struct merkle_hash merkle_root(const struct merkle *tree);

/* Writes the proof for leaf `index` (0 is the first; less than tree->leaves) of a finished tree:
 * RFC 6962's audit path, the lowest hash first. Returns how many hashes that are, about log2 of the
 * number of leaves; it takes as long. */
size_t merkle_prove(const struct merkle *tree, size_t index,
                    struct merkle_hash out[MERKLE_PROOF_MAX]);

/* The hash of a leaf. NOMEM. */
enum status merkle_leaf_hash(struct text leaf, struct merkle_hash *out);

/* Does the proof show that the leaf with this hash is number `index` of the `size` leaves of the
 * tree with this root? All of it may come from somebody who lies, but for root and size, which
 * belong together and have to be known otherwise (a signature covers both): with a size that is not
 * the tree's, another index may fit the same proof. Takes at most MERKLE_PROOF_MAX hashes.
 *
 * OK: yes. INVALID: no leaf has such an index, or its proof has another number of hashes. MISMATCH:
 * it leads to another root. NOMEM. */
enum status merkle_verify(const struct merkle_hash *leaf, uint64_t index, uint64_t size,
                          const struct merkle_hash *proof, size_t count,
                          const struct merkle_hash *root);

#endif
