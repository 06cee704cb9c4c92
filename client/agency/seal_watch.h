/* seal_watch.h - checks that the draw was sealed with the agency's bets in it, and that its winners
 * are those of the number that was drawn.
 *
 * All calls and callbacks happen on the loop's thread. The agency's file is read in pieces, between
 * which the loop runs; a piece and the file of evidence block.
 */
#ifndef LOTTERY_SEAL_WATCH_H
#define LOTTERY_SEAL_WATCH_H

#include "bets_file.h"
#include "client_settings.h"
#include "errbuf.h"
#include "kept_file.h"
#include "lottery.pb-c.h"
#include "note_key.h"
#include "own_rows.h"
#include "seal_message.h"
#include "seal_note.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum seal_watch_stage {
    SEAL_WATCH_OFF,     /* nothing is to be done, or nothing yet */
    SEAL_WATCH_HASHING, /* the agency's own rows */
    SEAL_WATCH_WAITING, /* for the seal */
    SEAL_WATCH_SEALED,  /* the seal was checked, or there is nothing to check it with; waits for the
                         * winners */
    SEAL_WATCH_COUNTING, /* the agency's own winners */
    SEAL_WATCH_DONE
};

struct seal_watch_config {
    uv_loop_t *loop;                        /* borrowed */
    const struct client_settings *settings; /* borrowed */
    void (*on_done)(void *owner);           /* all winners have come, and all has been checked */
    void *owner;
};

struct seal_watch {
    struct seal_watch_config config;
    enum seal_watch_stage stage;
    bool is_wanted;         /* the settings ask for a seal */
    bool has_failed;        /* something is wrong, and the log says what */
    bool has_given_up;      /* there was no memory: nothing is checked any more */
    bool is_good;           /* there is a seal, and it is right */
    bool has_key;           /* the settings have the public key */
    bool are_winners_there; /* all of them have come */
    struct note_key key;
    struct kept_file evidence;
    struct bets_file *file; /* borrowed; the agency's checked file */
    uv_idle_t idle;         /* active in HASHING and COUNTING */
    struct own_rows rows;
    struct text_digest digest; /* of the own rows, from WAITING on */
    struct kept_message seal;  /* the one that has come */
    struct seal_note note;     /* what it says, if it is good */
    struct kept_message drawn; /* what has come with the winners */
    struct text_hash winners;  /* the documents that have come on this connection */
    struct text_digest told;   /* of these, once all are there */
};

/* Prepares it. False, after a line in the log, if it cannot. In both cases the caller ends with
 * seal_watch_close(). */
bool seal_watch_init(struct seal_watch *watch, const struct seal_watch_config *config);

/* Says which file has the agency's bets, and checks that the evidence can be written. */
enum status seal_watch_open(struct seal_watch *watch, struct bets_file *file, struct errbuf *err);

/* Closes everything; no callback follows. */
void seal_watch_close(struct seal_watch *watch);

/* Finished was sent, for the first `rows` rows: the file is free from now on. The winners come from
 * their beginning. */
void seal_watch_begin(struct seal_watch *watch, uint64_t rows);

/* Others use the file until the next begin. */
void seal_watch_pause(struct seal_watch *watch);

/* Takes a Seal. False if nobody has asked for one. */
bool seal_watch_take_seal(struct seal_watch *watch, const Lottery__V1__Seal *seal);

/* Takes some winners. With the last ones, on_done may be called from here. */
void seal_watch_take_winners(struct seal_watch *watch, const Lottery__V1__Winners *winners);

/* Will on_done still be called once the winners are there? */
bool seal_watch_is_busy(const struct seal_watch *watch);

#endif
