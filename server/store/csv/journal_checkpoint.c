/* The checkpoint of the journal: a whole state, to bytes and back. */
#include "assertion.h"
#include "crc32c.h"
#include "journal_parts.h"
#include "little_endian.h"

#include <string.h>

#define CHECKPOINT 16 /* a type of record beside those of the draw */

/* The body of a checkpoint: numbers, the bodies of `closed` and `drawn`, the checksums, then of
 * each agency how many bets it has, their checksum, and then whether it has finished. */
enum {
    AT_BETS = AT_BODY, /* u64: size of bets.csv */
    AT_BETS_CRC = AT_BETS + 8,
    AT_PHASE = AT_BETS + 12,
    AT_AGENCIES = AT_BETS + 16,
    AT_NUMBER = AT_BETS + 20,
    AT_CLOSED = AT_BETS + 24,
    AT_DRAWN = AT_CLOSED + BODY_CLOSED,
    AT_TABLES = AT_DRAWN + BODY_DRAWN
};

static size_t journal_size_of_checkpoint(uint64_t bets, uint64_t agencies)
{
    return AT_TABLES + journal_round_up((size_t)(bets / BETS_CHUNK_SIZE) * 4) +
           (size_t)agencies * 8 + journal_round_up((size_t)agencies * 4) +
           journal_round_up((size_t)agencies);
}

enum status journal_encode_checkpoint(const struct draw *draw, const struct bets_extent *extent,
                                      const struct journal_mark *mark, struct buffer *out)
{
    size_t size = journal_size_of_checkpoint(extent->size, draw->agencies);
    size_t chunks = (size_t)(extent->size / BETS_CHUNK_SIZE);

    ASSERT(size <= UINT32_MAX);
    /* No bets come after the closing. */
    ASSERT(draw->phase < DRAW_CLOSED || draw->closed.extent == extent->size);
    if (buffer_reserve(out, size) != STATUS_OK)
        return STATUS_NOMEM;
    uint8_t *record = (uint8_t *)out->data + out->size;
    memset(record, 0, size);
    little_put32(record + AT_SIZE, (uint32_t)size);
    record[AT_TYPE] = CHECKPOINT;
    little_put64(record + AT_BETS, extent->size);
    little_put32(record + AT_BETS_CRC, extent->crc);
    little_put32(record + AT_PHASE, (uint32_t)draw->phase);
    little_put32(record + AT_AGENCIES, draw->agencies);
    little_put32(record + AT_NUMBER, draw->winner_number);
    journal_put_closed(record + AT_CLOSED, &draw->closed);
    journal_put_drawn(record + AT_DRAWN, &draw->drawn);
    uint8_t *at = record + AT_TABLES;
    for (size_t i = 0; i < chunks; i++)
        little_put32(at + i * 4, extent->crcs[i]);
    at += journal_round_up(chunks * 4);
    for (uint32_t i = 1; i <= draw->agencies; i++, at += 8)
        little_put64(at, draw->agency[i].received);
    for (uint32_t i = 0; i < draw->agencies; i++)
        little_put32(at + (size_t)i * 4, draw->agency[i + 1].checksum);
    at += journal_round_up((size_t)draw->agencies * 4);
    for (uint32_t i = 1; i <= draw->agencies; i++)
        *at++ = draw->agency[i].has_finished;
    journal_seal_fixed(record, size, mark);
    out->size += size;
    return STATUS_OK;
}

/* Is it as large as the numbers in it say? None of the sums can wrap. */
static bool journal_is_checkpoint_sized(const uint8_t *bytes, size_t size)
{
    uint32_t agencies = little_get32(bytes + AT_AGENCIES);

    return agencies <= AGENCIES_MAX &&
           size == journal_size_of_checkpoint(little_get64(bytes + AT_BETS), agencies);
}

size_t journal_checkpoint_size(const uint8_t *bytes, uint64_t stamp)
{
    size_t size = little_get32(bytes + AT_SIZE);

    return bytes[AT_TYPE] == CHECKPOINT && little_get64(bytes + AT_SELF) == JOURNAL_START &&
                   little_get64(bytes + AT_STAMP) == stamp &&
                   journal_is_checkpoint_sized(bytes, size)
               ? size
               : 0;
}

static void journal_get_agencies(const uint8_t *at, struct draw *draw)
{
    const uint8_t *checksum = at + (size_t)draw->agencies * 8;
    const uint8_t *has_finished = checksum + journal_round_up((size_t)draw->agencies * 4);

    for (uint32_t i = 0; i < draw->agencies; i++) {
        struct draw_agency *agency = &draw->agency[i + 1];
        *agency = (struct draw_agency){.received = little_get64(at + (size_t)i * 8),
                                       .checksum = little_get32(checksum + (size_t)i * 4),
                                       .has_finished = has_finished[i] != 0};
        draw->bets += agency->received;
        draw->finished += agency->has_finished;
    }
}

enum status journal_decode_checkpoint(const uint8_t *bytes, size_t size, struct draw *draw,
                                      struct bets_extent *extent)
{
    struct draw_record opened = {.type = DRAW_OPENED,
                                 .opened = {.agencies = little_get32(bytes + AT_AGENCIES),
                                            .winner_number = little_get32(bytes + AT_NUMBER)}};
    uint64_t bets = little_get64(bytes + AT_BETS);
    uint32_t phase = little_get32(bytes + AT_PHASE);
    struct draw_closed closed;

    journal_get_closed(bytes + AT_CLOSED, &closed);
    if (little_get32(bytes + AT_CRC) != crc32c(0, bytes + AT_SIZE, size - AT_SIZE) ||
        !journal_is_checkpoint_sized(bytes, size) || phase > DRAW_DRAWN ||
        (phase >= DRAW_CLOSED && closed.extent != bets) ||
        (phase == DRAW_NEW && (opened.opened.agencies > 0 || bets > 0)))
        return STATUS_DAMAGED;
    if (phase != DRAW_NEW && draw_apply(draw, &opened).status != STATUS_OK)
        return STATUS_NOMEM;
    draw->phase = (enum draw_phase)phase;
    draw->closed = closed;
    journal_get_drawn(bytes + AT_DRAWN, &draw->drawn);
    enum status status = bets_extent_reserve(extent, bets);
    if (status != STATUS_OK)
        return status;
    size_t chunks = (size_t)(bets / BETS_CHUNK_SIZE);
    for (size_t i = 0; i < chunks; i++)
        extent->crcs[i] = little_get32(bytes + AT_TABLES + i * 4);
    extent->size = bets;
    extent->crc = little_get32(bytes + AT_BETS_CRC);
    journal_get_agencies(bytes + AT_TABLES + journal_round_up(chunks * 4), draw);
    return STATUS_OK;
}
