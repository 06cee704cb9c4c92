/* The conversation with one operator: commands as bytes, answers as messages; no sockets. */
#include "capture.h"
#include "cmocka_all.h"
#include "control.pb-c.h"
#include "control_session.h"
#include "fake_control.h"
#include "log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCE 77
#define UID 1234

typedef Lottery__Control__V1__Result result_message;
typedef Lottery__Control__V1__Status status_message;

struct fixture {
    struct fake_control fake;
    struct control_session session;
    uint8_t sent[256 * 1024]; /* frames that the session has sent and the test not taken */
    size_t sent_size;
    size_t sent_at;
    unsigned ended;
};

static void on_send(void *owner, const uint8_t *frame, size_t size)
{
    struct fixture *f = owner;

    assert_true(f->sent_size + size <= sizeof(f->sent));
    memcpy(f->sent + f->sent_size, frame, size);
    f->sent_size += size;
}

static void on_ended(void *owner)
{
    ((struct fixture *)owner)->ended++;
}

static const struct control_session_events events = {on_send, on_ended};

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    log_set_level(LOG_CRITICAL);
    fake_control_init(&f->fake);
    control_session_init(&f->session, &(struct control_session_config){
                                          .backend = &fake_control_backend,
                                          .backend_owner = &f->fake,
                                          .events = &events,
                                          .owner = f,
                                          .instance = INSTANCE,
                                          .uid = UID,
                                      });
    *state = f;
    return 0;
}

/* Every answer was looked at. */
static int end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(f->sent_at, f->sent_size);
    free(f);
    log_set_level(LOG_INFO);
    return 0;
}

static const char *take_body(struct fixture *f, unsigned opcode, const void *body, size_t size)
{
    struct frame frame = {body, size, (uint8_t)opcode};

    return control_session_take(&f->session, &frame);
}

static const char *take(struct fixture *f, unsigned opcode)
{
    return take_body(f, opcode, "", 0);
}

static const char *take_draw(struct fixture *f, uint32_t number, const char *source)
{
    Lottery__Control__V1__Draw message;
    uint8_t body[1024];
    char text[512];

    lottery__control__v1__draw__init(&message);
    message.number = number;
    (void)snprintf(text, sizeof(text), "%s", source);
    message.source = text;
    return take_body(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_DRAW, body,
                     lottery__control__v1__draw__pack(&message, body));
}

static const char *take_next(struct fixture *f, const char *draw, uint64_t close_at)
{
    Lottery__Control__V1__Next message;
    uint8_t body[1024];
    char text[512];

    lottery__control__v1__next__init(&message);
    (void)snprintf(text, sizeof(text), "%s", draw);
    message.draw = text;
    message.close_at = close_at;
    return take_body(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_NEXT, body,
                     lottery__control__v1__next__pack(&message, body));
}

/* The next frame that was sent; it has to be of this kind. */
static struct frame sent(struct fixture *f, unsigned opcode)
{
    struct frame frame;

    assert_int_equal(frame_decode(f->sent + f->sent_at, f->sent_size - f->sent_at, &frame),
                     FRAME_OK);
    assert_int_equal(frame.opcode, opcode);
    f->sent_at += frame_size(&frame);
    return frame;
}

/* The next frame is this result, with a reason that contains `reason`. */
static void assert_result(struct fixture *f, enum control_result code, const char *reason)
{
    struct frame frame = sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_RESULT);
    result_message *result =
        lottery__control__v1__result__unpack(NULL, frame.body_size, frame.body);

    assert_non_null(result);
    assert_int_equal(result->code, code);
    assert_int_equal(result->instance, INSTANCE);
    if (strstr(result->reason, reason) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", reason, result->reason);
    lottery__control__v1__result__free_unpacked(result, NULL);
}

static status_message *sent_status(struct fixture *f)
{
    struct frame frame = sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS);
    status_message *status =
        lottery__control__v1__status__unpack(NULL, frame.body_size, frame.body);

    assert_non_null(status);
    assert_int_equal(status->instance, INSTANCE);
    return status;
}

