#include "decoder.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdlib.h>

struct decoder {
    iconv_t iconv;
    size_t unit; /* bytes of the smallest character: 1, or 2 for UTF-16 */
};

/* The byte order of UTF-16: by its mark, or else by the first character, which is an ASCII one in a
 * file of bets; else little endian, as Windows writes it. */
static const char *decoder_utf_16_name(struct text head)
{
    bool is_big_endian = head.size >= 2 && (memcmp(head.data, "\xfe\xff", 2) == 0 ||
                                            (head.data[0] == '\0' && head.data[1] != '\0'));

    return is_big_endian ? "UTF-16BE" : "UTF-16LE";
}

/* The name that iconv knows it by. */
static const char *decoder_name(enum bets_encoding encoding, struct text head)
{
    switch (encoding) {
    case BETS_ENCODING_WINDOWS_1252:
        return "CP1252";
    case BETS_ENCODING_ISO_8859_1:
        return "ISO-8859-1";
    case BETS_ENCODING_UTF_16:
        return decoder_utf_16_name(head);
    case BETS_ENCODING_UTF_16LE:
        return "UTF-16LE";
    case BETS_ENCODING_UTF_16BE:
        return "UTF-16BE";
    case BETS_ENCODING_UTF_8:
        break;
    }
    return "UTF-8";
}

void decoder_close(struct decoder *decoder)
{
    if (decoder == NULL)
        return;
    (void)iconv_close(decoder->iconv);
    free(decoder);
}

enum status decoder_open(enum bets_encoding encoding, struct text head, struct decoder **out)
{
    struct decoder *decoder = malloc(sizeof(*decoder));

    if (decoder == NULL)
        return STATUS_NOMEM;
    decoder->unit = encoding >= BETS_ENCODING_UTF_16 ? 2 : 1;
    decoder->iconv = iconv_open("UTF-8", decoder_name(encoding, head));
    if (decoder->iconv == (iconv_t)-1) { /* NOLINT(performance-no-int-to-ptr): as POSIX has it */
        enum status status = errno == ENOMEM ? STATUS_NOMEM : STATUS_NOTFOUND;
        decoder_close(decoder); /* closing what is not open fails, and that is all */
        return status;
    }
    *out = decoder;
    return STATUS_OK;
}

size_t decoder_decode(struct decoder *decoder, struct text in, char *out, size_t size,
                      size_t *written)
{
    char *from = (char *)(uintptr_t)in.data; /* iconv does not write to it */
    size_t left = in.size;
    char *to = out;
    size_t room = size;

    while (left > 0 && room >= DECODER_ROOM) {
        if (iconv(decoder->iconv, &from, &left, &to, &room) != (size_t)-1 || errno == E2BIG)
            break;
        bool is_cut = errno == EINVAL;
        if (is_cut && left < in.size)
            break;
        size_t bad = left < decoder->unit ? left : decoder->unit;
        *to++ = (char)DECODER_INVALID;
        room--;
        from += bad;
        left -= bad;
    }
    *written = size - room;
    return in.size - left;
}

uint64_t decoder_source_size(const struct decoder *decoder, struct text decoded)
{
    uint64_t units = 0;

    for (size_t i = 0; i < decoded.size; i++) {
        unsigned char byte = (unsigned char)decoded.data[i];
        units += (byte & 0xc0U) != 0x80; /* every character has one byte that begins it */
        units += decoder->unit == 2 && byte >= 0xf0 && byte != DECODER_INVALID;
    }
    return units * decoder->unit;
}
