#include "base64.h"

#define NO_DIGIT 64U

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t group = (uint32_t)bytes[at] << 16;
        if (left > 1)
            group |= (uint32_t)bytes[at + 1] << 8;
        if (left > 2)
            group |= bytes[at + 2];
        *out++ = base64_digits[group >> 18];
        *out++ = base64_digits[group >> 12 & 63];
        *out++ = base64_digits[group >> 6 & 63];
        *out++ = base64_digits[group & 63];
        if (left < 3)
            out[-1] = '=';
        if (left < 2)
            out[-2] = '=';
    }
    return out;
}

static uint32_t base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint32_t)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return (uint32_t)(c - 'a') + 26;
    if (text_is_digit(c))
        return (uint32_t)(c - '0') + 52;
    return c == '+' ? 62 : c == '/' ? 63 : NO_DIGIT;
}

/* How many of the `size` characters are not padding. */
static size_t base64_digits_in(struct text text)
{
    size_t size = text.size;

    for (size_t i = 0; i < 2 && size > 0 && text.data[size - 1] == '='; i++)
        size--;
    return size;
}

size_t base64_decoded_size(struct text text)
{
    return base64_digits_in(text) / 4 * 3 + base64_digits_in(text) % 4 * 3 / 4;
}

bool base64_decode(struct text text, uint8_t *out, size_t size)
{
    size_t digits = base64_digits_in(text);
    uint32_t bits = 0;

    if (text.size % 4 != 0 || digits % 4 == 1 || base64_decoded_size(text) != size)
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (base64_value(text.data[i]) == NO_DIGIT)
            return false;
    }
    size_t unused = digits % 4 == 2 ? 15 : digits % 4 == 3 ? 3 : 0;
    if (digits > 0 && (base64_value(text.data[digits - 1]) & unused) != 0)
        return false;
    for (size_t i = 0, at = 0; out != NULL && i < digits; i++) {
        bits = bits << 6 | base64_value(text.data[i]);
        if (i % 4 != 0)
            out[at++] = (uint8_t)(bits >> (6 - i % 4 * 2));
    }
    return true;
}
