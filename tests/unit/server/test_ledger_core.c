/* The ledger's decisions, without sockets: a store in memory that can fail, peers that remember
 * what they were sent. */
#include "capture.h"
#include "fake_store.h"
#include "ledger_core.h"
#include "log.h"
#include "prng.h"

#include "cmocka_all.h"
#include "crc32c.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define AGENCIES 3
#define LINE_MAX_SIZE 24
#define NUMBER 7574
#define PEERS 3
#define REGION 4096
#define GROUP 64
#define NOW_S 1234567890
#define SENT_MAX 1024

struct test_peer {
    struct ledger_peer *peer; /* NULL: closed */
    char region[REGION];
    struct message got[SENT_MAX]; /* what it was sent */
    size_t count;
    size_t looked_at; /* of these, in next_outcome() */
    size_t fds;       /* descriptors that it was sent */
    char text[64];    /* what was in the last one, if it is a snapshot */
    unsigned released;
};

struct fixture {
    struct fake_store *store;
    struct draw draw;
    struct ledger_core *core;
    struct test_peer peers[PEERS];
    struct ledger_tells tells[8];
    size_t tells_count;
    int exit_status; /* of fail; 0: not called */
    unsigned salts;
    uint64_t now_s;
    struct draw_terms terms; /* of the next start */
    struct scoreboard *scoreboard;
};

static void on_send(void *owner, void *context, const struct message *message, const int *fds,
                    size_t count)
{
    struct test_peer *peer = context;

    (void)owner;
    assert_non_null(peer->peer);
    assert_true(peer->count < SENT_MAX);
    peer->got[peer->count++] = *message;
    memset(peer->text, 0, sizeof(peer->text));
    if (count == 1)
        assert_true(pread(fds[0], peer->text, sizeof(peer->text) - 1, 0) >= 0);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(close(fds[i]), 0);
    peer->fds += count;
}

static void on_release(void *owner, void *context)
{
    struct test_peer *peer = context;

    (void)owner;
    peer->released++;
    memset(peer->region, 0, REGION); /* as if it was unmapped */
}

static void on_tell(void *owner, const struct ledger_tells *tells)
{
    struct fixture *f = owner;

    assert_true(f->tells_count < 8);
    f->tells[f->tells_count++] = *tells;
}

static void on_fail(void *owner, int exit_status, const struct errbuf *err)
{
    struct fixture *f = owner;

    assert_int_equal(f->exit_status, 0);
    assert_true(err->text[0] != '\0');
    f->exit_status = exit_status;
}

static void on_fill_random(void *owner, void *bytes, size_t size)
{
    struct fixture *f = owner;

    memset(bytes, (int)++f->salts, size);
}

static uint64_t on_now_s(void *owner)
{
    return ((const struct fixture *)owner)->now_s;
}

static bool has_no_files; /* there is no memory for them */

static int on_make_file(void *owner, const void *bytes, size_t size)
{
    (void)owner;
    if (has_no_files)
        return -1;
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    return fd;
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

/* A core on what the store has committed, with these settings. */
static enum status start_with(struct fixture *f, uint32_t agencies, uint32_t number,
                              struct errbuf *err)
{
    draw_init(&f->draw);
    const struct ledger_core_config config = {.store = fake_store_open(f->store, &f->draw),
                                              .draw = &f->draw,
                                              .agencies = agencies,
                                              .winner_number = number,
                                              .terms = f->terms,
                                              .group_operations = GROUP,
                                              .events = &events,
                                              .owner = f,
                                              .scoreboard = f->scoreboard->ledger};
    enum status status = ledger_core_create(&config, &f->core, err);
    if (status != STATUS_OK)
        draw_fini(&f->draw);
    return status;
}

static void start(struct fixture *f)
{
    struct errbuf err;

    assert_int_equal(start_with(f, AGENCIES, NUMBER, &err), STATUS_OK);
}

static void stop(struct fixture *f)
{
    ledger_core_destroy(f->core);
    f->core = NULL;
    draw_fini(&f->draw);
}

static void open_peer(struct fixture *f, unsigned i)
{
    struct test_peer *peer = &f->peers[i];

    *peer = (struct test_peer){.count = 0};
    peer->peer = ledger_core_open(f->core, peer, peer->region, REGION);
    assert_non_null(peer->peer);
}

static void close_peer(struct fixture *f, unsigned i)
{
    struct ledger_peer *peer = f->peers[i].peer;

    f->peers[i].peer = NULL;
    ledger_core_close(f->core, peer);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->store = calloc(1, sizeof(*f->store));
    assert_non_null(f->store);
    f->now_s = NOW_S;
    assert_int_equal(scoreboard_create(1, &f->scoreboard), STATUS_OK);
    start(f);
    for (unsigned i = 0; i < PEERS; i++)
        open_peer(f, i);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    if (f->core != NULL)
        stop(f);
    scoreboard_destroy(f->scoreboard);
    free(f->store);
    free(f);
    return 0;
}

static void hand_in(struct fixture *f, unsigned peer, const struct message *message)
{
    assert_true(ledger_core_message(f->core, f->peers[peer].peer, message));
}

/* The lines of an agency's bets are made of their numbers. Returns the size. */
static size_t put_line(uint32_t agency, uint64_t bet, char out[LINE_MAX_SIZE])
{
    return (size_t)snprintf(out, LINE_MAX_SIZE, "%uD%u\n", agency, (unsigned)bet);
}

/* The checksum of the agency's first `count` bets. */
static uint32_t sum_of(uint32_t agency, uint64_t count)
{
    char line[LINE_MAX_SIZE];
    uint32_t sum = 0;

    for (uint64_t i = 0; i < count; i++)
        sum = crc32c(sum, line, put_line(agency, i, line));
    return sum;
}

/* Hands in a batch of an agency that says that the checksum of the bets before it is `claimed`. */
static void append_after(struct fixture *f, unsigned peer, uint32_t agency, uint64_t offset,
                         uint32_t count, struct message_claim claimed)
{
    static uint64_t at; /* each batch at another place */
    struct message message = {.kind = MESSAGE_APPEND};
    char line[LINE_MAX_SIZE];
    size_t size = 0;

    if (at > REGION - 512)
        at = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t length = put_line(agency, offset + i, line);
        memcpy(f->peers[peer].region + at + size, line, length);
        size += length;
    }
    message.append = (struct message_append){.agency = agency,
                                             .count = count,
                                             .offset = offset,
                                             .at = at,
                                             .size = (uint32_t)size,
                                             .claimed = claimed};
    at += size;
    hand_in(f, peer, &message);
}

static void append(struct fixture *f, unsigned peer, uint32_t agency, uint64_t offset,
                   uint32_t count)
{
    append_after(f, peer, agency, offset, count, (struct message_claim){0});
}

static void finish_with(struct fixture *f, unsigned peer, uint32_t agency, uint64_t total,
                        struct message_claim claimed)
{
    struct message message = {.kind = MESSAGE_FINISH};

    message.finish = (struct message_finish){.agency = agency, .total = total, .claimed = claimed};
    hand_in(f, peer, &message);
}

static void finish(struct fixture *f, unsigned peer, uint32_t agency, uint64_t total)
{
    finish_with(f, peer, agency, total, (struct message_claim){0});
}

static void ask_with(struct fixture *f, unsigned peer, uint32_t agency, uint64_t offset,
                     struct message_claim claimed)
{
    struct message message = {.kind = MESSAGE_ASK};

    message.ask = (struct message_ask){.agency = agency, .offset = offset, .claimed = claimed};
    hand_in(f, peer, &message);
}

static void ask(struct fixture *f, unsigned peer, uint32_t agency)
{
    ask_with(f, peer, agency, 0, (struct message_claim){0});
}

static void close_draw(struct fixture *f, unsigned peer)
{
    hand_in(f, peer, &(struct message){.kind = MESSAGE_CLOSE_DRAW});
}

static void open_winners(struct fixture *f, unsigned peer, uint32_t count)
{
    hand_in(f, peer,
            &(struct message){.kind = MESSAGE_OPEN_FILES, .files = {STORE_WINNERS, count}});
}

static const struct draw_drawn drawn = {
    .time_s = 9, .winner_number = NUMBER, .winners = 2, .winners_size = 20, .winners_crc = 77};

static void hold_draw(struct fixture *f, unsigned peer, const struct draw_drawn *outcome,
                      bool is_new)
{
    struct message message;

    message_from_drawn(outcome, is_new, &message);
    hand_in(f, peer, &message);
}

/* The next outcome that the peer was sent; news before it are passed over. */
static struct message_outcome next_outcome(struct test_peer *peer)
{
    while (peer->looked_at < peer->count) {
        const struct message *message = &peer->got[peer->looked_at++];
        assert_true(message_is_answer(message));
        if (message->kind == MESSAGE_OUTCOME)
            return message->outcome;
    }
    fail_msg("no outcome");
    return (struct message_outcome){0};
}

static void expect(struct fixture *f, unsigned peer, enum status status, uint64_t received)
{
    struct message_outcome outcome = next_outcome(&f->peers[peer]);

    assert_int_equal(outcome.status, status);
    assert_int_equal(outcome.received, received);
}

/* The last news that the peer was sent; how many in *count. */
static struct ledger_news news_of(const struct test_peer *peer, unsigned *count)
{
    struct ledger_news news = {.phase = DRAW_NEW};

    *count = 0;
    for (size_t i = 0; i < peer->count; i++) {
        if (peer->got[i].kind != MESSAGE_NEWS)
            continue;
        message_to_news(&peer->got[i], &news);
        ++*count;
    }
    return news;
}

/* Every agency finishes with what it has, and the draw is closed. */
static void close_all(struct fixture *f)
{
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        finish(f, 0, agency, draw_received(&f->draw, agency));
    close_draw(f, 0);
    ledger_core_commit(f->core);
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        expect(f, 0, STATUS_OK, draw_received(&f->draw, agency));
    expect(f, 0, STATUS_OK, 0);
}

/* ------------------------------------------------------------------ the tests */

