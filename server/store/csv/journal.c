#include "journal.h"

#include "assertion.h"
#include "crc32c.h"
#include "journal_parts.h"
#include "little_endian.h"

#include <string.h>

#define HAS_LINES 1 /* a flag */

void journal_put_closed(uint8_t *body, const struct draw_closed *closed)
{
    little_put64(body, closed->time_s);
    little_put32(body + 8, (uint32_t)closed->by);
    little_put32(body + 12, closed->uid);
    little_put64(body + 16, closed->bets);
    little_put64(body + 24, closed->extent);
    memcpy(body + 32, closed->salt, DRAW_SALT_SIZE);
}

void journal_get_closed(const uint8_t *body, struct draw_closed *out)
{
    out->time_s = little_get64(body);
    out->by = (enum draw_closed_by)little_get32(body + 8);
    out->uid = little_get32(body + 12);
    out->bets = little_get64(body + 16);
    out->extent = little_get64(body + 24);
    memcpy(out->salt, body + 32, DRAW_SALT_SIZE);
}

/* In the short form, where there are two; 0: there is none. */
static size_t journal_body_size(unsigned type)
{
    switch (type) {
    case DRAW_OPENED:
    case DRAW_AGENCIES:
        return BODY_NUMBERS;
    case DRAW_BETS:
        return BODY_BETS;
    case DRAW_FINISHED:
        return BODY_FINISHED;
    case DRAW_CLOSING:
        return BODY_CLOSED;
    case DRAW_DRAWING:
        return BODY_DRAWN;
    default:
        return 0;
    }
}

static void journal_put_body(const struct draw_record *record, const struct journal_lines *lines,
                             uint8_t *body)
{
    switch (record->type) {
    case DRAW_OPENED:
        little_put32(body, record->opened.agencies);
        little_put32(body + 4, record->opened.winner_number);
        break;
    case DRAW_AGENCIES:
        little_put32(body, record->agencies);
        little_put32(body + 4, 0);
        break;
    case DRAW_BETS:
        little_put64(body, record->bets.offset);
        little_put64(body + 8, lines->at);
        little_put32(body + 16, record->bets.agency);
        little_put32(body + 20, record->bets.count);
        little_put32(body + 24, lines->size);
        little_put32(body + 28, lines->crc);
        break;
    case DRAW_FINISHED:
        little_put64(body, record->finished.total);
        little_put32(body + 8, record->finished.agency);
        little_put32(body + 12, 0);
        break;
    case DRAW_CLOSING:
        journal_put_closed(body, &record->closed);
        break;
    case DRAW_DRAWING:
        journal_put_drawn(body, &record->drawn);
        break;
    case DRAW_SEALING:
    case DRAW_ACT:
        ASSERT(false); /* these have no short form */
    }
}

static void journal_get_body(const uint8_t *body, struct journal_record *out)
{
    switch (out->draw.type) {
    case DRAW_OPENED:
        out->draw.opened = (struct draw_opened){.agencies = little_get32(body),
                                                .winner_number = little_get32(body + 4)};
        break;
    case DRAW_AGENCIES:
        out->draw.agencies = little_get32(body);
        break;
    case DRAW_BETS:
        out->draw.bets = (struct draw_bets){.agency = little_get32(body + 16),
                                            .count = little_get32(body + 20),
                                            .offset = little_get64(body)};
        out->lines = (struct journal_lines){little_get64(body + 8), little_get32(body + 24),
                                            little_get32(body + 28)};
        break;
    case DRAW_FINISHED:
        out->draw.finished =
            (struct draw_finished){.agency = little_get32(body + 8), .total = little_get64(body)};
        break;
    case DRAW_CLOSING:
        journal_get_closed(body, &out->draw.closed);
        break;
    case DRAW_DRAWING:
        journal_get_drawn(body, &out->draw.drawn);
        break;
    case DRAW_SEALING:
    case DRAW_ACT:
        break;
    }
}

/* Does an accepted record, in a draw of these terms, need the long form? */
static bool journal_needs_more(const struct draw_record *record, const struct draw_terms *terms)
{
    if (record->type == DRAW_OPENED)
        return !journal_is_plain(&record->opened.terms);
    if (record->type == DRAW_DRAWING)
        return journal_has_long_drawing(terms);
    return record->type == DRAW_SEALING || record->type == DRAW_ACT;
}

