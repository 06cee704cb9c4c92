#include "seal_check.h"

#include "hex.h"
#include "merkle.h"
#include "seal_leaf.h"
#include "signed_note.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const char *const verdict_texts[SEAL_VERDICT_COUNT] = {
#define XX(name, text) text,
    SEAL_VERDICT_MAP(XX)
#undef XX
};

const char *seal_verdict_text(enum seal_verdict verdict)
{
    return (unsigned)verdict < SEAL_VERDICT_COUNT ? verdict_texts[verdict] : "?";
}

/* Sets *err to the verdict's text alone. */
static enum seal_verdict seal_say(enum seal_verdict verdict, struct errbuf *err)
{
    errbuf_set(err, "%s", seal_verdict_text(verdict));
    return verdict;
}

/* The same with two numbers. */
static enum seal_verdict seal_say_numbers(enum seal_verdict verdict, uint64_t here, uint64_t there,
                                          struct errbuf *err)
{
    errbuf_set(err, "%s: here %" PRIu64 ", in the seal %" PRIu64, seal_verdict_text(verdict), here,
               there);
    return verdict;
}

static bool seal_is_same(struct text text, const void *bytes, size_t size)
{
    return text.size == size && (size == 0 || memcmp(text.data, bytes, size) == 0);
}

static enum seal_verdict seal_check_digest(const struct seal_claim *claim,
                                           const struct seal_own *own, struct errbuf *err)
{
    char here[2 * SHA256_SIZE + 1];
    char there[2 * SHA256_SIZE + 1];

    if (claim->digest.size != SHA256_SIZE)
        return seal_say(SEAL_BAD_FIELD, err);
    if (seal_is_same(claim->digest, own->digest, SHA256_SIZE))
        return SEAL_GOOD;
    *hex_encode(own->digest, SHA256_SIZE, here) = '\0';
    *hex_encode((const uint8_t *)claim->digest.data, SHA256_SIZE, there) = '\0';
    errbuf_set(err, "%s: here %s, in the seal %s", seal_verdict_text(SEAL_OTHER_DIGEST), here,
               there);
    return SEAL_OTHER_DIGEST;
}

/* What the agency can compare with what it knows, without the note. */
static enum seal_verdict seal_check_fields(const struct seal_claim *claim,
                                           const struct seal_own *own, struct errbuf *err)
{
    if (claim->agency != own->agency)
        return seal_say_numbers(SEAL_OTHER_AGENCY, own->agency, claim->agency, err);
    if (!seal_is_same(claim->draw, own->draw, strlen(own->draw)))
        return seal_say(SEAL_OTHER_DRAW, err);
    if (claim->total != own->total)
        return seal_say_numbers(SEAL_OTHER_COUNT, own->total, claim->total, err);
    enum seal_verdict verdict = seal_check_digest(claim, own, err);
    if (verdict != SEAL_GOOD)
        return verdict;
    bool is_good = claim->nonce.size == SEAL_NONCE_SIZE && claim->proof_count <= MERKLE_PROOF_MAX;
    for (size_t i = 0; is_good && i < claim->proof_count; i++)
        is_good = claim->proof[i].size == SHA256_SIZE;
    return is_good ? SEAL_GOOD : seal_say(SEAL_BAD_FIELD, err);
}

/* Parses a note and verifies its signature if there is a key: the three verdicts are for a
 * malformed one, one by other keys, and a wrong signature. */
static enum seal_verdict seal_check_note(struct text note, const struct note_key *key,
                                         const enum seal_verdict verdicts[3],
                                         struct signed_note *out, struct errbuf *err)
{
    struct errbuf why;
    enum seal_verdict verdict = SEAL_NO_MEMORY;

    if (signed_note_parse(note, out, &why) != STATUS_OK) {
        errbuf_set(err, "%s: %s", seal_verdict_text(verdicts[0]), why.text);
        return verdicts[0];
    }
    if (key == NULL)
        return SEAL_GOOD;
    enum status status = signed_note_verify(out, key, NULL);
    if (status == STATUS_OK)
        return SEAL_GOOD;
    if (status == STATUS_NOTFOUND)
        verdict = verdicts[1];
    else if (status == STATUS_MISMATCH)
        verdict = verdicts[2];
    return seal_say(verdict, err);
}

