#include "sim_content.h"

#include "bets_checksum.h"
#include "crc32c.h"
#include "sim_bets.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_world.h"

#define WRONG_MAX 4 /* how far a wrong checksum is from the right one */

/* The checksums of one agency in this history. */
struct sums {
    uint64_t seed; /* of the history; +1 */
    uint32_t base; /* bets before `of` begins */
    uint32_t count;
    uint32_t of[SIM_BETS_MAX + 1]; /* [n]: of base + n bets; the first `count` are known */
};

static uint32_t add_bet(uint32_t sum, uint32_t agency, uint32_t index)
{
    uint32_t size;
    const char *line = sim_bet_line(agency, index, &size);

    return crc32c(sum, line, size);
}

static uint32_t sum_from_start(uint32_t agency, uint32_t count)
{
    uint32_t sum = 0;

    for (uint32_t i = 0; i < count; i++)
        sum = add_bet(sum, agency, i);
    return sum;
}

static uint32_t sum_of(const struct sim_agency *agency, uint32_t count)
{
    static struct sums all[SIM_AGENCIES_MAX + 1];
    struct sums *sums = &all[agency->id];

    if (count < agency->base)
        return sum_from_start(agency->id, count);
    if (sums->seed != sim_world.seed + 1 || sums->base != agency->base) {
        sums->seed = sim_world.seed + 1;
        sums->base = agency->base;
        sums->of[0] = sum_from_start(agency->id, agency->base);
        sums->count = 1;
    }
    for (; sums->count <= count - agency->base; sums->count++)
        sums->of[sums->count] =
            add_bet(sums->of[sums->count - 1], agency->id, agency->base + sums->count - 1);
    return sums->of[count - agency->base];
}

ProtobufCBinaryData sim_content_say(const struct sim_agency *agency, uint64_t count, uint8_t *bytes,
                                    struct sim_sent *sent)
{
    struct prng *prng = &sim_world.prng;

    if (count > agency->bets || sim_chance(prng, 500))
        return (ProtobufCBinaryData){0, NULL};
    sent->says_content = true;
    sent->is_content_wrong = sim_chance(prng, sim_world.odd);
    uint32_t sum = sum_of(agency, (uint32_t)count);
    if (sent->is_content_wrong)
        sum += sim_between(prng, 1, WRONG_MAX);
    little_put32(bytes, sum);
    return (ProtobufCBinaryData){BETS_CHECKSUM_SIZE, bytes};
}

/* Had the server to compare, if this many bets count? */
static bool was_comparable(const struct sim_sent *sent, uint64_t received)
{
    return sent->is_finished ? received == sent->total
                             : sent->offset <= received && received <= sent->offset + sent->count;
}

void sim_content_check(const struct sim_agency *agency, const struct sim_sent *sent,
                       const Lottery__V1__Ack *ack)
{
    bool is_told = ack->checksum.len == BETS_CHECKSUM_SIZE;

    if (is_told != sent->says_content || (!is_told && (ack->checksum.len > 0 || ack->stored > 0)))
        sim_fail("agency %u is told about its bets without asking, or not told", agency->id);
    if (is_told && ack->code != LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY &&
        little_get32(ack->checksum.data) != sum_of(agency, (uint32_t)ack->received))
        sim_fail("agency %u: its first %u bets are other ones", agency->id,
                 (unsigned)ack->received);
    if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_CONTENT_MISMATCH && !sent->is_content_wrong)
        sim_fail("agency %u said the truth, and is not believed", agency->id);
    if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK && sent->is_content_wrong &&
        was_comparable(sent, ack->received - ack->stored))
        sim_fail("agency %u said what is not so, and is believed", agency->id);
}
