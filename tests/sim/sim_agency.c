#include "sim_agency.h"

#include "bets_checksum.h"
#include "frame.h"
#include "sim_bets.h"
#include "sim_check.h"
#include "sim_content.h"
#include "sim_ledger.h"
#include "sim_random.h"
#include "sim_trace.h"
#include "sim_worker.h"
#include "sim_world.h"
#include "wire.h"

#include <string.h>

struct sim_agency sim_agencies[SIM_AGENCIES_MAX];

void sim_agency_init(struct sim_agency *agency, uint32_t id)
{
    struct prng *prng = &sim_world.prng;

    *agency = (struct sim_agency){.id = id,
                                  .bets = prng_below(prng, sim_world.bets_max + 1),
                                  .batch_max = sim_between(prng, 1, sim_world.is_big ? 20 : 6),
                                  .window = sim_between(prng, 1, SIM_FLIGHT_MAX),
                                  .is_hasty = sim_chance(prng, 700)};
    agency->ends[0] = true;
}

bool sim_agency_may_end(const struct sim_agency *agency, uint64_t count)
{
    return count >= agency->base && count - agency->base <= SIM_BETS_MAX &&
           agency->ends[count - agency->base];
}

/* ------------------------------------------------------------------ what it sends */

static void send_message(struct sim_agency *agency, uint8_t opcode, const ProtobufCMessage *message,
                         struct sim_sent sent)
{
    uint8_t frame[FRAME_MAX_SIZE];
    size_t size = wire_pack(opcode, message, frame);

    sent.acked = agency->acked;
    sent.is_known = agency->id <= sim_world.n;
    agency->sent[(agency->sent_first + agency->sent_count++) % SIM_FLIGHT_MAX] = sent;
    sim_conn_send(agency->conn, frame, size);
}

static void send_bets(struct sim_agency *agency, uint64_t offset, uint32_t count)
{
    Lottery__V1__Bet items[SIM_BETS_MAX];
    Lottery__V1__Bet *pointers[SIM_BETS_MAX];
    struct sim_bet_texts texts[SIM_BETS_MAX];
    Lottery__V1__NewBets message;
    lottery__v1__new_bets__init(&message);

    for (uint32_t i = 0; i < count; i++) {
        struct bet bet = sim_bet(agency->id, (uint32_t)offset + i, &texts[i]);
        lottery__v1__bet__init(&items[i]);
        /* the texts end with NUL, and protobuf-c does not change them */
        items[i].first_name = (char *)(uintptr_t)bet.first_name.data;
        items[i].last_name = (char *)(uintptr_t)bet.last_name.data;
        items[i].document = (char *)(uintptr_t)bet.document.data;
        items[i].birthdate = (char *)(uintptr_t)bet.birthdate.data;
        items[i].number = bet.number;
        pointers[i] = &items[i];
    }
    message.agency_id = agency->id;
    message.draw = sim_world.terms.id;
    message.offset = offset;
    message.n_bets = count;
    message.bets = pointers;
    struct sim_sent sent = {.offset = offset, .count = count};
    uint8_t checksum[BETS_CHECKSUM_SIZE];
    message.checksum = sim_content_say(agency, offset, checksum, &sent);
    SIM_TRACE("agency %u sends %u bets from %u", agency->id, count, (unsigned)offset);
    if (count > 0 && offset + count <= agency->bets && offset + count > agency->base)
        agency->ends[offset + count - agency->base] = true;
    send_message(agency, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &message.base, sent);
}

static void send_finished(struct sim_agency *agency, uint64_t total)
{
    Lottery__V1__Finished message;
    lottery__v1__finished__init(&message);

    message.agency_id = agency->id;
    message.draw = sim_world.terms.id;
    message.total = total;
    struct sim_sent sent = {.is_finished = true, .total = total};
    uint8_t checksum[BETS_CHECKSUM_SIZE];
    message.checksum = sim_content_say(agency, total, checksum, &sent);
    SIM_TRACE("agency %u sends Finished %u", agency->id, (unsigned)total);
    send_message(agency, LOTTERY__V1__OPCODE__OPCODE_FINISHED, &message.base, sent);
}

static uint32_t batch_size(const struct sim_agency *agency, uint64_t offset)
{
    uint32_t left = agency->bets - (uint32_t)offset;
    uint32_t count = sim_between(&sim_world.prng, 1, agency->batch_max);

    return count < left ? count : left;
}

/* Is it recorded that it has finished? Then it may try to send one bet more. */
static bool can_send_too_much(const struct sim_agency *agency)
{
    const struct draw *draw = &sim_ledger.draw;

    return sim_ledger.core != NULL && sim_ledger.process.depth == 0 &&
           agency->id <= draw->agencies && draw->agency[agency->id].has_finished &&
           agency->bets - agency->base < SIM_BETS_MAX;
}

