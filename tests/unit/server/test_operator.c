/* What the operator can ask for, with a control socket, a ledger's client and a link to the
 * supervisor that the test plays by hand. */
#include "cmocka_all.h"
#include "control.h"
#include "journal_file.h"
#include "ledger_client.h"
#include "log.h"
#include "operator.h"
#include "supervisor_link.h"
#include "tmpdir.h"
#include "winner_files.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define UID 1000
#define OPS_MAX 1200
#define REQUESTS 1100
#define NEXT "2026-11-26-diurna"

#define FILES_MAX 12

/* A file of a backup; its content is not kept. */
struct test_file {
    char name[128];
    enum control_source source;
    uint64_t size; /* of the content, if it is one */
    uint64_t inode;
};

/* A command, and how it has ended. */
struct test_request {
    struct control_request request; /* first */
    unsigned ends;
    enum control_result result;
    char text[CONTROL_TEXT_MAX + 1];
    struct control_status status;
    size_t count;
    bool has_more;
    struct control_agency agencies[CONTROL_PAGE_MAX];
    char winners[CONTROL_PAGE_MAX][24];
    struct control_snapshot snapshot; /* without its files; the next two, too */
    char draw[DRAW_ID_MAX + 1];
    struct test_file files[FILES_MAX];
};

enum op_kind { OP_CLOSE, OP_ACT, OP_ASK, OP_SNAPSHOT };

/* What was asked of the ledger, and has no outcome yet. */
struct test_op {
    struct ledger_op *op;
    enum op_kind kind;
    uint32_t uid; /* of an ask: the agency */
    bool is_minor;
    char text[DRAW_TEXT_MAX + 1];
};

static struct {
    struct control_config control;
    struct supervisor_link_config link;
    struct supervisor_link *state;
    struct movement movement; /* the last one that was asked for */
    enum status commit;       /* what it returns */
    unsigned cancels;
    struct test_op ops[OPS_MAX]; /* [first..count) */
    size_t first;
    size_t count;
    enum status act; /* what ledger_client_act() returns */
    struct ledger ledger;
    struct ledger_news news;
    const char *refusal; /* of a number */
    struct draw_order order;
    unsigned orders;
    bool is_closed;  /* the control socket */
    int snapshot_fd; /* what the next snapshot is; -1: it was taken */
} fake;

struct fixture {
    char *path;
    struct data_dir data_dir;
    struct operator operator;
    struct test_request requests[REQUESTS];
};

/* ------------------------------------------------------------------ the control socket */

enum status control_create(const struct control_config *config, struct control **out)
{
    fake.control = *config;
    *out = NULL;
    return STATUS_OK;
}

void control_close(struct control *control)
{
    (void)control;
    fake.is_closed = true;
}

void control_destroy(struct control *control)
{
    (void)control;
    assert_true(fake.is_closed);
}

void control_end(struct control_request *request, enum control_result result, const char *text)
{
    struct test_request *of = (struct test_request *)(void *)request;

    of->ends++;
    of->result = result;
    (void)snprintf(of->text, sizeof(of->text), "%s", text != NULL ? text : "");
    memset(request, 0xee, sizeof(*request)); /* it must not be touched any more */
}

void control_end_status(struct control_request *request, const struct control_status *status)
{
    ((struct test_request *)(void *)request)->status = *status;
    control_end(request, CONTROL_DONE, NULL);
}

void control_end_agencies(struct control_request *request, const struct control_agency *rows,
                          size_t count, bool has_more)
{
    struct test_request *of = (struct test_request *)(void *)request;

    assert_true(count <= CONTROL_PAGE_MAX);
    of->count = count;
    of->has_more = has_more;
    if (count > 0)
        memcpy(of->agencies, rows, count * sizeof(*rows));
    control_end(request, CONTROL_DONE, NULL);
}

void control_end_winners(struct control_request *request, const struct control_winner *rows,
                         size_t count, bool has_more)
{
    struct test_request *of = (struct test_request *)(void *)request;

    assert_true(count <= CONTROL_PAGE_MAX && (count > 0 || !has_more));
    of->count = count;
    of->has_more = has_more;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(of->winners[i], sizeof(of->winners[i]), "%" PRIu32 ",%.*s", rows[i].agency,
                       (int)rows[i].document.size, rows[i].document.data);
    control_end(request, CONTROL_DONE, NULL);
}

void control_end_backup(struct control_request *request, const struct control_snapshot *snapshot,
                        const char *text)
{
    struct test_request *of = (struct test_request *)(void *)request;

    assert_true(snapshot->count <= FILES_MAX);
    of->snapshot = *snapshot;
    (void)snprintf(of->draw, sizeof(of->draw), "%s", snapshot->draw);
    for (size_t i = 0; i < snapshot->count; i++) {
        const struct control_file *file = &snapshot->files[i];
        struct test_file *to = &of->files[i];
        (void)snprintf(to->name, sizeof(to->name), "%s", file->name);
        to->source = file->source;
        to->size = file->source == CONTROL_CONTENT ? file->content.size : file->size;
        to->inode = file->inode;
    }
    control_end(request, CONTROL_DONE, text);
}

/* ------------------------------------------------------------------ the ledger's client */