/* Nothing is answered before the commit; then all, in each peer's order. */
static void test_order(void **state)
{
    struct fixture *f = *state;

    append(f, 0, 1, 0, 3);
    append(f, 1, 1, 3, 2);
    ask(f, 0, 1);
    append(f, 0, 1, 9, 1);
    append(f, 0, 9, 0, 1);
    finish(f, 1, 1, 5);
    append(f, 1, 1, 4, 2);
    append(f, 1, 1, 2, 3);
    assert_int_equal(f->peers[0].count + f->peers[1].count, 0);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 3);
    expect(f, 0, STATUS_OK, 5);
    expect(f, 0, STATUS_GAP, 5);
    expect(f, 0, STATUS_UNKNOWN_AGENCY, 0);
    expect(f, 1, STATUS_OK, 5);
    expect(f, 1, STATUS_OK, 5);
    expect(f, 1, STATUS_CLOSED, 5);
    expect(f, 1, STATUS_OK, 5);             /* known */
    assert_int_equal(f->store->commits, 2); /* with that of the settings */
    assert_int_equal(f->store->maintains, 1);
    assert_memory_equal(f->store->bets, "1D0\n1D1\n1D2\n1D3\n1D4\n", f->store->used_committed);
}

/* Of a batch that is known in part only the rest is stored, and counted. */
static void test_partly_known(void **state)
{
    struct fixture *f = *state;

    append(f, 0, 2, 0, 3);
    append(f, 1, 2, 1, 5);
    append(f, 2, 2, 0, 6);
    ledger_core_commit(f->core);
    assert_int_equal(next_outcome(&f->peers[0]).stored, 3);
    assert_int_equal(next_outcome(&f->peers[1]).stored, 3);
    assert_int_equal(next_outcome(&f->peers[2]).stored, 0);
    assert_memory_equal(f->store->bets, "2D0\n2D1\n2D2\n2D3\n2D4\n2D5\n", f->store->used_committed);
    assert_int_equal(f->store->committed, 3);
}

/* A group that cannot be written: nothing of it counts, and all that was decided in it ends so. */
static void test_group_fails(void **state)
{
    static const enum status statuses[] = {STATUS_NOSPACE, STATUS_IO, STATUS_NOMEM};
    struct fixture *f = *state;

    append(f, 0, 1, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 2);
    for (unsigned i = 0; i < 3; i++) {
        f->store->commit.status = statuses[i];
        append(f, 0, 1, 2, 3);
        finish(f, 1, 1, 5);
        append(f, 1, 1, 5, 1);
        ask(f, 2, 1);
        append(f, 2, 1, 7, 1);
        ledger_core_commit(f->core);
        expect(f, 0, statuses[i], 2);
        expect(f, 1, statuses[i], 2);
        expect(f, 1, statuses[i], 2);
        expect(f, 2, statuses[i], 2);
        expect(f, 2, statuses[i], 2);
        assert_int_equal(f->draw.bets, 2);
        assert_int_equal(f->draw.finished, 0);
    }
    append(f, 0, 1, 2, 3);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 5);
    assert_int_equal(f->exit_status, 0);
}

/* One group with a new bet, while the store does what the test has told it to. */
static void commit_one(struct fixture *f)
{
    append(f, 0, 1, draw_received(&f->draw, 1), 1);
    ledger_core_commit(f->core);
    (void)next_outcome(&f->peers[0]);
}

/* A store that keeps failing is in the log once, not for each group, whatever it is that fails; and
 * again when it has worked in between. */
static void test_trouble_is_logged_once(void **state)
{
    enum { GROUPS = 3 };
    struct fixture *f = *state;
    struct fake_fault *const faults[] = {&f->store->commit, &f->store->maintain};
    struct capture capture;

    log_set_level(LOG_ERROR);
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        capture_begin(&capture);
        for (unsigned times = 0; times < 2; times++) {
            for (unsigned group = 0; group < GROUPS; group++) {
                faults[i]->status = STATUS_NOSPACE;
                commit_one(f);
            }
            commit_one(f);
        }
        capture_end(&capture);
        assert_int_equal(capture.writes, 2);
        assert_non_null(
            strstr(capture.text, "ERROR    action: store | result: fail | reason: fault"));
        capture_free(&capture);
    }
    log_set_level(LOG_CRITICAL);
}

/* A record that does not fit into memory fails alone. */
static void test_append_fails(void **state)
{
    struct fixture *f = *state;

    f->store->append = (struct fake_fault){STATUS_NOMEM, 1};
    append(f, 0, 1, 0, 1);
    append(f, 0, 1, 1, 1);
    append(f, 0, 1, 2, 1);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 1);
    expect(f, 0, STATUS_NOMEM, 1);
    expect(f, 0, STATUS_GAP, 1);
}

/* After UNCERTAIN and GONE the process has to end, and nothing is answered any more. */
static void test_fatal(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 4; i++) {
        struct fake_fault *fault = i < 2 ? &f->store->commit : &f->store->maintain;
        fault->status = i % 2 == 0 ? STATUS_UNCERTAIN : STATUS_GONE;
        append(f, 0, 1, draw_received(&f->draw, 1), 1);
        ledger_core_commit(f->core);
        assert_int_equal(f->exit_status, i % 2 == 0 ? LEDGER_EXIT_UNCERTAIN : LEDGER_EXIT_GONE);
        size_t sent = f->peers[0].count;
        ask(f, 0, 1);
        assert_false(ledger_core_has_work(f->core));
        ledger_core_commit(f->core);
        ledger_core_idle(f->core);
        assert_int_equal(f->peers[0].count, sent);
        stop(f);
        f->exit_status = 0;
        start(f);
        open_peer(f, 0);
    }
}

/* Any other status is an I/O error of the operation, and the ledger goes on. */
static void test_other_statuses(void **state)
{
    struct fixture *f = *state;

    f->store->commit.status = STATUS_NOTFOUND;
    append(f, 0, 1, 0, 1);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_IO, 0);
    f->store->maintain.status = STATUS_INUSE;
    append(f, 0, 1, 0, 1);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 1);
    close_all(f);
    f->store->open.status = STATUS_NOTFOUND;
    open_winners(f, 0, 2);
    open_winners(f, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_IO, 0);
    expect(f, 0, STATUS_OK, 0);
    f->store->publish.status = STATUS_NOTFOUND;
    hold_draw(f, 0, &drawn, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_IO, 0);
    assert_int_equal(f->exit_status, 0);
    assert_int_equal(f->draw.phase, DRAW_CLOSED);
}

/* What is not a request, or lies outside of the region, is refused and changes nothing. */
static void test_bad_messages(void **state)
{
    struct fixture *f = *state;
    struct message message = {.kind = MESSAGE_APPEND};

    message.append = (struct message_append){.agency = 1, .count = 1, .at = REGION - 1, .size = 2};
    assert_false(ledger_core_message(f->core, f->peers[0].peer, &message));
    append(f, 1, 2, 0, 2);
    (void)memcpy(f->peers[0].region, "2D0\n2D1\n", 8); /* two bets that are known, and no third */
    message.append = (struct message_append){.agency = 2, .count = 3, .size = 8};
    assert_false(ledger_core_message(f->core, f->peers[0].peer, &message));
    message.append =
        (struct message_append){.agency = 2, .count = 3, .offset = 1, .size = 3}; /* not even one */
    assert_false(ledger_core_message(f->core, f->peers[0].peer, &message));
    message = (struct message){.kind = MESSAGE_OUTCOME};
    assert_false(ledger_core_message(f->core, f->peers[0].peer, &message));
    message = (struct message){.kind = MESSAGE_HELLO};
    assert_false(ledger_core_message(f->core, f->peers[0].peer, &message));
    close_peer(f, 0);
    assert_int_equal(f->peers[0].released, 1); /* nothing of it is in the group */
    ledger_core_commit(f->core);
    assert_int_equal(next_outcome(&f->peers[1]).received, 2);
    assert_int_equal(f->draw.bets, 2);
    assert_memory_equal(f->store->bets, "2D0\n2D1\n", f->store->used_committed);
}

/* A peer that closes: what it handed in is stored from its region, which is released after that. */
static void test_close(void **state)
{
    struct fixture *f = *state;

    close_peer(f, 2);
    assert_int_equal(f->peers[2].released, 1);
    append(f, 0, 1, 0, 2);
    append(f, 1, 1, 2, 1);
    close_peer(f, 0);
    assert_int_equal(f->peers[0].released, 0);
    ledger_core_commit(f->core);
    assert_int_equal(f->peers[0].released, 1);
    assert_int_equal(f->peers[0].count, 0);
    expect(f, 1, STATUS_OK, 3);
    assert_memory_equal(f->store->bets, "1D0\n1D1\n1D2\n", f->store->used_committed);
}

/* A full group is committed before the next operation joins it. */
static void test_full_group(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < GROUP; i++) {
        assert_false(ledger_core_is_full(f->core));
        append(f, 0, 1, i, 1);
    }
    assert_true(ledger_core_is_full(f->core));
    assert_int_equal(f->peers[0].count, 0);
    append(f, 0, 1, GROUP, 1);
    assert_false(ledger_core_is_full(f->core));
    assert_int_equal(f->store->commits, 2);
    ledger_core_commit(f->core);
    for (unsigned i = 0; i <= GROUP; i++)
        expect(f, 0, STATUS_OK, i + 1);
}