/* Sends what it may send anyway: an older batch again, bets beyond a gap, a wrong total. */
static void send_something_odd(struct sim_agency *agency)
{
    struct prng *prng = &sim_world.prng;
    uint64_t offset = prng_below(prng, agency->bets + 1);

    if (can_send_too_much(agency)) {
        send_bets(agency, agency->bets, 1);
        return;
    }
    if (offset < agency->next)
        send_bets(agency, offset, batch_size(agency, offset));
    else if (agency->bets > agency->next + 1 && !agency->has_sent_finished)
        send_bets(agency, agency->bets - 1, 1);
    else
        send_finished(agency, agency->bets + 1 + prng_below(prng, 3));
}

/* Does a Finished wait for its winners? Acks of what is sent after it would come first. */
static bool has_finished_in_flight(const struct sim_agency *agency)
{
    unsigned last = agency->sent_first + agency->sent_count + SIM_FLIGHT_MAX - 1;

    return agency->sent_count > 0 && agency->sent[last % SIM_FLIGHT_MAX].is_finished;
}

static bool send_next(struct sim_agency *agency)
{
    struct prng *prng = &sim_world.prng;
    uint32_t count;

    if (agency->sent_count >= agency->window || has_finished_in_flight(agency))
        return false;
    if (!agency->knows) {
        agency->knows = true;
        agency->next = agency->acked;
        if (agency->acked == 0 || sim_chance(prng, 800)) {
            agency->next = UINT64_MAX; /* until it is told */
            send_bets(agency, 0, 0);
        }
        return true;
    }
    if (agency->next == UINT64_MAX)
        return false;
    if (sim_chance(prng, can_send_too_much(agency) ? 5 * sim_world.odd : sim_world.odd)) {
        send_something_odd(agency);
    } else if (agency->next < agency->bets) {
        count = batch_size(agency, agency->next);
        send_bets(agency, agency->next, count);
        agency->next += count;
    } else if (!agency->has_sent_finished && (agency->is_hasty || agency->acked == agency->bets)) {
        agency->has_sent_finished = true;
        send_finished(agency, agency->bets);
    } else {
        return false;
    }
    return true;
}

/* ------------------------------------------------------------------ what it is answered */

static struct sim_sent take_sent(struct sim_agency *agency)
{
    struct sim_sent sent = agency->sent[agency->sent_first];

    if (agency->sent_count == 0)
        sim_fail("agency %u got an answer that it did not wait for", agency->id);
    agency->sent_first = (agency->sent_first + 1) % SIM_FLIGHT_MAX;
    agency->sent_count--;
    return sent;
}

static void ask_again(struct sim_agency *agency)
{
    agency->knows = false;
    agency->has_sent_finished = false;
}

/* The bets up to `count` are promised. */
static void note_acked(struct sim_agency *agency, uint64_t count)
{
    if (count > agency->bets || !sim_agency_may_end(agency, count))
        sim_fail("agency %u: %u bets count, which no batch ends with", agency->id, (unsigned)count);
    if (count > agency->acked)
        agency->acked = count;
}

static void take_ack_ok(struct sim_agency *agency, const struct sim_sent *sent, uint64_t received)
{
    if (sent->is_finished)
        sim_fail("agency %u got Ack{OK} for Finished", agency->id);
    if (received < sent->offset + sent->count)
        sim_fail("agency %u: Ack{OK} for bets up to %u says that %u count", agency->id,
                 (unsigned)(sent->offset + sent->count), (unsigned)received);
    note_acked(agency, received);
    if (sent->count == 0 && agency->next == UINT64_MAX)
        agency->next = received;
}

/* The draw was closed before this agency had finished: only the first `received` bets count. */
static void be_cut(struct sim_agency *agency, uint64_t received)
{
    if (!sim_check_is_closed_early() || received >= agency->bets)
        return;
    SIM_TRACE("agency %u is cut off after %u of %u bets", agency->id, (unsigned)received,
              agency->bets);
    note_acked(agency, received);
    agency->bets = (uint32_t)received;
    sim_counts.cut++;
}

static void take_refusal(struct sim_agency *agency, const struct sim_sent *sent,
                         Lottery__V1__AckCode code)
{
    bool is_question = sent->count == 0 && !sent->is_finished;
    bool is_allowed = false;

    if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_OFFSET_GAP)
        is_allowed = sent->offset > sent->acked;
    else if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE)
        is_allowed = sent->total != agency->bets || sent->acked != agency->bets;
    else if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY)
        is_allowed = !sent->is_known;
    else if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_STORAGE_ERROR)
        is_allowed = true;
    else if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_CONTENT_MISMATCH)
        is_allowed = sent->is_content_wrong;
    else if (code == LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED)
        is_allowed = sent->offset + sent->count > agency->bets;
    if (!is_allowed)
        sim_fail("agency %u is answered with code %d", agency->id, (int)code);
    if (agency->next != UINT64_MAX || is_question)
        ask_again(agency);
}

