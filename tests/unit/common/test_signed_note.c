/* Signed notes and the keys that sign them. */
#include "base64.h"
#include "cmocka_all.h"
#include "ed25519.h"
#include "guard.h"
#include "hex.h"
#include "note_key.h"
#include "signed_note.h"

#include <stdio.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DASH "\xe2\x80\x94 "

/* The example of https://c2sp.org/signed-note. */
#define C2SP_VKEY "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
#define C2SP_TEXT "This is an example message.\n"
#define C2SP_LINE                                                                                  \
    DASH "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFX" \
         "mRKuwHjG1Yu72IneyaQM=\n"
/* A line by another key: the example in the documentation of Go's package note. */
#define GO_VKEY "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
#define GO_TEXT                                                                                    \
    "If you think cryptography is the answer to your problem,\n"                                   \
    "then you don't know what your problem is.\n"
#define GO_LINE                                                                                    \
    DASH "PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngot" \
         "pRZb6KE6RyyBwJnAM=\n"

static struct note_key key_of(const char *vkey)
{
    struct note_key key;
    struct errbuf err;

    assert_int_equal(note_key_parse(text_of(vkey), &key, &err), STATUS_OK);
    return key;
}

/* Parses a note that lies right before a page that cannot be accessed. */
static enum status parse_note(struct text note)
{
    struct guarded guarded = guarded_copy(note.data, note.size);
    struct signed_note parsed;
    struct errbuf err;

    errbuf_set(&err, "%s", "");
    enum status status =
        signed_note_parse((struct text){(const char *)guarded.bytes, note.size}, &parsed, &err);
    guarded_free(&guarded);
    if (status != STATUS_OK)
        assert_true(err.text[0] != '\0');
    return status;
}

/* Parses a note, which has to be one, and verifies it. */
static enum status verify_note(const char *note, const char *vkey)
{
    struct note_key key = key_of(vkey);
    struct signed_note parsed;
    struct errbuf err;

    assert_int_equal(parse_note(text_of(note)), STATUS_OK);
    assert_int_equal(signed_note_parse(text_of(note), &parsed, &err), STATUS_OK);
    return signed_note_verify(&parsed, &key, &err);
}

/* Notes and keys that others have made. */
static void test_foreign_notes(void **state)
{
    (void)state;
    assert_int_equal(verify_note(C2SP_TEXT "\n" C2SP_LINE, C2SP_VKEY), STATUS_OK);
    assert_int_equal(verify_note(GO_TEXT "\n" GO_LINE, GO_VKEY), STATUS_OK);
    assert_int_equal(verify_note(C2SP_TEXT "\n" C2SP_LINE, GO_VKEY), STATUS_NOTFOUND);
    assert_int_equal(verify_note(GO_TEXT "\n" C2SP_LINE, C2SP_VKEY), STATUS_MISMATCH);
}

/* Lines by unknown keys count nothing, whatever stands in them and wherever they are. */
static void test_several_signatures(void **state)
{
    static const char other_id[] = DASH "example.com/foo AAAAAA==\n";
    char note[8192];

    (void)state;
    assert_int_equal(verify_note(C2SP_TEXT "\n" GO_LINE C2SP_LINE, C2SP_VKEY), STATUS_OK);
    assert_int_equal(verify_note(C2SP_TEXT "\n" C2SP_LINE GO_LINE, C2SP_VKEY), STATUS_OK);
    assert_int_equal(verify_note(C2SP_TEXT "\n" DASH "\xc3\xb1/z AAAAAAAA\n" C2SP_LINE, C2SP_VKEY),
                     STATUS_OK);
    assert_int_equal(verify_note(C2SP_TEXT "\n" C2SP_LINE C2SP_LINE, C2SP_VKEY), STATUS_OK);
    /* The name of a known key with another id, or its id with another name. */
    (void)snprintf(note, sizeof(note), "%s\n%s%s", C2SP_TEXT, DASH "example.com/foo AAAAAAAAAAAA\n",
                   C2SP_LINE);
    assert_int_equal(verify_note(note, C2SP_VKEY), STATUS_OK);
    assert_int_equal(verify_note(C2SP_TEXT "\n" DASH "example.com/fo Uw2QOkn8\n", C2SP_VKEY),
                     STATUS_NOTFOUND);
    assert_int_equal(parse_note(text_of(other_id)), STATUS_MALFORMED);
    /* At least sixteen. */
    int size = snprintf(note, sizeof(note), "%s\n", C2SP_TEXT);
    for (int i = 0; i < 40; i++)
        size += snprintf(note + size, sizeof(note) - (size_t)size, "%s", GO_LINE);
    (void)snprintf(note + size, sizeof(note) - (size_t)size, "%s", C2SP_LINE);
    assert_int_equal(verify_note(note, C2SP_VKEY), STATUS_OK);
}

