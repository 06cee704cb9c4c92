/* The checkpoint of the journal: a whole state, to bytes and back.
 *
 * Its tables are followed by an extension, if there is more to say than a draw has that nobody
 * runs: items of a type and a size, each with a body as the record of that type has it.
 */
#include "assertion.h"
#include "crc32c.h"
#include "journal_parts.h"
#include "little_endian.h"

#include <string.h>

#define CHECKPOINT 16 /* a type of record beside those of the draw */
#define HAS_MORE 2    /* a flag: there is an extension */

/* The body: numbers, the bodies of `closed` and `drawn`, the checksums, then of each agency how
 * many bets it has, their checksum, and then whether it has finished. */
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

_Static_assert(AT_CLOSED == JOURNAL_HEAD_SIZE, "the sizes of the tables are known");

/* The extension: the size of the items, then these. */
enum { EXTENSION_HEAD = 8, ITEM_TYPE = 0, ITEM_SIZE = 4, ITEM_BODY = 8 };

#define EXTENSION_MAX                                                                              \
    (EXTENSION_HEAD + (size_t)ITEM_BODY * 3 + BODY_OPENED + BODY_SEALED +                          \
     (JOURNAL_FIXED_MAX - AT_BODY) +                                                               \
     (size_t)DRAW_ACTS_MAX * (ITEM_BODY + BODY_ACT + (DRAW_TEXT_MAX + 7) / 8 * 8))

/* Without the extension. */
static size_t journal_size_of_checkpoint(uint64_t bets, uint64_t agencies)
{
    return AT_TABLES + journal_round_up((size_t)(bets / BETS_CHUNK_SIZE) * 4) +
           (size_t)agencies * 8 + journal_round_up((size_t)agencies * 4) +
           journal_round_up((size_t)agencies);
}

/* The items of a state, in their order: each is given to `on_item`. */
static void for_each_item(const struct draw *draw,
                          void (*on_item)(const struct draw_record *record, void *context),
                          void *context)
{
    struct draw_record opened = {.type = DRAW_OPENED,
                                 .opened = {draw->agencies, draw->winner_number, draw->terms}};
    struct draw_record sealed = {.type = DRAW_SEALING, .sealed = draw->sealed};
    struct draw_record drawn = {.type = DRAW_DRAWING, .drawn = draw->drawn};

    if (!journal_is_plain(&draw->terms))
        on_item(&opened, context);
    if (draw->is_sealed)
        on_item(&sealed, context);
    if (draw->phase == DRAW_DRAWN && journal_has_long_drawing(&draw->terms))
        on_item(&drawn, context);
    for (size_t i = 0; i < draw->acts_count; i++)
        on_item(&(struct draw_record){.type = DRAW_ACT, .act = *draw->acts[i]}, context);
}

static void count_item(const struct draw_record *record, void *context)
{
    size_t *size = context;

    *size += ITEM_BODY + journal_size_of_more(record);
}

static void put_item(const struct draw_record *record, void *context)
{
    uint8_t **at = context;
    size_t size = journal_size_of_more(record);

    little_put32(*at + ITEM_TYPE, (uint32_t)record->type);
    little_put32(*at + ITEM_SIZE, (uint32_t)size);
    journal_put_more(record, *at + ITEM_BODY);
    *at += ITEM_BODY + size;
}

/* Puts the agencies' tables at `at`. */
static void put_agencies(uint8_t *at, const struct draw *draw)
{
    for (uint32_t i = 1; i <= draw->agencies; i++, at += 8)
        little_put64(at, draw->agency[i].received);
    for (uint32_t i = 0; i < draw->agencies; i++)
        little_put32(at + (size_t)i * 4, draw->agency[i + 1].checksum);
    at += journal_round_up((size_t)draw->agencies * 4);
    for (uint32_t i = 1; i <= draw->agencies; i++)
        *at++ = draw->agency[i].has_finished;
}