/* Is the agency's leaf in the tree? Its parts are known to have the right sizes. */
static enum seal_verdict seal_check_proof(const struct seal_claim *claim,
                                          const struct seal_note *note, struct errbuf *err)
{
    struct seal_agency agency = {.agency = claim->agency, .bets = claim->total};
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    struct merkle_hash hash;
    char leaf[SEAL_LEAF_MAX];

    memcpy(agency.digest, claim->digest.data, sizeof(agency.digest));
    memcpy(agency.nonce, claim->nonce.data, sizeof(agency.nonce));
    for (size_t i = 0; i < claim->proof_count; i++)
        memcpy(proof[i].bytes, claim->proof[i].data, sizeof(proof[i].bytes));
    size_t size = seal_leaf_put_agency(&agency, leaf);
    enum status status = merkle_leaf_hash((struct text){leaf, size}, &hash);
    if (status == STATUS_OK)
        status = merkle_verify(&hash, claim->index, note->leaves, proof, claim->proof_count,
                               &note->root);
    if (status == STATUS_OK)
        return SEAL_GOOD;
    return seal_say(status == STATUS_NOMEM ? SEAL_NO_MEMORY : SEAL_BAD_PROOF, err);
}

enum seal_verdict seal_check(const struct seal_claim *claim, const struct seal_own *own,
                             struct seal_note *out, struct errbuf *err)
{
    static const enum seal_verdict verdicts[] = {SEAL_BAD_NOTE, SEAL_OTHER_KEY, SEAL_BAD_SIGNATURE};
    struct signed_note note;
    struct seal_note seal;
    enum seal_verdict verdict = seal_check_fields(claim, own, err);

    if (verdict == SEAL_GOOD)
        verdict = seal_check_note(claim->note, own->key, verdicts, &note, err);
    if (verdict != SEAL_GOOD)
        return verdict;
    if (seal_note_read(note.text, &seal) != STATUS_OK)
        return seal_say(SEAL_BAD_NOTE, err);
    if (strcmp(seal.id, own->draw) != 0)
        return seal_say(SEAL_OTHER_DRAW, err);
    if (claim->index != own->agency)
        return seal_say_numbers(SEAL_OTHER_INDEX, own->agency, claim->index, err);
    verdict = seal_check_proof(claim, &seal, err);
    if (verdict == SEAL_GOOD && out != NULL)
        *out = seal;
    return verdict;
}

/* Is what the note says what the message says, for this seal? */
static enum seal_verdict seal_compare_result(const struct result_claim *claim,
                                             const struct seal_note *seal,
                                             const struct result_note *note, struct errbuf *err)
{
    struct text source = claim->source;

    if (strcmp(note->id, seal->id) != 0)
        return seal_say(SEAL_RESULT_OTHER_DRAW, err);
    if (memcmp(note->root.bytes, seal->root.bytes, sizeof(seal->root.bytes)) != 0)
        return seal_say(SEAL_RESULT_OTHER_ROOT, err);
    if (note->number != claim->number) {
        errbuf_set(err, "%s: %" PRIu32 " instead of %" PRIu32,
                   seal_verdict_text(SEAL_RESULT_OTHER_NUMBER), note->number, claim->number);
        return SEAL_RESULT_OTHER_NUMBER;
    }
    if (source.size == 1 && source.data[0] == '-') /* as the note cannot tell it from none */
        source.size = 0;
    if (note->time_s != claim->time_s ||
        !seal_is_same(source, note->source.data, note->source.size))
        return seal_say(SEAL_RESULT_OTHER_TEXT, err);
    return SEAL_GOOD;
}

enum seal_verdict seal_check_result(const struct result_claim *claim, const struct seal_note *seal,
                                    const struct note_key *key, struct result_note *out,
                                    struct errbuf *err)
{
    static const enum seal_verdict verdicts[] = {SEAL_RESULT_BAD_NOTE, SEAL_RESULT_OTHER_KEY,
                                                 SEAL_RESULT_BAD_SIGNATURE};
    struct signed_note note;
    struct result_note result;
    enum seal_verdict verdict = seal_check_note(claim->note, key, verdicts, &note, err);

    if (verdict != SEAL_GOOD)
        return verdict;
    if (result_note_read(note.text, &result) != STATUS_OK)
        return seal_say(SEAL_RESULT_BAD_NOTE, err);
    verdict = seal_compare_result(claim, seal, &result, err);
    if (verdict == SEAL_GOOD && out != NULL)
        *out = result;
    return verdict;
}
