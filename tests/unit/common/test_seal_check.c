/* What an agency checks, and the file in which it keeps it. */
#include "alloc_fault.h"
#include "cmocka_all.h"
#include "guard.h"
#include "seal_check.h"
#include "seal_evidence.h"
#include "seal_fixture.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Checks the fixture's claim; what is wrong has a text that begins with the verdict's. */
static enum seal_verdict check(struct seal_fixture *f)
{
    struct seal_note note = {.id = "untouched"};
    struct errbuf err;
    enum seal_verdict verdict = seal_check(&f->claim, &f->own, &note, &err);

    if (verdict != SEAL_GOOD) {
        const char *text = seal_verdict_text(verdict);
        assert_int_equal(strncmp(err.text, text, strlen(text)), 0);
        assert_string_equal(note.id, "untouched");
    } else {
        assert_string_equal(note.id, f->own.draw);
        assert_int_equal(note.leaves, SEAL_FIXTURE_LEAVES);
    }
    assert_int_equal(seal_check(&f->claim, &f->own, NULL, NULL), verdict);
    return verdict;
}

static enum seal_verdict check_result(struct seal_fixture *f, const struct note_key *key)
{
    struct seal_note seal;
    struct result_note note = {.number = 1};
    struct errbuf err;

    assert_int_equal(seal_check(&f->claim, &f->own, &seal, &err), SEAL_GOOD);
    enum seal_verdict verdict = seal_check_result(&f->result_claim, &seal, key, &note, &err);
    if (verdict != SEAL_GOOD) {
        const char *text = seal_verdict_text(verdict);
        assert_int_equal(strncmp(err.text, text, strlen(text)), 0);
        assert_int_equal(note.number, 1);
    } else {
        assert_int_equal(note.number, f->result_claim.number);
        assert_int_equal(note.winners, 2);
    }
    assert_int_equal(seal_check_result(&f->result_claim, &seal, key, NULL, NULL), verdict);
    return verdict;
}

/* Every agency's seal is good, with and without a key. */
static void test_good(void **state)
{
    struct seal_fixture *f = *state;

    for (uint32_t agency = 1; agency <= SEAL_FIXTURE_AGENCIES; agency++) {
        seal_fixture_be(f, agency);
        assert_int_equal(check(f), SEAL_GOOD);
        assert_int_equal(check_result(f, &f->public_key), SEAL_GOOD);
        f->own.key = NULL;
        assert_int_equal(check(f), SEAL_GOOD);
        assert_int_equal(check_result(f, NULL), SEAL_GOOD);
    }
}

/* Each field that differs from what the agency knows has a verdict of its own. */
static void test_other_fields(void **state)
{
    struct seal_fixture *f = *state;
    struct errbuf err;

    f->claim.agency = 2;
    assert_int_equal(check(f), SEAL_OTHER_AGENCY);
    seal_fixture_be(f, 3);
    f->claim.draw = text_of("2026-11-25-nocturn");
    assert_int_equal(check(f), SEAL_OTHER_DRAW);
    f->claim.draw = (struct text){NULL, 0};
    assert_int_equal(check(f), SEAL_OTHER_DRAW);
    seal_fixture_be(f, 3);
    f->own.draw = ""; /* the message agrees, the note does not */
    f->claim.draw = (struct text){NULL, 0};
    assert_int_equal(check(f), SEAL_OTHER_DRAW);
    seal_fixture_be(f, 3);
    f->own.total = 2;
    assert_int_equal(check(f), SEAL_OTHER_COUNT);
    (void)seal_check(&f->claim, &f->own, NULL, &err);
    assert_non_null(strstr(err.text, ": here 2, in the seal 1"));
    seal_fixture_be(f, 3);
    f->own.digest[31] ^= 1;
    assert_int_equal(check(f), SEAL_OTHER_DIGEST);
    (void)seal_check(&f->claim, &f->own, NULL, &err);
    assert_non_null(strstr(err.text, ": here bacae7"));
    assert_non_null(strstr(err.text, ", in the seal bacae7"));
    seal_fixture_be(f, 3);
    f->claim.index = 2;
    assert_int_equal(check(f), SEAL_OTHER_INDEX);
}

