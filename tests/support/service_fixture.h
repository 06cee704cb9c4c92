/* service_fixture.h - a service with three connections, and a ledger in memory that decides by the
 * rules and ends operations when the test says so; and another such ledger, in which the draw was
 * held that is loaded as one that is over.
 *
 * Every third bet of an agency, from its first one on, has the number of these tests.
 */
#ifndef LOTTERY_SERVICE_FIXTURE_H
#define LOTTERY_SERVICE_FIXTURE_H

#include "cmocka_all.h"
#include "frame.h"
#include "lottery.pb-c.h"
#include "memory_ledger.h"
#include "memory_seal.h"
#include "service.h"
#include "session.h"

#define SERVICE_SIDES 3
#define SERVICE_SENT_MAX 64
#define SERVICE_NUMBER 7574

/* One connection. */
struct side {
    struct session session;
    uint8_t *sent[SERVICE_SENT_MAX]; /* owned; whole frames */
    size_t sizes[SERVICE_SENT_MAX];
    size_t count;
    size_t seen; /* that the case has looked at */
    size_t backlog;
    unsigned finishes;
};

struct service_fixture {
    struct memory_ledger ledger;
    struct memory_ledger past;    /* the draw that is loaded, whatever its id is */
    struct memory_seal seal;      /* the files of the draw that is sealed */
    struct memory_seal past_seal; /* those of the one that is over */
    struct service *service;
    struct side sides[SERVICE_SIDES];
    char loaded[DRAW_ID_MAX + 1]; /* the id that was loaded last */
    unsigned loads;
    enum status load_status; /* of loading */
};

/* A test's setup and teardown: a draw that nobody runs. */
int service_fixture_begin(void **state);
int service_fixture_end(void **state);

/* Begins with a draw of these terms, in place of the one before. */
void service_fixture_open(struct service_fixture *f, const struct draw_terms *terms);

/* The same, with a draw that is not sealed. */
void service_fixture_open_draw(struct service_fixture *f, const char *id, enum draw_mode mode);

/* Holds a draw with these terms, and makes it the one that is over: four bets of agency 1, two of
 * which won, and none of agency 2. Then there is a new one that nobody runs. */
void service_fixture_make_past(struct service_fixture *f, const struct draw_terms *terms);

/* A closed draw is sealed: there are files, whose number will be SERVICE_NUMBER. */
void service_fixture_seal(struct service_fixture *f);

/* Ends what is at the ledger. */
void service_fixture_end_ops(struct service_fixture *f);

/* The service does what there is to do after news. */
void service_fixture_tell(struct service_fixture *f);

/* The checksum of an agency's first bets. */
uint32_t service_fixture_checksum(uint32_t agency, uint64_t count);

/* What an agency says of its bets. */
struct side_content {
    uint32_t crc;
    bool is_given;
};

/* Hand a message to the session: a batch of the agency's bets, a question, a Finished. Return what
 * dispatch_message() returned. */
bool side_send_bets(struct side *side, const char *draw, uint32_t agency, uint64_t offset,
                    size_t count, struct side_content content);
bool side_bet(struct side *side, const char *draw, uint32_t agency, uint64_t offset, size_t count);
bool side_ask(struct side *side, const char *draw, uint32_t agency);
bool side_finish(struct side *side, const char *draw, uint32_t agency, uint64_t total);

/* A Finished that asks for a Seal. */
bool side_finish_sealed(struct side *side, const char *draw, uint32_t agency, uint64_t total);

/* The connection is replaced by another one. */
void side_reconnect(struct service_fixture *f, struct side *side);

/* The next answer, which has to have this opcode. */
struct frame side_next(struct side *side, Lottery__V1__Opcode opcode);

/* The next answer is this Ack, about this draw, with this text in its detail. */
void side_assert_ack(struct side *side, Lottery__V1__AckCode code, uint64_t received,
                     const char *draw, const char *detail);

/* The next answer is the agency's list of `count` winners. The caller frees it. */
Lottery__V1__Winners *side_take_winners(struct side *side, uint32_t agency, size_t count);

/* The same, and it tells no number. */
void side_assert_winners(struct side *side, uint32_t agency, size_t count);

/* There are no more answers. */
void side_assert_silent(const struct side *side);

#endif