/* One wrong signature by the key spoils the note, also after a right one; and so does one of
 * another size. */
static void test_wrong_signatures(void **state)
{
    static const char short_line[] = DASH "example.com/foo Uw2QOkn8srV1\n";
    static const char long_line[] =
        DASH "example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3"
             "mFXmRKuwHjG1Yu72IneyaQMA\n";
    char bad_line[] = C2SP_LINE;
    char note[2048];

    (void)state;
    bad_line[sizeof(bad_line) - 8] ^= 1;
    const char *const bad[] = {short_line, long_line, bad_line};
    for (size_t i = 0; i < COUNT(bad); i++) {
        (void)snprintf(note, sizeof(note), "%s\n%s", C2SP_TEXT, bad[i]);
        assert_int_equal(verify_note(note, C2SP_VKEY), STATUS_MISMATCH);
        (void)snprintf(note, sizeof(note), "%s\n%s%s", C2SP_TEXT, C2SP_LINE, bad[i]);
        assert_int_equal(verify_note(note, C2SP_VKEY), STATUS_MISMATCH);
        (void)snprintf(note, sizeof(note), "%s\n%s%s", C2SP_TEXT, bad[i], C2SP_LINE);
        assert_int_equal(verify_note(note, C2SP_VKEY), STATUS_MISMATCH);
    }
}

/* Each bit of text, name, id and signature counts. The note is alone, so an unknown name is no
 * signature either. */
static void test_every_bit(void **state)
{
    static const char note[] = C2SP_TEXT "\n" C2SP_LINE;
    struct note_key key = key_of(C2SP_VKEY);
    char other[sizeof(note)];
    unsigned parsed_notes = 0;

    (void)state;
    for (size_t bit = 0; bit < (sizeof(note) - 1) * 8; bit++) {
        struct signed_note parsed;
        memcpy(other, note, sizeof(note));
        other[bit / 8] = (char)(other[bit / 8] ^ (1 << bit % 8));
        if (signed_note_parse((struct text){other, sizeof(note) - 1}, &parsed, NULL) != STATUS_OK)
            continue;
        parsed_notes++;
        assert_true(signed_note_verify(&parsed, &key, NULL) != STATUS_OK);
    }
    assert_in_range(parsed_notes, 300, 1400);
}

/* The text ends at the last empty line, and may have some itself. */
static void test_empty_lines(void **state)
{
    struct signed_note parsed;

    (void)state;
    assert_int_equal(signed_note_parse(text_of("a\n\nb\n\n" C2SP_LINE), &parsed, NULL), STATUS_OK);
    assert_int_equal(parsed.text.size, 5);
    assert_int_equal(parsed.signatures.size, strlen(C2SP_LINE));
    assert_int_equal(signed_note_parse(text_of("\n\n" C2SP_LINE), &parsed, NULL), STATUS_OK);
    assert_int_equal(parsed.text.size, 1);
    assert_int_equal(signed_note_parse(text_of("a\n\n\n" C2SP_LINE), &parsed, NULL), STATUS_OK);
    assert_int_equal(parsed.text.size, 3);
}

