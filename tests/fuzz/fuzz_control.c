/* Passes the bytes of two operators to the real sessions, cut in any way, with a backend that ends
 * requests sooner or later, and peers that read, leave, or are told to stop.
 *
 * An input is a list of steps: a byte that says what happens, and how many bytes follow (one byte),
 * which the peer sends. What the session sends must be whole frames that protobuf-c reads: after
 * each command its data and one result, no row twice, and nothing after the peer has left. The
 * backend must see only valid values, and each request must end once. */
#include "control.pb-c.h"
#include "control_session.h"
#include "frame_reader.h"
#include "fuzz.h"
#include "log.h"

#include <string.h>

#define PEERS 2
#define AGENCIES 700  /* more than two pages */
#define CONTENT 20000 /* bytes, more than two frames */

/* The bits of the first byte of a step. */
enum step {
    SECOND_PEER = 1,
    WAITS = 2,        /* the backend ends what comes now later */
    BACKEND_ENDS = 4, /* what waits, before the bytes */
    REFUSES = 8,      /* with a refusal */
    READS = 16,       /* the peer has read all that was sent */
    LEAVES = 32,      /* the peer leaves, and another takes its place */
    STOPS = 64,       /* the server stops for this peer; another takes its place */
    SMALL_PAGES = 128
};

/* A session with its connection; the model's part of it counts what was sent. */
struct peer {
    struct control_session session;
    struct frame_reader reader;
    struct control_request *running; /* the backend has it; NULL: none */
    int kind;                        /* of the request: which operation */
    bool is_there;                   /* has not left */
    bool is_closed;                  /* its frames were refused */
    bool is_answering;               /* a command was taken, its result was not sent */
    uint64_t rows;                   /* of the list that is being sent */
    unsigned results;                /* that were sent */
    unsigned commands;               /* that were taken */
};

enum { STATUS_KIND, AGENCIES_KIND, WINNERS_KIND, ACT_KIND, BACKUP_KIND };

static struct peer peers[PEERS];
static uint8_t flags; /* of this step */

static void check_rows(struct peer *peer, const struct frame *frame)
{
    if (frame->opcode == LOTTERY__CONTROL__V1__OPCODE__OPCODE_AGENCIES) {
        Lottery__Control__V1__Agencies *page =
            lottery__control__v1__agencies__unpack(NULL, frame->body_size, frame->body);
        FUZZ_CHECK(page != NULL && page->n_agencies > 0);
        for (size_t i = 0; i < page->n_agencies; i++)
            FUZZ_CHECK(page->agencies[i]->id == ++peer->rows);
        lottery__control__v1__agencies__free_unpacked(page, NULL);
        return;
    }
    Lottery__Control__V1__Winners *page =
        lottery__control__v1__winners__unpack(NULL, frame->body_size, frame->body);
    FUZZ_CHECK(page != NULL && page->n_winners > 0);
    for (size_t i = 0; i < page->n_winners; i++)
        FUZZ_CHECK(page->winners[i]->agency == ++peer->rows);
    lottery__control__v1__winners__free_unpacked(page, NULL);
}

/* A backup: what it is of, then its files, whose content counts as rows. */
static void check_snapshot(struct peer *peer, const struct frame *frame)
{
    Lottery__Control__V1__Snapshot *snapshot =
        lottery__control__v1__snapshot__unpack(NULL, frame->body_size, frame->body);

    FUZZ_CHECK(snapshot != NULL && strcmp(snapshot->draw, "x") == 0 && peer->rows == 0);
    lottery__control__v1__snapshot__free_unpacked(snapshot, NULL);
}

static void check_file(struct peer *peer, const struct frame *frame)
{
    Lottery__Control__V1__SnapshotFile *file =
        lottery__control__v1__snapshot_file__unpack(NULL, frame->body_size, frame->body);

    FUZZ_CHECK(file != NULL && strcmp(file->name, "x/bets.journal") == 0);
    peer->rows += file->content.len;
    FUZZ_CHECK(peer->rows <= CONTENT);
    lottery__control__v1__snapshot_file__free_unpacked(file, NULL);
}

