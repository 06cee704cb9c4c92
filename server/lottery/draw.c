#include "draw.h"

#include "assertion.h"
#include "bet.h"
#include "utf8.h"

#include <stdlib.h>
#include <string.h>

void draw_init(struct draw *draw)
{
    *draw = (struct draw){.phase = DRAW_NEW};
}

void draw_fini(struct draw *draw)
{
    free(draw->agency);
    while (draw->acts_count > 0)
        free(draw->acts[--draw->acts_count]);
    free(draw->acts);
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

bool draw_has_finished(const struct draw *draw, uint32_t agency)
{
    const struct draw_agency *of = agency_of(draw, agency);

    return of != NULL && of->has_finished;
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

bool draw_is_text(struct text text)
{
    return text.size == 0 || (text.size <= DRAW_TEXT_MAX && utf8_is_printable(text));
}

bool draw_is_past_deadline(const struct draw *draw, uint64_t now_s)
{
    return draw->phase == DRAW_OPEN && draw->terms.close_at_s > 0 &&
           now_s >= draw->terms.close_at_s;
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

/* In an automatic draw nobody closes before all have finished; in a manual one nobody knows the
 * number. */
static bool are_terms_right(const struct draw_opened *opened)
{
    const struct draw_terms *terms = &opened->terms;
    bool is_ended = memchr(terms->id, '\0', sizeof(terms->id)) != NULL;

    return is_ended && (terms->id[0] == '\0' || draw_id_is_valid(text_of(terms->id))) &&
           ((terms->mode == DRAW_MANUAL && opened->winner_number == 0 &&
             terms->close_at_s <= DRAW_TIME_MAX) ||
            (terms->mode == DRAW_AUTO && terms->close_at_s == 0));
}

static enum status apply_opened(struct draw *draw, const struct draw_opened *opened)
{
    enum status status;

    if (draw->phase != DRAW_NEW)
        return STATUS_CLOSED;
    if (!are_terms_right(opened))
        return STATUS_INVALID;
    status = grow(draw, opened->agencies);
    if (status != STATUS_OK)
        return status;
    draw->phase = DRAW_OPEN;
    draw->winner_number = opened->winner_number;
    draw->terms = opened->terms;
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
    if (agency->has_finished || draw->phase != DRAW_OPEN)
        return STATUS_OK;
    outcome->is_recorded = true;
    agency->has_finished = true;
    draw->finished++;
    return STATUS_OK;
}

static bool is_closing_right(const struct draw *draw, const struct draw_closed *closed)
{
    switch (closed->by) {
    case DRAW_BY_ALL_FINISHED:
        return draw_is_due(draw);
    case DRAW_BY_DEADLINE:
        return draw_is_past_deadline(draw, closed->time_s);
    case DRAW_BY_OPERATOR:
        return draw->terms.mode == DRAW_MANUAL;
    }
    return false;
}

static enum status apply_closed(struct draw *draw, struct draw_closed *closed)
{
    if (draw->phase != DRAW_OPEN)
        return STATUS_CLOSED;
    if (!is_closing_right(draw, closed) || (closed->uid != 0 && closed->by != DRAW_BY_OPERATOR))
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

static enum status apply_sealed(struct draw *draw, const struct draw_sealed *sealed,
                                struct draw_outcome *outcome)
{
    if (draw->phase < DRAW_CLOSED)
        return STATUS_CLOSED;
    if (!draw->terms.has_seal)
        return STATUS_INVALID;
    if (draw->is_sealed)
        return memcmp(draw->sealed.root, sealed->root, DRAW_ROOT_SIZE) == 0 ? STATUS_OK
                                                                            : STATUS_CLOSED;
    outcome->is_recorded = true;
    draw->is_sealed = true;
    draw->sealed = *sealed;
    return STATUS_OK;
}

bool draw_may_have(const struct draw *draw, const struct draw_drawn *drawn)
{
    bool is_right = draw->terms.mode == DRAW_MANUAL
                        ? drawn->winner_number <= BET_NUMBER_MAX && draw_is_text(drawn->source)
                        : drawn->winner_number == draw->winner_number && drawn->uid == 0 &&
                              drawn->source.size == 0;

    return is_right && draw->is_sealed == draw->terms.has_seal;
}

static enum status apply_drawn(struct draw *draw, struct draw_drawn *drawn,
                               struct draw_outcome *outcome)
{
    if (draw->phase == DRAW_DRAWN)
        return draw_is_same_outcome(&draw->drawn, drawn) ? STATUS_OK : STATUS_CLOSED;
    if (draw->phase != DRAW_CLOSED)
        return STATUS_CLOSED;
    if (!draw_may_have(draw, drawn))
        return STATUS_INVALID;
    outcome->is_recorded = true;
    memcpy(drawn->root, draw->sealed.root, DRAW_ROOT_SIZE);
    draw->phase = DRAW_DRAWN;
    draw->drawn = *drawn;
    if (drawn->source.size > 0)
        memcpy(draw->source, drawn->source.data, drawn->source.size);
    draw->drawn.source.data = draw->source;
    return STATUS_OK;
}

/* Room for one more act. NULL: there is no memory. */
static struct draw_act **reserve_act(struct draw *draw)
{
    struct draw_act **acts =
        realloc(draw->acts, (draw->acts_count + 1) * sizeof(struct draw_act *));

    if (acts == NULL)
        return NULL;
    draw->acts = acts;
    return &acts[draw->acts_count];
}

/* Keeps a copy of it, with its text in the same block. */
static enum status apply_act(struct draw *draw, const struct draw_act *act)
{
    if (draw->phase == DRAW_NEW || act->text.size == 0 || !draw_is_text(act->text))
        return STATUS_INVALID;
    if (draw->acts_count == DRAW_ACTS_MAX)
        return STATUS_NOSPACE;
    struct draw_act **place = reserve_act(draw);
    if (place == NULL)
        return STATUS_NOMEM;
    struct draw_act *copy = malloc(sizeof(*copy) + act->text.size);
    *place = copy;
    if (copy == NULL)
        return STATUS_NOMEM;
    draw->acts_count++;
    *copy = *act;
    copy->text.data = memcpy(copy + 1, act->text.data, act->text.size);
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
    case DRAW_SEALING:
        outcome.status = apply_sealed(draw, &record->sealed, &outcome);
        break;
    case DRAW_DRAWING:
        outcome.status = apply_drawn(draw, &record->drawn, &outcome);
        break;
    case DRAW_ACT:
        outcome.status = apply_act(draw, &record->act);
        outcome.is_recorded = outcome.status == STATUS_OK;
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
    case DRAW_SEALING:
        ASSERT(draw->is_sealed && draw->phase == DRAW_CLOSED);
        draw->is_sealed = false;
        draw->sealed = (struct draw_sealed){0};
        break;
    case DRAW_ACT:
        ASSERT(draw->acts_count > 0);
        free(draw->acts[--draw->acts_count]);
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
