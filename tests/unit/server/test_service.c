/* The service with a fake connection for each session, a fake ledger that ends operations when the
 * test says so, and a fake index of the winners in place of that of winner_files.h.
 */
#include "alloc_fault.h"
#include "capture.h"
#include "cmocka_all.h"
#include "dispatch.h"
#include "fake_clock.h"
#include "frame.h"
#include "log.h"
#include "lottery.pb-c.h"
#include "service.h"
#include "session.h"
#include "winner_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGENCIES 3
#define SESSIONS 3
#define OPS 64                    /* operations that a case may hand to the ledger */
#define SENT_MAX 1024             /* answers that a session may get in one case */
#define DIR_FD 4711               /* only the fake index sees it */
#define WINNERS_BACKLOG_MAX 16384 /* no more winners are sent while this many bytes wait */
#define SPARES_MAX 256            /* requests that are kept for later messages */
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum kind { APPEND, ASK, FINISH };

/* An operation that was handed to the ledger. */
struct taken {
    enum kind kind;
    struct ledger_op *op;
    uint32_t agency;
    uint64_t offset; /* of a Finished: its total */
    size_t count;
    char first_name[128]; /* of the first bet */
    char document[32];
};

struct fake_ledger {
    struct ledger ledger; /* first */
    struct ledger_news news;
    enum status append_status;
    struct taken taken[OPS];
    size_t count; /* operations submitted */
    size_t ended; /* how many of them have ended */
};

/* The index that winner_index_open() opens. */
struct winner_index {
    struct winner_documents of[AGENCIES + 1];
    const char *texts[AGENCIES + 1];
    enum status status;      /* of opening it */
    enum status read_status; /* of reading it */
    unsigned opened;         /* how often the opening was tried */
    unsigned open;           /* how many are open */
};

static struct winner_index fake_index;

/* One answer that a session sent. */
struct sent {
    uint8_t *frame;
    size_t size;
};

struct side {
    struct session session;
    struct sent sent[SENT_MAX];
    size_t count;
    size_t seen; /* answers that the case has checked */
    size_t backlog;
    bool is_slow; /* sent bytes stay in the backlog */
    unsigned progresses;
    unsigned finishes;
};

/* Where the sessions of a case count. */
static struct scoreboard_row row;

struct fixture {
    struct fake_ledger fake;
    struct service_config config;
    struct service *service;
    unsigned damages; /* how often the service has reported one */
    struct side sides[SESSIONS];
};

static struct taken *take(struct ledger *ledger, enum kind kind, struct ledger_op *op,
                          uint32_t agency)
{
    struct fake_ledger *fake = (struct fake_ledger *)ledger;

    assert_true(fake->count < OPS);
    struct taken *taken = &fake->taken[fake->count++];
    memset(taken, 0, sizeof(*taken));
    taken->kind = kind;
    taken->op = op;
    taken->agency = agency;
    return taken;
}

static enum status fake_append(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                               uint64_t offset, const struct bet *bets, size_t count)
{
    const struct fake_ledger *fake = (const struct fake_ledger *)ledger;

    assert_true(count > 0);
    if (fake->append_status != STATUS_OK)
        return fake->append_status;
    struct taken *taken = take(ledger, APPEND, op, agency);
    taken->offset = offset;
    taken->count = count;
    assert_true(bets->first_name.size < sizeof(taken->first_name));
    memcpy(taken->first_name, bets->first_name.data, bets->first_name.size);
    assert_true(bets->document.size < sizeof(taken->document));
    memcpy(taken->document, bets->document.data, bets->document.size);
    return STATUS_OK;
}

static void fake_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t offset)
{
    op->offset = offset;
    (void)take(ledger, ASK, op, agency);
}

static void fake_finish(struct ledger *ledger, struct ledger_op *op, uint32_t agency,
                        uint64_t total)
{
    op->total = total;
    take(ledger, FINISH, op, agency)->offset = total;
}

static const struct ledger_news *fake_news(const struct ledger *ledger)
{
    return &((const struct fake_ledger *)ledger)->news;
}

static const struct ledger_backend backend = {
    .append = fake_append,
    .ask = fake_ask,
    .finish = fake_finish,
    .news = fake_news,
};

enum status winner_index_open(const struct file_ops *ops, int dir_fd, uint32_t agencies,
                              const struct draw_drawn *drawn, struct winner_index **out,
                              struct errbuf *err)
{
    assert_ptr_equal(ops, &file_ops_system);
    assert_int_equal(dir_fd, DIR_FD);
    assert_int_equal(agencies, AGENCIES);
    assert_int_equal(drawn->winner_number, 7574);
    fake_index.opened++;
    if (fake_index.status == STATUS_OK) {
        fake_index.open++;
        *out = &fake_index;
    } else {
        errbuf_set(err, "winners.index: gone");
    }
    return fake_index.status;
}

void winner_index_close(struct winner_index *index)
{
    if (index == NULL)
        return;
    assert_ptr_equal(index, &fake_index);
    assert_true(fake_index.open > 0);
    fake_index.open--;
}

struct winner_documents winner_index_of(const struct winner_index *index, uint32_t agency)
{
    assert_true(agency >= 1 && agency <= AGENCIES);
    return index->of[agency];
}

enum status winner_index_read(const struct winner_index *index, uint32_t agency, uint64_t from,
                              char *out, size_t size)
{
    assert_true(agency >= 1 && agency <= AGENCIES);
    assert_true(from <= index->of[agency].size && size <= index->of[agency].size - from);
    if (index->read_status == STATUS_OK && size > 0)
        memcpy(out, index->texts[agency] + from, size);
    return index->read_status;
}

static void set_winners(uint32_t agency, const char *text, size_t size, uint64_t count)
{
    fake_index.texts[agency] = text;
    fake_index.of[agency] = (struct winner_documents){size, count};
}

static void on_damage(void *owner)
{
    ((struct fixture *)owner)->damages++;
}

static void on_send(void *owner, const uint8_t *frame, size_t size)
{
    struct side *side = owner;

    assert_true(size <= FRAME_MAX_SIZE);
    assert_true(side->count < SENT_MAX);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, frame, size);
    side->sent[side->count++] = (struct sent){copy, size};
    if (side->is_slow)
        side->backlog += size;
}

static size_t on_backlog(void *owner)
{
    return ((struct side *)owner)->backlog;
}

static void on_progress(void *owner)
{
    ((struct side *)owner)->progresses++;
}

static void on_finish(void *owner)
{
    ((struct side *)owner)->finishes++;
}

static const struct session_events session_events = {on_send, on_backlog, on_progress, on_finish};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    memset(&row, 0, sizeof(row));
    fake_clock_begin(0);
    log_set_level(LOG_CRITICAL);
    f->fake.ledger.backend = &backend;
    f->fake.news = (struct ledger_news){
        .phase = DRAW_OPEN, .agencies = AGENCIES, .drawn = {.winner_number = 7574}};
    memset(&fake_index, 0, sizeof(fake_index));
    f->config = (struct service_config){.ledger = &f->fake.ledger,
                                        .ops = &file_ops_system,
                                        .dir_fd = DIR_FD,
                                        .on_damage = on_damage,
                                        .owner = f,
                                        .row = &row};
    assert_int_equal(service_create(&f->config, &f->service), STATUS_OK);
    for (int i = 0; i < SESSIONS; i++)
        session_init(&f->sides[i].session, f->service, &session_events, &f->sides[i]);
    *state = f;
    return 0;
}

