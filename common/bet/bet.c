#include "bet.h"

#include "utf8.h"
#include "word.h"

#include <stdbool.h>

static const char *const fault_texts[BET_FAULT_COUNT] = {
#define XX(name, text) text,
    BET_FAULT_MAP(XX)
#undef XX
};

const char *bet_fault_text(enum bet_fault fault)
{
    return (unsigned)fault < BET_FAULT_COUNT ? fault_texts[fault] : "?";
}

static bool bet_is_alphanumeric(char c)
{
    return text_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Only digits? Their high nibble is 3, and still is after adding 6. */
static bool bet_is_digits(uint64_t word)
{
    return (word & WORD_OF(0xf0)) == WORD_OF(0x30) &&
           ((word + WORD_OF(6)) & WORD_OF(0xf0)) == WORD_OF(0x30);
}

static bool bet_is_document(struct text text)
{
    if (text.size < 1 || text.size > BET_DOCUMENT_MAX)
        return false;
    /* Nearly every document is a number of seven or eight digits. */
    if (text.size <= WORD_SIZE &&
        bet_is_digits(text.size == WORD_SIZE ? word_load(text.data)
                                             : word_load_part(text.data, text.size, '0')))
        return true;
    for (size_t i = 0; i < text.size; i++) {
        if (!bet_is_alphanumeric(text.data[i]))
            return false;
    }
    return true;
}

static uint32_t bet_two_digits(const char *p)
{
    return (uint32_t)(p[0] - '0') * 10 + (uint32_t)(p[1] - '0');
}

static uint32_t bet_days_in_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

/* By the proleptic Gregorian calendar from year 1, like Python's date.fromisoformat. */
static enum bet_fault bet_check_birthdate(struct text text, uint32_t today)
{
    const char *p = text.data;

    if (text.size != BET_BIRTHDATE_SIZE)
        return BET_FAULT_BIRTHDATE;
    /* Turns the hyphens (bytes 4 and 7) into digits, so that all eight bytes have to be digits. */
    uint64_t hyphen_to_digit = (uint64_t)('-' ^ '0') << 32 | (uint64_t)('-' ^ '0') << 56;
    if (p[4] != '-' || p[7] != '-' || !bet_is_digits(word_load(p) ^ hyphen_to_digit) ||
        !text_is_digit(p[8]) || !text_is_digit(p[9]))
        return BET_FAULT_BIRTHDATE;
    uint32_t year = bet_two_digits(p) * 100 + bet_two_digits(p + 2);
    uint32_t month = bet_two_digits(p + 5);
    uint32_t day = bet_two_digits(p + 8);
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > bet_days_in_month(year, month))
        return BET_FAULT_BIRTHDATE;
    return year * 10000 + month * 100 + day > today ? BET_FAULT_BIRTHDATE_FUTURE : BET_FAULT_NONE;
}

static bool bet_is_name_size(struct text name)
{
    return name.size >= 1 && name.size <= BET_NAME_MAX;
}

enum bet_fault bet_check(const struct bet *bet, uint32_t today)
{
    if (!bet_is_name_size(bet->first_name))
        return BET_FAULT_FIRST_NAME_SIZE;
    if (!utf8_is_printable(bet->first_name))
        return BET_FAULT_FIRST_NAME_TEXT;
    if (!bet_is_name_size(bet->last_name))
        return BET_FAULT_LAST_NAME_SIZE;
    if (!utf8_is_printable(bet->last_name))
        return BET_FAULT_LAST_NAME_TEXT;
    if (!bet_is_document(bet->document))
        return BET_FAULT_DOCUMENT;
    enum bet_fault fault = bet_check_birthdate(bet->birthdate, today);
    if (fault != BET_FAULT_NONE)
        return fault;
    return bet->number > BET_NUMBER_MAX ? BET_FAULT_NUMBER : BET_FAULT_NONE;
}

enum bet_fault bet_check_sizes(const struct bet *bet)
{
    if (!bet_is_name_size(bet->first_name))
        return BET_FAULT_FIRST_NAME_SIZE;
    if (!bet_is_name_size(bet->last_name))
        return BET_FAULT_LAST_NAME_SIZE;
    if (bet->document.size < 1 || bet->document.size > BET_DOCUMENT_MAX)
        return BET_FAULT_DOCUMENT;
    if (bet->birthdate.size != BET_BIRTHDATE_SIZE)
        return BET_FAULT_BIRTHDATE;
    return bet->number > BET_NUMBER_MAX ? BET_FAULT_NUMBER : BET_FAULT_NONE;
}

enum bet_fault bet_number_read(struct text text, uint32_t *out)
{
    uint32_t value = 0;

    if (text.size == 0)
        return BET_FAULT_NUMBER;
    for (size_t i = 0; i < text.size; i++) {
        uint32_t digit = (unsigned char)text.data[i] - (uint32_t)'0';
        value = value * 10 + digit;
        if (digit > 9 || value > BET_NUMBER_MAX)
            return BET_FAULT_NUMBER;
    }
    *out = value;
    return BET_FAULT_NONE;
}
