/* Passes whole messages to the real handlers, from two connections that come and go, with a
 * ledger that ends operations sooner or later.
 *
 * An input is a list of steps. Each has a byte that says what happens with a message, and the
 * message's frame. If the first frame has the opcode SETUP, it says what draws there are instead:
 * the one in force, and maybe one that is over. A model, which reads messages only with protobuf-c,
 * says which answer each message must get, in order, and when: a refused one as soon as the earlier
 * ones are answered. Only valid bets may reach the ledger (memory_ledger.c), and at the end nothing
 * may be outstanding.
 */
#include "arena.h"
#include "bets_csv.h"
#include "dispatch.h"
#include "draw_seal.h"
#include "fuzz.h"
#include "log.h"
#include "lottery.pb-c.h"
#include "memory_ledger.h"
#include "memory_seal.h"
#include "note_file.h"
#include "seal_files.h"
#include "seal_leaf.h"
#include "service.h"
#include "session.h"
#include "winners.h"
#include "wire.h"

#define CONNECTIONS 2
#define OUTSTANDING_MAX 4096 /* messages that the ledger has not ended */
#define WINNER_NUMBER 7574
#define ARENA_CAPACITY ((size_t)2 * 1024 * 1024)
#define LEDGER_DECIDES LOTTERY__V1__ACK_CODE__ACK_CODE_UNSPECIFIED
#define MALFORMED LOTTERY__V1__ACK_CODE__ACK_CODE_MALFORMED
#define DRAW_IS_CLOSED LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED
#define OTHER_DRAW ((Lottery__V1__AckCode)100) /* DRAW_CLOSED, and nothing of the agency's bets */
#define SETUP 192                              /* an opcode */
#define PAST_BETS 3                            /* of agency 1, in the draw that is over */

/* The bits of the first byte of SETUP's body. */
enum setup {
    HAS_ID = 1, /* the draw in force has the id "b" */
    IS_MANUAL = 2,
    IS_SEALED = 4,      /* both draws are, or will be */
    HAS_PAST = 8,       /* there is a draw that is over, "a" */
    PAST_HAS_NO_ID = 16 /* that one has no id */
};

/* The bits of the first byte of a step. */
enum step {
    SECOND_CONNECTION = 1,
    LEDGER_ENDS = 2, /* all operations */
    HANG_UP = 4,     /* the connection is gone, and another takes its place */
    DISK_FULL = 8,
    SLOW_READER = 16,   /* the connection takes no more bytes for now */
    DRAW = 32,          /* takes place if it is due */
    NO_FRAME = 64,      /* bytes that are not a frame follow */
    OUTCOMES_LOST = 128 /* of all operations */
};

/* What the model knows about a connection. It is the owner of the session. */
struct connection {
    struct session session;
    unsigned number;  /* counts the connections that had this place */
    uint32_t agency;  /* the first one that it named */
    bool is_past;     /* with the draw that is over */
    bool has_ended;   /* a message was malformed: no more are accepted */
    bool is_finished; /* finish() was called: no more answers are sent */
    bool is_slow;
    bool knows_received; /* the ledger has said how many bets the agency has */
    uint64_t received;   /* and how many */
    unsigned refusals;   /* as long as no agency was named */
    /* A ring: the messages without an answer, in order; LEDGER_DECIDES for those at the ledger. */
    Lottery__V1__AckCode waiting[OUTSTANDING_MAX];
    size_t waiting_at;
    size_t waiting_count;
    uint64_t lists_due;    /* accepted Finished messages whose winners were not sent yet */
    uint64_t winners_seen; /* of the list that is being sent */
    bool is_in_list;       /* one is */
    bool wants_seal;       /* it has to get a Seal before a list */
    bool may_begin_list;   /* but for one that was to be sent before it asked */
};

/* A message that was handed to the ledger. */
struct message {
    struct connection *from;
    unsigned number; /* of its connection at that time */
    Lottery__V1__AckCode code;
    bool is_finish;
    bool wants_seal;
};

