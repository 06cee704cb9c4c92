#include "sim_v1.h"

#include "crc32c.h"
#include "little_endian.h"
#include "sim_agency.h"
#include "sim_bets.h"
#include "sim_check.h"
#include "sim_disk.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_world.h"

#include <string.h>

#define RECORD_SIZE 64
#define HEADER_B 512
#define RECORDS_AT 1024
#define GROUP_MAX 4  /* records */
#define BATCH_MAX 6  /* bets */
#define BATCH_BIG 40 /* when there are many */
#define GROUPS_MAX 8 /* when there are few */
#define RESERVE_STEP 4096

enum { HEADER = 1, BETS = 2, FINISHED = 3, DRAW = 4 };

struct record {
    uint8_t type;
    uint32_t agency;
    uint32_t count;
    uint64_t received;
    uint64_t data_at;
    uint32_t data_size;
    uint32_t data_crc;
};

/* What is written, and not yet in the files. */
struct group {
    uint8_t records[GROUP_MAX * RECORD_SIZE];
    size_t records_size;
    char lines[GROUP_MAX * BATCH_BIG * SIM_TEXT_MAX];
    size_t lines_size;
};

struct folder {
    struct sim_file *bets;
    struct sim_file *journal;
    uint64_t bets_end; /* bytes, like the next two */
    uint64_t journal_end;
    uint64_t synced; /* of the journal */
    uint64_t id;
    uint64_t headers; /* how often one was written */
    uint32_t batch_max;
    struct group group;
    uint32_t counts[SIM_AGENCIES_MAX + 1]; /* bets of each agency, with those of the group */
    bool has_finished[SIM_AGENCIES_MAX + 1];
};

static void encode(const struct folder *folder, const struct record *record, uint64_t at,
                   uint8_t *out)
{
    memset(out, 0, RECORD_SIZE);
    out[4] = record->type;
    out[5] = 1; /* version */
    little_put32(out + 8, record->agency);
    little_put32(out + 12, record->count);
    little_put64(out + 16, record->received);
    little_put64(out + 24, record->data_at);
    little_put32(out + 32, record->data_size);
    little_put32(out + 36, record->data_crc);
    little_put64(out + 40, folder->synced);
    little_put64(out + 48, at);
    little_put64(out + 56, folder->id);
    little_put32(out, crc32c(0, out + 4, RECORD_SIZE - 4));
}

static void write_header(struct folder *folder)
{
    uint8_t bytes[RECORD_SIZE];
    uint64_t at = ++folder->headers % 2 == 1 ? HEADER_B : 0;

    encode(folder, &(struct record){.type = HEADER, .received = folder->headers}, at, bytes);
    sim_file_write(folder->journal, bytes, sizeof(bytes), at);
    sim_file_sync(folder->journal);
}

static void add_record(struct folder *folder, const struct record *record)
{
    struct group *group = &folder->group;

    encode(folder, record, folder->journal_end + group->records_size,
           group->records + group->records_size);
    group->records_size += RECORD_SIZE;
}

static void add_bets(struct folder *folder, uint32_t agency, uint32_t count)
{
    struct group *group = &folder->group;
    size_t begin = group->lines_size;

    for (uint32_t i = 0; i < count; i++)
        group->lines_size +=
            sim_bet_write(agency, folder->counts[agency]++, group->lines + group->lines_size);
    add_record(folder, &(struct record){
                           .type = BETS,
                           .agency = agency,
                           .count = count,
                           .received = folder->counts[agency],
                           .data_at = folder->bets_end + begin,
                           .data_size = (uint32_t)(group->lines_size - begin),
                           .data_crc = crc32c(0, group->lines + begin, group->lines_size - begin)});
}

static void add_finished(struct folder *folder, uint32_t agency)
{
    folder->has_finished[agency] = true;
    add_record(folder, &(struct record){
                           .type = FINISHED, .agency = agency, .received = folder->counts[agency]});
}

/* Writes the group, up to the given numbers of bytes. */
static void write_group(struct folder *folder, size_t lines_size, size_t records_size)
{
    sim_file_write(folder->bets, folder->group.lines, lines_size, folder->bets_end);
    sim_file_write(folder->journal, folder->group.records, records_size, folder->journal_end);
}

/* The group is written, synced, and acknowledged. */
static void commit(struct folder *folder)
{
    struct group *group = &folder->group;

    write_group(folder, group->lines_size, group->records_size);
    sim_file_sync(folder->bets);
    sim_file_sync(folder->journal);
    folder->bets_end += group->lines_size;
    folder->journal_end += group->records_size;
    folder->synced = folder->journal_end;
    group->lines_size = group->records_size = 0;
}

static uint32_t any_agency(void)
{
    return sim_between(&sim_world.prng, 1, sim_world.n);
}

/* Batches that are acknowledged. */
static void add_acked(struct folder *folder, uint64_t bets_size)
{
    struct prng *prng = &sim_world.prng;
    uint32_t groups = bets_size > 0 ? UINT32_MAX : prng_below(prng, GROUPS_MAX + 1);

    while (groups-- > 0 && (bets_size == 0 || folder->bets_end < bets_size)) {
        for (uint32_t i = sim_between(prng, 1, GROUP_MAX); i > 0; i--) {
            uint32_t agency = any_agency();
            if (!folder->has_finished[agency])
                add_bets(folder, agency, sim_between(prng, 1, folder->batch_max));
        }
        commit(folder);
        if (sim_chance(prng, 100))
            write_header(folder);
        uint32_t agency = any_agency();
        if (bets_size == 0 && sim_chance(prng, 100) && !folder->has_finished[agency])
            add_finished(folder, agency);
        commit(folder);
    }
}