static void check_result(struct peer *peer, const struct frame *frame)
{
    Lottery__Control__V1__Result *result =
        lottery__control__v1__result__unpack(NULL, frame->body_size, frame->body);

    FUZZ_CHECK(result != NULL && result->code >= 1 && result->code <= 4);
    FUZZ_CHECK(result->instance == 1);
    lottery__control__v1__result__free_unpacked(result, NULL);
    peer->results++;
    FUZZ_CHECK(peer->results <= peer->commands);
    peer->rows = 0;
}

static void on_send(void *owner, const uint8_t *bytes, size_t size)
{
    struct peer *peer = owner;
    struct frame frame;

    FUZZ_CHECK(peer->is_there && frame_decode(bytes, size, &frame) == FRAME_OK);
    FUZZ_CHECK(frame_size(&frame) == size);
    switch (frame.opcode) {
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_RESULT:
        check_result(peer, &frame);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_STATUS: {
        Lottery__Control__V1__Status *status =
            lottery__control__v1__status__unpack(NULL, frame.body_size, frame.body);
        FUZZ_CHECK(status != NULL && strcmp(status->draw, "x") == 0);
        lottery__control__v1__status__free_unpacked(status, NULL);
        break;
    }
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT:
        check_snapshot(peer, &frame);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_SNAPSHOT_FILE:
        check_file(peer, &frame);
        break;
    default:
        check_rows(peer, &frame);
    }
}

static void on_ended(void *owner)
{
    (void)owner;
}

static const struct control_session_events events = {on_send, on_ended};

static struct peer *peer_of(const struct control_request *request)
{
    for (int i = 0; i < PEERS; i++) {
        if (request == &peers[i].session.request)
            return &peers[i];
    }
    abort();
}

static void end_list(struct peer *peer, struct control_request *request)
{
    struct control_agency agencies[CONTROL_PAGE_MAX];
    struct control_winner winners[CONTROL_PAGE_MAX];
    const size_t max = flags & SMALL_PAGES ? 3 : CONTROL_PAGE_MAX;
    size_t count = 0;

    FUZZ_CHECK(request->from <= AGENCIES);
    for (; count < max && request->from + count < AGENCIES; count++) {
        uint32_t id = (uint32_t)(request->from + count) + 1;
        agencies[count] = (struct control_agency){id, true, UINT64_MAX};
        winners[count] = (struct control_winner){id, text_of("0123456789abcdef")};
    }
    if (peer->kind == AGENCIES_KIND)
        control_end_agencies(request, agencies, count, request->from + count < AGENCIES);
    else
        control_end_winners(request, winners, count, request->from + count < AGENCIES);
}

static void end_backup(struct control_request *request)
{
    static const char content[CONTENT];
    const struct control_file file = {.name = "x/bets.journal",
                                      .source = CONTROL_CONTENT,
                                      .content = {content, flags & SMALL_PAGES ? 0 : CONTENT}};

    control_end_backup(
        request,
        &(struct control_snapshot){.draw = "x", .phase = DRAW_OPEN, .files = &file, .count = 1},
        "no\n\xff");
}

static void end_request(struct peer *peer)
{
    struct control_request *request = peer->running;
    struct control_status status = {.phase = DRAW_OPEN, .terms = {.id = "x"}};

    if (request == NULL)
        return;
    peer->running = NULL;
    if (flags & REFUSES)
        control_end(request, CONTROL_REFUSED, "no\n\xff");
    else if (peer->kind == STATUS_KIND)
        control_end_status(request, &status);
    else if (peer->kind == BACKUP_KIND)
        end_backup(request);
    else if (peer->kind == ACT_KIND)
        control_end(request, flags & SMALL_PAGES ? CONTROL_MOVING : CONTROL_DONE, NULL);
    else
        end_list(peer, request);
}

static void take(struct control_request *request, int kind)
{
    struct peer *peer = peer_of(request);

    FUZZ_CHECK(peer->running == NULL && request->uid == 5);
    peer->running = request;
    peer->kind = kind;
    if (!(flags & WAITS))
        end_request(peer);
}

static void take_status(void *owner, struct control_request *request)
{
    (void)owner;
    take(request, STATUS_KIND);
}

