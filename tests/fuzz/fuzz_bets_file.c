/* An agency's CSV file: bets_file reads the same rows as libcsv does when it gets the whole file in
 * one piece, decoded; a checked file can be read again from any row.
 *
 * An input that ends with FORMAT_MARK and a byte is the file before these two; the byte says how it
 * is written. Any other input is a file in the usual format, which may be empty. */
#include "bet_line.h"
#include "bets_file.h"
#include "crc32c.h"
#include "fuzz.h"
#include "row_advice.h"

#include <csv.h>

#define ROWS_MAX 4096
#define FIELDS 6 /* of a row; a good one has one less */
#define SEEKS 4
#define FORMAT_MARK 0xfe
#define LONG_HEADER 2000 /* bytes of a file in which a header may be longer than a row may be */

/* The file as libcsv reads it. Good rows are kept; the first bad one makes the file bad. */
struct wanted {
    struct bets_format format;
    struct bet bets[ROWS_MAX];
    char *texts[ROWS_MAX][FIELDS];
    size_t count;
    struct text row[FIELDS]; /* the one being read */
    size_t fields;
    size_t skipped; /* rows before the bets */
    bool has_begun; /* no more rows are skipped */
    bool is_bad;
};

/* What the bytes 0x80..0x9f are in Windows-1252; 0: nothing. */
static const uint16_t windows_1252[32] = {
    0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178};

/* Writes a character as UTF-8; 0 stands for what is none, unless it is_nul. */
static size_t put_character(uint8_t *out, uint32_t c, bool is_valid)
{
    if (!is_valid) {
        out[0] = 0xff;
        return 1;
    }
    if (c < 0x80) {
        out[0] = (uint8_t)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3f));
    out[0] = (uint8_t)(c | (size == 2 ? 0xc0 : size == 3 ? 0xe0 : 0xf0));
    return size;
}

static size_t decode_bytes(const uint8_t *data, size_t size, bool is_windows, uint8_t *out)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i++) {
        bool is_special = is_windows && data[i] >= 0x80 && data[i] <= 0x9f;
        uint32_t c = is_special ? windows_1252[data[i] - 0x80] : data[i];
        at += put_character(out + at, c, !is_special || c != 0);
    }
    return at;
}

static size_t decode_utf_16(const uint8_t *data, size_t size, bool is_big_endian, uint8_t *out)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i += 2) {
        uint32_t units[2] = {0, 0};
        for (size_t k = 0; k < 2 && i + 2 * k + 1 < size; k++)
            units[k] =
                (uint32_t)data[i + 2 * k + !is_big_endian] << 8 | data[i + 2 * k + is_big_endian];
        bool is_whole = i + 1 < size;
        bool is_low = units[0] >= 0xdc00 && units[0] <= 0xdfff;
        bool is_high = units[0] >= 0xd800 && units[0] <= 0xdbff;
        if (is_high && units[1] >= 0xdc00 && units[1] <= 0xdfff) {
            at += put_character(out + at,
                                0x10000 + ((units[0] - 0xd800) << 10) + (units[1] - 0xdc00), true);
            i += 2;
        } else {
            at += put_character(out + at, units[0], is_whole && !is_low && !is_high);
        }
    }
    return at;
}

/* The file in UTF-8, in memory of its own. */
static uint8_t *decode(enum bets_encoding encoding, const uint8_t *data, size_t *size)
{
    uint8_t *out = malloc(3 * *size + 1);
    bool is_big_endian = encoding == BETS_ENCODING_UTF_16BE;

    FUZZ_CHECK(out != NULL);
    if (encoding == BETS_ENCODING_UTF_16 && *size >= 2)
        is_big_endian = (data[0] == 0xfe && data[1] == 0xff) || (data[0] == 0 && data[1] != 0);
    if (encoding == BETS_ENCODING_UTF_8)
        memcpy(out, data, *size);
    else if (encoding < BETS_ENCODING_UTF_16)
        *size = decode_bytes(data, *size, encoding == BETS_ENCODING_WINDOWS_1252, out);
    else
        *size = decode_utf_16(data, *size, is_big_endian, out);
    return out;
}