/* A central that changes its message as well as the agency's bets is found by the proof. */
static void test_lies_that_agree(void **state)
{
    struct seal_fixture *f = *state;
    uint8_t digest[SHA256_SIZE];

    f->own.total = f->claim.total = 2;
    assert_int_equal(check(f), SEAL_BAD_PROOF);
    seal_fixture_be(f, 3);
    memcpy(digest, f->own.digest, sizeof(digest));
    digest[0] ^= 0x80;
    memcpy(f->own.digest, digest, sizeof(digest));
    f->claim.digest.data = (const char *)digest;
    assert_int_equal(check(f), SEAL_BAD_PROOF);
    seal_fixture_be(f, 3); /* another agency's leaf at this agency's place */
    f->own.agency = f->claim.agency = 2;
    f->claim.index = 2;
    assert_int_equal(check(f), SEAL_BAD_PROOF);
    seal_fixture_be(f, 3);
    f->own.agency = f->claim.agency = 4; /* beyond the tree */
    f->claim.index = 4;
    assert_int_equal(check(f), SEAL_BAD_PROOF);
}

/* Each bit of nonce and proof counts, and so do their sizes. */
static void test_proof(void **state)
{
    struct seal_fixture *f = *state;
    struct text many[MERKLE_PROOF_MAX + 1];

    for (size_t bit = 0; bit < f->claim.proof_count * SHA256_SIZE * 8; bit++) {
        uint8_t *byte = &f->proof[bit / 8 / SHA256_SIZE].bytes[bit / 8 % SHA256_SIZE];
        *byte ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(seal_check(&f->claim, &f->own, NULL, NULL), SEAL_BAD_PROOF);
        *byte ^= (uint8_t)(1U << bit % 8);
    }
    for (size_t bit = 0; bit < SEAL_NONCE_SIZE * 8; bit++) {
        f->agencies[3].nonce[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_int_equal(seal_check(&f->claim, &f->own, NULL, NULL), SEAL_BAD_PROOF);
        f->agencies[3].nonce[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    assert_int_equal(check(f), SEAL_GOOD);
    f->claim.proof_count--;
    assert_int_equal(check(f), SEAL_BAD_PROOF);
    f->claim.proof_count = 0;
    assert_int_equal(check(f), SEAL_BAD_PROOF);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = f->proof_texts[0];
    f->claim.proof = many;
    f->claim.proof_count = MERKLE_PROOF_MAX;
    assert_int_equal(check(f), SEAL_BAD_PROOF);
    f->claim.proof_count++;
    assert_int_equal(check(f), SEAL_BAD_FIELD);
}

/* Sizes that no honest central sends; the sanitizer watches that nothing else is read. */
static void test_sizes(void **state)
{
    struct seal_fixture *f = *state;
    struct guarded bytes = guarded_copy("0123456789abcdef0123456789abcdef", 33);

    for (size_t size = 0; size <= 33; size++) {
        struct text text = {(const char *)bytes.bytes + 33 - size, size};
        seal_fixture_be(f, 3);
        f->claim.digest = text;
        assert_int_equal(check(f), size == 32 ? SEAL_OTHER_DIGEST : SEAL_BAD_FIELD);
        seal_fixture_be(f, 3);
        f->claim.nonce = text;
        assert_int_equal(check(f), size == 32 ? SEAL_BAD_PROOF : SEAL_BAD_FIELD);
        seal_fixture_be(f, 3);
        f->proof_texts[1] = text;
        assert_int_equal(check(f), size == 32 ? SEAL_BAD_PROOF : SEAL_BAD_FIELD);
    }
    guarded_free(&bytes);
}

/* Each bit of seal.txt counts, if the agency has the key. */
static void test_note(void **state)
{
    struct seal_fixture *f = *state;
    unsigned verdicts[SEAL_VERDICT_COUNT] = {0};

    for (size_t bit = 0; bit < f->seal.size * 8; bit++) {
        f->seal.data[bit / 8] = (char)(f->seal.data[bit / 8] ^ (1 << bit % 8));
        verdicts[seal_check(&f->claim, &f->own, NULL, NULL)]++;
        f->seal.data[bit / 8] = (char)(f->seal.data[bit / 8] ^ (1 << bit % 8));
    }
    assert_int_equal(check(f), SEAL_GOOD);
    assert_int_equal(verdicts[SEAL_GOOD], 0);
    assert_true(verdicts[SEAL_BAD_NOTE] > 0);
    assert_true(verdicts[SEAL_OTHER_KEY] > 0);
    assert_true(verdicts[SEAL_BAD_SIGNATURE] > 0);
    assert_int_equal(verdicts[SEAL_BAD_NOTE] + verdicts[SEAL_OTHER_KEY] +
                         verdicts[SEAL_BAD_SIGNATURE],
                     f->seal.size * 8);
    for (size_t size = 0; size < f->seal.size; size++) {
        f->claim.note.size = size;
        assert_int_equal(check(f), SEAL_BAD_NOTE);
    }
    f->claim.note = (struct text){NULL, 0};
    assert_int_equal(check(f), SEAL_BAD_NOTE);
}

/* Without a key the root still has to be the one that the proof leads to. */
static void test_note_without_key(void **state)
{
    struct seal_fixture *f = *state;
    char *root = strchr(strchr(f->seal.data, '\n') + 1, '\n') + 1;

    f->own.key = NULL;
    root[0] = root[0] == 'A' ? 'B' : 'A';
    assert_int_equal(check(f), SEAL_BAD_PROOF);
}

/* A note that is signed, but is not a seal. */
static void test_signed_but_not_a_seal(void **state)
{
    static const char *const texts[] = {"hello\n", "lottery/2026-11-25-nocturna\n4\n"};
    struct seal_fixture *f = *state;

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct buffer note = {0};
        assert_int_equal(seal_key_sign(f->key, text_of(texts[i]), &note), STATUS_OK);
        f->claim.note = (struct text){note.data, note.size};
        assert_int_equal(check(f), SEAL_BAD_NOTE);
        buffer_fini(&note);
    }
    f->claim.note = (struct text){f->result.data, f->result.size};
    assert_int_equal(check(f), SEAL_BAD_NOTE);
}

/* A key of the same name that is another one. */
static void test_other_key(void **state)
{
    struct seal_fixture *f = *state;
    uint8_t public_key[ED25519_PUBLIC_SIZE];

    memcpy(public_key, f->public_key.public_key, sizeof(public_key));
    public_key[0] ^= 1;
    assert_int_equal(note_key_init(&f->public_key, "lottery", public_key), STATUS_OK);
    assert_int_equal(check(f), SEAL_OTHER_KEY);
    /* One that has the same id, too: four bytes can be made to fit. */
    memcpy(f->public_key.id, seal_key_public(f->key)->id, sizeof(f->public_key.id));
    assert_int_equal(check(f), SEAL_BAD_SIGNATURE);
}

/* Makes result.txt again from what is in the fixture. */
static void resign_result(struct seal_fixture *f)
{
    char text[RESULT_NOTE_MAX];
    size_t size = result_note_put(&f->result_note, text);

    buffer_fini(&f->result);
    assert_int_equal(seal_key_sign(f->key, (struct text){text, size}, &f->result), STATUS_OK);
    f->result_claim.note = (struct text){f->result.data, f->result.size};
}

/* A result that is signed, and says something else than the message or the seal. */
static void test_other_results(void **state)
{
    struct seal_fixture *f = *state;
    struct result_note good = f->result_note;
    const struct note_key *key = &f->public_key;

    (void)snprintf(f->result_note.id, sizeof(f->result_note.id), "other");
    resign_result(f);
    assert_int_equal(check_result(f, key), SEAL_RESULT_OTHER_DRAW);
    f->result_note = good;
    f->result_note.root.bytes[31] ^= 1;
    resign_result(f);
    assert_int_equal(check_result(f, key), SEAL_RESULT_OTHER_ROOT);
    f->result_note = good;
    f->result_note.number++;
    resign_result(f);
    assert_int_equal(check_result(f, key), SEAL_RESULT_OTHER_NUMBER);
    f->result_note = good;
    f->result_note.time_s++;
    resign_result(f);
    assert_int_equal(check_result(f, key), SEAL_RESULT_OTHER_TEXT);
    f->result_note = good;
    f->result_note.source.size = 0;
    resign_result(f);
    assert_int_equal(check_result(f, key), SEAL_RESULT_OTHER_TEXT);
    f->result_claim.source.size = 0;
    assert_int_equal(check_result(f, key), SEAL_GOOD);
    f->result_claim.source = text_of("-"); /* the note says the same for none */
    assert_int_equal(check_result(f, key), SEAL_GOOD);
    f->result_claim.source = text_of("--");
    assert_int_equal(check_result(f, key), SEAL_RESULT_OTHER_TEXT);
}

/* Each bit of result.txt counts; and it is not seal.txt. */
static void test_result_note(void **state)
{
    struct seal_fixture *f = *state;
    struct seal_note seal;

    assert_int_equal(seal_check(&f->claim, &f->own, &seal, NULL), SEAL_GOOD);
    for (size_t bit = 0; bit < f->result.size * 8; bit++) {
        f->result.data[bit / 8] = (char)(f->result.data[bit / 8] ^ (1 << bit % 8));
        enum seal_verdict verdict =
            seal_check_result(&f->result_claim, &seal, &f->public_key, NULL, NULL);
        assert_true(verdict == SEAL_RESULT_BAD_NOTE || verdict == SEAL_RESULT_OTHER_KEY ||
                    verdict == SEAL_RESULT_BAD_SIGNATURE);
        f->result.data[bit / 8] = (char)(f->result.data[bit / 8] ^ (1 << bit % 8));
    }
    f->result_claim.note = (struct text){f->seal.data, f->seal.size};
    assert_int_equal(check_result(f, &f->public_key), SEAL_RESULT_BAD_NOTE);
    f->result_claim.note = (struct text){"", 0};
    assert_int_equal(check_result(f, &f->public_key), SEAL_RESULT_BAD_NOTE);
}

static void test_verdict_texts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SEAL_VERDICT_COUNT; i++)
        assert_true(strlen(seal_verdict_text((enum seal_verdict)i)) > 1);
    assert_string_equal(seal_verdict_text(SEAL_VERDICT_COUNT), "?");
}