static struct test_op *add_op(struct ledger_op *op, enum op_kind kind)
{
    struct test_op *of = &fake.ops[fake.count++];

    assert_true(fake.count <= OPS_MAX);
    *of = (struct test_op){.op = op};
    of->kind = kind;
    return of;
}

static const struct ledger_news *fake_news(const struct ledger *ledger)
{
    (void)ledger;
    return &fake.news;
}

static void fake_ask(struct ledger *ledger, struct ledger_op *op, uint32_t agency, uint64_t offset)
{
    (void)ledger;
    (void)offset;
    add_op(op, OP_ASK)->uid = agency;
}

static const struct ledger_backend fake_backend = {.news = fake_news, .ask = fake_ask};

struct ledger *ledger_client_base(struct ledger_client *client)
{
    (void)client;
    return &fake.ledger;
}

void ledger_client_close_draw(struct ledger_client *client, struct ledger_op *op,
                              enum draw_closed_by by, uint32_t uid)
{
    (void)client;
    assert_int_equal(by, DRAW_BY_OPERATOR);
    add_op(op, OP_CLOSE)->uid = uid;
}

enum status ledger_client_act(struct ledger_client *client, struct ledger_op *op,
                              const struct draw_act *act, bool is_minor)
{
    (void)client;
    assert_true(act->time_s > 0);
    assert_true(act->text.size > 0 && draw_is_text(act->text));
    if (fake.act != STATUS_OK)
        return fake.act;
    struct test_op *of = add_op(op, OP_ACT);
    of->uid = act->uid;
    of->is_minor = is_minor;
    memcpy(of->text, act->text.data, act->text.size);
    return STATUS_OK;
}

void ledger_client_snapshot(struct ledger_client *client, struct ledger_op *op)
{
    (void)client;
    (void)add_op(op, OP_SNAPSHOT);
}

void ledger_client_take_fds(struct ledger_client *client, int *fds, size_t count)
{
    (void)client;
    assert_int_equal(count, 1);
    assert_true(fake.snapshot_fd >= 0);
    *fds = fake.snapshot_fd;
    fake.snapshot_fd = -1;
}

static void end_op(enum status status)
{
    assert_true(fake.first < fake.count);
    struct ledger_op *op = fake.ops[fake.first++].op;

    op->status = status;
    op->done(op);
}

/* The next thing that the ledger is asked for is this act. */
static void expect_act(const char *text, bool is_minor, enum status status)
{
    assert_true(fake.first < fake.count);
    const struct test_op *of = &fake.ops[fake.first];

    assert_int_equal(of->kind, OP_ACT);
    assert_string_equal(of->text, text);
    assert_int_equal(of->uid, UID);
    assert_int_equal(of->is_minor, is_minor);
    end_op(status);
}

static void expect_no_op(void)
{
    assert_int_equal(fake.first, fake.count);
}

/* ------------------------------------------------------------------ the supervisor */

enum status supervisor_link_start(struct supervisor_link *link,
                                  const struct supervisor_link_config *config)
{
    *link = (struct supervisor_link){.config = *config};
    fake.link = *config;
    fake.state = link;
    return STATUS_OK;
}

enum status supervisor_link_prepare(struct supervisor_link *link, const struct movement *movement)
{
    if (link->state != SUPERVISOR_LINK_IDLE)
        return STATUS_INUSE;
    if (fake.commit != STATUS_OK && movement->kind == MOVEMENT_RELOAD)
        return fake.commit;
    fake.movement = *movement;
    link->state = SUPERVISOR_LINK_ASKED;
    return STATUS_OK;
}

enum status supervisor_link_commit(struct supervisor_link *link)
{
    assert_int_equal(link->state, SUPERVISOR_LINK_PREPARED);
    if (fake.commit == STATUS_OK)
        link->state = SUPERVISOR_LINK_COMMITTED;
    return fake.commit;
}

void supervisor_link_cancel(struct supervisor_link *link)
{
    if (link->state == SUPERVISOR_LINK_ASKED || link->state == SUPERVISOR_LINK_PREPARED)
        link->state = SUPERVISOR_LINK_IDLE;
    fake.cancels++;
}

void supervisor_link_tell_phase(struct supervisor_link *link, enum draw_phase phase)
{
    link->phase = phase;
}

void supervisor_link_close(struct supervisor_link *link)
{
    assert_ptr_equal(link, fake.state);
    fake.state = NULL;
}

static void prepared(void)
{
    fake.state->state = SUPERVISOR_LINK_PREPARED;
    fake.link.on_prepared(fake.link.owner);
}

static void refused(const char *reason)
{
    fake.state->state = SUPERVISOR_LINK_IDLE;
    fake.link.on_refused(fake.link.owner, reason);
}

/* ------------------------------------------------------------------ the coordinator */

static const char *refuses_number(void *owner)
{
    (void)owner;
    return fake.refusal;
}

static void give_number(void *owner, const struct draw_order *order)
{
    (void)owner;
    fake.orders++;
    fake.order = *order;
}

