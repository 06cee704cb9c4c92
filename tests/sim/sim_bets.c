#include "sim_bets.h"

#include "sim_agency.h"
#include "sim_world.h"

#include <string.h>

static uint32_t hash(uint32_t agency, uint32_t index)
{
    struct prng prng = {.state = sim_world.seed ^ (uint64_t)agency << 32 ^ index};

    return prng_next(&prng);
}

/* A quarter of the bets have the number that is wanted. */
static uint32_t number_of(uint32_t agency, uint32_t index)
{
    uint32_t wanted = sim_world.winner_number;

    return hash(agency, index) % 4 == 0 ? wanted : (wanted + 1 + index % 9999) % 10000;
}

bool sim_bet_wins(uint32_t agency, uint32_t index)
{
    return number_of(agency, index) == sim_world.drawn_number;
}

static char *put_text(char *out, const char *text)
{
    size_t size = strlen(text);

    memcpy(out, text, size);
    return out + size;
}

/* A number with at least so many digits. */
static char *put_number(char *out, uint32_t number, int digits)
{
    char reversed[10];
    int count = 0;

    for (; number > 0 || count < digits; number /= 10)
        reversed[count++] = (char)('0' + number % 10);
    while (count > 0)
        *out++ = reversed[--count];
    return out;
}

uint32_t sim_bet_document(uint32_t agency, uint32_t index, struct sim_bet_texts *texts)
{
    char *end = put_number(put_number(texts->document, agency, 1), index, 6);

    *end = '\0';
    return (uint32_t)(end - texts->document);
}

/* Some names need quotes in the file, and some lines are long. */
static const char *const last_names[] = {"Lorca", "O\"Neill", "Perez, hijo", "Gonzalez"};

/* With long names it takes fewer bets to fill a MiB. */
static const char *first_name(void)
{
    return sim_world.is_big ? "Anaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                            : "Ana";
}

struct bet sim_bet(uint32_t agency, uint32_t index, struct sim_bet_texts *texts)
{
    (void)sim_bet_document(agency, index, texts);
    return (struct bet){.first_name = text_of(first_name()),
                        .last_name = text_of(last_names[hash(agency, index) / 4 % 4]),
                        .document = text_of(texts->document),
                        .birthdate = text_of("1999-03-17"),
                        .number = number_of(agency, index)};
}

uint32_t sim_bet_write(uint32_t agency, uint32_t index, char *out)
{
    static const char *const written[] = {"Lorca", "\"O\"\"Neill\"", "\"Perez, hijo\"", "Gonzalez"};

    char *end = put_number(out, agency, 1);
    *end++ = ',';
    end = put_text(end, first_name());
    *end++ = ',';
    end = put_text(end, written[hash(agency, index) / 4 % 4]);
    *end++ = ',';
    end = put_number(put_number(end, agency, 1), index, 6);
    end = put_text(end, ",1999-03-17,");
    end = put_text(put_number(end, number_of(agency, index), 1), "\r\n");
    return (uint32_t)(end - out);
}

const char *sim_bet_line(uint32_t agency, uint32_t index, uint32_t *size)
{
    static struct line {
        uint64_t seed; /* of the history that it is from; +1 */
        uint32_t size;
        char text[SIM_TEXT_MAX];
    } lines[SIM_AGENCIES_MAX + 1][SIM_BETS_MAX];
    static struct line other;
    uint32_t base = sim_agencies[agency - 1].base;
    struct line *line = index < base ? &other : &lines[agency][index - base];

    if (line == &other || line->seed != sim_world.seed + 1) {
        line->seed = sim_world.seed + 1;
        line->size = sim_bet_write(agency, index, line->text);
    }
    *size = line->size;
    return line->text;
}
