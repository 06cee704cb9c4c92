/* Seals and what they are made of, from anybody: what is read is written the same way again; a
 * signature is right only for the few texts that were signed, and a proof only if it is the one by
 * RFC 6962's definition; an altered seal is never good.
 *
 * An input is a byte, which says what it is about, and the rest. */
#include "base64.h"
#include "fuzz.h"
#include "hex.h"
#include "merkle.h"
#include "note_key.h"
#include "seal_check.h"
#include "seal_evidence.h"
#include "seal_fixture.h"
#include "seal_leaf.h"
#include "seal_note.h"
#include "signed_note.h"
#include "tmpdir.h"

#define LEAVES_MAX 300

static struct seal_fixture *fixture;

static bool is_same(struct text a, const char *data, size_t size)
{
    return fuzz_text_equals(a, (struct text){data, size});
}

/* A copy of all that is left, in a block of its own; to be freed with fuzz_text_free(). */
static struct text rest_of(const struct fuzz_input *input)
{
    char *copy = malloc(input->size);

    FUZZ_CHECK(copy != NULL || input->size == 0);
    if (input->size > 0)
        memcpy(copy, input->data, input->size);
    return (struct text){copy, input->size};
}

static void check_encodings(struct text text)
{
    size_t size = base64_decoded_size(text);
    char *again = malloc(text.size + 1);
    uint8_t *bytes = malloc(size + text.size + 1);

    FUZZ_CHECK(again != NULL && bytes != NULL);
    if (base64_decode(text, bytes, size))
        FUZZ_CHECK(is_same(text, again, (size_t)(base64_encode(bytes, size, again) - again)));
    if (hex_decode(text, bytes, text.size / 2))
        FUZZ_CHECK(is_same(text, again, (size_t)(hex_encode(bytes, text.size / 2, again) - again)));
    free(bytes);
    free(again);
}

static void check_vkey(struct text text)
{
    struct note_key key;
    struct errbuf err;
    char again[NOTE_VKEY_SIZE];

    if (note_key_parse(text, &key, &err) != STATUS_OK)
        return;
    note_key_format(&key, again);
    FUZZ_CHECK(is_same(text, again, strlen(again)));
}

/* The texts of leaves and notes. */
static void check_texts(struct text text)
{
    char again[RESULT_NOTE_MAX];
    struct seal_agency agency;
    struct result_note result;
    struct seal_note seal;
    struct seal_draw draw;

    if (seal_leaf_read_draw(text, &draw))
        FUZZ_CHECK(is_same(text, again, seal_leaf_put_draw(&draw, again)));
    if (seal_leaf_read_agency(text, &agency))
        FUZZ_CHECK(is_same(text, again, seal_leaf_put_agency(&agency, again)));
    if (seal_note_read(text, &seal) == STATUS_OK)
        FUZZ_CHECK(is_same(text, again, seal_note_put(&seal, again)));
    /* A source ends at a NUL when it is printed; whoever reads a note has refused those. */
    if (result_note_read(text, &result) == STATUS_OK &&
        (result.source.size == 0 || memchr(result.source.data, 0, result.source.size) == NULL))
        FUZZ_CHECK(is_same(text, again, result_note_put(&result, again)));
}

static void check_note(struct text text)
{
    struct signed_note note;
    struct signed_note signed_notes[2];
    struct errbuf err;

    if (signed_note_parse(text, &note, &err) != STATUS_OK)
        return;
    FUZZ_CHECK(text.size == note.text.size + 1 + note.signatures.size);
    FUZZ_CHECK(note.text.data[note.text.size - 1] == '\n' && text.data[note.text.size] == '\n');
    if (signed_note_verify(&note, &fixture->public_key, &err) == STATUS_OK) {
        struct text seal = {fixture->seal.data, fixture->seal.size};
        struct text result = {fixture->result.data, fixture->result.size};
        FUZZ_CHECK(signed_note_parse(seal, &signed_notes[0], NULL) == STATUS_OK);
        FUZZ_CHECK(signed_note_parse(result, &signed_notes[1], NULL) == STATUS_OK);
        FUZZ_CHECK(fuzz_text_equals(note.text, signed_notes[0].text) ||
                   fuzz_text_equals(note.text, signed_notes[1].text));
    }
    check_texts(note.text);
}

static struct merkle_hash hash_node(struct merkle_hash left, struct merkle_hash right)
{
    char node[1 + 2 * SHA256_SIZE] = {1};
    struct merkle_hash hash;