static const char *vkey(void *owner)
{
    (void)owner;
    return "lottery+key";
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    memset(&fake, 0, sizeof(fake));
    fake.ledger.backend = &fake_backend;
    fake.news = (struct ledger_news){
        .phase = DRAW_OPEN, .agencies = 5, .terms = {.mode = DRAW_MANUAL, .id = "2026-11-25"}};
    f->path = tmpdir_make();
    int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    f->data_dir =
        (struct data_dir){.ops = &file_ops_system, .path = f->path, .fd = fd, .old_lock_fd = -1};
    assert_int_equal(
        operator_start(&f->operator, &(struct operator_config){.data_dir = &f->data_dir,
                                                               .socket = "control.sock",
                                                               .refuses_number = refuses_number,
                                                               .give_number = give_number,
                                                               .vkey = vkey,
                                                               .owner = f}),
        STATUS_OK);
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;

    operator_close(&f->operator);
    while (fake.first < fake.count)
        end_op(STATUS_STOPPED); /* as the client does when it is closed */
    operator_fini(&f->operator);
    assert_int_equal(close(f->data_dir.fd), 0);
    tmpdir_remove(f->path);
    free(f);
    return 0;
}

static struct control_request *request(struct fixture *f, unsigned i)
{
    f->requests[i] = (struct test_request){.request = {.uid = UID, .draw = NEXT}};
    return &f->requests[i].request;
}

static void expect_running(const struct fixture *f, unsigned i)
{
    assert_int_equal(f->requests[i].ends, 0);
}

static void expect_end(const struct fixture *f, unsigned i, enum control_result result,
                       const char *text)
{
    assert_int_equal(f->requests[i].ends, 1);
    assert_int_equal(f->requests[i].result, result);
    assert_string_equal(f->requests[i].text, text);
}

static void close_draw(struct fixture *f, unsigned i)
{
    fake.control.backend->close(fake.control.owner, request(f, i));
}

static void draw(struct fixture *f, unsigned i, const char *source)
{
    request(f, i)->number = 7574;
    f->requests[i].request.source = text_of(source);
    fake.control.backend->draw(fake.control.owner, &f->requests[i].request);
}

static void next(struct fixture *f, unsigned i)
{
    request(f, i)->close_at_s = 99;
    fake.control.backend->next(fake.control.owner, &f->requests[i].request);
}

static void reload(struct fixture *f, unsigned i)
{
    fake.control.backend->reload(fake.control.owner, request(f, i));
}

/* ------------------------------------------------------------------ the acts */

/* Closing: done when it is on record and so is the act; or refused, or failed. */
static void test_close(void **state)
{
    struct fixture *f = *state;

    close_draw(f, 0);
    assert_int_equal(fake.ops[0].kind, OP_CLOSE);
    assert_int_equal(fake.ops[0].uid, UID);
    close_draw(f, 1);
    end_op(STATUS_OK);
    end_op(STATUS_CLOSED);
    expect_running(f, 0);
    expect_act("close", false, STATUS_OK);
    expect_end(f, 0, CONTROL_DONE, "");
    expect_act("close: refused: the draw is closed already", true, STATUS_OK);
    expect_end(f, 1, CONTROL_REFUSED, "the draw is closed already");
    close_draw(f, 2);
    end_op(STATUS_NOSPACE);
    char text[128];
    (void)snprintf(text, sizeof(text), "the closing cannot be recorded: %s",
                   status_text(STATUS_NOSPACE));
    assert_memory_equal(fake.ops[fake.first].text, "close: failed: the closing", 26);
    end_op(STATUS_NOSPACE); /* nor can the act: it is answered all the same */
    expect_end(f, 2, CONTROL_FAILED, text);
    close_draw(f, 3);
    end_op(STATUS_OK);
    fake.act = STATUS_NOMEM;
    fake.news.phase = DRAW_CLOSED;
    close_draw(f, 4); /* refused without a record */
    expect_end(f, 4, CONTROL_REFUSED, "the draw is closed already");
    fake.act = STATUS_OK;
    expect_act("close", false, STATUS_IO);
    expect_end(f, 3, CONTROL_DONE, ""); /* it is closed */
    expect_no_op();
}

/* What may not be done now is refused, recorded, and nothing else happens. */
static void test_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum draw_phase phase;
        enum draw_mode mode;
        bool has_winners;
        bool can_close;
        bool can_go_on;
    } cases[] = {
        {DRAW_NEW, DRAW_MANUAL, false, false, false},
        {DRAW_OPEN, DRAW_AUTO, false, false, false},
        {DRAW_OPEN, DRAW_MANUAL, false, true, false},
        {DRAW_CLOSED, DRAW_MANUAL, false, false, false},
        {DRAW_DRAWN, DRAW_AUTO, true, false, false},
        {DRAW_DRAWN, DRAW_MANUAL, false, false, false},
        {DRAW_DRAWN, DRAW_MANUAL, true, false, true},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        fake.news.phase = cases[i].phase;
        fake.news.terms.mode = cases[i].mode;
        fake.news.has_winners = cases[i].has_winners;
        close_draw(f, 0);
        assert_int_equal(fake.ops[fake.first].kind, cases[i].can_close ? OP_CLOSE : OP_ACT);
        end_op(STATUS_OK);
        if (cases[i].can_close)
            expect_act("close", false, STATUS_OK);
        assert_int_equal(f->requests[0].result,
                         cases[i].can_close ? CONTROL_DONE : CONTROL_REFUSED);
        next(f, 1);
        if (cases[i].can_go_on) {
            expect_no_op();
            continue;
        }
        assert_memory_equal(fake.ops[fake.first].text,
                            "next " NEXT ": refused: ", strlen("next " NEXT ": refused: "));
        end_op(STATUS_OK);
        assert_int_equal(f->requests[1].result, CONTROL_REFUSED);
        assert_true(strlen(f->requests[1].text) > 10);
    }
    expect_running(f, 1);
    refused("enough");
    expect_act("next " NEXT ": refused: enough", true, STATUS_OK);
    (void)strcpy(fake.news.terms.id, NEXT);
    next(f, 2);
    expect_act("next " NEXT ": refused: this is the draw in force", true, STATUS_OK);
    fake.refusal = "not yet";
    draw(f, 3, "");
    expect_act("draw 7574: refused: not yet", true, STATUS_OK);
    expect_end(f, 3, CONTROL_REFUSED, "not yet");
    assert_int_equal(fake.orders, 0);
}

