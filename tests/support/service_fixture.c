#include "service_fixture.h"

#include "bet_line.h"
#include "crc32c.h"
#include "dispatch.h"
#include "draw_seal.h"
#include "fake_clock.h"
#include "log.h"
#include "note_file.h"
#include "seal_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void on_send(void *owner, const uint8_t *frame, size_t size)
{
    struct side *side = owner;

    assert_true(side->count < SERVICE_SENT_MAX && size <= FRAME_MAX_SIZE);
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, frame, size);
    side->sizes[side->count] = size;
    side->sent[side->count++] = copy;
}

static size_t on_backlog(void *owner)
{
    return ((struct side *)owner)->backlog;
}

static void on_progress(void *owner)
{
    (void)owner;
}

static void on_finish(void *owner)
{
    ((struct side *)owner)->finishes++;
}

static const struct session_events session_events = {on_send, on_backlog, on_progress, on_finish};

static enum status on_load(void *owner, const char *id, struct past_draw *out, struct errbuf *err)
{
    struct service_fixture *f = owner;

    f->loads++;
    (void)snprintf(f->loaded, sizeof(f->loaded), "%s", id);
    assert_string_equal(out->id, id);
    if (f->load_status != STATUS_OK) {
        errbuf_set(err, "broken on purpose");
        return f->load_status;
    }
    enum status status = memory_ledger_load(&f->past, out);
    if (status != STATUS_OK || !out->draw.is_sealed)
        return status;
    const struct draw_seal_facts facts = {out->draw.terms.id, out->draw.agencies,
                                          out->draw.sealed.root};
    memory_seal_use(&f->past_seal);
    status = draw_seal_open(&memory_seal_ops, -1, &facts, &out->files.seal, err);
    if (status == STATUS_OK)
        status = note_file_read(&memory_seal_ops, -1, RESULT_NAME, &out->files.result, err);
    memory_seal_use(&f->seal);
    return status;
}

void service_fixture_end_ops(struct service_fixture *f)
{
    while (memory_ledger_decide(&f->ledger) != NULL)
        memory_ledger_end(&f->ledger, false);
}

/* Hands the message to the session. Returns what dispatch_message() returned. */
static bool send_message(struct side *side, Lottery__V1__Opcode opcode,
                         const ProtobufCMessage *message)
{
    uint8_t body[FRAME_BODY_MAX];

    assert_true(protobuf_c_message_get_packed_size(message) <= sizeof(body));
    size_t size = protobuf_c_message_pack(message, body);
    return dispatch_message(&side->session, (uint8_t)opcode, body, size);
}

/* The bets of these tests: every third one has the number. */
static const struct bet *service_fixture_bet(uint32_t agency, uint64_t index)
{
    static char document[BET_DOCUMENT_MAX + 1];
    static struct bet bet;

    (void)snprintf(document, sizeof(document), "%ud%u", agency, (unsigned)index);
    bet = (struct bet){text_of("Ana"), text_of("Paz"), text_of(document), text_of("1999-03-17"),
                       index % 3 == 0 ? SERVICE_NUMBER : 1};
    return &bet;
}

uint32_t service_fixture_checksum(uint32_t agency, uint64_t count)
{
    char line[BET_LINE_MAX];
    uint32_t crc = 0;

    for (uint64_t i = 0; i < count; i++)
        crc = crc32c(crc, line, bet_lines_format(agency, service_fixture_bet(agency, i), 1, line));
    return crc;
}