    memcpy(node + 1, left.bytes, SHA256_SIZE);
    memcpy(node + 1 + SHA256_SIZE, right.bytes, SHA256_SIZE);
    FUZZ_CHECK(sha256_of((struct text){node, sizeof(node)}, hash.bytes) == STATUS_OK);
    return hash;
}

static size_t split_of(size_t count)
{
    size_t split = 1;

    while (split * 2 < count)
        split *= 2;
    return split;
}

/* MTH of RFC 6962, section 2.1. */
static struct merkle_hash root_of(const struct merkle_hash *leaves, size_t count)
{
    if (count == 1)
        return leaves[0];
    size_t split = split_of(count);
    return hash_node(root_of(leaves, split), root_of(leaves + split, count - split));
}

/* PATH of RFC 6962, section 2.1.1. Returns its size. */
static size_t path_of(const struct merkle_hash *leaves, size_t count, size_t index,
                      struct merkle_hash *out)
{
    if (count == 1)
        return 0;
    size_t split = split_of(count);
    bool is_left = index < split;
    size_t size = is_left ? path_of(leaves, split, index, out)
                          : path_of(leaves + split, count - split, index - split, out);
    out[size] = is_left ? root_of(leaves + split, count - split) : root_of(leaves, split);
    return size + 1;
}

/* Alters some bytes, as the input says. Are they as they were? */
static bool alter(struct fuzz_input *input, void *bytes, size_t size)
{
    bool is_same = true;

    while (size > 0 && input->size > 0) {
        uint8_t mask = fuzz_byte(input);
        if (mask == 0)
            break;
        ((uint8_t *)bytes)[fuzz_uint(input, 2) % size] ^= mask;
        is_same = false;
    }
    return is_same;
}

static void check_tree(struct fuzz_input *input)
{
    size_t leaves = fuzz_uint(input, 2) % LEAVES_MAX + 1;
    size_t index = fuzz_uint(input, 2) % leaves;
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct merkle_hash expected[MERKLE_PROOF_MAX];
    struct merkle_hash before[MERKLE_PROOF_MAX];
    struct merkle tree;

    FUZZ_CHECK(merkle_init(&tree) == STATUS_OK);
    for (size_t i = 0; i < leaves; i++)
        FUZZ_CHECK(merkle_add(&tree, (struct text){(const char *)&i, sizeof(i)}) == STATUS_OK);
    FUZZ_CHECK(merkle_finish(&tree) == STATUS_OK);
    struct merkle_hash root = merkle_root(&tree);
    struct merkle_hash by_definition = root_of(tree.hashes, leaves);
    FUZZ_CHECK(memcmp(root.bytes, by_definition.bytes, SHA256_SIZE) == 0);
    size_t count = merkle_prove(&tree, index, proof);
    FUZZ_CHECK(count == path_of(tree.hashes, leaves, index, expected));
    FUZZ_CHECK(memcmp(proof, expected, count * sizeof(*proof)) == 0);
    memcpy(before, proof, sizeof(before));
    (void)alter(input, proof, count * sizeof(*proof));
    bool is_same = memcmp(before, proof, count * sizeof(*proof)) == 0;
    FUZZ_CHECK(merkle_verify(&tree.hashes[index], index, leaves, proof, count, &root) ==
               (is_same ? STATUS_OK : STATUS_MISMATCH));
    /* Another place in this tree, or another number of hashes. A size that is not the tree's may
     * lead to the same root, for another place, too: trees of different sizes have paths in common.
     */
    uint64_t other_index = fuzz_uint(input, 8);
    size_t other_count = fuzz_byte(input) % (MERKLE_PROOF_MAX + 1);
    uint64_t sizes[] = {leaves, fuzz_uint(input, 8)};
    for (size_t i = 0; i < 2; i++) {
        enum status status =
            merkle_verify(&tree.hashes[index], other_index, sizes[i], proof, other_count, &root);
        bool may_be_right = is_same && other_count == count && (other_index == index || i == 1);
        FUZZ_CHECK(status == STATUS_INVALID || status == STATUS_MISMATCH ||
                   (status == STATUS_OK && may_be_right));
    }
    merkle_fini(&tree);
}

