#include "patience.h"

#include "assertion.h"

static uint64_t shorter_of(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void patience_init(struct patience *patience, uint64_t limit_ms, uint64_t answer_ms,
                   uint64_t now_ms)
{
    *patience = (struct patience){
        .limit_ms = limit_ms, .answer_ms = answer_ms, .wait = PATIENCE_HELD, .counted_ms = now_ms};
}

uint64_t patience_count(struct patience *patience, uint64_t now_ms)
{
    ASSERT(now_ms >= patience->counted_ms);
    uint64_t passed_ms = now_ms - patience->counted_ms;
    uint64_t step_ms = shorter_of(passed_ms, PATIENCE_STEP_MS);

    patience->counted_ms = now_ms;
    if (patience->wait == PATIENCE_HELD) {
        patience->spent_ms -= shorter_of(patience->spent_ms, passed_ms);
        return step_ms;
    }
    if (patience->wait == PATIENCE_OWN)
        return step_ms;
    patience->spent_ms += step_ms;
    patience->silent_ms += step_ms;
    return step_ms;
}

void patience_expect(struct patience *patience, enum patience_wait wait, uint64_t now_ms)
{
    (void)patience_count(patience, now_ms);
    if (patience->wait != PATIENCE_ANSWER)
        patience->silent_ms = 0;
    patience->wait = wait;
}

void patience_progress(struct patience *patience, uint64_t now_ms)
{
    (void)patience_count(patience, now_ms);
    patience->spent_ms = 0;
}

void patience_heard(struct patience *patience)
{
    patience->silent_ms = 0;
}

bool patience_is_over(const struct patience *patience)
{
    return (patience->wait == PATIENCE_RUNS || patience->wait == PATIENCE_ANSWER) &&
           patience->limit_ms > 0 && patience->spent_ms >= patience->limit_ms;
}

bool patience_is_silent(const struct patience *patience)
{
    return patience->wait == PATIENCE_ANSWER && patience->answer_ms > 0 &&
           patience->silent_ms >= patience->answer_ms;
}

/* What is left of a limit, at least 1; a limit of 0 leaves a whole tick. */
static uint64_t patience_left(uint64_t limit_ms, uint64_t counted_ms)
{
    if (limit_ms == 0)
        return PATIENCE_TICK_MS;
    return limit_ms > counted_ms ? shorter_of(limit_ms - counted_ms, PATIENCE_TICK_MS) : 1;
}

uint64_t patience_next_ms(const struct patience *patience)
{
    uint64_t left = patience_left(patience->limit_ms, patience->spent_ms);

    if (patience->wait == PATIENCE_HELD || patience->wait == PATIENCE_OWN)
        return 0;
    if (patience->wait == PATIENCE_RUNS)
        return patience->limit_ms > 0 ? left : 0;
    if (patience->limit_ms == 0 && patience->answer_ms == 0)
        return 0;
    return shorter_of(left, patience_left(patience->answer_ms, patience->silent_ms));
}
