#include "memory_ledger.h"

#include "bets_csv.h"
#include "crc32c.h"
#include "fuzz.h"
#include "winner_files.h"

enum kind { APPEND, ASK, FINISH };

struct winner_index {
    uint32_t winner_number;
    struct winner_documents of[MEMORY_AGENCIES + 1]; /* [1..] */
    char *texts[MEMORY_AGENCIES + 1];                /* owned; the same */
};

static const struct memory_ledger *current; /* whose winners are opened */

static struct memory_ledger *from_ledger(const struct ledger *ledger)
{
    return (struct memory_ledger *)(uintptr_t)ledger;
}

static void hand_in(struct memory_ledger *self, struct ledger_op *op, enum kind kind,
                    uint32_t agency)
{
    op->kind = kind;
    op->agency = agency;
    list_append(&self->ops, &op->node);
}

static void reserve(struct memory_ledger *self, size_t size)
{
    if (size <= self->capacity - self->used)
        return;
    self->capacity = 2 * self->capacity + size;
    self->lines = realloc(self->lines, self->capacity);
    FUZZ_CHECK(self->lines != NULL);
}

static enum status append(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                          uint64_t offset, const struct bet *bets, size_t count)
{
    struct memory_ledger *self = from_ledger(ledger);

    FUZZ_CHECK(count > 0);
    op->offset = offset;
    op->count = (uint32_t)count;
    op->at = self->used;
    reserve(self, count * BET_LINE_MAX);
    /* The service must only hand in valid bets. */
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(bet_check(&bets[i], FUZZ_TODAY) == BET_FAULT_NONE);
    op->size = (uint32_t)bet_lines_format(agency, bets, count, self->lines + self->used);
    self->used += op->size;
    hand_in(self, op, APPEND, agency);
    return STATUS_OK;
}

static void ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t offset)
{
    op->offset = offset;
    hand_in(from_ledger(ledger), op, ASK, agency);
}

static void finish(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t total)
{
    op->total = total;
    hand_in(from_ledger(ledger), op, FINISH, agency);
}

/* Where the lines of a batch begin that are not known. */
static char *skip_known(const struct memory_ledger *self, const struct ledger_op *op,
                        uint32_t known)
{
    char *from = self->lines + op->at;
    const char *end = from + op->size;

    for (; known > 0; known--)
        from = (char *)memchr(from, '\n', (size_t)(end - from)) + 1;
    return from;
}

/* Appends the lines of the new bets of a batch to those that are stored. */
static void keep_lines(struct memory_ledger *self, const struct ledger_op *op, uint32_t known)
{
    const char *from = skip_known(self, op, known);
    size_t size = (size_t)(self->lines + op->at + op->size - from);

    memmove(self->lines + self->size, from, size);
    self->size += size;
}

static void add_checksums(const struct memory_ledger *self, const struct ledger_op *op,
                          struct draw_bets *batch)
{
    const char *text = self->lines + op->at;
    uint32_t known = draw_known(&self->draw, batch);
    size_t known_size = (size_t)(skip_known(self, op, known) - text);

    batch->claimed = op->claimed;
    batch->claimed.value = crc32c(op->claimed.value, text, known_size);
    batch->claimed.is_given &= draw_received(&self->draw, op->agency) == batch->offset + known;
    batch->checksum =
        crc32c(draw_checksum(&self->draw, op->agency), text + known_size, op->size - known_size);
}

static void decide_question(const struct memory_ledger *self, struct ledger_op *op)
{
    if (op->offset == draw_received(&self->draw, op->agency) &&
        !draw_agrees(&self->draw, op->agency, &op->claimed))
        op->status = STATUS_MISMATCH;
}

/* Decides about an append or a finish. */
static void decide(struct memory_ledger *self, struct ledger_op *op)
{
    struct draw_record record = {
        .type = DRAW_FINISHED,
        .finished = {.agency = op->agency, .total = op->total, .claimed = op->claimed}};

    if (op->kind == APPEND) {
        record.type = DRAW_BETS;
        record.bets =
            (struct draw_bets){.agency = op->agency, .count = op->count, .offset = op->offset};
        add_checksums(self, op, &record.bets);
    }
    struct draw_outcome outcome = draw_apply(&self->draw, &record);
    op->status = outcome.status;
    if (outcome.is_recorded && self->is_full) {
        draw_undo(&self->draw, &record);
        op->status = STATUS_NOSPACE;
    } else if (outcome.is_recorded && op->kind == APPEND) {
        op->stored = record.bets.count;
        keep_lines(self, op, outcome.known);
    }
}

