/* journal.h - the records of the journal: bytes to struct and back. Pure.
 *
 * The file: two header records (at 0 and at 512: the younger valid one counts, so that one is
 * always whole while the other is rewritten), then from JOURNAL_START records of
 * JOURNAL_RECORD_SIZE bytes. All numbers are little endian. ARCHITECTURE.md has the layout by byte.
 */
#ifndef LOTTERY_JOURNAL_H
#define LOTTERY_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#define JOURNAL_NAME "bets.journal"
#define BETS_NAME "bets.csv" /* the file that it tells of */
#define JOURNAL_RECORD_SIZE 64
#define JOURNAL_HEADER_B 512 /* offset of the second header */
#define JOURNAL_START 1024   /* offset of the first record */

enum journal_type {
    JOURNAL_HEADER = 1,
    JOURNAL_BETS = 2,     /* one batch in bets.csv */
    JOURNAL_FINISHED = 3, /* an agency has sent everything */
    JOURNAL_DRAW = 4      /* the raffle was held */
};

struct journal_record {
    enum journal_type type;
    uint32_t agency;    /* BETS, FINISHED */
    uint32_t count;     /* BETS: bets in it; DRAW: the winner number */
    uint64_t received;  /* BETS: the agency's total with this batch; FINISHED: its total;
                           DRAW: how many winners; HEADER: how often it was written */
    uint64_t data_at;   /* BETS: offset in bets.csv; DRAW: bytes of winners.csv */
    uint32_t data_size; /* BETS: bytes in bets.csv */
    uint32_t data_crc;  /* BETS, DRAW: checksum of those bytes */
    uint64_t synced;    /* journal bytes known to be on disk when this was written, with the bets
                           they tell of */
    uint64_t at;        /* this record's own offset: a block that strayed does not fit */
    uint64_t id;        /* drawn when the folder was made: records of other folders do not fit */
};

/* Writes `record` with its checksum. */
void journal_encode(const struct journal_record *record, uint8_t out[JOURNAL_RECORD_SIZE]);

/* Reads one record. False when checksum, version or type are wrong, or when `synced` is no place
 * where a record begins. */
bool journal_decode(const uint8_t bytes[JOURNAL_RECORD_SIZE], struct journal_record *out);

#endif
