/* Seals: who gets one, and when; and reading the files of a seal. */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "descriptors.h"
#include "draw_seal.h"
#include "merkle.h"
#include "note_file.h"
#include "seal_leaf.h"
#include "service_fixture.h"

#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct draw_terms sealed_terms = {.mode = DRAW_MANUAL, .has_seal = true, .id = "b"};

/* The next answer is the agency's Seal, and proves what it says. */
static void assert_seal(struct service_fixture *f, struct side *side, uint32_t agency,
                        const struct memory_seal *seal, const char *draw)
{
    struct frame frame = side_next(side, LOTTERY__V1__OPCODE__OPCODE_SEAL);
    Lottery__V1__Seal *message = lottery__v1__seal__unpack(NULL, frame.body_size, frame.body);
    const struct buffer *note = &seal->files[MEMORY_SEAL_NOTE];
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct merkle_hash root;
    struct merkle_hash hash;
    struct seal_agency leaf = {.agency = agency};
    char text[SEAL_LEAF_MAX];

    (void)f;
    assert_non_null(message);
    assert_int_equal(message->agency_id, agency);
    assert_string_equal(message->draw, draw);
    assert_int_equal(message->total, 4);
    assert_int_equal(strlen(message->note), note->size);
    assert_memory_equal(message->note, note->data, note->size);
    assert_int_equal(message->digest.len, sizeof(leaf.digest));
    assert_int_equal(message->nonce.len, sizeof(leaf.nonce));
    leaf.bets = message->total;
    memcpy(leaf.digest, message->digest.data, sizeof(leaf.digest));
    memcpy(leaf.nonce, message->nonce.data, sizeof(leaf.nonce));
    assert_int_equal(
        merkle_leaf_hash((struct text){text, seal_leaf_put_agency(&leaf, text)}, &hash), STATUS_OK);
    memcpy(root.bytes, seal->root, sizeof(root.bytes));
    assert_true(message->n_proof <= MERKLE_PROOF_MAX);
    for (size_t i = 0; i < message->n_proof; i++) {
        assert_int_equal(message->proof[i].len, sizeof(proof[i].bytes));
        memcpy(proof[i].bytes, message->proof[i].data, sizeof(proof[i].bytes));
    }
    assert_int_equal(
        merkle_verify(&hash, message->index, MEMORY_AGENCIES + 1, proof, message->n_proof, &root),
        STATUS_OK);
    lottery__v1__seal__free_unpacked(message, NULL);
}

/* The next answer is the list of winners, and tells the number with the result. */
static void assert_told(struct side *side, uint32_t agency, size_t count,
                        const struct memory_seal *seal)
{
    Lottery__V1__Winners *winners = side_take_winners(side, agency, count);
    const struct buffer *result = &seal->files[MEMORY_SEAL_RESULT];

    assert_non_null(winners->drawn);
    assert_int_equal(winners->drawn->number, SERVICE_NUMBER);
    assert_int_equal(strlen(winners->drawn->note), result->size);
    assert_memory_equal(winners->drawn->note, result->data, result->size);
    lottery__v1__winners__free_unpacked(winners, NULL);
}

/* Agency 1 has bets and wants a Seal, agency 2 has none and wants none; then it is closed. */
static void close_draw(struct service_fixture *f)
{
    service_fixture_open(f, &sealed_terms);
    assert_true(side_bet(&f->sides[0], "b", 1, 0, 4));
    service_fixture_end_ops(f);
    side_assert_ack(&f->sides[0], LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 4, "b", "");
    assert_true(side_finish_sealed(&f->sides[0], "b", 1, 4));
    assert_true(side_finish(&f->sides[1], "b", 2, 0));
    service_fixture_end_ops(f);
    memory_ledger_draw(&f->ledger);
    service_fixture_tell(f);
    side_assert_silent(&f->sides[0]);
}

static void draw(struct service_fixture *f)
{
    memory_ledger_give_number(&f->ledger, SERVICE_NUMBER, "the drum");
    assert_true(f->ledger.news.has_winners);
}

/* An agency that wants it gets a Seal once the draw is sealed, before there is a number; the number
 * comes with the first winners. */
