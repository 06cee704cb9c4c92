#include "draw.h"

#include "assertion.h"

#include <stdlib.h>
#include <string.h>

void draw_init(struct draw *draw)
{
    *draw = (struct draw){.phase = DRAW_NEW};
}

void draw_fini(struct draw *draw)
{
    free(draw->agency);
    draw_init(draw);
}

static struct draw_agency *agency_of(const struct draw *draw, uint32_t agency)
{
    return agency >= 1 && agency <= draw->agencies ? &draw->agency[agency] : NULL;
}

uint64_t draw_received(const struct draw *draw, uint32_t agency)
{
    const struct draw_agency *of = agency_of(draw, agency);

    return of != NULL ? of->received : 0;
}

uint32_t draw_checksum(const struct draw *draw, uint32_t agency)
{
    const struct draw_agency *of = agency_of(draw, agency);

    return of != NULL ? of->checksum : 0;
}

uint32_t draw_known(const struct draw *draw, const struct draw_bets *bets)
{
    uint64_t received = draw_received(draw, bets->agency);
    uint64_t known = received > bets->offset ? received - bets->offset : 0;

    return known < bets->count ? (uint32_t)known : bets->count;
}

bool draw_agrees(const struct draw *draw, uint32_t agency, const struct bets_checksum *claimed)
{
    return !claimed->is_given || claimed->value == draw_checksum(draw, agency);
}

bool draw_is_due(const struct draw *draw)
{
    return draw->phase == DRAW_OPEN && draw->agencies > 0 && draw->finished == draw->agencies;
}

/* Makes room for agencies 1..`agencies`; the new ones have sent nothing yet. */
static enum status grow(struct draw *draw, uint32_t agencies)
{
    struct draw_agency *agency = NULL;
    size_t used = draw->agency != NULL ? (size_t)draw->agencies + 1 : 0;
    size_t wanted = (size_t)agencies + 1;

    if (wanted <= SIZE_MAX / sizeof(*agency))
        agency = realloc(draw->agency, wanted * sizeof(*agency));
    if (agency == NULL)
        return STATUS_NOMEM;
    memset(agency + used, 0, (wanted - used) * sizeof(*agency));
    draw->agency = agency;
    draw->agencies = agencies;
    return STATUS_OK;
}

static enum status apply_opened(struct draw *draw, const struct draw_opened *opened)
{
    enum status status;

    if (draw->phase != DRAW_NEW)
        return STATUS_CLOSED;
    status = grow(draw, opened->agencies);
    if (status != STATUS_OK)
        return status;
    draw->phase = DRAW_OPEN;
    draw->winner_number = opened->winner_number;
    return STATUS_OK;
}

static enum status apply_agencies(struct draw *draw, uint32_t agencies)
{
    if (draw->phase != DRAW_OPEN)
        return STATUS_CLOSED;
    if (agencies <= draw->agencies)
        return STATUS_INVALID;
    return grow(draw, agencies);
}

static enum status apply_bets(struct draw *draw, struct draw_bets *bets, struct draw_agency *agency,
                              struct draw_outcome *outcome)
{
    uint32_t known = draw_known(draw, bets);

    if (bets->offset > agency->received)
        return STATUS_GAP;
    if (!draw_agrees(draw, bets->agency, &bets->claimed))
        return STATUS_MISMATCH;
    if (known == bets->count) {
        outcome->known = known;
        return STATUS_OK;
    }
    if (draw->phase != DRAW_OPEN || agency->has_finished)
        return STATUS_CLOSED;
    outcome->known = known;
    outcome->is_recorded = true;
    bets->offset = agency->received;
    bets->count -= known;
    bets->checksum_before = agency->checksum;
    agency->received += bets->count;
    agency->checksum = bets->checksum;
    draw->bets += bets->count;
    return STATUS_OK;
}

static enum status apply_finished(struct draw *draw, const struct draw_finished *finished,
                                  struct draw_agency *agency, struct draw_outcome *outcome)
{
    if (finished->total != agency->received)
        return STATUS_INCOMPLETE;
    if (!draw_agrees(draw, finished->agency, &finished->claimed))
        return STATUS_MISMATCH;
    if (agency->has_finished)
        return STATUS_OK;
    if (draw->phase != DRAW_OPEN)
        return STATUS_CLOSED;
    outcome->is_recorded = true;
    agency->has_finished = true;
    draw->finished++;
    return STATUS_OK;
}

