/* Passes whole messages to the real handlers, from two connections that come and go, with a
 * ledger that ends operations sooner or later.
 *
 * An input is a list of steps. Each has a byte that says what happens with a message, and the
 * message's frame. A model, which reads messages only with protobuf-c, says which answer each
 * message must get, in order, and when: a refused one as soon as the earlier ones are answered.
 * Only valid bets may reach the ledger (memory_ledger.c), and at the end nothing may be
 * outstanding.
 */
#include "arena.h"
#include "bets_csv.h"
#include "dispatch.h"
#include "fuzz.h"
#include "log.h"
#include "lottery.pb-c.h"
#include "memory_ledger.h"
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
};

/* A message that was handed to the ledger. */
struct message {
    struct connection *from;
    unsigned number; /* of its connection at that time */
    Lottery__V1__AckCode code;
    bool is_finish;
};

static struct memory_ledger ledger;
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

static uint64_t winners_of(uint32_t agency)
{
    uint64_t counts[MEMORY_AGENCIES + 1] = {0};
    size_t bad_at;
    char *copy = malloc(ledger.size + 1); /* the parser changes the lines */

    FUZZ_CHECK(copy != NULL);
    if (ledger.size > 0)
        memcpy(copy, ledger.lines, ledger.size);
    FUZZ_CHECK(bets_csv_parse(copy, ledger.size, count_winner, counts, &bad_at) == STATUS_OK);
    free(copy);
    return counts[agency];
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

    FUZZ_CHECK(winners != NULL && ledger.news.has_winners);
    FUZZ_CHECK(winners->agency_id == connection->agency && connection->lists_due > 0);
    connection->winners_seen += winners->n_documents;
    if (!winners->more) {
        FUZZ_CHECK(connection->winners_seen == winners_of(connection->agency));
        connection->winners_seen = 0;
        connection->lists_due--;
    }
    lottery__v1__winners__free_unpacked(winners, NULL);
}

static void on_send(void *owner, const uint8_t *bytes, size_t size)
{
    struct connection *connection = owner;
    struct frame frame;

    FUZZ_CHECK(!connection->is_finished);
    FUZZ_CHECK(frame_decode(bytes, size, &frame) == FRAME_OK && frame_size(&frame) == size);
    if (frame.opcode == LOTTERY__V1__OPCODE__OPCODE_ACK) {
        take_ack(connection, &frame);
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
    expected[expected_count].code = code;
    expected[expected_count].received = received;
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
        from->waiting_count = 0;
        return true;
    }
    from->knows_received = true;
    if (op->received > from->received)
        from->received = op->received;
    if (!message->is_finish || code != LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        expect(code, op->received);
    else if (!from->has_ended)
        from->lists_due++;
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

static Lottery__V1__AckCode claim(struct connection *connection, uint32_t agency)
{
    if (agency < 1 || agency > MEMORY_AGENCIES ||
        (connection->agency != 0 && connection->agency != agency))
        return LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY;
    connection->agency = agency;
    return LEDGER_DECIDES;
}

static bool is_checksum(const ProtobufCBinaryData *field)
{
    return field->len == 0 || field->len == BETS_CHECKSUM_SIZE;
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
    Lottery__V1__AckCode code = claim(connection, message->agency_id);
    for (size_t i = 0; code == LEDGER_DECIDES && i < message->n_bets; i++) {
        const Lottery__V1__Bet *bet = message->bets[i];
        bets[i] = (struct bet){text_from(bet->first_name), text_from(bet->last_name),
                               text_from(bet->document), text_from(bet->birthdate), bet->number};
        if (bet_check(&bets[i], FUZZ_TODAY) != BET_FAULT_NONE)
            code = LOTTERY__V1__ACK_CODE__ACK_CODE_INVALID_BET;
    }
    if (code == LEDGER_DECIDES)
        *count = message->n_bets;
    return code;
}

static Lottery__V1__AckCode judge(struct connection *connection, const struct frame *frame,
                                  size_t *count)
{
    *count = 0;
    if (frame->opcode == LOTTERY__V1__OPCODE__OPCODE_NEW_BETS)
        return judge_bets(connection, frame, count);
    if (frame->opcode != LOTTERY__V1__OPCODE__OPCODE_FINISHED)
        return MALFORMED;
    const Lottery__V1__Finished *message =
        lottery__v1__finished__unpack(&arena.allocator, frame->body_size, frame->body);
    return message == NULL || !is_checksum(&message->checksum)
               ? MALFORMED
               : claim(connection, message->agency_id);
}

/* The message will be answered with `code`, or as the ledger decides. Returns whether it is the
 * last one. */
static bool note_message(struct connection *from, Lottery__V1__AckCode code, bool is_finish)
{
    bool is_first = from->waiting_count == 0;

    if (code == LEDGER_DECIDES || (is_first && from->agency != 0 && !from->knows_received)) {
        FUZZ_CHECK(messages_count < OUTSTANDING_MAX);
        messages[(messages_at + messages_count++) % OUTSTANDING_MAX] =
            (struct message){from, from->number, code, is_finish};
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
    size_t before = ledger.used;

    if (connection->has_ended) {
        FUZZ_CHECK(
            !dispatch_message(&connection->session, frame->opcode, frame->body, frame->body_size));
        return;
    }
    arena_reset(&arena);
    Lottery__V1__AckCode code = judge(connection, frame, &count);
    bool is_last =
        note_message(connection, code, frame->opcode == LOTTERY__V1__OPCODE__OPCODE_FINISHED);
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

static void hold_draw(void)
{
    struct errbuf err;

    memory_ledger_draw(&ledger);
    FUZZ_CHECK(service_send_winners(service, &err) == STATUS_OK);
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
        (void)note_message(connection, MALFORMED, false);
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
    FUZZ_CHECK(!ledger.news.has_winners || connection->lists_due == 0);
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
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame frame;

    memory_ledger_init(&ledger, WINNER_NUMBER);
    const struct service_config config = {
        .ledger = &ledger.ledger, .ops = &file_ops_system, .dir_fd = -1};
    FUZZ_CHECK(service_create(&config, &service) == STATUS_OK);
    for (size_t i = 0; i < CONNECTIONS; i++)
        connect(&connections[i]);
    while (size > 1 && frame_decode(data + 1, size - 1, &frame) == FRAME_OK) {
        take_step(data[0], &frame);
        data += 1 + frame_size(&frame);
        size -= 1 + frame_size(&frame);
    }
    ledger_ends(false);
    if (ledger.news.has_winners)
        hold_draw();
    for (size_t i = 0; i < CONNECTIONS; i++) {
        check_end(&connections[i]);
        session_fini(&connections[i].session);
    }
    FUZZ_CHECK(service_outstanding(service) == 0);
    service_destroy(service);
    memory_ledger_fini(&ledger);
    return 0;
}