/* The numbers are those of the protocol: a program of another release relies on them. */
static void test_numbers(void **state)
{
    (void)state;
    assert_int_equal(LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS, 1);
    assert_int_equal(LOTTERY__CONTROL__V1__OPCODE__OPCODE_RELOAD, 7);
    assert_int_equal(LOTTERY__CONTROL__V1__OPCODE__OPCODE_BACKUP, 8);
    assert_int_equal(LOTTERY__CONTROL__V1__OPCODE__OPCODE_RESULT, 64);
    assert_int_equal(LOTTERY__CONTROL__V1__OPCODE__OPCODE_WINNERS, 67);
    assert_int_equal(LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT, 68);
    assert_int_equal(LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT_FILE, 69);
    assert_int_equal(LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_DONE, CONTROL_DONE);
    assert_int_equal(LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_REFUSED, CONTROL_REFUSED);
    assert_int_equal(LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_FAILED, CONTROL_FAILED);
    assert_int_equal(LOTTERY__CONTROL__V1__RESULT_CODE__RESULT_CODE_MOVING, CONTROL_MOVING);
    assert_int_equal(LOTTERY__CONTROL__V1__MODE__MODE_MANUAL, DRAW_MANUAL);
    assert_int_equal(LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR, DRAW_BY_OPERATOR);
    assert_int_equal(LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_CONTENT, CONTROL_CONTENT);
    assert_int_equal(LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_BEGINNING, CONTROL_BEGINNING);
    assert_int_equal(LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_WHOLE, CONTROL_WHOLE);
    assert_int_equal(LOTTERY__CONTROL__V1__FILE_SOURCE__FILE_SOURCE_IF_ANY, CONTROL_IF_ANY);
}

/* Each command reaches its operation with the peer's uid, and ends with one result. */
static void test_every_command(void **state)
{
    static const struct {
        unsigned opcode;
        const char *name;
    } commands[] = {
        {LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS, "status"},
        {LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_AGENCIES, "agencies"},
        {LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_WINNERS, "winners"},
        {LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE, "close"},
        {LOTTERY__CONTROL__V1__OPCODE__OPCODE_DRAW, "draw"},
        {LOTTERY__CONTROL__V1__OPCODE__OPCODE_RELOAD, "reload"},
        {LOTTERY__CONTROL__V1__OPCODE__OPCODE_BACKUP, "backup"},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        f->fake.result = i % 2 == 0 ? CONTROL_FAILED : CONTROL_REFUSED;
        f->fake.text = "because";
        assert_null(take(f, commands[i].opcode));
        assert_string_equal(f->fake.last, commands[i].name);
        assert_int_equal(f->fake.uid, UID);
        assert_int_equal(f->ended, i + 1);
        assert_result(f, f->fake.result, "because");
        assert_int_equal(f->session.state, CONTROL_SESSION_ANSWERED);
        control_session_read(&f->session);
        assert_int_equal(f->session.state, CONTROL_SESSION_IDLE);
    }
}

/* Number, source, id and closing time arrive as they were sent. */
static void test_arguments(void **state)
{
    struct fixture *f = *state;

    assert_null(take_draw(f, 9999, "n\u00famero cantado"));
    assert_int_equal(f->fake.number, 9999);
    assert_string_equal(f->fake.source, "n\u00famero cantado");
    assert_result(f, CONTROL_DONE, "");
    control_session_read(&f->session);
    f->fake.result = CONTROL_MOVING;
    assert_null(take_next(f, "2026-11-26-nocturna", 253402300799));
    assert_string_equal(f->fake.draw, "2026-11-26-nocturna");
    assert_int_equal(f->fake.close_at_s, 253402300799);
    assert_result(f, CONTROL_MOVING, "");
}

