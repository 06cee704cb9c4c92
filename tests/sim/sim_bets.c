#include "sim_bets.h"

#include "sim_agency.h"
#include "sim_world.h"

#include <stdio.h>

static uint32_t hash(uint32_t agency, uint32_t index)
{
    struct prng prng = {.state = sim_world.seed ^ (uint64_t)agency << 32 ^ index};

    return prng_next(&prng);
}

bool sim_bet_wins(uint32_t agency, uint32_t index)
{
    return hash(agency, index) % 4 == 0;
}

uint32_t sim_bet_document(uint32_t agency, uint32_t index, struct sim_bet_texts *texts)
{
    return (uint32_t)sprintf(texts->document, "%u%06u", agency, index);
}

/* Some names need quotes in the file, and some lines are long. */
static const char *const last_names[] = {"Lorca", "O\"Neill", "Perez, hijo", "Gonzalez"};

struct bet sim_bet(uint32_t agency, uint32_t index, struct sim_bet_texts *texts)
{
    uint32_t wanted = sim_world.winner_number;
    uint32_t number = sim_bet_wins(agency, index) ? wanted : (wanted + 1 + index) % 10000;

    (void)sim_bet_document(agency, index, texts);
    return (struct bet){.first_name = text_of("Ana"),
                        .last_name = text_of(last_names[hash(agency, index) / 4 % 4]),
                        .document = text_of(texts->document),
                        .birthdate = text_of("1999-03-17"),
                        .number = number};
}

static uint32_t write_line(uint32_t agency, uint32_t index, char *out)
{
    static const char *const written[] = {"Lorca", "\"O\"\"Neill\"", "\"Perez, hijo\"", "Gonzalez"};
    uint32_t wanted = sim_world.winner_number;
    uint32_t number = sim_bet_wins(agency, index) ? wanted : (wanted + 1 + index) % 10000;

    return (uint32_t)snprintf(out, SIM_TEXT_MAX, "%u,Ana,%s,%u%06u,1999-03-17,%u\r\n", agency,
                              written[hash(agency, index) / 4 % 4], agency, index, number);
}

const char *sim_bet_line(uint32_t agency, uint32_t index, uint32_t *size)
{
    static struct line {
        uint64_t seed; /* of the history that it is from; +1 */
        uint32_t size;
        char text[SIM_TEXT_MAX];
    } lines[SIM_AGENCIES_MAX + 1][SIM_BETS_MAX];
    struct line *line = &lines[agency][index];

    if (line->seed != sim_world.seed + 1) {
        line->seed = sim_world.seed + 1;
        line->size = write_line(agency, index, line->text);
    }
    *size = line->size;
    return line->text;
}
