#include "row_advice.h"

#include "decoder.h"
#include "odd_text.h"

#include <strings.h>

static const char *const texts[ROW_ADVICE_COUNT] = {
#define XX(name, text) text,
    ROW_ADVICE_MAP(XX)
#undef XX
};

const char *row_advice_text(enum row_advice advice)
{
    return (unsigned)advice < ROW_ADVICE_COUNT ? texts[advice] : "";
}

bool row_advice_is_about_file(enum row_advice advice)
{
    return advice == ROW_ADVICE_SERVER_FILE || advice == ROW_ADVICE_COMMAS ||
           advice == ROW_ADVICE_SEMICOLONS || advice == ROW_ADVICE_TABS;
}

static bool row_advice_is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80;
}

static bool row_advice_is_one_of(char c, const char *bytes)
{
    return c != '\0' && strchr(bytes, c) != NULL;
}

/* Does the text consist of these bytes only? */
static bool row_advice_is_made_of(struct text text, const char *bytes)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!row_advice_is_one_of(text.data[i], bytes))
            return false;
    }
    return true;
}

static size_t row_advice_count_digits(struct text text)
{
    size_t digits = 0;

    for (size_t i = 0; i < text.size; i++)
        digits += text_is_digit(text.data[i]);
    return digits;
}

static bool row_advice_has_blank_around(struct text text)
{
    return text.size > 0 && (row_advice_is_one_of(text.data[0], " \t") ||
                             row_advice_is_one_of(text.data[text.size - 1], " \t"));
}

/* The number of digits from `at` on. */
static size_t row_advice_digits_at(struct text text, size_t at)
{
    size_t end = at;

    while (end < text.size && text_is_digit(text.data[end]))
        end++;
    return end - at;
}

bool row_advice_is_sep_line(const struct text *fields, size_t count)
{
    if (count == 0 || fields[0].size < 4 || strncasecmp(fields[0].data, "sep=", 4) != 0)
        return false;
    return count == 1 ? fields[0].size == 5
                      : count == 2 && fields[0].size == 4 && fields[1].size == 0;
}

bool row_advice_is_header(const struct text *fields, size_t count)
{
    if (count != ROW_FIELDS)
        return false;
    for (size_t i = 0; i < ROW_FIELDS; i++) {
        struct text name = fields[i];
        while (name.size > 0 && name.data[0] == ' ')
            name = (struct text){name.data + 1, name.size - 1};
        if (name.size == 0 || !row_advice_is_letter(name.data[0]))
            return false;
    }
    return true;
}

/* How often the byte occurs in the fields that are kept. */
static size_t row_advice_count(const struct row_facts *facts, char byte)
{
    size_t found = 0;

    for (size_t i = 0; i < facts->count && i < ROW_FIELDS_KEPT; i++) {
        for (size_t at = 0; at < facts->fields[i].size; at++)
            found += facts->fields[i].data[at] == byte;
    }
    return found;
}

static bool row_advice_is_empty(const struct row_facts *facts)
{
    for (size_t i = 0; i < facts->count && i < ROW_FIELDS_KEPT; i++) {
        if (facts->fields[i].size > 0)
            return false;
    }
    return true;
}

/* Are the fields after the first one a bet? */
static bool row_advice_is_server_row(const struct row_facts *facts)
{
    const struct text *fields = facts->fields;
    struct bet bet = {fields[1], fields[2], fields[3], fields[4], 0};

    return fields[0].size > 0 && row_advice_digits_at(fields[0], 0) == fields[0].size &&
           bet_number_read(fields[5], &bet.number) == BET_FAULT_NONE &&
           bet_check(&bet, facts->today) == BET_FAULT_NONE;
}

/* A row that does not have five fields. */
static enum row_advice row_advice_of_count(const struct row_facts *facts)
{
    enum bets_delimiter delimiter = facts->format->delimiter;

    if (facts->count == 1 && facts->fields[0].size == 1 && facts->fields[0].data[0] == '\x1a')
        return ROW_ADVICE_CTRL_Z;
    if (facts->count == 1 && row_advice_is_made_of(facts->fields[0], " \t"))
        return ROW_ADVICE_BLANKS;
    if (facts->count < ROW_FIELDS) {
        if (delimiter != BETS_DELIMITER_SEMICOLON && row_advice_count(facts, ';') >= ROW_FIELDS - 1)
            return ROW_ADVICE_SEMICOLONS;
        if (delimiter != BETS_DELIMITER_TAB && row_advice_count(facts, '\t') >= ROW_FIELDS - 1)
            return ROW_ADVICE_TABS;
        if (delimiter != BETS_DELIMITER_COMMA && row_advice_count(facts, ',') >= ROW_FIELDS - 1)
            return ROW_ADVICE_COMMAS;
    }
    if (facts->count == ROW_FIELDS + 1 && row_advice_is_server_row(facts))
        return ROW_ADVICE_SERVER_FILE;
    if (facts->count == ROW_FIELDS + 1 && facts->fields[ROW_FIELDS].size == 0)
        return ROW_ADVICE_SIXTH_EMPTY;
    return ROW_ADVICE_NONE;
}