/* Evidence is written also where the check has failed, but never with what the file cannot say. */
static void test_evidence(void **state)
{
    struct seal_fixture *f = *state;
    struct buffer file = {0};

    f->own.total = 9;
    assert_int_equal(check(f), SEAL_OTHER_COUNT);
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_OK);
    assert_int_equal(buffer_append(&file, "", 1), STATUS_OK);
    assert_non_null(strstr(file.data, "lottery-seal-evidence 1\ndraw 2026-11-25-nocturna\n"
                                      "agency 3 1 bacae7"));
    buffer_fini(&file);
    f->claim.draw = (struct text){NULL, 0};
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_OK);
    assert_memory_equal(file.data, "lottery-seal-evidence 1\ndraw -\n", 31);
    file.size = 0;
    f->claim.draw = text_of("a\nindex 1");
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_MALFORMED);
    seal_fixture_be(f, 3);
    f->claim.digest.size--;
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_MALFORMED);
    seal_fixture_be(f, 3);
    f->claim.nonce.size = 0;
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_MALFORMED);
    seal_fixture_be(f, 3);
    f->proof_texts[1].size--;
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_MALFORMED);
    seal_fixture_be(f, 3);
    f->claim.note.size--;
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_MALFORMED);
    assert_int_equal(seal_evidence_put_result(f->claim.note, &file), STATUS_MALFORMED);
    assert_int_equal(file.size, 0);
    buffer_fini(&file);
}

/* Without memory nothing is half written. */
static void test_evidence_without_memory(void **state)
{
    struct seal_fixture *f = *state;
    struct buffer file = {0};

    alloc_fault_after(0);
    assert_int_equal(seal_evidence_put(&f->claim, &file), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(file.size, 0);
    alloc_fault_after(0);
    assert_int_equal(seal_evidence_put_result(f->claim.note, &file), STATUS_NOMEM);
    assert_true(alloc_fault_end());
    assert_int_equal(file.size, 0);
    buffer_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_other_fields, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_lies_that_agree, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_proof, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_sizes, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_note, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_note_without_key, seal_fixture_begin,
                                        seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_signed_but_not_a_seal, seal_fixture_begin,
                                        seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_other_key, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_other_results, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_result_note, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test(test_verdict_texts),
        cmocka_unit_test_setup_teardown(test_evidence, seal_fixture_begin, seal_fixture_end),
        cmocka_unit_test_setup_teardown(test_evidence_without_memory, seal_fixture_begin,
                                        seal_fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