/* Ends the oldest operation with this outcome. */
static void end_op(struct fixture *f, enum status status, uint64_t received, uint32_t stored)
{
    assert_true(f->fake.ended < f->fake.count);
    struct ledger_op *op = f->fake.taken[f->fake.ended++].op;
    op->status = status;
    op->received = received;
    op->stored = stored;
    op->done(op);
}

static int end(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < SESSIONS; i++)
        session_fini(&f->sides[i].session);
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        assert_int_equal(atomic_load(&row.claims[agency]), 0);
    while (f->fake.ended < f->fake.count)
        end_op(f, STATUS_OK, 0, 0);
    assert_int_equal(service_outstanding(f->service), 0);
    assert_true(fake_index.open <= 1);
    service_destroy(f->service);
    assert_int_equal(fake_index.open, 0);
    for (int i = 0; i < SESSIONS; i++) {
        for (size_t k = 0; k < f->sides[i].count; k++)
            free(f->sides[i].sent[k].frame);
    }
    free(f);
    log_set_level(LOG_INFO);
    fake_clock_end();
    return 0;
}

static Lottery__V1__Bet make_bet(const char *first, const char *document, uint32_t number)
{
    Lottery__V1__Bet bet;

    lottery__v1__bet__init(&bet);
    bet.first_name = (char *)(uintptr_t)first; /* packing does not change it */
    bet.last_name = (char *)(uintptr_t) "Paz";
    bet.document = (char *)(uintptr_t)document;
    bet.birthdate = (char *)(uintptr_t) "1999-03-17";
    bet.number = number;
    return bet;
}

/* Sends a batch of these bets. Returns what dispatch_message returned. */
static bool send_bets(struct side *side, uint32_t agency, uint64_t offset, Lottery__V1__Bet *bets,
                      size_t count)
{
    Lottery__V1__NewBets message;
    Lottery__V1__Bet *pointers[8];
    uint8_t body[FRAME_BODY_MAX];

    assert_true(count <= COUNT(pointers));
    for (size_t i = 0; i < count; i++)
        pointers[i] = &bets[i];
    lottery__v1__new_bets__init(&message);
    message.agency_id = agency;
    message.offset = offset;
    message.n_bets = count;
    message.bets = pointers;
    size_t size = lottery__v1__new_bets__pack(&message, body);
    return dispatch_message(&side->session, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, body, size);
}

static bool send_bet(struct side *side, uint32_t agency, uint64_t offset)
{
    Lottery__V1__Bet bet = make_bet("Ana", "30904465", 7574);

    return send_bets(side, agency, offset, &bet, 1);
}

static bool send_finished(struct side *side, uint32_t agency, uint64_t total)
{
    Lottery__V1__Finished message;
    uint8_t body[FRAME_BODY_MAX];

    lottery__v1__finished__init(&message);
    message.agency_id = agency;
    message.total = total;
    size_t size = lottery__v1__finished__pack(&message, body);
    return dispatch_message(&side->session, LOTTERY__V1__OPCODE__OPCODE_FINISHED, body, size);
}

/* Returns the next answer, which must have this opcode. */
static struct frame next_answer(struct side *side, uint8_t opcode)
{
    struct frame frame;

    assert_true(side->seen < side->count);
    const struct sent *sent = &side->sent[side->seen++];
    assert_int_equal(frame_decode(sent->frame, sent->size, &frame), FRAME_OK);
    assert_int_equal(frame_size(&frame), sent->size);
    assert_int_equal(frame.opcode, opcode);
    return frame;
}

/* The next answer must be this Ack, with a detail that contains `detail`; "" stands for none. */
static void assert_ack(struct side *side, Lottery__V1__AckCode code, uint64_t received,
                       const char *detail)
{
    struct frame frame = next_answer(side, LOTTERY__V1__OPCODE__OPCODE_ACK);

    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);
    assert_non_null(ack);
    assert_int_equal(ack->code, code);
    assert_true(ack->received == received);
    if (detail[0] == '\0')
        assert_string_equal(ack->detail, "");
    else if (strstr(ack->detail, detail) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", detail, ack->detail);
    lottery__v1__ack__free_unpacked(ack, NULL);
}

/* Takes the next answer, whose documents must go on counting at *count, and adds them to it.
 * Returns whether more follow. */
static bool take_winners(struct side *side, uint32_t agency, unsigned *count)
{
    struct frame frame = next_answer(side, LOTTERY__V1__OPCODE__OPCODE_WINNERS);
    char document[BET_DOCUMENT_MAX + 1];

    Lottery__V1__Winners *winners = lottery__v1__winners__unpack(NULL, frame.body_size, frame.body);
    assert_non_null(winners);
    assert_int_equal(winners->agency_id, agency);
    for (size_t i = 0; i < winners->n_documents; i++) {
        (void)snprintf(document, sizeof(document), "%u", (*count)++);
        assert_string_equal(winners->documents[i], document);
    }
    bool more = winners->more;
    lottery__v1__winners__free_unpacked(winners, NULL);
    return more;
}

static unsigned count_winners(struct side *side, uint32_t agency)
{
    unsigned count = 0;

    while (take_winners(side, agency, &count))
        continue;
    return count;
}

static void assert_silent(const struct side *side)
{
    assert_int_equal(side->seen, side->count);
}

/* Gives one agency `count` winners with documents 0, 1, 2, ... */
static void make_winners(uint32_t agency, unsigned count)
{
    static char texts[AGENCIES + 1][20000 * sizeof("12345")];
    size_t size = 0;

    for (unsigned i = 0; i < count; i++) {
        int length = snprintf(texts[agency] + size, sizeof(texts[agency]) - size, "%u\n", i);
        assert_true(length > 0 && (size_t)length < sizeof(texts[agency]) - size);
        size += (size_t)length;
    }
    set_winners(agency, texts[agency], size, count);
}

static void hold_draw(struct fixture *f)
{
    struct errbuf err;

    f->fake.news.has_winners = true;
    assert_int_equal(service_send_winners(f->service, &err), STATUS_OK);
}

static bool send_content(struct side *side, uint32_t agency, const void *checksum, size_t size)
{
    Lottery__V1__NewBets message;
    uint8_t body[FRAME_BODY_MAX];

    lottery__v1__new_bets__init(&message);
    message.agency_id = agency;
    message.offset = 3;
    message.checksum = (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)checksum};
    size_t body_size = lottery__v1__new_bets__pack(&message, body);
    return dispatch_message(&side->session, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, body, body_size);
}

/* The next answer must be this Ack; `content` is 0 if it says nothing of the bets. */
static void assert_content(struct side *side, Lottery__V1__AckCode code, uint32_t content,
                           uint32_t stored)
{
    struct frame frame = next_answer(side, LOTTERY__V1__OPCODE__OPCODE_ACK);
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);
    struct bets_checksum checksum;

    assert_non_null(ack);
    assert_int_equal(ack->code, code);
    assert_true(bets_checksum_read(ack->checksum.data, ack->checksum.len, &checksum));
    assert_int_equal(checksum.is_given, content != 0);
    assert_int_equal(checksum.value, content);
    assert_int_equal(ack->stored, stored);
    lottery__v1__ack__free_unpacked(ack, NULL);
}

static void assert_counted(enum scoreboard_count count, uint64_t expected)
{
    assert_int_equal(atomic_load(&row.count[count]), expected);
}

/* Messages count by their kind, answers by their code, and with the bets that they say were stored:
 * also when nobody is left who could get the answer, but then no answer counts. */
