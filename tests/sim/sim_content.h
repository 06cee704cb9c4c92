/* sim_content.h - the checksums of the model agencies' bets, and what may be answered about them.
 */
#ifndef LOTTERY_SIM_CONTENT_H
#define LOTTERY_SIM_CONTENT_H

#include "lottery.pb-c.h"
#include "sim_agency.h"

/* Fills in the checksum of a message, or nothing, or now and then a wrong one: of the agency's
 * first `count` bets. `bytes` has four bytes. Notes in *sent which of them. */
ProtobufCBinaryData sim_content_say(const struct sim_agency *agency, uint64_t count, uint8_t *bytes,
                                    struct sim_sent *sent);

/* Checks what an Ack says of the agency's bets, and a refusal, or none, of what the message said.
 */
void sim_content_check(const struct sim_agency *agency, const struct sim_sent *sent,
                       const Lottery__V1__Ack *ack);

#endif
