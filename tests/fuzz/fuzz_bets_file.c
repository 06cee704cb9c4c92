/* An agency's CSV file: bets_file reads the same rows as libcsv does when it gets the whole file in
 * one piece; a checked file can be read again from any row. */
#include "bets_file.h"
#include "fuzz.h"

#include <csv.h>

#define ROWS_MAX 4096
#define FIELDS 5
#define SEEKS 4

/* The file as libcsv reads it. Good rows are kept; the first bad one makes the file bad. */
struct wanted {
    struct bet bets[ROWS_MAX];
    char *texts[ROWS_MAX][FIELDS];
    size_t count;
    struct text row[FIELDS]; /* the one being read */
    size_t fields;
    bool is_bad;
};

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

static void on_row(int end, void *context)
{
    struct wanted *wanted = context;
    struct bet *bet = &wanted->bets[wanted->count];

    (void)end;
    if (wanted->is_bad)
        return;
    *bet = (struct bet){wanted->row[0], wanted->row[1], wanted->row[2], wanted->row[3], 0};
    if (wanted->fields != FIELDS || bet_number_read(wanted->row[4], &bet->number) != 0 ||
        bet_check(bet, FUZZ_TODAY) != BET_FAULT_NONE) {
        wanted->is_bad = true;
        return;
    }
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
    struct csv_parser parser;

    wanted->count = 0;
    wanted->fields = 0;
    wanted->is_bad = has_stray_return(data, size);
    memset(wanted->texts, 0, sizeof(wanted->texts));
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        size -= 3;
    }
    FUZZ_CHECK(csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) == 0);
    csv_set_space_func(&parser, no_space);
    if (csv_parse(&parser, data, size, on_field, on_row, wanted) != size ||
        csv_fini(&parser, on_field, on_row, wanted) != 0)
        wanted->is_bad = true;
    csv_free(&parser);
}

static void free_wanted(struct wanted *wanted)
{
    for (size_t row = 0; row <= wanted->count && row < ROWS_MAX; row++) {
        for (size_t field = 0; field < FIELDS; field++)
            free(wanted->texts[row][field]);
    }
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

    FUZZ_CHECK(bets_file_seek(file, from, &err) == STATUS_OK);
    for (size_t row = from; row < wanted->count; row++)
        check_bet(file, &wanted->bets[row]);
    FUZZ_CHECK(bets_file_peek(file, &bet, &err) == STATUS_NOTFOUND);
}

static void check_file(const char *path, const struct wanted *wanted)
{
    struct bets_file *file;
    struct errbuf err;
    bool is_done = false;
    enum status status = STATUS_OK;

    FUZZ_CHECK(bets_file_open(path, &file, &err) == STATUS_OK);
    while (status == STATUS_OK && !is_done)
        status = bets_file_check(file, &is_done, &err);
    FUZZ_CHECK(status == (wanted->is_bad ? STATUS_INVALID : STATUS_OK));
    if (wanted->is_bad) { /* "path:line: reason" */
        FUZZ_CHECK(strncmp(err.text, path, strlen(path)) == 0);
        FUZZ_CHECK(strtoul(err.text + strlen(path) + 1, NULL, 10) > 0);
    } else {
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

    read_at_once(&wanted, data, size);
    check_file(fuzz_file(data, size), &wanted);
    free_wanted(&wanted);
    return 0;
}