static void test_counts(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bets[] = {make_bet("Ana", "1", 1), make_bet("", "2", 2)};

    assert_true(send_bets(side, 1, 0, NULL, 0));
    assert_true(send_bets(side, 1, 0, bets, 1));
    assert_true(send_bets(side, 1, 0, bets, 2));
    assert_true(send_finished(side, 1, 4));
    end_op(f, STATUS_OK, 0, 0);
    end_op(f, STATUS_OK, 1, 1);
    end_op(f, STATUS_INCOMPLETE, 1, 0);
    assert_false(dispatch_message(&side->session, 77, NULL, 0));
    assert_true(send_bet(&f->sides[1], 2, 0));
    session_fini(&f->sides[1].session);
    end_op(f, STATUS_OK, 1, 1);
    assert_counted(SCOREBOARD_QUESTIONS, 1);
    assert_counted(SCOREBOARD_NEW_BETS, 3);
    assert_counted(SCOREBOARD_FINISHED, 1);
    assert_counted(SCOREBOARD_MALFORMED, 1);
    assert_counted(SCOREBOARD_ANSWERS + LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 2);
    assert_counted(SCOREBOARD_ANSWERS + LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 1);
    assert_counted(SCOREBOARD_ANSWERS + LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE, 1);
    assert_counted(SCOREBOARD_ANSWERS + LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, 1);
    assert_counted(SCOREBOARD_BETS, 1);
}

/* A connection counts for the agency whose bets it sends, once, until it ends; one that only asks,
 * as the health check does, or is refused, does not count. */
static void test_claims(void **state)
{
    struct fixture *f = *state;

    assert_true(send_bets(&f->sides[0], 1, 0, NULL, 0));
    assert_int_equal(atomic_load(&row.claims[1]), 0);
    assert_true(send_bet(&f->sides[0], 1, 0));
    assert_true(send_bet(&f->sides[0], 1, 1));
    assert_int_equal(atomic_load(&row.claims[1]), 1);
    assert_true(send_finished(&f->sides[1], 1, 2));
    assert_int_equal(atomic_load(&row.claims[1]), 2);
    assert_true(send_bet(&f->sides[1], 2, 0)); /* it is not this connection's */
    assert_true(send_bet(&f->sides[2], AGENCIES + 1, 0));
    assert_int_equal(atomic_load(&row.claims[2]), 0);
    assert_int_equal(atomic_load(&row.claims[AGENCIES + 1]), 0);
    session_malformed(&f->sides[0].session, "no message"); /* its answer has still to leave */
    assert_int_equal(atomic_load(&row.claims[1]), 2);
    session_fini(&f->sides[0].session);
    session_fini(&f->sides[0].session);
    assert_int_equal(atomic_load(&row.claims[1]), 1);
}

/* What an agency says of its bets reaches the ledger, and only who says something is told. */
static void test_content(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    assert_true(send_content(side, 2, "\x01\x02\x03\x04", 4));
    assert_true(send_content(side, 2, "", 0));
    assert_true(send_content(side, 2, "\x01\x02\x03\x04", 4));
    assert_true(f->fake.taken[0].op->claimed.is_given);
    assert_int_equal(f->fake.taken[0].op->claimed.value, 0x04030201);
    assert_int_equal(f->fake.taken[0].op->offset, 3);
    assert_false(f->fake.taken[1].op->claimed.is_given);
    for (int i = 0; i < 3; i++) {
        f->fake.taken[i].op->checksum = 0xabcd;
        end_op(f, i < 2 ? STATUS_OK : STATUS_MISMATCH, 7, 0);
    }
    assert_content(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 0xabcd, 0);
    assert_content(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 0, 0);
    assert_content(side, LOTTERY__V1__ACK_CODE__ACK_CODE_CONTENT_MISMATCH, 0xabcd, 0);
    assert_true(send_content(side, 1, "\x01\x02\x03\x04", 4)); /* refused without the ledger */
    assert_content(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 0xabcd, 0);
    assert_int_equal(f->fake.count, 3);
    assert_false(send_content(side, 2, "abc", 3));
    assert_content(side, LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, 0, 0);
}

/* A batch reaches the ledger unchanged, and is answered once the ledger has ended it. */
static void test_batch(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bets[] = {make_bet("Jos\xc3\xa9", "007", 0), make_bet("Eva", "2", 9999)};

    assert_true(send_bets(side, 2, 150, bets, 2));
    assert_int_equal(f->fake.count, 1);
    assert_int_equal(f->fake.taken[0].kind, APPEND);
    assert_int_equal(f->fake.taken[0].agency, 2);
    assert_int_equal(f->fake.taken[0].offset, 150);
    assert_int_equal(f->fake.taken[0].count, 2);
    assert_string_equal(f->fake.taken[0].first_name, "Jos\xc3\xa9");
    assert_string_equal(f->fake.taken[0].document, "007");
    assert_silent(side);
    assert_int_equal(side->session.outstanding, 1);
    assert_true(side->session.outstanding_bytes > 0);
    assert_false(session_is_idle(&side->session));
    assert_int_equal(service_outstanding(f->service), 1);
    end_op(f, STATUS_OK, 152, 2);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 152, "");
    assert_silent(side);
    assert_int_equal(side->progresses, 1);
    assert_int_equal(side->session.outstanding, 0);
    assert_int_equal(side->session.outstanding_bytes, 0);
    assert_true(session_is_idle(&side->session));
}

/* A batch without bets is a question, which the ledger answers. */
static void test_question(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    assert_true(send_bets(side, 1, 0, NULL, 0));
    assert_int_equal(f->fake.taken[0].kind, ASK);
    assert_int_equal(f->fake.taken[0].agency, 1);
    end_op(f, STATUS_OK, 78697, 0);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 78697, "");
}

/* Each outcome has its code, for batches and for Finished. */
static void test_codes(void **state)
{
    static const struct {
        enum status status;
        Lottery__V1__AckCode code;
    } cases[] = {
        {STATUS_GAP, LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP},
        {STATUS_CLOSED, LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED},
        {STATUS_UNKNOWN_AGENCY, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY},
        {STATUS_INCOMPLETE, LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE},
        {STATUS_NOSPACE, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR},
        {STATUS_IO, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR},
        {STATUS_NOMEM, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR},
    };
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_true(send_bet(side, 1, 0));
        assert_true(send_finished(side, 1, 1));
        end_op(f, cases[i].status, 7, 0);
        end_op(f, cases[i].status, 7, 0);
        for (int k = 0; k < 2; k++)
            assert_ack(side, cases[i].code, 7, status_text(cases[i].status));
    }
    assert_int_equal(side->session.state, SESSION_BETTING);
}

/* If one bet is bad, no bet of its batch gets to the ledger. The answer says which bet it was, and
 * how many bets the agency has: the ledger is asked for that once, if it has not said it yet. */
static void test_invalid_bets(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bad[] = {make_bet("", "1", 1),
                              make_bet("a\nb", "1", 1),
                              make_bet("\xff", "1", 1),
                              make_bet("Ana", "", 1),
                              make_bet("Ana", "12345678901234567", 1),
                              make_bet("Ana", "1", 10000)};

    for (size_t i = 0; i < COUNT(bad); i++) {
        Lottery__V1__Bet bets[] = {make_bet("Ana", "1", 1), make_bet("Ana", "1", 1), bad[i],
                                   make_bet("Ana", "1", 1)};
        assert_true(send_bets(side, 1, 0, bets, 4));
        if (i == 0) {
            assert_silent(side);
            assert_int_equal(f->fake.taken[i].kind, ASK);
            end_op(f, STATUS_OK, 5, 0);
        }
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 5, "bet 2: ");
    }
    assert_int_equal(f->fake.count, 1);
    assert_int_equal(side->session.state, SESSION_BETTING);
}