/* Everybody gets the news at first, and when they change; not when a group failed. */
static void test_news(void **state)
{
    struct fixture *f = *state;
    unsigned count;

    ledger_core_commit(f->core);
    struct ledger_news news = news_of(&f->peers[0], &count);
    assert_int_equal(count, 1);
    assert_int_equal(news.phase, DRAW_OPEN);
    assert_int_equal(news.agencies, AGENCIES);
    assert_int_equal(news.winner_number, NUMBER);
    append(f, 0, 1, 0, 1);
    ledger_core_commit(f->core);
    f->store->commit.status = STATUS_IO;
    finish(f, 0, 1, 1);
    ledger_core_commit(f->core);
    news = news_of(&f->peers[1], &count);
    assert_int_equal(count, 1);
    finish(f, 0, 1, 1);
    ledger_core_commit(f->core);
    news = news_of(&f->peers[1], &count);
    assert_int_equal(count, 2);
    assert_int_equal(news.finished, 1);
    open_peer(f, 2); /* a new one, while the group has what is not committed */
    ledger_core_commit(f->core);
    news = news_of(&f->peers[2], &count);
    assert_int_equal(count, 1);
    assert_int_equal(news.finished, 1);
    news_of(&f->peers[1], &count);
    assert_int_equal(count, 2);
}

/* The draw is closed only when all have finished; once, with a salt and the extent. */
static void test_closing(void **state)
{
    struct fixture *f = *state;
    unsigned count;

    append(f, 0, 1, 0, 2);
    close_draw(f, 1);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 2);
    expect(f, 1, STATUS_INVALID, 0);
    close_all(f);
    assert_int_equal(f->draw.phase, DRAW_CLOSED);
    assert_int_equal(f->draw.closed.bets, 2);
    assert_int_equal(f->draw.closed.extent, f->store->used_committed);
    assert_int_equal(f->draw.closed.time_s, NOW_S);
    assert_int_equal(f->draw.closed.salt[DRAW_SALT_SIZE - 1], 1);
    assert_int_equal(f->store->records[f->store->committed - 1].closed.salt[0], 1);
    close_draw(f, 1);
    append(f, 1, 1, 2, 1);
    append(f, 1, 1, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_OK, 0);
    expect(f, 1, STATUS_CLOSED, 2);
    expect(f, 1, STATUS_OK, 2);
    assert_int_equal(f->salts, 1);
    assert_int_equal(news_of(&f->peers[2], &count).bets, 2);
}

/* A closing that cannot be written is taken back with the rest. */
static void test_closing_fails(void **state)
{
    struct fixture *f = *state;

    f->store->commit.status = STATUS_NOSPACE;
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        finish(f, 0, agency, 0);
    close_draw(f, 0);
    ledger_core_commit(f->core);
    for (unsigned i = 0; i <= AGENCIES; i++)
        expect(f, 0, STATUS_NOSPACE, 0);
    assert_int_equal(f->draw.phase, DRAW_OPEN);
    close_all(f);
    assert_int_equal(f->draw.phase, DRAW_CLOSED);
}

/* Files, record, the supervisor, the news: in this order. */
static void test_drawing(void **state)
{
    struct fixture *f = *state;
    unsigned count;

    open_winners(f, 1, 2);
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_INVALID, 0);
    close_all(f);
    ledger_core_acknowledged(f->core); /* of nothing: there was no draw */
    open_winners(f, 1, 5);
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_OK, 0);
    assert_int_equal(f->peers[1].fds, 5);
    hold_draw(f, 1, &drawn, true);
    assert_int_equal(f->store->publishes, 1);
    assert_int_equal(f->tells_count, 1);
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_OK, 0);
    assert_int_equal(f->tells_count, 2);
    assert_int_equal(f->tells[1].kind, LEDGER_TELLS_DRAWN);
    assert_int_equal(f->tells[1].winners, 2);
    struct ledger_news news = news_of(&f->peers[2], &count);
    assert_int_equal(news.phase, DRAW_DRAWN);
    assert_int_equal(news.drawn.winners_crc, 77);
    assert_false(news.has_winners);
    ledger_core_acknowledged(f->core);
    assert_true(ledger_core_has_work(f->core));
    ledger_core_commit(f->core);
    assert_true(news_of(&f->peers[2], &count).has_winners);
    ledger_core_acknowledged(f->core); /* again: no news */
    ledger_core_commit(f->core);
    unsigned again;
    news_of(&f->peers[2], &again);
    assert_int_equal(again, count);
}

/* Who may publish, and what. */
static void test_drawing_refused(void **state)
{
    struct fixture *f = *state;
    struct draw_drawn other = drawn;

    hold_draw(f, 0, &drawn, false);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_INVALID, 0);
    close_all(f);
    other.winner_number++;
    open_winners(f, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    hold_draw(f, 0, &other, true);  /* not the draw's number */
    hold_draw(f, 0, &drawn, false); /* nothing is recorded that it could agree with */
    hold_draw(f, 1, &drawn, true);  /* another one's files */
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_INVALID, 0);
    expect(f, 0, STATUS_INVALID, 0);
    expect(f, 1, STATUS_STOPPED, 0);
    open_winners(f, 1, 2); /* takes the place of the first one's */
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_OK, 0);
    hold_draw(f, 0, &drawn, true);
    f->store->publish.status = STATUS_IO;
    hold_draw(f, 1, &drawn, true);
    hold_draw(f, 1, &drawn, true); /* not twice */
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_STOPPED, 0);
    expect(f, 1, STATUS_IO, 0);
    expect(f, 1, STATUS_STOPPED, 0);
    open_winners(f, 1, 2);
    ledger_core_commit(f->core);
    close_peer(f, 1);
    open_peer(f, 1); /* on a new link, the files of the old one do not count */
    hold_draw(f, 1, &drawn, true);
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_STOPPED, 0);
    assert_int_equal(f->store->publishes, 0);
    assert_int_equal(f->draw.phase, DRAW_CLOSED);
    assert_int_equal(f->tells_count, 1);
}

/* A restart after the draw: the files are looked at, or made again, before workers may read them;
 * another outcome than the recorded one is refused. */
