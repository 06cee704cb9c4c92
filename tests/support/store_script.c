#include "store_script.h"

#include "prng.h"

#include <string.h>

struct script script_random(unsigned seed)
{
    struct script script = {.count = 0};
    struct prng prng = {seed};

    while (script.count < 30) {
        bool is_large = prng_below(&prng, 5) == 0;
        script.steps[script.count++] = (struct script_step){
            .agency = 1 + prng_below(&prng, STORE_AGENCIES),
            .count = is_large ? 6 + prng_below(&prng, 8) : 1 + prng_below(&prng, 3),
            .ends_group = prng_below(&prng, 2) == 0,
            .is_idle = prng_below(&prng, 6) == 0,
        };
    }
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++)
        script.steps[script.count++] =
            (struct script_step){.agency = i, .ends_group = prng_below(&prng, 2) == 0};
    script.steps[script.count++] = (struct script_step){.ends_group = true};
    return script;
}

struct script_content script_content(const struct script *script, size_t done)
{
    struct script_content content = {{0}, 0, false};

    for (size_t i = 0; i < done; i++) {
        const struct script_step *step = &script->steps[i];
        content.counts[step->agency] += step->count;
        content.finished += step->agency > 0 && step->count == 0;
        content.is_closed = content.is_closed || step->agency == 0;
    }
    return content;
}

/* Puts one step into the group. */
static enum status add(struct store_fixture *f, const struct script_step *step)
{
    uint64_t received = draw_received(&f->draw, step->agency);

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

size_t script_done(const struct script *script, struct store_fixture *f)
{
    struct script_content is = {{0}, f->draw.finished, f->draw.phase >= DRAW_CLOSED};

    if (!store_fixture_count(f, STORE_AGENCIES, is.counts))
        return SCRIPT_MAX + 1;
    for (uint32_t i = 1; i <= STORE_AGENCIES; i++) {
        if (is.counts[i] != draw_received(&f->draw, i))
            return SCRIPT_MAX + 1;
    }
    for (size_t done = 0; done <= script->count; done++) {
        struct script_content should = script_content(script, done);
        if (memcmp(is.counts, should.counts, sizeof(is.counts)) == 0 &&
            is.finished == should.finished && is.is_closed == should.is_closed)
            return done;
    }
    return SCRIPT_MAX + 1;
}