/* What is wrong with a document or a number. */
static enum row_advice row_advice_of_digits(struct text text)
{
    size_t digits = row_advice_count_digits(text);

    if (odd_text_has_blank(text))
        return ROW_ADVICE_NO_BREAK_SPACE;
    if (digits == 0 || digits == text.size)
        return ROW_ADVICE_NONE;
    if (text.size > 2 && (text.data[text.size - 2] == '.' || text.data[text.size - 2] == ',') &&
        text.data[text.size - 1] == '0' && digits == text.size - 1)
        return ROW_ADVICE_DECIMALS;
    if (row_advice_has_blank_around(text))
        return ROW_ADVICE_BLANKS_AROUND;
    if (row_advice_is_made_of(text, "0123456789., "))
        return ROW_ADVICE_DOTS;
    if (row_advice_is_made_of(text, "0123456789.,Ee+"))
        return ROW_ADVICE_SCIENTIFIC;
    return ROW_ADVICE_NONE;
}

/* Three numbers with the same kind of separator, from the text's beginning; 0 digits: not there. */
struct row_date {
    size_t digits[3]; /* of each number */
    char separator;   /* between them */
    size_t size;      /* bytes of it all */
};

static bool row_advice_read_date(struct text text, struct row_date *out)
{
    size_t at = 0;

    for (size_t i = 0; i < 3; i++) {
        out->digits[i] = row_advice_digits_at(text, at);
        at += out->digits[i];
        if (out->digits[i] == 0 || out->digits[i] > 4)
            return false;
        if (i == 2)
            break;
        if (at == text.size || !row_advice_is_one_of(text.data[at], "/-.") ||
            (i > 0 && text.data[at] != out->separator))
            return false;
        out->separator = text.data[at++];
    }
    out->size = at;
    return at == text.size || row_advice_is_one_of(text.data[at], " T");
}

static enum row_advice row_advice_of_date(struct text text)
{
    struct row_date date = {{0}, '\0', 0};
    size_t digits = row_advice_digits_at(text, 0);

    if (odd_text_has_blank(text))
        return ROW_ADVICE_NO_BREAK_SPACE;
    if (row_advice_has_blank_around(text))
        return ROW_ADVICE_BLANKS_AROUND;
    if (digits == text.size && (digits == 4 || digits == 5))
        return ROW_ADVICE_SERIAL;
    if (!row_advice_read_date(text, &date) || date.digits[1] > 2)
        return ROW_ADVICE_NONE;
    if (date.digits[0] <= 2)
        return ROW_ADVICE_DAY_FIRST;
    if (date.separator != '-' || date.digits[1] != 2 || date.digits[2] != 2)
        return ROW_ADVICE_OTHER_DATE;
    return date.size < text.size ? ROW_ADVICE_WITH_TIME : ROW_ADVICE_NONE;
}

/* Has the name a control character, be it of ASCII or one of U+0080..U+009F? */
static bool row_advice_has_control(struct text name)
{
    for (size_t i = 0; i < name.size; i++) {
        unsigned char byte = (unsigned char)name.data[i];
        if (byte < 0x20 || byte == 0x7f)
            return true;
        if (byte == 0xc2 && i + 1 < name.size && (unsigned char)name.data[i + 1] < 0xa0)
            return true;
    }
    return false;
}

/* A name that is not valid UTF-8, or has a control character. */
static enum row_advice row_advice_of_name(const struct row_facts *facts, struct text name)
{
    if (facts->format->encoding != BETS_ENCODING_UTF_8 &&
        memchr(name.data, DECODER_INVALID, name.size) != NULL)
        return ROW_ADVICE_NOT_ENCODING;
    struct odd_text_lines odd = {{0}};
    odd_text_scan(&odd, name, 0, 0);
    if (odd.lines[ODD_TEXT_MOJIBAKE] != 0)
        return ROW_ADVICE_MOJIBAKE;
    return row_advice_has_control(name) ? ROW_ADVICE_NONE : ROW_ADVICE_NOT_UTF_8;
}

enum row_advice row_advice_find(const struct row_facts *facts)
{
    const struct text *fields = facts->fields;

    if (facts->is_first && row_advice_is_sep_line(fields, facts->count))
        return ROW_ADVICE_SEP_LINE;
    if (facts->is_first && row_advice_is_header(fields, facts->count))
        return ROW_ADVICE_HEADER;
    if (facts->count > 1 && row_advice_is_empty(facts))
        return ROW_ADVICE_EMPTY_FIELDS;
    if (facts->count != ROW_FIELDS)
        return row_advice_of_count(facts);
    if (facts->fault == BET_FAULT_FIRST_NAME_TEXT)
        return row_advice_of_name(facts, fields[0]);
    if (facts->fault == BET_FAULT_LAST_NAME_TEXT)
        return row_advice_of_name(facts, fields[1]);
    if (facts->fault == BET_FAULT_DOCUMENT)
        return row_advice_of_digits(fields[2]);
    if (facts->fault == BET_FAULT_BIRTHDATE)
        return row_advice_of_date(fields[3]);
    return facts->fault == BET_FAULT_NUMBER ? row_advice_of_digits(fields[4]) : ROW_ADVICE_NONE;
}