/* The draw is held: all have finished. Perhaps its record is torn. */
static void add_draw(struct folder *folder)
{
    struct group *group = &folder->group;
    int file = sim_disk_new_file();
    const char *text;
    size_t size;
    uint32_t winners;

    for (uint32_t i = 1; i <= sim_world.n; i++) {
        if (!folder->has_finished[i])
            add_finished(folder, i);
        commit(folder);
    }
    winners = sim_check_base_winners(&text, &size);
    sim_dir_set(&sim_disk.dirs[sim_disk.dir_at_path], "winners.csv", file);
    sim_file_write(sim_disk_file(file), text, size, 0);
    sim_file_sync(sim_disk_file(file));
    sim_dir_sync(&sim_disk.dirs[sim_disk.dir_at_path]);
    add_record(folder, &(struct record){.type = DRAW,
                                        .count = sim_world.winner_number,
                                        .received = winners,
                                        .data_at = size,
                                        .data_crc = crc32c(0, text, size)});
    if (sim_chance(&sim_world.prng, 300)) {
        write_group(folder, 0, prng_below(&sim_world.prng, (uint32_t)group->records_size + 1));
        return;
    }
    commit(folder);
    sim_world.draw_is_held = true;
}

/* The last group, which was not acknowledged, and may be torn. */
static void add_torn(struct folder *folder)
{
    struct prng *prng = &sim_world.prng;
    struct group *group = &folder->group;

    for (uint32_t i = prng_below(prng, GROUP_MAX); i > 0; i--) {
        uint32_t id = any_agency();
        struct sim_agency *agency = &sim_agencies[id - 1];
        uint32_t count = sim_between(prng, 1, BATCH_MAX);
        if (folder->has_finished[id] || folder->counts[id] + count > agency->bets)
            continue;
        add_bets(folder, id, count);
        agency->ends[folder->counts[id] - agency->base] = true;
        if (folder->counts[id] == agency->bets && group->records_size < sizeof(group->records) &&
            i > 1) {
            add_finished(folder, id);
            i--;
        }
    }
    if (sim_chance(prng, 300))
        write_group(folder, prng_below(prng, (uint32_t)group->lines_size + 1), 0);
    else if (sim_chance(prng, 300))
        write_group(folder, group->lines_size, prng_below(prng, (uint32_t)group->records_size + 1));
    else
        write_group(folder, group->lines_size, group->records_size);
}

static struct sim_file *create(const char *name)
{
    int file = sim_disk_new_file();

    sim_dir_set(&sim_disk.dirs[sim_disk.dir_at_path], name, file);
    return sim_disk_file(file);
}

/* Zeros may follow the records. */
static void reserve(struct folder *folder)
{
    static const uint8_t zeros[RESERVE_STEP] = {0};
    uint64_t end = folder->journal_end;

    if (sim_chance(&sim_world.prng, 300))
        return;
    sim_file_write(folder->journal, zeros, RESERVE_STEP - end % RESERVE_STEP, end);
    sim_file_sync(folder->journal);
}

/* The model agencies know what was acknowledged. */
static void note_base(const struct folder *folder, bool is_drawn)
{
    for (uint32_t i = 1; i <= sim_world.n; i++) {
        struct sim_agency *agency = &sim_agencies[i - 1];
        agency->base = folder->counts[i];
        agency->acked = folder->counts[i];
        agency->bets =
            is_drawn || folder->has_finished[i] ? agency->base : agency->base + agency->bets;
    }
    sim_check_note_base();
}

static void begin_folder(struct folder *folder, uint64_t bets_size)
{
    struct prng *prng = &sim_world.prng;

    *folder = (struct folder){.journal_end = RECORDS_AT,
                              .synced = RECORDS_AT,
                              .id = (uint64_t)prng_next(prng) << 32 | prng_next(prng),
                              .batch_max = bets_size > 0 ? BATCH_BIG : BATCH_MAX};
    folder->bets = create("bets.csv");
    folder->journal = create("bets.journal");
    (void)create("bets.lock");
    sim_dir_sync(&sim_disk.dirs[sim_disk.dir_at_path]);
    sim_file_write(folder->journal, (uint8_t[RECORDS_AT]){0}, RECORDS_AT, 0);
    write_header(folder);
    write_header(folder);
}

void sim_v1_make(uint64_t bets_size)
{
    static struct folder folder;
    struct prng *prng = &sim_world.prng;
    bool is_drawn = sim_chance(prng, 200);

    begin_folder(&folder, bets_size);
    add_acked(&folder, bets_size);
    note_base(&folder, is_drawn);
    reserve(&folder);
    if (is_drawn)
        add_draw(&folder);
    else if (sim_chance(prng, 700))
        add_torn(&folder);
    else
        write_header(&folder); /* a clean stop */
    SIM_TRACE("a directory of the first release: %u bytes of bets%s", (unsigned)folder.bets_end,
              is_drawn ? ", drawn" : "");
    sim_counts.old_directories++;
    if (sim_chance(prng, 500))
        sim_disk_cut_power();
}
