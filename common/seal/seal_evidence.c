#include "seal_evidence.h"

#include "draw_id.h"
#include "hex.h"
#include "seal_leaf.h"
#include "signed_note.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes that suffice for all but the proof and the note. */
#define SEAL_EVIDENCE_HEAD_MAX (64 + DRAW_ID_MAX + SEAL_LEAF_MAX + 64)
#define PROOF_LINE_SIZE (6 + 2 * SHA256_SIZE + 1) /* "proof ", digits, line feed */

/* Can the file say all this? */
static bool seal_evidence_fits(const struct seal_claim *claim)
{
    struct signed_note note;

    if ((claim->draw.size > 0 && !draw_id_is_valid(claim->draw)) ||
        claim->digest.size != SHA256_SIZE || claim->nonce.size != SEAL_NONCE_SIZE ||
        claim->proof_count > MERKLE_PROOF_MAX)
        return false;
    for (size_t i = 0; i < claim->proof_count; i++) {
        if (claim->proof[i].size != SHA256_SIZE)
            return false;
    }
    return signed_note_parse(claim->note, &note, NULL) == STATUS_OK;
}

/* Writes the lines up to `index`; returns their size. */
static size_t seal_evidence_put_head(const struct seal_claim *claim,
                                     char out[SEAL_EVIDENCE_HEAD_MAX])
{
    struct seal_agency agency = {.agency = claim->agency, .bets = claim->total};
    char leaf[SEAL_LEAF_MAX];
    struct text id = claim->draw.size > 0 ? claim->draw : text_of("-");

    memcpy(agency.digest, claim->digest.data, sizeof(agency.digest));
    memcpy(agency.nonce, claim->nonce.data, sizeof(agency.nonce));
    int leaf_size = (int)seal_leaf_put_agency(&agency, leaf);
    int size = snprintf(out, SEAL_EVIDENCE_HEAD_MAX,
                        "lottery-seal-evidence 1\ndraw %.*s\n%.*s\nindex %" PRIu64 "\n",
                        (int)id.size, id.data, leaf_size, leaf, claim->index);
    return (size_t)size;
}

/* Appends where room has been made. */
static void seal_evidence_append(struct buffer *out, const char *bytes, size_t size)
{
    memcpy(out->data + out->size, bytes, size);
    out->size += size;
}

enum status seal_evidence_put(const struct seal_claim *claim, struct buffer *out)
{
    char head[SEAL_EVIDENCE_HEAD_MAX];
    char line[PROOF_LINE_SIZE] = "proof ";

    if (!seal_evidence_fits(claim))
        return STATUS_MALFORMED;
    size_t head_size = seal_evidence_put_head(claim, head);
    enum status status = buffer_reserve(out, head_size + claim->proof_count * PROOF_LINE_SIZE +
                                                 strlen("note\n") + claim->note.size);
    if (status != STATUS_OK)
        return status;
    seal_evidence_append(out, head, head_size);
    for (size_t i = 0; i < claim->proof_count; i++) {
        *hex_encode((const uint8_t *)claim->proof[i].data, SHA256_SIZE, line + 6) = '\n';
        seal_evidence_append(out, line, sizeof(line));
    }
    seal_evidence_append(out, "note\n", strlen("note\n"));
    seal_evidence_append(out, claim->note.data, claim->note.size);
    return STATUS_OK;
}

enum status seal_evidence_put_result(struct text note, struct buffer *out)
{
    struct signed_note parsed;

    if (signed_note_parse(note, &parsed, NULL) != STATUS_OK)
        return STATUS_MALFORMED;
    enum status status = buffer_reserve(out, strlen("result\n") + note.size);
    if (status != STATUS_OK)
        return status;
    seal_evidence_append(out, "result\n", strlen("result\n"));
    seal_evidence_append(out, note.data, note.size);
    return STATUS_OK;
}
