#include "bets_csv.h"

#include "csv_line.h"

#include <string.h>

#define FIELDS 6

size_t bets_csv_skip(const void *text, size_t size, uint32_t count)
{
    const char *begin = text;
    const char *at = begin;

    for (; count > 0; count--) {
        const char *newline = memchr(at, '\n', size - (size_t)(at - begin));
        if (newline == NULL)
            return size;
        at = newline + 1;
    }
    return (size_t)(at - begin);
}

/* Reads the field at *at of a line that ends at `end` (its CR), unquotes it in place and moves *at
 * past the comma that follows it, unless it is the last field. */
static bool bets_csv_take_field(char **at, char *end, bool is_last, struct text *out)
{
    char *p = *at;

    if (p < end && *p == '"') {
        char *to = ++p;
        out->data = to;
        for (;;) {
            char *quote = memchr(p, '"', (size_t)(end - p));
            if (quote == NULL)
                return false;
            memmove(to, p, (size_t)(quote - p));
            to += quote - p;
            p = quote + 1;
            if (p == end || *p != '"')
                break;
            *to++ = '"';
            p++;
        }
        out->size = (size_t)(to - out->data);
    } else {
        char *comma = memchr(p, ',', (size_t)(end - p));
        out->data = p;
        p = comma != NULL ? comma : end;
        out->size = (size_t)(p - out->data);
    }
    if (is_last) {
        *at = p;
        return p == end;
    }
    *at = p + 1;
    return p < end && *p == ',';
}

static bool bets_csv_read_agency(struct text text, uint32_t *out)
{
    uint64_t value = 0;

    if (text.size < 1 || text.size > 10)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!text_is_digit(text.data[i]))
            return false;
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = (uint32_t)value;
    return value <= UINT32_MAX;
}

/* Splits the first line of a text into fields that may be quoted. Returns the size of the line in
 * bytes, 0 when it is damaged. */
static size_t bets_csv_split_quoted(char *text, size_t size, struct text fields[FIELDS])
{
    char *at = text;
    char *newline = memchr(text, '\n', size);

    if (newline == NULL || newline == text || newline[-1] != '\r')
        return 0;
    for (size_t i = 0; i < FIELDS; i++) {
        if (!bets_csv_take_field(&at, newline - 1, i + 1 == FIELDS, &fields[i]))
            return 0;
    }
    return (size_t)(newline + 1 - text);
}

/* Reads the first line of a text. Returns its size in bytes, 0 when it is damaged. */
static size_t bets_csv_read_line(char *text, size_t size, uint32_t *agency, struct bet *bet)
{
    struct text fields[FIELDS];

    size_t line_size = csv_line_split(text, size, fields, FIELDS);
    if (line_size == 0)
        line_size = bets_csv_split_quoted(text, size, fields);
    if (line_size < 2 || text[line_size - 2] != '\r' || !bets_csv_read_agency(fields[0], agency) ||
        bet_number_read(fields[5], &bet->number) != BET_FAULT_NONE)
        return 0;
    bet->first_name = fields[1];
    bet->last_name = fields[2];
    bet->document = fields[3];
    bet->birthdate = fields[4];
    return line_size;
}

/* Reads the number that ends at `end`, quoted or not. False when there is none. */
static bool bets_csv_read_last_field(const char *text, const char *end, uint32_t *out)
{
    const char *p = end;

    while (p > text && p[-1] != ',')
        p--;
    if (end - p >= 2 && *p == '"' && end[-1] == '"') {
        p++;
        end--;
    }
    return p > text && bet_number_read((struct text){p, (size_t)(end - p)}, out) == BET_FAULT_NONE;
}

size_t bets_csv_parse_number(const char *text, size_t size, uint32_t *out)
{
    const char *newline = memchr(text, '\n', size);

    if (newline == NULL || newline == text || newline[-1] != '\r')
        return 0;
    /* As bet_lines_format writes it, a comma and one to four digits: read backwards. */
    const char *p = newline - 1;
    uint32_t value = 0;
    uint32_t weight = 1;
    for (; p > text && text_is_digit(p[-1]) && weight <= BET_NUMBER_MAX; p--) {
        value += (uint32_t)(p[-1] - '0') * weight;
        weight *= 10;
    }
    if (weight > 1 && p > text && p[-1] == ',')
        *out = value;
    else if (!bets_csv_read_last_field(text, newline - 1, out))
        return 0;
    return (size_t)(newline + 1 - text);
}

enum status bets_csv_parse(char *text, size_t size, bets_csv_bet_cb on_bet, void *context,
                           size_t *bad_at)
{
    size_t at = 0;

    while (at < size) {
        struct bet bet;
        uint32_t agency;
        size_t line_size = bets_csv_read_line(text + at, size - at, &agency, &bet);
        if (line_size == 0) {
            *bad_at = at;
            return STATUS_DAMAGED;
        }
        if (!on_bet(context, agency, &bet)) {
            *bad_at = at;
            return STATUS_STOPPED;
        }
        at += line_size;
    }
    return STATUS_OK;
}