/* Each line of the file is one that it may have. */
static void check_evidence(const struct seal_claim *claim)
{
    struct buffer file = {0};
    size_t lines = 0;

    if (seal_evidence_put(claim, &file) == STATUS_OK) {
        for (size_t i = 0; i < file.size - claim->note.size; i++)
            lines += file.data[i] == '\n';
        FUZZ_CHECK(lines == 5 + claim->proof_count);
        FUZZ_CHECK(
            is_same(claim->note, file.data + file.size - claim->note.size, claim->note.size));
        FUZZ_CHECK(seal_evidence_put_result(claim->note, &file) == STATUS_OK);
    }
    buffer_fini(&file);
}

/* A good seal, of which the input alters numbers and texts. */
static void check_seal(struct fuzz_input *input)
{
    struct seal_claim *claim = &fixture->claim;
    struct errbuf err;

    seal_fixture_be(fixture, fuzz_byte(input) % SEAL_FIXTURE_AGENCIES + 1);
    struct seal_claim good = *claim;
    uint8_t which = fuzz_byte(input);
    if ((which & 1) != 0)
        claim->index = fuzz_uint(input, 8);
    if ((which & 2) != 0)
        claim->proof_count = fuzz_byte(input) % (MERKLE_PROOF_MAX + 1);
    struct text texts[] = {claim->draw, claim->digest, claim->nonce, claim->note};
    for (size_t i = 0; i < 4; i++) {
        texts[i] =
            (which & 4U << i) != 0
                ? fuzz_text(input, 255, false)
                : rest_of(&(struct fuzz_input){(const uint8_t *)texts[i].data, texts[i].size});
    }
    claim->draw = texts[0];
    claim->digest = texts[1];
    claim->nonce = texts[2];
    claim->note = texts[3];
    for (size_t i = good.proof_count; i < claim->proof_count; i++)
        fixture->proof_texts[i] = fixture->proof_texts[0];
    (void)alter(input, fixture->proof, good.proof_count * SHA256_SIZE);
    if (seal_check(claim, &fixture->own, NULL, &err) == SEAL_GOOD) {
        struct merkle_hash proof[MERKLE_PROOF_MAX];
        FUZZ_CHECK(claim->index == good.index && claim->proof_count == good.proof_count);
        FUZZ_CHECK(fuzz_text_equals(claim->draw, good.draw));
        FUZZ_CHECK(fuzz_text_equals(claim->digest, good.digest));
        FUZZ_CHECK(fuzz_text_equals(claim->nonce, good.nonce));
        size_t count = merkle_prove(&fixture->tree, claim->agency, proof);
        FUZZ_CHECK(memcmp(proof, fixture->proof, count * sizeof(*proof)) == 0);
    }
    check_evidence(claim);
    for (size_t i = 0; i < 4; i++)
        fuzz_text_free(texts[i]);
}

/* The good result, for a claim from the input, and the input as the note. */
static void check_result(struct fuzz_input *input)
{
    struct result_claim claim = fixture->result_claim;
    struct seal_note seal;
    struct errbuf err;

    seal_fixture_be(fixture, 1);
    FUZZ_CHECK(seal_check(&fixture->claim, &fixture->own, &seal, &err) == SEAL_GOOD);
    claim.number ^= (uint32_t)fuzz_uint(input, 4);
    claim.time_s ^= fuzz_uint(input, 8);
    bool is_other =
        claim.number != fixture->result_note.number || claim.time_s != fixture->result_note.time_s;
    enum seal_verdict verdict = seal_check_result(&claim, &seal, &fixture->public_key, NULL, &err);
    FUZZ_CHECK((verdict == SEAL_GOOD) == !is_other);
    claim.note = rest_of(input);
    verdict = seal_check_result(&claim, &seal, &fixture->public_key, NULL, &err);
    FUZZ_CHECK(verdict != SEAL_GOOD || !is_other);
    fuzz_text_free(claim.note);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    void *state = NULL;

    (void)argc;
    (void)argv;
    FUZZ_CHECK(seal_fixture_begin(&state) == 0);
    fixture = state;
    tmpdir_remove(fixture->folder); /* only the key's file was in it */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint8_t kind = fuzz_byte(&input) % 7;

    if (kind == 0) {
        check_tree(&input);
    } else if (kind == 1) {
        check_seal(&input);
    } else if (kind == 2) {
        check_result(&input);
    } else {
        struct text text = rest_of(&input);
        if (kind == 3)
            check_note(text);
        else if (kind == 4)
            check_vkey(text);
        else if (kind == 5)
            check_texts(text);
        else
            check_encodings(text);
        fuzz_text_free(text);
    }
    return 0;
}
