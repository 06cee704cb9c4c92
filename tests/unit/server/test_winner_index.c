#include "alloc_fault.h"
#include "cmocka_all.h"
#include "prng.h"
#include "winner_index.h"

#include <stdio.h>
#include <string.h>

/* A store that only has the winners of a draw. */
struct fake_store {
    struct store store;
    uint32_t agencies;
    enum status status;           /* of read_draw */
    const struct winner *winners; /* the draw */
    size_t count;
};

static uint32_t fake_agencies(const struct store *store)
{
    return ((const struct fake_store *)store)->agencies;
}

static enum status fake_read_draw(struct store *store, struct draw *out, struct errbuf *err)
{
    const struct fake_store *fake = (const struct fake_store *)store;

    if (fake->status != STATUS_OK) {
        errbuf_set(err, "the store failed");
        return fake->status;
    }
    for (size_t i = 0; i < fake->count; i++)
        assert_int_equal(winner_list_add(&out->winners, &fake->winners[i]), STATUS_OK);
    return STATUS_OK;
}

static const struct store_backend backend = {.agencies = fake_agencies,
                                             .read_draw = fake_read_draw};

static struct fake_store fake_store(uint32_t agencies, const struct winner *winners, size_t count)
{
    return (struct fake_store){{&backend}, agencies, STATUS_OK, winners, count};
}

static struct winner make_winner(uint32_t agency, unsigned number)
{
    struct winner winner = {.agency = agency};
    char text[BET_DOCUMENT_MAX];

    winner.document_size = (uint8_t)snprintf(text, sizeof(text), "%u", number);
    memcpy(winner.document, text, winner.document_size);
    return winner;
}

/* Each agency gets all of its own winners, in the order of the bets, and no others. */
static void test_groups(void **state)
{
    enum { AGENCIES = 7, MANY = 5000 };
    static struct winner winners[MANY];
    struct prng prng = {8};
    struct winner_index index;
    struct errbuf err;
    size_t total = 0;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        uint32_t agency = 1 + prng_below(&prng, AGENCIES);
        winners[i] = make_winner(agency == 3 ? 4 : agency, i); /* agency 3 has none */
    }
    struct fake_store fake = fake_store(AGENCIES, winners, MANY);
    assert_int_equal(winner_index_load(&fake.store, &index, &err), STATUS_OK);
    for (uint32_t agency = 1; agency <= AGENCIES; agency++) {
        uint64_t count;
        const struct winner *its = winner_index_of(&index, agency, &count);
        uint64_t at = 0;
        for (size_t i = 0; i < MANY; i++) {
            if (winners[i].agency != agency)
                continue;
            assert_true(at < count);
            assert_memory_equal(&its[at], &winners[i], sizeof(winners[i]));
            at++;
        }
        assert_true(at == count);
        assert_int_equal(agency == 3, count == 0);
        total += count;
    }
    assert_int_equal(total, MANY);
    winner_index_fini(&index);
    winner_index_fini(&index);
}

/* Without winners every agency has none; a single winner belongs to one agency, whichever it is. */
static void test_none_and_one(void **state)
{
    struct winner_index index;
    struct errbuf err;
    uint64_t count;

    (void)state;
    struct fake_store fake = fake_store(10000, NULL, 0);
    assert_int_equal(winner_index_load(&fake.store, &index, &err), STATUS_OK);
    for (uint32_t agency = 1; agency <= 10000; agency++) {
        (void)winner_index_of(&index, agency, &count);
        assert_true(count == 0);
    }
    winner_index_fini(&index);

    for (uint32_t winner_agency = 1; winner_agency <= 5; winner_agency++) {
        struct winner winner = make_winner(winner_agency, 30904465);
        fake = fake_store(5, &winner, 1);
        assert_int_equal(winner_index_load(&fake.store, &index, &err), STATUS_OK);
        for (uint32_t agency = 1; agency <= 5; agency++) {
            const struct winner *its = winner_index_of(&index, agency, &count);
            assert_true(count == (agency == winner_agency ? 1 : 0));
            if (count == 1)
                assert_memory_equal(its, &winner, sizeof(winner));
        }
        winner_index_fini(&index);
    }
}

/* A winner whose agency does not exist is damage; *out is unchanged. */
static void test_unknown_agency(void **state)
{
    static const uint32_t bad[] = {6, 7, 10000, UINT32_MAX - 1, UINT32_MAX};
    struct errbuf err;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct winner winners[] = {make_winner(1, 1), make_winner(bad[i], 2)};
        struct winner_index index = {.agencies = 4711};
        struct fake_store fake = fake_store(5, winners, 2);
        assert_int_equal(winner_index_load(&fake.store, &index, &err), STATUS_DAMAGED);
        assert_non_null(strstr(err.text, "winners"));
        assert_int_equal(index.agencies, 4711);
    }
}

/* An error of the store is passed on; whichever allocation fails, nothing leaks. */
static void test_failures(void **state)
{
    const struct winner winner = make_winner(1, 1);
    struct winner_index index;
    struct errbuf err;
    unsigned after = 1; /* the first allocation is made by the fake store */

    (void)state;
    struct fake_store fake = fake_store(5, &winner, 1);
    fake.status = STATUS_NOTFOUND;
    assert_int_equal(winner_index_load(&fake.store, &index, &err), STATUS_NOTFOUND);
    assert_string_equal(err.text, "the store failed");
    fake.status = STATUS_OK;
    for (bool has_failed = true; has_failed; after++) {
        alloc_fault_after(after);
        enum status status = winner_index_load(&fake.store, &index, &err);
        has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
    }
    assert_true(after >= 3);
    winner_index_fini(&index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_none_and_one),
        cmocka_unit_test(test_unknown_agency),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests_name("winner_index", tests, NULL, NULL);
}
