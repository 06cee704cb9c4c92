#include "sim_check.h"

#include "crc32c.h"
#include "journal_file.h"
#include "sim_agency.h"
#include "sim_bets.h"
#include "sim_disk.h"
#include "sim_operator.h"
#include "sim_trace.h"
#include "sim_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What bets.csv has, line by line. */
struct found {
    uint32_t counts[SIM_AGENCIES_MAX + 1];
    uint32_t bets;
    uint64_t size;       /* bytes of lines that are as they should be */
    uint32_t winners;    /* among them */
    size_t winners_size; /* of winners_text */
};

static struct found base; /* what an old directory has, acknowledged */
static char *base_text;   /* owned; its bytes */
static size_t base_capacity;
static char *winners_text; /* owned; what winners.csv should be */
static size_t winners_capacity;

static struct draw_closed closed; /* as seen first */
static struct draw_drawn drawn;
static struct draw_sealed sealed;
static bool has_closed;
static bool has_sealed;
static bool has_drawn;
static bool has_number;
static bool is_closed_early;
static size_t acked_acts;

void sim_check_reset(void)
{
    has_closed = has_sealed = has_drawn = has_number = is_closed_early = false;
    acked_acts = 0;
    base = (struct found){0};
}

static void note_winner(struct found *found, uint32_t agency, uint32_t index)
{
    struct sim_bet_texts texts;

    if (!sim_bet_wins(agency, index))
        return;
    (void)sim_bet_document(agency, index, &texts);
    found->winners++;
    if (winners_capacity - found->winners_size < SIM_TEXT_MAX) {
        winners_capacity = 2 * winners_capacity + SIM_TEXT_MAX;
        winners_text = sim_realloc(winners_text, winners_capacity);
    }
    found->winners_size +=
        (size_t)sprintf(winners_text + found->winners_size, "%u,%s\r\n", agency, texts.document);
}

/* The agency whose next bet the line at `text` is; 0 if it is no such line. *size is its length. */
static uint32_t line_of(const struct found *found, const char *text, size_t left, uint32_t *size)
{
    const char *line;
    uint32_t agency = (uint32_t)text[0] - '0'; /* their ids have one digit */

    if (agency < 1 || agency > SIM_AGENCIES_MAX ||
        found->counts[agency] >= sim_agencies[agency - 1].base + SIM_BETS_MAX)
        return 0;
    line = sim_bet_line(agency, found->counts[agency], size);
    return *size <= left && memcmp(line, text, *size) == 0 ? agency : 0;
}

/* Bets of one agency are followed by those of another, or the end. */
static void check_batch(const struct found *found, uint32_t agency)
{
    uint32_t count = found->counts[agency];

    if (agency != 0 && count >= sim_agencies[agency - 1].base &&
        !sim_agency_may_end(&sim_agencies[agency - 1], count))
        sim_fail("bets.csv has a part of a batch of agency %u, up to its bet %u", agency, count);
}

/* Reads bets.csv as far as it is right. */
static void read_bets(struct found *found)
{
    struct sim_file *file = sim_disk_find("bets.csv");
    uint32_t agency_before = 0;
    uint32_t size;

    *found = (struct found){0};
    if (file == NULL)
        return;
    const char *text = (const char *)sim_file_bytes(file, (size_t)file->cached.size);
    if (file->cached.size >= base.size && memcmp(text, base_text, (size_t)base.size) == 0)
        *found = base;
    while (found->size < file->cached.size) {
        uint32_t agency =
            line_of(found, text + found->size, (size_t)(file->cached.size - found->size), &size);
        if (agency == 0)
            break;
        if (agency != agency_before)
            check_batch(found, agency_before);
        note_winner(found, agency, found->counts[agency]);
        found->counts[agency]++;
        found->bets++;
        found->size += size;
        agency_before = agency;
    }
}

void sim_check_note_base(void)
{
    struct sim_file *file = sim_disk_find("bets.csv");
    struct found found;

    read_bets(&found);
    if (found.size != file->cached.size)
        sim_fail("the simulator made a wrong bets.csv");
    base = found;
    if (base.size > base_capacity) {
        base_capacity = (size_t)base.size;
        base_text = sim_realloc(base_text, base_capacity);
    }
    if (base.size > 0)
        memcpy(base_text, sim_file_bytes(file, (size_t)base.size), (size_t)base.size);
}

