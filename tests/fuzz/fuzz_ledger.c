/* Peers send the ledger's core any messages, commits fail, peers come and go: it never reads beyond
 * a region, each message that it takes has one outcome, in order, and what the store has is what
 * the rules make of its records.
 *
 * An input is a number of steps: a byte that says what happens around a message, then the 64 bytes
 * of the message, which go to a peer as they are, or with the fields within their bounds. */
#include "draw.h"
#include "fake_store.h"
#include "fuzz.h"
#include "ledger_core.h"
#include "log.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PEERS 3
#define REGION 256
#define GROUP 16
#define AGENCIES 2
#define NUMBER 7574

/* The bits of the byte before a message. */
#define PEER 3u       /* which peer; the last value counts as 0 */
#define RAW 4u        /* the message is not brought within its bounds */
#define COMMIT 8u     /* a commit after the message */
#define FAILS 16u     /* the next group or record, or the next files, cannot be written */
#define HANG_UP 32u   /* the peer closes after the message, and a new one comes */
#define NO_REGION 64u /* and that one has no region */
#define TELLS 128u    /* the supervisor answers, and nothing happens for a while */

struct fuzz_peer {
    struct ledger_peer *peer;
    char *region; /* of the exact size, on the heap; NULL: none */
    uint32_t due; /* outcomes */
};

static struct fake_store store;
static struct draw draw;
static struct ledger_core *core;
static struct fuzz_peer *peers[PEERS];
static unsigned salts;

static void on_send(void *owner, void *context, const struct message *message, const int *fds,
                    size_t count)
{
    struct fuzz_peer *peer = context;

    (void)owner;
    FUZZ_CHECK(message_is_answer(message));
    for (size_t i = 0; i < count; i++)
        FUZZ_CHECK(close(fds[i]) == 0);
    if (message->kind == MESSAGE_OUTCOME)
        FUZZ_CHECK(peer->due-- > 0);
}

static void on_release(void *owner, void *context)
{
    struct fuzz_peer *peer = context;

    (void)owner;
    free(peer->region);
    free(peer);
}

static void on_tell(void *owner, const struct ledger_tells *tells)
{
    (void)owner;
    FUZZ_CHECK(tells->kind == LEDGER_TELLS_READY || tells->phase == DRAW_DRAWN);
}

static void on_fail(void *owner, int exit_status, const struct errbuf *err)
{
    (void)owner;
    (void)exit_status;
    (void)err;
    FUZZ_CHECK(false); /* no fault here is fatal */
}

static void on_fill_random(void *owner, void *bytes, size_t size)
{
    (void)owner;
    memset(bytes, (int)++salts, size);
}

static uint64_t on_now_s(void *owner)
{
    (void)owner;
    return 1234567890;
}

static int on_make_file(void *owner, const void *bytes, size_t size)
{
    (void)owner;
    FUZZ_CHECK(bytes != NULL && size > 0);
    return memfd_create("snapshot", MFD_CLOEXEC);
}

static const struct ledger_core_events events = {
    .send = on_send,
    .release = on_release,
    .tell = on_tell,
    .fail = on_fail,
    .fill_random = on_fill_random,
    .now_s = on_now_s,
    .make_file = on_make_file,
};

static void come(unsigned i, bool has_region)
{
    struct fuzz_peer *peer = calloc(1, sizeof(*peer));

    FUZZ_CHECK(peer != NULL);
    if (has_region) {
        peer->region = malloc(REGION);
        FUZZ_CHECK(peer->region != NULL);
        for (size_t j = 0; j < REGION; j++)
            peer->region[j] = j % 5 == 4 ? '\n' : 'a';
    }
    peers[i] = peer;
    peer->peer = ledger_core_open(core, peer, peer->region, has_region ? REGION : 0);
    FUZZ_CHECK(peer->peer != NULL);
}

static void leave(unsigned i, bool has_region)
{
    ledger_core_close(core, peers[i]->peer);
    come(i, has_region);
}

/* Makes a message that breaks no bounds, so that more of them get further. */
static void tame(struct message *message)
{
    message->kind = MESSAGE_APPEND + message->kind % (MESSAGE_PIECE - MESSAGE_APPEND + 1);
    switch (message->kind) {
    case MESSAGE_APPEND:
        message->append.agency %= AGENCIES + 2;
        message->append.count = 1 + message->append.count % 8;
        message->append.offset %= 16;
        message->append.at %= REGION / 2;
        message->append.claimed.is_given %= 2;
        message->append.size = message->append.count + message->append.size % 64;
        break;
    case MESSAGE_ASK:
        message->ask.agency %= AGENCIES + 2;
        message->ask.offset %= 16;
        message->ask.claimed.is_given %= 2;
        break;
    case MESSAGE_FINISH:
        message->finish.agency %= AGENCIES + 2;
        message->finish.total %= 32;
        message->finish.claimed.is_given %= 2;
        break;
    case MESSAGE_CLOSE_DRAW:
        message->close.by %= DRAW_BY_OPERATOR + 1;
        message->close.is_again %= 2;
        break;
    case MESSAGE_OPEN_FILES:
    case MESSAGE_FILES_LOST:
        message->files.kind %= STORE_FILES;
        message->files.count = 2 + message->files.count % 4;
        break;
    case MESSAGE_SEAL:
        message->seal.root[0] %= 2;
        memset(message->seal.root + 1, 0, sizeof(message->seal.root) - 1);
        message->seal.is_new %= 2;
        break;
    case MESSAGE_RESULT:
        message->is_new %= 2;
        break;
    case MESSAGE_ACT:
        message->act.is_again %= 2;
        message->act.is_minor %= 2;
        break;
    case MESSAGE_PIECE:
        message->piece.size = (uint8_t)(1 + message->piece.size % 40);
        memset(message->piece.bytes, 'x', sizeof(message->piece.bytes));
        break;
    case MESSAGE_DRAW:
        message->draw = (struct message_draw){.winners = message->draw.winners % 2,
                                              .winner_number = NUMBER,
                                              .is_new = message->draw.is_new % 2};
        break;
    default:
        break;
    }
}