/* Whether a birthdate is in the future depends on the server's clock: today's date is fine wherever
 * on earth it is today already. */
static void test_birthdates(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bet = make_bet("Ana", "1", 1);

    bet.birthdate = (char *)(uintptr_t) "2024-06-16"; /* at UTC+14 it is two o'clock */
    assert_true(send_bets(side, 1, 0, &bet, 1));
    assert_int_equal(f->fake.taken[0].count, 1);
    bet.birthdate = (char *)(uintptr_t) "2024-06-17";
    assert_true(send_bets(side, 1, 1, &bet, 1));
    assert_int_equal(f->fake.count, 1);
    end_op(f, STATUS_OK, 1, 1);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1, "");
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 1, "bet 0: birthdate is in the");
}

/* A NUL byte does not hide the rest of a name, and a missing field is empty. */
static void test_texts_of_the_wire(void **state)
{
    static const uint8_t nameless[] = "\x08\x01\x1a\x05\x12\x03Paz";
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bet = make_bet("A?a", "1", 1);
    Lottery__V1__Bet *bets[] = {&bet};
    Lottery__V1__NewBets message;
    uint8_t body[FRAME_BODY_MAX];

    lottery__v1__new_bets__init(&message);
    message.agency_id = 1;
    message.n_bets = 1;
    message.bets = bets;
    size_t size = lottery__v1__new_bets__pack(&message, body);
    *(uint8_t *)memchr(body, '?', size) = '\0';
    assert_true(dispatch_message(&side->session, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, body, size));
    assert_true(dispatch_message(&side->session, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, nameless,
                                 sizeof(nameless) - 1));
    end_op(f, STATUS_OK, 0, 0);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 0,
               "first name is not valid UTF-8 without control characters");
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 0,
               "first name is not 1 to 64 bytes long");
}

/* Answers come in the order of the messages, even if some messages are refused; those wait for the
 * earlier ones that are at the ledger, and for nothing else. */
static void test_order(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bad = make_bet("", "1", 1);

    assert_true(send_bet(side, 1, 0));
    assert_true(send_bets(side, 1, 1, &bad, 1));
    assert_true(send_bet(side, 2, 0)); /* not this connection's */
    assert_true(send_bet(side, 1, 1));
    assert_silent(side);
    assert_int_equal(f->fake.count, 2);
    assert_int_equal(side->session.outstanding, 4);
    end_op(f, STATUS_OK, 1, 1);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1, "");
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 1, "bet 0");
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 1, "agency 2");
    assert_silent(side);
    assert_int_equal(side->progresses, 1);
    assert_true(send_bets(side, 1, 1, &bad, 1));
    assert_silent(side);
    end_op(f, STATUS_OK, 2, 1);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 2, "");
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 2, "bet 0");
    assert_int_equal(side->progresses, 2);
    assert_true(send_bets(side, 1, 1, &bad, 1)); /* nothing is at the ledger */
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET, 2, "bet 0");
    assert_int_equal(f->fake.count, 2);
    assert_int_equal(service_outstanding(f->service), 0);
}

/* A connection that names no agency is closed with the last of a few refusals, and nothing of it
 * gets to the ledger. One that belongs to an agency may be wrong as often as it wants. */
static void test_refused_too_often(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 1; i <= SESSION_REFUSALS_MAX; i++) {
        bool goes_on = i % 2 == 0 ? send_bet(&f->sides[0], 0, 0)
                                  : send_finished(&f->sides[0], AGENCIES + 1, 0);
        assert_int_equal(goes_on, i < SESSION_REFUSALS_MAX);
        assert_ack(&f->sides[0], LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 0, "1..3");
        assert_int_equal(f->sides[0].finishes, i == SESSION_REFUSALS_MAX);
    }
    assert_false(send_bet(&f->sides[0], 1, 0));
    assert_silent(&f->sides[0]);
    assert_int_equal(f->fake.count, 0);
    assert_true(send_bet(&f->sides[1], 1, 0));
    end_op(f, STATUS_OK, 1, 1);
    for (unsigned i = 0; i < 3 * SESSION_REFUSALS_MAX; i++)
        assert_true(send_bet(&f->sides[1], 0, 0));
    assert_int_equal(f->sides[1].count, 1 + 3 * SESSION_REFUSALS_MAX);
    assert_int_equal(f->sides[1].finishes, 0);
}

/* Of the requests that have ended, only so many are kept for later: their memory goes back. */
static void test_spare_requests(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    unsigned refused = 0;

    assert_true(send_bet(side, 1, 0));
    for (; refused < 900; refused++)
        assert_true(send_bet(side, 0, 0));
    end_op(f, STATUS_OK, 1, 1);
    assert_int_equal(side->count, 1 + refused);
    alloc_fault_after(0); /* only what is kept can be used */
    unsigned count = 0;
    while (count < refused && (count == 0 ? send_bet(side, 1, 1) : send_bet(side, 0, 0)))
        count++;
    assert_true(alloc_fault_end());
    assert_int_equal(count, SPARES_MAX);
}

/* The first existing agency that a connection names is its own. Any other is unknown, in Finished
 * as well, and nothing of it gets to the ledger. */
static void test_agencies(void **state)
{
    static const uint32_t others[] = {0, AGENCIES + 1, UINT32_MAX, 2};
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    for (size_t round = 0; round < 2; round++) {
        /* As long as the connection has no agency, the last of these would become it. */
        for (size_t i = 0; i < COUNT(others) - (round == 0); i++) {
            assert_true(send_bet(side, others[i], 0));
            assert_true(send_finished(side, others[i], 0));
            for (int k = 0; k < 2; k++)
                assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, round, "1..3");
        }
        assert_true(send_bet(side, AGENCIES, 0));
        end_op(f, STATUS_OK, 1, 1);
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1, "");
    }
}

static bool send_question(struct side *side, uint32_t agency)
{
    return send_bets(side, agency, 0, NULL, 0);
}

/* Who has proved to be an agency cannot be another one, neither at first nor later; whether there
 * is such an agency does not matter then. */
static void test_proof_of_an_agency(void **state)
{
    static const uint32_t others[] = {0, 1, AGENCIES, AGENCIES + 1, UINT32_MAX};
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    char detail[128];

    session_set_proof(&side->session, SESSION_PROOF_AGENCY, 2);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < COUNT(others); i++) {
            (void)snprintf(detail, sizeof(detail),
                           "agency %u is not this connection's: its certificate is for agency 2",
                           others[i]);
            assert_true(i % 2 == 0 ? send_bet(side, others[i], 0)
                                   : send_finished(side, others[i], 0));
            assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, round, detail);
        }
        assert_int_equal(f->fake.count, round);
        assert_int_equal(side->session.agency, round == 0 ? 0 : 2);
        if (round == 1)
            break;
        assert_true(send_bet(side, 2, 0));
        end_op(f, STATUS_OK, 1, 1);
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1, "");
    }
    assert_true(send_question(side, 1));
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 1, "for agency 2");
    assert_true(send_finished(side, 2, 1));
    end_op(f, STATUS_OK, 1, 0);
    assert_int_equal(side->session.state, SESSION_WAITING);
}

/* A certificate for an agency that the draw does not have is of no use, and who goes on trying is
 * closed like anybody who is no agency. */