static enum status apply_closed(struct draw *draw, struct draw_closed *closed)
{
    if (draw->phase != DRAW_OPEN)
        return STATUS_CLOSED;
    if (closed->by == DRAW_BY_ALL_FINISHED && !draw_is_due(draw))
        return STATUS_INVALID;
    closed->bets = draw->bets;
    draw->phase = DRAW_CLOSED;
    draw->closed = *closed;
    return STATUS_OK;
}

bool draw_is_same_outcome(const struct draw_drawn *a, const struct draw_drawn *b)
{
    return a->winner_number == b->winner_number && a->winners == b->winners &&
           a->winners_size == b->winners_size && a->winners_crc == b->winners_crc;
}

static enum status apply_drawn(struct draw *draw, const struct draw_drawn *drawn,
                               struct draw_outcome *outcome)
{
    if (draw->phase == DRAW_DRAWN)
        return draw_is_same_outcome(&draw->drawn, drawn) ? STATUS_OK : STATUS_CLOSED;
    if (draw->phase != DRAW_CLOSED)
        return STATUS_CLOSED;
    if (drawn->winner_number != draw->winner_number)
        return STATUS_INVALID;
    outcome->is_recorded = true;
    draw->phase = DRAW_DRAWN;
    draw->drawn = *drawn;
    return STATUS_OK;
}

/* Bets and finished: what an agency does. */
static void apply_of_agency(struct draw *draw, struct draw_record *record,
                            struct draw_outcome *outcome)
{
    bool is_bets = record->type == DRAW_BETS;
    struct draw_agency *agency =
        agency_of(draw, is_bets ? record->bets.agency : record->finished.agency);

    if (agency == NULL) {
        outcome->status = STATUS_UNKNOWN_AGENCY;
        return;
    }
    outcome->status = is_bets ? apply_bets(draw, &record->bets, agency, outcome)
                              : apply_finished(draw, &record->finished, agency, outcome);
    outcome->received = agency->received;
}

struct draw_outcome draw_apply(struct draw *draw, struct draw_record *record)
{
    struct draw_outcome outcome = {.status = STATUS_INVALID};

    switch (record->type) {
    case DRAW_OPENED:
        outcome.status = apply_opened(draw, &record->opened);
        outcome.is_recorded = outcome.status == STATUS_OK;
        break;
    case DRAW_AGENCIES:
        outcome.status = apply_agencies(draw, record->agencies);
        outcome.is_recorded = outcome.status == STATUS_OK;
        break;
    case DRAW_BETS:
    case DRAW_FINISHED:
        apply_of_agency(draw, record, &outcome);
        break;
    case DRAW_CLOSING:
        outcome.status = apply_closed(draw, &record->closed);
        outcome.is_recorded = outcome.status == STATUS_OK;
        break;
    case DRAW_DRAWING:
        outcome.status = apply_drawn(draw, &record->drawn, &outcome);
        break;
    }
    return outcome;
}

static void undo_bets(struct draw *draw, const struct draw_bets *bets)
{
    struct draw_agency *agency = agency_of(draw, bets->agency);

    ASSERT(agency != NULL);
    ASSERT(agency->received == bets->offset + bets->count);
    agency->received = bets->offset;
    agency->checksum = bets->checksum_before;
    draw->bets -= bets->count;
}

static void undo_finished(struct draw *draw, const struct draw_finished *finished)
{
    struct draw_agency *agency = agency_of(draw, finished->agency);

    ASSERT(agency != NULL);
    ASSERT(agency->has_finished);
    agency->has_finished = false;
    draw->finished--;
}

void draw_undo(struct draw *draw, const struct draw_record *record)
{
    switch (record->type) {
    case DRAW_BETS:
        undo_bets(draw, &record->bets);
        break;
    case DRAW_FINISHED:
        undo_finished(draw, &record->finished);
        break;
    case DRAW_CLOSING:
        ASSERT(draw->phase == DRAW_CLOSED);
        draw->phase = DRAW_OPEN;
        draw->closed = (struct draw_closed){0};
        break;
    case DRAW_DRAWING:
        ASSERT(draw->phase == DRAW_DRAWN);
        draw->phase = DRAW_CLOSED;
        draw->drawn = (struct draw_drawn){0};
        break;
    case DRAW_OPENED:
    case DRAW_AGENCIES:
        ASSERT(false); /* without these the ledger does not go on */
    }
}