static struct memory_ledger ledger;
static struct memory_ledger past; /* the draw that is over, if there is one */
static unsigned setup;
static struct memory_seal seals[4]; /* of draws with the ids of seal_ids */
static const char *const seal_ids[] = {"", "b", "", "a"};
static struct service *service;
static struct arena arena;
static struct connection connections[CONNECTIONS];
static struct message messages[OUTSTANDING_MAX]; /* a ring: the ledger ends them in order */
static size_t messages_at;
static size_t messages_count;
static struct bet bets[FRAME_BODY_MAX / 2];
static struct {
    Lottery__V1__AckCode code;
    uint64_t received;
} expected[OUTSTANDING_MAX + 1]; /* the only Acks that may be sent now, in this order */
static size_t expected_at;
static size_t expected_count;

static Lottery__V1__AckCode code_of(enum status status)
{
    static const struct {
        enum status status;
        Lottery__V1__AckCode code;
    } codes[] = {
        {STATUS_OK, LOTTERY__V1__ACK_CODE__ACK_CODE_OK},
        {STATUS_GAP, LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP},
        {STATUS_CLOSED, LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED},
        {STATUS_INCOMPLETE, LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE},
        {STATUS_MISMATCH, LOTTERY__V1__ACK_CODE__ACK_CODE_CONTENT_MISMATCH},
        {STATUS_NOSPACE, LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR},
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].status == status)
            return codes[i].code;
    }
    abort();
}

static bool count_winner(void *context, uint32_t agency, const struct bet *bet)
{
    uint64_t *counts = context;

    counts[agency] += has_won(bet, WINNER_NUMBER);
    return true;
}

/* All draws have the same number. */
static uint64_t winners_of(const struct connection *connection)
{
    const struct memory_ledger *of = connection->is_past ? &past : &ledger;
    uint64_t counts[MEMORY_AGENCIES + 1] = {0};
    size_t bad_at;
    char *copy = malloc(of->size + 1); /* the parser changes the lines */

    FUZZ_CHECK(copy != NULL);
    if (of->size > 0)
        memcpy(copy, of->lines, of->size);
    FUZZ_CHECK(bets_csv_parse(copy, of->size, count_winner, counts, &bad_at) == STATUS_OK);
    free(copy);
    return counts[connection->agency];
}

static void take_ack(struct connection *connection, const struct frame *frame)
{
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame->body_size, frame->body);

    (void)connection;
    FUZZ_CHECK(ack != NULL && expected_at < expected_count);
    FUZZ_CHECK(ack->code == expected[expected_at].code);
    FUZZ_CHECK(ack->received == expected[expected_at].received);
    expected_at++;
    lottery__v1__ack__free_unpacked(ack, NULL);
}

static void take_winners(struct connection *connection, const struct frame *frame)
{
    Lottery__V1__Winners *winners =
        lottery__v1__winners__unpack(NULL, frame->body_size, frame->body);

    FUZZ_CHECK(winners != NULL && (ledger.news.has_winners || connection->is_past));
    FUZZ_CHECK(winners->agency_id == connection->agency && connection->lists_due > 0);
    if (!connection->is_in_list) {
        bool is_told = (setup & (IS_MANUAL | IS_SEALED)) != 0;
        FUZZ_CHECK(!connection->wants_seal || connection->may_begin_list);
        connection->may_begin_list = false;
        FUZZ_CHECK((winners->drawn != NULL) == is_told);
        FUZZ_CHECK(!is_told || winners->drawn->number == WINNER_NUMBER);
        FUZZ_CHECK(!is_told || (winners->drawn->note[0] != '\0') == ((setup & IS_SEALED) != 0));
    } else {
        FUZZ_CHECK(winners->drawn == NULL);
    }
    connection->is_in_list = winners->more;
    connection->winners_seen += winners->n_documents;
    if (!winners->more) {
        FUZZ_CHECK(connection->winners_seen == winners_of(connection));
        connection->winners_seen = 0;
        connection->lists_due--;
    }
    lottery__v1__winners__free_unpacked(winners, NULL);
}

static void take_seal(struct connection *connection, const struct frame *frame)
{
    Lottery__V1__Seal *seal = lottery__v1__seal__unpack(NULL, frame->body_size, frame->body);

    FUZZ_CHECK(seal != NULL && connection->wants_seal && !connection->is_in_list);
    FUZZ_CHECK(ledger.news.is_sealed || connection->is_past);
    FUZZ_CHECK(seal->agency_id == connection->agency && seal->index == connection->agency);
    FUZZ_CHECK(seal->digest.len == SHA256_SIZE && seal->nonce.len == SEAL_NONCE_SIZE);
    FUZZ_CHECK(seal->n_proof > 0 && seal->note[0] != '\0');
    connection->wants_seal = false;
    lottery__v1__seal__free_unpacked(seal, NULL);
}