static void test_proof_of_no_agency_here(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    session_set_proof(&side->session, SESSION_PROOF_AGENCY, AGENCIES + 1);
    for (unsigned i = 1; i <= SESSION_REFUSALS_MAX; i++) {
        bool is_own = i % 2 == 0;
        assert_int_equal(send_bet(side, is_own ? AGENCIES + 1 : 1, 0), i < SESSION_REFUSALS_MAX);
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 0,
                   is_own ? "agency 4 is not one of 1..3" : "its certificate is for agency 4");
    }
    assert_int_equal(side->finishes, 1);
    assert_int_equal(f->fake.count, 0);
}

/* The server's own certificate may ask, about any agency, and do nothing else, not even after a
 * question. */
static void test_proof_of_the_server(void **state)
{
    static const char detail[] =
        "this connection's certificate is the server's own: it may only ask";
    struct fixture *f = *state;

    for (uint32_t i = 0; i < 2; i++) {
        struct side *side = &f->sides[i];
        session_set_proof(&side->session, SESSION_PROOF_SERVER, 0);
        assert_true(send_bet(side, 1, 0));
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 0, detail);
        assert_true(send_finished(side, 1, 0));
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 0, detail);
        assert_int_equal(f->fake.count, i);
        assert_true(send_question(side, i + 1));
        end_op(f, STATUS_OK, 7, 0);
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 7, "");
        assert_true(send_bet(side, i + 1, 7));
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 7, detail);
        assert_true(send_finished(side, i + 1, 7));
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 7, detail);
        assert_int_equal(f->fake.count, i + 1);
        assert_int_equal(side->session.state, SESSION_BETTING);
        assert_true(send_question(side, 3));
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY, 7, "1..3");
    }
}

/* A malformed message ends the session: earlier answers leave, then MALFORMED, and no further
 * message is taken. */
static void assert_malformed(struct fixture *f, uint8_t opcode, const char *body, size_t size)
{
    struct side *side = &f->sides[0];

    session_fini(&side->session);
    session_init(&side->session, f->service, &session_events, side);
    side->finishes = 0;
    assert_true(send_bet(side, 1, 0));
    assert_false(dispatch_message(&side->session, opcode, (const uint8_t *)body, size));
    assert_false(send_bet(side, 1, 0));
    session_malformed(&side->session, "once more");
    assert_int_equal(side->session.outstanding, 2);
    assert_int_equal(side->finishes, 0);
    end_op(f, STATUS_OK, 1, 1);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1, "");
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, 1, " ");
    assert_silent(side);
    assert_int_equal(side->finishes, 1);
}

static void test_malformed(void **state)
{
    static const uint8_t opcodes[] = {LOTTERY__V1__OPCODE__OPCODE_ACK, 2,
                                      LOTTERY__V1__OPCODE__OPCODE_WINNERS, 5, 255};
    struct fixture *f = *state;

    for (size_t i = 0; i < COUNT(opcodes); i++)
        assert_malformed(f, opcodes[i], "", 0);
    assert_malformed(f, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, "\xff", 1);
    assert_malformed(f, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, "\x08\x01\x1a\x7f", 4);
    assert_malformed(f, LOTTERY__V1__OPCODE__OPCODE_FINISHED, "\x08", 1);
}

/* So does a message that is longer than the body of any frame. */
static void test_too_long(void **state)
{
    char body[FRAME_BODY_MAX + 1];

    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = i % 2 == 0 ? '\x10' : '\x01'; /* the second field, many times */
    assert_malformed(*state, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, body, sizeof(body));
    assert_malformed(*state, LOTTERY__V1__OPCODE__OPCODE_FINISHED, body, sizeof(body));
}

/* So do bytes that are not a frame. */
static void test_no_frame(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    session_malformed(&side->session, "frame too long");
    assert_int_equal(f->fake.count, 0);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, 0, "frame too long");
    assert_int_equal(side->finishes, 1);
    assert_false(send_bet(side, 1, 0));
}

/* If the ledger's client has no memory for a batch, the agency is told and may try again. */
static void test_ledger_without_memory(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    f->fake.append_status = STATUS_NOMEM;
    assert_true(send_bet(side, 1, 0));
    assert_int_equal(f->fake.taken[0].kind, ASK); /* how many there are was not known */
    end_op(f, STATUS_OK, 4, 0);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR, 4, "out of memory");
    f->fake.append_status = STATUS_OK;
    assert_true(send_bet(side, 1, 4));
    end_op(f, STATUS_OK, 5, 1);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 5, "");
}

/* Without memory for the answer, the connection is given up, whatever the message. */
static void test_no_memory(void **state)
{
    struct fixture *f = *state;

    alloc_fault_after(0);
    assert_false(send_bet(&f->sides[0], 1, 0));
    assert_true(alloc_fault_end());
    alloc_fault_after(0);
    assert_false(send_finished(&f->sides[1], 1, 0));
    assert_true(alloc_fault_end());
    alloc_fault_after(0);
    session_malformed(&f->sides[2].session, "no frame");
    assert_true(alloc_fault_end());
    for (int i = 0; i < SESSIONS; i++) {
        assert_int_equal(f->sides[i].finishes, 1);
        assert_silent(&f->sides[i]);
        assert_false(send_bet(&f->sides[i], 1, 0));
    }
    assert_int_equal(f->fake.count, 0);
}

/* A connection that is given up while it waits gets no winners. */
static void test_no_memory_while_waiting(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    assert_true(send_finished(side, 1, 0));
    assert_true(send_bet(side, 1, 0)); /* so that a request ends and another is outstanding */
    end_op(f, STATUS_OK, 0, 0);
    assert_int_equal(side->session.state, SESSION_WAITING);
    assert_true(send_bet(side, 1, 0));
    alloc_fault_after(0);
    assert_false(send_bet(side, 1, 0));
    assert_true(alloc_fault_end());
    assert_int_equal(side->finishes, 1);
    hold_draw(f);
    assert_silent(side);
    assert_int_equal(side->session.state, SESSION_CLOSED);
}

/* Without memory no service is created, and nothing leaks. */
static void test_create_without_memory(void **state)
{
    struct fixture *f = *state;
    struct service *service = NULL;
    unsigned after = 0;

    for (bool has_failed = true; has_failed; after++) {
        alloc_fault_after(after);
        enum status status = service_create(&f->config, &service);
        has_failed = alloc_fault_end();
        assert_int_equal(status, has_failed ? STATUS_NOMEM : STATUS_OK);
        assert_int_equal(service == NULL, has_failed);
    }
    assert_true(after > 2);
    service_destroy(service);
    service_destroy(NULL);
}

/* The connection is gone before the ledger has ended its operations: nobody is answered. */
static void test_connection_gone(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    assert_true(send_bet(side, 1, 0));
    assert_true(send_finished(side, 1, 1));
    assert_false(dispatch_message(&side->session, 99, NULL, 0));
    assert_int_equal(service_outstanding(f->service), 3);
    session_fini(&side->session);
    assert_int_equal(service_outstanding(f->service), 2); /* the refused one is not at the ledger */
    memset(&side->session, 0xdd, sizeof(side->session));
    for (int i = 0; i < 2; i++)
        end_op(f, STATUS_OK, 1, 1);
    assert_silent(side);
    assert_int_equal(side->progresses + side->finishes, 0);
    assert_int_equal(service_outstanding(f->service), 0);
    session_init(&side->session, f->service, &session_events, side);
}

/* The link to the ledger is closed before operations have ended: nobody knows whether they were
 * stored, so the session ends without those answers, and without later ones, which the agency would
 * take for them. */