static void test_seal(void **state)
{
    struct service_fixture *f = *state;

    close_draw(f);
    service_fixture_seal(f);
    service_fixture_tell(f);
    assert_seal(f, &f->sides[0], 1, &f->seal, "b");
    side_assert_silent(&f->sides[0]);
    side_assert_silent(&f->sides[1]);
    service_fixture_tell(f); /* once is enough */
    assert_true(side_finish_sealed(&f->sides[2], "b", 1, 4));
    service_fixture_end_ops(f);
    assert_seal(f, &f->sides[2], 1, &f->seal, "b");
    draw(f);
    service_fixture_tell(f);
    assert_told(&f->sides[0], 1, 2, &f->seal);
    assert_told(&f->sides[1], 2, 0, &f->seal);
    assert_told(&f->sides[2], 1, 2, &f->seal);
    side_reconnect(f, &f->sides[1]);
    assert_true(side_finish_sealed(&f->sides[1], "b", 2, 0)); /* who comes late gets both */
    service_fixture_end_ops(f);
    assert_seal(f, &f->sides[1], 2, &f->seal, "b");
    assert_told(&f->sides[1], 2, 0, &f->seal);
    for (size_t i = 0; i < SERVICE_SIDES; i++) {
        side_assert_silent(&f->sides[i]);
        assert_true(session_is_idle(&f->sides[i].session));
    }
}

/* Each Finished is answered by itself, also while the winners are being sent. */
static void test_several_questions(void **state)
{
    struct service_fixture *f = *state;
    struct side *side = &f->sides[0];

    close_draw(f);
    assert_true(side_finish(side, "b", 1, 4));
    assert_true(side_finish(&f->sides[1], "b", 2, 0));
    assert_true(side_finish_sealed(&f->sides[1], "b", 2, 0)); /* on second thoughts */
    service_fixture_end_ops(f);
    service_fixture_seal(f);
    service_fixture_tell(f);
    assert_seal(f, side, 1, &f->seal, "b");
    assert_seal(f, &f->sides[1], 2, &f->seal, "b");
    side->backlog = SIZE_MAX;
    draw(f);
    service_fixture_tell(f);
    assert_true(side_finish_sealed(side, "b", 1, 4));
    service_fixture_end_ops(f);
    side_assert_silent(side);
    side->backlog = 0;
    session_continue(&side->session);
    assert_told(side, 1, 2, &f->seal);
    assert_seal(f, side, 1, &f->seal, "b"); /* before the next list */
    assert_told(side, 1, 2, &f->seal);
    assert_told(side, 1, 2, &f->seal);
    side_assert_silent(side);
    for (int i = 0; i < 3; i++)
        assert_told(&f->sides[1], 2, 0, &f->seal);
    side_assert_silent(&f->sides[1]);
}

/* In a draw without a seal the wish is ignored. */
static void test_no_seal(void **state)
{
    struct service_fixture *f = *state;

    for (uint32_t agency = 1; agency <= 2; agency++)
        assert_true(side_finish_sealed(&f->sides[agency], "", agency, 0));
    service_fixture_end_ops(f);
    memory_ledger_draw(&f->ledger);
    service_fixture_tell(f);
    side_assert_winners(&f->sides[1], 1, 0);
    side_assert_winners(&f->sides[2], 2, 0);
}

/* While the seal cannot be read, those who want it wait, also for the winners; the others do not.
 */
static void test_seal_cannot_be_read(void **state)
{
    struct service_fixture *f = *state;
    struct errbuf err;

    close_draw(f);
    service_fixture_seal(f);
    f->seal.is_missing[MEMORY_SEAL_LEAVES] = true;
    assert_int_equal(service_send_seals(f->service, &err), STATUS_NOTFOUND);
    assert_non_null(strstr(err.text, "seal.leaves"));
    assert_true(side_finish_sealed(&f->sides[2], "b", 2, 0));
    service_fixture_end_ops(f);
    draw(f);
    assert_int_equal(service_read_result(f->service, &err), STATUS_OK);
    assert_int_equal(service_send_winners(f->service, &err), STATUS_OK);
    assert_told(&f->sides[1], 2, 0, &f->seal);
    side_assert_silent(&f->sides[0]);
    side_assert_silent(&f->sides[2]);
    f->seal.is_missing[MEMORY_SEAL_LEAVES] = false;
    f->ledger.news.has_seal = false; /* it is being made again */
    assert_int_equal(service_send_seals(f->service, &err), STATUS_OK);
    side_assert_silent(&f->sides[0]);
    f->ledger.news.has_seal = true;
    service_fixture_tell(f);
    assert_seal(f, &f->sides[0], 1, &f->seal, "b");
    assert_told(&f->sides[0], 1, 2, &f->seal);
    assert_seal(f, &f->sides[2], 2, &f->seal, "b");
    assert_told(&f->sides[2], 2, 0, &f->seal);
}

