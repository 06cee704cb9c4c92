#include "cmocka_all.h"
#include "hex.h"
#include "prng.h"
#include "sha256.h"

#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_digest(const uint8_t digest[SHA256_SIZE], const char *expected)
{
    char text[2 * SHA256_SIZE + 1];

    *hex_encode(digest, SHA256_SIZE, text) = '\0';
    assert_string_equal(text, expected);
}

/* The examples of FIPS 180-2, appendix B, and of no bytes at all. */
static void test_known(void **state)
{
    static const struct {
        const char *text;
        const char *digest;
    } cases[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    uint8_t digest[SHA256_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(sha256_of(text_of(cases[i].text), digest), STATUS_OK);
        assert_digest(digest, cases[i].digest);
    }
}

/* A million times `a`, in pieces of all sizes; then the same hash begins again. */
static void test_pieces(void **state)
{
    struct prng prng = {1};
    uint8_t digest[SHA256_SIZE];
    struct sha256 hash;
    char piece[300];

    (void)state;
    memset(piece, 'a', sizeof(piece));
    assert_int_equal(sha256_init(&hash), STATUS_OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(sha256_restart(&hash), STATUS_OK);
        for (size_t left = 1000000; left > 0;) {
            size_t size = prng_below(&prng, sizeof(piece) + 1);
            if (size > left)
                size = left;
            sha256_update(&hash, piece, size);
            left -= size;
        }
        sha256_final(&hash, digest);
        assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    }
    assert_int_equal(sha256_restart(&hash), STATUS_OK);
    sha256_final(&hash, digest);
    assert_digest(digest, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    sha256_fini(&hash);
    sha256_fini(&hash);
}

/* A child continues a running hash for itself. */
static void test_fork(void **state)
{
    uint8_t digest[SHA256_SIZE];
    uint8_t others[SHA256_SIZE];
    struct sha256 hash;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(sha256_init(&hash), STATUS_OK);
    sha256_update(&hash, "a", 1);
    pid_t pid = fork();
    assert_true(pid >= 0);
    sha256_update(&hash, pid == 0 ? "bc" : "b", pid == 0 ? 2 : 1);
    sha256_final(&hash, digest);
    if (pid == 0)
        _exit(write(ends[1], digest, sizeof(digest)) == sizeof(digest) ? 0 : 1);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(read(ends[0], others, sizeof(others)), sizeof(others));
    assert_digest(others, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(digest, "fb8e20fc2e4c3f248c60c39bd652f3c1347298bb977b8b4d5903b85055620603");
    sha256_fini(&hash);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

/* RFC 4231, sections 4.2, 4.3 and 4.7 (a key longer than a block); and no key. */
static void test_hmac(void **state)
{
    static const struct {
        const char *key;
        const char *text;
        const char *mac;
    } cases[] = {
        {"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
         "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", "what do ya want for nothing?",
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {NULL, "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    uint8_t mac[SHA256_SIZE];
    char large[131];

    (void)state;
    memset(large, 0xaa, sizeof(large));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct text key =
            cases[i].key != NULL ? text_of(cases[i].key) : (struct text){large, sizeof(large)};
        assert_int_equal(sha256_hmac(key, text_of(cases[i].text), mac), STATUS_OK);
        assert_digest(mac, cases[i].mac);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_fork),
        cmocka_unit_test(test_hmac),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
