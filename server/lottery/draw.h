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
 * | closed   | open, and there is the reason that it says: see enum draw_closed_by |
 * | sealed   | closed, in a draw that is to be sealed; the first one               |
 * | drawn    | closed, and sealed if it is to be; the first one                    |
 * | act      | always, once there is a draw, up to DRAW_ACTS_MAX; it changes none  |
 * |          | of the above                                                        |
 */
#ifndef LOTTERY_DRAW_H
#define LOTTERY_DRAW_H

#include "bets_checksum.h"
#include "draw_id.h"
#include "rfc3339.h"
#include "status.h"
#include "text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DRAW_SALT_SIZE 32   /* bytes of random numbers that the closing fixes */
#define DRAW_ROOT_SIZE 32   /* bytes of a seal's root: a SHA-256 */
#define DRAW_TEXT_MAX 200   /* bytes of what an operator says: UTF-8 without control characters */
#define DRAW_ACTS_MAX 10000 /* acts of a draw: each checkpoint carries all of them */
#define DRAW_TIME_MAX RFC3339_LAST_S /* the last time that has a text */

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
    DRAW_DRAWING = 6,
    DRAW_SEALING = 7,
    DRAW_ACT = 8
};

/* Who closes the draw and gives its number. */
enum draw_mode {
    DRAW_AUTO = 0,  /* it closes when all have finished, and is drawn at once, with winner_number */
    DRAW_MANUAL = 1 /* it may be closed earlier; the operator gives the number */
};

/* Why a draw was closed. */
enum draw_closed_by {
    DRAW_BY_ALL_FINISHED = 1, /* all agencies 1..N have finished */
    DRAW_BY_DEADLINE = 2,     /* manual: close_at_s has come */
    DRAW_BY_OPERATOR = 3      /* manual */
};

/* What a draw is opened with, besides its agencies and its number. All zero: as in a draw that
 * nobody runs. */
struct draw_terms {
    enum draw_mode mode;
    bool has_seal;            /* it is to be sealed */
    uint64_t close_at_s;      /* UTC, seconds since 1970, up to DRAW_TIME_MAX; 0: none */
    char id[DRAW_ID_MAX + 1]; /* a string; empty: it has none */
};

struct draw_opened {
    uint32_t agencies;      /* N; 0: no agency is known, and the draw is never closed by itself */
    uint32_t winner_number; /* 0..9999; DRAW_MANUAL: 0 */
    struct draw_terms terms;
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
    uint32_t uid;                 /* DRAW_BY_OPERATOR: of which user; otherwise 0 */
    uint64_t bets;                /* how many bets count; set by draw_apply */
    uint64_t extent;              /* how far they go in the store: bytes of bets.csv */
    uint8_t salt[DRAW_SALT_SIZE]; /* random */
};

struct draw_sealed {
    uint64_t time_s; /* UTC, seconds since 1970 */
    uint8_t root[DRAW_ROOT_SIZE];
};

struct draw_drawn {
    uint64_t time_s; /* UTC, seconds since 1970 */
    uint32_t winner_number;
    uint64_t winners;             /* how many bets won */
    uint64_t winners_size;        /* bytes of winners.csv */
    uint32_t winners_crc;         /* CRC32C of winners.csv */
    uint32_t uid;                 /* DRAW_MANUAL: of which user's act; otherwise 0 */
    struct text source;           /* DRAW_MANUAL: where the number is from; may be empty */
    uint8_t root[DRAW_ROOT_SIZE]; /* of the seal that was there; zeros: none; set by draw_apply */
};

/* What an operator did, or was refused. */
struct draw_act {
    uint64_t time_s; /* UTC, seconds since 1970 */
    uint32_t uid;    /* of which user */
    struct text text;
};

struct draw_record {
    enum draw_record_type type; /* which member of the union counts */
    union {
        struct draw_opened opened;
        uint32_t agencies; /* DRAW_AGENCIES: the new N */
        struct draw_bets bets;
        struct draw_finished finished;
        struct draw_closed closed;
        struct draw_sealed sealed;
        struct draw_drawn drawn;
        struct draw_act act;
    };
};