/* While the result cannot be read, nobody gets winners. */
static void test_result_cannot_be_read(void **state)
{
    struct service_fixture *f = *state;
    struct errbuf err;

    close_draw(f);
    service_fixture_seal(f);
    draw(f);
    f->seal.is_missing[MEMORY_SEAL_RESULT] = true;
    assert_int_equal(service_send_seals(f->service, &err), STATUS_OK);
    assert_int_equal(service_read_result(f->service, &err), STATUS_NOTFOUND);
    assert_non_null(strstr(err.text, "result.txt"));
    assert_int_equal(service_send_winners(f->service, &err), STATUS_OK);
    assert_seal(f, &f->sides[0], 1, &f->seal, "b");
    side_assert_silent(&f->sides[0]);
    side_assert_silent(&f->sides[1]);
    f->seal.is_missing[MEMORY_SEAL_RESULT] = false;
    service_fixture_tell(f);
    assert_told(&f->sides[0], 1, 2, &f->seal);
    assert_told(&f->sides[1], 2, 0, &f->seal);
}

/* Who hangs up while it waits for a seal is forgotten. */
static void test_gone(void **state)
{
    struct service_fixture *f = *state;

    close_draw(f);
    side_reconnect(f, &f->sides[0]);
    service_fixture_seal(f);
    service_fixture_tell(f);
    side_assert_silent(&f->sides[0]);
    assert_true(session_is_idle(&f->sides[0].session));
}

/* A draw that is over has its seal and its result, too. */
static void test_past_draw(void **state)
{
    struct service_fixture *f = *state;
    struct draw_terms terms = {.mode = DRAW_AUTO, .has_seal = true, .id = "a"};
    struct side *side = &f->sides[0];

    for (int i = 0; i < 2; i++, terms.mode = DRAW_MANUAL) {
        service_fixture_make_past(f, &terms);
        service_fixture_open_draw(f, "b", DRAW_AUTO);
        assert_true(side_finish(side, "a", 1, 4));
        assert_told(side, 1, 2, &f->past_seal);
        assert_true(side_finish_sealed(side, "a", 1, 4));
        assert_seal(f, side, 1, &f->past_seal, "a");
        assert_told(side, 1, 2, &f->past_seal);
        side->backlog = SIZE_MAX;
        assert_true(side_finish(side, "a", 1, 4));
        assert_true(side_finish_sealed(side, "a", 1, 4));
        side->backlog = 0;
        session_continue(&side->session);
        assert_told(side, 1, 2, &f->past_seal);
        assert_seal(f, side, 1, &f->past_seal, "a");
        assert_told(side, 1, 2, &f->past_seal);
        side_assert_silent(side);
    }
}

static enum status open_seal(const struct memory_seal *seal, const char *id, uint32_t agencies)
{
    const struct draw_seal_facts facts = {id, agencies, seal->root};
    struct draw_seal *opened = NULL;
    struct errbuf err = {{0}};
    unsigned open_before = descriptors_count();

    memory_seal_use(seal);
    enum status status = draw_seal_open(&memory_seal_ops, -1, &facts, &opened, &err);
    assert_int_equal(descriptors_count(), open_before);
    assert_int_equal(opened != NULL, status == STATUS_OK);
    assert_int_equal(err.text[0] == '\0', status == STATUS_OK);
    draw_seal_close(opened);
    return status;
}

/* A seal has the files of many agencies, in several pieces; each has a proof. */
static void test_many_agencies(void **state)
{
    const uint32_t agencies = 2000;
    struct memory_seal seal;
    struct draw_seal *opened;
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct merkle_hash root;
    struct merkle_hash hash;
    char text[SEAL_LEAF_MAX];
    struct errbuf err;

    (void)state;
    memory_seal_init(&seal, "", agencies, 9, 1, "");
    const struct draw_seal_facts facts = {"", agencies, seal.root};
    memory_seal_use(&seal);
    assert_int_equal(draw_seal_open(&memory_seal_ops, -1, &facts, &opened, &err), STATUS_OK);
    memcpy(root.bytes, seal.root, sizeof(root.bytes));
    for (uint32_t i = 1; i <= agencies; i++) {
        const struct seal_agency *leaf = draw_seal_leaf(opened, i);
        struct text line = {text, seal_leaf_put_agency(leaf, text)};
        assert_int_equal(leaf->agency, i);
        assert_int_equal(leaf->bets, 9);
        assert_int_equal(merkle_leaf_hash(line, &hash), STATUS_OK);
        size_t count = draw_seal_prove(opened, i, proof);
        assert_int_equal(merkle_verify(&hash, i, (uint64_t)agencies + 1, proof, count, &root),
                         STATUS_OK);
    }
    draw_seal_close(opened);
    memory_seal_use(NULL);
    memory_seal_fini(&seal);
}

