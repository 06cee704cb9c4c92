/* The rules of a bet, compared with a simple reference. */
#include "bet.h"
#include "fuzz.h"
#include "utf8.h"

/* Decodes the first character of `text` and its size; false when it is not valid. Decodes first,
 * and then checks that it was the shortest way to write the character. */
static bool decode(struct text text, uint32_t *out, size_t *size)
{
    static const uint32_t min[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)text.data;

    *size = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (*size == 0 || *size > text.size)
        return false;
    uint32_t c = *size == 1 ? p[0] : p[0] & (0x7fu >> *size);
    for (size_t i = 1; i < *size; i++) {
        if (p[i] >> 6 != 2)
            return false;
        c = c << 6 | (p[i] & 0x3fu);
    }
    *out = c;
    return c >= min[*size] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
}

static bool is_printable(struct text text)
{
    while (text.size > 0) {
        uint32_t c;
        size_t size;
        if (!decode(text, &c, &size) || c < 0x20 || (c >= 0x7f && c < 0xa0))
            return false;
        text.data += size;
        text.size -= size;
    }
    return true;
}

static bool is_document(struct text text)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\0' || strchr(allowed, text.data[i]) == NULL)
            return false;
    }
    return text.size >= 1 && text.size <= 16;
}

/* The day as a number YYYYMMDD, 0 when there is no such day. */
static uint32_t day_of(struct text text)
{
    char pattern[] = "0000-00-00";
    int year;
    int month;
    int day;

    if (text.size != 10)
        return 0;
    for (size_t i = 0; i < 10; i++) {
        bool is_digit = text.data[i] >= '0' && text.data[i] <= '9';
        if (pattern[i] == '0' ? !is_digit : text.data[i] != pattern[i])
            return 0;
        pattern[i] = text.data[i];
    }
    FUZZ_CHECK(sscanf(pattern, "%4d-%2d-%2d", &year, &month, &day) == 3);
    int days = 31;
    if (month == 4 || month == 6 || month == 9 || month == 11)
        days = 30;
    if (month == 2)
        days = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0) ? 29 : 28;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > days)
        return 0;
    return (uint32_t)(year * 10000 + month * 100 + day);
}

static bool is_name(struct text text)
{
    return text.size >= 1 && text.size <= 64 && is_printable(text);
}

static enum bet_fault find_fault(const struct bet *bet, uint32_t today)
{
    uint32_t day = day_of(bet->birthdate);

    if (!is_name(bet->first_name))
        return bet->first_name.size >= 1 && bet->first_name.size <= 64 ? BET_FAULT_FIRST_NAME_TEXT
                                                                       : BET_FAULT_FIRST_NAME_SIZE;
    if (!is_name(bet->last_name))
        return bet->last_name.size >= 1 && bet->last_name.size <= 64 ? BET_FAULT_LAST_NAME_TEXT
                                                                     : BET_FAULT_LAST_NAME_SIZE;
    if (!is_document(bet->document))
        return BET_FAULT_DOCUMENT;
    if (day == 0)
        return BET_FAULT_BIRTHDATE;
    if (day > today)
        return BET_FAULT_BIRTHDATE_FUTURE;
    return bet->number > 9999 ? BET_FAULT_NUMBER : BET_FAULT_NONE;
}

static void check_number(struct text text)
{
    uint32_t number = 4711;
    uint32_t wanted = 0;
    bool is_good = text.size > 0;

    for (size_t i = 0; i < text.size; i++) {
        is_good = is_good && text.data[i] >= '0' && text.data[i] <= '9';
        if (is_good && wanted <= 9999)
            wanted = wanted * 10 + (uint32_t)(text.data[i] - '0');
    }
    is_good = is_good && wanted <= 9999;
    FUZZ_CHECK((bet_number_read(text, &number) == BET_FAULT_NONE) == is_good);
    FUZZ_CHECK(number == (is_good ? wanted : 4711));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint32_t today = 19000101 + (uint32_t)fuzz_uint(&input, 3) % 2000000;
    struct bet bet;
    struct text rest;

    bet.number = (uint32_t)fuzz_uint(&input, 2);
    bet.first_name = fuzz_text(&input, 80, false);
    bet.last_name = fuzz_text(&input, 80, false);
    bet.document = fuzz_text(&input, 20, false);
    bet.birthdate = fuzz_text(&input, 12, false);
    rest = fuzz_text(&input, 255, false);

    FUZZ_CHECK(bet_check(&bet, today) == find_fault(&bet, today));
    FUZZ_CHECK(utf8_is_printable(rest) == is_printable(rest));
    check_number(rest);
    check_number(bet.document);

    fuzz_text_free(bet.first_name);
    fuzz_text_free(bet.last_name);
    fuzz_text_free(bet.document);
    fuzz_text_free(bet.birthdate);
    fuzz_text_free(rest);
    return 0;
}
