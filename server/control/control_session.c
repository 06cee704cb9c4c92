/* One peer's commands.
 *
 * Happy path: a frame is a command; it is checked and becomes the request, which the backend runs;
 * when the backend ends it, data and result are sent. Of a list the backend gives a page; when the
 * peer has read it, the same request is run again, from the row after it.
 *
 * Failure modes: an unknown command, a message that cannot be read, or a command before the answer
 * to the last one has left: the connection has to be closed. A value out of its range: refused; the
 * peer may go on. The peer leaves: what the backend still says is dropped, and no further page is
 * asked for.
 */
#include "control_session.h"

#include "assertion.h"
#include "control.pb-c.h"
#include "control_message.h"
#include "list.h"
#include "log.h"
#include "rfc3339.h"

#include <stdio.h>
#include <string.h>

#define NUMBER_MAX 9999

/* A command, after its opcode. */
struct control_rule {
    const char *name; /* as lottery-ctl's users say it */
    const ProtobufCMessageDescriptor *message;
    /* Fills the request in. Returns NULL, or why it is refused. NULL: there is nothing to fill in.
     */
    const char *(*read)(struct control_session *session, const ProtobufCMessage *message);
    bool is_act; /* it changes something, so the log tells it */
};

static const char *control_session_read_draw(struct control_session *session,
                                             const ProtobufCMessage *message)
{
    const Lottery__Control__V1__Draw *draw = (const Lottery__Control__V1__Draw *)message;
    struct text source = text_of(draw->source);

    session->request.number = draw->number;
    if (draw->number > NUMBER_MAX)
        return "the number is not one of 0..9999";
    if (!draw_is_text(source))
        return "the source is too long, or not a text in UTF-8 without control characters";
    memcpy(session->source, source.data, source.size);
    session->request.source = (struct text){session->source, source.size};
    return NULL;
}

static const char *control_session_read_next(struct control_session *session,
                                             const ProtobufCMessage *message)
{
    const Lottery__Control__V1__Next *next = (const Lottery__Control__V1__Next *)message;

    if (!draw_id_is_valid(text_of(next->draw)))
        return "that is not the id of a draw: 1 to 64 letters, digits, '-' and '_', with a letter "
               "or digit first, and not `current`";
    if (next->close_at > RFC3339_LAST_S)
        return "the closing time is after the year 9999";
    memcpy(session->draw, next->draw, strlen(next->draw) + 1);
    session->request.draw = session->draw;
    session->request.close_at_s = next->close_at;
    return NULL;
}

static const struct control_rule rules[] = {
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS] =
        {"status", &lottery__control__v1__get_status__descriptor, NULL, false},
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_AGENCIES] =
        {"agencies", &lottery__control__v1__list_agencies__descriptor, NULL, false},
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_WINNERS] =
        {"winners", &lottery__control__v1__list_winners__descriptor, NULL, false},
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE] = {"close",
                                                    &lottery__control__v1__close__descriptor, NULL,
                                                    true},
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_DRAW] = {"draw", &lottery__control__v1__draw__descriptor,
                                                   control_session_read_draw, true},
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_NEXT] = {"next", &lottery__control__v1__next__descriptor,
                                                   control_session_read_next, true},
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_RELOAD] = {"reload",
                                                     &lottery__control__v1__reload__descriptor,
                                                     NULL, true},
    [LOTTERY__CONTROL__V1__OPCODE__OPCODE_BACKUP] = {"backup",
                                                     &lottery__control__v1__backup__descriptor,
                                                     NULL, true},
};

/* The rule of a command; NULL if it is not one. */
static const struct control_rule *control_rule_of(uint8_t opcode)
{
    if (opcode >= sizeof(rules) / sizeof(rules[0]) || rules[opcode].name == NULL)
        return NULL;
    return &rules[opcode];
}

void control_session_init(struct control_session *session,
                          const struct control_session_config *config)
{
    *session = (struct control_session){.config = *config, .state = CONTROL_SESSION_IDLE};
}

