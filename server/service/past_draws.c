/* Draws that are over.
 *
 * Happy path: the first session that names one has it loaded; the others share it. When the last
 * one is gone, it is kept for a while.
 *
 * Failure modes: there is no such draw, or its folder is damaged: for the agency both are the same,
 * and the log says the latter. No memory, too many at once, or the disk fails: the agency is told
 * to try later. Files that were opened turn out to be damaged: whoever comes later has them read
 * again, and then there is no such draw, unless somebody has restored them.
 */
#include "past_draws.h"

#include "assertion.h"
#include "bet_line.h"
#include "crc32c.h"
#include "log.h"
#include "log_limit.h"

#include <stdlib.h>
#include <string.h>

#define DAMAGED_BURST 20 /* lines about damaged folders, which anybody can cause */

void past_draws_init(struct past_draws *all, past_draw_load_cb load, void *owner)
{
    *all = (struct past_draws){.load = load, .owner = owner};
    list_init(&all->used);
    list_init(&all->unused);
}

/* One that is in no list. */
static void past_draws_close(struct past_draw *past)
{
    draw_fini(&past->draw);
    draw_files_close(&past->files);
    free(past);
}

/* Closes the one that nobody has used for longest. */
static void past_draws_drop_oldest(struct past_draws *all)
{
    struct past_draw *oldest = LIST_ITEM(all->unused.ring.prev, struct past_draw, node);

    ASSERT(all->unused_count > 0);
    list_remove(&oldest->node);
    all->unused_count--;
    all->count--;
    past_draws_close(oldest);
}

void past_draws_fini(struct past_draws *all)
{
    ASSERT(list_is_empty(&all->used));
    LIST_FOR_EACH (node, &all->unused)
        past_draws_close(LIST_ITEM(node, struct past_draw, node));
}

static struct past_draw *past_draws_find(const struct list *list, const char *id)
{
    LIST_FOR_EACH (node, list) {
        struct past_draw *past = LIST_ITEM(node, struct past_draw, node);
        if (!past->is_damaged && strcmp(past->id, id) == 0)
            return past;
    }
    return NULL;
}

/* Makes sure that it is what was asked for: a folder may be the copy of another one. */
static enum status past_draws_check(const struct past_draw *past, struct errbuf *err)
{
    if (past->draw.phase != DRAW_DRAWN)
        return STATUS_NOTFOUND;
    if (strcmp(past->draw.terms.id, past->id) == 0)
        return STATUS_OK;
    errbuf_set(err, "it has the draw '%s'", past->draw.terms.id);
    return STATUS_DAMAGED;
}

static enum status past_draws_load(struct past_draws *all, const char *id, struct past_draw **out)
{
    struct errbuf err = {{0}};
    struct past_draw *past = calloc(1, sizeof(*past));

    if (past == NULL)
        return STATUS_NOMEM;
    memcpy(past->id, id, strlen(id) + 1);
    draw_init(&past->draw);
    enum status status = all->load(all->owner, id, past, &err);
    if (status == STATUS_OK)
        status = past_draws_check(past, &err);
    if (status == STATUS_OK) {
        *out = past;
        return STATUS_OK;
    }
    past_draws_close(past);
    if (status != STATUS_NOTFOUND)
        LOG_LIMITED(DAMAGED_BURST, WARNING, "past_draw", FAIL, LOG_TEXT("draw", id),
                    LOG_TEXT("reason", err.text[0] != '\0' ? err.text : status_text(status)));
    return status == STATUS_DAMAGED ? STATUS_NOTFOUND : status;
}

/* Is it an id that a folder may have, or the empty one? Then writes it to `out`, as a string. */
static bool past_draws_read_id(struct text id, char out[DRAW_ID_MAX + 1])
{
    if (id.size > 0 && !draw_id_is_valid(id))
        return false;
    if (id.size > 0)
        memcpy(out, id.data, id.size);
    out[id.size] = '\0';
    return true;
}

enum status past_draws_take(struct past_draws *all, struct text id, struct past_draw **out)
{
    char name[DRAW_ID_MAX + 1];