/* A value out of its range is refused, and does not reach the backend. */
static void test_refused_arguments(void **state)
{
    struct fixture *f = *state;
    char longest[DRAW_TEXT_MAX + 2] = "";
    char id[DRAW_ID_MAX + 2] = "";

    memset(longest, 'x', DRAW_TEXT_MAX + 1);
    memset(id, 'x', DRAW_ID_MAX + 1);
    assert_null(take_draw(f, 10000, ""));
    assert_result(f, CONTROL_REFUSED, "0..9999");
    control_session_read(&f->session);
    const char *sources[] = {longest, "a\nb", "\xff", "\x7f"};
    for (size_t i = 0; i < 4; i++) {
        assert_null(take_draw(f, 1, sources[i]));
        assert_result(f, CONTROL_REFUSED, "source");
        control_session_read(&f->session);
    }
    const char *ids[] = {"", "current", "../x", "-x", "a b", id};
    for (size_t i = 0; i < 6; i++) {
        assert_null(take_next(f, ids[i], 0));
        assert_result(f, CONTROL_REFUSED, "id of a draw");
        control_session_read(&f->session);
    }
    assert_null(take_next(f, "x", 253402300800));
    assert_result(f, CONTROL_REFUSED, "9999");
    assert_int_equal(f->fake.calls, 0);
    control_session_read(&f->session);
    longest[DRAW_TEXT_MAX] = '\0';
    id[DRAW_ID_MAX] = '\0';
    assert_null(take_draw(f, 0, longest));
    assert_string_equal(f->fake.source, longest);
    assert_result(f, CONTROL_DONE, "");
    control_session_read(&f->session);
    assert_null(take_next(f, id, 0));
    assert_string_equal(f->fake.draw, id);
    assert_result(f, CONTROL_DONE, "");
}

/* What is not a command, or comes too early, ends the connection. */
static void test_bad_frames(void **state)
{
    struct fixture *f = *state;

    for (unsigned opcode = 0; opcode < 256; opcode++) {
        if (opcode < 1 || opcode > 8)
            assert_string_equal(take(f, opcode), "not a command");
    }
    assert_non_null(take_body(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_DRAW, "\x12\x05x", 3));
    assert_non_null(take_body(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS, "\x0f", 1));
    f->fake.waits = true;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE));
    assert_non_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS));
    fake_control_end(&f->fake);
    assert_result(f, CONTROL_DONE, "");
    assert_non_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS));
    assert_int_equal(f->fake.calls, 1);
}

/* An open draw: nothing is said about what has not happened. */
static void test_status_open(void **state)
{
    struct fixture *f = *state;

    f->fake.status.terms.close_at_s = 1700000000;
    memset(f->fake.status.sealed.root, 1, DRAW_ROOT_SIZE);
    f->fake.status.drawn.winner_number = 5;
    f->fake.status.closed.uid = 5;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS));
    status_message *status = sent_status(f);
    assert_string_equal(status->draw, "2026-11-25-nocturna");
    assert_int_equal(status->mode, LOTTERY__CONTROL__V1__MODE__MODE_MANUAL);
    assert_int_equal(status->phase, LOTTERY__CONTROL__V1__PHASE__PHASE_OPEN);
    assert_true(status->has_seal && status->has_bets);
    assert_int_equal(status->agencies, 5);
    assert_int_equal(status->finished, 2);
    assert_int_equal(status->bets, 1000);
    assert_int_equal(status->close_at, 1700000000);
    assert_int_equal(status->closed_uid, 0);
    assert_int_equal(status->root.len, 0);
    assert_int_equal(status->number, 0);
    lottery__control__v1__status__free_unpacked(status, NULL);
    assert_result(f, CONTROL_DONE, "");
}

