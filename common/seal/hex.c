#include "hex.h"

static const char hex_digits[] = "0123456789abcdef";

char *hex_encode(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        *out++ = hex_digits[bytes[i] >> 4];
        *out++ = hex_digits[bytes[i] & 15];
    }
    return out;
}

static bool hex_is_digit(char c)
{
    return text_is_digit(c) || (c >= 'a' && c <= 'f');
}

static uint8_t hex_value(char c)
{
    return (uint8_t)(text_is_digit(c) ? c - '0' : c - 'a' + 10);
}

bool hex_decode(struct text text, uint8_t *out, size_t size)
{
    if (text.size / 2 != size || text.size % 2 != 0)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (!hex_is_digit(text.data[i]))
            return false;
    }
    for (size_t i = 0; i < size; i++)
        out[i] = (uint8_t)(hex_value(text.data[2 * i]) << 4 | hex_value(text.data[2 * i + 1]));
    return true;
}