static void test_lost_outcomes(void **state)
{
    static const enum status lost[] = {STATUS_STOPPED, STATUS_UNCERTAIN, STATUS_GONE};
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bad = make_bet("", "1", 1);

    for (size_t i = 0; i < COUNT(lost); i++) {
        for (int first = 0; first < 4; first++) {
            side->finishes = 0;
            side->progresses = 0;
            assert_true(send_bet(side, 1, 0));
            end_op(f, STATUS_OK, 1, 1);
            assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1, "");
            if (first == 0)
                assert_true(send_bet(side, 1, 1));
            else if (first == 1)
                assert_true(send_finished(side, 1, 1));
            else if (first == 2)
                assert_true(send_finished(side, 1, 2));
            else
                assert_true(send_bets(side, 1, 0, NULL, 0));
            assert_true(send_bets(side, 1, 1, &bad, 1)); /* refused, but after lost ones */
            assert_true(send_bet(side, 1, 1));
            if (first == 3)
                session_malformed(&side->session, "no frame");
            end_op(f, lost[i], 1, 0);
            assert_int_equal(side->finishes, 1);
            assert_false(send_bet(side, 1, 1));
            end_op(f, i == 0 ? STATUS_STOPPED : STATUS_OK, 1, 1);
            assert_silent(side);
            assert_int_equal(side->finishes, 1);
            assert_int_equal(side->progresses, 1);
            assert_true(session_is_idle(&side->session));
            assert_int_equal(service_outstanding(f->service), 0);
            session_init(&side->session, f->service, &session_events, side);
        }
    }
}

/* Finished waits for the draw. Then each agency gets its winners. */
static void test_draw(void **state)
{
    struct fixture *f = *state;
    struct errbuf err;

    make_winners(1, 2);
    make_winners(3, 3);
    for (uint32_t i = 0; i < AGENCIES; i++) {
        assert_true(send_finished(&f->sides[i], i + 1, 10 * i));
        assert_int_equal(f->fake.taken[i].kind, FINISH);
        assert_int_equal(f->fake.taken[i].agency, i + 1);
        assert_int_equal(f->fake.taken[i].offset, 10 * i);
        end_op(f, STATUS_OK, 10 * i, 0);
        assert_int_equal(f->sides[i].session.state, SESSION_WAITING);
        assert_false(session_is_idle(&f->sides[i].session));
    }
    assert_int_equal(service_send_winners(f->service, &err), STATUS_OK); /* there are none yet */
    for (int i = 0; i < SESSIONS; i++)
        assert_silent(&f->sides[i]);
    assert_int_equal(fake_index.opened, 0);
    hold_draw(f);
    assert_int_equal(count_winners(&f->sides[0], 1), 2);
    assert_int_equal(count_winners(&f->sides[1], 2), 0);
    assert_int_equal(count_winners(&f->sides[2], 3), 3);
    for (int i = 0; i < SESSIONS; i++) {
        assert_silent(&f->sides[i]);
        assert_true(session_is_idle(&f->sides[i].session));
    }
    assert_int_equal(fake_index.opened, 1);
    assert_counted(SCOREBOARD_WINNERS, 3);
}

/* After the draw each Finished is answered at once; the winners are opened only once. They are sent
 * even while a new ledger has not told yet that there are some. */
static void test_after_the_draw(void **state)
{
    struct fixture *f = *state;

    make_winners(1, 2);
    f->fake.news.has_winners = true;
    for (int i = 0; i < 3; i++) {
        assert_true(send_finished(&f->sides[0], 1, 9));
        end_op(f, STATUS_OK, 9, 0);
        assert_int_equal(count_winners(&f->sides[0], 1), 2);
        f->fake.news.has_winners = false;
    }
    assert_int_equal(fake_index.opened, 1);
    assert_int_equal(f->sides[0].session.state, SESSION_BETTING);
}

/* Several Finished before the draw: each is answered, and so are the messages between them. */
static void test_finished_again(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    make_winners(1, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(send_finished(side, 1, 9));
        end_op(f, STATUS_OK, 9, 0);
        assert_true(send_bet(side, 1, 9));
        end_op(f, STATUS_CLOSED, 9, 0);
        assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED, 9, "no more bets");
    }
    hold_draw(f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_winners(side, 1), 2);
    assert_silent(side);
    hold_draw(f); /* once more, when nobody waits */
    assert_silent(side);
}

/* 20,000 winners leave in order, in many frames, and only as fast as the peer reads. */
static void test_many_winners(void **state)
{
    enum { MANY = 20000 };
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    unsigned count = 0;
    bool more = true;

    make_winners(2, MANY);
    side->is_slow = true;
    assert_true(send_finished(side, 2, 1));
    end_op(f, STATUS_OK, 1, 0);
    hold_draw(f);
    assert_int_equal(side->session.state, SESSION_SENDING);
    assert_false(session_is_idle(&side->session));
    assert_true(side->backlog >= WINNERS_BACKLOG_MAX);
    assert_true(side->backlog < WINNERS_BACKLOG_MAX + FRAME_MAX_SIZE);
    size_t held = side->count;
    session_continue(&side->session); /* the backlog is still full */
    assert_int_equal(side->count, held);
    for (int i = 0; i < 1000 && side->session.state == SESSION_SENDING; i++) {
        side->backlog = 0;
        session_continue(&side->session);
    }
    assert_true(session_is_idle(&side->session));
    while (more)
        more = take_winners(side, 2, &count);
    assert_int_equal(count, MANY);
    assert_silent(side);
    assert_true(side->count > held);
}

/* One winner more and less than what fits one or two frames, with documents of one character: none
 * is lost, and only the last frame says that it is the last. */
static void test_frames_of_winners(void **state)
{
    enum { PER_FRAME = (FRAME_BODY_MAX - 16) / 3 };
    static char text[2 * (PER_FRAME * 2 + 1)];
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = i % 2 == 0 ? '7' : '\n';
    f->fake.news.has_winners = true;
    for (size_t frames = 1; frames <= 2; frames++) {
        for (size_t count = frames * PER_FRAME - 1; count <= frames * PER_FRAME + 1; count++) {
            size_t total = 0;
            bool more = true;
            set_winners(1, text, 2 * count, count);
            assert_true(send_finished(side, 1, 0));
            end_op(f, STATUS_OK, 0, 0);
            while (more) {
                struct frame frame = next_answer(side, LOTTERY__V1__OPCODE__OPCODE_WINNERS);
                Lottery__V1__Winners *message =
                    lottery__v1__winners__unpack(NULL, frame.body_size, frame.body);
                assert_non_null(message);
                total += message->n_documents;
                more = message->more;
                lottery__v1__winners__free_unpacked(message, NULL);
            }
            assert_int_equal(total, count);
            assert_silent(side);
        }
    }
}

/* While the winners cannot be read, the session goes on waiting. It gets them later. */
static void test_unreadable_winners(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    struct errbuf err = {{0}};

    make_winners(1, 1);
    f->fake.news.has_winners = true;
    fake_index.status = STATUS_IO;
    assert_true(send_finished(side, 1, 1));
    end_op(f, STATUS_OK, 1, 0);
    assert_silent(side);
    assert_int_equal(side->session.state, SESSION_WAITING);
    assert_int_equal(service_send_winners(f->service, &err), STATUS_IO);
    assert_string_equal(err.text, "winners.index: gone");
    assert_silent(side);
    fake_index.status = STATUS_OK;
    hold_draw(f);
    assert_int_equal(count_winners(side, 1), 1);
}

/* Only a session that still waits gets winners: not one whose connection is gone, and not one that
 * was closed. */