bool side_send_bets(struct side *side, const char *draw, uint32_t agency, uint64_t offset,
                    size_t count, struct side_content content)
{
    Lottery__V1__NewBets message;
    Lottery__V1__Bet bets[8];
    Lottery__V1__Bet *pointers[8];
    char documents[8][BET_DOCUMENT_MAX + 1];
    uint8_t checksum[BETS_CHECKSUM_SIZE];

    assert_true(count <= COUNT(bets));
    lottery__v1__new_bets__init(&message);
    for (size_t i = 0; i < count; i++) {
        const struct bet *bet = service_fixture_bet(agency, offset + i);
        lottery__v1__bet__init(&bets[i]);
        (void)snprintf(documents[i], sizeof(documents[i]), "%s", bet->document.data);
        bets[i].first_name = (char *)(uintptr_t) "Ana";
        bets[i].last_name = (char *)(uintptr_t) "Paz";
        bets[i].document = documents[i];
        bets[i].birthdate = (char *)(uintptr_t) "1999-03-17";
        bets[i].number = bet->number;
        pointers[i] = &bets[i];
    }
    message.agency_id = agency;
    message.offset = offset;
    message.n_bets = count;
    message.bets = pointers;
    message.draw = (char *)(uintptr_t)draw;
    if (content.is_given) {
        little_put32(checksum, content.crc);
        message.checksum = (ProtobufCBinaryData){sizeof(checksum), checksum};
    }
    return send_message(side, LOTTERY__V1__OPCODE__OPCODE_NEW_BETS, &message.base);
}

bool side_ask(struct side *side, const char *draw, uint32_t agency)
{
    return side_send_bets(side, draw, agency, 0, 0, (struct side_content){0, false});
}

bool side_bet(struct side *side, const char *draw, uint32_t agency, uint64_t offset, size_t count)
{
    return side_send_bets(side, draw, agency, offset, count, (struct side_content){0, false});
}

static bool send_finished(struct side *side, const char *draw, uint32_t agency, uint64_t total,
                          bool wants_seal)
{
    Lottery__V1__Finished message;

    lottery__v1__finished__init(&message);
    message.agency_id = agency;
    message.total = total;
    message.draw = (char *)(uintptr_t)draw;
    message.want_seal = wants_seal;
    return send_message(side, LOTTERY__V1__OPCODE__OPCODE_FINISHED, &message.base);
}

bool side_finish(struct side *side, const char *draw, uint32_t agency, uint64_t total)
{
    return send_finished(side, draw, agency, total, false);
}

bool side_finish_sealed(struct side *side, const char *draw, uint32_t agency, uint64_t total)
{
    return send_finished(side, draw, agency, total, true);
}

struct frame side_next(struct side *side, Lottery__V1__Opcode opcode)
{
    struct frame frame;

    assert_true(side->seen < side->count);
    assert_int_equal(frame_decode(side->sent[side->seen], side->sizes[side->seen], &frame),
                     FRAME_OK);
    side->seen++;
    assert_int_equal(frame.opcode, opcode);
    return frame;
}

