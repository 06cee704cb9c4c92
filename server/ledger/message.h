/* message.h - what goes over a link: messages of 64 bytes, both ways. Pure.
 *
 * Both ends are processes of one server, forked from the same program, so a message is the struct
 * as it lies in memory. Each end checks what it receives before it uses it.
 *
 * A client begins with HELLO and its region; each of its other messages but PIECE is answered by
 * one OUTCOME, in their order. NEWS comes on its own. What a message does not hold comes before it,
 * in PIECEs.
 */
#ifndef LOTTERY_LEDGER_MESSAGE_H
#define LOTTERY_LEDGER_MESSAGE_H

#include "draw.h"
#include "ledger.h"
#include "store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_SIZE 64                      /* bytes */
#define MESSAGE_IN_FLIGHT 65536              /* requests of a client without an outcome, at most */
#define MESSAGE_FDS 70                       /* descriptors with an OUTCOME, at most */
#define MESSAGE_REGION_MAX ((size_t)8 << 20) /* bytes of a client's region, at most */

enum message_kind {
    /* from a client; none of them is 0 */
    MESSAGE_HELLO = 1, /* with the region's descriptor, unless its size is 0 */
    MESSAGE_APPEND,
    MESSAGE_ASK,
    MESSAGE_FINISH,
    MESSAGE_CLOSE_DRAW,
    MESSAGE_OPEN_FILES,
    MESSAGE_SEAL,
    MESSAGE_DRAW,   /* after the source, if there is one */
    MESSAGE_RESULT, /* result.txt was made, or is right */
    MESSAGE_FILES_LOST,
    MESSAGE_ACT, /* after its text */
    /* from both */
    MESSAGE_PIECE,
    /* from the ledger */
    MESSAGE_OUTCOME, /* with descriptors, if it is that of OPEN_FILES or SNAPSHOT and OK */
    MESSAGE_NEWS,    /* after a struct message_news_more, in a draw that somebody runs */
    /* from a client; here, so that inputs of tests/fuzz keep their meaning */
    MESSAGE_SNAPSHOT
};

#define MESSAGE_PIECE_MAX 55 /* bytes that a PIECE carries */

struct message_piece {
    uint8_t size; /* 1..MESSAGE_PIECE_MAX */
    uint8_t bytes[MESSAGE_PIECE_MAX];
};

/* A struct bets_checksum, as it can be checked. */
struct message_claim {
    uint32_t value;
    uint32_t is_given; /* 0 or 1 */
};

struct message_append {
    uint32_t agency;
    uint32_t count;               /* bets */
    uint64_t offset;              /* bets of the agency that come before */
    uint64_t at;                  /* where in the region the encoded bets lie */
    uint32_t size;                /* how many bytes they are */
    struct message_claim claimed; /* of the `offset` bets */
};

struct message_ask {
    uint32_t agency;
    struct message_claim claimed; /* of the first `offset` bets */
    uint64_t offset;
};

struct message_finish {
    uint32_t agency;
    struct message_claim claimed; /* of all bets */
    uint64_t total;
};

struct message_close {
    uint32_t by;       /* enum draw_closed_by */
    uint32_t uid;      /* as in struct draw_closed */
    uint32_t is_again; /* 0 or 1: it was sent on an earlier link, and may be on record */
};

struct message_files {
    uint32_t kind;  /* enum store_files */
    uint32_t count; /* OPEN_FILES: how many */
};

struct message_seal {
    uint64_t time_s; /* this and the next are as in struct draw_sealed */
    uint8_t root[DRAW_ROOT_SIZE];
    uint32_t is_new; /* 0 or 1 */
};

struct message_draw {
    uint64_t time_s; /* this and the next are as in struct draw_drawn */
    uint64_t winners;
    uint64_t winners_size;
    uint32_t winners_crc;
    uint32_t winner_number;
    uint32_t uid;
    uint32_t is_new; /* 0 or 1 */
};