static void fail_next(unsigned which)
{
    const struct fake_fault fault = {STATUS_NOSPACE, 0};

    if (which == MESSAGE_SNAPSHOT) {
        store.snapshot = fault;
        return;
    }
    switch (which % 4) {
    case 0:
        store.append = (struct fake_fault){STATUS_NOMEM, 0};
        break;
    case 1:
        store.open = fault;
        break;
    case 2:
        store.publish = fault;
        break;
    default:
        store.commit = fault;
        break;
    }
}

static void commit(void)
{
    ledger_core_commit(core);
    FUZZ_CHECK(!ledger_core_has_work(core));
    for (unsigned i = 0; i < PEERS; i++)
        FUZZ_CHECK(peers[i]->due == 0);
}

static void take_step(uint8_t step, struct message *message)
{
    unsigned i = (step & PEER) % PEERS;

    if ((step & RAW) == 0)
        tame(message);
    if ((step & FAILS) != 0)
        fail_next(message->kind);
    bool is_answered = message->kind != MESSAGE_PIECE;
    peers[i]->due += is_answered;
    if (!ledger_core_message(core, peers[i]->peer, message)) {
        FUZZ_CHECK((step & RAW) != 0 || message->kind == MESSAGE_APPEND || !is_answered);
        peers[i]->due -= is_answered;
        leave(i, true);
    }
    if ((step & HANG_UP) != 0)
        leave(i, (step & NO_REGION) == 0);
    if ((step & COMMIT) != 0)
        commit();
    if ((step & TELLS) != 0) {
        ledger_core_acknowledged(core);
        ledger_core_idle(core);
    }
}

/* Recovery makes the same state of the records. */
static void check_store(void)
{
    struct draw again;

    FUZZ_CHECK(store.count == store.committed && store.used == store.used_committed);
    draw_init(&again);
    (void)fake_store_open(&store, &again);
    FUZZ_CHECK(again.phase == draw.phase && again.bets == draw.bets &&
               again.finished == draw.finished);
    FUZZ_CHECK(again.is_sealed == draw.is_sealed && again.acts_count == draw.acts_count);
    FUZZ_CHECK(memcmp(&again.sealed, &draw.sealed, sizeof(again.sealed)) == 0);
    FUZZ_CHECK(draw.phase < DRAW_DRAWN || draw.is_sealed == draw.terms.has_seal);
    FUZZ_CHECK(again.drawn.winner_number == draw.drawn.winner_number &&
               again.drawn.source.size == draw.drawn.source.size);
    FUZZ_CHECK(memcmp(&again.closed, &draw.closed, sizeof(again.closed)) == 0);
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        FUZZ_CHECK(draw_received(&again, agency) == draw_received(&draw, agency));
    draw_fini(&again);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_silence_log();
    fuzz_fix_clock();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct message message;
    struct errbuf err;
    struct draw_terms terms = {.mode = DRAW_AUTO};

    /* The first byte says what kind of draw it is. */
    if (size > 0 && (data[0] & 1) != 0)
        terms = (struct draw_terms){.mode = DRAW_MANUAL, .id = "fuzz"};
    terms.has_seal = size > 0 && (data[0] & 2) != 0;
    memset(&store, 0, offsetof(struct fake_store, records));
    draw_init(&draw);
    FUZZ_CHECK(
        ledger_core_create(&(struct ledger_core_config){.store = fake_store_open(&store, &draw),
                                                        .draw = &draw,
                                                        .agencies = AGENCIES,
                                                        .winner_number = NUMBER,
                                                        .terms = terms,
                                                        .group_operations = GROUP,
                                                        .events = &events},
                           &core, &err) == STATUS_OK);
    for (unsigned i = 0; i < PEERS; i++)
        come(i, true);
    for (; size > sizeof(message); size -= 1 + sizeof(message), data += 1 + sizeof(message)) {
        memcpy(&message, data + 1, sizeof(message));
        take_step(data[0], &message);
    }
    store.commit.status = STATUS_OK;
    commit();
    check_store();
    ledger_core_destroy(core);
    draw_fini(&draw);
    return 0;
}
