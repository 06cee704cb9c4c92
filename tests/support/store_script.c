#include "store_script.h"

#include "prng.h"

#include <string.h>

static struct script_step random_bets(struct prng *prng)
{
    bool is_large = prng_below(prng, 5) == 0;

    return (struct script_step){
        .agency = 1 + prng_below(prng, STORE_AGENCIES),
        .count = is_large ? 6 + prng_below(prng, 8) : 1 + prng_below(prng, 3),
        .ends_group = prng_below(prng, 2) == 0,
        .is_idle = prng_below(prng, 6) == 0,
    };
}

struct script script_random(unsigned seed)
{
    struct script script = {.count = 0};
    struct prng prng = {seed};

    while (script.count < 30)
        script.steps[script.count++] = random_bets(&prng);
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++)
        script.steps[script.count++] =
            (struct script_step){.agency = i, .ends_group = prng_below(&prng, 2) == 0};
    script.steps[script.count++] = (struct script_step){.ends_group = true};
    return script;
}

struct script script_random_manual(unsigned seed)
{
    static const enum draw_record_type end[] = {DRAW_ACT, DRAW_CLOSING, DRAW_ACT, DRAW_SEALING,
                                                DRAW_ACT, DRAW_DRAWING, DRAW_ACT};
    struct script script = {.terms = {.mode = DRAW_MANUAL,
                                      .has_seal = true,
                                      .close_at_s = 2000000000,
                                      .id = "2026-11-25-nocturna"}};
    struct prng prng = {seed};

    while (script.count < 25) {
        script.steps[script.count] = random_bets(&prng);
        if (prng_below(&prng, 5) == 0)
            script.steps[script.count] = (struct script_step){
                .type = DRAW_ACT, .ends_group = true, .is_idle = prng_below(&prng, 3) == 0};
        script.count++;
    }
    script.steps[script.count++] = (struct script_step){.agency = 2};
    for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++)
        script.steps[script.count++] = (struct script_step){
            .type = end[i], .ends_group = true, .is_idle = prng_below(&prng, 3) == 0};
    return script;
}

struct script_content script_content(const struct script *script, size_t done)
{
    struct script_content content = {{0}, 0, 0, false, false, false};

    for (size_t i = 0; i < done; i++) {
        const struct script_step *step = &script->steps[i];
        content.counts[step->agency] += step->count;
        content.finished += step->agency > 0 && step->count == 0;
        content.is_closed = content.is_closed || step->type == DRAW_CLOSING ||
                            (step->agency == 0 && step->type == 0);
        content.is_sealed = content.is_sealed || step->type == DRAW_SEALING;
        content.is_drawn = content.is_drawn || step->type == DRAW_DRAWING;
        content.acts += step->type == DRAW_ACT;
    }
    return content;
}

/* What the act is that comes after `before` others: texts of all lengths. */
static const char *text_of_act(size_t before)
{
    static char text[DRAW_TEXT_MAX + 1];

    memset(text, 'x', DRAW_TEXT_MAX);
    text[DRAW_TEXT_MAX] = '\0';
    return before == 0 ? text : text + (before * 37) % (DRAW_TEXT_MAX - 1);
}

/* Does what only a manual draw has. */
static enum status add_manual(struct store_fixture *f, enum draw_record_type type)
{
    if (type == DRAW_CLOSING)
        return store_fixture_close_draw(f);
    if (type == DRAW_SEALING)
        return store_fixture_seal(f);
    return type == DRAW_ACT ? store_fixture_act(f, text_of_act(f->draw.acts_count))
                            : store_fixture_hold_draw(f);
}

/* Puts one step into the group. */
static enum status add(struct store_fixture *f, const struct script_step *step)
{
    uint64_t received = draw_received(&f->draw, step->agency);

    if (step->type != 0)
        return add_manual(f, step->type);
    if (step->agency == 0)
        return store_fixture_add_record(
            f, (struct draw_record){.type = DRAW_CLOSING, .closed = {.by = DRAW_BY_ALL_FINISHED}});
    if (step->count == 0)
        return store_fixture_add_record(
            f, (struct draw_record){.type = DRAW_FINISHED,
                                    .finished = {.agency = step->agency, .total = received}});
    return store_fixture_add(f, step->agency, received, step->count);
}

enum status script_run(const struct script *script, struct store_fixture *f, size_t from, size_t to,
                       volatile size_t *acked)
{
    enum status status = STATUS_OK;

    for (size_t i = from; i < to && status == STATUS_OK; i++) {
        const struct script_step *step = &script->steps[i];
        status = add(f, step);
        if (status == STATUS_OK && (step->ends_group || i + 1 == to)) {
            status = store_fixture_commit(f);
            if (status == STATUS_OK)
                *acked = i + 1;
            if (status == STATUS_OK)
                status = store_maintain(f->store, step->is_idle, &f->err);
        }
    }
    return status;
}

static bool is_text(struct text is, const char *should)
{
    return is.size == strlen(should) && (is.size == 0 || memcmp(is.data, should, is.size) == 0);
}

/* Is what the state says of a draw that operators run what the script did? */
static bool is_as_done(const struct script *script, const struct draw *draw)
{
    static const uint8_t root[DRAW_ROOT_SIZE] = STORE_ROOT;
    bool is_manual = script->terms.mode == DRAW_MANUAL;

    if (draw->terms.mode != script->terms.mode || draw->terms.has_seal != script->terms.has_seal ||
        draw->terms.close_at_s != script->terms.close_at_s ||
        strcmp(draw->terms.id, script->terms.id) != 0)
        return false;
    if (draw->phase >= DRAW_CLOSED && draw->closed.uid != (is_manual ? 1000 : 0))
        return false;
    if (draw->is_sealed && memcmp(draw->sealed.root, root, DRAW_ROOT_SIZE) != 0)
        return false;
    if (draw->phase == DRAW_DRAWN && is_manual &&
        (draw->drawn.uid != 1000 || !is_text(draw->drawn.source, STORE_SOURCE) ||
         memcmp(draw->drawn.root, draw->sealed.root, DRAW_ROOT_SIZE) != 0))
        return false;
    for (size_t i = 0; i < draw->acts_count; i++) {
        if (!is_text(draw->acts[i]->text, text_of_act(i)) || draw->acts[i]->uid != 1000)
            return false;
    }
    return true;
}

size_t script_done(const struct script *script, struct store_fixture *f)
{
    struct script_content is = {{0},
                                f->draw.finished,
                                (uint32_t)f->draw.acts_count,
                                f->draw.phase >= DRAW_CLOSED,
                                f->draw.is_sealed,
                                f->draw.phase == DRAW_DRAWN};

    if (!is_as_done(script, &f->draw))
        return SCRIPT_MAX + 1;
    if (!store_fixture_count(f, STORE_AGENCIES, is.counts))
        return SCRIPT_MAX + 1;
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        if (is.counts[i] != draw_received(&f->draw, i))
            return SCRIPT_MAX + 1;
    }
    for (size_t done = 0; done <= script->count; done++) {
        struct script_content should = script_content(script, done);
        if (memcmp(is.counts, should.counts, sizeof(is.counts)) == 0 &&
            is.finished == should.finished && is.acts == should.acts &&
            is.is_closed == should.is_closed && is.is_sealed == should.is_sealed &&
            is.is_drawn == should.is_drawn)
            return done;
    }
    return SCRIPT_MAX + 1;
}
