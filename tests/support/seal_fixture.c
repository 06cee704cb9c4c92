#include "seal_fixture.h"

#include "cmocka_all.h"
#include "rfc3339.h"
#include "tmpdir.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The bytes 0..31 as Ed25519's seed. */
const char seal_fixture_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                                "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
                                "-----END PRIVATE KEY-----\n";
const char seal_fixture_vkey[] = "lottery+d05eb7c1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const char seal_fixture_id[] = "2026-11-25-nocturna";

#define FIRST_LINE "1,Santiago Lionel,Lorca,30904465,1999-03-17,7574\r\n"
#define SECOND_LINE "1,Ana,\"Pérez, de\",4,2000-01-01,0\r\n"
#define OTHER_LINE "3,Luz,Paz,28123456,1980-02-29,7574\r\n"

const char *const seal_fixture_lines[SEAL_FIXTURE_LEAVES] = {"", FIRST_LINE SECOND_LINE, "",
                                                             OTHER_LINE};
const char seal_fixture_bets[] = FIRST_LINE OTHER_LINE SECOND_LINE;
const char seal_fixture_winners[] = "1,30904465\r\n3,28123456\r\n";

static void make_leaves(struct seal_fixture *f)
{
    struct seal_draw draw = {.agencies = SEAL_FIXTURE_AGENCIES, .bets = 3};
    uint8_t salt[SEAL_SALT_SIZE];

    (void)snprintf(draw.id, sizeof(draw.id), "%s", seal_fixture_id);
    assert_int_equal(rfc3339_parse(text_of("2026-11-25T21:00:00Z"), &draw.closed_s, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < sizeof(salt); i++)
        salt[i] = (uint8_t)(0xff - i);
    f->leaves[0][seal_leaf_put_draw(&draw, f->leaves[0])] = '\0';
    for (uint32_t i = 1; i <= SEAL_FIXTURE_AGENCIES; i++) {
        struct seal_agency *agency = &f->agencies[i];
        agency->agency = i;
        agency->bets = i == 1 ? 2 : i == 2 ? 0 : 1;
        assert_int_equal(sha256_of(text_of(seal_fixture_lines[i]), agency->digest), STATUS_OK);
        assert_int_equal(seal_nonce(salt, i, agency->nonce), STATUS_OK);
        f->leaves[i][seal_leaf_put_agency(agency, f->leaves[i])] = '\0';
    }
}

static void make_tree(struct seal_fixture *f)
{
    assert_int_equal(merkle_init(&f->tree), STATUS_OK);
    for (size_t i = 0; i < SEAL_FIXTURE_LEAVES; i++)
        assert_int_equal(merkle_add(&f->tree, text_of(f->leaves[i])), STATUS_OK);
    assert_int_equal(merkle_finish(&f->tree), STATUS_OK);
}

static void load_key(struct seal_fixture *f)
{
    char path[256];
    struct errbuf err;

    (void)snprintf(path, sizeof(path), "%s/seal-key.pem", f->folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, seal_fixture_pem, strlen(seal_fixture_pem)),
                     strlen(seal_fixture_pem));
    assert_int_equal(close(fd), 0);
    assert_int_equal(seal_key_load(AT_FDCWD, path, &f->key, &err), STATUS_OK);
    f->public_key = *seal_key_public(f->key);
}

static void make_notes(struct seal_fixture *f)
{
    struct seal_note seal = {.leaves = SEAL_FIXTURE_LEAVES, .root = merkle_root(&f->tree)};
    struct result_note *result = &f->result_note;
    char text[RESULT_NOTE_MAX];

    (void)snprintf(seal.id, sizeof(seal.id), "%s", seal_fixture_id);
    size_t size = seal_note_put(&seal, text);
    assert_int_equal(seal_key_sign(f->key, (struct text){text, size}, &f->seal), STATUS_OK);

    memcpy(result->id, seal.id, sizeof(result->id));
    result->root = seal.root;
    result->number = 7574;
    result->source = text_of("bolillero, escribana Gómez");
    result->winners = 2;
    assert_int_equal(rfc3339_parse(text_of("2026-11-25T21:14:30Z"), &result->time_s, NULL),
                     STATUS_OK);
    assert_int_equal(sha256_of(text_of(seal_fixture_winners), result->winners_digest), STATUS_OK);
    size = result_note_put(result, text);
    assert_int_equal(seal_key_sign(f->key, (struct text){text, size}, &f->result), STATUS_OK);
    f->result_claim = (struct result_claim){
        result->number, result->source, result->time_s, {f->result.data, f->result.size}};
}

void seal_fixture_be(struct seal_fixture *f, uint32_t agency)
{
    struct seal_agency *own = &f->agencies[agency];
    size_t count = merkle_prove(&f->tree, agency, f->proof);

    for (size_t i = 0; i < count; i++)
        f->proof_texts[i] = (struct text){(const char *)f->proof[i].bytes, SHA256_SIZE};
    f->claim = (struct seal_claim){
        .agency = agency,
        .draw = text_of(seal_fixture_id),
        .total = own->bets,
        .digest = {(const char *)own->digest, SHA256_SIZE},
        .nonce = {(const char *)own->nonce, SEAL_NONCE_SIZE},
        .index = agency,
        .proof = f->proof_texts,
        .proof_count = count,
        .note = {f->seal.data, f->seal.size},
    };
    f->own = (struct seal_own){
        .agency = agency, .draw = seal_fixture_id, .total = own->bets, .key = &f->public_key};
    memcpy(f->own.digest, own->digest, SHA256_SIZE);
}

int seal_fixture_begin(void **state)
{
    struct seal_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->folder = tmpdir_make();
    load_key(f);
    make_leaves(f);
    make_tree(f);
    make_notes(f);
    seal_fixture_be(f, 3);
    *state = f;
    return 0;
}

int seal_fixture_end(void **state)
{
    struct seal_fixture *f = *state;

    buffer_fini(&f->result);
    buffer_fini(&f->seal);
    merkle_fini(&f->tree);
    seal_key_destroy(f->key);
    tmpdir_remove(f->folder);
    free(f);
    return 0;
}
