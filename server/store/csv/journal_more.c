/* What only draws have in the journal that somebody runs: terms, the seal, who drew, acts. */
#include "assertion.h"
#include "journal_parts.h"
#include "little_endian.h"

#include <string.h>

_Static_assert(AT_BODY + BODY_DRAWN_LONG + (DRAW_TEXT_MAX + 7) / 8 * 8 == JOURNAL_FIXED_MAX,
               "a drawing is the longest record");

bool journal_is_plain(const struct draw_terms *terms)
{
    return terms->mode == DRAW_AUTO && !terms->has_seal && terms->close_at_s == 0 &&
           terms->id[0] == '\0';
}

bool journal_has_long_drawing(const struct draw_terms *terms)
{
    return terms->mode != DRAW_AUTO || terms->has_seal;
}

/* The body of `opened`. */
enum {
    OPENED_AGENCIES = 0, /* u32 */
    OPENED_NUMBER = 4,   /* u32 */
    OPENED_MODE = 8,     /* u8 */
    OPENED_SEAL = 9,     /* u8 */
    OPENED_ID_SIZE = 10, /* u8, then five bytes of zero */
    OPENED_CLOSE_AT = 16,
    OPENED_ID = 24 /* then eight bytes of zero */
};

_Static_assert(OPENED_ID + DRAW_ID_MAX + 8 == BODY_OPENED, "the long form of opened");

static void put_opened(uint8_t *body, const struct draw_opened *opened)
{
    size_t id_size = strlen(opened->terms.id);

    little_put32(body + OPENED_AGENCIES, opened->agencies);
    little_put32(body + OPENED_NUMBER, opened->winner_number);
    body[OPENED_MODE] = (uint8_t)opened->terms.mode;
    body[OPENED_SEAL] = opened->terms.has_seal;
    body[OPENED_ID_SIZE] = (uint8_t)id_size;
    little_put64(body + OPENED_CLOSE_AT, opened->terms.close_at_s);
    memcpy(body + OPENED_ID, opened->terms.id, id_size);
}

static bool get_opened(const uint8_t *body, size_t size, struct draw_opened *out)
{
    if (size != BODY_OPENED || body[OPENED_ID_SIZE] > DRAW_ID_MAX)
        return false;
    *out = (struct draw_opened){.agencies = little_get32(body + OPENED_AGENCIES),
                                .winner_number = little_get32(body + OPENED_NUMBER),
                                .terms = {.mode = (enum draw_mode)body[OPENED_MODE],
                                          .has_seal = body[OPENED_SEAL] != 0,
                                          .close_at_s = little_get64(body + OPENED_CLOSE_AT)}};
    memcpy(out->terms.id, body + OPENED_ID, body[OPENED_ID_SIZE]);
    return !journal_is_plain(&out->terms); /* that has the short form */
}

/* The body of `sealed`. */
enum { SEALED_TIME = 0, SEALED_ROOT = 8 };

_Static_assert(SEALED_ROOT + DRAW_ROOT_SIZE == BODY_SEALED, "sealed");

static bool get_sealed(const uint8_t *body, size_t size, struct draw_sealed *out)
{
    if (size != BODY_SEALED)
        return false;
    out->time_s = little_get64(body + SEALED_TIME);
    memcpy(out->root, body + SEALED_ROOT, DRAW_ROOT_SIZE);
    return true;
}

static void put_text(uint8_t *at, struct text text)
{
    ASSERT(text.size <= DRAW_TEXT_MAX);
    if (text.size > 0)
        memcpy(at, text.data, text.size);
}

/* The text that fills the `size` bytes at `at`, but for the padding. */
static bool get_text(const uint8_t *at, size_t size, uint32_t text_size, struct text *out)
{
    if (text_size > DRAW_TEXT_MAX || journal_round_up(text_size) != size)
        return false;
    *out = (struct text){(const char *)at, text_size};
    return true;
}

/* The body of `drawn`, after its short form. */
enum { DRAWN_UID = BODY_DRAWN, DRAWN_SOURCE_SIZE = DRAWN_UID + 4, DRAWN_ROOT = DRAWN_UID + 8 };

_Static_assert(DRAWN_ROOT + DRAW_ROOT_SIZE == BODY_DRAWN_LONG, "then comes the source");

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