/* Of another draw, with another number of agencies, or with any byte changed, cut off or added, it
 * is not the seal of the log. */
static void test_damaged_files(void **state)
{
    struct memory_seal seal;

    (void)state;
    memory_seal_init(&seal, "b", 3, 9, 1, "");
    assert_int_equal(open_seal(&seal, "b", 3), STATUS_OK);
    assert_int_equal(open_seal(&seal, "", 3), STATUS_DAMAGED);
    assert_int_equal(open_seal(&seal, "b", 2), STATUS_DAMAGED);
    assert_int_equal(open_seal(&seal, "b", 4), STATUS_DAMAGED);
    seal.root[0] ^= 1;
    assert_int_equal(open_seal(&seal, "b", 3), STATUS_DAMAGED);
    seal.root[0] ^= 1;
    for (int i = MEMORY_SEAL_LEAVES; i <= MEMORY_SEAL_NOTE; i++) {
        struct buffer *file = &seal.files[i];
        size_t size = file->size;
        /* The signature is not looked at. */
        size_t signed_size = i == MEMORY_SEAL_LEAVES ? size : size - 105;
        for (size_t at = 0; at < signed_size; at++) {
            file->data[at] ^= 1;
            assert_int_equal(open_seal(&seal, "b", 3), STATUS_DAMAGED);
            file->data[at] ^= 1;
            file->size = at;
            assert_int_equal(open_seal(&seal, "b", 3), STATUS_DAMAGED);
            file->size = size;
        }
        assert_int_equal(buffer_append(file, "draw b 3 27 x", 13), STATUS_OK);
        assert_int_equal(open_seal(&seal, "b", 3), STATUS_DAMAGED);
        file->data[file->size - 1] = '\n';
        assert_int_equal(open_seal(&seal, "b", 3), STATUS_DAMAGED);
        file->size = size;
        seal.is_missing[i] = true;
        assert_int_equal(open_seal(&seal, "b", 3), STATUS_NOTFOUND);
        seal.is_missing[i] = false;
    }
    assert_int_equal(open_seal(&seal, "b", 3), STATUS_OK);
    memory_seal_use(NULL);
    memory_seal_fini(&seal);
}

/* A note that is too long for any of ours is not read. */
static void test_long_note(void **state)
{
    struct memory_seal seal;
    struct buffer *file = &seal.files[MEMORY_SEAL_NOTE];

    (void)state;
    memory_seal_init(&seal, "b", 1, 9, 1, "");
    while (file->size <= NOTE_FILE_MAX)
        assert_int_equal(buffer_append(file, "\xe2\x80\x94 somebody AAAAAAAA\n", 23), STATUS_OK);
    assert_int_equal(open_seal(&seal, "b", 1), STATUS_DAMAGED);
    memory_seal_use(NULL);
    memory_seal_fini(&seal);
}

/* Without memory, whenever it runs out, it is not opened, and nothing is left. */
static void test_no_memory(void **state)
{
    struct memory_seal seal;
    enum status status = STATUS_NOMEM;
    unsigned failures = 0;

    (void)state;
    memory_seal_init(&seal, "b", 3, 9, 1, "");
    memory_seal_use(&seal);
    for (unsigned nth = 0; status != STATUS_OK; nth++) {
        const struct draw_seal_facts facts = {"b", 3, seal.root};
        struct draw_seal *opened = NULL;
        struct errbuf err = {{0}};
        alloc_fault_after(nth);
        status = draw_seal_open(&memory_seal_ops, -1, &facts, &opened, &err);
        bool has_failed = alloc_fault_end();
        draw_seal_close(opened);
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        failures += has_failed;
    }
    assert_true(failures > 3);
    memory_seal_use(NULL);
    memory_seal_fini(&seal);
}

#define SERVICE_TEST(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, service_fixture_begin, service_fixture_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SERVICE_TEST(test_seal),
        SERVICE_TEST(test_several_questions),
        SERVICE_TEST(test_no_seal),
        SERVICE_TEST(test_seal_cannot_be_read),
        SERVICE_TEST(test_result_cannot_be_read),
        SERVICE_TEST(test_gone),
        SERVICE_TEST(test_past_draw),
        cmocka_unit_test(test_many_agencies),
        cmocka_unit_test(test_damaged_files),
        cmocka_unit_test(test_long_note),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("service_seals", tests, NULL, NULL);
}