void side_assert_ack(struct side *side, Lottery__V1__AckCode code, uint64_t received,
                     const char *draw, const char *detail)
{
    struct frame frame = side_next(side, LOTTERY__V1__OPCODE__OPCODE_ACK);
    Lottery__V1__Ack *ack = lottery__v1__ack__unpack(NULL, frame.body_size, frame.body);

    assert_non_null(ack);
    if (strstr(ack->detail, detail) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", detail, ack->detail);
    assert_int_equal(ack->code, code);
    assert_int_equal(ack->received, received);
    assert_string_equal(ack->draw, draw);
    lottery__v1__ack__free_unpacked(ack, NULL);
}

Lottery__V1__Winners *side_take_winners(struct side *side, uint32_t agency, size_t count)
{
    struct frame frame = side_next(side, LOTTERY__V1__OPCODE__OPCODE_WINNERS);
    Lottery__V1__Winners *winners = lottery__v1__winners__unpack(NULL, frame.body_size, frame.body);

    assert_non_null(winners);
    assert_int_equal(winners->agency_id, agency);
    assert_int_equal(winners->n_documents, count);
    assert_false(winners->more);
    if (count > 0)
        assert_string_equal(winners->documents[0], service_fixture_bet(agency, 0)->document.data);
    return winners;
}

void side_assert_winners(struct side *side, uint32_t agency, size_t count)
{
    Lottery__V1__Winners *winners = side_take_winners(side, agency, count);

    assert_null(winners->drawn);
    lottery__v1__winners__free_unpacked(winners, NULL);
}

void side_assert_silent(const struct side *side)
{
    assert_int_equal(side->seen, side->count);
}

void side_reconnect(struct service_fixture *f, struct side *side)
{
    session_fini(&side->session);
    session_init(&side->session, f->service, &session_events, side);
    side->finishes = 0;
}

static void service_fixture_start(struct service_fixture *f)
{
    const struct service_config config = {.ledger = &f->ledger.ledger,
                                          .ops = &memory_seal_ops,
                                          .dir_fd = -1,
                                          .owner = f,
                                          .load_past = on_load};

    assert_int_equal(service_create(&config, &f->service), STATUS_OK);
    for (size_t i = 0; i < SERVICE_SIDES; i++)
        session_init(&f->sides[i].session, f->service, &session_events, &f->sides[i]);
}

static void service_fixture_stop(struct service_fixture *f)
{
    for (size_t i = 0; i < SERVICE_SIDES; i++) {
        struct side *side = &f->sides[i];
        session_fini(&side->session);
        while (side->count > 0)
            free(side->sent[--side->count]);
        side->seen = 0;
    }
    service_fixture_end_ops(f);
    assert_int_equal(service_outstanding(f->service), 0);
    service_destroy(f->service);
}

void service_fixture_open(struct service_fixture *f, const struct draw_terms *terms)
{
    service_fixture_stop(f);
    memory_ledger_fini(&f->ledger);
    memory_ledger_init_run(&f->ledger, terms, terms->mode == DRAW_AUTO ? SERVICE_NUMBER : 0);
    service_fixture_start(f);
}

void service_fixture_open_draw(struct service_fixture *f, const char *id, enum draw_mode mode)
{
    struct draw_terms terms = {.mode = mode};

    (void)snprintf(terms.id, sizeof(terms.id), "%s", id);
    service_fixture_open(f, &terms);
}

void service_fixture_seal(struct service_fixture *f)
{
    memory_seal_fini(&f->seal);
    memory_seal_init(&f->seal, f->ledger.draw.terms.id, MEMORY_AGENCIES, 4, SERVICE_NUMBER,
                     "the drum");
    memory_seal_use(&f->seal);
    memory_ledger_seal(&f->ledger, f->seal.root);
}

void service_fixture_tell(struct service_fixture *f)
{
    struct errbuf err;

    assert_int_equal(service_send_seals(f->service, &err), STATUS_OK);
    assert_int_equal(service_read_result(f->service, &err), STATUS_OK);
    assert_int_equal(service_send_winners(f->service, &err), STATUS_OK);
}

void service_fixture_make_past(struct service_fixture *f, const struct draw_terms *terms)
{
    service_fixture_open(f, terms);
    assert_true(side_bet(&f->sides[0], terms->id, 1, 0, 4));
    assert_true(side_finish(&f->sides[0], terms->id, 1, 4));
    assert_true(side_finish(&f->sides[1], terms->id, 2, 0));
    service_fixture_end_ops(f);
    memory_ledger_draw(&f->ledger);
    if (terms->has_seal) {
        service_fixture_seal(f);
        memory_seal_fini(&f->past_seal);
        f->past_seal = f->seal;
        f->seal = (struct memory_seal){.root = {0}};
    }
    memory_ledger_draw(&f->ledger);
    memory_ledger_give_number(&f->ledger, SERVICE_NUMBER, "the drum");
    service_fixture_stop(f);
    memory_ledger_fini(&f->past);
    f->past = f->ledger;
    list_init(&f->past.ops);
    memory_ledger_init(&f->ledger, SERVICE_NUMBER);
    service_fixture_start(f);
}

int service_fixture_begin(void **state)
{
    struct service_fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    fake_clock_begin(0);
    log_set_level(LOG_CRITICAL);
    memory_ledger_init(&f->past, SERVICE_NUMBER);
    memory_ledger_init(&f->ledger, SERVICE_NUMBER);
    service_fixture_start(f);
    *state = f;
    return 0;
}

int service_fixture_end(void **state)
{
    struct service_fixture *f = *state;

    service_fixture_stop(f);
    memory_ledger_fini(&f->ledger);
    memory_ledger_fini(&f->past);
    memory_seal_fini(&f->seal);
    memory_seal_fini(&f->past_seal);
    memory_seal_use(NULL);
    free(f);
    log_set_level(LOG_INFO);
    fake_clock_end();
    return 0;
}
