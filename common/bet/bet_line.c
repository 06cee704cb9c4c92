#include "bet_line.h"

#include "assertion.h"
#include "word.h"

#include <string.h>

static char *bet_line_put_uint(char *out, uint32_t value)
{
    char digits[10];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count > 0)
        *out++ = digits[--count];
    return out;
}

static char *bet_line_put_text(char *out, struct text text)
{
    memcpy(out, text.data, text.size);
    return out + text.size;
}

static bool bet_line_word_needs_quotes(uint64_t word)
{
    return (word_find(word, ',') | word_find(word, '"')) != 0;
}

/* Does the text contain a comma or a double quote? */
static bool bet_line_needs_quotes(struct text text)
{
    const char *p = text.data;
    const char *end = p + text.size;

    for (; end - p >= WORD_SIZE; p += WORD_SIZE) {
        if (bet_line_word_needs_quotes(word_load(p)))
            return true;
    }
    return p < end && bet_line_word_needs_quotes(word_load_part(p, (size_t)(end - p), ' '));
}

/* Only names can need quotes: no other field of a valid bet contains a comma or a double quote. */
static char *bet_line_put_name(char *out, struct text name)
{
    if (!bet_line_needs_quotes(name))
        return bet_line_put_text(out, name);
    *out++ = '"';
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] == '"')
            *out++ = '"';
        *out++ = name.data[i];
    }
    *out++ = '"';
    return out;
}

size_t bet_line_put_agency(uint32_t agency, char *out)
{
    char *end = bet_line_put_uint(out, agency);

    *end++ = ',';
    return (size_t)(end - out);
}

size_t bet_lines_format(uint32_t agency, const struct bet *bets, size_t count, char *out)
{
    char *at = out;
    char agency_text[BET_LINE_AGENCY_MAX]; /* the same on every line of a batch */
    struct text id = {agency_text, bet_line_put_agency(agency, agency_text)};

    for (size_t i = 0; i < count; i++) {
        const struct bet *bet = &bets[i];
        at = bet_line_put_text(at, id);
        at = bet_line_put_name(at, bet->first_name);
        *at++ = ',';
        at = bet_line_put_name(at, bet->last_name);
        *at++ = ',';
        at = bet_line_put_text(at, bet->document);
        *at++ = ',';
        at = bet_line_put_text(at, bet->birthdate);
        *at++ = ',';
        at = bet_line_put_uint(at, bet->number);
        *at++ = '\r';
        *at++ = '\n';
    }
    ASSERT((size_t)(at - out) <= count * BET_LINE_MAX);
    return (size_t)(at - out);
}