static void test_drawn_before(void **state)
{
    struct fixture *f = *state;
    struct draw_drawn other = drawn;
    unsigned count;

    close_all(f);
    open_winners(f, 0, 2);
    ledger_core_commit(f->core);
    hold_draw(f, 0, &drawn, true);
    ledger_core_commit(f->core);
    stop(f);
    start(f);
    open_peer(f, 0);
    open_peer(f, 1);
    assert_int_equal(f->tells[2].kind, LEDGER_TELLS_READY);
    assert_int_equal(f->tells[2].winners, 2);
    ledger_core_acknowledged(f->core);
    ledger_core_commit(f->core);
    assert_false(news_of(&f->peers[1], &count).has_winners);
    other.winners++;
    hold_draw(f, 0, &other, false);
    other = drawn;
    other.time_s++; /* when it was found again */
    open_winners(f, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_CLOSED, 0);
    expect(f, 0, STATUS_OK, 0);
    assert_false(news_of(&f->peers[1], &count).has_winners);
    hold_draw(f, 0, &other, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    assert_true(news_of(&f->peers[1], &count).has_winners);
    assert_int_equal(news_of(&f->peers[1], &count).drawn.time_s, 9);
    assert_int_equal(f->store->publishes, 2);
    assert_int_equal(f->tells_count, 3); /* the supervisor knew */
}

/* A worker says that it cannot read the winners: nobody is told that there are some until they were
 * looked at again. */
static void test_winners_lost(void **state)
{
    const struct message lost = {.kind = MESSAGE_FILES_LOST};
    struct fixture *f = *state;
    unsigned count;

    hand_in(f, 2, &lost);
    ledger_core_commit(f->core);
    expect(f, 2, STATUS_INVALID, 0);
    close_all(f);
    open_winners(f, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    hold_draw(f, 0, &drawn, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    ledger_core_acknowledged(f->core);
    ledger_core_commit(f->core);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(news_of(&f->peers[1], &count).has_winners);
        hand_in(f, 2, &lost);
        ledger_core_commit(f->core);
        expect(f, 2, STATUS_OK, 0);
        assert_false(news_of(&f->peers[1], &count).has_winners);
        assert_int_equal(news_of(&f->peers[1], &count).phase, DRAW_DRAWN);
        hold_draw(f, 0, &drawn, false);
        ledger_core_commit(f->core);
        expect(f, 0, STATUS_OK, 0);
    }
    assert_int_equal(f->tells_count, 2); /* the supervisor knows */
}

/* What an agency says of its bets is compared where both know them, and the outcome says what is
 * there. */
static void test_content(void **state)
{
    struct fixture *f = *state;
    const struct message_claim wrong = {4711, 1};
    const struct message_claim nothing = {0, 1};
    const struct message_claim first = {sum_of(1, 1), 1};
    const struct message_claim all = {sum_of(1, 3), 1};

    append_after(f, 0, 1, 0, 2, nothing);
    ask_with(f, 0, 1, 2, (struct message_claim){sum_of(1, 2), 1});
    ask_with(f, 0, 1, 2, wrong);
    ask_with(f, 0, 1, 1, wrong); /* of fewer bets than there are: nobody knows */
    append_after(f, 0, 1, 2, 1, wrong);
    append_after(f, 0, 1, 1, 2, wrong);
    append_after(f, 0, 1, 1, 1, wrong);
    append_after(f, 0, 1, 0, 1, wrong); /* ends before the last known bet */
    append_after(f, 0, 1, 3, 1, wrong);
    append_after(f, 0, 1, 1, 2, first);
    append_after(f, 0, 1, 1, 2, first); /* again */
    finish_with(f, 0, 1, 3, wrong);
    finish_with(f, 0, 1, 2, wrong);
    finish_with(f, 0, 1, 3, all);
    finish_with(f, 0, 1, 3, wrong);
    finish_with(f, 0, 9, 0, nothing);
    ledger_core_commit(f->core);
    static const struct {
        enum status status;
        uint64_t received;
    } expected[] = {
        {STATUS_OK, 2},         {STATUS_OK, 2},
        {STATUS_MISMATCH, 2},   {STATUS_OK, 2},
        {STATUS_MISMATCH, 2},   {STATUS_MISMATCH, 2},
        {STATUS_MISMATCH, 2},   {STATUS_OK, 2},
        {STATUS_GAP, 2},        {STATUS_OK, 3},
        {STATUS_OK, 3},         {STATUS_MISMATCH, 3},
        {STATUS_INCOMPLETE, 3}, {STATUS_OK, 3},
        {STATUS_MISMATCH, 3},   {STATUS_UNKNOWN_AGENCY, 0},
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        struct message_outcome outcome = next_outcome(&f->peers[0]);
        assert_int_equal(outcome.status, expected[i].status);
        assert_int_equal(outcome.received, expected[i].received);
        assert_int_equal(outcome.checksum, sum_of(1, expected[i].received));
    }
}

/* The settings against the record. */
static void test_settings(void **state)
{
    struct fixture *f = *state;
    struct errbuf err;

    stop(f);
    assert_int_equal(start_with(f, AGENCIES, NUMBER + 1, &err), STATUS_INVALID);
    assert_string_equal(err.text, "LOTTERY_WINNER_NUMBER is 7575, but this draw was opened with "
                                  "7574: set it back, or choose another data directory");
    assert_int_equal(start_with(f, AGENCIES - 1, NUMBER, &err), STATUS_INVALID);
    assert_string_equal(err.text, "LOTTERY_AGENCIES is 2, but this draw was opened with 3: set it "
                                  "back, or choose another data directory");
    f->store->commit.status = STATUS_NOSPACE;
    assert_int_equal(start_with(f, AGENCIES + 2, NUMBER, &err), STATUS_NOSPACE);
    assert_int_equal(f->store->committed, 1);
    assert_int_equal(start_with(f, AGENCIES + 2, NUMBER, &err), STATUS_OK);
    assert_int_equal(f->store->committed, 2);
    stop(f);
    assert_int_equal(start_with(f, AGENCIES, NUMBER, &err), STATUS_INVALID);
    start_with(f, AGENCIES + 2, NUMBER, &err);
    open_peer(f, 0);
    for (uint32_t agency = 1; agency <= AGENCIES + 2; agency++)
        finish(f, 0, agency, 0);
    close_draw(f, 0);
    ledger_core_commit(f->core);
    stop(f);
    assert_int_equal(start_with(f, AGENCIES + 3, NUMBER, &err), STATUS_INVALID);
    assert_int_equal(start_with(f, AGENCIES + 2, NUMBER + 1, &err), STATUS_INVALID);
    assert_int_equal(start_with(f, AGENCIES + 2, NUMBER, &err), STATUS_OK);
    open_peer(f, 0);
    open_winners(f, 0, 2);
    ledger_core_commit(f->core);
    hold_draw(f, 0, &drawn, true);
    ledger_core_commit(f->core);
    stop(f);
    assert_int_equal(start_with(f, AGENCIES + 3, NUMBER, &err), STATUS_INVALID);
    assert_int_equal(start_with(f, AGENCIES + 2, NUMBER + 1, &err), STATUS_OK); /* with a warning */
    open_peer(f, 0);
    ledger_core_commit(f->core);
    unsigned count;
    assert_int_equal(news_of(&f->peers[0], &count).winner_number, NUMBER);
}

/* The rules, in few lines. */
struct model {
    uint64_t received[AGENCIES + 2];
    bool has_finished[AGENCIES + 2];
};

static enum status model_apply(struct model *model, bool is_bets, uint32_t agency, uint64_t number,
                               uint32_t count, bool is_right)
{
    uint64_t *received = &model->received[agency];

    if (agency < 1 || agency > AGENCIES)
        return STATUS_UNKNOWN_AGENCY;
    if (!is_bets && !is_right && number == *received)
        return STATUS_MISMATCH;
    if (!is_bets) {
        model->has_finished[agency] |= number == *received;
        return number == *received ? STATUS_OK : STATUS_INCOMPLETE;
    }
    if (number > *received)
        return STATUS_GAP;
    if (!is_right && number + count >= *received)
        return STATUS_MISMATCH;
    if (number + count > *received && model->has_finished[agency])
        return STATUS_CLOSED;
    if (number + count > *received)
        *received = number + count;
    return STATUS_OK;
}

/* What a random group consists of: what each operation must end with. */
struct expectation {
    unsigned peer;
    enum status status;
    uint64_t received;
    uint32_t agency;
};

static size_t random_group(struct fixture *f, struct prng *prng, struct model *model,
                           struct expectation *expected)
{
    size_t count = prng_below(prng, 20);

    for (size_t i = 0; i < count; i++) {
        struct expectation *of = &expected[i];
        uint32_t bets = 1 + prng_below(prng, 5);
        of->agency = prng_below(prng, AGENCIES + 2);
        of->peer = prng_below(prng, PEERS);
        uint64_t number = model->received[of->agency] + prng_below(prng, 8);
        number = number < 4 ? 0 : number - 4;
        bool is_bets = prng_below(prng, 30) != 0;
        bool is_right = prng_below(prng, 8) != 0;
        struct message_claim claimed = {sum_of(of->agency, number) + !is_right,
                                        !is_right || prng_below(prng, 2) == 0};
        if (is_bets)
            append_after(f, of->peer, of->agency, number, bets, claimed);
        else
            finish_with(f, of->peer, of->agency, number, claimed);
        of->status = model_apply(model, is_bets, of->agency, number, bets, is_right);
        of->received = model->received[of->agency];
    }
    return count;
}

/* Random histories with failing groups and restarts: each outcome and the end are the model's. */
static void test_random(void **state)
{
    struct fixture *f = *state;
    struct expectation expected[20];

    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct prng prng = {seed};
        struct model model = {{0}, {false}};
        stop(f);
        memset(f->store, 0, offsetof(struct fake_store, records));
        for (unsigned group = 0; group < 60; group++) {
            struct model before = model;
            bool fails = prng_below(&prng, 5) == 0;
            if (group % 20 == 0) {
                if (group > 0)
                    stop(f);
                f->tells_count = 0;
                start(f);
            }
            for (unsigned i = 0; i < PEERS; i++) {
                if (group % 20 != 0)
                    close_peer(f, i);
                open_peer(f, i);
            }
            size_t count = random_group(f, &prng, &model, expected);
            if (fails)
                f->store->commit.status = STATUS_NOSPACE;
            ledger_core_commit(f->core);
            fails = fails && f->store->commit.status == STATUS_OK; /* it had something to write */
            f->store->commit.status = STATUS_OK;
            if (fails)
                model = before;
            for (size_t i = 0; i < count; i++)
                expect(f, expected[i].peer, fails ? STATUS_NOSPACE : expected[i].status,
                       fails ? before.received[expected[i].agency] : expected[i].received);
        }
        for (uint32_t agency = 1; agency <= AGENCIES; agency++) {
            assert_int_equal(draw_received(&f->draw, agency), model.received[agency]);
            assert_int_equal(draw_checksum(&f->draw, agency),
                             sum_of(agency, model.received[agency]));
        }
    }
}

/* ------------------------------------------------------------------ draws that an operator runs */

#define UID 1000
#define DEADLINE (NOW_S + 100)

static const struct draw_terms manual = {.mode = DRAW_MANUAL, .id = "first"};
static const struct draw_terms sealed_terms = {
    .mode = DRAW_MANUAL, .has_seal = true, .close_at_s = DEADLINE, .id = "first"};

/* Another draw, with these terms. */
static void begin_draw(struct fixture *f, const struct draw_terms *terms)
{
    stop(f);
    memset(f->store, 0, offsetof(struct fake_store, records));
    f->terms = *terms;
    f->tells_count = 0;
    f->salts = 0;
    f->now_s = NOW_S;
    start(f);
    for (unsigned i = 0; i < PEERS; i++)
        open_peer(f, i);
}

/* The ledger ends and comes again, with new links. */
static void restart(struct fixture *f)
{
    stop(f);
    f->tells_count = 0;
    start(f);
    for (unsigned i = 0; i < PEERS; i++)
        open_peer(f, i);
}

static void close_by(struct fixture *f, unsigned peer, uint32_t uid, bool is_again)
{
    struct message message = {.kind = MESSAGE_CLOSE_DRAW};

    message.close = (struct message_close){DRAW_BY_OPERATOR, uid, is_again};
    hand_in(f, peer, &message);
}

static void open_files(struct fixture *f, unsigned peer, enum store_files files, uint32_t count)
{
    hand_in(f, peer, &(struct message){.kind = MESSAGE_OPEN_FILES, .files = {files, count}});
}

static void lose_files(struct fixture *f, unsigned peer, enum store_files files)
{
    hand_in(f, peer, &(struct message){.kind = MESSAGE_FILES_LOST, .files = {files, 0}});
}

/* A root of this byte. */
static void seal(struct fixture *f, unsigned peer, uint8_t root, bool is_new)
{
    struct message message = {.kind = MESSAGE_SEAL};

    message.seal = (struct message_seal){.time_s = NOW_S + 1, .is_new = is_new};
    memset(message.seal.root, root, DRAW_ROOT_SIZE);
    hand_in(f, peer, &message);
}

static void say(struct fixture *f, unsigned peer, const char *text, size_t size)
{
    struct message message;

    for (size_t at = 0; at < size;) {
        at += message_from_piece(text + at, size - at, &message);
        hand_in(f, peer, &message);
    }
}

static void draw_number(struct fixture *f, unsigned peer, uint32_t number, const char *source,
                        bool is_new)
{
    const struct draw_drawn outcome = {
        .time_s = NOW_S + 2, .winner_number = number, .winners = 1, .uid = UID};

    say(f, peer, source, strlen(source));
    hold_draw(f, peer, &outcome, is_new);
}

static void tell_result(struct fixture *f, unsigned peer, bool is_new)
{
    struct message message = {.kind = MESSAGE_RESULT};

    message.is_new = is_new;
    hand_in(f, peer, &message);
}

static void act(struct fixture *f, unsigned peer, const char *text,
                const struct message_act *fields)
{
    struct message message = {.kind = MESSAGE_ACT};

    message.act = *fields;
    say(f, peer, text, strlen(text));
    hand_in(f, peer, &message);
}

static void commit_and_expect(struct fixture *f, unsigned peer, enum status status)
{
    ledger_core_commit(f->core);
    expect(f, peer, status, 0);
}

/* The last news that the peer was sent, with what comes before it; their number in *count. */
static void all_news_of(const struct test_peer *peer, struct ledger_news *news, unsigned *count)
{
    struct message_pieces pieces = {0};
    struct message_news_more more;

    *count = 0;
    for (size_t i = 0; i < peer->count; i++) {
        const struct message *message = &peer->got[i];
        assert_true(message_is_answer(message));
        if (message->kind == MESSAGE_PIECE) {
            assert_true(message_pieces_add(&pieces, &message->piece));
            continue;
        }
        if (message->kind == MESSAGE_OUTCOME) {
            assert_int_equal(pieces.size, 0); /* nothing comes between pieces and their news */
            continue;
        }
        message_to_news(message, news);
        assert_true(pieces.size == 0 || pieces.size == sizeof(more));
        if (pieces.size > 0) {
            memcpy(&more, pieces.bytes, sizeof(more));
            assert_true(message_to_news_more(&more, news));
        }
        pieces.size = 0;
        ++*count;
    }
}

static struct ledger_news *news_now(struct fixture *f, unsigned peer)
{
    static struct ledger_news news;
    unsigned count;

    all_news_of(&f->peers[peer], &news, &count);
    assert_true(count > 0);
    return &news;
}

/* An operator closes a draw early, once; what came before it is in the draw, nothing after it. */
static void test_operator_closes(void **state)
{
    struct fixture *f = *state;

    close_by(f, 0, UID, false); /* of a draw that closes by itself */
    commit_and_expect(f, 0, STATUS_INVALID);
    assert_int_equal(f->draw.phase, DRAW_OPEN);

    begin_draw(f, &manual);
    append(f, 1, 1, 0, 2);
    close_by(f, 0, UID, false);
    close_by(f, 2, UID, false);
    append(f, 1, 1, 2, 1);
    append(f, 1, 1, 0, 2);
    finish(f, 1, 1, 2);
    finish(f, 1, 1, 3);
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_OK, 2);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 2, STATUS_CLOSED, 0);
    expect(f, 1, STATUS_CLOSED, 2);
    expect(f, 1, STATUS_OK, 2);
    expect(f, 1, STATUS_OK, 2);
    expect(f, 1, STATUS_INCOMPLETE, 2);
    assert_int_equal(f->draw.closed.by, DRAW_BY_OPERATOR);
    assert_int_equal(f->draw.closed.uid, UID);
    assert_int_equal(f->draw.closed.bets, 2);
    assert_int_equal(f->draw.finished, 0);
    close_by(f, 1, UID, false);
    close_draw(f, 2);
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_CLOSED, 0);
    expect(f, 2, STATUS_OK, 0); /* closed it is */
    assert_int_equal(f->store->committed, 3);
    assert_int_equal(f->salts, 1);
}