/* All that there is to say about a draw that was sealed and drawn. */
static void test_status_drawn(void **state)
{
    struct fixture *f = *state;
    struct control_status *now = &f->fake.status;

    now->phase = DRAW_DRAWN;
    now->closed = (struct draw_closed){.time_s = 10, .by = DRAW_BY_OPERATOR, .uid = 42};
    now->is_sealed = true;
    now->sealed.time_s = 11;
    memset(now->sealed.root, 0xab, DRAW_ROOT_SIZE);
    now->vkey = "lottery+0badcafe+key";
    now->drawn = (struct draw_drawn){.time_s = 12,
                                     .winner_number = 7574,
                                     .winners = 3,
                                     .uid = 43,
                                     .source = text_of("bolillero")};
    now->has_winners = true;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS));
    status_message *status = sent_status(f);
    assert_int_equal(status->phase, LOTTERY__CONTROL__V1__PHASE__PHASE_DRAWN);
    assert_int_equal(status->closed_at, 10);
    assert_int_equal(status->closed_by, LOTTERY__CONTROL__V1__CLOSED_BY__CLOSED_BY_OPERATOR);
    assert_int_equal(status->closed_uid, 42);
    assert_int_equal(status->root.len, DRAW_ROOT_SIZE);
    assert_memory_equal(status->root.data, now->sealed.root, DRAW_ROOT_SIZE);
    assert_int_equal(status->sealed_at, 11);
    assert_string_equal(status->vkey, "lottery+0badcafe+key");
    assert_int_equal(status->number, 7574);
    assert_int_equal(status->winners, 3);
    assert_string_equal(status->source, "bolillero");
    assert_int_equal(status->drawn_at, 12);
    assert_int_equal(status->drawn_uid, 43);
    assert_true(status->has_winners);
    lottery__control__v1__status__free_unpacked(status, NULL);
    assert_result(f, CONTROL_DONE, "");
}

/* The phases in between; and a state that is not known yet. */
static void test_status_phases(void **state)
{
    static const struct {
        enum draw_phase phase;
        bool is_sealed;
        Lottery__Control__V1__Phase said;
    } cases[] = {
        {DRAW_NEW, false, LOTTERY__CONTROL__V1__PHASE__PHASE_UNSPECIFIED},
        {DRAW_CLOSED, false, LOTTERY__CONTROL__V1__PHASE__PHASE_CLOSED},
        {DRAW_CLOSED, true, LOTTERY__CONTROL__V1__PHASE__PHASE_SEALED},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        f->fake.status.phase = cases[i].phase;
        f->fake.status.is_sealed = cases[i].is_sealed;
        assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS));
        status_message *status = sent_status(f);
        assert_int_equal(status->phase, cases[i].said);
        assert_int_equal(status->agencies, cases[i].phase == DRAW_NEW ? 0 : 5);
        assert_int_equal(status->root.len, cases[i].is_sealed ? DRAW_ROOT_SIZE : 0);
        lottery__control__v1__status__free_unpacked(status, NULL);
        assert_result(f, CONTROL_DONE, "");
        control_session_read(&f->session);
    }
}

/* A reason is cut and made safe: the protocol's texts are UTF-8. */
static void test_reason(void **state)
{
    struct fixture *f = *state;
    char text[2000];

    memset(text, 'x', sizeof(text));
    memcpy(text, "a\xff\x1b[1m\n", 7);
    text[sizeof(text) - 1] = '\0';
    f->fake.result = CONTROL_FAILED;
    f->fake.text = text;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE));
    struct frame frame = sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_RESULT);
    result_message *result =
        lottery__control__v1__result__unpack(NULL, frame.body_size, frame.body);
    assert_non_null(result);
    assert_int_equal(strlen(result->reason), CONTROL_TEXT_MAX);
    assert_memory_equal(result->reason, "a? [1m xx", 9);
    lottery__control__v1__result__free_unpacked(result, NULL);
}

/* A list comes page by page, each after the one before was read, and has all rows in order. */
static void test_long_lists(void **state)
{
    struct fixture *f = *state;
    uint64_t seen = 0;

    f->fake.agencies = 3 * CONTROL_PAGE_MAX + 1;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_AGENCIES));
    for (unsigned page = 1; page <= 4; page++) {
        struct frame frame = sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_AGENCIES);
        Lottery__Control__V1__Agencies *rows =
            lottery__control__v1__agencies__unpack(NULL, frame.body_size, frame.body);
        assert_non_null(rows);
        assert_int_equal(f->fake.calls, page);
        for (size_t i = 0; i < rows->n_agencies; i++, seen++) {
            struct control_agency row = fake_control_agency(seen);
            assert_int_equal(rows->agencies[i]->id, row.id);
            assert_int_equal(rows->agencies[i]->bets, row.bets);
            assert_int_equal(rows->agencies[i]->has_finished, row.has_finished);
        }
        lottery__control__v1__agencies__free_unpacked(rows, NULL);
        if (page < 4) {
            assert_int_equal(f->sent_at, f->sent_size);
            assert_int_equal(f->session.state, CONTROL_SESSION_PAGING);
            control_session_read(&f->session);
        }
    }
    assert_int_equal(seen, f->fake.agencies);
    assert_result(f, CONTROL_DONE, "");
}