uint32_t sim_check_base_winners(const char **text, size_t *size)
{
    *text = winners_text;
    *size = base.winners_size;
    return base.winners;
}

void sim_check_visible(void)
{
    struct found found;

    if (sim_operator.has_meddled)
        return;
    read_bets(&found);
    for (uint32_t i = 1; i <= sim_world.agencies; i++) {
        if (found.counts[i] < sim_agencies[i - 1].acked)
            sim_fail("bets.csv has %u bets of agency %u, which had %u acked", found.counts[i], i,
                     (unsigned)sim_agencies[i - 1].acked);
    }
}

/* bets.csv consists of what the draw counts, and nothing else. */
static void check_bets(const struct draw *draw, struct found *found)
{
    const struct sim_file *file = sim_disk_find("bets.csv");
    uint64_t size = file != NULL ? file->cached.size : 0;

    read_bets(found);
    if (found->size != size)
        sim_fail("bets.csv has %" PRIu64 " bytes; from byte %" PRIu64 " they are wrong", size,
                 found->size);
    if (found->bets != draw->bets)
        sim_fail("bets.csv has %u bets, the draw counts %" PRIu64, found->bets, draw->bets);
    for (uint32_t i = 1; i <= SIM_AGENCIES_MAX; i++) {
        if (draw_received(draw, i) != found->counts[i])
            sim_fail("bets.csv has %u bets of agency %u, the draw counts %" PRIu64,
                     found->counts[i], i, draw_received(draw, i));
    }
}

static void check_promises(const struct draw *draw)
{
    for (uint32_t i = 1; i <= sim_world.agencies; i++) {
        const struct sim_agency *agency = &sim_agencies[i - 1];
        uint64_t received = draw_received(draw, i);
        if (received < agency->acked)
            sim_fail("agency %u had %u bets acked, and %u are left", i, (unsigned)agency->acked,
                     (unsigned)received);
        if (i <= draw->agencies && !sim_agency_may_end(agency, received))
            sim_fail("a part of a batch of agency %u counts, up to its bet %u", i,
                     (unsigned)received);
        if (agency->is_done && !draw->agency[i].has_finished && !is_closed_early)
            sim_fail("agency %u had finished", i);
        if (i <= draw->agencies && draw->agency[i].has_finished && received != agency->bets)
            sim_fail("agency %u has finished with %u of its %u bets", i, (unsigned)received,
                     agency->bets);
    }
    if (sim_world.draw_is_held && draw->phase != DRAW_DRAWN)
        sim_fail("the draw had been held");
    if (draw->agencies != sim_world.n)
        sim_fail("%u agencies are set, and %u are recorded", sim_world.n, draw->agencies);
    if (draw->winner_number != (draw->terms.mode == DRAW_MANUAL ? 0 : sim_world.winner_number))
        sim_fail("the winner number is %u", draw->winner_number);
    if (draw->acts_count < acked_acts)
        sim_fail("%u acts were acknowledged, and %u are left", (unsigned)acked_acts,
                 (unsigned)draw->acts_count);
}

/* What operators make of a draw. */
static void check_terms(const struct draw *draw)
{
    const struct draw_terms *terms = &sim_world.terms;

    if (draw->terms.mode != terms->mode || draw->terms.has_seal != terms->has_seal ||
        draw->terms.close_at_s != terms->close_at_s || strcmp(draw->terms.id, terms->id) != 0)
        sim_fail("the draw was opened with other terms");
    if (draw->phase >= DRAW_CLOSED && draw->closed.by == DRAW_BY_DEADLINE &&
        draw->closed.time_s < terms->close_at_s)
        sim_fail("the draw was closed before its time");
    if (draw->is_sealed && draw->phase < DRAW_CLOSED)
        sim_fail("the draw is sealed, and takes bets");
    if (draw->phase == DRAW_DRAWN && draw->is_sealed != terms->has_seal)
        sim_fail("the draw has a number, and %s", draw->is_sealed ? "a seal" : "no seal");
    if (draw->phase == DRAW_DRAWN &&
        memcmp(draw->drawn.root, draw->sealed.root, DRAW_ROOT_SIZE) != 0)
        sim_fail("the number belongs to another seal");
}