/* A closing that is handed in again after a lost link is not said to be somebody else's. */
static void test_operator_closes_again(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &manual);
    close_by(f, 0, UID, true); /* it was lost with the link */
    commit_and_expect(f, 0, STATUS_OK);
    assert_int_equal(f->draw.closed.uid, UID);
    restart(f);
    close_by(f, 0, UID, true);
    commit_and_expect(f, 0, STATUS_OK);
    close_by(f, 0, UID + 1, true);
    commit_and_expect(f, 0, STATUS_CLOSED);
    close_by(f, 0, UID, false);
    commit_and_expect(f, 0, STATUS_CLOSED);
    begin_draw(f, &manual);
    for (uint32_t agency = 1; agency <= AGENCIES; agency++)
        finish(f, 1, agency, 0);
    close_draw(f, 1);
    ledger_core_commit(f->core);
    close_by(f, 0, 0, true); /* all had finished before, which was nobody's act */
    commit_and_expect(f, 0, STATUS_CLOSED);
}

/* The closing time comes: bets before it are in the draw, none after it, also in the same group. */
static void test_deadline(void **state)
{
    struct fixture *f = *state;

    assert_false(ledger_core_has_deadline(f->core));
    begin_draw(f, &sealed_terms);
    assert_true(ledger_core_has_deadline(f->core));
    ledger_core_commit(f->core);
    f->now_s = DEADLINE - 1;
    ledger_core_tick(f->core);
    assert_false(ledger_core_has_work(f->core));
    append(f, 0, 1, 0, 2);
    f->now_s = DEADLINE;
    append(f, 0, 1, 2, 1);
    close_by(f, 1, UID, false); /* too late */
    finish(f, 0, 1, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 2);
    expect(f, 0, STATUS_CLOSED, 2);
    expect(f, 0, STATUS_OK, 2);
    expect(f, 1, STATUS_CLOSED, 0);
    assert_int_equal(f->draw.closed.by, DRAW_BY_DEADLINE);
    assert_int_equal(f->draw.closed.uid, 0);
    assert_int_equal(f->draw.closed.time_s, DEADLINE);
    assert_int_equal(f->draw.closed.bets, 2);
    assert_int_equal(f->draw.closed.extent, f->store->used_committed);
    assert_false(ledger_core_has_deadline(f->core));
    ledger_core_tick(f->core);
    assert_false(ledger_core_has_work(f->core));
    assert_int_equal(f->store->committed, 3);
}

/* The closing time comes while nobody does anything: everybody is told. */
static void test_deadline_alone(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    ledger_core_commit(f->core);
    f->now_s = DEADLINE + 5;
    ledger_core_tick(f->core);
    ledger_core_tick(f->core);
    assert_true(ledger_core_has_work(f->core));
    ledger_core_idle(f->core); /* there is a group: not now */
    assert_int_equal(f->store->idles, 0);
    ledger_core_commit(f->core);
    assert_int_equal(f->draw.closed.time_s, DEADLINE + 5);
    for (unsigned i = 0; i < PEERS; i++) {
        assert_int_equal(news_now(f, i)->phase, DRAW_CLOSED);
        assert_int_equal(news_now(f, i)->closed.by, DRAW_BY_DEADLINE);
    }
    ledger_core_idle(f->core);
    assert_int_equal(f->store->idles, 1);
}

/* The closing time came while there was no ledger: it closes before it is ready. */
static void test_deadline_at_start(void **state)
{
    struct fixture *f = *state;
    struct errbuf err = {{0}};

    begin_draw(f, &sealed_terms);
    assert_int_equal(f->tells[0].phase, DRAW_OPEN);
    append(f, 0, 1, 0, 2);
    ledger_core_commit(f->core);
    stop(f);
    f->now_s = DEADLINE;
    f->store->commit.status = STATUS_NOSPACE;
    f->tells_count = 0;
    assert_int_equal(start_with(f, AGENCIES, NUMBER, &err), STATUS_NOSPACE);
    assert_true(err.text[0] != '\0');
    f->store->append.status = STATUS_NOMEM;
    err.text[0] = '\0';
    assert_int_equal(start_with(f, AGENCIES, NUMBER, &err), STATUS_NOMEM);
    assert_true(err.text[0] != '\0');
    assert_int_equal(f->tells_count, 0);
    restart(f);
    assert_int_equal(f->tells[0].phase, DRAW_CLOSED);
    assert_int_equal(f->draw.closed.bets, 2);
    assert_int_equal(f->store->committed, 3);
    ledger_core_commit(f->core);
    assert_int_equal(news_now(f, 0)->phase, DRAW_CLOSED);
    append(f, 0, 1, 2, 1);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_CLOSED, 2);
    restart(f); /* it stays closed, once */
    assert_int_equal(f->store->committed, 3);

    /* A draw that begins when its time is over. */
    stop(f);
    memset(f->store, 0, offsetof(struct fake_store, records));
    restart(f);
    assert_int_equal(f->tells[0].phase, DRAW_CLOSED);
    assert_int_equal(f->draw.closed.bets, 0);
}

/* A closing at its time that cannot be recorded fails what came with it, and comes again. */
static void test_deadline_fails(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    append(f, 0, 1, 0, 2);
    f->now_s = DEADLINE;
    append(f, 0, 1, 2, 1);
    f->store->commit.status = STATUS_NOSPACE;
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_NOSPACE, 0);
    expect(f, 0, STATUS_NOSPACE, 0);
    assert_int_equal(f->draw.phase, DRAW_OPEN);
    assert_true(ledger_core_has_deadline(f->core));
    append(f, 0, 1, 0, 2); /* was in time once, but nobody was told so */
    f->store->append.status = STATUS_NOMEM;
    append(f, 0, 1, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_CLOSED, 0);
    expect(f, 0, STATUS_CLOSED, 0);
    f->store->append.status = STATUS_OK;
    assert_int_equal(f->draw.phase, DRAW_CLOSED);
    assert_int_equal(f->draw.closed.bets, 0);

    begin_draw(f, &sealed_terms);
    f->now_s = DEADLINE;
    f->store->append.status = STATUS_NOMEM;
    append(f, 0, 1, 0, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_NOMEM, 0); /* nothing is taken while the closing cannot be */
    assert_int_equal(f->draw.phase, DRAW_OPEN);
    f->store->append.status = STATUS_NOMEM;
    ledger_core_tick(f->core);
    ledger_core_tick(f->core);
    ledger_core_commit(f->core);
    assert_int_equal(f->draw.phase, DRAW_CLOSED);
}

/* The closing is one more record than a full group has operations. */
static void test_deadline_in_full_group(void **state)
{
    const struct message_act fields = {.time_s = NOW_S, .uid = UID};
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    for (unsigned i = 0; i < GROUP - 1; i++)
        append(f, 0, 1, i, 1);
    f->now_s = DEADLINE;
    act(f, 1, "next second", &fields);
    assert_true(ledger_core_is_full(f->core));
    ledger_core_commit(f->core);
    assert_int_equal(f->store->committed, 1 + GROUP + 1);
    assert_int_equal(f->draw.closed.bets, GROUP - 1);
    commit_and_expect(f, 1, STATUS_OK);

    begin_draw(f, &sealed_terms);
    for (unsigned i = 0; i < GROUP; i++)
        append(f, 0, 1, i, 1);
    f->now_s = DEADLINE;
    ledger_core_tick(f->core); /* no room: the group comes first */
    assert_int_equal(f->draw.phase, DRAW_OPEN);
    append(f, 0, 1, GROUP, 1);
    ledger_core_commit(f->core);
    for (unsigned i = 0; i < GROUP; i++)
        expect(f, 0, STATUS_OK, i < GROUP ? i + 1 : GROUP);
    expect(f, 0, STATUS_CLOSED, GROUP);
    assert_int_equal(f->draw.closed.bets, GROUP);
}

