/* An agency's batch, which is encoded by hand, has the bytes that protobuf-c would write; and the
 * detail of an Ack is cut between characters. */
#include "batch.h"
#include "fuzz.h"
#include "utf8.h"
#include "wire.h"

#define BETS_MAX 1024 /* more than fit into a frame */

static struct bet bets[BETS_MAX];

/* The longest id of a draw; a part of it, from somewhere to its end, is another. */
static const char draw_text[] = "2026-11-25_a_draw_whose_id_has_as_many_characters_as_any_may_ha1";

static size_t take_bets(struct fuzz_input *input)
{
    size_t count = 0;

    while (count < BETS_MAX && input->size > 0) {
        struct bet *bet = &bets[count];
        uint8_t kind = fuzz_byte(input);
        if (kind < 64 && count > 0) { /* repeats the last bet, to fill a frame from little input */
            size_t copies = (size_t)kind + 1;
            for (; copies > 0 && count < BETS_MAX; copies--, count++)
                bets[count] = bets[count - 1];
            continue;
        }
        bet->first_name = fuzz_text(input, BET_NAME_MAX, true);
        bet->last_name = fuzz_text(input, BET_NAME_MAX, true);
        bet->document = text_of("30904465");
        bet->birthdate = text_of("1999-03-17");
        bet->number = (uint32_t)fuzz_uint(input, 2);
        if (bet_check(bet, FUZZ_TODAY) == BET_FAULT_NONE) {
            count++;
        } else {
            fuzz_text_free(bet->first_name);
            fuzz_text_free(bet->last_name);
        }
    }
    return count;
}

static void free_bets(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && bets[i].first_name.data == bets[i - 1].first_name.data)
            continue;
        fuzz_text_free(bets[i].first_name);
        fuzz_text_free(bets[i].last_name);
    }
}

static char *string_of(struct text text)
{
    return (char *)(uintptr_t)text.data;
}

/* Packs the first `count` bets as one NewBets; 0 when that does not fit into a frame. */
static size_t pack(uint32_t agency, uint64_t offset, const struct bets_checksum *checksum,
                   struct text draw, size_t count, uint8_t out[FRAME_MAX_SIZE])
{
    static Lottery__V1__Bet messages[BETS_MAX];
    static Lottery__V1__Bet *pointers[BETS_MAX];
    Lottery__V1__NewBets new_bets;

    lottery__v1__new_bets__init(&new_bets);
    new_bets.agency_id = agency;
    new_bets.offset = offset;
    new_bets.n_bets = count;
    new_bets.bets = pointers;
    new_bets.draw = string_of(draw);
    uint8_t bytes[BETS_CHECKSUM_SIZE];
    little_put32(bytes, checksum->value);
    if (checksum->is_given)
        new_bets.checksum = (ProtobufCBinaryData){sizeof(bytes), bytes};
    for (size_t i = 0; i < count; i++) {
        lottery__v1__bet__init(&messages[i]);
        messages[i].first_name = string_of(bets[i].first_name);
        messages[i].last_name = string_of(bets[i].last_name);
        messages[i].document = string_of(bets[i].document);
        messages[i].birthdate = string_of(bets[i].birthdate);
        messages[i].number = bets[i].number;
        pointers[i] = &messages[i];
    }
    return wire_pack(LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &new_bets.base, out);
}

static void check_batch(struct fuzz_input *input)
{
    static struct batch batch;
    static uint8_t wanted[FRAME_MAX_SIZE];
    uint32_t agency = (uint32_t)fuzz_uint(input, 4);
    uint64_t offset = fuzz_uint(input, 8);
    size_t count = take_bets(input);
    size_t added = 0;

    const struct bets_checksum checksum = {(uint32_t)offset, agency % 2 == 1};
    const struct text draw = text_of(draw_text + agency % sizeof(draw_text));
    batch_begin(&batch, agency, offset, checksum, draw);
    while (added < count && batch_add(&batch, &bets[added]))
        added++;
    batch_end(&batch);
    FUZZ_CHECK(batch.count == added);
    FUZZ_CHECK(pack(agency, offset, &checksum, draw, added, wanted) == batch.size);
    FUZZ_CHECK(memcmp(batch.frame, wanted, batch.size) == 0);
    if (added < count)
        FUZZ_CHECK(pack(agency, offset, &checksum, draw, added + 1, wanted) == 0);
    free_bets(count);
}

static void check_ack(struct fuzz_input *input)
{
    uint8_t bytes[FRAME_MAX_SIZE];
    struct frame frame;
    uint64_t received = fuzz_uint(input, 8);
    struct text start = fuzz_text(input, 255, false);
    char detail[512] = "";

    /* The text is repeated, so that it can be longer than the detail of an Ack. */
    for (size_t i = 0; i < 2; i++)
        (void)strncat(detail, start.data, start.size);
    const struct wire_ack said = {.code = LOTTERY__V1__ACK_CODE__ACK_CODE_OK,
                                  .received = received,
                                  .detail = detail,
                                  .checksum = {(uint32_t)received, received % 3 == 0},
                                  .stored = (uint32_t)(received >> 32)};
    size_t size = wire_pack_ack(&said, bytes);
    FUZZ_CHECK(frame_decode(bytes, size, &frame) == FRAME_OK && frame_size(&frame) == size);
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);
    FUZZ_CHECK(ack != NULL && ack->received == received && ack->stored == said.stored);
    FUZZ_CHECK(ack->checksum.len == (said.checksum.is_given ? BETS_CHECKSUM_SIZE : 0));
    FUZZ_CHECK(ack->checksum.len == 0 || little_get32(ack->checksum.data) == said.checksum.value);
    FUZZ_CHECK(strncmp(ack->detail, detail, strlen(ack->detail)) == 0);
    FUZZ_CHECK(strlen(ack->detail) <= 256);
    if (utf8_is_printable(text_of(detail))) {
        FUZZ_CHECK(utf8_is_printable(text_of(ack->detail)));
        FUZZ_CHECK(strlen(ack->detail) > 252 || strcmp(ack->detail, detail) == 0);
    }
    lottery__v1__ack__free_unpacked(ack, NULL);
    fuzz_text_free(start);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    check_ack(&input);
    check_batch(&input);
    return 0;
}