static void test_gone_while_waiting(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < AGENCIES; i++) {
        assert_true(send_finished(&f->sides[i], i + 1, 5));
        end_op(f, STATUS_OK, 5, 0);
    }
    session_fini(&f->sides[1].session); /* from the middle of the list */
    assert_false(dispatch_message(&f->sides[0].session, 99, NULL, 0));
    assert_ack(&f->sides[0], LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED, 5, "opcode 99");
    hold_draw(f);
    assert_int_equal(count_winners(&f->sides[2], 3), 0);
    for (int i = 0; i < SESSIONS; i++)
        assert_silent(&f->sides[i]);
}

/* A connection that is gone while its winners are being sent does no harm to others. */
static void test_gone_while_sending(void **state)
{
    enum { MANY = 20000 };
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    make_winners(1, MANY);
    side->is_slow = true;
    assert_true(send_finished(side, 1, 1));
    end_op(f, STATUS_OK, 1, 0);
    hold_draw(f);
    assert_int_equal(side->session.state, SESSION_SENDING);
    session_fini(&side->session);
    size_t count = side->count;
    side->backlog = 0;
    session_continue(&side->session);
    assert_int_equal(side->count, count);
    assert_true(send_finished(&f->sides[1], 1, 1));
    end_op(f, STATUS_OK, 1, 0);
    assert_int_equal(count_winners(&f->sides[1], 1), MANY);
}

/* Ends the oldest operation and returns what was logged meanwhile. The caller frees it. */
static struct capture log_of_end(struct fixture *f, enum status status, uint32_t stored)
{
    struct capture capture;

    capture_begin(&capture);
    end_op(f, status, 10, stored);
    capture_end(&capture);
    return capture;
}

/* The capture must have exactly these lines, not counting their times. Frees it. */
static void assert_lines(struct capture *capture, const char *expected)
{
    const char *at = capture->text;
    enum { TIME_SIZE = sizeof("2024-06-15 12:00:00 ") - 1 };

    while (*at != '\0') {
        size_t size = strcspn(at, "\n") + 1;
        assert_true(size > TIME_SIZE);
        if (strncmp(at + TIME_SIZE, expected, size - TIME_SIZE) != 0)
            fail_msg("got\n%sinstead of\n%s", at, expected);
        at += size;
        expected += size - TIME_SIZE;
    }
    assert_string_equal(expected, "");
    capture_free(capture);
}

/* Damaged documents end the session: nobody is sent wrong winners. Other agencies get theirs, and
 * the log says it once. */
static void test_damaged_winners(void **state)
{
    static const struct {
        const char *text;
        size_t size;
        uint64_t count;
    } cases[] = {
        {"1\n\n3\n", 5, 3},             /* an empty document */
        {"12345678901234567\n", 18, 1}, /* one that is too long */
        {"1\n2", 3, 2},                 /* no end */
        {"1\n", 2, 2},                  /* one is missing */
        {"1\n2\n", 4, 1},               /* one too many */
        {"1\n", 2, 0},                  /* none should be there */
        {NULL, 0, UINT64_MAX},
    };
    struct fixture *f = *state;
    struct capture capture;

    make_winners(2, 3);
    f->fake.news.has_winners = true;
    log_set_level(LOG_INFO);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct side *side = &f->sides[0];
        side->finishes = 0;
        set_winners(1, cases[i].text, cases[i].size, cases[i].count);
        assert_true(send_finished(side, 1, 10));
        assert_true(send_finished(side, 1, 10)); /* is never answered */
        capture = log_of_end(f, STATUS_OK, 0);
        assert_lines(&capture,
                     i > 0 ? "INFO     action: agencia_finalizada | result: success | agencia: 1 | "
                             "total: 10\n"
                           : "INFO     action: agencia_finalizada | result: success | agencia: 1 | "
                             "total: 10\n"
                             "ERROR    action: ganadores_enviados | result: fail | agencia: 1 | "
                             "reason: winners.index: damaged data\n");
        assert_int_equal(side->finishes, 1);
        assert_int_equal(side->session.state, SESSION_CLOSED);
        assert_int_equal(f->damages, i + 1);
        end_op(f, STATUS_OK, 10, 0);
        assert_silent(side);
        assert_int_equal(side->finishes, 1);
        assert_int_equal(side->progresses, 0);
        session_init(&side->session, f->service, &session_events, side);
    }
    log_set_level(LOG_CRITICAL);
    assert_true(send_finished(&f->sides[1], 2, 1));
    end_op(f, STATUS_OK, 1, 0);
    assert_int_equal(count_winners(&f->sides[1], 2), 3);
}

/* Damage is found while winners are being sent. Until they are said to be right again, those who
 * come wait; then they get the winners of the file that was made again, and so do those who were in
 * the middle: from where they were. */
static void test_damage_while_sending(void **state)
{
    enum { MANY = 20000 };
    struct fixture *f = *state;
    struct side *slow = &f->sides[1];
    struct errbuf err;

    make_winners(1, MANY);
    make_winners(2, MANY);
    for (uint32_t i = 0; i < 2; i++) {
        f->sides[i].is_slow = true;
        assert_true(send_finished(&f->sides[i], i + 1, 1));
        end_op(f, STATUS_OK, 1, 0);
    }
    hold_draw(f);
    fake_index.read_status = STATUS_DAMAGED;
    f->sides[0].backlog = 0;
    session_continue(&f->sides[0].session);
    assert_int_equal(f->sides[0].finishes, 1);
    assert_int_equal(f->damages, 1);

    f->fake.news.has_winners = false;
    assert_true(send_finished(&f->sides[2], 3, 1));
    end_op(f, STATUS_OK, 1, 0);
    assert_int_equal(f->sides[2].session.state, SESSION_WAITING);
    assert_int_equal(service_send_winners(f->service, &err), STATUS_OK);
    assert_int_equal(fake_index.opened, 1);

    fake_index.read_status = STATUS_OK;
    hold_draw(f);
    assert_int_equal(fake_index.opened, 2);
    assert_int_equal(fake_index.open, 1);
    assert_int_equal(count_winners(&f->sides[2], 3), 0);
    while (slow->session.state == SESSION_SENDING) {
        slow->backlog = 0;
        session_continue(&slow->session);
    }
    assert_int_equal(count_winners(slow, 2), MANY);
    hold_draw(f);
    assert_int_equal(fake_index.opened, 2);
}

/* What cannot be read ends the session, and is tried again by the next one. */
static void test_read_fails_while_sending(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    make_winners(1, 5);
    f->fake.news.has_winners = true;
    fake_index.read_status = STATUS_IO;
    log_set_level(LOG_ERROR);
    assert_true(send_finished(&f->sides[0], 1, 10));
    capture = log_of_end(f, STATUS_OK, 0);
    assert_lines(&capture, "ERROR    action: ganadores_enviados | result: fail | agencia: 1 | "
                           "reason: winners.index: input/output error\n");
    log_set_level(LOG_CRITICAL);
    assert_int_equal(f->sides[0].finishes, 1);
    assert_int_equal(f->damages, 0);
    fake_index.read_status = STATUS_OK;
    assert_true(send_finished(&f->sides[1], 1, 1));
    end_op(f, STATUS_OK, 1, 0);
    assert_int_equal(count_winners(&f->sides[1], 1), 5);
    assert_int_equal(fake_index.opened, 1);
}

/* A refused Finished: the total that the ledger decided about, and 0 for one that it never saw. */
static void test_log_of_refused_finished(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    log_set_level(LOG_INFO);
    assert_true(send_finished(&f->sides[0], 1, 9));
    assert_true(send_finished(&f->sides[0], 2, 9));
    capture = log_of_end(f, STATUS_INCOMPLETE, 0);
    assert_lines(&capture,
                 "ERROR    action: agencia_finalizada | result: fail | agencia: 1 | total: "
                 "9 | received: 10 | reason: total differs from what was received\n"
                 "ERROR    action: agencia_finalizada | result: fail | agencia: 2 | total: 0 | "
                 "received: 10 | reason: agency 2 is not one of 1..3, or not this connection's\n");
    log_set_level(LOG_CRITICAL);
}