/* Peer 0 seals the closed draw. */
static void close_and_seal(struct fixture *f)
{
    close_by(f, 0, UID, false);
    commit_and_expect(f, 0, STATUS_OK);
    open_files(f, 0, STORE_SEAL, 2);
    commit_and_expect(f, 0, STATUS_OK);
    seal(f, 0, 5, true);
    commit_and_expect(f, 0, STATUS_OK);
}

/* When a draw may be sealed, by whom, and that its seal is the first one. */
static void test_seal(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    open_files(f, 0, STORE_SEAL, 2);
    seal(f, 0, 5, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_INVALID, 0); /* it takes bets */
    expect(f, 0, STATUS_INVALID, 0);
    close_by(f, 0, UID, false);
    commit_and_expect(f, 0, STATUS_OK);
    assert_false(news_now(f, 2)->is_sealed);
    seal(f, 0, 5, false); /* nothing is recorded */
    seal(f, 0, 5, true);  /* no files */
    open_files(f, 0, STORE_SEAL, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_INVALID, 0);
    expect(f, 0, STATUS_STOPPED, 0);
    expect(f, 0, STATUS_OK, 0);
    seal(f, 1, 5, true); /* another one's files */
    open_files(f, 1, STORE_WINNERS, 3);
    seal(f, 1, 5, true); /* another kind of files */
    ledger_core_commit(f->core);
    expect(f, 1, STATUS_STOPPED, 0);
    expect(f, 1, STATUS_OK, 0);
    expect(f, 1, STATUS_STOPPED, 0);
    assert_false(f->draw.is_sealed);
    seal(f, 0, 5, true);
    seal(f, 0, 5, true); /* not twice */
    commit_and_expect(f, 0, STATUS_OK);
    expect(f, 0, STATUS_STOPPED, 0);
    assert_int_equal(f->store->publishes, 1);
    const struct ledger_news *news = news_now(f, 2);
    assert_true(news->is_sealed && news->has_seal);
    assert_int_equal(news->sealed.root[31], 5);
    assert_int_equal(news->sealed.time_s, NOW_S + 1);
    assert_int_equal(news->phase, DRAW_CLOSED);
    open_files(f, 0, STORE_SEAL, 2);
    seal(f, 0, 6, false);
    seal(f, 0, 6, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 0, STATUS_CLOSED, 0); /* another root */
    expect(f, 0, STATUS_CLOSED, 0);
    assert_int_equal(f->store->publishes, 1);
    assert_int_equal(f->draw.sealed.root[0], 5);
    assert_true(news_now(f, 2)->has_seal);
    assert_int_equal(f->store->committed, 3);

    begin_draw(f, &manual); /* not to be sealed */
    close_by(f, 0, UID, false);
    open_files(f, 0, STORE_SEAL, 2);
    ledger_core_commit(f->core);
    seal(f, 0, 5, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    (void)next_outcome(&f->peers[0]);
    expect(f, 0, STATUS_INVALID, 0);
    assert_false(f->draw.is_sealed);
}

/* The seal's files are lost: nobody is told that they can be read until they were looked at, or
 * made again with the root that is on record. */
static void test_seal_lost(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    lose_files(f, 2, STORE_SEAL);
    commit_and_expect(f, 2, STATUS_INVALID);
    close_and_seal(f);
    lose_files(f, 2, STORE_SEAL);
    commit_and_expect(f, 2, STATUS_OK);
    assert_true(news_now(f, 1)->is_sealed);
    assert_false(news_now(f, 1)->has_seal);
    seal(f, 0, 5, false);
    commit_and_expect(f, 0, STATUS_OK);
    assert_true(news_now(f, 1)->has_seal);
    restart(f);
    ledger_core_commit(f->core);
    assert_true(news_now(f, 1)->is_sealed);
    assert_false(news_now(f, 1)->has_seal);
    open_files(f, 0, STORE_SEAL, 2);
    commit_and_expect(f, 0, STATUS_OK);
    f->store->publish.status = STATUS_IO;
    seal(f, 0, 5, true);
    commit_and_expect(f, 0, STATUS_IO);
    assert_false(news_now(f, 1)->has_seal);
    open_files(f, 0, STORE_SEAL, 2);
    commit_and_expect(f, 0, STATUS_OK);
    seal(f, 0, 5, true);
    commit_and_expect(f, 0, STATUS_OK);
    assert_true(news_now(f, 1)->has_seal);
    assert_int_equal(f->store->committed, 3); /* once on record */
}

/* A seal whose record cannot be written is none, though its files have their names. */
static void test_seal_fails(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    close_by(f, 0, UID, false);
    open_files(f, 0, STORE_SEAL, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 0, STATUS_OK, 0);
    f->store->commit.status = STATUS_NOSPACE;
    seal(f, 0, 5, true);
    commit_and_expect(f, 0, STATUS_NOSPACE);
    assert_false(f->draw.is_sealed);
    assert_false(news_now(f, 1)->is_sealed || news_now(f, 1)->has_seal);
    seal(f, 0, 5, false);
    commit_and_expect(f, 0, STATUS_INVALID);
    open_files(f, 0, STORE_SEAL, 2);
    commit_and_expect(f, 0, STATUS_OK);
    seal(f, 0, 6, true); /* another one may come: nobody has seen the first */
    commit_and_expect(f, 0, STATUS_OK);
    assert_int_equal(f->draw.sealed.root[0], 6);
}

/* The number of a manual draw: after the seal, once, with its source. */
static void test_operator_draws(void **state)
{
    char long_source[DRAW_TEXT_MAX + 2];
    struct fixture *f = *state;

    memset(long_source, 's', sizeof(long_source));
    long_source[DRAW_TEXT_MAX + 1] = '\0';
    begin_draw(f, &sealed_terms);
    draw_number(f, 0, 11, "balls", true);
    close_by(f, 0, UID, false);
    open_files(f, 0, STORE_WINNERS, 3);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_INVALID, 0);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 0, STATUS_OK, 0);
    draw_number(f, 0, 11, "balls", true); /* without a seal */
    commit_and_expect(f, 0, STATUS_INVALID);
    assert_int_equal(f->store->publishes, 0);
    open_files(f, 0, STORE_SEAL, 2);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    seal(f, 0, 5, true);
    commit_and_expect(f, 0, STATUS_OK);
    draw_number(f, 0, 10000, "balls", true);
    draw_number(f, 0, 11, long_source, true);
    draw_number(f, 0, 11, "ball\ns", true);
    draw_number(f, 0, 11, "balls", false);
    draw_number(f, 1, 11, "balls", true);
    ledger_core_commit(f->core);
    for (unsigned i = 0; i < 4; i++)
        expect(f, 0, STATUS_INVALID, 0);
    expect(f, 1, STATUS_STOPPED, 0);
    assert_int_equal(f->store->publishes, 1);
    long_source[DRAW_TEXT_MAX] = '\0';
    draw_number(f, 0, 11, long_source, true);
    draw_number(f, 0, 12, long_source, true);
    draw_number(f, 0, 11, "", false); /* again, from somebody who does not know the source */
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 0, STATUS_CLOSED, 0);
    expect(f, 0, STATUS_OK, 0);
    assert_int_equal(f->store->committed, 4);
    restart(f);
    ledger_core_commit(f->core);
    const struct ledger_news *news = news_now(f, 1);
    assert_int_equal(news->phase, DRAW_DRAWN);
    assert_int_equal(news->winner_number, 0);
    assert_int_equal(news->drawn.winner_number, 11);
    assert_int_equal(news->drawn.uid, UID);
    assert_int_equal(news->drawn.source.size, DRAW_TEXT_MAX);
    assert_memory_equal(news->drawn.source.data, long_source, DRAW_TEXT_MAX);
    assert_int_equal(f->draw.drawn.root[7], 5);
    draw_number(f, 0, 11, long_source, false);
    draw_number(f, 0, 12, long_source, false);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 0, STATUS_CLOSED, 0);
}

/* A number that cannot be recorded is none, and another one may follow. */
static void test_operator_draws_in_vain(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    close_and_seal(f);
    for (unsigned i = 0; i < 2; i++) {
        open_files(f, 0, STORE_WINNERS, 3);
        commit_and_expect(f, 0, STATUS_OK);
        f->store->commit.status = i == 0 ? STATUS_NOSPACE : STATUS_OK;
        draw_number(f, 0, 11 + i, "balls", true);
        commit_and_expect(f, 0, i == 0 ? STATUS_NOSPACE : STATUS_OK);
        assert_int_equal(f->draw.phase, i == 0 ? DRAW_CLOSED : DRAW_DRAWN);
        assert_int_equal(news_now(f, 1)->needs_result, i == 1);
    }
    assert_int_equal(f->draw.drawn.winner_number, 12);
}

