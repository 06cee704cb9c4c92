/* bets_digest.h - the SHA-256 of each agency's lines of bets.csv, in a closed draw.
 *
 * Used by processes other than the ledger; they only read.
 */
#ifndef LOTTERY_STORE_BETS_DIGEST_H
#define LOTTERY_STORE_BETS_DIGEST_H

#include "bets_extent.h"
#include "data_dir.h"
#include "errbuf.h"
#include "sha256.h"
#include "status.h"

#include <stdint.h>

/* The lines of an agency, in their order in the file, line ends included. */
struct agency_digest {
    uint64_t bets; /* lines */
    uint8_t digest[SHA256_SIZE];
};

struct bets_digest {
    const struct data_dir *data_dir;  /* borrowed */
    const struct bets_extent *extent; /* borrowed; size = closed.extent */
    uint32_t agencies;                /* N */
    unsigned part;                    /* from 0 */
    unsigned parts;
    const uint8_t *part_of; /* borrowed; [0..agencies]: which part an agency belongs to; NULL: its
                               id modulo `parts` */
    struct agency_digest *out; /* borrowed; [0..agencies], of which those of the part are set */
};

/* Reads all of bets.csv, computes the digests of one part of the agencies, and verifies the
 * checksums of as large a part of the file: all parts together verify all of it. Blocks on the
 * file. DAMAGED with the byte when a checksum or a line is wrong, IO, NOMEM, NOTFOUND. */
enum status bets_digest_run(const struct bets_digest *config, struct errbuf *err);

#endif
