#include "coordinator_core.h"

#include "assertion.h"

#include <string.h>

void coordinator_core_init(struct coordinator_core *core)
{
    *core = (struct coordinator_core){.busy = COORDINATOR_WAIT};
}

static struct coordinator_decision coordinator_core_begin(struct coordinator_core *core,
                                                          enum coordinator_step step,
                                                          enum coordinator_note note)
{
    ASSERT(core->busy == COORDINATOR_WAIT);
    core->busy = step;
    return (struct coordinator_decision){.step = step, .files = core->files, .note = note};
}

static struct coordinator_decision coordinator_core_pause(struct coordinator_core *core,
                                                          enum coordinator_note note)
{
    core->ends_pause = false;
    return coordinator_core_begin(core, COORDINATOR_PAUSE, note);
}

/* Is what the files are made for on record? */
static bool coordinator_core_is_recorded(const struct ledger_news *news, enum store_files files)
{
    return files == STORE_SEAL ? news->is_sealed : news->phase == DRAW_DRAWN;
}

/* Which files are to be made or looked at; STORE_FILES: none. */
static enum store_files coordinator_core_missing(const struct coordinator_core *core,
                                                 const struct ledger_news *news)
{
    if (news->phase < DRAW_CLOSED)
        return STORE_FILES;
    if (news->terms.has_seal && !news->has_seal)
        return STORE_SEAL;
    if (news->phase == DRAW_CLOSED)
        return news->terms.mode == DRAW_AUTO || core->has_order ? STORE_WINNERS : STORE_FILES;
    if (news->has_winners)
        return STORE_FILES;
    return news->needs_result && !core->doubts_winners ? STORE_RESULT : STORE_WINNERS;
}

/* What the news calls for, while nothing is begun. */
static struct coordinator_decision coordinator_core_next(struct coordinator_core *core,
                                                         const struct ledger_news *news)
{
    enum store_files files = coordinator_core_missing(core, news);
    enum coordinator_step step = COORDINATOR_WAIT;

    if (news->phase == DRAW_OPEN && news->agencies > 0 && news->finished >= news->agencies) {
        step = COORDINATOR_CLOSE;
    } else if (files != STORE_FILES) {
        core->files = files;
        core->was_recorded = coordinator_core_is_recorded(news, files);
        step = core->was_recorded && !core->has_lost[files] ? COORDINATOR_CHECK : COORDINATOR_MAKE;
    }
    return coordinator_core_begin(core, step, COORDINATOR_NOTE_NONE);
}

/* Has the draw the operator's number? */
static bool coordinator_core_is_ordered(const struct coordinator_core *core,
                                        const struct ledger_news *news)
{
    return news->drawn.winner_number == core->order.number && news->drawn.uid == core->order.uid;
}

/* Ends the order, if it has come to an end. */
static struct coordinator_decision coordinator_core_note_order(struct coordinator_core *core,
                                                               const struct ledger_news *news,
                                                               struct coordinator_decision decision)
{
    if (!core->has_order || news->phase != DRAW_DRAWN)
        return decision;
    if (!coordinator_core_is_ordered(core, news))
        decision.order = COORDINATOR_ORDER_LATE;
    else if (news->has_winners)
        decision.order = COORDINATOR_ORDER_DONE;
    else
        return decision;
    core->has_order = false;
    return decision;
}

struct coordinator_decision coordinator_core_on_news(struct coordinator_core *core,
                                                     const struct ledger_news *news)
{
    struct coordinator_decision decision = {.step = COORDINATOR_WAIT};

    if (core->busy == COORDINATOR_PAUSE && core->ends_pause)
        core->busy = COORDINATOR_WAIT;
    if (core->busy == COORDINATOR_WAIT)
        decision = coordinator_core_next(core, news);
    return coordinator_core_note_order(core, news, decision);
}

const char *coordinator_core_refusal(const struct coordinator_core *core,
                                     const struct ledger_news *news)
{
    if (news->phase == DRAW_NEW)
        return "the server is starting: try again in a moment";
    if (news->terms.mode == DRAW_AUTO)
        return "this draw runs by itself: its number is LOTTERY_WINNER_NUMBER";
    if (news->phase == DRAW_OPEN)
        return "the draw takes bets: close it first";
    if (news->phase == DRAW_DRAWN)
        return "the draw has its number already";
    if (core->has_order)
        return "the draw is being held with another command's number";
    if (news->terms.has_seal && !news->has_seal)
        return "the seal is being made: try again when the status says sealed";
    return NULL;
}