struct draw_agency {
    uint64_t received; /* bets of it that count */
    uint32_t checksum; /* of these; see bets_checksum.h */
    bool has_finished;
};

/* Once it is drawn, it cannot be copied or moved: drawn.source is a part of it. */
struct draw {
    enum draw_phase phase;
    uint32_t agencies;          /* N; the ids are 1..N */
    uint32_t finished;          /* how many of them have finished */
    uint32_t winner_number;     /* as opened */
    struct draw_terms terms;    /* as opened */
    uint64_t bets;              /* of all agencies */
    struct draw_agency *agency; /* owned; [1..agencies]; [0] is unused */
    struct draw_closed closed;  /* from DRAW_CLOSED on */
    bool is_sealed;
    struct draw_sealed sealed;  /* if is_sealed; otherwise zeros */
    struct draw_drawn drawn;    /* in DRAW_DRAWN */
    char source[DRAW_TEXT_MAX]; /* the text of drawn.source */
    struct draw_act **acts;     /* owned, each with its text; in their order */
    size_t acts_count;
};

/* What became of a record.
 *
 * OK              accepted (is_recorded), or known already: then it changes nothing. After the
 *                 closing, `finished` changes nothing either
 * GAP             bets: offset is beyond what was received
 * CLOSED          bets: new ones of an agency that has finished, or in a draw that is not open;
 *                 sealed, drawn: another one is there already; all but bets: out of turn
 * INCOMPLETE      finished: total differs from what was received
 * MISMATCH        bets, finished: what the agency says of its bets is not what they are
 * UNKNOWN_AGENCY  id outside 1..N
 * INVALID         opened: the terms contradict each other; closed: the reason that it says is not
 *                 there; agencies: N does not grow; sealed: it is not to be; drawn: not the number
 *                 of this draw, or it is not sealed yet; closed, drawn: it names a user or a
 *                 source that there cannot be; act: there is no draw, or no right text
 * NOSPACE         act: there are DRAW_ACTS_MAX of them
 * NOMEM           opened, agencies, act: the state is as before */
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
 * is cut to what is new: its offset is `received` as it was, its count without `known`. Texts are
 * copied; the copies are the state's. */
struct draw_outcome draw_apply(struct draw *draw, struct draw_record *record);

/* Takes back the last record that was accepted and not yet taken back, as draw_apply left it; not
 * opened or agencies. For records that could not be written. */
void draw_undo(struct draw *draw, const struct draw_record *record);

/* Is it a text that an operator may say: at most DRAW_TEXT_MAX bytes of UTF-8, no control
 * characters? */
bool draw_is_text(struct text text);

/* Has the closing time of an open draw come? */
bool draw_is_past_deadline(const struct draw *draw, uint64_t now_s);

/* May a closed draw have this number, from this source, now? */
bool draw_may_have(const struct draw *draw, const struct draw_drawn *drawn);

/* Have both the same winners? Their times may differ: who holds a draw again finds the same winners
 * later. */
bool draw_is_same_outcome(const struct draw_drawn *a, const struct draw_drawn *b);

/* Bets of the agency that count; 0 if there is no such agency. */
uint64_t draw_received(const struct draw *draw, uint32_t agency);

/* Has the agency finished? False if there is no such agency. */
bool draw_has_finished(const struct draw *draw, uint32_t agency);

/* The checksum of these bets; 0 if there is no such agency. */
uint32_t draw_checksum(const struct draw *draw, uint32_t agency);

/* How many of the first bets of a batch are known already: 0..count. */
uint32_t draw_known(const struct draw *draw, const struct draw_bets *bets);

/* Are the agency's bets those that it says? True also if it says nothing. */
bool draw_agrees(const struct draw *draw, uint32_t agency, const struct bets_checksum *claimed);

/* Is it time to close: are there agencies, and have all of them finished? */
bool draw_is_due(const struct draw *draw);

#endif