enum status journal_encode_checkpoint(const struct draw *draw, const struct bets_extent *extent,
                                      const struct journal_mark *mark, struct buffer *out)
{
    size_t plain = journal_size_of_checkpoint(extent->size, draw->agencies);
    size_t chunks = (size_t)(extent->size / BETS_CHUNK_SIZE);
    size_t items = 0;

    for_each_item(draw, count_item, &items);
    size_t size = items > 0 ? plain + EXTENSION_HEAD + items : plain;
    ASSERT(size <= UINT32_MAX && size - plain <= EXTENSION_MAX);
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
    for (size_t i = 0; i < chunks; i++)
        little_put32(record + AT_TABLES + i * 4, extent->crcs[i]);
    put_agencies(record + AT_TABLES + journal_round_up(chunks * 4), draw);
    if (items > 0) {
        uint8_t *at = record + plain + EXTENSION_HEAD;
        record[AT_FLAGS] = HAS_MORE;
        little_put64(record + plain, items);
        for_each_item(draw, put_item, &at);
    }
    journal_seal_fixed(record, size, mark);
    out->size += size;
    return STATUS_OK;
}

/* Is it as large as the numbers in it say? None of the sums can wrap. *plain is where an extension
 * would begin. */
static bool journal_is_checkpoint_sized(const uint8_t *bytes, size_t size, size_t *plain)
{
    uint64_t flags = little_get64(bytes + AT_TYPE) >> 8; /* and zeros */
    uint32_t agencies = little_get32(bytes + AT_AGENCIES);

    if (agencies > AGENCIES_MAX || (flags != 0 && flags != HAS_MORE))
        return false;
    *plain = journal_size_of_checkpoint(little_get64(bytes + AT_BETS), agencies);
    if (flags == 0)
        return size == *plain;
    return size > *plain && size - *plain > EXTENSION_HEAD && size - *plain <= EXTENSION_MAX;
}