struct coordinator_decision coordinator_core_on_order(struct coordinator_core *core,
                                                      const struct ledger_news *news,
                                                      const struct draw_order *order)
{
    ASSERT(coordinator_core_refusal(core, news) == NULL);
    core->has_order = true;
    core->order = *order;
    if (core->busy == COORDINATOR_PAUSE)
        core->busy = COORDINATOR_WAIT;
    if (core->busy != COORDINATOR_WAIT)
        return (struct coordinator_decision){.step = COORDINATOR_WAIT};
    return coordinator_core_next(core, news);
}

struct coordinator_decision coordinator_core_on_pause_end(struct coordinator_core *core,
                                                          const struct ledger_news *news)
{
    if (core->busy != COORDINATOR_PAUSE)
        return (struct coordinator_decision){.step = COORDINATOR_WAIT};
    core->busy = COORDINATOR_WAIT;
    return coordinator_core_next(core, news);
}

/* Pauses until there is news, or until it is time to look whether it was missed. */
static struct coordinator_decision coordinator_core_await_news(struct coordinator_core *core)
{
    struct coordinator_decision decision = coordinator_core_pause(core, COORDINATOR_NOTE_NONE);

    core->ends_pause = true;
    return decision;
}

/* Pauses before the next try. An operator who waits for a number is not kept waiting: he gives it
 * again himself. */
static struct coordinator_decision coordinator_core_give_up(struct coordinator_core *core,
                                                            const struct ledger_news *news,
                                                            enum coordinator_note note)
{
    struct coordinator_decision decision = coordinator_core_pause(core, note);

    if (!core->has_order || news->phase != DRAW_CLOSED)
        return decision;
    core->has_order = false;
    decision.order = COORDINATOR_ORDER_FAILED;
    return decision;
}

/* Something failed. What is on record is not said to have failed. After a lost link nothing has
 * failed: the news on the new one has come before. */
static struct coordinator_decision coordinator_core_fail(struct coordinator_core *core,
                                                         const struct ledger_news *news,
                                                         enum status status)
{
    if (status == STATUS_STOPPED)
        return coordinator_core_next(core, news);
    /* The note is made of them. */
    if (core->files == STORE_RESULT && (status == STATUS_NOTFOUND || status == STATUS_DAMAGED))
        core->doubts_winners = true;
    return coordinator_core_give_up(core, news,
                                    coordinator_core_is_recorded(news, core->files)
                                        ? COORDINATOR_NOTE_TROUBLE
                                        : COORDINATOR_NOTE_FAILED);
}

static struct coordinator_decision coordinator_core_closed(struct coordinator_core *core,
                                                           const struct ledger_news *news,
                                                           enum status status)
{
    if (status == STATUS_INVALID)
        return coordinator_core_await_news(core);
    if (status != STATUS_OK)
        return coordinator_core_fail(core, news, status);
    if (news->phase == DRAW_OPEN)
        return (struct coordinator_decision){.step = COORDINATOR_WAIT};
    return coordinator_core_next(core, news);
}

/* What is on record for the files that are looked at. */
static struct scan_outcome coordinator_core_recorded(const struct ledger_news *news)
{
    return (struct scan_outcome){.sealed = news->sealed, .drawn = news->drawn};
}

static bool coordinator_core_is_same(enum store_files files, const struct scan_outcome *outcome,
                                     const struct ledger_news *news)
{
    switch (files) {
    case STORE_SEAL:
        return memcmp(outcome->sealed.root, news->sealed.root, DRAW_ROOT_SIZE) == 0;
    case STORE_WINNERS:
        return draw_is_same_outcome(&outcome->drawn, &news->drawn);
    case STORE_RESULT:
    case STORE_FILES:
        break;
    }
    return true;
}