static void take_ack(struct sim_agency *agency, const uint8_t *body, size_t size)
{
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, size, body);
    struct sim_sent sent = take_sent(agency);

    if (ack == NULL)
        sim_fail("agency %u got an Ack that cannot be read", agency->id);
    SIM_TRACE("agency %u is answered %d: %u count", agency->id, (int)ack->code,
              (unsigned)ack->received);
    if (ack->code != LOTTERY__V1__ACK_CODE__ACK_CODE_UNKNOWN_AGENCY && ack->received < sent.acked)
        sim_fail("agency %u had %u bets acked, and is told that %u count", agency->id,
                 (unsigned)sent.acked, (unsigned)ack->received);
    sim_content_check(agency, &sent, ack);
    if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_DRAW_CLOSED ||
        ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_INCOMPLETE)
        be_cut(agency, ack->received);
    if (ack->code == LOTTERY__V1__ACK_CODE__ACK_CODE_OK)
        take_ack_ok(agency, &sent, ack->received);
    else
        take_refusal(agency, &sent, ack->code);
    lottery__v1__ack__free_unpacked(ack, NULL);
}

/* The index of the winning bet after those that have come; the number of bets if there is none. */
static uint32_t next_winner(struct sim_agency *agency)
{
    while (agency->looked < agency->bets) {
        if (sim_bet_wins(agency->id, agency->looked++))
            return agency->looked - 1;
    }
    return agency->bets;
}

static void take_winners(struct sim_agency *agency, const uint8_t *body, size_t size)
{
    Lottery__V1__Winners *message = lottery__v1__winners__unpack(NULL, size, body);
    struct sim_bet_texts texts;
    struct sim_sent sent;

    if (message == NULL || message->agency_id != agency->id)
        sim_fail("agency %u got winners that are not its own", agency->id);
    if (message->drawn != NULL && message->drawn->number != sim_world.drawn_number)
        sim_fail("agency %u is told the number %u", agency->id, message->drawn->number);
    if (message->drawn == NULL && agency->looked == 0 && sim_world.terms.mode == DRAW_MANUAL)
        sim_fail("agency %u is not told the number", agency->id);
    for (size_t i = 0; i < message->n_documents; i++) {
        uint32_t bet = next_winner(agency);
        agency->winners++;
        (void)sim_bet_document(agency->id, bet, &texts);
        if (bet == agency->bets || strcmp(message->documents[i], texts.document) != 0)
            sim_fail("agency %u: its winner %u is not %s", agency->id, agency->winners,
                     message->documents[i]);
    }
    if (!message->more) {
        sent = take_sent(agency);
        SIM_TRACE("agency %u got its %u winners", agency->id, agency->winners);
        if (!sent.is_finished || sent.total != agency->bets)
            sim_fail("agency %u got winners for something else", agency->id);
        if (next_winner(agency) != agency->bets)
            sim_fail("agency %u got only %u winners", agency->id, agency->winners);
        note_acked(agency, agency->bets);
        agency->winners = agency->looked = 0;
        agency->is_finished = agency->is_done = true;
        sim_world.draw_is_held = true;
    }
    lottery__v1__winners__free_unpacked(message, NULL);
}

static bool take_answer(struct sim_agency *agency)
{
    size_t size;
    const uint8_t *frame = sim_queue_pop(&agency->conn->to_agency, &size);

    if (frame == NULL)
        return false;
    if (frame[0] == LOTTERY__V1__OPCODE__OPCODE_ACK)
        take_ack(agency, frame + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE);
    else
        take_winners(agency, frame + FRAME_HEADER_SIZE, size - FRAME_HEADER_SIZE);
    return true;
}

/* ------------------------------------------------------------------ its connection */

static bool connect_to_somebody(struct sim_agency *agency)
{
    struct sim_worker *worker = &sim_workers[prng_below(&sim_world.prng, sim_world.workers)];

    if (!worker->process.is_alive || (agency->is_done && !sim_chance(&sim_world.prng, 20)))
        return false;
    agency->conn = sim_conn_open(agency, worker);
    agency->sent_first = agency->sent_count = 0;
    agency->winners = agency->looked = 0;
    ask_again(agency);
    return true;
}

void sim_agency_hang_up(struct sim_agency *agency)
{
    if (agency->conn != NULL)
        sim_conn_hang_up(agency->conn);
}

bool sim_agency_step(struct sim_agency *agency)
{
    if (agency->conn == NULL)
        return connect_to_somebody(agency);
    if (sim_chance(&sim_world.prng, 500) && send_next(agency))
        return true;
    if (take_answer(agency) || send_next(agency))
        return true;
    if (agency->conn->worker == NULL || agency->is_done) {
        sim_agency_hang_up(agency);
        return true;
    }
    return false;
}
