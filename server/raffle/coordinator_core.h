/* coordinator_core.h - what the coordinator does next: its state + an event -> a step. Pure.
 *
 * The news of the ledger says where the draw is; the core remembers only what it has begun, and
 * nothing of what it knows has to survive it: a coordinator that begins with the same news ends
 * with the same draw.
 *
 * | the news says              | step                                                           |
 * |----------------------------|----------------------------------------------------------------|
 * | open, all have finished    | close the draw                                                 |
 * | closed                     | scan, then submit the outcome                                  |
 * | drawn, nobody knows it yet | check the files, then confirm them; or scan again, and submit  |
 * | winners can be read        | nothing                                                        |
 *
 * What fails is tried again after a pause. A worker that cannot read the winners tells the ledger,
 * and then the news says again that nobody knows them.
 */
#ifndef LOTTERY_COORDINATOR_CORE_H
#define LOTTERY_COORDINATOR_CORE_H

#include "ledger.h"

#include <stdbool.h>

/* What is to be begun. For all but the first, its end is to be told to the core, once. The steps of
 * the files end as the jobs of scan_job.h do, the others as the operations of ledger_client.h. */
enum coordinator_step {
    COORDINATOR_WAIT,    /* nothing: the next news will tell */
    COORDINATOR_CLOSE,   /* close the draw */
    COORDINATOR_SCAN,    /* make the files of the winners */
    COORDINATOR_CHECK,   /* look whether the files are right */
    COORDINATOR_SUBMIT,  /* hand in core->outcome, whose files were just made */
    COORDINATOR_CONFIRM, /* hand in core->outcome, whose files were found right */
    COORDINATOR_PAUSE    /* begin the pause before the next try */
};

/* What people have to know of the event. */
enum coordinator_note {
    COORDINATOR_NOTE_NONE,
    COORDINATOR_NOTE_FAILED,    /* an attempt failed, and the draw was not held */
    COORDINATOR_NOTE_LOST,      /* the files of a draw that was held are missing or damaged */
    COORDINATOR_NOTE_DIFFERENT, /* another outcome than the recorded one: not the same bets */
    COORDINATOR_NOTE_TROUBLE    /* something else failed after the draw was held */
};

struct coordinator_core {
    enum coordinator_step busy; /* what is begun and has not ended; WAIT: nothing */
    bool has_lost_files;        /* the files of the recorded draw have to be made again */
    bool ends_pause;            /* the next news ends the pause */
    struct draw_drawn outcome;  /* for SUBMIT and CONFIRM */
};

struct coordinator_decision {
    enum coordinator_step step;
    enum coordinator_note note;
    bool has_succeeded; /* the last step of the draw has ended well: pauses are short again */
};

void coordinator_core_init(struct coordinator_core *core);

/* There is news, or a new link to the ledger. */
struct coordinator_decision coordinator_core_on_news(struct coordinator_core *core,
                                                     const struct ledger_news *news);

/* A pause is over. Does nothing if that pause was ended by news already. */
struct coordinator_decision coordinator_core_on_pause_end(struct coordinator_core *core,
                                                          const struct ledger_news *news);

/* What was begun, but a pause, has ended with `status`; `drawn` is the outcome of a scan, if it is
 * OK. `news` is the latest; with an outcome on a new link, that of this link. */
struct coordinator_decision coordinator_core_on_end(struct coordinator_core *core,
                                                    const struct ledger_news *news,
                                                    enum status status,
                                                    const struct draw_drawn *drawn);

#endif