static void test_malformed(void **state)
{
    static const char nul[] = "a\0b\n\n" C2SP_LINE;
    static const char *const wrong[] = {
        "",
        "\n",
        "\n\n",
        "a\n",
        "a\n\n",
        C2SP_LINE,
        "\n" C2SP_LINE,
        "a\n" C2SP_LINE,
        "a\n\n" C2SP_LINE "\n",
        "a\n\n" C2SP_LINE "x",
        "a\n\n" C2SP_LINE "x\n",
        "a\n\nx\n" C2SP_LINE,
        "a\r\n\r\n" C2SP_LINE,
        "a\tb\n\n" C2SP_LINE,
        "a\x1f\n\n" C2SP_LINE,
        "a\xff\n\n" C2SP_LINE,
        "a\xc3\n\n" C2SP_LINE,
        "a\xed\xa0\x80\n\n" C2SP_LINE,
        "a\n\n- name AAAAAAAA\n",
        "a\n\n\xe2\x80\x93 name AAAAAAAA\n",
        "a\n\n\xe2\x80\x94name AAAAAAAA\n",
        "a\n\n" DASH " AAAAAAAA\n",
        "a\n\n" DASH "name\n",
        "a\n\n" DASH "name AAAAAAAA",
        "a\n\n" DASH "name  AAAAAAAA\n",
        "a\n\n" DASH "name AAAAAAAA \n",
        "a\n\n" DASH "name x AAAAAAAA\n",
        "a\n\n" DASH "name AAAAAA==\n", /* only an id */
        "a\n\n" DASH "name AAAA\n",
        "a\n\n" DASH "name \n",
        "a\n\n" DASH "name AAAAAAA\n",
        "a\n\n" DASH "name AAAAAA=A\n",
        "a\n\n" DASH "name AAAAAAB=\n", /* bits that are not used */
        "a\n\n" DASH "name AAAA-_AA\n",
        "a\n\n" DASH "na+me AAAAAAAA\n",
        "a\n\n" DASH "na\xc2\xa0me AAAAAAAA\n",
        "a\n\n" DASH "na\xe2\x80\xafme AAAAAAAA\n",
        "a\n\n" DASH "na\xe3\x80\x80me AAAAAAAA\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(wrong); i++) {
        if (parse_note(text_of(wrong[i])) != STATUS_MALFORMED)
            fail_msg("%zu was taken for a note: %s", i, wrong[i]);
    }
    assert_int_equal(parse_note((struct text){nul, sizeof(nul) - 1}), STATUS_MALFORMED);
    assert_int_equal(parse_note((struct text){NULL, 0}), STATUS_MALFORMED);
}

/* Every beginning of a note is refused, until the whole note. */
static void test_cut(void **state)
{
    static const char note[] = C2SP_TEXT "\n" C2SP_LINE;

    (void)state;
    for (size_t size = 0; size < sizeof(note) - 1; size++)
        assert_int_equal(parse_note((struct text){note, size}), STATUS_MALFORMED);
    assert_int_equal(parse_note((struct text){note, sizeof(note) - 1}), STATUS_OK);
}

/* The largest note, and one byte more. */
static void test_size(void **state)
{
    size_t tail = strlen("\n\n" C2SP_LINE);
    char *note = malloc(SIGNED_NOTE_MAX + 2);

    (void)state;
    assert_non_null(note);
    for (size_t more = 0; more < 2; more++) {
        memset(note, 'x', SIGNED_NOTE_MAX + 1);
        memcpy(note + SIGNED_NOTE_MAX + more - tail, "\n\n" C2SP_LINE, tail + 1);
        assert_int_equal(parse_note((struct text){note, SIGNED_NOTE_MAX + more}),
                         more == 0 ? STATUS_OK : STATUS_MALFORMED);
    }
    free(note);
}

