/* seal_evidence.h - the file in which an agency keeps what the central has told it about the seal.
 *
 *     lottery-seal-evidence 1
 *     draw <id>
 *     agency <a> <bets> <digest> <nonce>
 *     index <i>
 *     proof <64 hex digits>           a line for each hash of the proof, the lowest first
 *     note
 *     (seal.txt, byte for byte)
 *     result                          only once there is a number
 *     (result.txt, byte for byte)
 *
 * Each line ends with a line feed. The line `agency` is the agency's leaf (seal_leaf.h). It is
 * evidence also if the check has failed: then against who signed it.
 */
#ifndef LOTTERY_SEAL_EVIDENCE_H
#define LOTTERY_SEAL_EVIDENCE_H

#include "buffer.h"
#include "seal_check.h"
#include "status.h"
#include "text.h"

/* Appends the file, up to the end of seal.txt. MALFORMED: a field has a size or form that the file
 * has no way to write, or the note is none; then, and with NOMEM, the buffer is as before. */
enum status seal_evidence_put(const struct seal_claim *claim, struct buffer *out);

/* Appends `result` and result.txt. MALFORMED, NOMEM: as above. */
enum status seal_evidence_put_result(struct text note, struct buffer *out);

#endif
