/* Without memory in libcrypto: its allocations fail, each once, in turn, and what we do with
 * libcrypto ends with a status, leaks nothing, and never takes a wrong signature for a right one.
 */
#include "cmocka_all.h"
#include "ed25519.h"
#include "merkle.h"
#include "seal_check.h"
#include "seal_fixture.h"
#include "sha256.h"

#include <openssl/crypto.h>
#include <stdlib.h>

static bool is_armed;
static bool has_failed;
static unsigned left;

static bool fails_now(void)
{
    if (!is_armed || has_failed || left-- > 0)
        return false;
    has_failed = true;
    return true;
}

static void *failing_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(size);
}

static void *failing_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : realloc(block, size);
}

static void plain_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

/* Calls `run` with failures after 0, 1, 2, ... allocations until none fails; of many, with gaps, as
 * reading a key takes hundreds. A call that does not end well must say why; returns how many did
 * not. */
static unsigned fail_each(enum status (*run)(struct seal_fixture *f), struct seal_fixture *f)
{
    unsigned failures = 0;
    bool is_done = false;

    assert_int_equal(run(f), STATUS_OK); /* what libcrypto keeps for later is there now */
    for (unsigned after = 0; !is_done; after += 1 + after / 16) {
        is_armed = true;
        has_failed = false;
        left = after;
        enum status status = run(f);
        is_armed = false;
        is_done = !has_failed;
        if (status != STATUS_OK) {
            assert_true(has_failed);
            assert_int_equal(status, STATUS_NOMEM);
            failures++;
        }
        assert_in_range(after, 0, 10000);
    }
    assert_int_equal(run(f), STATUS_OK);
    return failures;
}

static enum status run_hash(struct seal_fixture *f)
{
    uint8_t digest[SHA256_SIZE];
    enum status status = sha256_of(text_of(seal_fixture_bets), digest);

    (void)f;
    return status == STATUS_OK ? sha256_hmac(text_of("key"), text_of("text"), digest) : status;
}

static enum status run_tree(struct seal_fixture *f)
{
    struct merkle tree;
    enum status status = merkle_init(&tree);

    (void)f;
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; status == STATUS_OK && i < 5; i++)
        status = merkle_add(&tree, text_of(seal_fixture_vkey));
    if (status == STATUS_OK)
        status = merkle_finish(&tree);
    assert_true((tree.levels == 4) == (status == STATUS_OK));
    merkle_fini(&tree);
    return status;
}

static enum status run_pem(struct seal_fixture *f)
{
    struct evp_pkey_st *pair = NULL;
    struct buffer pem = {0};
    enum status status = ed25519_read_pem(text_of(seal_fixture_pem), &pair, NULL);

    (void)f;
    if (status == STATUS_INVALID) /* libcrypto does not always say why, depending on its version */
        status = STATUS_NOMEM;
    if (status != STATUS_OK)
        return status;
    status = ed25519_write_pem(pair, &pem);
    buffer_fini(&pem);
    ed25519_free(pair);
    return status;
}

static enum status run_generate(struct seal_fixture *f)
{
    struct evp_pkey_st *pair = NULL;
    enum status status = ed25519_generate(&pair, NULL);

    (void)f;
    ed25519_free(pair);
    return status == STATUS_IO ? STATUS_NOMEM : status; /* the same */
}

static enum status run_sign(struct seal_fixture *f)
{
    struct buffer note = {0};
    enum status status = seal_key_sign(f->key, text_of("text\n"), &note);

    assert_true(status == STATUS_OK || note.size == 0);
    buffer_fini(&note);
    return status;
}

static enum status run_check(struct seal_fixture *f)
{
    enum seal_verdict verdict = seal_check(&f->claim, &f->own, NULL, NULL);

    /* A right one may be taken for a wrong one: libcrypto does not always say why. */
    assert_true(verdict == SEAL_GOOD || verdict == SEAL_NO_MEMORY || verdict == SEAL_BAD_SIGNATURE);
    return verdict == SEAL_GOOD ? STATUS_OK : STATUS_NOMEM;
}

/* A wrong signature is never a right one. */
static enum status run_check_wrong(struct seal_fixture *f)
{
    f->seal.data[10] ^= 1;
    enum seal_verdict verdict = seal_check(&f->claim, &f->own, NULL, NULL);
    f->seal.data[10] ^= 1;

    assert_true(verdict == SEAL_BAD_SIGNATURE || verdict == SEAL_NO_MEMORY);
    return verdict == SEAL_NO_MEMORY ? STATUS_NOMEM : STATUS_OK;
}

static void test_no_memory(void **state)
{
    static enum status (*const runs[])(struct seal_fixture * f) = {
        run_hash, run_tree, run_pem, run_generate, run_sign, run_check, run_check_wrong,
    };
    struct seal_fixture *f = *state;

    for (size_t i = 0; i < sizeof(runs) / sizeof(runs[0]); i++)
        assert_true(fail_each(runs[i], f) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_memory, seal_fixture_begin, seal_fixture_end),
    };

    if (CRYPTO_set_mem_functions(failing_malloc, failing_realloc, plain_free) != 1)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