static void put_drawn(uint8_t *body, const struct draw_drawn *drawn)
{
    journal_put_drawn(body, drawn);
    little_put32(body + DRAWN_UID, drawn->uid);
    little_put32(body + DRAWN_SOURCE_SIZE, (uint32_t)drawn->source.size);
    memcpy(body + DRAWN_ROOT, drawn->root, DRAW_ROOT_SIZE);
    put_text(body + BODY_DRAWN_LONG, drawn->source);
}

static bool get_drawn(const uint8_t *body, size_t size, struct draw_drawn *out)
{
    if (size < BODY_DRAWN_LONG)
        return false;
    journal_get_drawn(body, out);
    out->uid = little_get32(body + DRAWN_UID);
    memcpy(out->root, body + DRAWN_ROOT, DRAW_ROOT_SIZE);
    return get_text(body + BODY_DRAWN_LONG, size - BODY_DRAWN_LONG,
                    little_get32(body + DRAWN_SOURCE_SIZE), &out->source);
}

/* The body of an act, before its text. */
enum { ACT_TIME = 0, ACT_UID = 8, ACT_TEXT_SIZE = 12 };

static bool get_act(const uint8_t *body, size_t size, struct draw_act *out)
{
    if (size < BODY_ACT)
        return false;
    out->time_s = little_get64(body + ACT_TIME);
    out->uid = little_get32(body + ACT_UID);
    return get_text(body + BODY_ACT, size - BODY_ACT, little_get32(body + ACT_TEXT_SIZE),
                    &out->text);
}

size_t journal_size_of_more(const struct draw_record *record)
{
    switch (record->type) {
    case DRAW_OPENED:
        return BODY_OPENED;
    case DRAW_SEALING:
        return BODY_SEALED;
    case DRAW_DRAWING:
        return BODY_DRAWN_LONG + journal_round_up(record->drawn.source.size);
    case DRAW_ACT:
        return BODY_ACT + journal_round_up(record->act.text.size);
    case DRAW_AGENCIES:
    case DRAW_BETS:
    case DRAW_FINISHED:
    case DRAW_CLOSING:
        break; /* these have one form */
    }
    return 0;
}

void journal_put_more(const struct draw_record *record, uint8_t *body)
{
    memset(body, 0, journal_size_of_more(record));
    switch (record->type) {
    case DRAW_OPENED:
        put_opened(body, &record->opened);
        break;
    case DRAW_SEALING:
        little_put64(body + SEALED_TIME, record->sealed.time_s);
        memcpy(body + SEALED_ROOT, record->sealed.root, DRAW_ROOT_SIZE);
        break;
    case DRAW_DRAWING:
        put_drawn(body, &record->drawn);
        break;
    case DRAW_ACT:
        little_put64(body + ACT_TIME, record->act.time_s);
        little_put32(body + ACT_UID, record->act.uid);
        little_put32(body + ACT_TEXT_SIZE, (uint32_t)record->act.text.size);
        put_text(body + BODY_ACT, record->act.text);
        break;
    case DRAW_AGENCIES:
    case DRAW_BETS:
    case DRAW_FINISHED:
    case DRAW_CLOSING:
        ASSERT(false);
    }
}

/* What is read is written again and compared: so there is one form for everything, and no byte that
 * nobody looks at. */
bool journal_get_more(const uint8_t *body, size_t size, struct draw_record *record)
{
    uint8_t again[JOURNAL_FIXED_MAX - AT_BODY];
    bool is_right = false;

    switch (record->type) {
    case DRAW_OPENED:
        is_right = get_opened(body, size, &record->opened);
        break;
    case DRAW_SEALING:
        is_right = get_sealed(body, size, &record->sealed);
        break;
    case DRAW_DRAWING:
        is_right = get_drawn(body, size, &record->drawn);
        break;
    case DRAW_ACT:
        is_right = get_act(body, size, &record->act);
        break;
    case DRAW_AGENCIES:
    case DRAW_BETS:
    case DRAW_FINISHED:
    case DRAW_CLOSING:
        break;
    }
    if (!is_right)
        return false;
    ASSERT(size <= sizeof(again) && size == journal_size_of_more(record));
    journal_put_more(record, again);
    return memcmp(again, body, size) == 0;
}