static void control_session_send(const struct control_session *session, const uint8_t *frame,
                                 size_t size)
{
    if (!session->is_left)
        session->config.events->send(session->config.owner, frame, size);
}

static void control_session_send_result(const struct control_session *session,
                                        enum control_result result, const char *text)
{
    uint8_t frame[FRAME_MAX_SIZE];

    control_session_send(session, frame,
                         control_message_result(result, text, session->config.instance, frame));
}

/* The end of an act. What was only asked leaves no line. */
static void control_session_log(const struct control_session *session, enum control_result result,
                                const char *text)
{
    const struct control_rule *rule = session->rule;
    const struct control_request *request = &session->request;
    char command[sizeof("next ") + DRAW_ID_MAX];

    if (!rule->is_act)
        return;
    if (request->draw != NULL)
        (void)snprintf(command, sizeof(command), "%s %s", rule->name, request->draw);
    else if (session->command == LOTTERY__CONTROL__V1__OPCODE__OPCODE_DRAW)
        (void)snprintf(command, sizeof(command), "%s %u", rule->name, (unsigned)request->number);
    else
        (void)snprintf(command, sizeof(command), "%s", rule->name);
    if (result == CONTROL_REFUSED || result == CONTROL_FAILED)
        LOG(WARNING, "control", FAIL, LOG_TEXT("command", command), LOG_UINT("uid", request->uid),
            LOG_TEXT("reason", text));
    else if (result == CONTROL_MOVING)
        LOG(INFO, "control", IN_PROGRESS, LOG_TEXT("command", command),
            LOG_UINT("uid", request->uid));
    else
        LOG(INFO, "control", SUCCESS, LOG_TEXT("command", command), LOG_UINT("uid", request->uid));
}

/* The answer is complete. */
static void control_session_end(struct control_session *session, enum control_result result,
                                const char *text)
{
    control_session_log(session, result, text);
    session->state = session->is_left ? CONTROL_SESSION_IDLE : CONTROL_SESSION_ANSWERED;
    control_session_send_result(session, result, text);
}

static void control_session_run(struct control_session *session)
{
    const struct control_backend *backend = session->config.backend;
    void *owner = session->config.backend_owner;
    struct control_request *request = &session->request;

    session->state = CONTROL_SESSION_RUNNING;
    switch (session->command) {
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_GET_STATUS:
        backend->status(owner, request);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_AGENCIES:
        backend->agencies(owner, request);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_LIST_WINNERS:
        backend->winners(owner, request);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_CLOSE:
        backend->close(owner, request);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_DRAW:
        backend->draw(owner, request);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_NEXT:
        backend->next(owner, request);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_RELOAD:
        backend->reload(owner, request);
        break;
    case LOTTERY__CONTROL__V1__OPCODE__OPCODE_BACKUP:
        backend->backup(owner, request);
        break;
    default:
        assertion_failed("every command has an operation", __FILE__, __LINE__);
    }
}

const char *control_session_take(struct control_session *session, const struct frame *frame)
{
    const struct control_rule *rule = control_rule_of(frame->opcode);

    if (session->state != CONTROL_SESSION_IDLE)
        return "a command before the answer to the last one";
    if (rule == NULL)
        return "not a command";
    ProtobufCMessage *message =
        protobuf_c_message_unpack(rule->message, NULL, frame->body_size, frame->body);
    if (message == NULL)
        return "not a message of this kind";
    session->command = frame->opcode;
    session->rule = rule;
    session->request = (struct control_request){.uid = session->config.uid};
    const char *refusal = rule->read != NULL ? rule->read(session, message) : NULL;
    protobuf_c_message_free_unpacked(message, NULL);
    if (refusal == NULL)
        control_session_run(session);
    else
        control_session_end(session, CONTROL_REFUSED, refusal);
    return NULL;
}

