/* bets.csv: parses any bytes, and formats and parses any valid bets. */
#include "bets_csv.h"
#include "fuzz.h"

#define BETS_MAX 16

struct reading {
    const struct bet *expected; /* NULL for none */
    size_t count;               /* bets parsed so far */
    uint32_t agency;
};

static bool compare(void *context, uint32_t agency, const struct bet *bet)
{
    struct reading *reading = context;
    const struct bet *expected = &reading->expected[reading->count++];

    FUZZ_CHECK(agency == reading->agency);
    FUZZ_CHECK(fuzz_text_equals(bet->first_name, expected->first_name));
    FUZZ_CHECK(fuzz_text_equals(bet->last_name, expected->last_name));
    FUZZ_CHECK(fuzz_text_equals(bet->document, expected->document));
    FUZZ_CHECK(fuzz_text_equals(bet->birthdate, expected->birthdate));
    FUZZ_CHECK(bet->number == expected->number);
    return true;
}

static bool count_line(void *context, uint32_t agency, const struct bet *bet)
{
    struct reading *reading = context;

    (void)agency;
    FUZZ_CHECK(bet->number <= BET_NUMBER_MAX);
    reading->count++;
    return true;
}

static void parse_anything(struct fuzz_input input)
{
    struct reading reading = {NULL, 0, 0};
    size_t newlines = 0;
    size_t bad_at = SIZE_MAX;
    char *text = malloc(input.size);

    FUZZ_CHECK(text != NULL || input.size == 0);
    for (size_t i = 0; i < input.size; i++) {
        text[i] = (char)input.data[i];
        newlines += text[i] == '\n';
    }
    enum status status = bets_csv_parse(text, input.size, count_line, &reading, &bad_at);
    FUZZ_CHECK(status == STATUS_OK ? reading.count == newlines
                                   : status == STATUS_DAMAGED && bad_at < input.size &&
                                         (bad_at == 0 || input.data[bad_at - 1] == '\n'));
    free(text);
}

static void format_and_parse(struct fuzz_input input)
{
    struct bet bets[BETS_MAX];
    size_t count = 0;
    size_t bad_at;
    struct reading reading = {bets, 0, (uint32_t)fuzz_uint(&input, 4)};

    while (count < BETS_MAX && input.size > 0) {
        struct bet *bet = &bets[count];
        bet->first_name = fuzz_text(&input, BET_NAME_MAX, false);
        bet->last_name = fuzz_text(&input, BET_NAME_MAX, false);
        bet->document = text_of("A1");
        bet->birthdate = text_of("2000-01-01");
        bet->number = (uint32_t)fuzz_uint(&input, 2);
        if (bet_check(bet, FUZZ_TODAY) == BET_FAULT_NONE) {
            count++;
        } else {
            fuzz_text_free(bet->first_name);
            fuzz_text_free(bet->last_name);
        }
    }
    char *text = malloc(count * BET_LINE_MAX + 1);
    FUZZ_CHECK(text != NULL);
    size_t size = bet_lines_format(reading.agency, bets, count, text);
    FUZZ_CHECK(bets_csv_parse(text, size, compare, &reading, &bad_at) == STATUS_OK);
    FUZZ_CHECK(reading.count == count);
    free(text);
    for (size_t i = 0; i < count; i++) {
        fuzz_text_free(bets[i].first_name);
        fuzz_text_free(bets[i].last_name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parse_anything((struct fuzz_input){data, size});
    format_and_parse((struct fuzz_input){data, size});
    return 0;
}
