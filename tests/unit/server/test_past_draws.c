/* The draws that are over: which of them are kept, and for how long. */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "log.h"
#include "past_draws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct source {
    struct past_draws all;
    unsigned loads;
    char last[DRAW_ID_MAX + 1]; /* the id that was loaded last */
};

static enum status on_load(void *owner, const char *id, struct past_draw *out, struct errbuf *err)
{
    struct source *source = owner;
    struct draw_record opened = {.type = DRAW_OPENED, .opened.agencies = 1};

    (void)err;
    source->loads++;
    (void)snprintf(source->last, sizeof(source->last), "%s", id);
    (void)snprintf(opened.opened.terms.id, DRAW_ID_MAX + 1, "%s", id);
    if (draw_apply(&out->draw, &opened).status != STATUS_OK)
        return STATUS_NOMEM;
    out->draw.phase = DRAW_DRAWN;
    return STATUS_OK;
}

static int begin(void **state)
{
    struct source *source = calloc(1, sizeof(*source));

    assert_non_null(source);
    log_set_level(LOG_CRITICAL);
    past_draws_init(&source->all, on_load, source);
    *state = source;
    return 0;
}

static int end(void **state)
{
    struct source *source = *state;

    past_draws_fini(&source->all);
    free(source);
    log_set_level(LOG_INFO);
    return 0;
}

static struct past_draw *take(struct source *source, unsigned number)
{
    char id[16];
    struct past_draw *past = NULL;

    (void)snprintf(id, sizeof(id), "d%u", number);
    assert_int_equal(past_draws_take(&source->all, text_of(id), &past), STATUS_OK);
    assert_string_equal(past->id, id);
    return past;
}

static void visit(struct source *source, unsigned number)
{
    past_draws_give_back(&source->all, take(source, number));
}

/* Everybody who uses a draw shares it, and it is there for the next one. */
static void test_shared(void **state)
{
    struct source *source = *state;
    struct past_draw *first = take(source, 1);
    struct past_draw *second = take(source, 1);

    assert_ptr_equal(first, second);
    past_draws_give_back(&source->all, first);
    assert_ptr_equal(take(source, 1), second);
    past_draws_give_back(&source->all, second);
    past_draws_give_back(&source->all, second);
    visit(source, 1);
    assert_int_equal(source->loads, 1);
}

/* A few are kept; of more, the one that nobody has used for longest goes. */
static void test_oldest_goes(void **state)
{
    struct source *source = *state;

    for (unsigned i = 0; i < PAST_DRAWS_KEPT; i++)
        visit(source, i);
    visit(source, 0); /* now 1 is the oldest */
    assert_int_equal(source->loads, PAST_DRAWS_KEPT);
    visit(source, 100);
    for (unsigned i = 2; i < PAST_DRAWS_KEPT; i++)
        visit(source, i);
    visit(source, 0);
    assert_int_equal(source->loads, PAST_DRAWS_KEPT + 1);
    assert_int_equal(source->all.count, PAST_DRAWS_KEPT);
    visit(source, 1);
    assert_int_equal(source->loads, PAST_DRAWS_KEPT + 2);
    assert_string_equal(source->last, "d1");
}

/* Those in use stay, up to a limit; then nobody gets another one until one of them is free. */
static void test_limit(void **state)
{
    struct source *source = *state;
    struct past_draw *taken[PAST_DRAWS_MAX];
    struct past_draw *past = NULL;

    for (unsigned i = 0; i < PAST_DRAWS_MAX; i++)
        taken[i] = take(source, i);
    assert_int_equal(past_draws_take(&source->all, text_of("d100"), &past), STATUS_NOMEM);
    assert_int_equal(source->loads, PAST_DRAWS_MAX);
    assert_ptr_equal(take(source, 3), taken[3]);
    past_draws_give_back(&source->all, taken[3]);
    past_draws_give_back(&source->all, taken[0]);
    taken[0] = take(source, 100);
    assert_int_equal(source->all.count, PAST_DRAWS_MAX);
    for (unsigned i = 0; i < PAST_DRAWS_MAX; i++)
        past_draws_give_back(&source->all, taken[i]);
    assert_int_equal(source->all.count, PAST_DRAWS_KEPT);
}

/* One that turned out to be damaged is loaded again, also while others still use it, and is not
 * kept. */
static void test_damaged(void **state)
{
    struct source *source = *state;
    struct past_draw *first = take(source, 1);

    past_draw_set_damaged(first);
    struct past_draw *second = take(source, 1);
    assert_ptr_not_equal(first, second);
    assert_int_equal(source->loads, 2);
    past_draws_give_back(&source->all, second);
    past_draws_give_back(&source->all, first);
    assert_int_equal(source->all.count, 1);
    assert_ptr_equal(take(source, 1), second);
    past_draws_give_back(&source->all, second);
}

/* Nobody to load them: there are none. No memory: not now. */
static void test_none(void **state)
{
    struct source *source = *state;
    struct past_draws none;
    struct past_draw *past = NULL;

    past_draws_init(&none, NULL, NULL);
    assert_int_equal(past_draws_take(&none, text_of("a"), &past), STATUS_NOTFOUND);
    past_draws_fini(&none);
    alloc_fault_after(0);
    enum status status = past_draws_take(&source->all, text_of("a"), &past);
    assert_true(alloc_fault_end());
    assert_int_equal(status, STATUS_NOMEM);
    assert_int_equal(source->all.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shared, begin, end),
        cmocka_unit_test_setup_teardown(test_oldest_goes, begin, end),
        cmocka_unit_test_setup_teardown(test_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged, begin, end),
        cmocka_unit_test_setup_teardown(test_none, begin, end),
    };

    return cmocka_run_group_tests_name("past_draws", tests, NULL, NULL);
}
