/* seal_fixture.h - a sealed draw with fixed bets, salt and key, for tests of seals.
 *
 * It is the example in docs/protocol.md.
 */
#ifndef LOTTERY_SEAL_FIXTURE_H
#define LOTTERY_SEAL_FIXTURE_H

#include "buffer.h"
#include "merkle.h"
#include "note_key.h"
#include "seal_check.h"
#include "seal_key.h"
#include "seal_leaf.h"

#define SEAL_FIXTURE_AGENCIES 3
#define SEAL_FIXTURE_LEAVES (SEAL_FIXTURE_AGENCIES + 1)

/* The private key in PEM, its verifier key, and the draw's id. */
extern const char seal_fixture_pem[];
extern const char seal_fixture_vkey[];
extern const char seal_fixture_id[];

/* The lines of bets.csv of agency 1..SEAL_FIXTURE_AGENCIES, and the whole file. */
extern const char *const seal_fixture_lines[SEAL_FIXTURE_LEAVES];
extern const char seal_fixture_bets[];

/* winners.csv. */
extern const char seal_fixture_winners[];

struct seal_fixture {
    char *folder;                                     /* with the key's file */
    struct seal_key *key;                             /* loaded from it */
    char leaves[SEAL_FIXTURE_LEAVES][SEAL_LEAF_MAX];  /* strings */
    struct seal_agency agencies[SEAL_FIXTURE_LEAVES]; /* [0] is unused */
    struct merkle tree;                               /* finished */
    struct buffer seal;                               /* seal.txt */
    struct buffer result;                             /* result.txt */
    struct result_note result_note;                   /* what result.txt says */
    struct merkle_hash proof[MERKLE_PROOF_MAX];       /* of the claim's agency */
    struct text proof_texts[MERKLE_PROOF_MAX];
    struct seal_claim claim; /* what the central tells an agency: agency 3 at first */
    struct seal_own own;     /* what that agency knows; with the key */
    struct note_key public_key;
    struct result_claim result_claim; /* what it tells with the winners */
};

/* A test's setup and teardown, with the fixture as its state. Both end the test when they cannot.
 */
int seal_fixture_begin(void **state);
int seal_fixture_end(void **state);

/* Makes claim and own those of this agency, as they should be. */
void seal_fixture_be(struct seal_fixture *f, uint32_t agency);

#endif
