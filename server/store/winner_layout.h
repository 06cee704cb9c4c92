/* winner_layout.h - the bytes of winners.index, and the items of the parts. Pure; for winner_*.c.
 *
 * winners.index: a header, a table with an entry per agency, then the documents, a line feed after
 * each: those of agency 1, of agency 2, and so on, without gaps. All numbers are little endian.
 * docs/disk-format.md has the layout by byte.
 */
#ifndef LOTTERY_STORE_WINNER_LAYOUT_H
#define LOTTERY_STORE_WINNER_LAYOUT_H

#include "draw.h"
#include "errbuf.h"
#include "winners.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WINNER_HEADER_SIZE 40
#define WINNER_ENTRY_SIZE 32
#define WINNER_TEXT_MAX (BET_DOCUMENT_MAX + 1)                /* a document and its line feed */
#define WINNER_LINE_MAX (10 + 1 + BET_DOCUMENT_MAX + 2)       /* of winners.csv */
#define WINNER_PART_ITEM_SIZE ((size_t)sizeof(struct winner)) /* parts never leave the machine */

/* The winners of one agency in the index. */
struct winner_group {
    uint64_t at;    /* offset of the first document in the file */
    uint64_t bytes; /* of all its documents, with their line feeds */
    uint64_t count; /* documents */
    uint32_t crc;   /* CRC32C of those bytes */
};

/* Can the index have it: is its agency one of 1..agencies, and its document neither empty nor too
 * long? */
bool winner_layout_takes(uint32_t agencies, const struct winner *winner);

/* Bytes of the header and the table. */
size_t winner_layout_head_size(uint32_t agencies);

/* Encodes header and table; `out` has winner_layout_head_size() bytes. */
void winner_layout_encode(uint32_t agencies, const struct draw_drawn *drawn,
                          const struct winner_group *groups, uint8_t *out);

/* Does the head, winner_layout_head_size() bytes, belong to `drawn`, and does its table fit a file
 * of `file_size` bytes? Otherwise DAMAGED with a reason in *err. Afterwards all groups lie in the
 * file, one after the other. */
enum status winner_layout_check(const uint8_t *head, uint64_t file_size, uint32_t agencies,
                                const struct draw_drawn *drawn, struct errbuf *err);

/* The entry of an agency, 1..agencies, in a head that was checked. */
struct winner_group winner_layout_group(const uint8_t *head, uint32_t agency);

#endif