void control_session_read(struct control_session *session)
{
    if (session->state == CONTROL_SESSION_ANSWERED)
        session->state = CONTROL_SESSION_IDLE;
    else if (session->state == CONTROL_SESSION_PAGING)
        control_session_run(session);
}

void control_session_leave(struct control_session *session)
{
    session->is_left = true;
    if (session->state != CONTROL_SESSION_RUNNING)
        session->state = CONTROL_SESSION_IDLE;
}

void control_session_stop(struct control_session *session)
{
    if (session->state == CONTROL_SESSION_RUNNING || session->state == CONTROL_SESSION_PAGING)
        control_session_send_result(session, CONTROL_FAILED,
                                    "the server stops, perhaps before it has done this");
    control_session_leave(session);
}

bool control_session_is_running(const struct control_session *session)
{
    return session->state == CONTROL_SESSION_RUNNING;
}

static struct control_session *control_session_of(struct control_request *request)
{
    struct control_session *session = LIST_ITEM(request, struct control_session, request);

    ASSERT(session->state == CONTROL_SESSION_RUNNING); /* a request ends once */
    return session;
}

static void control_session_tell_end(struct control_session *session)
{
    session->config.events->ended(session->config.owner);
}

void control_end(struct control_request *request, enum control_result result, const char *text)
{
    struct control_session *session = control_session_of(request);

    control_session_end(session, result, text);
    control_session_tell_end(session);
}

void control_end_status(struct control_request *request, const struct control_status *status)
{
    struct control_session *session = control_session_of(request);
    uint8_t frame[FRAME_MAX_SIZE];

    control_session_send(session, frame,
                         control_message_status(status, session->config.instance, frame));
    control_end(request, CONTROL_DONE, NULL);
}

/* A page with `count` rows is in the frame. */
static void control_session_end_page(struct control_session *session, const uint8_t *frame,
                                     size_t size, size_t count, bool has_more)
{
    ASSERT(count > 0 || !has_more);
    if (count > 0)
        control_session_send(session, frame, size);
    session->request.from += count;
    if (!has_more)
        control_session_end(session, CONTROL_DONE, NULL);
    else
        session->state = session->is_left ? CONTROL_SESSION_IDLE : CONTROL_SESSION_PAGING;
    control_session_tell_end(session);
}

void control_end_agencies(struct control_request *request, const struct control_agency *rows,
                          size_t count, bool has_more)
{
    uint8_t frame[FRAME_MAX_SIZE];
    size_t size = control_message_agencies(rows, count, frame);

    control_session_end_page(control_session_of(request), frame, size, count, has_more);
}

void control_end_winners(struct control_request *request, const struct control_winner *rows,
                         size_t count, bool has_more)
{
    uint8_t frame[FRAME_MAX_SIZE];
    size_t size = control_message_winners(rows, count, frame);

    control_session_end_page(control_session_of(request), frame, size, count, has_more);
}

/* Sends a file, its content in as many frames as it needs. */
static void control_session_send_file(const struct control_session *session,
                                      const struct control_file *file)
{
    struct control_file piece = *file;
    uint8_t frame[FRAME_MAX_SIZE];
    size_t at = 0;

    do {
        const size_t left = file->content.size - at;
        if (left > CONTROL_CONTENT_MAX)
            piece.content = (struct text){file->content.data + at, CONTROL_CONTENT_MAX};
        else if (left > 0)
            piece.content = (struct text){file->content.data + at, left};
        control_session_send(session, frame, control_message_file(&piece, frame));
        at += piece.content.size;
    } while (at < file->content.size);
}

void control_end_backup(struct control_request *request, const struct control_snapshot *snapshot,
                        const char *text)
{
    const struct control_session *session = control_session_of(request);
    uint8_t frame[FRAME_MAX_SIZE];

    control_session_send(session, frame, control_message_snapshot(snapshot, frame));
    for (size_t i = 0; i < snapshot->count; i++)
        control_session_send_file(session, &snapshot->files[i]);
    control_end(request, CONTROL_DONE, text);
}