size_t journal_checkpoint_size(const uint8_t *bytes, uint64_t stamp)
{
    size_t size = little_get32(bytes + AT_SIZE);
    size_t plain;

    return bytes[AT_TYPE] == CHECKPOINT && little_get64(bytes + AT_SELF) == JOURNAL_START &&
                   little_get64(bytes + AT_STAMP) == stamp &&
                   journal_is_checkpoint_sized(bytes, size, &plain)
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

/* What is left of an extension. */
struct items {
    const uint8_t *at;
    size_t size;
};

/* Takes the next item if it is of that type. False: it is of another one, there is none, or it is
 * not a right one; the rest then stays, and is never empty if there is anything wrong. */
static bool take_item(struct items *items, enum draw_record_type type, struct draw_record *out)
{
    *out = (struct draw_record){.type = type};
    if (items->size < ITEM_BODY || little_get32(items->at + ITEM_TYPE) != (uint32_t)type)
        return false;
    size_t size = little_get32(items->at + ITEM_SIZE);
    if (size > items->size - ITEM_BODY || !journal_get_more(items->at + ITEM_BODY, size, out))
        return false;
    items->at += ITEM_BODY + size;
    items->size -= ITEM_BODY + size;
    return true;
}

/* Applies a record that a state is made of. */
static enum status take_record(struct draw *draw, struct draw_record *record)
{
    struct draw_outcome outcome = draw_apply(draw, record);

    if (outcome.status == STATUS_NOMEM)
        return STATUS_NOMEM;
    return outcome.is_recorded ? STATUS_OK : STATUS_DAMAGED;
}

/* `opened`, with the terms from the extension, if there are any. */
static enum status take_opened(const uint8_t *bytes, struct items *items, struct draw *draw)
{
    const struct draw_opened plain = {.agencies = little_get32(bytes + AT_AGENCIES),
                                      .winner_number = little_get32(bytes + AT_NUMBER)};
    struct draw_record opened;

    if (!take_item(items, DRAW_OPENED, &opened))
        opened.opened = plain;
    if (opened.opened.agencies != plain.agencies ||
        opened.opened.winner_number != plain.winner_number)
        return STATUS_DAMAGED;
    return take_record(draw, &opened);
}

/* `closed`, over all bets that there are. */
static enum status take_closed(const uint8_t *bytes, struct draw *draw)
{
    struct draw_record closed = {.type = DRAW_CLOSING};

    journal_get_closed(bytes + AT_CLOSED, &closed.closed);
    if (closed.closed.extent != little_get64(bytes + AT_BETS) || closed.closed.bets != draw->bets)
        return STATUS_DAMAGED;
    return take_record(draw, &closed);
}

/* `drawn`, of which the extension may say more, but nothing else. */
static enum status take_drawn(const uint8_t *bytes, struct items *items, struct draw *draw)
{
    uint8_t plain[BODY_DRAWN];
    struct draw_record drawn;
    bool is_long = take_item(items, DRAW_DRAWING, &drawn);

    if (is_long != journal_has_long_drawing(&draw->terms))
        return STATUS_DAMAGED;
    if (!is_long)
        journal_get_drawn(bytes + AT_DRAWN, &drawn.drawn);
    journal_put_drawn(plain, &drawn.drawn);
    if (memcmp(plain, bytes + AT_DRAWN, sizeof(plain)) != 0 ||
        memcmp(drawn.drawn.root, draw->sealed.root, DRAW_ROOT_SIZE) != 0)
        return STATUS_DAMAGED;
    return take_record(draw, &drawn);
}

/* Makes the state from its records, as draw_apply() accepts them. Without the tables of the bets.
 */
static enum status take_draw(const uint8_t *bytes, const uint8_t *agencies, struct items *items,
                             struct draw *draw)
{
    uint32_t phase = little_get32(bytes + AT_PHASE);
    struct draw_record record;

    enum status status = take_opened(bytes, items, draw);
    if (status != STATUS_OK)
        return status;
    journal_get_agencies(agencies, draw);
    if (phase >= DRAW_CLOSED)
        status = take_closed(bytes, draw);
    if (status == STATUS_OK && take_item(items, DRAW_SEALING, &record))
        status = take_record(draw, &record);
    if (status == STATUS_OK && phase == DRAW_DRAWN)
        status = take_drawn(bytes, items, draw);
    while (status == STATUS_OK && take_item(items, DRAW_ACT, &record))
        status = take_record(draw, &record);
    return status != STATUS_OK || items->size == 0 ? status : STATUS_DAMAGED;
}

enum status journal_decode_checkpoint(const uint8_t *bytes, size_t size, struct draw *draw,
                                      struct bets_extent *extent)
{
    uint64_t bets = little_get64(bytes + AT_BETS);
    uint32_t phase = little_get32(bytes + AT_PHASE);
    size_t chunks = (size_t)(bets / BETS_CHUNK_SIZE);
    struct items items = {NULL, 0};
    size_t plain;

    if (little_get32(bytes + AT_CRC) != crc32c(0, bytes + AT_SIZE, size - AT_SIZE) ||
        !journal_is_checkpoint_sized(bytes, size, &plain) || phase > DRAW_DRAWN ||
        (phase == DRAW_NEW && (little_get32(bytes + AT_AGENCIES) > 0 || bets > 0 || size > plain)))
        return STATUS_DAMAGED;
    if (size > plain) {
        items = (struct items){bytes + plain + EXTENSION_HEAD, size - plain - EXTENSION_HEAD};
        if (little_get64(bytes + plain) != items.size)
            return STATUS_DAMAGED;
    }
    if (phase != DRAW_NEW) {
        enum status status =
            take_draw(bytes, bytes + AT_TABLES + journal_round_up(chunks * 4), &items, draw);
        if (status != STATUS_OK)
            return status;
    }
    enum status status = bets_extent_reserve(extent, bets);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < chunks; i++)
        extent->crcs[i] = little_get32(bytes + AT_TABLES + i * 4);
    extent->size = bets;
    extent->crc = little_get32(bytes + AT_BETS_CRC);
    return STATUS_OK;
}