const struct ledger_op *memory_ledger_decide(struct memory_ledger *self)
{
    if (list_is_empty(&self->ops))
        return NULL;
    struct ledger_op *op = LIST_ITEM(self->ops.ring.next, struct ledger_op, node);
    op->status = STATUS_OK;
    op->stored = 0;
    if (op->kind == ASK)
        decide_question(self, op);
    else
        decide(self, op);
    op->received = draw_received(&self->draw, op->agency);
    op->checksum = draw_checksum(&self->draw, op->agency);
    self->news.finished = self->draw.finished;
    return op;
}

void memory_ledger_end(struct memory_ledger *self, bool is_lost)
{
    struct ledger_op *op = LIST_ITEM(list_pop(&self->ops), struct ledger_op, node);

    if (list_is_empty(&self->ops))
        self->used = self->size;
    if (is_lost)
        op->status = STATUS_STOPPED;
    op->done(op); /* which may free op */
}

static bool count_winner(void *context, uint32_t agency, const struct bet *bet)
{
    struct memory_ledger *self = context;

    (void)agency;
    self->draw.drawn.winners += has_won(bet, self->draw.drawn.winner_number);
    return true;
}

/* Reads the stored bets. */
static void scan(const struct memory_ledger *self, bets_csv_bet_cb on_bet, void *context)
{
    size_t bad_at;
    char *copy = malloc(self->size + 1); /* the parser changes the lines */

    FUZZ_CHECK(copy != NULL);
    if (self->size > 0)
        memcpy(copy, self->lines, self->size);
    /* Stored lines must be readable. */
    FUZZ_CHECK(bets_csv_parse(copy, self->size, on_bet, context, &bad_at) == STATUS_OK);
    free(copy);
}

/* Tells everybody. */
static void tell(struct memory_ledger *self)
{
    self->news.phase = self->draw.phase;
    self->news.bets = self->draw.closed.bets;
    self->news.closed = self->draw.closed;
    self->news.is_sealed = self->news.has_seal = self->draw.is_sealed;
    self->news.sealed = self->draw.sealed;
    self->news.drawn = self->draw.drawn;
    self->news.has_winners = self->draw.phase == DRAW_DRAWN;
}

static void close_draw(struct memory_ledger *self, enum draw_closed_by by)
{
    struct draw_record closing = {.type = DRAW_CLOSING, .closed = {.by = by}};

    FUZZ_CHECK(draw_apply(&self->draw, &closing).is_recorded);
    tell(self);
}

static void hold_draw(struct memory_ledger *self, uint32_t number, const char *source)
{
    struct draw_record drawing = {.type = DRAW_DRAWING,
                                  .drawn = {.winner_number = number, .source = text_of(source)}};

    FUZZ_CHECK(draw_apply(&self->draw, &drawing).is_recorded);
    scan(self, count_winner, self);
    tell(self);
}

static bool may_be_drawn(const struct memory_ledger *self)
{
    return self->draw.phase == DRAW_CLOSED && self->draw.is_sealed == self->draw.terms.has_seal;
}

void memory_ledger_draw(struct memory_ledger *self)
{
    if (draw_is_due(&self->draw))
        close_draw(self, DRAW_BY_ALL_FINISHED);
    if (may_be_drawn(self) && self->draw.terms.mode == DRAW_AUTO)
        hold_draw(self, self->draw.winner_number, "");
}

void memory_ledger_close_early(struct memory_ledger *self)
{
    if (self->draw.phase == DRAW_OPEN && self->draw.terms.mode == DRAW_MANUAL)
        close_draw(self, DRAW_BY_OPERATOR);
}

void memory_ledger_seal(struct memory_ledger *self, const uint8_t root[DRAW_ROOT_SIZE])
{
    struct draw_record sealing = {.type = DRAW_SEALING};

    memcpy(sealing.sealed.root, root, DRAW_ROOT_SIZE);
    if (self->draw.phase == DRAW_CLOSED && self->draw.terms.has_seal && !self->draw.is_sealed)
        FUZZ_CHECK(draw_apply(&self->draw, &sealing).is_recorded);
    tell(self);
}

void memory_ledger_give_number(struct memory_ledger *self, uint32_t number, const char *source)
{
    if (may_be_drawn(self) && self->draw.terms.mode == DRAW_MANUAL)
        hold_draw(self, number, source);
}