static void on_send(void *owner, const uint8_t *bytes, size_t size)
{
    struct connection *connection = owner;
    struct frame frame;

    FUZZ_CHECK(!connection->is_finished);
    FUZZ_CHECK(frame_decode(bytes, size, &frame) == FRAME_OK && frame_size(&frame) == size);
    if (frame.opcode == LOTTERY__V1__OPCODE__OPCODE_ACK) {
        take_ack(connection, &frame);
    } else if (frame.opcode == LOTTERY__V1__OPCODE__OPCODE_SEAL) {
        take_seal(connection, &frame);
    } else {
        FUZZ_CHECK(frame.opcode == LOTTERY__V1__OPCODE__OPCODE_WINNERS);
        take_winners(connection, &frame);
    }
}

static size_t on_backlog(void *owner)
{
    const struct connection *connection = owner;

    return connection->is_slow ? SIZE_MAX : 0;
}

static void on_progress(void *owner)
{
    (void)owner;
}

static void on_finish(void *owner)
{
    struct connection *connection = owner;

    FUZZ_CHECK(connection->has_ended && !connection->is_finished);
    connection->is_finished = true;
}

static const struct session_events session_events = {on_send, on_backlog, on_progress, on_finish};

static void expect(Lottery__V1__AckCode code, uint64_t received)
{
    expected[expected_count].code = code == OTHER_DRAW ? DRAW_IS_CLOSED : code;
    expected[expected_count].received = code == OTHER_DRAW ? 0 : received;
    expected_count++;
}

/* All that was expected has been sent. */
static void check_sent(void)
{
    FUZZ_CHECK(expected_at == expected_count);
    expected_at = 0;
    expected_count = 0;
}

/* A message of the connection has no answer yet. */
static void push_waiting(struct connection *connection, Lottery__V1__AckCode code)
{
    FUZZ_CHECK(connection->waiting_count < OUTSTANDING_MAX);
    connection->waiting[(connection->waiting_at + connection->waiting_count++) % OUTSTANDING_MAX] =
        code;
}

static Lottery__V1__AckCode pop_waiting(struct connection *connection)
{
    FUZZ_CHECK(connection->waiting_count > 0);
    connection->waiting_count--;
    return connection->waiting[connection->waiting_at++ % OUTSTANDING_MAX];
}

/* The connection's Finished is accepted: it gets the winners, and a Seal before, if it wants one.
 */
static void owe_winners(struct connection *to, bool wants_seal)
{
    to->lists_due++;
    if (!wants_seal || (setup & IS_SEALED) == 0)
        return;
    to->wants_seal = true;
    to->may_begin_list = to->session.state == SESSION_SENDING && !to->is_in_list;
}

/* Sets what must be answered when the operation `op` of `message` ends. Returns whether that ends
 * the session. */
