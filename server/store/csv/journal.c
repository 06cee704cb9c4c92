#include "journal.h"

#include "assertion.h"
#include "crc32c.h"
#include "journal_parts.h"
#include "little_endian.h"

#include <string.h>

#define HAS_LINES 1 /* a flag */

_Static_assert(AT_BODY + BODY_CLOSED == JOURNAL_FIXED_MAX, "the closing is the longest record");

void journal_put_closed(uint8_t *body, const struct draw_closed *closed)
{
    little_put64(body, closed->time_s);
    little_put32(body + 8, (uint32_t)closed->by);
    little_put64(body + 16, closed->bets);
    little_put64(body + 24, closed->extent);
    memcpy(body + 32, closed->salt, DRAW_SALT_SIZE);
}

void journal_get_closed(const uint8_t *body, struct draw_closed *out)
{
    out->time_s = little_get64(body);
    out->by = (enum draw_closed_by)little_get32(body + 8);
    out->bets = little_get64(body + 16);
    out->extent = little_get64(body + 24);
    memcpy(out->salt, body + 32, DRAW_SALT_SIZE);
}

void journal_put_drawn(uint8_t *body, const struct draw_drawn *drawn)
{
    little_put64(body, drawn->time_s);
    little_put32(body + 8, drawn->winner_number);
    little_put32(body + 12, drawn->winners_crc);
    little_put64(body + 16, drawn->winners);
    little_put64(body + 24, drawn->winners_size);
}

void journal_get_drawn(const uint8_t *body, struct draw_drawn *out)
{
    *out = (struct draw_drawn){.time_s = little_get64(body),
                               .winner_number = little_get32(body + 8),
                               .winners_crc = little_get32(body + 12),
                               .winners = little_get64(body + 16),
                               .winners_size = little_get64(body + 24)};
}

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
        memset(body, 0, BODY_CLOSED);
        journal_put_closed(body, &record->closed);
        break;
    case DRAW_DRAWING:
        journal_put_drawn(body, &record->drawn);
        break;
    case DRAW_SEALING:
    case DRAW_ACT:
        ASSERT(false); /* no caller has them yet */
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

size_t journal_encode(const struct draw_record *record, const struct journal_lines *lines,
                      uint8_t *out)
{
    size_t size = AT_BODY + journal_body_size(record->type);

    little_put32(out + AT_SIZE, (uint32_t)size);
    little_put64(out + AT_TYPE, record->type); /* and zeros */
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

bool journal_decode(const uint8_t *bytes, size_t size, uint64_t stamp, uint64_t at,
                    struct journal_record *out)
{
    if (size < AT_BODY || little_get64(bytes + AT_SELF) != at ||
        little_get64(bytes + AT_STAMP) != stamp)
        return false;
    size_t body = journal_body_size(bytes[AT_TYPE]);
    size_t fixed = AT_BODY + body;
    bool has_lines = (bytes[AT_FLAGS] & HAS_LINES) != 0;
    if (body == 0 || size < fixed ||
        little_get32(bytes + AT_CRC) != crc32c(0, bytes + AT_SIZE, fixed - AT_SIZE))
        return false;
    struct journal_record record = {
        .draw.type = (enum draw_record_type)bytes[AT_TYPE],
        .has_lines = has_lines,
        .mark = {stamp, at, little_get64(bytes + AT_SYNCED), little_get64(bytes + AT_BETS_SYNCED)},
        .fixed_size = (uint32_t)fixed,
        .size = little_get32(bytes + AT_SIZE)};
    journal_get_body(bytes + AT_BODY, &record);
    if ((record.draw.type == DRAW_BETS && record.lines.size == 0) ||
        (record.draw.type == DRAW_OPENED && record.draw.opened.agencies > AGENCIES_MAX) ||
        (record.draw.type == DRAW_AGENCIES && record.draw.agencies > AGENCIES_MAX))
        return false;
    if (has_lines && (record.draw.type != DRAW_BETS || record.lines.size > JOURNAL_INLINE_MAX))
        return false;
    if (record.size != fixed + (has_lines ? journal_round_up(record.lines.size) : 0))
        return false;
    *out = record;
    return true;
}
