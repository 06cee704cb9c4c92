/* draw_seal.h - the seal of a draw, as its files have it, and the proof that an agency is in it.
 *
 * docs/protocol.md has what a seal is. Nothing here needs the key: the note was signed when the
 * draw was sealed, and whoever gets it checks that.
 */
#ifndef LOTTERY_STORE_DRAW_SEAL_H
#define LOTTERY_STORE_DRAW_SEAL_H

#include "errbuf.h"
#include "file_ops.h"
#include "status.h"

#include <stddef.h>
#include <stdint.h>

struct draw_seal;
struct merkle_hash;
struct seal_agency;

/* What the log of the draw says of its seal. */
struct draw_seal_facts {
    const char *id;      /* of the draw; borrowed; empty: it has none */
    uint32_t agencies;   /* N */
    const uint8_t *root; /* borrowed; DRAW_ROOT_SIZE bytes */
};

/* Reads seal.leaves and seal.txt in the directory `dir_fd`, and computes the tree. DAMAGED: they
 * are not those of the seal with these facts; NOTFOUND, IO, NOMEM; *err says why. The caller closes
 * *out. Takes about 200 bytes and two hashes for each agency. Blocks. */
enum status draw_seal_open(const struct file_ops *ops, int dir_fd,
                           const struct draw_seal_facts *facts, struct draw_seal **out,
                           struct errbuf *err);
void draw_seal_close(struct draw_seal *seal); /* NULL is fine */

/* The leaf of an agency, which is one of 1..N; borrowed. */
const struct seal_agency *draw_seal_leaf(const struct draw_seal *seal, uint32_t agency);

/* Writes the proof of that leaf, the lowest hash first, at most MERKLE_PROOF_MAX hashes. Returns
 * how many it has. */
size_t draw_seal_prove(const struct draw_seal *seal, uint32_t agency, struct merkle_hash *out);

/* seal.txt, a string; borrowed. */
const char *draw_seal_note(const struct draw_seal *seal);

#endif
