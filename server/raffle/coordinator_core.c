#include "coordinator_core.h"

#include "assertion.h"

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
    return (struct coordinator_decision){.step = step, .note = note};
}

static struct coordinator_decision coordinator_core_pause(struct coordinator_core *core,
                                                          enum coordinator_note note)
{
    core->ends_pause = false;
    return coordinator_core_begin(core, COORDINATOR_PAUSE, note);
}

/* What the news calls for, while nothing is begun. */
static struct coordinator_decision coordinator_core_next(struct coordinator_core *core,
                                                         const struct ledger_news *news)
{
    enum coordinator_step step = COORDINATOR_WAIT;

    if (news->has_winners)
        step = COORDINATOR_WAIT;
    else if (news->phase == DRAW_OPEN && news->agencies > 0 && news->finished >= news->agencies)
        step = COORDINATOR_CLOSE;
    else if (news->phase == DRAW_CLOSED || (news->phase == DRAW_DRAWN && core->has_lost_files))
        step = COORDINATOR_SCAN;
    else if (news->phase == DRAW_DRAWN)
        step = COORDINATOR_CHECK;
    return coordinator_core_begin(core, step, COORDINATOR_NOTE_NONE);
}

struct coordinator_decision coordinator_core_on_news(struct coordinator_core *core,
                                                     const struct ledger_news *news)
{
    if (core->busy == COORDINATOR_PAUSE && core->ends_pause)
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

/* Something failed. A draw that was held is not said to have failed. After a lost link nothing has
 * failed: the news on the new one has come before. */
static struct coordinator_decision coordinator_core_fail(struct coordinator_core *core,
                                                         const struct ledger_news *news,
                                                         enum status status)
{
    if (status == STATUS_STOPPED)
        return coordinator_core_next(core, news);
    return coordinator_core_pause(core, news->phase == DRAW_DRAWN ? COORDINATOR_NOTE_TROUBLE
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

static struct coordinator_decision coordinator_core_scanned(struct coordinator_core *core,
                                                            const struct ledger_news *news,
                                                            enum status status,
                                                            const struct draw_drawn *drawn)
{
    if (status != STATUS_OK)
        return coordinator_core_fail(core, news, status);
    core->outcome = *drawn;
    if (news->phase == DRAW_DRAWN) {
        if (!draw_is_same_outcome(drawn, &news->drawn))
            return coordinator_core_pause(core, COORDINATOR_NOTE_DIFFERENT);
        core->outcome = news->drawn;
    }
    return coordinator_core_begin(core, COORDINATOR_SUBMIT, COORDINATOR_NOTE_NONE);
}

static struct coordinator_decision coordinator_core_checked(struct coordinator_core *core,
                                                            const struct ledger_news *news,
                                                            enum status status)
{
    struct coordinator_decision decision;

    if (status == STATUS_OK) {
        core->outcome = news->drawn;
        return coordinator_core_begin(core, COORDINATOR_CONFIRM, COORDINATOR_NOTE_NONE);
    }
    if (status != STATUS_NOTFOUND && status != STATUS_DAMAGED)
        return coordinator_core_fail(core, news, status);
    core->has_lost_files = true;
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
    core->has_lost_files = false;
    /* The news of it comes soon; if not, this begins again with what was recorded. */
    decision = coordinator_core_pause(core, COORDINATOR_NOTE_NONE);
    decision.has_succeeded = true;
    return decision;
}

struct coordinator_decision coordinator_core_on_end(struct coordinator_core *core,
                                                    const struct ledger_news *news,
                                                    enum status status,
                                                    const struct draw_drawn *drawn)
{
    enum coordinator_step ended = core->busy;

    core->busy = COORDINATOR_WAIT;
    if (news->has_winners) { /* whatever became of it, there is nothing left to do */
        core->has_lost_files = false;
        return (struct coordinator_decision){.step = COORDINATOR_WAIT, .has_succeeded = true};
    }
    switch (ended) {
    case COORDINATOR_CLOSE:
        return coordinator_core_closed(core, news, status);
    case COORDINATOR_SCAN:
        return coordinator_core_scanned(core, news, status, drawn);
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
