/* Sending seals.
 *
 * Happy path: a session that wants a Seal waits in service.unsealed. When the draw is sealed, its
 * files are read, the Seal is sent, and the session waits for the winners with the others. Who
 * comes later gets it at once.
 *
 * Failure modes: the files cannot be read: these sessions wait, also when there are winners
 * already, and the worker tries again. Those that want no seal do not wait for it.
 */
#include "seal_sender.h"

#include "assertion.h"
#include "draw_seal.h"
#include "log.h"
#include "log_limit.h"
#include "merkle.h"
#include "past_draws.h"
#include "seal_leaf.h"
#include "service_internal.h"
#include "session.h"
#include "session_files.h"
#include "wire.h"

bool seal_may_be_asked_for(const struct session *session)
{
    return session->past != NULL ? session->past->draw.is_sealed
                                 : ledger_news(session->service->config.ledger)->terms.has_seal;
}

/* Sends what the seal says of the session's agency. */
static void seal_send_of(struct session *session, const struct draw_seal *seal)
{
    const struct seal_agency *leaf = draw_seal_leaf(seal, session->agency);
    struct merkle_hash proof[MERKLE_PROOF_MAX];
    ProtobufCBinaryData hashes[MERKLE_PROOF_MAX];
    uint8_t frame[FRAME_MAX_SIZE];
    Lottery__V1__Seal message;

    /* Packing changes nothing of what the message points to. */
    lottery__v1__seal__init(&message);
    message.agency_id = session->agency;
    message.draw = (char *)(uintptr_t)session->draw_id;
    message.total = leaf->bets;
    message.digest = (ProtobufCBinaryData){SHA256_SIZE, (uint8_t *)(uintptr_t)leaf->digest};
    message.nonce = (ProtobufCBinaryData){SEAL_NONCE_SIZE, (uint8_t *)(uintptr_t)leaf->nonce};
    message.index = session->agency;
    message.n_proof = draw_seal_prove(seal, session->agency, proof);
    for (size_t i = 0; i < message.n_proof; i++)
        hashes[i] = (ProtobufCBinaryData){sizeof(proof[i].bytes), proof[i].bytes};
    message.proof = hashes;
    message.note = (char *)(uintptr_t)draw_seal_note(seal);
    /* By `&message.base`, cppcheck would take its other fields for unused. */
    size_t size =
        wire_pack(LOTTERY__V1__OPCODE__OPCODE_SEAL, (const ProtobufCMessage *)&message, frame);
    ASSERT(size > 0); /* note and proof are short */
    scoreboard_count(session->service->config.row, SCOREBOARD_SEALS, 1);
    session->events->send(session->owner, frame, size);
}

bool seal_send(struct session *session)
{
    const struct draw_seal *seal = session_files(session)->seal;

    if (!session->wants_seal)
        return true;
    if (seal == NULL)
        return false;
    session->wants_seal = false;
    seal_send_of(session, seal);
    LOG_LIMITED(FINISHED_BURST, DEBUG, "cierre_enviado", SUCCESS,
                LOG_UINT("agencia", session->agency));
    return true;
}
