/* bets_scan.h - reads bets.csv of a closed draw, for the winning bets or for all lines, and
 * verifies it on the way.
 *
 * Used by processes other than the ledger; they only read.
 */
#ifndef LOTTERY_STORE_BETS_SCAN_H
#define LOTTERY_STORE_BETS_SCAN_H

#include "bets_extent.h"
#include "data_dir.h"
#include "errbuf.h"
#include "winners.h"

struct bets_scan {
    const struct data_dir *data_dir;  /* borrowed */
    const struct bets_extent *extent; /* borrowed; size = closed.extent */
    uint32_t winner_number;
    unsigned part; /* from 0 */
    unsigned parts;
    /* Takes a winner, in the order of the bets. Another status than OK ends the scan with it. */
    enum status (*on_winner)(void *owner, const struct winner *winner);
    /* Or takes whole lines, many at a time. DAMAGED, with the place of the line in *bad_at, ends
     * the scan. NULL: on_winner is there. */
    enum status (*on_lines)(void *owner, const char *text, size_t size, size_t *bad_at);
    void *owner;           /* handed to both */
    unsigned verify_part;  /* which part of the chunks is verified, as somebody else verifies the */
    unsigned verify_parts; /* others; 0: all */
    uint64_t *bets; /* out: how many bets the part has, when the scan is OK; NULL: not needed */
};

/* Scans one part; a bet belongs to the part in which its line begins. Blocks on the file. DAMAGED
 * with the byte when a checksum or a line is wrong, IO, NOMEM, NOTFOUND, or what on_winner
 * returned.
 */
enum status bets_scan_run(const struct bets_scan *config, struct errbuf *err);

#endif