void sim_check_committed(const struct draw *draw)
{
    if (draw->phase == DRAW_NEW)
        return;
    check_terms(draw);
    if (has_sealed && !draw->is_sealed)
        sim_fail("the draw was sealed, and is not");
    if (draw->phase >= DRAW_CLOSED && !is_closed_early && draw->closed.by != DRAW_BY_ALL_FINISHED) {
        is_closed_early = true;
        sim_counts.closed_early++;
    }
    if (draw->is_sealed && has_sealed && memcmp(&draw->sealed, &sealed, sizeof(sealed)) != 0)
        sim_fail("the draw was sealed twice");
    if (draw->is_sealed && !has_sealed) {
        sealed = draw->sealed;
        has_sealed = true;
    }
    if (draw->phase == DRAW_DRAWN && has_number &&
        draw->drawn.winner_number != sim_world.drawn_number)
        sim_fail("the draw has two numbers: %u, and before that %u", draw->drawn.winner_number,
                 sim_world.drawn_number);
    if (draw->phase == DRAW_DRAWN) {
        sim_world.drawn_number = draw->drawn.winner_number;
        has_number = true;
    }
}

void sim_check_note_act(void)
{
    acked_acts++;
    sim_counts.acts++;
}

void sim_check_note_copy(struct sim_copy *copy)
{
    for (uint32_t i = 1; i <= sim_world.agencies; i++)
        copy->acked[i] = sim_agencies[i - 1].acked;
    copy->acts = acked_acts;
    copy->is_sealed = has_sealed;
    copy->is_held = sim_world.draw_is_held;
}

static void check_copied_draw(const struct sim_copy *copy, const struct draw *draw)
{
    uint64_t bets = 0;

    check_terms(draw);
    for (uint32_t i = 1; i <= sim_world.agencies; i++) {
        uint64_t received = draw_received(draw, i);
        bets += received;
        if (received < copy->acked[i])
            sim_fail("a copy has %u bets of agency %u, which had %u acked", (unsigned)received, i,
                     (unsigned)copy->acked[i]);
        if (i <= draw->agencies && !sim_agency_may_end(&sim_agencies[i - 1], received))
            sim_fail("a copy has a part of a batch of agency %u, up to its bet %u", i,
                     (unsigned)received);
    }
    if (bets != draw->bets)
        sim_fail("a copy has %" PRIu64 " bets, and counts %" PRIu64, bets, draw->bets);
    if (draw->acts_count < copy->acts)
        sim_fail("a copy has %u acts, and %u were acknowledged", (unsigned)draw->acts_count,
                 (unsigned)copy->acts);
    if (copy->is_sealed && !draw->is_sealed)
        sim_fail("a copy is of a draw that had been sealed, and is not");
    if (copy->is_held && draw->phase != DRAW_DRAWN)
        sim_fail("a copy is of a draw that had been held, and is not");
}

/* The bytes of bets.csv that count, as they are read and as they are on disk. */
static void check_copied_bets(const struct bets_extent *extent)
{
    struct sim_file *file = sim_disk_find("bets.csv");

    if (file == NULL || file->cached.size < extent->size)
        sim_fail("a copy has more bets than there are");
    const uint8_t *bytes = sim_file_bytes(file, (size_t)extent->size);
    if (crc32c(0, bytes, (size_t)extent->size) != extent->crc)
        sim_fail("the bets of a copy are not those that it counts");
    if (file->disk.size < extent->size || file->disk.used < extent->size ||
        memcmp(file->disk.bytes, bytes, (size_t)extent->size) != 0)
        sim_fail("the bets of a copy are not on disk");
}

void sim_check_copy(const struct sim_copy *copy, struct sim_file *snapshot)
{
    const size_t size = (size_t)snapshot->cached.size;
    const uint8_t *bytes = sim_file_bytes(snapshot, size);
    struct bets_extent extent = {0};
    struct journal_header header;
    struct draw draw;

    if (size <= JOURNAL_START || !journal_header_decode(bytes + JOURNAL_HEADER_B, &header) ||
        header.synced != size ||
        journal_checkpoint_size(bytes + JOURNAL_START, header.stamp) != size - JOURNAL_START)
        sim_fail("a snapshot is none");
    draw_init(&draw);
    enum status status =
        journal_decode_checkpoint(bytes + JOURNAL_START, size - JOURNAL_START, &draw, &extent);
    if (status == STATUS_OK) {
        check_copied_draw(copy, &draw);
        if (!sim_operator.has_meddled)
            check_copied_bets(&extent);
        sim_counts.copies++;
    } else if (status != STATUS_NOMEM) {
        sim_fail("a snapshot cannot be read");
    }
    draw_fini(&draw);
    bets_extent_fini(&extent);
}

