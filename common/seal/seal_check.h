/* seal_check.h - what an agency checks before it believes a seal, and after the draw a result.
 *
 * Everything that the central says may be a lie; the agency has its own bets, and perhaps the key
 * of who signs. Pure; takes some 200 microseconds.
 */
#ifndef LOTTERY_SEAL_CHECK_H
#define LOTTERY_SEAL_CHECK_H

#include "errbuf.h"
#include "note_key.h"
#include "seal_note.h"
#include "sha256.h"
#include "text.h"

#include <stddef.h>
#include <stdint.h>

/* What the message Seal says. All texts are borrowed, and of any size and content. */
struct seal_claim {
    uint32_t agency;
    struct text draw; /* the draw's id; empty: none */
    uint64_t total;
    struct text digest;
    struct text nonce;
    uint64_t index;
    const struct text *proof; /* borrowed */
    size_t proof_count;
    struct text note;
};

/* What the agency knows. */
struct seal_own {
    uint32_t agency;
    const char *draw;            /* the draw's id; empty: none */
    uint64_t total;              /* its bets that the central has acknowledged */
    uint8_t digest[SHA256_SIZE]; /* of their lines of bets.csv */
    const struct note_key *key;  /* borrowed; NULL: signatures are not checked */
};

/* What the message Winners says about the draw. */
struct result_claim {
    uint32_t number;
    struct text source;
    uint64_t time_s;
    struct text note;
};

/* XX(NAME, text): what is wrong. The first one is that nothing is. */
#define SEAL_VERDICT_MAP(XX)                                                                       \
    XX(GOOD, "ok")                                                                                 \
    XX(OTHER_AGENCY, "the seal is for another agency")                                             \
    XX(OTHER_DRAW, "the seal is of another draw")                                                  \
    XX(OTHER_COUNT, "the number of bets differs")                                                  \
    XX(OTHER_DIGEST, "the digest of the bets differs")                                             \
    XX(BAD_FIELD, "a field of the seal is malformed")                                              \
    XX(BAD_NOTE, "the seal's note is malformed")                                                   \
    XX(OTHER_KEY, "the seal's note is not signed by the key in seal.key")                          \
    XX(BAD_SIGNATURE, "the signature of the seal's note is wrong")                                 \
    XX(OTHER_INDEX, "the seal has the agency at another place")                                    \
    XX(BAD_PROOF, "the proof does not lead to the seal's root")                                    \
    XX(RESULT_BAD_NOTE, "the result's note is malformed")                                          \
    XX(RESULT_OTHER_KEY, "the result's note is not signed by the key in seal.key")                 \
    XX(RESULT_BAD_SIGNATURE, "the signature of the result's note is wrong")                        \
    XX(RESULT_OTHER_DRAW, "the result is of another draw")                                         \
    XX(RESULT_OTHER_ROOT, "the result is for another seal")                                        \
    XX(RESULT_OTHER_NUMBER, "the result's note has another winning number")                        \
    XX(RESULT_OTHER_TEXT, "the result's note has another source or time")                          \
    XX(NO_MEMORY, "out of memory, so nothing was checked")

enum seal_verdict {
#define XX(name, text) SEAL_##name,
    SEAL_VERDICT_MAP(XX)
#undef XX
        SEAL_VERDICT_COUNT /* how many there are; not a verdict */
};

/* The text of a verdict; "?" when it is not one. Static, never NULL. */
const char *seal_verdict_text(enum seal_verdict verdict);

/* Checks a seal: agency, draw, number and digest of the bets, the note and its signature (if there
 * is a key), that the note is the draw's, and that the agency's leaf, with this number, digest and
 * nonce, is in its tree at the agency's place. Returns the first thing that is wrong, with more
 * about it in *err: the text of the verdict and, where there are any, both values.
 *
 * With SEAL_GOOD, *out is what the note says, for seal_check_result() later; otherwise it is
 * unchanged. `out` may be NULL. */
enum seal_verdict seal_check(const struct seal_claim *claim, const struct seal_own *own,
                             struct seal_note *out, struct errbuf *err);

/* Checks the result of the draw with this seal: the note and its signature (if `key` is not NULL),
 * that it is about the same draw and the same root, and says the same number, source and time as
 * the message. Returns as above. *out is what the note says, borrowing from it; it may be NULL. */
enum seal_verdict seal_check_result(const struct result_claim *claim, const struct seal_note *seal,
                                    const struct note_key *key, struct result_note *out,
                                    struct errbuf *err);

#endif