static struct coordinator_decision coordinator_core_made(struct coordinator_core *core,
                                                         const struct ledger_news *news,
                                                         enum status status,
                                                         const struct scan_outcome *outcome)
{
    if (status != STATUS_OK)
        return coordinator_core_fail(core, news, status);
    core->outcome = *outcome;
    if (coordinator_core_is_recorded(news, core->files)) {
        if (!core->was_recorded && core->files == STORE_WINNERS &&
            outcome->drawn.winner_number != news->drawn.winner_number)
            return coordinator_core_next(core, news); /* an order that came too late */
        if (!coordinator_core_is_same(core->files, outcome, news))
            return coordinator_core_give_up(core, news, COORDINATOR_NOTE_DIFFERENT);
        core->outcome = coordinator_core_recorded(news);
    }
    return coordinator_core_begin(core, COORDINATOR_SUBMIT, COORDINATOR_NOTE_NONE);
}

static struct coordinator_decision coordinator_core_checked(struct coordinator_core *core,
                                                            const struct ledger_news *news,
                                                            enum status status)
{
    struct coordinator_decision decision;

    if (status == STATUS_OK) {
        core->outcome = coordinator_core_recorded(news);
        return coordinator_core_begin(core, COORDINATOR_CONFIRM, COORDINATOR_NOTE_NONE);
    }
    if (status != STATUS_NOTFOUND && status != STATUS_DAMAGED)
        return coordinator_core_fail(core, news, status);
    core->has_lost[core->files] = true;
    decision = coordinator_core_next(core, news);
    decision.note = COORDINATOR_NOTE_LOST;
    return decision;
}

static struct coordinator_decision coordinator_core_submitted(struct coordinator_core *core,
                                                              const struct ledger_news *news,
                                                              enum status status)
{
    struct coordinator_decision decision;

    /* A coordinator before this one handed in an outcome that was recorded meanwhile: the news of
     * it has come before. */
    if (status == STATUS_CLOSED)
        return coordinator_core_next(core, news);
    if (status != STATUS_OK)
        return coordinator_core_fail(core, news, status);
    core->has_lost[core->files] = false;
    if (core->files == STORE_WINNERS) {
        core->doubts_winners = false;
        /* The note of a draw that was held just now does not exist yet. */
        core->has_lost[STORE_RESULT] |= !core->was_recorded;
    }
    /* The news of it comes soon; if not, this begins again with what was recorded. Where other
     * files are still to be made, it calls for these. */
    if (news->terms.has_seal && core->files != STORE_RESULT)
        decision = coordinator_core_await_news(core);
    else
        decision = coordinator_core_pause(core, COORDINATOR_NOTE_NONE);
    decision.has_succeeded = true;
    return decision;
}

static struct coordinator_decision coordinator_core_ended(struct coordinator_core *core,
                                                          const struct ledger_news *news,
                                                          enum status status,
                                                          const struct scan_outcome *outcome)
{
    enum coordinator_step ended = core->busy;

    core->busy = COORDINATOR_WAIT;
    /* Whatever became of it, there is nothing left to do for it. */
    if (ended != COORDINATOR_CLOSE &&
        (core->files == STORE_SEAL ? news->has_seal : news->has_winners)) {
        struct coordinator_decision decision;
        core->has_lost[core->files] = false;
        decision = coordinator_core_next(core, news);
        decision.has_succeeded = true;
        return decision;
    }
    switch (ended) {
    case COORDINATOR_CLOSE:
        return coordinator_core_closed(core, news, status);
    case COORDINATOR_MAKE:
        return coordinator_core_made(core, news, status, outcome);
    case COORDINATOR_CHECK:
        return coordinator_core_checked(core, news, status);
    case COORDINATOR_SUBMIT:
    case COORDINATOR_CONFIRM:
        return coordinator_core_submitted(core, news, status);
    case COORDINATOR_WAIT:
    case COORDINATOR_PAUSE:
        break;
    }
    ASSERT(false); /* nothing was begun that could have ended */
    return (struct coordinator_decision){.step = COORDINATOR_WAIT};
}

struct coordinator_decision coordinator_core_on_end(struct coordinator_core *core,
                                                    const struct ledger_news *news,
                                                    enum status status,
                                                    const struct scan_outcome *outcome)
{
    return coordinator_core_note_order(core, news,
                                       coordinator_core_ended(core, news, status, outcome));
}