bool sim_check_is_closed_early(void)
{
    return is_closed_early;
}

static void check_closed(const struct draw *draw, const struct found *found)
{
    const struct draw_closed *now = &draw->closed;

    if (draw->phase < DRAW_CLOSED) {
        if (has_closed || sim_world.draw_is_closed)
            sim_fail("the draw was closed, and is open");
        return;
    }
    if (now->bets != found->bets || now->extent != found->size)
        sim_fail("closed over %" PRIu64 " bets in %" PRIu64 " bytes; there are %u in %" PRIu64,
                 now->bets, now->extent, found->bets, found->size);
    if (now->by == DRAW_BY_ALL_FINISHED && draw->finished != draw->agencies)
        sim_fail("closed when %u of %u had finished", draw->finished, draw->agencies);
    if (has_closed && (now->time_s != closed.time_s || now->bets != closed.bets ||
                       memcmp(now->salt, closed.salt, sizeof(closed.salt)) != 0))
        sim_fail("the draw was closed twice");
    closed = *now;
    has_closed = true;
}

static void check_drawn(const struct draw *draw, const struct found *found)
{
    const struct draw_drawn *now = &draw->drawn;

    if (draw->phase < DRAW_DRAWN)
        return;
    if (now->winners != found->winners || now->winners_size != found->winners_size)
        sim_fail("drawn with %" PRIu64 " winners; there are %u", now->winners, found->winners);
    if (has_drawn && (now->time_s != drawn.time_s || now->winners_crc != drawn.winners_crc))
        sim_fail("the draw was held twice");
    drawn = *now;
    has_drawn = true;
}

void sim_check_recovered(const struct draw *draw)
{
    struct found found;

    sim_world.has_opened = sim_world.was_accepted = true;
    sim_check_committed(draw);
    check_promises(draw);
    check_bets(draw, &found);
    check_closed(draw, &found);
    check_drawn(draw, &found);
}

void sim_check_start_failed(enum status status, const char *reason)
{
    bool may_fail = sim_world.has_disk_faults && !sim_world.is_calm;

    if (status == STATUS_INVALID && !sim_world.was_accepted)
        return; /* settings that do not fit, perhaps */
    if ((status == STATUS_GONE || status == STATUS_DAMAGED) && sim_operator.has_meddled)
        return;
    if (status == STATUS_NOMEM && sim_world.has_memory_faults && !sim_world.is_calm)
        return;
    if ((status == STATUS_IO || status == STATUS_NOSPACE || status == STATUS_UNCERTAIN) && may_fail)
        return;
    sim_fail("a ledger could not start: %s: %s", status_text(status), reason);
}

void sim_check_drawn(uint64_t winners)
{
    struct found found;

    sim_world.draw_is_held = true;
    if (sim_operator.has_meddled)
        return;
    read_bets(&found);
    if (winners != found.winners)
        sim_fail("the draw was held with %" PRIu64 " winners; there are %u", winners,
                 found.winners);
}

bool sim_check_has_winners(void)
{
    struct sim_file *file = sim_disk_find("winners.csv");
    struct found found;

    read_bets(&found);
    return file != NULL && file->cached.size == found.winners_size &&
           memcmp(sim_file_bytes(file, found.winners_size), winners_text, found.winners_size) == 0;
}

void sim_check_end(const struct draw *draw)
{
    struct found found;

    check_promises(draw);
    check_bets(draw, &found);
    check_closed(draw, &found);
    check_drawn(draw, &found);
    if (draw->phase != DRAW_DRAWN)
        sim_fail("the draw was not held");
    if (!sim_check_has_winners())
        sim_fail("winners.csv is wrong");
    if (sim_disk_find("bets.lock") != NULL)
        sim_fail("bets.lock was not removed");
}
