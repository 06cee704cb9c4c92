#include "file_kind.h"

#include <stdio.h>

#define EXPORT "save it as CSV UTF-8"
#define BEGINS_WITH(head, bytes) file_kind_begins((head), (struct text){bytes, sizeof(bytes) - 1})

static bool file_kind_begins(struct text head, struct text bytes)
{
    return head.size >= bytes.size && memcmp(head.data, bytes.data, bytes.size) == 0;
}

/* Bytes of `head` at even (0) or odd (1) places that have this value. */
static size_t file_kind_count(struct text head, size_t parity, char byte)
{
    size_t count = 0;

    for (size_t i = parity; i < head.size; i += 2)
        count += head.data[i] == byte;
    return count;
}

/* UTF-16 of western letters: every second byte is NUL, or nearly. */
static bool file_kind_is_utf_16(struct text head, bool *out_is_big_endian)
{
    size_t even = file_kind_count(head, 0, '\0');
    size_t odd = file_kind_count(head, 1, '\0');

    *out_is_big_endian = even > odd;
    return head.size >= 2 && even + odd >= (head.size + 3) / 4 && (even == 0 || odd == 0);
}

/* What else has to be set to read UTF-16 text: Excel's "Unicode Text" has tabs. */
static const char *file_kind_utf_16_delimiter(struct text head, bool is_big_endian)
{
    size_t commas = file_kind_count(head, is_big_endian, ',');

    if (file_kind_count(head, is_big_endian, '\t') > commas)
        return " and bets.delimiter to tab";
    if (file_kind_count(head, is_big_endian, ';') > commas)
        return " and bets.delimiter to ;";
    return "";
}

/* A format that is not text at all, or NULL. */
static const char *file_kind_other(struct text head)
{
    if (BEGINS_WITH(head, "PK\003\004"))
        return "a ZIP archive, as Excel's and LibreOffice's workbooks are, not CSV: open it there "
               "and "
               "save the sheet as CSV UTF-8";
    if (BEGINS_WITH(head, "\xd0\xcf\x11\xe0"))
        return "an old Excel workbook (.xls), not CSV: open it there and save the sheet as CSV "
               "UTF-8";
    if (BEGINS_WITH(head, "%PDF"))
        return "a PDF document, not CSV: export the bets as CSV UTF-8";
    if (BEGINS_WITH(head, "\x1f\x8b"))
        return "compressed with gzip: uncompress it first";
    if (BEGINS_WITH(head, "<"))
        return "a web page or another XML document, not CSV: export the bets as CSV UTF-8";
    return NULL;
}

bool file_kind_describe(struct text head, enum bets_encoding encoding, char out[FILE_KIND_TEXT_MAX])
{
    bool expects_utf_16 = encoding >= BETS_ENCODING_UTF_16;
    const char *other = file_kind_other(head);
    bool is_big_endian = false;

    out[0] = '\0';
    if (other != NULL)
        (void)snprintf(out, FILE_KIND_TEXT_MAX, "the file is %s", other);
    else if (expects_utf_16 && memchr(head.data, '\0', head.size) == NULL)
        (void)snprintf(out, FILE_KIND_TEXT_MAX,
                       "the file is not UTF-16, as bets.encoding says: set it to utf-8, or to "
                       "windows-1252");
    else if (expects_utf_16)
        return false;
    else if (file_kind_is_utf_16(head, &is_big_endian))
        (void)snprintf(
            out, FILE_KIND_TEXT_MAX,
            "the file is UTF-16 (Excel's \"Unicode Text\"): set bets.encoding to %s%s, or "
            "save it as CSV UTF-8",
            BEGINS_WITH(head, "\xff\xfe") || BEGINS_WITH(head, "\xfe\xff") ? "utf-16"
            : is_big_endian                                                ? "utf-16be"
                                                                           : "utf-16le",
            file_kind_utf_16_delimiter(head, is_big_endian));
    else if (encoding != BETS_ENCODING_UTF_8 && BEGINS_WITH(head, "\xef\xbb\xbf"))
        (void)snprintf(out, FILE_KIND_TEXT_MAX,
                       "the file begins with the byte order mark of UTF-8: set bets.encoding to "
                       "utf-8");
    return out[0] != '\0';
}