static size_t backlog(const struct ledger *ledger)
{
    return from_ledger(ledger)->used - from_ledger(ledger)->size;
}

static const struct ledger_news *news(const struct ledger *ledger)
{
    return &from_ledger(ledger)->news;
}

static const struct ledger_backend backend = {
    .append = append,
    .ask = ask,
    .finish = finish,
    .backlog = backlog,
    .news = news,
};

void memory_ledger_init_run(struct memory_ledger *self, const struct draw_terms *terms,
                            uint32_t winner_number)
{
    struct draw_record opened = {
        .type = DRAW_OPENED,
        .opened = {.agencies = MEMORY_AGENCIES, .winner_number = winner_number, .terms = *terms}};

    memset(self, 0, sizeof(*self));
    self->ledger.backend = &backend;
    list_init(&self->ops);
    draw_init(&self->draw);
    FUZZ_CHECK(draw_apply(&self->draw, &opened).is_recorded);
    self->news.phase = DRAW_OPEN;
    self->news.agencies = MEMORY_AGENCIES;
    self->news.winner_number = winner_number;
    self->news.terms = *terms;
    current = self;
}

void memory_ledger_init(struct memory_ledger *self, uint32_t winner_number)
{
    const struct draw_terms terms = {.mode = DRAW_AUTO};

    memory_ledger_init_run(self, &terms, winner_number);
}

void memory_ledger_fini(struct memory_ledger *self)
{
    draw_fini(&self->draw);
    free(self->lines);
}

static bool add_winner(void *context, uint32_t agency, const struct bet *bet)
{
    struct winner_index *index = context;
    struct winner_documents *of = &index->of[agency];

    if (!has_won(bet, index->winner_number))
        return true;
    memcpy(index->texts[agency] + of->size, bet->document.data, bet->document.size);
    of->size += bet->document.size;
    index->texts[agency][of->size++] = '\n';
    of->count++;
    return true;
}

static struct winner_index *make_index(const struct memory_ledger *self)
{
    struct winner_index *index = calloc(1, sizeof(*index));

    FUZZ_CHECK(index != NULL && self->news.has_winners);
    index->winner_number = self->draw.drawn.winner_number;
    for (uint32_t i = 1; i <= MEMORY_AGENCIES; i++) {
        index->texts[i] = malloc(self->size + 1); /* a line is longer than its document */
        FUZZ_CHECK(index->texts[i] != NULL);
    }
    scan(self, add_winner, index);
    return index;
}

enum status winner_index_open(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                              const struct draw_drawn *drawn, struct winner_index **out,
                              struct errbuf *err)
{
    (void)ops;
    (void)dir_fd;
    (void)err;
    FUZZ_CHECK(agencies == MEMORY_AGENCIES && drawn->winners == current->draw.drawn.winners);
    *out = make_index(current);
    return STATUS_OK;
}

enum status memory_ledger_load(const struct memory_ledger *self, struct past_draw *out)
{
    struct draw *draw = &out->draw;
    struct draw_agency *agencies = calloc(MEMORY_AGENCIES + 1, sizeof(*agencies));

    if (self->draw.phase != DRAW_DRAWN) {
        free(agencies);
        return STATUS_NOTFOUND;
    }
    FUZZ_CHECK(agencies != NULL && draw->agency == NULL && self->draw.acts_count == 0);
    memcpy(agencies, self->draw.agency, (MEMORY_AGENCIES + 1) * sizeof(*agencies));
    *draw = self->draw;
    draw->agency = agencies;
    draw->drawn.source.data = draw->source;
    out->files.winners = make_index(self);
    return STATUS_OK;
}

void winner_index_close(struct winner_index *index)
{
    if (index == NULL)
        return;
    for (uint32_t i = 1; i <= MEMORY_AGENCIES; i++)
        free(index->texts[i]);
    free(index);
}

struct winner_documents winner_index_of(const struct winner_index *index, uint32_t agency)
{
    FUZZ_CHECK(agency >= 1 && agency <= MEMORY_AGENCIES);
    return index->of[agency];
}

enum status winner_index_read(const struct winner_index *index, uint32_t agency, uint64_t from,
                              char *out, size_t size)
{
    FUZZ_CHECK(agency >= 1 && agency <= MEMORY_AGENCIES);
    FUZZ_CHECK(from <= index->of[agency].size && size <= index->of[agency].size - from);
    memcpy(out, index->texts[agency] + from, size);
    return STATUS_OK;
}
