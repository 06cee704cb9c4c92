#include "fake_store.h"

#include "assertion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static struct fake_store *fake_of(struct store *store)
{
    return (struct fake_store *)(void *)store;
}

static enum status fake_take_fault(struct fake_fault *fault, struct errbuf *err)
{
    enum status status = fault->status;

    if (status == STATUS_OK)
        return STATUS_OK;
    if (fault->after > 0) {
        fault->after--;
        return STATUS_OK;
    }
    fault->status = STATUS_OK;
    errbuf_set(err, "fault: %s", status_text(status));
    return status;
}

/* A record's text is borrowed. */
static void fake_keep_text(struct fake_store *store, struct draw_record *record)
{
    struct text *text = record->type == DRAW_DRAWING ? &record->drawn.source
                        : record->type == DRAW_ACT   ? &record->act.text
                                                     : NULL;
    char *copy = store->texts[record - store->records];

    if (text == NULL || text->size == 0)
        return;
    ASSERT(text->size <= DRAW_TEXT_MAX);
    memcpy(copy, text->data, text->size);
    text->data = copy;
}

static enum status fake_append(struct store *base, struct draw_record *record, const void *bets,
                               size_t size)
{
    struct fake_store *store = fake_of(base);

    enum status status = fake_take_fault(&store->append, NULL);
    if (status != STATUS_OK)
        return status;
    if (store->count == FAKE_STORE_RECORDS || size > FAKE_STORE_BYTES - store->used)
        return STATUS_NOMEM;
    ASSERT((record->type == DRAW_BETS) == (size > 0));
    if (record->type == DRAW_CLOSING)
        record->closed.extent = store->used;
    store->records[store->count] = *record;
    fake_keep_text(store, &store->records[store->count]);
    store->bets_at[store->count] = store->used;
    store->bets_size[store->count] = size;
    if (size > 0)
        memcpy(store->bets + store->used, bets, size);
    store->used += size;
    store->count++;
    return STATUS_OK;
}

static enum status fake_commit(struct store *base, struct errbuf *err)
{
    struct fake_store *store = fake_of(base);

    enum status status = fake_take_fault(&store->commit, err);
    if (status != STATUS_OK) {
        store->count = store->committed;
        store->used = store->used_committed;
        return status;
    }
    store->used_committed = store->used;
    store->committed = store->count;
    store->commits++;
    return STATUS_OK;
}

static enum status fake_maintain(struct store *base, bool is_idle, struct errbuf *err)
{
    struct fake_store *store = fake_of(base);

    ASSERT(store->count == store->committed);
    store->maintains++;
    store->idles += is_idle;
    return fake_take_fault(&store->maintain, err);
}

static size_t fake_skip(const void *bets, size_t size, uint32_t count)
{
    const char *at = bets;
    const char *end = at + size;

    for (; count > 0 && at < end; count--) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        at = line_end == NULL ? end : line_end + 1;
    }
    return (size_t)(at - (const char *)bets);
}

static enum status fake_open_files(struct store *base, enum store_files files, int *fds,
                                   size_t count, struct errbuf *err)
{
    struct fake_store *store = fake_of(base);

    enum status status = fake_take_fault(&store->open, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < count; i++) {
        fds[i] = memfd_create("winners", MFD_CLOEXEC);
        ASSERT(fds[i] >= 0);
    }
    store->opens++;
    store->has_files[files] = true;
    return STATUS_OK;
}

static enum status fake_publish_files(struct store *base, enum store_files files,
                                      struct errbuf *err)
{
    struct fake_store *store = fake_of(base);

    ASSERT(store->has_files[files]);
    store->has_files[files] = false;
    enum status status = fake_take_fault(&store->publish, err);
    if (status == STATUS_OK)
        store->publishes++;
    return status;
}

static enum status fake_snapshot(struct store *base, struct buffer *out, struct errbuf *err)
{
    struct fake_store *store = fake_of(base);
    char text[64];

    ASSERT(store->count == store->committed);
    enum status status = fake_take_fault(&store->snapshot, err);
    if (status != STATUS_OK)
        return status;
    int size = snprintf(text, sizeof(text), "records: %zu", store->committed);
    return buffer_append(out, text, (size_t)size);
}

static void fake_close(struct store *base)
{
    fake_of(base)->is_open = false;
}

static const struct store_backend fake_store_backend = {
    .append = fake_append,
    .commit = fake_commit,
    .maintain = fake_maintain,
    .skip = fake_skip,
    .open_files = fake_open_files,
    .publish_files = fake_publish_files,
    .snapshot = fake_snapshot,
    .close = fake_close,
};

struct store *fake_store_open(struct fake_store *store, struct draw *draw)
{
    store->base.backend = &fake_store_backend;
    store->count = store->committed;
    store->used = store->used_committed;
    memset(store->has_files, 0, sizeof(store->has_files));
    store->is_open = true;
    for (size_t i = 0; i < store->count; i++) {
        struct draw_record record = store->records[i];
        struct draw_outcome outcome = draw_apply(draw, &record);
        ASSERT(outcome.status == STATUS_OK && outcome.is_recorded);
    }
    return &store->base;
}

static size_t fake_encode(uint32_t agency, const struct bet *bets, size_t count, char *out)
{
    char *at = out;

    (void)agency;
    for (size_t i = 0; i < count; i++) {
        memcpy(at, bets[i].document.data, bets[i].document.size);
        at += bets[i].document.size;
        *at++ = '\n';
    }
    return (size_t)(at - out);
}

const struct store_encoding fake_store_encoding = {.bet_max = 20, .encode = fake_encode};