/* A number: how it ends is what the coordinator says, once. */
static void test_draw(void **state)
{
    static const struct {
        enum coordinator_order order;
        const char *act;
        enum control_result result;
        const char *text;
    } ends[] = {
        {COORDINATOR_ORDER_DONE, "draw 7574", CONTROL_DONE, ""},
        {COORDINATOR_ORDER_FAILED, "draw 7574: failed: no space", CONTROL_FAILED, "no space"},
        {COORDINATOR_ORDER_LATE, "draw 7574: refused: the draw has another number already",
         CONTROL_REFUSED, "the draw has another number already"},
    };
    struct fixture *f = *state;

    operator_on_order(&f->operator, COORDINATOR_ORDER_DONE, ""); /* nobody waits */
    for (unsigned i = 0; i < 3; i++) {
        char source[] = "drum";
        draw(f, i, source);
        memset(source, 'x', sizeof(source));
        assert_int_equal(fake.orders, i + 1);
        assert_int_equal(fake.order.number, 7574);
        assert_int_equal(fake.order.uid, UID);
        assert_int_equal(fake.order.source_size, 4);
        assert_memory_equal(fake.order.source, "drum", 4);
        operator_on_order(&f->operator, COORDINATOR_ORDER_NONE, "");
        expect_no_op();
        operator_on_order(&f->operator, ends[i].order, "no space");
        expect_running(f, i);
        expect_act(ends[i].act, i != 0, STATUS_OK);
        expect_end(f, i, ends[i].result, ends[i].text);
    }
    expect_no_op();
}

/* The next draw: prepared, recorded, and only then committed. */
static void test_next(void **state)
{
    struct fixture *f = *state;

    fake.news.phase = DRAW_DRAWN;
    fake.news.has_winners = true;
    next(f, 0);
    assert_int_equal(fake.movement.kind, MOVEMENT_NEXT);
    assert_string_equal(fake.movement.id, NEXT);
    assert_int_equal(fake.movement.uid, UID);
    assert_int_equal(fake.movement.close_at_s, 99);
    reload(f, 1); /* one at a time */
    expect_act("reload: refused: another next or reload is under way", true, STATUS_OK);
    expect_end(f, 1, CONTROL_REFUSED, "another next or reload is under way");
    prepared();
    assert_int_equal(fake.state->state, SUPERVISOR_LINK_PREPARED);
    expect_running(f, 0);
    expect_act("next " NEXT, false, STATUS_OK);
    expect_end(f, 0, CONTROL_MOVING, "");
    assert_int_equal(fake.state->state, SUPERVISOR_LINK_COMMITTED);
    reload(f, 2);
    expect_act("reload: refused: another next or reload is under way", true, STATUS_OK);
    fake.link.on_refused(fake.link.owner, "too late"); /* it was answered: the log has it */
    expect_no_op();
}

/* What can go wrong with it leaves nothing prepared, and the record says what happened. */
static void test_next_fails(void **state)
{
    struct fixture *f = *state;

    fake.news.phase = DRAW_DRAWN;
    fake.news.has_winners = true;
    next(f, 0); /* the act cannot be recorded */
    prepared();
    expect_act("next " NEXT, false, STATUS_NOSPACE);
    assert_int_equal(f->requests[0].result, CONTROL_FAILED);
    assert_int_equal(fake.cancels, 1);
    expect_no_op();
    next(f, 1); /* nor begun to be */
    fake.act = STATUS_NOMEM;
    prepared();
    assert_int_equal(f->requests[1].result, CONTROL_FAILED);
    assert_int_equal(fake.cancels, 2);
    fake.act = STATUS_OK;
    next(f, 2); /* the supervisor cannot be reached */
    prepared();
    fake.commit = STATUS_IO;
    expect_act("next " NEXT, false, STATUS_OK);
    assert_int_equal(fake.cancels, 3);
    expect_running(f, 2);
    expect_act("next " NEXT ": failed: the supervisor cannot be reached", true, STATUS_OK);
    expect_end(f, 2, CONTROL_FAILED, "the supervisor cannot be reached");
    reload(f, 3);
    expect_act("reload: refused: the supervisor cannot be reached", true, STATUS_OK);
    fake.commit = STATUS_OK;
    reload(f, 4); /* it refuses */
    refused("SERVER_PORT cannot change");
    expect_act("reload: refused: SERVER_PORT cannot change", true, STATUS_OK);
    expect_end(f, 4, CONTROL_REFUSED, "SERVER_PORT cannot change");
    reload(f, 5); /* it refuses what it has prepared, while that is being recorded */
    prepared();
    refused("it is not prepared any more");
    expect_running(f, 5);
    expect_act("reload", true, STATUS_OK);
    expect_act("reload: refused: it is not prepared any more", true, STATUS_OK);
    expect_end(f, 5, CONTROL_REFUSED, "it is not prepared any more");
    reload(f, 6); /* and all is as it was */
    prepared();
    expect_act("reload", true, STATUS_OK);
    expect_end(f, 6, CONTROL_MOVING, "");
    expect_no_op();
}

