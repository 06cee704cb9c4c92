/* Finds the winners: scanners, one per part of bets.csv, write what they find to a file each, and
 * the joiner makes winners.csv and its index of all of these.
 */
#include "bets_scan.h"
#include "clock.h"
#include "scan_work.h"
#include "winner_files.h"

#include <inttypes.h>

static struct winner_counts *scan_winners_counts(const struct scan_work *work, unsigned part)
{
    struct winner_counts *counts = scan_work_shared(work); /* agencies + 1 of each part */

    return counts + (size_t)part * (work->draw.agencies + 1);
}

/* As many parts as scanners, but none without a chunk of its own. */
static unsigned scan_winners_part_count(const struct scan_work *work, unsigned scanners)
{
    uint64_t chunks = (work->extent.size + BETS_CHUNK_SIZE - 1) / BETS_CHUNK_SIZE;

    if (chunks < 1)
        return 1;
    return chunks < scanners ? (unsigned)chunks : scanners;
}

static enum status scan_winners_prepare(struct scan_work *work, unsigned scanners,
                                        struct errbuf *err)
{
    enum status status = scan_work_read_checkpoint(work, err);

    if (status != STATUS_OK)
        return status;
    work->parts = scan_winners_part_count(work, scanners);
    size_t counts = (size_t)work->parts * ((size_t)work->draw.agencies + 1);
    return scan_work_map(work, counts * sizeof(struct winner_counts), err);
}

static enum status scan_winners_on_winner(void *owner, const struct winner *winner)
{
    return winner_part_add(owner, winner);
}

static void scan_winners_scan(const struct scan_work *work, unsigned part)
{
    struct scan_result *result = scan_work_result(work, part);
    struct winner_part *found = NULL;

    const struct winner_part_config config = {
        .ops = work->data_dir->ops,
        .fd = work->fds[2 + part],
        .agencies = work->draw.agencies,
        .counts = scan_winners_counts(work, part),
    };
    result->status = winner_part_create(&config, &found);
    if (result->status != STATUS_OK)
        return;
    const struct bets_scan scan = {
        .data_dir = work->data_dir,
        .extent = &work->extent,
        .winner_number = work->order.drawn.winner_number,
        .part = part,
        .parts = work->parts,
        .on_winner = scan_winners_on_winner,
        .owner = found,
        .bets = &result->bets,
    };
    result->status = bets_scan_run(&scan, &result->err);
    if (result->status == STATUS_OK)
        result->status = winner_part_flush(found);
    winner_part_destroy(found);
}

static void scan_winners_join(const struct scan_work *work)
{
    struct scan_result *result = scan_work_result(work, 0);
    const struct winner_counts *counts[SCAN_PARTS_MAX];

    for (unsigned i = 0; i < work->parts; i++)
        counts[i] = scan_winners_counts(work, i);
    const struct winner_join join = {
        .ops = work->data_dir->ops,
        .part_fds = work->fds + 2,
        .counts = counts,
        .parts = work->parts,
        .agencies = work->draw.agencies,
        .winners_fd = work->fds[0],
        .index_fd = work->fds[1],
    };
    result->status = winner_files_join(&join, &result->outcome.drawn, &result->err);
}

static void scan_winners_check(const struct scan_work *work)
{
    struct scan_result *result = scan_work_result(work, 0);

    result->status = winner_files_check(work->data_dir->ops, work->data_dir->fd,
                                        work->draw.agencies, &work->outcome.drawn, &result->err);
}

/* If they have not, a bet that was acknowledged might have won. */
static enum status scan_winners_gather(const struct scan_work *work, struct errbuf *err)
{
    uint64_t bets = 0;

    for (unsigned i = 0; i < work->parts; i++)
        bets += scan_work_result(work, i)->bets;
    return bets == work->draw.closed.bets ? STATUS_OK : scan_work_refuse_bets(work, bets, err);
}

/* The outcome has to have the winners that the scanners have found. */
static enum status scan_winners_take(struct scan_work *work, struct errbuf *err)
{
    const struct draw_drawn *joined = &scan_work_result(work, 0)->outcome.drawn;
    const struct draw_drawn *given = &work->order.drawn;
    uint64_t found = 0;

    for (unsigned part = 0; part < work->parts; part++) {
        for (uint32_t agency = 0; agency <= work->draw.agencies; agency++)
            found += scan_winners_counts(work, part)[agency].winners;
    }
    if (joined->winners != found) {
        errbuf_set(err, "the scanners have found %" PRIu64 " winners, but %" PRIu64 " were joined",
                   found, joined->winners);
        return STATUS_DAMAGED;
    }
    work->outcome.drawn = (struct draw_drawn){
        .time_s = (uint64_t)clock_wall_s(),
        .winner_number = given->winner_number,
        .winners = joined->winners,
        .winners_size = joined->winners_size,
        .winners_crc = joined->winners_crc,
        .uid = given->uid,
        .source = given->source,
    };
    return STATUS_OK;
}

const struct scan_kind scan_winners = {
    .files = STORE_WINNERS,
    .what = "the winners",
    .has_part_files = true,
    .prepare = scan_winners_prepare,
    .scan = scan_winners_scan,
    .gather = scan_winners_gather,
    .join = scan_winners_join,
    .take = scan_winners_take,
    .check = scan_winners_check,
};
