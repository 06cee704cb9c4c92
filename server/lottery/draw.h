/* draw.h - what the records of a draw mean: state + record -> outcome. Pure.
 *
 * The log of a draw is a sequence of records, and the state is what draw_apply() makes of them in
 * their order; nothing else decides. The ledger applies a record when it decides about an
 * operation, and applies the same records again when it recovers.
 *
 * | record   | accepted when                                                       |
 * |----------|---------------------------------------------------------------------|
 * | opened   | it is the first                                                     |
 * | agencies | the draw is open, and N grows                                       |
 * | bets     | open, agency in 1..N and not finished, offset <= received < the end |
 * | finished | open, agency in 1..N, total = received                              |
 * | closed   | open; if all agencies are said to have finished, they have          |
 * | drawn    | closed; the first one                                               |
 */
#ifndef LOTTERY_DRAW_H
#define LOTTERY_DRAW_H

#include "bets_checksum.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

#define DRAW_SALT_SIZE 32 /* bytes of random numbers that the closing fixes */

/* The values of all enums here are on disk: add new ones, change none. */
enum draw_phase {
    DRAW_NEW = 0,    /* no record yet */
    DRAW_OPEN = 1,   /* takes bets */
    DRAW_CLOSED = 2, /* takes none; what counts is fixed */
    DRAW_DRAWN = 3   /* has its number and its winners */
};

enum draw_record_type {
    DRAW_OPENED = 1,
    DRAW_AGENCIES = 2,
    DRAW_BETS = 3,
    DRAW_FINISHED = 4,
    DRAW_CLOSING = 5,
    DRAW_DRAWING = 6
};

/* Why a draw was closed. */
enum draw_closed_by {
    DRAW_BY_ALL_FINISHED = 1 /* all agencies 1..N have finished */
};

struct draw_opened {
    uint32_t agencies;      /* N; 0: no agency is known, and the draw is never closed by itself */
    uint32_t winner_number; /* 0..9999 */
};

struct draw_bets {
    uint32_t agency;
    uint32_t count;               /* bets in the batch; at least 1 */
    uint64_t offset;              /* bets of the agency that come before it */
    struct bets_checksum claimed; /* what the agency says of the bets that are known */
    uint32_t checksum;            /* of the agency's bets up to the end of the batch */
    uint32_t checksum_before;     /* of those that were known; set by draw_apply */
};

struct draw_finished {
    uint32_t agency;
    uint64_t total;               /* bets that the agency has sent */
    struct bets_checksum claimed; /* what it says of them */
};

struct draw_closed {
    uint64_t time_s; /* UTC, seconds since 1970 */
    enum draw_closed_by by;
    uint64_t bets;                /* how many bets count; set by draw_apply */
    uint64_t extent;              /* how far they go in the store: bytes of bets.csv */
    uint8_t salt[DRAW_SALT_SIZE]; /* random */
};

struct draw_drawn {
    uint64_t time_s; /* UTC, seconds since 1970 */
    uint32_t winner_number;
    uint64_t winners;      /* how many bets won */
    uint64_t winners_size; /* bytes of winners.csv */
    uint32_t winners_crc;  /* CRC32C of winners.csv */
};

struct draw_record {
    enum draw_record_type type; /* which member of the union counts */
    union {
        struct draw_opened opened;
        uint32_t agencies; /* DRAW_AGENCIES: the new N */
        struct draw_bets bets;
        struct draw_finished finished;
        struct draw_closed closed;
        struct draw_drawn drawn;
    };
};

struct draw_agency {
    uint64_t received; /* bets of it that count */
    uint32_t checksum; /* of these; see bets_checksum.h */
    bool has_finished;
};

struct draw {
    enum draw_phase phase;
    uint32_t agencies;          /* N; the ids are 1..N */
    uint32_t finished;          /* how many of them have finished */
    uint32_t winner_number;     /* as opened */
    uint64_t bets;              /* of all agencies */
    struct draw_agency *agency; /* owned; [1..agencies]; [0] is unused */
    struct draw_closed closed;  /* from DRAW_CLOSED on */
    struct draw_drawn drawn;    /* in DRAW_DRAWN */
};

/* What became of a record.
 *
 * OK              accepted (is_recorded), or known already: then it changes nothing
 * GAP             bets: offset is beyond what was received
 * CLOSED          bets: new ones of an agency that has finished, or in a draw that is not open;
 *                 drawn: another outcome is there already; all but bets: out of turn
 * INCOMPLETE      finished: total differs from what was received
 * MISMATCH        bets, finished: what the agency says of its bets is not what they are
 * UNKNOWN_AGENCY  id outside 1..N
 * INVALID         closed: the agencies have not all finished; agencies: N does not grow; drawn: not
 *                 the number of this draw
 * NOMEM           opened, agencies: the state is as before */
struct draw_outcome {
    enum status status;
    bool is_recorded;  /* the state has changed: the record belongs in the log */
    uint32_t known;    /* bets: how many at the start of the batch were known already */
    uint64_t received; /* bets, finished: what counts of the agency now; 0 if it is unknown */
};

/* A state without any record. */
void draw_init(struct draw *draw);
void draw_fini(struct draw *draw);

/* Decides about `record` and, if it is accepted, changes the state. The record of an accepted batch
 * is cut to what is new: its offset is `received` as it was, its count without `known`. */
struct draw_outcome draw_apply(struct draw *draw, struct draw_record *record);

/* Takes back the last record that was accepted and not yet taken back: bets, finished, closed or
 * drawn, as draw_apply left it; no other types. For records that could not be written. */
void draw_undo(struct draw *draw, const struct draw_record *record);

/* Have both the same winners? Their times may differ: who holds a draw again finds the same winners
 * later. */
bool draw_is_same_outcome(const struct draw_drawn *a, const struct draw_drawn *b);

/* Bets of the agency that count; 0 if there is no such agency. */
uint64_t draw_received(const struct draw *draw, uint32_t agency);

/* The checksum of these bets; 0 if there is no such agency. */
uint32_t draw_checksum(const struct draw *draw, uint32_t agency);

/* How many of the first bets of a batch are known already: 0..count. */
uint32_t draw_known(const struct draw *draw, const struct draw_bets *bets);

/* Are the agency's bets those that it says? True also if it says nothing. */
bool draw_agrees(const struct draw *draw, uint32_t agency, const struct bets_checksum *claimed);

/* Is it time to close: are there agencies, and have all of them finished? */
bool draw_is_due(const struct draw *draw);

#endif
