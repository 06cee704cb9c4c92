#include "memory_store.h"

#include "bets_csv.h"
#include "fuzz.h"

static struct memory_store *from_store(const struct store *store)
{
    return (struct memory_store *)(uintptr_t)store;
}

static void hand_in(struct memory_store *self, struct store_op *op)
{
    op->next = NULL;
    *self->end = op;
    self->end = &op->next;
}

static void reserve(struct memory_store *self, size_t size)
{
    if (size <= self->capacity - self->used)
        return;
    self->capacity = 2 * self->capacity + size;
    self->lines = realloc(self->lines, self->capacity);
    FUZZ_CHECK(self->lines != NULL);
}

static enum status append(struct store *store, struct store_op *op, uint32_t agency,
                          uint64_t offset, const struct bet *bets, size_t count)
{
    struct memory_store *self = from_store(store);

    op->agency = agency;
    op->offset = offset;
    op->count = (uint32_t)count;
    op->is_finish = false;
    op->bytes_at = self->used;
    reserve(self, count * BETS_CSV_LINE_MAX);
    /* The service must only hand in valid bets. */
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(bet_check(&bets[i], FUZZ_TODAY) == BET_FAULT_NONE);
    if (count > 0)
        self->used += bets_csv_format(agency, bets, count, self->lines + self->used);
    op->bytes = (uint32_t)(self->used - op->bytes_at);
    hand_in(self, op);
    return STATUS_OK;
}

static void finish(struct store *store, struct store_op *op, uint32_t agency, uint64_t total)
{
    op->agency = agency;
    op->offset = total;
    op->count = 0;
    op->is_finish = true;
    hand_in(from_store(store), op);
}

static enum status decide(struct memory_store *self, const struct store_op *op)
{
    const struct memory_agency *agency = &self->agencies[op->agency];

    if (op->is_finish && op->offset != agency->received)
        return STATUS_INCOMPLETE;
    if (op->is_finish && !agency->has_finished)
        return self->is_full ? STATUS_NOSPACE : STATUS_OK;
    if (op->is_finish || op->count == 0)
        return STATUS_OK;
    if (op->offset > agency->received)
        return STATUS_GAP;
    if (op->count <= agency->received - op->offset)
        return STATUS_OK; /* all bets are known */
    if (agency->has_finished)
        return STATUS_CLOSED;
    return self->is_full ? STATUS_NOSPACE : STATUS_OK;
}

/* Appends the lines of the new bets of a batch to those that are stored. */
static void keep_lines(struct memory_store *self, struct store_op *op)
{
    struct memory_agency *agency = &self->agencies[op->agency];
    char *from = self->lines + op->bytes_at;
    char *end = from + op->bytes;

    for (uint64_t known = agency->received - op->offset; known > 0; known--)
        from = (char *)memchr(from, '\n', (size_t)(end - from)) + 1;
    op->stored = (uint32_t)(op->count - (agency->received - op->offset));
    memmove(self->lines + self->size, from, (size_t)(end - from));
    self->size += (size_t)(end - from);
    agency->received += op->stored;
}

const struct store_op *memory_store_decide(struct memory_store *self)
{
    struct store_op *op = self->first;

    if (op == NULL)
        return NULL;
    bool is_known = op->agency >= 1 && op->agency <= MEMORY_AGENCIES;
    op->status = is_known ? decide(self, op) : STATUS_UNKNOWN_AGENCY;
    op->stored = 0;
    if (op->status == STATUS_OK && op->is_finish)
        self->agencies[op->agency].has_finished = true;
    if (op->status == STATUS_OK && op->count > 0 &&
        op->count > self->agencies[op->agency].received - op->offset)
        keep_lines(self, op);
    op->received = is_known ? self->agencies[op->agency].received : 0;
    return op;
}

void memory_store_end(struct memory_store *self)
{
    struct store_op *op = self->first;

    self->first = op->next;
    if (self->first == NULL) {
        self->end = &self->first;
        self->used = self->size;
    }
    op->done(op); /* which may free op */
}

static size_t backlog(const struct store *store)
{
    return from_store(store)->used - from_store(store)->size;
}

static uint32_t agencies(const struct store *store)
{
    (void)store;
    return MEMORY_AGENCIES;
}

static uint32_t finished(const struct store *store)
{
    uint32_t count = 0;

    for (uint32_t i = 1; i <= MEMORY_AGENCIES; i++)
        count += from_store(store)->agencies[i].has_finished;
    return count;
}

static bool has_draw(const struct store *store)
{
    return from_store(store)->has_draw;
}

static enum status read_draw(struct store *store, struct draw *out, struct errbuf *err)
{
    struct memory_store *self = from_store(store);
    size_t bad_at;

    (void)err;
    out->winner_number = self->winner_number;
    char *copy = malloc(self->size + 1); /* the parser changes the lines */
    FUZZ_CHECK(copy != NULL);
    if (self->size > 0)
        memcpy(copy, self->lines, self->size);
    enum status status =
        winners_collect(copy, self->size, self->winner_number, &out->winners, &bad_at);
    FUZZ_CHECK(status == STATUS_OK); /* stored lines must be readable */
    free(copy);
    return status;
}

/* The service never scans and never holds the draw. */
static const struct store_backend backend = {
    .append = append,
    .finish = finish,
    .backlog = backlog,
    .agencies = agencies,
    .finished = finished,
    .has_draw = has_draw,
    .read_draw = read_draw,
};

void memory_store_init(struct memory_store *self, uint32_t winner_number)
{
    memset(self, 0, sizeof(*self));
    self->store.backend = &backend;
    self->end = &self->first;
    self->winner_number = winner_number;
}

void memory_store_fini(struct memory_store *self)
{
    free(self->lines);
}