/* RFC 8032, section 7.1: the seed of the second and third test, and what their keys sign. */
static struct evp_pkey_st *pair_of(const char *seed, const char *public_key)
{
    uint8_t der[48] = {0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20};
    uint8_t expected[ED25519_PUBLIC_SIZE];
    uint8_t found[ED25519_PUBLIC_SIZE];
    char base64[BASE64_SIZE(sizeof(der)) + 1];
    struct evp_pkey_st *pair = NULL;
    struct errbuf err;
    char pem[256];

    assert_true(hex_decode(text_of(seed), der + 16, 32));
    *base64_encode(der, sizeof(der), base64) = '\0';
    (void)snprintf(pem, sizeof(pem), "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n",
                   base64);
    assert_int_equal(ed25519_read_pem(text_of(pem), &pair, &err), STATUS_OK);
    assert_int_equal(ed25519_public(pair, found), STATUS_OK);
    assert_true(hex_decode(text_of(public_key), expected, sizeof(expected)));
    assert_memory_equal(found, expected, sizeof(found));
    return pair;
}

static void test_ed25519_known(void **state)
{
    static const struct {
        const char *seed, *public_key, *text, *signature;
    } cases[] = {
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
         "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "\x72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
         "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
         "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "\xaf\x82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
         "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct evp_pkey_st *pair = pair_of(cases[i].seed, cases[i].public_key);
        uint8_t signature[ED25519_SIGNATURE_SIZE];
        uint8_t expected[ED25519_SIGNATURE_SIZE];
        uint8_t public_key[ED25519_PUBLIC_SIZE];
        assert_int_equal(ed25519_sign(pair, text_of(cases[i].text), signature), STATUS_OK);
        assert_true(hex_decode(text_of(cases[i].signature), expected, sizeof(expected)));
        assert_memory_equal(signature, expected, sizeof(signature));
        assert_int_equal(ed25519_public(pair, public_key), STATUS_OK);
        assert_int_equal(ed25519_verify(public_key, text_of(cases[i].text), signature), STATUS_OK);
        assert_int_equal(ed25519_verify(public_key, text_of("x"), signature), STATUS_MISMATCH);
        ed25519_free(pair);
    }
}

/* What is put together is a note again, with the text and the signature of an RFC's vector. */
static void test_put(void **state)
{
    struct evp_pkey_st *pair =
        pair_of("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    uint8_t public_key[ED25519_PUBLIC_SIZE];
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    struct text text = text_of("one\n\ntwo\n");
    struct buffer note = {0};
    struct signed_note parsed;
    struct note_key key;

    (void)state;
    assert_int_equal(ed25519_public(pair, public_key), STATUS_OK);
    assert_int_equal(note_key_init(&key, "a/b", public_key), STATUS_OK);
    assert_int_equal(ed25519_sign(pair, text, signature), STATUS_OK);
    assert_int_equal(signed_note_put(text, &key, signature, &note), STATUS_OK);
    assert_int_equal(signed_note_parse((struct text){note.data, note.size}, &parsed, NULL),
                     STATUS_OK);
    assert_int_equal(parsed.text.size, text.size);
    assert_memory_equal(parsed.text.data, text.data, text.size);
    assert_int_equal(signed_note_verify(&parsed, &key, NULL), STATUS_OK);
    buffer_fini(&note);
    ed25519_free(pair);
}

/* A verifier key is read and written as it is. */
static void test_vkey(void **state)
{
    static const char *const good[] = {C2SP_VKEY, GO_VKEY};
    char text[NOTE_VKEY_SIZE];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        struct note_key key = key_of(good[i]);
        note_key_format(&key, text);
        assert_string_equal(text, good[i]);
    }
}