/* At INFO: how many bets were stored now, the bet of a batch of one, and refused batches; nothing
 * for a batch that was known. */
static void test_log(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bets[] = {make_bet("Ana", "1", 1), make_bet("Ana", "2", 1)};
    struct capture capture;

    log_set_level(LOG_INFO);
    assert_true(send_bet(side, 1, 9));
    capture = log_of_end(f, STATUS_OK, 1);
    assert_lines(&capture, "INFO     action: apuesta_almacenada | result: success | dni: 30904465 "
                           "| numero: 7574\n"
                           "INFO     action: apuesta_recibida | result: success | cantidad: 1 | "
                           "agencia: 1 | total: 10\n");

    assert_true(send_bet(side, 1, 9));
    capture = log_of_end(f, STATUS_OK, 0); /* it was known */
    assert_lines(&capture, "");

    assert_true(send_bets(side, 1, 9, bets, 2));
    capture = log_of_end(f, STATUS_OK, 1); /* the first one was known */
    assert_lines(&capture, "INFO     action: apuesta_recibida | result: success | cantidad: 1 | "
                           "agencia: 1 | total: 10\n");

    assert_true(send_bets(side, 1, 8, bets, 2));
    capture = log_of_end(f, STATUS_OK, 0); /* both were known */
    assert_lines(&capture, "");

    assert_true(send_bets(side, 1, 99, bets, 2));
    capture = log_of_end(f, STATUS_GAP, 0);
    assert_lines(&capture, "ERROR    action: apuesta_recibida | result: fail | cantidad: 2 | "
                           "agencia: 1 | total: 10 | reason: offset beyond what was received\n");
    log_set_level(LOG_CRITICAL);
}

/* At DEBUG each bet that was stored now is listed: of a partly known batch only the new ones at its
 * end. This also happens when the connection is gone. */
static void test_log_of_batches(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    Lottery__V1__Bet bets[] = {make_bet("Ana", "1", 1), make_bet("Ana", "ABCDEFGHIJKLMNOP", 9999),
                               make_bet("Ana", "0", 0)};
    struct capture capture;

    log_set_level(LOG_DEBUG);
    assert_true(send_bets(side, 2, 9, bets, 3));
    assert_true(send_bets(side, 2, 9, bets, 3));
    assert_true(send_bets(side, 2, 9, bets, 3));
    assert_true(send_bet(side, 2, 12));
    session_fini(&side->session);
    capture = log_of_end(f, STATUS_OK, 2);
    assert_lines(&capture, "DEBUG    action: apuesta_almacenada | result: success | dni: "
                           "ABCDEFGHIJKLMNOP | numero: 9999\n"
                           "DEBUG    action: apuesta_almacenada | result: success | dni: 0 | "
                           "numero: 0\n"
                           "INFO     action: apuesta_recibida | result: success | cantidad: 2 | "
                           "agencia: 2 | total: 10\n");
    capture = log_of_end(f, STATUS_OK, 0);
    assert_lines(&capture, "DEBUG    action: apuesta_repetida | result: success | cantidad: 3 | "
                           "agencia: 2\n");
    capture = log_of_end(f, STATUS_NOSPACE, 0);
    assert_lines(&capture, "ERROR    action: apuesta_recibida | result: fail | cantidad: 3 | "
                           "agencia: 2 | total: 10 | reason: no space left\n");
    capture = log_of_end(f, STATUS_OK, 1);
    assert_lines(&capture, "INFO     action: apuesta_almacenada | result: success | dni: 30904465 "
                           "| numero: 7574\n"
                           "INFO     action: apuesta_recibida | result: success | cantidad: 1 | "
                           "agencia: 2 | total: 10\n");
    log_set_level(LOG_CRITICAL);
}

/* Without memory for what the log will say about the bets, the batch is refused, and the agency may
 * try again. */
static void test_log_without_memory(void **state)
{
    struct fixture *f = *state;
    struct side *side = &f->sides[0];

    assert_true(send_bet(side, 1, 0)); /* its request is used again */
    end_op(f, STATUS_OK, 1, 1);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_OK, 1, "");
    log_set_level(LOG_INFO);
    alloc_fault_after(0);
    assert_true(send_bet(side, 1, 1));
    assert_true(alloc_fault_end());
    log_set_level(LOG_CRITICAL);
    assert_int_equal(f->fake.count, 1);
    assert_ack(side, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR, 1, "out of memory");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

/* The number of a draw that somebody runs comes with the first of the winners alone, and leaves
 * less room for documents there; no frame is too long. */
static void test_number_with_many_winners(void **state)
{
    static char source[DRAW_TEXT_MAX];
    struct fixture *f = *state;
    struct side *side = &f->sides[0];
    struct ledger_news *news = &f->fake.news;
    bool more = true;

    memset(source, 's', sizeof(source));
    news->terms.mode = DRAW_MANUAL;
    news->drawn.source = (struct text){source, sizeof(source)};
    make_winners(1, 5000);
    assert_true(send_finished(side, 1, 0));
    end_op(f, STATUS_OK, 0, 0);
    hold_draw(f);
    for (unsigned i = 0; more; i++) {
        struct frame frame = next_answer(side, LOTTERY__V1__OPCODE__OPCODE_WINNERS);
        Lottery__V1__Winners *winners =
            lottery__v1__winners__unpack(NULL, frame.body_size, frame.body);
        assert_non_null(winners);
        assert_int_equal(winners->drawn != NULL, i == 0);
        if (i == 0) {
            assert_int_equal(winners->drawn->number, 7574);
            assert_int_equal(strlen(winners->drawn->source), sizeof(source));
            assert_memory_equal(winners->drawn->source, source, sizeof(source));
        }
        more = winners->more;
        lottery__v1__winners__free_unpacked(winners, NULL);
    }
    assert_true(side->count > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_batch),
        CASE(test_counts),
        CASE(test_claims),
        CASE(test_content),
        CASE(test_question),
        CASE(test_codes),
        CASE(test_invalid_bets),
        CASE(test_birthdates),
        CASE(test_texts_of_the_wire),
        CASE(test_order),
        CASE(test_refused_too_often),
        CASE(test_spare_requests),
        CASE(test_agencies),
        CASE(test_proof_of_an_agency),
        CASE(test_proof_of_no_agency_here),
        CASE(test_proof_of_the_server),
        CASE(test_malformed),
        CASE(test_number_with_many_winners),
        CASE(test_too_long),
        CASE(test_no_frame),
        CASE(test_ledger_without_memory),
        CASE(test_no_memory),
        CASE(test_no_memory_while_waiting),
        CASE(test_create_without_memory),
        CASE(test_connection_gone),
        CASE(test_lost_outcomes),
        CASE(test_draw),
        CASE(test_after_the_draw),
        CASE(test_finished_again),
        CASE(test_many_winners),
        CASE(test_frames_of_winners),
        CASE(test_unreadable_winners),
        CASE(test_gone_while_waiting),
        CASE(test_gone_while_sending),
        CASE(test_damaged_winners),
        CASE(test_damage_while_sending),
        CASE(test_read_fails_while_sending),
        CASE(test_log_of_refused_finished),
        CASE(test_log),
        CASE(test_log_of_batches),
        CASE(test_log_without_memory),
    };

    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