static bool expect_answers(const struct message *message, const struct ledger_op *op, bool is_lost)
{
    struct connection *from = message->from;
    Lottery__V1__AckCode code =
        message->code == LEDGER_DECIDES ? code_of(op->status) : message->code;

    if (from->number != message->number || from->is_finished)
        return false;
    if (is_lost) { /* nothing more is answered */
        from->has_ended = true;
        from->lists_due = 0;
        from->wants_seal = false;
        from->waiting_count = 0;
        return true;
    }
    from->knows_received = true;
    if (op->received > from->received)
        from->received = op->received;
    if (!message->is_finish || code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        expect(code, op->received);
    else if (!from->has_ended)
        owe_winners(from, message->wants_seal);
    FUZZ_CHECK(pop_waiting(from) == LEDGER_DECIDES);
    while (from->waiting_count > 0 &&
           from->waiting[from->waiting_at % OUTSTANDING_MAX] != LEDGER_DECIDES) {
        code = pop_waiting(from);
        expect(code, from->received);
    }
    return code == MALFORMED;
}

static void ledger_ends(bool is_lost)
{
    for (const struct ledger_op *op; (op = memory_ledger_decide(&ledger)) != NULL;) {
        FUZZ_CHECK(messages_count > 0);
        struct message message = messages[messages_at++ % OUTSTANDING_MAX];
        struct connection *from = message.from;
        messages_count--;
        bool was_finished = from->is_finished;
        bool ends = expect_answers(&message, op, is_lost);
        memory_ledger_end(&ledger, is_lost);
        check_sent();
        FUZZ_CHECK(from->is_finished == (was_finished || ends));
    }
    FUZZ_CHECK(messages_count == 0);
}

static struct text text_from(const char *string)
{
    return (struct text){string,
                         string == protobuf_c_empty_string ? 0 : arena_block_size(string) - 1};
}

/* Is it the id of the draw in force, or of the one that is over? */
static bool names(struct text draw, bool is_past)
{
    const struct memory_ledger *named = is_past ? &past : &ledger;

    if (is_past && (setup & HAS_PAST) == 0)
        return false;
    return fuzz_text_equals(draw, text_of(named->draw.terms.id));
}

static Lottery__V1__AckCode claim(struct connection *connection, uint32_t agency, struct text draw)
{
    bool is_past = connection->agency != 0 ? connection->is_past : !names(draw, false);

    if (!names(draw, is_past))
        return OTHER_DRAW;
    if (agency < 1 || agency > MEMORY_AGENCIES ||
        (connection->agency != 0 && connection->agency != agency))
        return LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY;
    if (is_past && connection->agency == 0) {
        connection->knows_received = true;
        connection->received = draw_received(&past.draw, agency);
    }
    connection->agency = agency;
    connection->is_past = is_past;
    return LEDGER_DECIDES;
}

static bool is_checksum(const ProtobufCBinaryData *field)
{
    return field->len == 0 || field->len == BETS_CHECKSUM_SIZE;
}

static void do_nothing(struct ledger_op *op)
{
    (void)op;
}

/* What the ledger of the draw that is over decides about what was just asked. */
static Lottery__V1__AckCode past_decides(void)
{
    const struct ledger_op *op = memory_ledger_decide(&past);

    FUZZ_CHECK(op != NULL && op->stored == 0);
    enum status status = op->status;
    memory_ledger_end(&past, false);
    FUZZ_CHECK(past.draw.phase == DRAW_DRAWN);
    return code_of(status);
}

static Lottery__V1__AckCode judge_past_bets(const Lottery__V1__NewBets *message)
{
    struct ledger_op op = {.done = do_nothing};

    FUZZ_CHECK(bets_checksum_read(message->checksum.data, message->checksum.len, &op.claimed));
    if (message->n_bets == 0)
        ledger_ask(&past.ledger, &op, message->agency_id, message->offset);
    else
        FUZZ_CHECK(ledger_append(&past.ledger, &op, message->agency_id, message->offset, bets,
                                 message->n_bets) == STATUS_OK);
    return past_decides();
}

static Lottery__V1__AckCode judge_past_finished(struct connection *connection,
                                                const Lottery__V1__Finished *message)
{
    struct ledger_op op = {.done = do_nothing};

    FUZZ_CHECK(bets_checksum_read(message->checksum.data, message->checksum.len, &op.claimed));
    ledger_finish(&past.ledger, &op, message->agency_id, message->total);
    Lottery__V1__AckCode code = past_decides();
    if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        owe_winners(connection, message->want_seal);
    return code;
}

/* Returns the code of the answer to a NewBets and leaves its bets in `bets`. */
static Lottery__V1__AckCode judge_bets(struct connection *connection, const struct frame *frame,
                                       size_t *count)
{
    const Lottery__V1__NewBets *message =
        lottery__v1__new_bets__unpack(&arena.allocator, frame->body_size, frame->body);

    *count = 0;
    if (message == NULL || !is_checksum(&message->checksum))
        return MALFORMED;
    Lottery__V1__AckCode code = claim(connection, message->agency_id, text_from(message->draw));
    for (size_t i = 0; code == LEDGER_DECIDES && i < message->n_bets; i++) {
        const Lottery__V1__Bet *bet = message->bets[i];
        bets[i] = (struct bet){text_from(bet->first_name), text_from(bet->last_name),
                               text_from(bet->document), text_from(bet->birthdate), bet->number};
        if (bet_check(&bets[i], FUZZ_TODAY) != BET_FAULT_NONE)
            code = LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET;
    }
    if (code != LEDGER_DECIDES)
        return code;
    if (connection->is_past)
        return judge_past_bets(message);
    *count = message->n_bets;
    return code;
}

/* *wants_seal: the message is a Finished that asks for a Seal. */
static Lottery__V1__AckCode judge(struct connection *connection, const struct frame *frame,
                                  size_t *count, bool *wants_seal)
{
    *count = 0;
    *wants_seal = false;
    if (frame->opcode == LOTTERY__V1__OPCODE__OPCODE_NEW_BETS)
        return judge_bets(connection, frame, count);
    if (frame->opcode != LOTTERY__V1__OPCODE__OPCODE_FINISHED)
        return MALFORMED;
    const Lottery__V1__Finished *message =
        lottery__v1__finished__unpack(&arena.allocator, frame->body_size, frame->body);
    if (message == NULL || !is_checksum(&message->checksum))
        return MALFORMED;
    *wants_seal = message->want_seal;
    Lottery__V1__AckCode code = claim(connection, message->agency_id, text_from(message->draw));
    return code == LEDGER_DECIDES && connection->is_past ? judge_past_finished(connection, message)
                                                         : code;
}

/* The message will be answered with `code`, or as the ledger decides. Returns whether it is the
 * last one. */
static bool note_message(struct connection *from, Lottery__V1__AckCode code, bool is_finish,
                         bool wants_seal)
{
    bool is_first = from->waiting_count == 0;

    if (is_finish && from->is_past && code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        return false; /* answered by the winners */
    if (code == LEDGER_DECIDES ||
        (is_first && from->agency != 0 && !from->knows_received && code != OTHER_DRAW)) {
        FUZZ_CHECK(messages_count < OUTSTANDING_MAX);
        messages[(messages_at + messages_count++) % OUTSTANDING_MAX] =
            (struct message){from, from->number, code, is_finish, wants_seal};
        push_waiting(from, LEDGER_DECIDES);
    } else if (is_first) {
        expect(code, from->received);
    } else {
        push_waiting(from, code);
    }
    bool is_last = code == MALFORMED || (code != LEDGER_DECIDES && from->agency == 0 &&
                                         ++from->refusals == SESSION_REFUSALS_MAX);
    if (is_last) {
        from->has_ended = true;
        from->lists_due = 0; /* the remaining winners will never be sent */
        from->wants_seal = false;
    }
    return is_last;
}

/* Checks that the ledger received the lines of the bets that the model read. */
static void check_handed_in(size_t before, size_t count, uint32_t agency)
{
    char *lines = malloc(count * BET_LINE_MAX + 1);

    FUZZ_CHECK(lines != NULL);
    size_t size = count == 0 ? 0 : bet_lines_format(agency, bets, count, lines);
    FUZZ_CHECK(ledger.used - before == size);
    FUZZ_CHECK(size == 0 || memcmp(ledger.lines + before, lines, size) == 0);
    free(lines);
}

static void receive(struct connection *connection, const struct frame *frame)
{
    size_t count;
    bool wants_seal;
    size_t before = ledger.used;

    if (connection->has_ended) {
        FUZZ_CHECK(
            !dispatch_message(&connection->session, frame->opcode, frame->body, frame->body_size));
        return;
    }
    arena_reset(&arena);
    Lottery__V1__AckCode code = judge(connection, frame, &count, &wants_seal);
    bool is_last = note_message(connection, code,
                                frame->opcode == LOTTERY__V1__OPCODE__OPCODE_FINISHED, wants_seal);
    /* A block of the exact size, so that a read past its end is found. */
    uint8_t *body = malloc(frame->body_size);
    FUZZ_CHECK(body != NULL || frame->body_size == 0);
    if (frame->body_size > 0)
        memcpy(body, frame->body, frame->body_size);
    bool goes_on = dispatch_message(&connection->session, frame->opcode, body, frame->body_size);
    free(body);
    FUZZ_CHECK(goes_on == !is_last);
    FUZZ_CHECK(connection->is_finished == (is_last && connection->waiting_count == 0));
    check_sent();
    check_handed_in(before, count, connection->agency);
}

static void connect(struct connection *connection)
{
    unsigned number = connection->number + 1;

    memset(connection, 0, sizeof(*connection));
    connection->number = number;
    session_init(&connection->session, service, &session_events, connection);
}

static void tell(void)
{
    struct errbuf err;

    FUZZ_CHECK(service_send_seals(service, &err) == STATUS_OK);
    FUZZ_CHECK(service_read_result(service, &err) == STATUS_OK);
    FUZZ_CHECK(service_send_winners(service, &err) == STATUS_OK);
}

/* An automatic draw ends if it is due; in another one, the next thing happens. */
static void hold_draw(void)
{
    const struct draw *draw = &ledger.draw;
    const uint8_t *root = seals[(setup & HAS_ID) != 0].root;

    if (draw->terms.mode == DRAW_AUTO) {
        memory_ledger_draw(&ledger);
        if (draw->phase == DRAW_CLOSED) {
            memory_ledger_seal(&ledger, root);
            memory_ledger_draw(&ledger);
        }
    } else if (draw->phase == DRAW_OPEN) {
        memory_ledger_close_early(&ledger);
    } else if (draw->terms.has_seal && !draw->is_sealed) {
        memory_ledger_seal(&ledger, root);
    } else {
        memory_ledger_give_number(&ledger, WINNER_NUMBER, "the drum");
    }
    tell();
}

static void take_step(uint8_t step, const struct frame *frame)
{
    struct connection *connection = &connections[(step & SECOND_CONNECTION) != 0];

    if (messages_count + 2 > OUTSTANDING_MAX || connection->waiting_count + 2 > OUTSTANDING_MAX)
        ledger_ends(false);
    connection->is_slow = (step & SLOW_READER) != 0;
    if (!connection->is_slow)
        session_continue(&connection->session);
    ledger.is_full = (step & DISK_FULL) != 0;
    receive(connection, frame);
    if ((step & NO_FRAME) != 0 && !connection->has_ended) {
        (void)note_message(connection, MALFORMED, false, false);
        session_malformed(&connection->session, "no frame");
        check_sent();
    }
    if ((step & LEDGER_ENDS) != 0)
        ledger_ends(false);
    if ((step & OUTCOMES_LOST) != 0)
        ledger_ends(true);
    if ((step & DRAW) != 0)
        hold_draw();
    if ((step & HANG_UP) != 0) {
        session_fini(&connection->session);
        connect(connection);
    }
}

static void check_end(struct connection *connection)
{
    const struct session *session = &connection->session;

    connection->is_slow = false;
    session_continue(&connection->session);
    FUZZ_CHECK(session->outstanding == 0 && session->outstanding_bytes == 0);
    FUZZ_CHECK(connection->is_finished == connection->has_ended);
    FUZZ_CHECK((!ledger.news.has_winners && !connection->is_past) || connection->lists_due == 0);
    FUZZ_CHECK((!ledger.news.is_sealed && !connection->is_past) || !connection->wants_seal);
    FUZZ_CHECK(session_is_idle(session) == (connection->lists_due == 0));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_silence_log();
    log_set_level(LOG_DEBUG); /* so that the bets of batches are logged */
    fuzz_fix_clock();
    FUZZ_CHECK(arena_init(&arena, ARENA_CAPACITY));
    for (size_t i = 0; i < sizeof(seals) / sizeof(seals[0]); i++)
        memory_seal_init(&seals[i], seal_ids[i], MEMORY_AGENCIES, 3, WINNER_NUMBER, "the drum");
    return 0;
}

static void set_terms(struct draw_terms *terms, const char *id)
{
    terms->mode = (setup & IS_MANUAL) != 0 ? DRAW_MANUAL : DRAW_AUTO;
    terms->has_seal = (setup & IS_SEALED) != 0;
    memcpy(terms->id, id, strlen(id) + 1);
}

/* The draw that is over: a few bets of agency 1, the second of which has won. */
static void hold_past_draw(void)
{
    struct bet known[PAST_BETS];
    struct ledger_op op = {.done = do_nothing};
    struct draw_terms terms = {.mode = DRAW_AUTO};

    set_terms(&terms, (setup & PAST_HAS_NO_ID) != 0 ? "" : "a");
    memory_ledger_init_run(&past, &terms, terms.mode == DRAW_AUTO ? WINNER_NUMBER : 0);
    for (uint32_t i = 0; i < PAST_BETS; i++)
        known[i] = (struct bet){text_of("Ana"), text_of("Paz"), text_of("1"), text_of("1999-12-31"),
                                i == 1 ? WINNER_NUMBER : 0};
    FUZZ_CHECK(ledger_append(&past.ledger, &op, 1, 0, known, PAST_BETS) == STATUS_OK);
    (void)memory_ledger_decide(&past);
    memory_ledger_end(&past, false);
    for (uint32_t agency = 1; agency <= MEMORY_AGENCIES; agency++) {
        ledger_finish(&past.ledger, &op, agency, agency == 1 ? PAST_BETS : 0);
        (void)memory_ledger_decide(&past);
        memory_ledger_end(&past, false);
    }
    memory_ledger_draw(&past);
    memory_ledger_seal(&past, seals[(setup & PAST_HAS_NO_ID) != 0 ? 2 : 3].root);
    memory_ledger_draw(&past);
    memory_ledger_give_number(&past, WINNER_NUMBER, "");
    FUZZ_CHECK(past.draw.phase == DRAW_DRAWN);
}

static enum status load_past(void *owner, const char *id, struct past_draw *out, struct errbuf *err)
{
    (void)owner;
    FUZZ_CHECK(id[0] == '\0' || draw_id_is_valid(text_of(id)));
    FUZZ_CHECK(strcmp(id, ledger.draw.terms.id) != 0);
    if (!names(text_of(id), true))
        return STATUS_NOTFOUND;
    enum status status = memory_ledger_load(&past, out);
    if (status != STATUS_OK || !out->draw.is_sealed)
        return status;
    const struct draw_seal_facts facts = {id, MEMORY_AGENCIES, out->draw.sealed.root};
    memory_seal_use(&seals[(setup & PAST_HAS_NO_ID) != 0 ? 2 : 3]);
    status = draw_seal_open(&memory_seal_ops, -1, &facts, &out->files.seal, err);
    if (status == STATUS_OK)
        status = note_file_read(&memory_seal_ops, -1, RESULT_NAME, &out->files.result, err);
    memory_seal_use(&seals[(setup & HAS_ID) != 0]);
    return status;
}

/* Opens the draws that the input asks for. Returns how many bytes of it said so. */
static size_t set_up(const uint8_t *data, size_t size)
{
    struct draw_terms terms = {.mode = DRAW_AUTO};
    struct frame frame;
    size_t taken = 0;

    setup = 0;
    if (size > 1 && frame_decode(data + 1, size - 1, &frame) == FRAME_OK && frame.opcode == SETUP) {
        setup = frame.body_size > 0 ? frame.body[0] : 0;
        taken = 1 + frame_size(&frame);
    }
    hold_past_draw();
    set_terms(&terms, (setup & HAS_ID) != 0 ? "b" : "");
    memory_ledger_init_run(&ledger, &terms, terms.mode == DRAW_AUTO ? WINNER_NUMBER : 0);
    memory_seal_use(&seals[(setup & HAS_ID) != 0]);
    return taken;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;

    size_t taken = set_up(data, size);

    data += taken;
    size -= taken;
    const struct service_config config = {
        .ledger = &ledger.ledger, .ops = &memory_seal_ops, .dir_fd = -1, .load_past = load_past};
    FUZZ_CHECK(service_create(&config, &service) == STATUS_OK);
    for (size_t i = 0; i < CONNECTIONS; i++)
        connect(&connections[i]);
    while (size > 1 && frame_decode(data + 1, size - 1, &frame) == FRAME_OK) {
        take_step(data[0], &frame);
        data += 1 + frame_size(&frame);
        size -= 1 + frame_size(&frame);
    }
    ledger_ends(false);
    tell();
    for (size_t i = 0; i < CONNECTIONS; i++) {
        check_end(&connections[i]);
        session_fini(&connections[i].session);
    }
    FUZZ_CHECK(service_outstanding(service) == 0);
    service_destroy(service);
    memory_ledger_fini(&ledger);
    memory_ledger_fini(&past);
    return 0;
}