static void take_agencies(void *owner, struct control_request *request)
{
    (void)owner;
    take(request, AGENCIES_KIND);
}

static void take_winners(void *owner, struct control_request *request)
{
    (void)owner;
    take(request, WINNERS_KIND);
}

static void take_act(void *owner, struct control_request *request)
{
    (void)owner;
    take(request, ACT_KIND);
}

static void take_backup(void *owner, struct control_request *request)
{
    (void)owner;
    take(request, BACKUP_KIND);
}

static void take_draw(void *owner, struct control_request *request)
{
    FUZZ_CHECK(request->number <= 9999 && draw_is_text(request->source));
    take_act(owner, request);
}

static void take_next(void *owner, struct control_request *request)
{
    FUZZ_CHECK(draw_id_is_valid(text_of(request->draw)) &&
               request->close_at_s <= UINT64_C(253402300799));
    take_act(owner, request);
}

static const struct control_backend backend = {
    .status = take_status,
    .agencies = take_agencies,
    .winners = take_winners,
    .close = take_act,
    .draw = take_draw,
    .next = take_next,
    .reload = take_act,
    .backup = take_backup,
};

static void peer_begin(struct peer *peer)
{
    *peer = (struct peer){.is_there = true};
    frame_reader_init(&peer->reader);
    control_session_init(&peer->session, &(struct control_session_config){
                                             .backend = &backend,
                                             .events = &events,
                                             .owner = peer,
                                             .instance = 1,
                                             .uid = 5,
                                         });
}

/* It leaves, or is told that the server stops; what runs ends. Then a new peer begins. */
static void peer_end(struct peer *peer, bool stops)
{
    const bool waits = peer->session.state == CONTROL_SESSION_RUNNING ||
                       peer->session.state == CONTROL_SESSION_PAGING;
    const unsigned results = peer->results;

    if (stops) {
        control_session_stop(&peer->session);
        FUZZ_CHECK(peer->results == results + waits);
    } else {
        control_session_leave(&peer->session);
    }
    peer->is_there = false;
    control_session_read(&peer->session); /* no page comes any more */
    FUZZ_CHECK(control_session_is_running(&peer->session) == (peer->running != NULL));
    end_request(peer);
    FUZZ_CHECK(!control_session_is_running(&peer->session));
    frame_reader_fini(&peer->reader);
    peer_begin(peer);
}

static bool take_frame(void *context, const struct frame *frame)
{
    struct peer *peer = context;
    const bool was_idle = peer->session.state == CONTROL_SESSION_IDLE;

    peer->commands++; /* before, as its result may come within the call */
    const char *reason = control_session_take(&peer->session, frame);
    if (reason == NULL) {
        FUZZ_CHECK(was_idle);
        return true;
    }
    peer->commands--;
    peer->is_closed = true;
    return false;
}

/* The same bytes, at once or one by one. */
static void peer_send(struct peer *peer, const uint8_t *data, size_t size, size_t step)
{
    for (size_t at = 0; at < size && !peer->is_closed; at += step) {
        size_t piece = size - at < step ? size - at : step;
        enum status status = frame_reader_feed(&peer->reader, data + at, piece, take_frame, peer);
        if (status == STATUS_MALFORMED)
            peer->is_closed = true;
        FUZZ_CHECK(peer->is_closed == (status != STATUS_OK));
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_silence_log();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    for (int i = 0; i < PEERS; i++)
        peer_begin(&peers[i]);
    while (input.size > 0) {
        flags = fuzz_byte(&input);
        size_t count = fuzz_byte(&input);
        if (count > input.size)
            count = input.size;
        struct peer *current = &peers[flags & SECOND_PEER ? 1 : 0];
        if (flags & BACKEND_ENDS)
            end_request(current);
        if (flags & READS)
            control_session_read(&current->session);
        peer_send(current, input.data, count, count % 2 == 1 ? 1 : count);
        input.data += count;
        input.size -= count;
        if (current->is_closed || (flags & (LEAVES | STOPS)))
            peer_end(current, !current->is_closed && (flags & STOPS));
    }
    for (int i = 0; i < PEERS; i++) {
        peer_end(&peers[i], true);
        frame_reader_fini(&peers[i].reader);
    }
    return 0;
}
