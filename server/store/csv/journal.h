/* journal.h - the records of the journal: bytes to struct and back. Pure.
 *
 * The file: two header records, at 0 and at 512, then, from JOURNAL_START, records of
 * JOURNAL_RECORD_SIZE bytes. The newer valid header counts; one is always intact while the other is
 * rewritten. All numbers are little endian. docs/disk-format.md has the layout by byte.
 */
#ifndef LOTTERY_JOURNAL_H
#define LOTTERY_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_NAME "bets.journal"
#define BETS_NAME "bets.csv" /* the file that it describes */
#define JOURNAL_RECORD_SIZE 64
#define JOURNAL_HEADER_B 512 /* offset of the second header */
#define JOURNAL_START 1024   /* offset of the first record */

enum journal_type {
    JOURNAL_HEADER = 1,
    JOURNAL_BETS = 2,     /* one batch in bets.csv */
    JOURNAL_FINISHED = 3, /* an agency has sent everything */
    JOURNAL_DRAW = 4      /* the draw took place */
};

struct journal_record {
    enum journal_type type;
    uint32_t agency;    /* BETS, FINISHED */
    uint32_t count;     /* BETS: number of bets; DRAW: the winning number */
    uint64_t received;  /* BETS: the agency's total including this batch; FINISHED: its total;
                           DRAW: number of winners; HEADER: how often it was written */
    uint64_t data_at;   /* BETS: offset in bets.csv; DRAW: size of winners.csv, bytes */
    uint32_t data_size; /* BETS: bytes in bets.csv */
    uint32_t data_crc;  /* BETS, DRAW: checksum of those bytes */
    uint64_t synced;    /* journal bytes known to be on disk when this was written, with the bets
                           that they describe */
    uint64_t at;        /* this record's own offset: a misplaced block does not match */
    uint64_t id;        /* random, set when the data folder was created: records of other folders
                           do not match */
};

/* Encodes `record` with its checksum. */
void journal_encode(const struct journal_record *record, uint8_t out[JOURNAL_RECORD_SIZE]);

/* Decodes one record. Returns false, and does not set *out, when checksum, version or type is
 * wrong, or when no record can begin at `synced`. */
bool journal_decode(const uint8_t bytes[JOURNAL_RECORD_SIZE], struct journal_record *out);

#endif
