#include "scan_work.h"

#include "bets_scan.h"
#include "clock.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <unistd.h>

struct scan_results {
    size_t size; /* bytes of the mapping */
    struct scan_result of[SCAN_PARTS_MAX];
    struct winner_counts counts[]; /* agencies + 1 of each part */
};

void scan_work_init(struct scan_work *work, const struct data_dir *data_dir)
{
    *work = (struct scan_work){.data_dir = data_dir};
    draw_init(&work->draw);
}

void scan_work_clear(struct scan_work *work)
{
    for (size_t i = 0; i < work->files; i++)
        (void)close(work->fds[i]);
    work->files = 0;
    if (work->results != NULL)
        (void)munmap(work->results, work->results->size);
    work->results = NULL;
    bets_extent_fini(&work->extent);
    draw_fini(&work->draw);
    draw_init(&work->draw);
}

/* Maps zeroed memory for the results, whose pages exist once they are used. */
static enum status scan_work_map(struct scan_work *work, struct errbuf *err)
{
    size_t counts = (size_t)work->parts * ((size_t)work->draw.agencies + 1);
    size_t size = sizeof(struct scan_results) + counts * sizeof(struct winner_counts);

    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    work->results = memory;
    work->results->size = size;
    return STATUS_OK;
}

static struct winner_counts *scan_work_counts(const struct scan_work *work, unsigned part)
{
    return work->results->counts + (size_t)part * (work->draw.agencies + 1);
}

const struct scan_result *scan_work_result(const struct scan_work *work, unsigned index)
{
    return &work->results->of[index];
}

static enum status scan_work_read_checkpoint(struct scan_work *work, const struct ledger_news *news,
                                             struct errbuf *err)
{
    const struct draw *draw = &work->draw;

    enum status status =
        journal_file_read_checkpoint(work->data_dir, &work->draw, &work->extent, err);
    if (status != STATUS_OK)
        return status;
    if ((draw->phase == DRAW_CLOSED || draw->phase == DRAW_DRAWN) &&
        draw->closed.extent == work->extent.size && draw->closed.bets == news->bets &&
        draw->agencies == news->agencies && draw->winner_number == news->winner_number)
        return STATUS_OK;
    errbuf_set(err, "the journal's checkpoint is not of the draw that was closed");
    return STATUS_DAMAGED;
}

/* As many parts as scanners, but none without a chunk of its own. */
static unsigned scan_work_part_count(const struct scan_work *work, unsigned scanners)
{
    uint64_t chunks = (work->extent.size + BETS_CHUNK_SIZE - 1) / BETS_CHUNK_SIZE;

    if (chunks < 1)
        return 1;
    return chunks < scanners ? (unsigned)chunks : scanners;
}

enum status scan_work_prepare(struct scan_work *work, const struct ledger_news *news,
                              unsigned scanners, struct errbuf *err)
{
    enum status status = scan_work_read_checkpoint(work, news, err);

    if (status != STATUS_OK)
        return status;
    work->parts = scan_work_part_count(work, scanners);
    return scan_work_map(work, err);
}

enum status scan_work_prepare_check(struct scan_work *work, const struct ledger_news *news,
                                    struct errbuf *err)
{
    work->parts = 0;
    work->draw.agencies = news->agencies;
    work->drawn = news->drawn;
    return scan_work_map(work, err);
}

static enum status scan_work_on_winner(void *owner, const struct winner *winner)
{
    return winner_part_add(owner, winner);
}

void scan_work_scan(const struct scan_work *work, unsigned part)
{
    struct scan_result *result = &work->results->of[part];
    struct winner_part *found = NULL;

    const struct winner_part_config config = {
        .ops = work->data_dir->ops,
        .fd = work->fds[2 + part],
        .agencies = work->draw.agencies,
        .counts = scan_work_counts(work, part),
    };
    result->status = winner_part_create(&config, &found);
    if (result->status != STATUS_OK)
        return;
    const struct bets_scan scan = {
        .data_dir = work->data_dir,
        .extent = &work->extent,
        .winner_number = work->draw.winner_number,
        .part = part,
        .parts = work->parts,
        .on_winner = scan_work_on_winner,
        .owner = found,
        .bets = &result->bets,
    };
    result->status = bets_scan_run(&scan, &result->err);
    if (result->status == STATUS_OK)
        result->status = winner_part_flush(found);
    winner_part_destroy(found);
}

void scan_work_join(const struct scan_work *work)
{
    struct scan_result *result = &work->results->of[0];
    const struct winner_counts *counts[SCAN_PARTS_MAX];

    for (unsigned i = 0; i < work->parts; i++)
        counts[i] = scan_work_counts(work, i);
    const struct winner_join join = {
        .ops = work->data_dir->ops,
        .part_fds = work->fds + 2,
        .counts = counts,
        .parts = work->parts,
        .agencies = work->draw.agencies,
        .winners_fd = work->fds[0],
        .index_fd = work->fds[1],
    };
    result->status = winner_files_join(&join, &result->drawn, &result->err);
}

void scan_work_check(const struct scan_work *work)
{
    struct scan_result *result = &work->results->of[0];

    result->status = winner_files_check(work->data_dir->ops, work->data_dir->fd,
                                        work->draw.agencies, &work->drawn, &result->err);
}

enum status scan_work_count_bets(const struct scan_work *work, struct errbuf *err)
{
    uint64_t bets = 0;

    for (unsigned i = 0; i < work->parts; i++)
        bets += work->results->of[i].bets;
    if (bets == work->draw.closed.bets)
        return STATUS_OK;
    errbuf_set(err,
               "bets.csv: %" PRIu64 " bets up to byte %" PRIu64
               ", but the draw was closed with %" PRIu64
               "; stop the server and restore the data directory from a copy",
               bets, work->extent.size, work->draw.closed.bets);
    return STATUS_DAMAGED;
}

enum status scan_work_take_outcome(struct scan_work *work, struct errbuf *err)
{
    const struct draw_drawn *joined = &work->results->of[0].drawn;
    uint64_t found = 0;

    for (unsigned part = 0; part < work->parts; part++) {
        for (uint32_t agency = 0; agency <= work->draw.agencies; agency++)
            found += scan_work_counts(work, part)[agency].winners;
    }
    if (joined->winners != found) {
        errbuf_set(err, "the scanners have found %" PRIu64 " winners, but %" PRIu64 " were joined",
                   found, joined->winners);
        return STATUS_DAMAGED;
    }
    work->drawn = (struct draw_drawn){
        .time_s = (uint64_t)clock_wall_s(),
        .winner_number = work->draw.winner_number,
        .winners = joined->winners,
        .winners_size = joined->winners_size,
        .winners_crc = joined->winners_crc,
    };
    return STATUS_OK;
}