/* In a sealed draw there are winners when result.txt is there, too; the supervisor is told then. */
static void test_result(void **state)
{
    struct fixture *f = *state;

    begin_draw(f, &sealed_terms);
    open_files(f, 0, STORE_RESULT, 1);
    tell_result(f, 0, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_INVALID, 0);
    expect(f, 0, STATUS_INVALID, 0);
    close_and_seal(f);
    open_files(f, 0, STORE_RESULT, 1); /* there is no number that it could be for */
    open_files(f, 0, STORE_WINNERS, 3);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_INVALID, 0);
    expect(f, 0, STATUS_OK, 0);
    draw_number(f, 0, 11, "", true);
    tell_result(f, 0, true);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 0, STATUS_STOPPED, 0);
    assert_true(news_now(f, 1)->needs_result);
    assert_int_equal(f->tells_count, 1);
    ledger_core_acknowledged(f->core); /* of what another ledger has told */
    ledger_core_commit(f->core);
    assert_false(news_now(f, 1)->has_winners);
    open_files(f, 0, STORE_RESULT, 1);
    commit_and_expect(f, 0, STATUS_OK);
    tell_result(f, 0, true);
    commit_and_expect(f, 0, STATUS_OK);
    assert_true(news_now(f, 1)->has_winners);
    assert_false(news_now(f, 1)->needs_result);
    lose_files(f, 2, STORE_RESULT);
    commit_and_expect(f, 2, STATUS_OK);
    assert_true(news_now(f, 1)->needs_result);
    assert_false(news_now(f, 1)->has_winners);
    tell_result(f, 0, false);
    commit_and_expect(f, 0, STATUS_OK);
    assert_true(news_now(f, 1)->has_winners);
    lose_files(f, 2, STORE_WINNERS); /* what was made of them is looked at, too */
    commit_and_expect(f, 2, STATUS_OK);
    assert_false(news_now(f, 1)->has_winners || news_now(f, 1)->needs_result);
    draw_number(f, 0, 11, "", false);
    commit_and_expect(f, 0, STATUS_OK);
    assert_true(news_now(f, 1)->needs_result);
    tell_result(f, 0, false);
    commit_and_expect(f, 0, STATUS_OK);
    assert_true(news_now(f, 1)->has_winners);
    assert_true(news_now(f, 1)->has_seal);

    begin_draw(f, &manual); /* without a seal there is no result.txt */
    close_by(f, 0, UID, false);
    open_files(f, 0, STORE_WINNERS, 3);
    ledger_core_commit(f->core);
    draw_number(f, 0, 11, "", true);
    tell_result(f, 0, false);
    ledger_core_commit(f->core);
    assert_int_equal(f->tells_count, 2);
    ledger_core_acknowledged(f->core);
    ledger_core_commit(f->core);
    assert_true(news_now(f, 1)->has_winners);
    assert_false(news_now(f, 1)->needs_result);
}

/* What operators do is recorded whatever the phase is, with its text; nothing else changes. */
static void test_acts(void **state)
{
    const struct message_act fields = {.time_s = 77, .uid = UID};
    char longest[DRAW_TEXT_MAX + 2];
    struct fixture *f = *state;

    memset(longest, 'x', sizeof(longest));
    longest[DRAW_TEXT_MAX + 1] = '\0';
    begin_draw(f, &manual);
    act(f, 0, "close", &fields);
    act(f, 0, "", &fields);
    act(f, 0, "a\tb", &fields);
    act(f, 0, longest, &fields);
    longest[DRAW_TEXT_MAX] = '\0';
    act(f, 0, longest, &fields);
    act(f, 0, "close", &fields); /* the same again, in the same second */
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 0);
    for (unsigned i = 0; i < 3; i++)
        expect(f, 0, STATUS_INVALID, 0);
    expect(f, 0, STATUS_OK, 0);
    expect(f, 0, STATUS_OK, 0);
    assert_int_equal(f->draw.acts_count, 3);
    assert_int_equal(f->draw.acts[0]->time_s, 77);
    assert_int_equal(f->draw.acts[0]->uid, UID);
    assert_memory_equal(f->draw.acts[1]->text.data, longest, DRAW_TEXT_MAX);
    assert_int_equal(f->draw.phase, DRAW_OPEN);
    f->store->commit.status = STATUS_IO;
    act(f, 0, "reload", &fields);
    commit_and_expect(f, 0, STATUS_IO);
    assert_int_equal(f->draw.acts_count, 3);
    restart(f);
    assert_int_equal(f->draw.acts_count, 3);
    assert_int_equal(f->draw.acts[2]->text.size, 5);
}

/* Acts that are handed in again after a lost link are on record once, each of them. */
static void test_acts_again(void **state)
{
    static const char *const texts[] = {"close", "reload", "draw 7: refused: it is open"};
    struct message_act fields = {.time_s = 77, .uid = UID};
    struct fixture *f = *state;

    begin_draw(f, &manual);
    for (unsigned i = 0; i < 2; i++)
        act(f, 0, texts[i], &fields);
    ledger_core_commit(f->core);
    restart(f);
    fields.is_again = 1;
    for (unsigned i = 0; i < 3; i++)
        act(f, 0, texts[i], &fields);
    ledger_core_commit(f->core);
    for (unsigned i = 0; i < 3; i++)
        expect(f, 0, STATUS_OK, 0);
    assert_int_equal(f->draw.acts_count, 3);
    fields.uid++;
    act(f, 0, texts[0], &fields);
    fields.uid--;
    fields.time_s++;
    act(f, 0, texts[0], &fields);
    ledger_core_commit(f->core);
    assert_int_equal(f->draw.acts_count, 5);
}

/* Many small acts leave room for those that matter. */
static void test_acts_room(void **state)
{
    struct message_act fields = {.time_s = 77, .uid = UID, .is_minor = 1};
    struct fixture *f = *state;
    unsigned refused = 0;

    begin_draw(f, &manual);
    while (f->draw.acts_count < LEDGER_MINOR_ACTS_MAX) {
        for (unsigned i = 0; i < GROUP; i++)
            act(f, 0, "close: refused", &fields);
        ledger_core_commit(f->core);
        for (unsigned i = 0; i < GROUP; i++)
            refused += next_outcome(&f->peers[0]).status == STATUS_NOSPACE;
        close_peer(f, 0);
        open_peer(f, 0); /* forgets what it was sent */
    }
    assert_int_equal(f->draw.acts_count, LEDGER_MINOR_ACTS_MAX);
    assert_true(refused > 0 && refused < GROUP);
    act(f, 0, "reload", &fields);
    fields.is_minor = 0;
    act(f, 0, "next second", &fields);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_NOSPACE, 0);
    expect(f, 0, STATUS_OK, 0);
}

/* Pieces belong to the next request of their peer, and to no other. */
static void test_pieces(void **state)
{
    const struct message_act fields = {.time_s = 77, .uid = UID};
    struct message piece;
    struct fixture *f = *state;
    unsigned taken = 0;

    begin_draw(f, &manual);
    say(f, 0, "from ", 5);
    act(f, 1, "another", &fields);
    ask(f, 2, 1);
    act(f, 0, "here", &fields);
    say(f, 0, "lost", 4);
    ask(f, 0, 1);
    act(f, 0, "alone", &fields);
    ledger_core_commit(f->core);
    assert_int_equal(f->draw.acts_count, 3);
    assert_memory_equal(f->draw.acts[0]->text.data, "another", 7);
    assert_int_equal(f->draw.acts[1]->text.size, 9);
    assert_memory_equal(f->draw.acts[1]->text.data, "from here", 9);
    assert_int_equal(f->draw.acts[2]->text.size, 5);

    /* Without a request, and the peer closes. */
    say(f, 0, "nothing", 7);
    close_peer(f, 0);
    assert_int_equal(f->peers[0].released, 1);
    open_peer(f, 0);
    ledger_core_commit(f->core);
    act(f, 0, "new", &fields);
    commit_and_expect(f, 0, STATUS_OK);
    assert_int_equal(f->draw.acts[3]->text.size, 3);

    /* With a request in the group. */
    act(f, 0, "closes", &fields);
    say(f, 0, "more", 4);
    close_peer(f, 0);
    assert_int_equal(f->peers[0].released, 0);
    ledger_core_commit(f->core);
    assert_int_equal(f->peers[0].released, 1);
    assert_int_equal(f->draw.acts_count, 5);

    /* More than any request needs. */
    (void)message_from_piece("0123456789012345678901234567890123456789", 40, &piece);
    while (ledger_core_message(f->core, f->peers[1].peer, &piece))
        assert_true(++taken < 100);
    assert_true(taken * 40 >= DRAW_TEXT_MAX);
    piece.piece.size = MESSAGE_PIECE_MAX + 1;
    assert_false(ledger_core_message(f->core, f->peers[2].peer, &piece));
    piece.piece.size = 0;
    assert_false(ledger_core_message(f->core, f->peers[2].peer, &piece));
}

/* What everybody hears about a draw that somebody runs: all but what is secret, also for who
 * comes later; and only when it changes. */
static void test_news_of_a_run_draw(void **state)
{
    static const uint8_t zeros[DRAW_SALT_SIZE];
    struct fixture *f = *state;
    struct ledger_news news;
    unsigned before;
    unsigned count;

    begin_draw(f, &sealed_terms);
    ledger_core_commit(f->core);
    all_news_of(&f->peers[1], &news, &count);
    assert_int_equal(count, 1);
    assert_int_equal(news.phase, DRAW_OPEN);
    assert_memory_equal(&news.terms, &sealed_terms, sizeof(news.terms));
    assert_int_equal(news.closed.time_s, 0);
    append(f, 0, 1, 0, 2);
    close_by(f, 0, UID, false);
    ledger_core_commit(f->core);
    all_news_of(&f->peers[1], &news, &count);
    assert_int_equal(count, 2);
    assert_int_equal(news.bets, 2);
    assert_int_equal(news.closed.by, DRAW_BY_OPERATOR);
    assert_int_equal(news.closed.uid, UID);
    assert_int_equal(news.closed.time_s, NOW_S);
    assert_int_equal(news.closed.bets, 2);
    assert_int_equal(news.closed.extent, 0);
    assert_memory_equal(news.closed.salt, zeros, sizeof(zeros));
    assert_true(f->draw.closed.salt[0] != 0);
    (void)next_outcome(&f->peers[0]);
    (void)next_outcome(&f->peers[0]);
    open_files(f, 0, STORE_SEAL, 2);
    commit_and_expect(f, 0, STATUS_OK);
    seal(f, 0, 5, true);
    commit_and_expect(f, 0, STATUS_OK);
    close_peer(f, 2);
    open_peer(f, 2);
    all_news_of(&f->peers[1], &news, &before);
    ledger_core_commit(f->core);
    all_news_of(&f->peers[1], &news, &count);
    assert_int_equal(count, before); /* nothing new for who knows it */
    all_news_of(&f->peers[2], &news, &count);
    assert_int_equal(count, 1);
    assert_true(news.has_seal && news.is_sealed);
    assert_false(news.needs_result || news.has_winners);
    assert_int_equal(news.sealed.root[0], 5);
    assert_string_equal(news.terms.id, "first");
}

