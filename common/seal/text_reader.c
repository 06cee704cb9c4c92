#include "text_reader.h"

#include "base64.h"
#include "draw_id.h"
#include "hex.h"
#include "rfc3339.h"

void text_reader_literal(struct text_reader *reader, const char *literal)
{
    size_t size = strlen(literal);

    if (reader->is_bad || reader->rest.size < size ||
        memcmp(reader->rest.data, literal, size) != 0) {
        reader->is_bad = true;
        return;
    }
    reader->rest.data += size;
    reader->rest.size -= size;
}

/* The next `size` bytes. */
static struct text text_reader_take(struct text_reader *reader, size_t size)
{
    struct text taken = {reader->rest.data, size};

    if (reader->is_bad || size > reader->rest.size) {
        reader->is_bad = true;
        return (struct text){"", 0};
    }
    reader->rest.data += size;
    reader->rest.size -= size;
    return taken;
}

uint64_t text_reader_number(struct text_reader *reader, uint64_t max)
{
    uint64_t value = 0;
    size_t digits = 0;

    while (digits < reader->rest.size && text_is_digit(reader->rest.data[digits]))
        digits++;
    struct text text = text_reader_take(reader, digits);
    if (text.size == 0 || (text.size > 1 && text.data[0] == '0'))
        reader->is_bad = true;
    for (size_t i = 0; i < text.size; i++) {
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (digit > max || value > (max - digit) / 10)
            reader->is_bad = true;
        value = value * 10 + digit;
    }
    return reader->is_bad ? 0 : value;
}

void text_reader_hex(struct text_reader *reader, uint8_t *out, size_t size)
{
    reader->is_bad = !hex_decode(text_reader_take(reader, 2 * size), out, size) || reader->is_bad;
}

void text_reader_base64(struct text_reader *reader, uint8_t *out, size_t size)
{
    reader->is_bad =
        !base64_decode(text_reader_take(reader, BASE64_SIZE(size)), out, size) || reader->is_bad;
}

uint64_t text_reader_time(struct text_reader *reader)
{
    struct text text = text_reader_take(reader, RFC3339_SIZE - 1);
    char again[RFC3339_SIZE] = "";
    uint64_t seconds = 0;

    if (rfc3339_parse(text, &seconds, NULL) == STATUS_OK)
        rfc3339_format(seconds, again);
    if (text.size != strlen(again) || memcmp(text.data, again, text.size) != 0)
        reader->is_bad = true;
    return seconds;
}

struct text text_reader_until(struct text_reader *reader, char end)
{
    const char *at =
        reader->rest.size > 0 ? memchr(reader->rest.data, end, reader->rest.size) : NULL;

    if (at == NULL) {
        reader->is_bad = true;
        return (struct text){"", 0};
    }
    struct text before = text_reader_take(reader, (size_t)(at - reader->rest.data));
    (void)text_reader_take(reader, 1);
    return before;
}

void text_reader_id(struct text_reader *reader, char end, char *id)
{
    struct text text = text_reader_until(reader, end);

    if (text.size == 1 && text.data[0] == '-') {
        id[0] = '\0';
        return;
    }
    if (!draw_id_is_valid(text)) {
        reader->is_bad = true;
        return;
    }
    memcpy(id, text.data, text.size);
    id[text.size] = '\0';
}

bool text_reader_is_done(const struct text_reader *reader)
{
    return !reader->is_bad && reader->rest.size == 0;
}