static char *copy_of(struct text text)
{
    char *copy = malloc(text.size + 1);

    FUZZ_CHECK(copy != NULL);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

static void on_field(void *data, size_t size, void *context)
{
    struct wanted *wanted = context;

    if (wanted->is_bad || wanted->fields == FIELDS || wanted->count == ROWS_MAX) {
        wanted->is_bad = true;
        return;
    }
    char *copy = copy_of((struct text){data, size});
    wanted->texts[wanted->count][wanted->fields] = copy;
    wanted->row[wanted->fields++] = (struct text){copy, size};
}

static void free_row(struct wanted *wanted)
{
    for (size_t field = 0; field < FIELDS; field++) {
        free(wanted->texts[wanted->count][field]);
        wanted->texts[wanted->count][field] = NULL;
    }
    wanted->fields = 0;
}

/* Is the row a line "sep=;" or a header that is to be skipped? */
static bool is_before_bets(struct wanted *wanted)
{
    if (wanted->has_begun)
        return false;
    bool is_sep = wanted->skipped == 0 && row_advice_is_sep_line(wanted->row, wanted->fields);
    wanted->has_begun = !is_sep;
    bool is_skipped = is_sep || row_advice_is_header(wanted->row, wanted->fields);
    wanted->skipped += is_skipped;
    return is_skipped;
}

static void on_row(int end, void *context)
{
    struct wanted *wanted = context;

    (void)end;
    if (wanted->is_bad)
        return;
    if (is_before_bets(wanted)) {
        free_row(wanted);
        return;
    }
    struct bet *bet = &wanted->bets[wanted->count];
    *bet = (struct bet){wanted->row[0], wanted->row[1], wanted->row[2], wanted->row[3], 0};
    if (wanted->fields != FIELDS - 1 || bet_number_read(wanted->row[4], &bet->number) != 0 ||
        bet_check(bet, FUZZ_TODAY) != BET_FAULT_NONE) {
        wanted->is_bad = true;
        return;
    }
    wanted->is_bad = wanted->format.header == BETS_HEADER_SKIP && wanted->skipped == 0;
    wanted->count++;
    wanted->fields = 0;
}

static int no_space(unsigned char byte)
{
    (void)byte;
    return 0;
}

/* Is there a carriage return that is not before a line feed or at the end of the file? */
static bool has_stray_return(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] == '\r' && i + 1 < size && data[i + 1] != '\n' && data[i + 1] != '\r')
            return true;
    }
    return false;
}

static void read_at_once(struct wanted *wanted, const uint8_t *data, size_t size)
{
    static const char delimiters[] = {',', ';', '\t'};
    struct csv_parser parser;

    wanted->count = 0;
    wanted->fields = 0;
    wanted->skipped = 0;
    wanted->has_begun = wanted->format.header == BETS_HEADER_NONE;
    wanted->is_bad = has_stray_return(data, size);
    memset(wanted->texts, 0, sizeof(wanted->texts));
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        size -= 3;
    }
    FUZZ_CHECK(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) == 0);
    csv_set_delim(&parser, (unsigned char)delimiters[wanted->format.delimiter]);
    csv_set_space_func(&parser, no_space);
    if (csv_parse(&parser, data, size, on_field, on_row, wanted) != size ||
        csv_fini(&parser, on_field, on_row, wanted) != 0)
        wanted->is_bad = true;
    csv_free(&parser);
    wanted->is_bad |= wanted->count == 0 && wanted->format.empty == BETS_EMPTY_REFUSED;
}

static void free_wanted(struct wanted *wanted)
{
    for (size_t row = 0; row <= wanted->count && row < ROWS_MAX; row++) {
        for (size_t field = 0; field < FIELDS; field++)
            free(wanted->texts[row][field]);
    }
}

static uint32_t add_line(uint32_t checksum, const struct bet *bet)
{
    char line[BET_LINE_MAX];

    return crc32c(checksum, line, bet_lines_format(1, bet, 1, line));
}