/* A reason that a record has no room for, or must not have: the act does not look done. */
static void test_reasons(void **state)
{
    struct fixture *f = *state;
    char reason[CONTROL_TEXT_MAX + 1];
    char expected[DRAW_TEXT_MAX + 2];

    for (unsigned shift = 0; shift < 3; shift++) {
        memset(reason, 'x', shift);
        for (size_t i = shift; i < 300; i += 3)
            memcpy(reason + i, "\xe2\x82\xac", 4); /* a euro sign, and the end */
        fake.refusal = reason;
        draw(f, 0, "");
        size_t size = strlen(fake.ops[fake.first].text);
        (void)snprintf(expected, sizeof(expected), "draw 7574: refused: %s", reason);
        assert_true(size > DRAW_TEXT_MAX - 3 && size <= DRAW_TEXT_MAX);
        assert_memory_equal(fake.ops[fake.first].text, expected, size);
        end_op(STATUS_OK);
        expect_end(f, 0, CONTROL_REFUSED, reason);
    }
    memset(reason, 'x', 400);
    reason[400] = '\0';
    draw(f, 0, "");
    assert_int_equal(strlen(fake.ops[fake.first].text), DRAW_TEXT_MAX);
    end_op(STATUS_OK);
    fake.refusal = "config.ini:3: \x01 is bad";
    draw(f, 1, "");
    expect_act("draw 7574: refused", true, STATUS_OK);
    fake.refusal = "config.ini:3: \xff is bad";
    draw(f, 2, "");
    expect_act("draw 7574: refused", true, STATUS_OK);
}

/* Nobody fills the record with what is refused. */
static void test_many_refusals(void **state)
{
    struct fixture *f = *state;
    unsigned recorded = 0;

    fake.news.phase = DRAW_CLOSED;
    for (unsigned i = 0; i < REQUESTS; i++) {
        close_draw(f, i);
        if (fake.first < fake.count) {
            end_op(STATUS_OK);
            recorded++;
        }
        expect_end(f, i, CONTROL_REFUSED, "the draw is closed already");
    }
    assert_int_equal(recorded, 1000);
    fake.news.phase = DRAW_DRAWN;
    fake.news.has_winners = true;
    next(f, 0);
    prepared();
    expect_act("next " NEXT, false, STATUS_OK);
    expect_end(f, 0, CONTROL_MOVING, "");
}

/* The server stops while commands run: each ends once, and nothing new is begun. */
static void test_stop(void **state)
{
    struct fixture *f = *state;

    close_draw(f, 0);
    draw(f, 1, "drum");
    fake.refusal = "not now";
    draw(f, 2, ""); /* its refusal is being recorded */
    fake.news.phase = DRAW_DRAWN;
    fake.news.has_winners = true;
    next(f, 3);
    fake.news.phase = DRAW_OPEN;
    fake.control.backend->status(fake.control.owner, request(f, 4));
    fake.control.backend->agencies(fake.control.owner, request(f, 5));
    operator_close(&f->operator);
    operator_close(&f->operator);
    expect_end(f, 1, CONTROL_FAILED, "the server stops");
    expect_end(f, 3, CONTROL_FAILED, "the server stops");
    while (fake.first < fake.count)
        end_op(STATUS_STOPPED);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(f->requests[i].ends, 1);
    operator_on_order(&f->operator, COORDINATOR_ORDER_DONE, "");
    operator_on_news(&f->operator);
    assert_int_equal(fake.count, 12); /* the closing, the refusal, and twice five agencies */
}

/* The same while a movement is recorded, or is decided. */
static void test_stop_while_moving(void **state)
{
    struct fixture *f = *state;

    reload(f, 0);
    prepared();
    operator_close(&f->operator);
    expect_running(f, 0);
    end_op(STATUS_STOPPED);
    assert_int_equal(f->requests[0].ends, 1);
    assert_int_equal(f->requests[0].result, CONTROL_FAILED);
    expect_no_op();
}

static void test_stop_after_refusal(void **state)
{
    struct fixture *f = *state;

    reload(f, 0);
    prepared();
    refused("it is not prepared any more");
    operator_close(&f->operator);
    end_op(STATUS_STOPPED);
    assert_int_equal(f->requests[0].ends, 1);
    expect_no_op();
}

/* ------------------------------------------------------------------ backups */

static void backup(struct fixture *f, unsigned i)
{
    fake.control.backend->backup(fake.control.owner, request(f, i));
}

