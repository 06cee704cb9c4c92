/* coordinator_core.h - what the coordinator does next: its state + an event -> a step. Pure.
 *
 * The news of the ledger says where the draw is; the core remembers only what it has begun, and
 * what the operator wants. Nothing of what it knows has to survive it: a coordinator that begins
 * with the same news ends with the same draw, except for a number that is not on record yet.
 *
 * | the news says                        | step                                                 |
 * |--------------------------------------|------------------------------------------------------|
 * | open, all have finished              | close the draw                                       |
 * | closed, and is to be sealed          | make the seal, then submit it                        |
 * | sealed, nobody can read the seal     | check it, then confirm it; or make and submit it     |
 * | closed, sealed if it is to be        | auto, or the operator has given a number: find the   |
 * |                                      | winners, then submit the outcome; otherwise nothing  |
 * | drawn, nobody can read the winners   | check them, then confirm them; or find them again    |
 * | the winners are right, but no result | the same with result.txt                             |
 * | all can be read                      | nothing                                              |
 *
 * What fails is tried again after a pause; what the operator wants is not: whatever fails while he
 * waits for a closed draw's number, he is told so and the number is forgotten. A worker that cannot
 * read files tells the ledger, and then the news says again that nobody can.
 */
#ifndef LOTTERY_COORDINATOR_CORE_H
#define LOTTERY_COORDINATOR_CORE_H

#include "ledger.h"
#include "scan_outcome.h"
#include "store.h"

#include <stdbool.h>

/* What is to be begun. For all but the first, its end is to be told to the core, once. MAKE and
 * CHECK end as the jobs of scan_job.h do, the others as the operations of ledger_client.h. */
enum coordinator_step {
    COORDINATOR_WAIT,    /* nothing: the next news will tell */
    COORDINATOR_CLOSE,   /* close the draw */
    COORDINATOR_MAKE,    /* make the files of a kind */
    COORDINATOR_CHECK,   /* look whether these are right */
    COORDINATOR_SUBMIT,  /* hand in core->outcome, whose files were just made */
    COORDINATOR_CONFIRM, /* hand in core->outcome, whose files were found right */
    COORDINATOR_PAUSE    /* begin the pause before the next try */
};

/* What people have to know of the event. */
enum coordinator_note {
    COORDINATOR_NOTE_NONE,
    COORDINATOR_NOTE_FAILED,    /* an attempt failed, and nothing was recorded */
    COORDINATOR_NOTE_LOST,      /* files of what is on record are missing or damaged */
    COORDINATOR_NOTE_DIFFERENT, /* another outcome than the recorded one: not the same bets */
    COORDINATOR_NOTE_TROUBLE    /* something else failed after it was recorded */
};

/* What has become of the operator's number. */
enum coordinator_order {
    COORDINATOR_ORDER_NONE,   /* nothing to tell */
    COORDINATOR_ORDER_DONE,   /* the draw is on record, and its winners can be read */
    COORDINATOR_ORDER_FAILED, /* it was not drawn, and will not be */
    COORDINATOR_ORDER_LATE    /* another number is on record */
};

/* A number that an operator gives to a closed draw. */
struct draw_order {
    uint32_t number;
    uint32_t uid;       /* of which user */
    size_t source_size; /* bytes of the next one */
    char source[DRAW_TEXT_MAX];
};

struct coordinator_core {
    enum coordinator_step busy; /* what is begun and has not ended; WAIT: nothing */
    enum store_files files;     /* MAKE, CHECK, SUBMIT, CONFIRM: of which kind */
    bool has_lost[STORE_FILES]; /* these files of what is on record have to be made again */
    bool doubts_winners;        /* the result cannot be made of them: look at them first */
    bool was_recorded;          /* MAKE: what the files are for, when it was begun */
    bool ends_pause;            /* the next news ends the pause */
    bool has_order;             /* the operator has given a number, and waits */
    struct draw_order order;
    struct scan_outcome outcome; /* for SUBMIT and CONFIRM */
};

struct coordinator_decision {
    enum coordinator_step step;
    enum store_files files; /* as in the core, for the files that the note is about, too */
    enum coordinator_note note;
    enum coordinator_order order;
    bool has_succeeded; /* the last step of the draw has ended well: pauses are short again */
};

void coordinator_core_init(struct coordinator_core *core);

/* There is news, or a new link to the ledger. */
struct coordinator_decision coordinator_core_on_news(struct coordinator_core *core,
                                                     const struct ledger_news *news);

/* The operator gives the number. Only if coordinator_core_refusal() is NULL. The order is copied,
 * and its end is told in a later decision. */
struct coordinator_decision coordinator_core_on_order(struct coordinator_core *core,
                                                      const struct ledger_news *news,
                                                      const struct draw_order *order);

/* Why the operator cannot give a number now: a text for people; NULL: he can. */
const char *coordinator_core_refusal(const struct coordinator_core *core,
                                     const struct ledger_news *news);

/* A pause is over. Does nothing if that pause was ended by news already. */
struct coordinator_decision coordinator_core_on_pause_end(struct coordinator_core *core,
                                                          const struct ledger_news *news);

/* What was begun, but a pause, has ended with `status`; `outcome` is that of a job that made files,
 * if it is OK. `news` is the latest; with an outcome on a new link, that of this link. */
struct coordinator_decision coordinator_core_on_end(struct coordinator_core *core,
                                                    const struct ledger_news *news,
                                                    enum status status,
                                                    const struct scan_outcome *outcome);

#endif