/* The longest rows fit into a frame; a list without rows is a result alone. */
static void test_winners(void **state)
{
    struct fixture *f = *state;
    struct control_winner rows[CONTROL_PAGE_MAX];

    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_WINNERS));
    assert_result(f, CONTROL_DONE, "");
    control_session_read(&f->session);
    for (size_t i = 0; i < CONTROL_PAGE_MAX; i++)
        rows[i] = (struct control_winner){UINT32_MAX, text_of("0123456789ABCDEF")};
    f->fake.waits = true;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_WINNERS));
    control_end_winners(f->fake.running[0].request, rows, CONTROL_PAGE_MAX, false);
    struct frame frame = sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_WINNERS);
    Lottery__Control__V1__Winners *message =
        lottery__control__v1__winners__unpack(NULL, frame.body_size, frame.body);
    assert_non_null(message);
    assert_int_equal(message->n_winners, CONTROL_PAGE_MAX);
    assert_int_equal(message->winners[255]->agency, UINT32_MAX);
    assert_string_equal(message->winners[255]->document, "0123456789ABCDEF");
    lottery__control__v1__winners__free_unpacked(message, NULL);
    assert_result(f, CONTROL_DONE, "");
}

static Lottery__Control__V1__SnapshotFile *sent_file(struct fixture *f, unsigned i)
{
    struct frame frame = sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT_FILE);
    Lottery__Control__V1__SnapshotFile *file =
        lottery__control__v1__snapshot_file__unpack(NULL, frame.body_size, frame.body);

    assert_non_null(file);
    assert_string_equal(file->name, fake_control_files[i].name);
    assert_int_equal(file->source, fake_control_files[i].source);
    assert_int_equal(file->size, fake_control_files[i].size);
    assert_int_equal(file->device, fake_control_files[i].device);
    assert_int_equal(file->inode, fake_control_files[i].inode);
    return file;
}

/* What a backup has comes at once: what it is of, and its files, a long content in several frames.
 */
static void test_backup(void **state)
{
    static const size_t sizes[] = {0, 1, 8000, 8001, 100000};
    struct fixture *f = *state;

    f->fake.text = "it lacks something";
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        f->fake.content = sizes[i];
        assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_BACKUP));
        struct frame frame = sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT);
        Lottery__Control__V1__Snapshot *snapshot =
            lottery__control__v1__snapshot__unpack(NULL, frame.body_size, frame.body);
        assert_non_null(snapshot);
        assert_string_equal(snapshot->draw, "x");
        assert_int_equal(snapshot->phase, LOTTERY__CONTROL__V1__PHASE__PHASE_SEALED);
        assert_int_equal(snapshot->bets, UINT64_MAX);
        lottery__control__v1__snapshot__free_unpacked(snapshot, NULL);
        lottery__control__v1__snapshot_file__free_unpacked(sent_file(f, 0), NULL);
        size_t got = 0;
        do {
            Lottery__Control__V1__SnapshotFile *file = sent_file(f, 1);
            for (size_t j = 0; j < file->content.len; j++)
                assert_int_equal(file->content.data[j], (got + j) % 251);
            got += file->content.len;
            assert_true(file->content.len > 0 || sizes[i] == 0);
            lottery__control__v1__snapshot_file__free_unpacked(file, NULL);
        } while (got < sizes[i]);
        assert_int_equal(got, sizes[i]);
        lottery__control__v1__snapshot_file__free_unpacked(sent_file(f, 2), NULL);
        assert_result(f, CONTROL_DONE, "it lacks something");
        control_session_read(&f->session);
    }
}

