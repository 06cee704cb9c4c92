#include "scan_work.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct scan_results {
    size_t size; /* bytes of the mapping */
    struct scan_result of[SCAN_PARTS_MAX];
    uint64_t shared[]; /* of the kind */
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

enum status scan_work_map(struct scan_work *work, size_t size, struct errbuf *err)
{
    size_t all = sizeof(struct scan_results) + size;

    void *memory = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    work->results = memory;
    work->results->size = all;
    return STATUS_OK;
}

void *scan_work_shared(const struct scan_work *work)
{
    return work->results->shared;
}

struct scan_result *scan_work_result(const struct scan_work *work, unsigned index)
{
    return &work->results->of[index];
}

enum status scan_work_read_checkpoint(struct scan_work *work, struct errbuf *err)
{
    const struct ledger_news *news = &work->order.news;
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

enum status scan_work_prepare_check(struct scan_work *work, struct errbuf *err)
{
    work->parts = 0;
    work->draw.agencies = work->order.news.agencies;
    work->outcome =
        (struct scan_outcome){.sealed = work->order.news.sealed, .drawn = work->order.news.drawn};
    return scan_work_map(work, 0, err);
}

enum status scan_work_refuse_bets(const struct scan_work *work, uint64_t bets, struct errbuf *err)
{
    errbuf_set(err,
               "bets.csv: %" PRIu64 " bets up to byte %" PRIu64
               ", but the draw was closed with %" PRIu64
               "; stop the server and restore the data directory from a copy",
               bets, work->extent.size, work->draw.closed.bets);
    return STATUS_DAMAGED;
}
