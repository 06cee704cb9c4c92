/* The fast path for NewBets: protobuf-c also accepts every message that the fast path accepts, and
 * reads the same bets; when protobuf-c packs them again, the fast path accepts the result. */
#include "bet_codec.h"
#include "fuzz.h"
#include "lottery.pb-c.h"

#define BODY_MAX 8187

/* protobuf-c's copy may have more after a NUL byte, and has its own NUL at the end. */
static bool is_same(struct text ours, const char *theirs)
{
    return memcmp(ours.data, theirs, ours.size) == 0 && theirs[ours.size] == '\0';
}

static void check_bet(const struct bet *ours, const Lottery__V1__Bet *theirs)
{
    FUZZ_CHECK(is_same(ours->first_name, theirs->first_name));
    FUZZ_CHECK(is_same(ours->last_name, theirs->last_name));
    FUZZ_CHECK(is_same(ours->document, theirs->document));
    FUZZ_CHECK(is_same(ours->birthdate, theirs->birthdate));
    FUZZ_CHECK(ours->number == theirs->number);
}

/* Does the fast path accept the body? If so, it must read the same as `message`. */
static bool reads(const uint8_t *body, size_t size, const Lottery__V1__NewBets *message)
{
    static struct bet bets[BODY_MAX / 2];
    struct new_bets head;

    if (!new_bets_decode(body, size, &head, bets))
        return false;
    FUZZ_CHECK(message != NULL);
    FUZZ_CHECK(head.agency == message->agency_id && head.offset == message->offset);
    FUZZ_CHECK(head.count == message->n_bets);
    FUZZ_CHECK(message->checksum.len == (head.checksum.is_given ? BETS_CHECKSUM_SIZE : 0));
    if (head.checksum.is_given)
        FUZZ_CHECK(head.checksum.value == little_get32(message->checksum.data));
    FUZZ_CHECK(head.draw.size > 0 ? is_same(head.draw, message->draw) : message->draw[0] == '\0');
    for (size_t i = 0; i < head.count; i++)
        check_bet(&bets[i], message->bets[i]);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t packed[BODY_MAX];

    if (size > BODY_MAX)
        return 0;
    Lottery__V1__NewBets *message = lottery__v1__new_bets__unpack(NULL, size, data);
    (void)reads(data, size, message);
    if (message == NULL)
        return 0;
    /* protobuf-c packs unknown fields again and ends texts at their first NUL: the fast path may
     * refuse. */
    size_t packed_size = lottery__v1__new_bets__get_packed_size(message);
    if (packed_size <= BODY_MAX && message->base.n_unknown_fields == 0) {
        (void)lottery__v1__new_bets__pack(message, packed);
        Lottery__V1__NewBets *again = lottery__v1__new_bets__unpack(NULL, packed_size, packed);
        /* The fast path leaves numbers and ids that nobody can have to protobuf-c. */
        bool is_plain = message->offset <= INT64_MAX && strlen(message->draw) < 0x80 &&
                        (message->checksum.len == 0 || message->checksum.len == BETS_CHECKSUM_SIZE);
        for (size_t i = 0; i < message->n_bets; i++)
            is_plain = is_plain && message->bets[i]->base.n_unknown_fields == 0;
        FUZZ_CHECK(reads(packed, packed_size, again) || !is_plain);
        lottery__v1__new_bets__free_unpacked(again, NULL);
    }
    lottery__v1__new_bets__free_unpacked(message, NULL);
    return 0;
}