/* The peer leaves while its command runs: the command goes on, its end is noticed, nothing is sent.
 */
static void test_peer_leaves(void **state)
{
    struct fixture *f = *state;

    f->fake.waits = true;
    f->fake.agencies = 2 * CONTROL_PAGE_MAX;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_AGENCIES));
    control_session_leave(&f->session);
    assert_true(control_session_is_running(&f->session));
    fake_control_end(&f->fake);
    assert_int_equal(f->ended, 1);
    assert_false(control_session_is_running(&f->session));
    control_session_read(&f->session); /* no other page is asked for */
    assert_int_equal(f->fake.calls, 1);
}

/* The server stops: who waits for an answer gets one, and the command may still end. */
static void test_stop(void **state)
{
    struct fixture *f = *state;

    f->fake.waits = true;
    assert_null(take_draw(f, 1, ""));
    control_session_stop(&f->session);
    assert_result(f, CONTROL_FAILED, "the server stops");
    fake_control_end(&f->fake);
    assert_int_equal(f->ended, 1);
}

/* Also between two pages; one without a command gets nothing. */
static void test_stop_between(void **state)
{
    struct fixture *f = *state;

    f->fake.agencies = 2 * CONTROL_PAGE_MAX;
    assert_null(take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_AGENCIES));
    (void)sent(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_AGENCIES);
    control_session_stop(&f->session);
    assert_result(f, CONTROL_FAILED, "the server stops");
    assert_int_equal(f->session.state, CONTROL_SESSION_IDLE);
    control_session_stop(&f->session);
}

/* The log says who did what, and why something was refused; a question leaves no line. */
static void test_log(void **state)
{
    struct fixture *f = *state;
    struct capture capture;

    log_set_level(LOG_INFO);
    capture_begin(&capture);
    (void)take_draw(f, 7574, "x");
    control_session_read(&f->session);
    f->fake.result = CONTROL_MOVING;
    (void)take_next(f, "mañana", 0);
    control_session_read(&f->session);
    (void)take_next(f, "b", 0);
    control_session_read(&f->session);
    f->fake.result = CONTROL_REFUSED;
    f->fake.text = "it is closed";
    (void)take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE);
    control_session_read(&f->session);
    (void)take(f, LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS);
    capture_end(&capture);
    assert_int_equal(capture.writes, 4);
    assert_non_null(strstr(capture.text, "INFO     action: control | result: success | "
                                         "command: draw 7574 | uid: 1234\n"));
    assert_non_null(strstr(capture.text,
                           "WARNING  action: control | result: fail | command: next | "
                           "uid: 1234 | reason: that is not the id of a draw"));
    assert_non_null(strstr(capture.text, "INFO     action: control | result: in_progress | "
                                         "command: next b | uid: 1234\n"));
    assert_non_null(strstr(capture.text, "WARNING  action: control | result: fail | "
                                         "command: close | uid: 1234 | reason: it is closed\n"));
    capture_free(&capture);
    f->sent_at = f->sent_size;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_numbers, begin, end),
        cmocka_unit_test_setup_teardown(test_every_command, begin, end),
        cmocka_unit_test_setup_teardown(test_arguments, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_arguments, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_frames, begin, end),
        cmocka_unit_test_setup_teardown(test_status_open, begin, end),
        cmocka_unit_test_setup_teardown(test_status_drawn, begin, end),
        cmocka_unit_test_setup_teardown(test_status_phases, begin, end),
        cmocka_unit_test_setup_teardown(test_reason, begin, end),
        cmocka_unit_test_setup_teardown(test_long_lists, begin, end),
        cmocka_unit_test_setup_teardown(test_winners, begin, end),
        cmocka_unit_test_setup_teardown(test_backup, begin, end),
        cmocka_unit_test_setup_teardown(test_peer_leaves, begin, end),
        cmocka_unit_test_setup_teardown(test_stop, begin, end),
        cmocka_unit_test_setup_teardown(test_stop_between, begin, end),
        cmocka_unit_test_setup_teardown(test_log, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