static void check_bet(struct bets_file *file, const struct bet *wanted)
{
    struct errbuf err;
    struct bet bet;

    FUZZ_CHECK(bets_file_peek(file, &bet, &err) == STATUS_OK);
    FUZZ_CHECK(fuzz_text_equals(bet.first_name, wanted->first_name));
    FUZZ_CHECK(fuzz_text_equals(bet.last_name, wanted->last_name));
    FUZZ_CHECK(fuzz_text_equals(bet.document, wanted->document));
    FUZZ_CHECK(fuzz_text_equals(bet.birthdate, wanted->birthdate));
    FUZZ_CHECK(bet.number == wanted->number);
    bets_file_advance(file);
}

static void check_rows(struct bets_file *file, const struct wanted *wanted, size_t from)
{
    struct errbuf err;
    struct bet bet;
    uint32_t checksum = 0;

    for (bool is_done = false; !is_done;)
        FUZZ_CHECK(bets_file_seek(file, from, &is_done, &err) == STATUS_OK);
    for (size_t row = 0; row < from; row++)
        checksum = add_line(checksum, &wanted->bets[row]);
    FUZZ_CHECK(bets_file_checksum(file) == checksum);
    for (size_t row = from; row < wanted->count; row++) {
        check_bet(file, &wanted->bets[row]);
        checksum = add_line(checksum, &wanted->bets[row]);
    }
    FUZZ_CHECK(bets_file_checksum(file) == checksum);
    FUZZ_CHECK(bets_file_peek(file, &bet, &err) == STATUS_NOTFOUND);
}

/* Every text begins with the path, and all but those about the whole file with "path:line: ". */
static void check_findings(struct bets_file *file, const char *path, bool is_bad)
{
    const struct bets_findings *findings = bets_file_findings(file);

    FUZZ_CHECK(is_bad == (findings->faults_count > 0));
    FUZZ_CHECK(findings->faults_count <= BETS_FILE_FAULTS_MAX + 1);
    FUZZ_CHECK(findings->warnings_count <= BETS_FILE_WARNINGS_MAX);
    for (size_t i = 0; i < findings->faults_count; i++) {
        const char *text = findings->faults[i].text;
        FUZZ_CHECK(strncmp(text, path, strlen(path)) == 0);
        const char *rest = text + strlen(path) + 1;
        FUZZ_CHECK(strtoul(rest, NULL, 10) > 0 || strncmp(rest, " no bets", 8) == 0);
    }
}

static void check_file(const char *path, const struct wanted *wanted)
{
    struct bets_file *file;
    struct errbuf err;
    bool is_done = false;
    enum status status = STATUS_OK;

    FUZZ_CHECK(bets_file_open(path, &wanted->format, 1, &file, &err) == STATUS_OK);
    while (status == STATUS_OK && !is_done)
        status = bets_file_check(file, &is_done, &err);
    FUZZ_CHECK(status == (wanted->is_bad ? STATUS_INVALID : STATUS_OK));
    check_findings(file, path, wanted->is_bad);
    if (!wanted->is_bad) {
        FUZZ_CHECK(bets_file_rows(file) == wanted->count);
        for (size_t i = 0; i < SEEKS; i++)
            check_rows(file, wanted, wanted->count * (SEEKS - 1 - i) / (SEEKS - 1));
    }
    bets_file_close(file);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_fix_clock();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct wanted wanted;
    uint8_t flags = 0;

    wanted.format = (struct bets_format){.empty = BETS_EMPTY_ALLOWED};
    if (size >= 2 && data[size - 2] == FORMAT_MARK) {
        flags = data[size - 1];
        size -= 2;
        wanted.format = (struct bets_format){
            .encoding = (enum bets_encoding)((flags & 7U) % 6),
            .delimiter = (enum bets_delimiter)((flags >> 3 & 3U) % 3),
            .header = (enum bets_header)(flags >> 5 & 1U),
            .empty = (enum bets_empty)(flags >> 6 & 1U),
        };
    }
    size_t decoded_size = size;
    uint8_t *decoded = decode(wanted.format.encoding, data, &decoded_size);
    if (wanted.format.header == BETS_HEADER_NONE || decoded_size <= LONG_HEADER) {
        read_at_once(&wanted, decoded, decoded_size);
        check_file(fuzz_file(data, size), &wanted);
        free_wanted(&wanted);
    }
    free(decoded);
    return 0;
}