static void test_vkey_refused(void **state)
{
    static const struct {
        const char *vkey;
        const char *why;
    } cases[] = {
        {"", "not a key like"},
        {"lottery", "not a key like"},
        {"+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "not a key like"},
        {"a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "not a key like"},
        {"example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "not a key like"},
        {"example.com/foo+530d903+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "not a key like"},
        {"example.com/foo+530d903a", "not a key like"},
        {"example.com/foo+530d903a+", "not the base64"},
        {C2SP_VKEY " ", "not the base64"},
        {C2SP_VKEY "\n", "not the base64"},
        {"example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "not the base64"},
        {"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2l", "typing error"},
        {"example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "typing error"},
        {"example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "typing error"},
        {"0123456789012345678901234567890123456789012345678901234567890123x+530d903a+"
         "AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         "not a key like"},
    };
    struct note_key key = {.name = "untouched"};
    struct errbuf err;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct guarded guarded = guarded_copy(cases[i].vkey, strlen(cases[i].vkey));
        struct text view = {(const char *)guarded.bytes, guarded.size};
        assert_int_equal(note_key_parse(view, &key, &err), STATUS_INVALID);
        guarded_free(&guarded);
        if (strstr(err.text, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].vkey, err.text);
        assert_string_equal(key.name, "untouched");
    }
}

/* Keys in PEM that are none of ours are refused, without asking anybody for a password. */
static void test_pem_refused(void **state)
{
    static const struct {
        const char *pem;
        const char *why;
    } cases[] = {
        {"", "no private key"},
        {"-----BEGIN PRIVATE KEY-----\n", "no private key"},
        {"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no private key"},
        /* a public key */
        {"-----BEGIN PUBLIC KEY-----\n"
         "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
         "-----END PUBLIC KEY-----\n",
         "no private key"},
        /* X25519 */
        {"-----BEGIN PRIVATE KEY-----\n"
         "MC4CAQAwBQYDK2VuBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
         "-----END PRIVATE KEY-----\n",
         "not for Ed25519"},
        /* encrypted, with the password "x" */
        {"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
         "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj8R+hskh0zJAICCAAw\n"
         "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEOq9SksCTxiyELFgjZIIly8EQF/a\n"
         "bDFJnKYiRDTyBe74Y2BIV0is+ALgkvIu8bYNhsBbGWAkIJZORK8CKI3ghhkeVV0e\n"
         "EdyYWkdkGH5om9H8UUA=\n"
         "-----END ENCRYPTED PRIVATE KEY-----\n",
         "encrypted"},
    };
    struct evp_pkey_st *pair = NULL;
    struct errbuf err;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(ed25519_read_pem(text_of(cases[i].pem), &pair, &err), STATUS_INVALID);
        assert_null(pair);
        if (strstr(err.text, cases[i].why) == NULL)
            fail_msg("%zu: %s", i, err.text);
    }
}

/* A new pair is another one each time, and is the same after it was written. */
static void test_generate(void **state)
{
    uint8_t keys[3][ED25519_PUBLIC_SIZE];
    struct evp_pkey_st *pairs[3] = {NULL};
    struct buffer pem = {0};
    struct errbuf err;

    (void)state;
    assert_int_equal(ed25519_generate(&pairs[0], &err), STATUS_OK);
    assert_int_equal(ed25519_generate(&pairs[1], &err), STATUS_OK);
    assert_int_equal(ed25519_write_pem(pairs[0], &pem), STATUS_OK);
    assert_int_equal(ed25519_read_pem((struct text){pem.data, pem.size}, &pairs[2], &err),
                     STATUS_OK);
    for (size_t i = 0; i < COUNT(pairs); i++) {
        assert_int_equal(ed25519_public(pairs[i], keys[i]), STATUS_OK);
        ed25519_free(pairs[i]);
    }
    assert_memory_not_equal(keys[0], keys[1], ED25519_PUBLIC_SIZE);
    assert_memory_equal(keys[0], keys[2], ED25519_PUBLIC_SIZE);
    buffer_fini(&pem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_foreign_notes),
        cmocka_unit_test(test_several_signatures),
        cmocka_unit_test(test_wrong_signatures),
        cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_empty_lines),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_ed25519_known),
        cmocka_unit_test(test_put),
        cmocka_unit_test(test_vkey),
        cmocka_unit_test(test_vkey_refused),
        cmocka_unit_test(test_pem_refused),
        cmocka_unit_test(test_generate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