/* The scoreboard says this of the draw: all its bets, those of an agency, whether that has
 * finished.
 */
static void assert_counted(const struct fixture *f, uint64_t bets, uint32_t agency,
                           uint64_t of_agency, bool has_finished)
{
    const struct scoreboard_agency counted = scoreboard_agency(f->scoreboard, agency);

    assert_int_equal(scoreboard_draw_bets(f->scoreboard), bets);
    assert_int_equal(counted.bets, of_agency);
    assert_int_equal(counted.has_finished, has_finished);
}

/* What is stored counts at the commit, for the draw and its agencies; a group that fails changes
 * only the store's status. */
static void test_counts(void **state)
{
    struct fixture *f = *state;

    append(f, 0, 1, 0, 3);
    append(f, 1, 1, 3, 2);
    append(f, 1, 2, 0, 4);
    append(f, 1, 9, 0, 4); /* there is no such agency */
    finish(f, 0, 1, 5);
    assert_counted(f, 0, 1, 0, false);
    ledger_core_commit(f->core);
    assert_counted(f, 9, 1, 5, true);
    assert_counted(f, 9, 2, 4, false);
    assert_counted(f, 9, 9, 0, false);
    assert_int_equal(scoreboard_groups(f->scoreboard), 1);
    ask(f, 0, 1); /* nothing to store */
    ledger_core_commit(f->core);
    assert_int_equal(scoreboard_groups(f->scoreboard), 1);
    f->store->commit.status = STATUS_NOSPACE;
    append(f, 0, 2, 4, 1);
    finish(f, 1, 2, 5);
    ledger_core_commit(f->core);
    assert_counted(f, 9, 2, 4, false);
    assert_int_equal(scoreboard_groups(f->scoreboard), 2);
    assert_int_equal(scoreboard_store_status(f->scoreboard), STATUS_NOSPACE);
    commit_one(f); /* agency 1 has finished: nothing to store */
    append(f, 0, 2, 4, 1);
    ledger_core_commit(f->core);
    assert_counted(f, 10, 2, 5, false);
    assert_int_equal(scoreboard_store_status(f->scoreboard), STATUS_OK);
    assert_int_equal(scoreboard_bets_stored(f->scoreboard), 10);
}

/* What an agency has an answer for is on the scoreboard already. */
static uint64_t counted_at_answer;

static void on_send_look(void *owner, void *context, const struct message *message, const int *fds,
                         size_t count)
{
    const struct fixture *f = owner;

    if (message->kind == MESSAGE_OUTCOME)
        counted_at_answer = scoreboard_agency(f->scoreboard, 1).bets;
    on_send(owner, context, message, fds, count);
}

static void test_counts_before_answers(void **state)
{
    struct fixture *f = *state;
    struct ledger_core_events look = events;

    stop(f);
    draw_init(&f->draw);
    look.send = on_send_look;
    const struct ledger_core_config config = {.store = fake_store_open(f->store, &f->draw),
                                              .draw = &f->draw,
                                              .agencies = AGENCIES,
                                              .winner_number = NUMBER,
                                              .events = &look,
                                              .owner = f,
                                              .scoreboard = f->scoreboard->ledger};
    assert_int_equal(ledger_core_create(&config, &f->core, &(struct errbuf){{0}}), STATUS_OK);
    open_peer(f, 0);
    append(f, 0, 1, 0, 3);
    ledger_core_commit(f->core);
    expect(f, 0, STATUS_OK, 3);
    assert_int_equal(counted_at_answer, 3);
    stop(f);
}

/* What a ledger has stored, and did not live to count, the next one counts. What a store has lost
 * is not counted. */
static void test_counts_after_a_death(void **state)
{
    struct fixture *f = *state;
    struct errbuf err = {{0}};

    append(f, 0, 1, 0, 3);
    ledger_core_commit(f->core);
    append(f, 0, 1, 3, 2);
    append(f, 0, 3, 0, 1);
    assert_int_equal(store_commit(&f->store->base, &err), STATUS_OK);
    assert_counted(f, 3, 1, 3, false);
    stop(f);
    start(f);
    assert_counted(f, 6, 1, 5, false);
    assert_counted(f, 6, 3, 1, false);
    assert_int_equal(scoreboard_bets_stored(f->scoreboard), 6);
    open_peer(f, 0);
    f->store->commit.status = STATUS_UNCERTAIN;
    append(f, 0, 1, 5, 2);
    ledger_core_commit(f->core);
    assert_counted(f, 6, 1, 5, false);
    assert_int_equal(scoreboard_store_status(f->scoreboard), STATUS_UNCERTAIN);
    stop(f);
    start(f);
    assert_counted(f, 6, 1, 5, false);
    assert_int_equal(scoreboard_bets_stored(f->scoreboard), 6);
    assert_int_equal(scoreboard_store_status(f->scoreboard), STATUS_OK);
}

static void ask_for_snapshot(struct fixture *f, unsigned peer)
{
    hand_in(f, peer, &(struct message){.kind = MESSAGE_SNAPSHOT});
}

/* A snapshot has all that was handed in before it, and what its group has besides; it has one
 * descriptor, and changes nothing. */
static void test_snapshot(void **state)
{
    struct fixture *f = *state;

    append(f, 0, 1, 0, 2);
    ask_for_snapshot(f, 1);
    append(f, 2, 2, 0, 1);
    assert_true(ledger_core_has_work(f->core));
    ledger_core_commit(f->core);
    assert_int_equal(next_outcome(&f->peers[0]).status, STATUS_OK);
    assert_int_equal(next_outcome(&f->peers[1]).status, STATUS_OK);
    assert_int_equal(f->peers[1].fds, 1);
    assert_string_equal(f->peers[1].text, "records: 3"); /* with that of the opening */
    assert_int_equal(f->peers[0].fds + f->peers[2].fds, 0);
    assert_int_equal(f->store->committed, 3);

    /* Alone in its group; and for a peer that has left meanwhile there is none. */
    ask_for_snapshot(f, 1);
    commit_and_expect(f, 1, STATUS_OK);
    assert_string_equal(f->peers[1].text, "records: 3");
    f->store->snapshot = (struct fake_fault){STATUS_IO, 0};
    ask_for_snapshot(f, 1);
    close_peer(f, 1);
    ledger_core_commit(f->core);
    assert_int_equal(f->peers[1].released, 1);
    assert_int_equal(f->store->snapshot.status, STATUS_IO); /* nobody asked the store */
}

/* A group that cannot be written does not keep a snapshot from being taken: it has what was durable
 * before. One that fails itself says so, and the next one may succeed. */
static void test_snapshot_fails(void **state)
{
    static const enum status statuses[] = {STATUS_NOMEM, STATUS_IO, STATUS_NOSPACE};
    struct fixture *f = *state;

    append(f, 0, 1, 0, 2);
    ask_for_snapshot(f, 1);
    f->store->commit = (struct fake_fault){STATUS_NOSPACE, 0};
    ledger_core_commit(f->core);
    assert_int_equal(next_outcome(&f->peers[0]).status, STATUS_NOSPACE);
    assert_int_equal(next_outcome(&f->peers[1]).status, STATUS_OK);
    assert_string_equal(f->peers[1].text, "records: 1");
    for (unsigned i = 0; i < 3; i++) {
        f->store->snapshot = (struct fake_fault){statuses[i], 0};
        ask_for_snapshot(f, 1);
        commit_and_expect(f, 1, statuses[i]);
    }
    has_no_files = true;
    ask_for_snapshot(f, 1);
    commit_and_expect(f, 1, STATUS_NOMEM);
    has_no_files = false;
    assert_int_equal(f->peers[1].fds, 1);
    ask_for_snapshot(f, 1);
    commit_and_expect(f, 1, STATUS_OK);
    assert_int_equal(f->peers[1].fds, 2);
    assert_int_equal(f->exit_status, 0);
    f->store->snapshot = (struct fake_fault){STATUS_UNCERTAIN, 0};
    ask_for_snapshot(f, 1);
    ledger_core_commit(f->core);
    assert_int_equal(f->exit_status, LEDGER_EXIT_UNCERTAIN);
    assert_int_equal(f->peers[1].fds, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_order),
        CASE(test_partly_known),
        CASE(test_group_fails),
        CASE(test_append_fails),
        CASE(test_fatal),
        CASE(test_other_statuses),
        CASE(test_bad_messages),
        CASE(test_close),
        CASE(test_full_group),
        CASE(test_content),
        CASE(test_news),
        CASE(test_closing),
        CASE(test_closing_fails),
        CASE(test_drawing),
        CASE(test_drawing_refused),
        CASE(test_drawn_before),
        CASE(test_winners_lost),
        CASE(test_settings),
        CASE(test_random),
        CASE(test_trouble_is_logged_once),
        CASE(test_operator_closes),
        CASE(test_operator_closes_again),
        CASE(test_deadline),
        CASE(test_deadline_alone),
        CASE(test_deadline_at_start),
        CASE(test_deadline_fails),
        CASE(test_deadline_in_full_group),
        CASE(test_seal),
        CASE(test_seal_lost),
        CASE(test_seal_fails),
        CASE(test_operator_draws),
        CASE(test_operator_draws_in_vain),
        CASE(test_result),
        CASE(test_acts),
        CASE(test_acts_again),
        CASE(test_acts_room),
        CASE(test_pieces),
        CASE(test_news_of_a_run_draw),
        CASE(test_counts),
        CASE(test_counts_before_answers),
        CASE(test_counts_after_a_death),
        CASE(test_snapshot),
        CASE(test_snapshot_fails),
    };

    log_set_level(LOG_CRITICAL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