    if (all->load == NULL || !past_draws_read_id(id, name))
        return STATUS_NOTFOUND;
    struct past_draw *past = past_draws_find(&all->used, name);
    if (past == NULL && (past = past_draws_find(&all->unused, name)) != NULL) {
        list_remove(&past->node);
        all->unused_count--;
        list_append(&all->used, &past->node);
    }
    if (past == NULL) {
        if (all->count >= PAST_DRAWS_MAX && all->unused_count == 0)
            return STATUS_NOMEM;
        enum status status = past_draws_load(all, name, &past);
        if (status != STATUS_OK)
            return status;
        if (all->count >= PAST_DRAWS_MAX)
            past_draws_drop_oldest(all);
        list_append(&all->used, &past->node);
        all->count++;
    }
    past->users++;
    *out = past;
    return STATUS_OK;
}

void past_draws_give_back(struct past_draws *all, struct past_draw *past)
{
    ASSERT(past->users > 0);
    if (--past->users > 0)
        return;
    list_remove(&past->node);
    list_prepend(&all->unused, &past->node);
    all->unused_count++;
    if (past->is_damaged) {
        list_remove(&past->node); /* to the end, which goes */
        list_append(&all->unused, &past->node);
    }
    if (past->is_damaged || all->unused_count > PAST_DRAWS_KEPT)
        past_draws_drop_oldest(all);
}

void past_draw_set_damaged(struct past_draw *past)
{
    past->is_damaged = true;
}

/* The checksum of the lines of some bets, after others that have `crc`. */
static uint32_t past_draw_checksum(uint32_t agency, uint32_t crc, const struct bet *bets,
                                   size_t count)
{
    char line[BET_LINE_MAX];

    for (size_t i = 0; i < count; i++)
        crc = crc32c(crc, line, bet_lines_format(agency, &bets[i], 1, line));
    return crc;
}

/* What a record that changes nothing comes to. */
static void past_draw_decide(struct past_draw *past, struct ledger_op *op,
                             struct draw_record *record)
{
    struct draw_outcome outcome = draw_apply(&past->draw, record);

    ASSERT(!outcome.is_recorded);
    op->status = outcome.status;
    op->received = outcome.received;
}

void past_draw_append(struct past_draw *past, struct ledger_op *op, uint32_t agency,
                      uint64_t offset, const struct bet *bets, size_t count)
{
    const struct draw *draw = &past->draw;
    struct draw_record record = {
        .type = DRAW_BETS, .bets = {.agency = agency, .count = (uint32_t)count, .offset = offset}};
    uint32_t known = draw_known(draw, &record.bets);

    ASSERT(count > 0 && count <= UINT32_MAX);
    /* As in the ledger: what ends before the last known bet cannot be compared with anything. */
    record.bets.claimed = op->claimed;
    record.bets.claimed.is_given &= draw_received(draw, agency) == offset + known;
    if (record.bets.claimed.is_given)
        record.bets.claimed.value = past_draw_checksum(agency, op->claimed.value, bets, known);
    past_draw_decide(past, op, &record);
    op->checksum = draw_checksum(draw, agency);
    op->stored = 0;
}

void past_draw_ask(const struct past_draw *past, struct ledger_op *op, uint32_t agency,
                   uint64_t offset)
{
    struct bets_checksum claimed = op->claimed;

    op->received = draw_received(&past->draw, agency);
    op->checksum = draw_checksum(&past->draw, agency);
    claimed.is_given &= offset == op->received;
    op->status = draw_agrees(&past->draw, agency, &claimed) ? STATUS_OK : STATUS_MISMATCH;
}

void past_draw_finish(struct past_draw *past, struct ledger_op *op, uint32_t agency, uint64_t total)
{
    struct draw_record record = {
        .type = DRAW_FINISHED,
        .finished = {.agency = agency, .total = total, .claimed = op->claimed}};

    op->total = total;
    past_draw_decide(past, op, &record);
    op->checksum = draw_checksum(&past->draw, agency);
}