/* A snapshot of a draw in this phase, with two bets in 60 bytes; as a file. */
static int make_snapshot(enum draw_phase phase, bool has_seal, const char *id)
{
    struct draw_agency agencies[3] = {{.received = 0}, {.received = 2}, {.has_finished = true}};
    struct draw state = {.phase = phase,
                         .agencies = 2,
                         .finished = 1,
                         .bets = 2,
                         .agency = agencies,
                         .terms = {.mode = DRAW_MANUAL, .has_seal = has_seal}};
    const struct bets_extent extent = {.size = 60, .crc = 7};
    struct buffer bytes = {0};

    (void)snprintf(state.terms.id, sizeof(state.terms.id), "%s", id);
    if (phase >= DRAW_CLOSED) {
        state.closed = (struct draw_closed){
            .time_s = 5, .by = DRAW_BY_OPERATOR, .uid = UID, .bets = 2, .extent = 60};
        state.is_sealed = has_seal;
        state.sealed.time_s = has_seal ? 6 : 0;
    }
    if (phase == DRAW_DRAWN)
        state.drawn = (struct draw_drawn){.time_s = 7, .winner_number = 7574};
    assert_int_equal(journal_file_encode(&state, &extent, &bytes), STATUS_OK);
    int fd = memfd_create("snapshot", MFD_CLOEXEC);
    assert_int_equal(write(fd, bytes.data, bytes.size), bytes.size);
    buffer_fini(&bytes);
    return fd;
}