size_t journal_encode(const struct draw_record *record, const struct draw_terms *terms,
                      const struct journal_lines *lines, uint8_t *out)
{
    bool is_long = record->type != DRAW_BETS && journal_needs_more(record, terms);
    size_t body = is_long ? journal_size_of_more(record) : journal_body_size(record->type);
    size_t size = AT_BODY + body;

    ASSERT(size <= JOURNAL_FIXED_MAX);
    little_put32(out + AT_SIZE, (uint32_t)size);
    little_put64(out + AT_TYPE, record->type); /* and zeros */
    if (is_long)
        journal_put_more(record, out + AT_BODY);
    else
        journal_put_body(record, lines, out + AT_BODY);
    return size;
}

size_t journal_size_of(const uint8_t *record)
{
    return little_get32(record + AT_SIZE);
}

size_t journal_lines_of(const uint8_t *record)
{
    return record[AT_TYPE] == DRAW_BETS ? little_get32(record + AT_BODY + 24) : 0;
}

void journal_seal_fixed(uint8_t *record, size_t size, const struct journal_mark *mark)
{
    little_put64(record + AT_SELF, mark->at);
    little_put64(record + AT_STAMP, mark->stamp);
    little_put64(record + AT_SYNCED, mark->synced);
    little_put64(record + AT_BETS_SYNCED, mark->bets_synced);
    little_put32(record + AT_CRC, crc32c(0, record + AT_SIZE, size - AT_SIZE));
}

size_t journal_seal(uint8_t *record, bool has_lines, const struct journal_mark *mark)
{
    size_t fixed = journal_size_of(record);
    size_t size = fixed;

    if (has_lines) {
        ASSERT(journal_lines_of(record) <= JOURNAL_INLINE_MAX);
        size += journal_round_up(journal_lines_of(record));
        little_put32(record + AT_SIZE, (uint32_t)size);
        record[AT_FLAGS] = HAS_LINES;
    }
    journal_seal_fixed(record, fixed, mark);
    return size;
}

/* The size of a record without its lines, from its first AT_BODY bytes; 0: no record has it. */
static size_t journal_fixed_size(const uint8_t *bytes, bool *is_long)
{
    unsigned type = bytes[AT_TYPE];
    size_t body = journal_body_size(type);
    size_t whole = little_get32(bytes + AT_SIZE);

    *is_long = type == DRAW_SEALING || type == DRAW_ACT ||
               ((type == DRAW_OPENED || type == DRAW_DRAWING) && whole != AT_BODY + body);
    if (*is_long)
        return whole > AT_BODY && whole <= JOURNAL_FIXED_MAX ? whole : 0;
    return body > 0 ? AT_BODY + body : 0;
}

/* Are its numbers some that the store writes? */
static bool journal_has_right_numbers(const struct journal_record *record)
{
    const struct draw_record *draw = &record->draw;
    size_t lines = record->has_lines ? journal_round_up(record->lines.size) : 0;

    return (draw->type != DRAW_BETS || record->lines.size > 0) &&
           (draw->type != DRAW_OPENED || draw->opened.agencies <= AGENCIES_MAX) &&
           (draw->type != DRAW_AGENCIES || draw->agencies <= AGENCIES_MAX) &&
           (!record->has_lines ||
            (draw->type == DRAW_BETS && record->lines.size <= JOURNAL_INLINE_MAX)) &&
           record->size == record->fixed_size + lines;
}

bool journal_decode(const uint8_t *bytes, size_t size, uint64_t stamp, uint64_t at,
                    struct journal_record *out)
{
    if (size < AT_BODY || little_get64(bytes + AT_SELF) != at ||
        little_get64(bytes + AT_STAMP) != stamp)
        return false;
    bool is_long;
    size_t fixed = journal_fixed_size(bytes, &is_long);
    uint64_t flags = little_get64(bytes + AT_TYPE) >> 8; /* and zeros */
    if (fixed == 0 || size < fixed || (flags != 0 && flags != HAS_LINES) ||
        little_get32(bytes + AT_CRC) != crc32c(0, bytes + AT_SIZE, fixed - AT_SIZE))
        return false;
    struct journal_record record = {
        .draw.type = (enum draw_record_type)bytes[AT_TYPE],
        .has_lines = flags == HAS_LINES,
        .mark = {stamp, at, little_get64(bytes + AT_SYNCED), little_get64(bytes + AT_BETS_SYNCED)},
        .is_long = is_long,
        .fixed_size = (uint32_t)fixed,
        .size = little_get32(bytes + AT_SIZE)};
    if (!is_long)
        journal_get_body(bytes + AT_BODY, &record);
    else if (!journal_get_more(bytes + AT_BODY, fixed - AT_BODY, &record.draw))
        return false;
    if (!journal_has_right_numbers(&record))
        return false;
    *out = record;
    return true;
}
