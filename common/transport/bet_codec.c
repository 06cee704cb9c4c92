#include "bet_codec.h"

#include <string.h>

/* Keys: the field's number and its wire type, 0 for a varint and 2 for bytes with a length. */
#define KEY(field, type) ((field) << 3 | (type))
#define NEW_BETS_AGENCY KEY(1, 0)
#define NEW_BETS_OFFSET KEY(2, 0)
#define NEW_BETS_BETS KEY(3, 2)
#define NEW_BETS_CHECKSUM KEY(4, 2)
#define NEW_BETS_DRAW KEY(5, 2)
#define BET_FIRST_NAME KEY(1, 2)
#define BET_LAST_NAME KEY(2, 2)
#define BET_DOCUMENT KEY(3, 2)
#define BET_BIRTHDATE KEY(4, 2)
#define BET_NUMBER KEY(5, 0)

/* For numbers and lengths that fit two bytes, as all those of a bet do. */
static size_t bet_codec_varint_size(size_t value)
{
    return value < 0x80 ? 1 : 2;
}

static uint8_t *bet_codec_put_varint(uint8_t *out, size_t value)
{
    if (value >= 0x80) {
        *out++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *out++ = (uint8_t)value;
    return out;
}

/* Every field has a key and, as no text of a bet is longer than 127 bytes, one byte of length. A
 * number of 0 is the default and is left out. */
static size_t body_size(const struct bet *bet)
{
    return 2 + bet->first_name.size + 2 + bet->last_name.size + 2 + bet->document.size + 2 +
           bet->birthdate.size + (bet->number > 0 ? 1 + bet_codec_varint_size(bet->number) : 0);
}

size_t bet_encoded_size(const struct bet *bet)
{
    size_t size = body_size(bet);

    return 1 + bet_codec_varint_size(size) + size;
}

static uint8_t *bet_codec_put_text(uint8_t *out, uint8_t key, struct text text)
{
    *out++ = key;
    *out++ = (uint8_t)text.size;
    memcpy(out, text.data, text.size);
    return out + text.size;
}

uint8_t *bet_encode(const struct bet *bet, uint8_t *out)
{
    *out++ = NEW_BETS_BETS;
    out = bet_codec_put_varint(out, body_size(bet));
    out = bet_codec_put_text(out, BET_FIRST_NAME, bet->first_name);
    out = bet_codec_put_text(out, BET_LAST_NAME, bet->last_name);
    out = bet_codec_put_text(out, BET_DOCUMENT, bet->document);
    out = bet_codec_put_text(out, BET_BIRTHDATE, bet->birthdate);
    if (bet->number > 0) {
        *out++ = BET_NUMBER;
        out = bet_codec_put_varint(out, bet->number);
    }
    return out;
}

uint8_t *new_bets_checksum_encode(uint32_t checksum, uint8_t *out)
{
    *out++ = NEW_BETS_CHECKSUM;
    *out++ = (uint8_t)BETS_CHECKSUM_SIZE;
    little_put32(out, checksum);
    return out + BETS_CHECKSUM_SIZE;
}

uint8_t *new_bets_draw_encode(struct text draw, uint8_t *out)
{
    return draw.size > 0 ? bet_codec_put_text(out, NEW_BETS_DRAW, draw) : out;
}

/* The bytes that are left to read. Every function that reads checks first that there are enough. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
};

static bool take_key(struct reader *reader, uint8_t key)
{
    if (reader->at == reader->end || *reader->at != key)
        return false;
    reader->at++;
    return true;
}

/* Reads a varint in its shortest form, of at most 63 bits and not above `max`. */
static bool take_long_varint(struct reader *reader, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 63 && reader->at < reader->end; shift += 7) {
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return value <= max && (byte != 0 || shift == 0);
        }
    }
    return false;
}

/* The same; nearly all varints have one byte. */
static bool take_varint(struct reader *reader, uint64_t max, uint64_t *out)
{
    if (reader->at == reader->end || *reader->at >= 0x80)
        return take_long_varint(reader, max, out);
    *out = *reader->at++;
    return *out <= max;
}

/* Reads a length, which must not exceed the bytes that are left. */
static bool take_length(struct reader *reader, size_t *out)
{
    uint64_t length;

    if (!take_varint(reader, UINT64_MAX, &length) || length > (uint64_t)(reader->end - reader->at))
        return false;
    *out = (size_t)length;
    return true;
}

/* Reads a text field; a missing one is empty. */
static bool take_text(struct reader *reader, uint8_t key, struct text *out)
{
    out->data = (const char *)reader->at;
    out->size = 0;
    if (!take_key(reader, key))
        return true;
    if (!take_length(reader, &out->size))
        return false;
    out->data = (const char *)reader->at;
    reader->at += out->size;
    return true;
}

static bool take_number(struct reader *reader, uint8_t key, uint64_t max, uint64_t *out)
{
    *out = 0;
    return !take_key(reader, key) || take_varint(reader, max, out);
}

static bool take_bet(struct reader *reader, struct bet *bet)
{
    size_t size;
    uint64_t number;

    if (!take_key(reader, NEW_BETS_BETS) || !take_length(reader, &size))
        return false;
    struct reader inner = {reader->at, reader->at + size};
    if (!take_text(&inner, BET_FIRST_NAME, &bet->first_name) ||
        !take_text(&inner, BET_LAST_NAME, &bet->last_name) ||
        !take_text(&inner, BET_DOCUMENT, &bet->document) ||
        !take_text(&inner, BET_BIRTHDATE, &bet->birthdate) ||
        !take_number(&inner, BET_NUMBER, UINT32_MAX, &number) || inner.at != inner.end)
        return false;
    bet->number = (uint32_t)number;
    reader->at = inner.end;
    return true;
}

/* Reads what follows the bets: a checksum and the draw's id, both of which may be missing. An empty
 * one is not encoded, so it is not expected here, and no id that a draw may have needs two bytes of
 * length. Once in a message; inlined, it would cost registers for each bet. */
static bool __attribute__((noinline))
take_rest(const uint8_t *at, const uint8_t *end, struct new_bets *out)
{
    size_t left = (size_t)(end - at);

    out->checksum = (struct bets_checksum){0, false};
    out->draw = (struct text){NULL, 0};
    if (left >= NEW_BETS_CHECKSUM_SIZE && at[0] == NEW_BETS_CHECKSUM) {
        if (at[1] != BETS_CHECKSUM_SIZE)
            return false;
        out->checksum = (struct bets_checksum){little_get32(at + 2), true};
        at += NEW_BETS_CHECKSUM_SIZE;
        left -= NEW_BETS_CHECKSUM_SIZE;
    }
    if (left == 0)
        return true;
    if (left < 2 || at[0] != NEW_BETS_DRAW || at[1] == 0 || at[1] >= 0x80 || at[1] != left - 2)
        return false;
    out->draw = (struct text){(const char *)at + 2, left - 2};
    return true;
}

bool new_bets_decode(const uint8_t *body, size_t size, struct new_bets *out, struct bet *bets)
{
    struct reader reader = {body, body + size};
    uint64_t agency;

    out->count = 0;
    if (!take_number(&reader, NEW_BETS_AGENCY, UINT32_MAX, &agency) ||
        !take_number(&reader, NEW_BETS_OFFSET, UINT64_MAX, &out->offset))
        return false;
    out->agency = (uint32_t)agency;
    while (reader.at < reader.end && *reader.at == NEW_BETS_BETS) {
        if (!take_bet(&reader, &bets[out->count]))
            return false;
        out->count++;
    }
    return take_rest(reader.at, reader.end, out);
}