static void make_file(const struct fixture *f, const char *name)
{
    int fd = openat(f->data_dir.fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

/* The ledger records the act, and has this snapshot. */
static void give_snapshot(int fd)
{
    expect_act("backup", true, STATUS_OK);
    assert_int_equal(fake.ops[fake.first].kind, OP_SNAPSHOT);
    fake.snapshot_fd = fd;
    end_op(STATUS_OK);
    assert_int_equal(fake.snapshot_fd, -1);
    expect_no_op();
}

/* The files are these, each with its source; NULL ends the list. */
static void expect_files(const struct fixture *f, unsigned i, const char *const *names,
                         const enum control_source *sources)
{
    size_t count = 0;

    for (; names[count] != NULL; count++) {
        assert_string_equal(f->requests[i].files[count].name, names[count]);
        assert_int_equal(f->requests[i].files[count].source, sources[count]);
    }
    assert_int_equal(f->requests[i].snapshot.count, count);
}

/* An open draw with an id: bets, journal, the key if there is one, and what says which draw it is.
 * The act is on record before the snapshot is asked for, and so is in it. */
static void test_backup_open(void **state)
{
    struct fixture *f = *state;
    struct stat info;

    make_file(f, "bets.csv");
    make_file(f, "winners.csv"); /* a leftover */
    backup(f, 0);
    assert_int_equal(fake.count, 1);
    give_snapshot(make_snapshot(DRAW_OPEN, true, "d1"));
    expect_end(f, 0, CONTROL_DONE, "");
    assert_string_equal(f->requests[0].draw, "d1");
    assert_int_equal(f->requests[0].snapshot.bets, 2);
    assert_int_equal(f->requests[0].snapshot.phase, DRAW_OPEN);
    expect_files(
        f, 0,
        (const char *const[]){"d1/bets.csv", "d1/bets.journal", "seal-key.pem", "current", NULL},
        (const enum control_source[]){CONTROL_BEGINNING, CONTROL_CONTENT, CONTROL_IF_ANY,
                                      CONTROL_CONTENT});
    assert_int_equal(fstatat(f->data_dir.fd, "bets.csv", &info, 0), 0);
    assert_int_equal(f->requests[0].files[0].inode, info.st_ino);
    assert_int_equal(f->requests[0].files[0].size, 60);
    assert_true(f->requests[0].files[1].size > 8192);
    assert_int_equal(f->requests[0].files[3].size, 3);
}

/* A drawn one without an id has the files of seal, winners and result besides, those that are
 * there: the others are made again, and the answer says so. */
static void test_backup_drawn(void **state)
{
    struct fixture *f = *state;

    make_file(f, "bets.csv");
    make_file(f, "seal.txt");
    make_file(f, "seal.leaves");
    make_file(f, "winners.csv");
    make_file(f, "winners.index");
    make_file(f, "result.txt");
    backup(f, 0);
    give_snapshot(make_snapshot(DRAW_DRAWN, true, ""));
    expect_end(f, 0, CONTROL_DONE, "");
    assert_true(f->requests[0].snapshot.is_sealed);
    expect_files(f, 0,
                 (const char *const[]){"bets.csv", "bets.journal", "seal.txt", "seal.leaves",
                                       "winners.csv", "winners.index", "result.txt", "seal-key.pem",
                                       NULL},
                 (const enum control_source[]){CONTROL_BEGINNING, CONTROL_CONTENT, CONTROL_WHOLE,
                                               CONTROL_WHOLE, CONTROL_WHOLE, CONTROL_WHOLE,
                                               CONTROL_WHOLE, CONTROL_IF_ANY});
    assert_int_equal(unlinkat(f->data_dir.fd, "winners.index", 0), 0);
    assert_int_equal(unlinkat(f->data_dir.fd, "result.txt", 0), 0);
    backup(f, 1);
    give_snapshot(make_snapshot(DRAW_DRAWN, true, ""));
    assert_int_equal(f->requests[1].result, CONTROL_DONE);
    assert_non_null(strstr(f->requests[1].text, "winners.index is not in it"));
    assert_non_null(strstr(f->requests[1].text, "; result.txt is not in it"));
    assert_int_equal(f->requests[1].snapshot.count, 6);
    /* Without a seal nothing of it is looked for. */
    backup(f, 2);
    give_snapshot(make_snapshot(DRAW_CLOSED, false, ""));
    expect_end(f, 2, CONTROL_DONE, "");
    assert_int_equal(f->requests[2].snapshot.count, 3);
}

/* An act that cannot be recorded, as on a full disk, does not keep anybody from a copy. */
static void test_backup_without_a_record(void **state)
{
    struct fixture *f = *state;
    char text[128];

    make_file(f, "bets.csv");
    backup(f, 0);
    expect_act("backup", true, STATUS_NOSPACE);
    fake.snapshot_fd = make_snapshot(DRAW_OPEN, false, "");
    end_op(STATUS_OK);
    (void)snprintf(text, sizeof(text), "this backup is not on record: %s",
                   status_text(STATUS_NOSPACE));
    expect_end(f, 0, CONTROL_DONE, text);
    fake.act = STATUS_NOMEM;
    backup(f, 1);
    fake.snapshot_fd = make_snapshot(DRAW_OPEN, false, "");
    end_op(STATUS_OK);
    assert_int_equal(f->requests[1].result, CONTROL_DONE);
    expect_no_op();
}

/* Without a snapshot there is no backup, which is recorded, too. */
static void test_backup_fails(void **state)
{
    struct fixture *f = *state;

    backup(f, 0);
    expect_act("backup", true, STATUS_OK);
    end_op(STATUS_IO);
    char text[64];
    (void)snprintf(text, sizeof(text), "backup: failed: %s", status_text(STATUS_IO));
    expect_act(text, true, STATUS_OK);
    expect_end(f, 0, CONTROL_FAILED, status_text(STATUS_IO));
    backup(f, 1);
    expect_act("backup", true, STATUS_OK);
    fake.snapshot_fd = make_snapshot(DRAW_OPEN, false, "");
    end_op(STATUS_OK); /* there is no bets.csv */
    end_op(STATUS_OK);
    assert_int_equal(f->requests[1].result, CONTROL_FAILED);
    assert_memory_equal(f->requests[1].text, "bets.csv: ", 10);
    make_file(f, "bets.csv");
    backup(f, 2);
    expect_act("backup", true, STATUS_OK);
    fake.snapshot_fd = memfd_create("snapshot", MFD_CLOEXEC);
    end_op(STATUS_OK); /* that is none */
    end_op(STATUS_OK);
    assert_int_equal(f->requests[2].result, CONTROL_FAILED);
    assert_memory_equal(f->requests[2].text, "bets.journal: ", 14);
    expect_no_op();
}

/* The server stops before the act is recorded, or before the snapshot is there. */
static void test_backup_stops(void **state)
{
    struct fixture *f = *state;

    backup(f, 0);
    backup(f, 1);
    expect_act("backup", true, STATUS_OK);
    operator_close(&f->operator);
    while (fake.first < fake.count)
        end_op(STATUS_STOPPED);
    expect_end(f, 0, CONTROL_FAILED, "the server stops");
    expect_end(f, 1, CONTROL_FAILED, "the server stops");
}

/* ------------------------------------------------------------------ the lists */

/* Answers what is asked for, also what follows from that: agency a has a * 10 bets. */
static void answer_asks(enum status status)
{
    while (fake.first < fake.count) {
        struct test_op *of = &fake.ops[fake.first];
        assert_int_equal(of->kind, OP_ASK);
        of->op->received = of->uid * 10;
        of->op->has_finished = of->uid % 2 == 0;
        end_op(status);
    }
}

/* The bets of an open draw are those of all agencies, however many; later the news has them. */
static void test_status(void **state)
{
    struct fixture *f = *state;

    fake.news.agencies = 600;
    fake.news.finished = 300;
    fake.control.backend->status(fake.control.owner, request(f, 0));
    expect_running(f, 0);
    answer_asks(STATUS_OK);
    expect_end(f, 0, CONTROL_DONE, "");
    assert_int_equal(f->requests[0].status.bets, 600 * 601 / 2 * 10);
    assert_true(f->requests[0].status.has_bets);
    assert_int_equal(f->requests[0].status.finished, 300);
    assert_string_equal(f->requests[0].status.vkey, "lottery+key");
    assert_string_equal(f->requests[0].status.terms.id, "2026-11-25");
    fake.control.backend->status(fake.control.owner, request(f, 1));
    answer_asks(STATUS_IO);
    assert_int_equal(f->requests[1].result, CONTROL_FAILED);
    fake.news.phase = DRAW_CLOSED;
    fake.news.bets = 77;
    fake.news.is_sealed = true;
    fake.control.backend->status(fake.control.owner, request(f, 2));
    expect_no_op();
    assert_int_equal(f->requests[2].status.bets, 77);
    /* On record is what counts: after the ledger's restart nobody has looked at the files yet. */
    assert_true(f->requests[2].status.is_sealed);
    fake.news.phase = DRAW_NEW;
    fake.news.agencies = 0;
    fake.control.backend->status(fake.control.owner, request(f, 3));
    assert_false(f->requests[3].status.has_bets);
}

static void test_agencies(void **state)
{
    struct fixture *f = *state;
    uint32_t seen = 0;

    fake.news.agencies = 600;
    for (unsigned page = 0;; page++) {
        request(f, page)->from = seen;
        fake.control.backend->agencies(fake.control.owner, &f->requests[page].request);
        answer_asks(STATUS_OK);
        for (size_t i = 0; i < f->requests[page].count; i++) {
            assert_int_equal(f->requests[page].agencies[i].id, ++seen);
            assert_int_equal(f->requests[page].agencies[i].bets, seen * 10);
            assert_int_equal(f->requests[page].agencies[i].has_finished, seen % 2 == 0);
        }
        assert_int_equal(f->requests[page].has_more, seen < 600);
        if (!f->requests[page].has_more)
            break;
    }
    assert_int_equal(seen, 600);
    request(f, 20)->from = UINT64_MAX;
    fake.control.backend->agencies(fake.control.owner, &f->requests[20].request);
    expect_end(f, 20, CONTROL_DONE, "");
    assert_int_equal(f->requests[20].count, 0);
    request(f, 21)->from = 599;
    fake.control.backend->agencies(fake.control.owner, &f->requests[21].request);
    answer_asks(STATUS_IO);
    assert_int_equal(f->requests[21].result, CONTROL_FAILED);
}

static void write_winners(const struct fixture *f, const char *text, size_t size)
{
    int fd = openat(f->data_dir.fd, WINNERS_NAME, O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, size), size);
    assert_int_equal(close(fd), 0);
}

static void list_winners(struct fixture *f, unsigned i, uint64_t from)
{
    request(f, i)->from = from;
    fake.control.backend->winners(fake.control.owner, &f->requests[i].request);
    assert_int_equal(f->requests[i].ends, 1);
}

/* All pages from the beginning; and from anywhere, also backwards. */
static void test_winners(void **state)
{
    enum { ROWS = 5000 };
    struct fixture *f = *state;
    char *text = malloc((size_t)ROWS * 32);
    char line[32];
    size_t size = 0;
    uint64_t seen = 0;

    assert_non_null(text);
    list_winners(f, 0, 0);
    expect_end(f, 0, CONTROL_REFUSED, "there are no winners yet");
    fake.news.has_winners = true;
    list_winners(f, 0, 0); /* no file */
    assert_int_equal(f->requests[0].result, CONTROL_FAILED);
    write_winners(f, "", 0);
    list_winners(f, 0, 0);
    expect_end(f, 0, CONTROL_DONE, "");
    assert_int_equal(f->requests[0].count, 0);
    for (unsigned i = 0; i < ROWS; i++)
        size += (size_t)sprintf(text + size, "%u,%0*u\r\n", i % 3 == 0 ? 10000 : i % 5 + 1,
                                1 + (int)(i % 16), i);
    write_winners(f, text, size);
    do {
        list_winners(f, 0, seen);
        for (size_t i = 0; i < f->requests[0].count; i++, seen++) {
            (void)snprintf(line, sizeof(line), "%u,%0*u",
                           seen % 3 == 0 ? 10000 : (unsigned)seen % 5 + 1, 1 + (int)(seen % 16),
                           (unsigned)seen);
            assert_string_equal(f->requests[0].winners[i], line);
        }
    } while (f->requests[0].has_more);
    assert_int_equal(seen, ROWS);
    list_winners(f, 1, 4000);
    list_winners(f, 2, 3);
    assert_string_equal(f->requests[1].winners[0], "1,4000");
    assert_string_equal(f->requests[2].winners[0], "10000,0003");
    list_winners(f, 3, ROWS);
    expect_end(f, 3, CONTROL_DONE, "");
    assert_int_equal(f->requests[3].count, 0);
    list_winners(f, 4, ROWS + 1);
    assert_int_equal(f->requests[4].result, CONTROL_FAILED);
    write_winners(f, "1,A\r\nx,B\r\n", 10);
    list_winners(f, 5, 0);
    assert_int_equal(f->requests[5].count, 1);
    assert_true(f->requests[5].has_more);
    list_winners(f, 6, 1);
    assert_int_equal(f->requests[6].result, CONTROL_FAILED);
    free(text);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_close),
        CASE(test_refused),
        CASE(test_draw),
        CASE(test_next),
        CASE(test_next_fails),
        CASE(test_reasons),
        CASE(test_many_refusals),
        CASE(test_stop),
        CASE(test_stop_while_moving),
        CASE(test_stop_after_refusal),
        CASE(test_backup_open),
        CASE(test_backup_drawn),
        CASE(test_backup_without_a_record),
        CASE(test_backup_fails),
        CASE(test_backup_stops),
        CASE(test_status),
        CASE(test_agencies),
        CASE(test_winners),
    };

    return cmocka_run_group_tests_name("operator", tests, NULL, NULL);
}