struct message_act {
    uint64_t time_s; /* as in struct draw_act, like the next */
    uint32_t uid;
    uint32_t is_again; /* 0 or 1: as above */
    uint32_t is_minor; /* 0 or 1: it leaves room for others */
};

struct message_outcome {
    uint32_t status; /* enum status */
    uint32_t stored;
    uint64_t received;
    uint32_t checksum;     /* of the `received` bets */
    uint32_t has_finished; /* 0 or 1: the agency */
};

/* Without the kind, which comes before it: exactly 56 bytes. */
struct message_news {
    uint8_t phase; /* enum draw_phase */
    uint8_t has_winners;
    uint8_t has_seal;
    uint8_t needs_result;
    uint32_t agencies;
    uint32_t finished;
    uint32_t winner_number;
    uint32_t drawn_number;
    uint64_t bets;
    uint64_t time_s; /* this and the rest are as in struct draw_drawn */
    uint64_t winners;
    uint64_t winners_size;
    uint32_t winners_crc;
} __attribute__((packed, aligned(4)));

/* What there is to say of a draw that somebody runs. It goes from one process to another of the
 * same program, as it lies in memory. */
struct message_news_more {
    struct draw_terms terms;
    struct draw_closed closed;
    struct draw_sealed sealed;
    uint32_t is_sealed;   /* 0 or 1 */
    uint32_t uid;         /* of who has drawn */
    uint32_t source_size; /* bytes; at most DRAW_TEXT_MAX */
    char source[DRAW_TEXT_MAX];
};

struct message {
    uint32_t kind; /* enum message_kind */
    union {
        struct message_files files; /* OPEN_FILES, FILES_LOST */
        struct message_news news;
        struct message_piece piece;
        struct {
            uint32_t pad; /* aligns the others to 8 bytes */
            union {
                uint64_t region_size; /* HELLO: bytes; 0: no region */
                uint64_t is_new;      /* RESULT: 0 or 1 */
                struct message_append append;
                struct message_ask ask;
                struct message_finish finish;
                struct message_close close;
                struct message_seal seal;
                struct message_draw draw;
                struct message_act act;
                struct message_outcome outcome;
            };
        };
    };
} __attribute__((aligned(8)));

_Static_assert(sizeof(struct message) == MESSAGE_SIZE, "messages have one size");

/* May the ledger use this message of a client whose region has `region_size` bytes? Kinds, counts
 * and bounds; not what the rules of the draw say. */
bool message_is_request(const struct message *message, uint64_t region_size);

/* May a client use this message of the ledger? */
bool message_is_answer(const struct message *message);

/* What an agency says of its bets, in a message and back. */
struct message_claim message_from_claim(const struct bets_checksum *claimed);
struct bets_checksum message_to_claim(const struct message_claim *claimed);

/* The news as a message, and back; *message was checked. */
void message_from_news(const struct ledger_news *news, struct message *message);
void message_to_news(const struct message *message, struct ledger_news *news);

/* Is there more to say than the message holds? */
bool message_has_more(const struct ledger_news *news);

/* The rest of the news, and back, into what message_to_news() has made. False, without a change,
 * for a rest that cannot be right. */
void message_from_news_more(const struct ledger_news *news, struct message_news_more *more);
bool message_to_news_more(const struct message_news_more *more, struct ledger_news *news);

/* The outcome of a draw as a message, without its source, and back. */
void message_from_drawn(const struct draw_drawn *drawn, bool is_new, struct message *message);
void message_to_drawn(const struct message *message, struct draw_drawn *drawn);

/* The size of the next PIECE of `size` bytes, and that PIECE. */
size_t message_from_piece(const void *bytes, size_t size, struct message *message);

/* Bytes that have come in PIECEs and belong to the next message. */
struct message_pieces {
    size_t size;
    uint8_t bytes[sizeof(struct message_news_more)];
};

/* Adds one that was checked. False when there are more than any message needs. */
bool message_pieces_add(struct message_pieces *pieces, const struct message_piece *piece);

#endif
