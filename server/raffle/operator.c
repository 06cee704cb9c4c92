/* What the operator can ask of the coordinator.
 *
 * Happy path: a command comes from the control socket; whether it may be done now is looked up in
 * the news; the ledger, the coordinator or the supervisor does it; it is recorded as an act; and
 * the answer leaves.
 *
 * Failure modes: it may not be done: the refusal is recorded and answered, nothing else happens.
 * The act cannot be recorded: a movement that was prepared is cancelled; what is on record already
 * (a closing, a number) stays, and the answer says so. The operator's program is gone: no
 * difference. The server stops: commands that run end without an answer, and what they have asked
 * for is on record or not.
 */
#include "operator.h"

#include "clock.h"
#include "log.h"
#include "operator_backup.h"
#include "operator_lists.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REFUSALS_MAX 1000 /* that are recorded, so that acts never lack room */

/* A command that acts, until it is answered. */
struct operator_act {
    struct ledger_op op; /* first: of what it asks of the ledger */
    struct operator* operator;
    struct control_request *request; /* NULL: nobody waits for an answer */
    uint32_t uid;                    /* whose act it is */
    enum control_result result;      /* how it will be answered, once it is recorded */
    char reason[CONTROL_TEXT_MAX + 1];
    char name[DRAW_TEXT_MAX / 2]; /* "close", "next 2026-11-25" */
    char text[DRAW_TEXT_MAX + 1]; /* what is recorded */
    bool is_minor;                /* it leaves room for other acts */
    bool is_in_record;            /* a movement that the ledger records */
};

static const struct ledger_news *operator_news(const struct operator* self)
{
    return ledger_news(ledger_client_base(self->config.client));
}

static struct operator_act *operator_act_of(struct ledger_op *op)
{
    return (struct operator_act *)(void *)op;
}

/* ------------------------------------------------------------------ the end of an act */

/* Answers, and ends the act. */
static void operator_end(struct operator_act *act)
{
    if (act->request != NULL)
        control_end(act->request, act->result, act->reason);
    free(act);
}

static void operator_on_recorded(struct ledger_op *op)
{
    struct operator_act *act = operator_act_of(op);

    if (op->status != STATUS_OK && op->status != STATUS_STOPPED)
        LOG(ERROR, "operador", FAIL, LOG_TEXT("accion", act->text),
            LOG_TEXT("reason", status_text(op->status)));
    operator_end(act);
}

/* Records the text; op's done() follows, also when that cannot be begun. */
static void operator_record(struct operator_act *act, ledger_done_cb done)
{
    const struct draw_act record = {
        .time_s = (uint64_t)clock_wall_s(), .uid = act->uid, .text = text_of(act->text)};

    act->op = (struct ledger_op){.done = done};
    enum status status =
        ledger_client_act(act->operator->config.client, &act->op, &record, act->is_minor);
    if (status == STATUS_OK)
        return;
    act->op.status = status;
    done(&act->op);
}

/* It will be answered like this, once it is recorded. */
static void operator_set_end(struct operator_act *act, enum control_result result,
                             const char *format, ...) __attribute__((format(printf, 3, 4)));

static void operator_set_end(struct operator_act *act, enum control_result result,
                             const char *format, ...)
{
    va_list args;

    act->result = result;
    va_start(args, format);
    (void)vsnprintf(act->reason, sizeof(act->reason), format, args);
    va_end(args);
}

/* What is recorded of an act that was not done: with as much of the reason as there is room for. A
 * reason that has something in it which a record must not have is left out. */
static void operator_put_failure(struct operator_act *act)
{
    const char *result = act->result == CONTROL_REFUSED ? "refused" : "failed";
    int room = (int)(sizeof(act->text) - strlen(act->name) - strlen(result) - sizeof(": : "));
    int size = snprintf(act->text, sizeof(act->text), "%s: %s: %.*s", act->name, result, room,
                        act->reason);

    /* It may be cut within a character. */
    for (int i = 1; i < 4 && !draw_is_text(text_of(act->text)); i++)
        act->text[size - i] = '\0';
    if (!draw_is_text(text_of(act->text)))
        (void)snprintf(act->text, sizeof(act->text), "%s: %s", act->name, result);
}

/* Records what has become of it, and answers; the control socket logs it. */
static void operator_finish(struct operator_act *act)
{
    bool is_done = act->result == CONTROL_DONE || act->result == CONTROL_MOVING;

    if (is_done)
        (void)snprintf(act->text, sizeof(act->text), "%s", act->name);
    else
        operator_put_failure(act);
    act->is_minor |= !is_done;
    /* A server that stops has nothing to record any more. */
    if (!act->operator->is_linked ||(!is_done && act->operator->refusals++ >= REFUSALS_MAX)) {
        operator_end(act);
        return;
    }
    operator_record(act, operator_on_recorded);
}

static void operator_refuse(struct operator_act *act, const char *reason)
{
    operator_set_end(act, CONTROL_REFUSED, "%s", reason);
    operator_finish(act);
}

/* Begins an act, whose name is formatted. NULL: there is no memory; that was answered. */
static struct operator_act *operator_begin(struct operator* self, struct control_request *request,
                                           const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static struct operator_act *operator_begin(struct operator* self, struct control_request *request,
                                           const char *format, ...)
{
    struct operator_act *act = calloc(1, sizeof(*act));
    va_list args;

    if (act == NULL) {
        control_end(request, CONTROL_FAILED, status_text(STATUS_NOMEM));
        return NULL;
    }
    act->operator= self;
    act->request = request;
    act->uid = request->uid;
    va_start(args, format);
    (void)vsnprintf(act->name, sizeof(act->name), format, args);
    va_end(args);
    return act;
}

/* ------------------------------------------------------------------ close */

static void operator_on_closed(struct ledger_op *op)
{
    struct operator_act *act = operator_act_of(op);

    if (op->status == STATUS_OK)
        operator_set_end(act, CONTROL_DONE, "%s", "");
    else if (op->status == STATUS_CLOSED)
        operator_set_end(act, CONTROL_REFUSED, "the draw is closed already");
    else
        operator_set_end(act, CONTROL_FAILED, "the closing cannot be recorded: %s",
                         status_text(op->status));
    operator_finish(act);
}

/* Why the draw cannot be closed; NULL: it can. */
static const char *operator_refuses_close(const struct ledger_news *news)
{
    if (news->phase == DRAW_NEW)
        return "the server is starting: try again in a moment";
    if (news->terms.mode == DRAW_AUTO)
        return "this draw runs by itself (LOTTERY_DRAW=auto): it closes when all agencies have "
               "finished";
    return news->phase == DRAW_OPEN ? NULL : "the draw is closed already";
}

static void operator_close_draw(void *owner, struct control_request *request)
{
    struct operator* self = owner;
    const char *refusal = operator_refuses_close(operator_news(self));
    struct operator_act *act = operator_begin(self, request, "close");

    if (act == NULL)
        return;
    if (refusal != NULL) {
        operator_refuse(act, refusal);
        return;
    }
    act->op = (struct ledger_op){.done = operator_on_closed};
    ledger_client_close_draw(self->config.client, &act->op, DRAW_BY_OPERATOR, request->uid);
}

/* ------------------------------------------------------------------ draw */

static void operator_draw(void *owner, struct control_request *request)
{
    struct operator* self = owner;
    struct operator_act *act = operator_begin(self, request, "draw %u", request->number);
    struct draw_order order = {
        .number = request->number, .uid = request->uid, .source_size = request->source.size};

    if (act == NULL)
        return;
    const char *refusal = self->config.refuses_number(self->config.owner);
    if (refusal != NULL) {
        operator_refuse(act, refusal);
        return;
    }
    if (order.source_size > 0)
        memcpy(order.source, request->source.data, order.source_size);
    self->drawing = act;
    self->config.give_number(self->config.owner, &order);
}

void operator_on_order(struct operator* self, enum coordinator_order order, const char *reason)
{
    struct operator_act *act = self->drawing;

    if (order == COORDINATOR_ORDER_NONE || act == NULL)
        return;
    self->drawing = NULL;
    if (order == COORDINATOR_ORDER_DONE)
        operator_set_end(act, CONTROL_DONE, "%s", "");
    else if (order == COORDINATOR_ORDER_LATE)
        operator_set_end(act, CONTROL_REFUSED, "the draw has another number already");
    else
        operator_set_end(act, CONTROL_FAILED, "%s", reason);
    operator_finish(act);
}

/* ------------------------------------------------------------------ next and reload */

/* The movement is on record, or cannot be. */
static void operator_on_movement_recorded(struct ledger_op *op)
{
    struct operator_act *act = operator_act_of(op);
    struct operator* self = act->operator;

    self->moving = NULL;
    if (op->status != STATUS_OK) {
        if (self->is_linked)
            supervisor_link_cancel(&self->link);
        operator_set_end(act, CONTROL_FAILED, "it cannot be recorded: %s", status_text(op->status));
        operator_end(act);
        return;
    }
    if (act->result == CONTROL_REFUSED) { /* meanwhile; the next record says so */
        operator_finish(act);
        return;
    }
    if (!self->is_linked || supervisor_link_commit(&self->link) != STATUS_OK) {
        if (self->is_linked)
            supervisor_link_cancel(&self->link);
        operator_set_end(act, CONTROL_FAILED, "the supervisor cannot be reached");
        operator_finish(act);
        return;
    }
    operator_set_end(act, CONTROL_MOVING, "%s", "");
    operator_end(act);
}

static void operator_on_prepared(void *owner)
{
    struct operator* self = owner;
    struct operator_act *act = self->moving;

    if (act == NULL)
        return;
    (void)snprintf(act->text, sizeof(act->text), "%s", act->name);
    act->is_in_record = true;
    operator_record(act, operator_on_movement_recorded);
}

static void operator_on_refused(void *owner, const char *reason)
{
    struct operator* self = owner;
    struct operator_act *act = self->moving;

    if (act == NULL) { /* after the commit: it was answered already */
        LOG(ERROR, "operador", FAIL, LOG_TEXT("reason", reason));
        return;
    }
    if (act->is_in_record) { /* that comes first */
        operator_set_end(act, CONTROL_REFUSED, "%s", reason);
        return;
    }
    self->moving = NULL;
    operator_refuse(act, reason);
}

/* A movement that nobody here has asked for, or that failed after it was recorded: a record of it
 * is all that remains to do. */
static void operator_on_moved(void *owner, const struct movement *movement, const char *reason)
{
    struct operator* self = owner;
    const bool is_next = movement->kind == MOVEMENT_NEXT;

    if (reason != NULL && self->refusals++ >= REFUSALS_MAX)
        return;
    struct operator_act *act = calloc(1, sizeof(*act));
    if (act == NULL)
        return; /* it is in the log */
    act->operator= self;
    act->uid = movement->uid;
    act->is_minor = reason != NULL || !is_next;
    (void)snprintf(act->name, sizeof(act->name), "%s%s", is_next ? "next " : "reload",
                   is_next ? movement->id : "");
    (void)snprintf(act->text, sizeof(act->text), "%s", act->name);
    if (reason != NULL) {
        operator_set_end(act, CONTROL_FAILED, "%s", reason);
        operator_put_failure(act);
    }
    operator_record(act, operator_on_recorded);
}

static void operator_move(struct operator* self, struct operator_act *act,
                          const struct movement *movement)
{
    enum status status =
        self->moving != NULL ? STATUS_INUSE : supervisor_link_prepare(&self->link, movement);

    if (status == STATUS_OK) {
        self->moving = act;
        return;
    }
    operator_refuse(act, status == STATUS_INUSE ? "another next or reload is under way"
                                                : "the supervisor cannot be reached");
}

/* Why the next draw cannot begin; NULL: it can. */
static const char *operator_refuses_next(const struct ledger_news *news, const char *id)
{
    if (news->phase == DRAW_NEW)
        return "the server is starting: try again in a moment";
    if (news->terms.mode == DRAW_AUTO)
        return "this draw runs by itself (LOTTERY_DRAW=auto): set LOTTERY_DRAW=manual for draws "
               "that follow each other";
    if (strcmp(id, news->terms.id) == 0) /* it may have begun without the operator knowing */
        return "this is the draw in force";
    if (news->phase != DRAW_DRAWN)
        return "the draw in force is not drawn yet";
    return news->has_winners ? NULL : "the winners are not ready yet: try again in a moment";
}

static void operator_next(void *owner, struct control_request *request)
{
    struct operator* self = owner;
    const char *refusal = operator_refuses_next(operator_news(self), request->draw);
    struct operator_act *act = operator_begin(self, request, "next %s", request->draw);
    struct movement movement = {
        .kind = MOVEMENT_NEXT, .uid = request->uid, .close_at_s = request->close_at_s};

    if (act == NULL)
        return;
    if (refusal != NULL) {
        operator_refuse(act, refusal);
        return;
    }
    (void)snprintf(movement.id, sizeof(movement.id), "%s", request->draw);
    operator_move(self, act, &movement);
}

static void operator_reload(void *owner, struct control_request *request)
{
    struct operator* self = owner;
    struct operator_act *act = operator_begin(self, request, "reload");
    const struct movement movement = {.kind = MOVEMENT_RELOAD, .uid = request->uid};

    if (act == NULL)
        return;
    act->is_minor = true;
    operator_move(self, act, &movement);
}

/* ------------------------------------------------------------------ backup */

/* The ledger has taken the snapshot, or cannot. */
static void operator_on_snapshot(struct ledger_op *op)
{
    struct operator_act *act = operator_act_of(op);
    struct operator* self = act->operator;
    struct errbuf err = {{0}};
    enum status status = op->status;
    int fd;

    if (status == STATUS_OK) {
        ledger_client_take_fds(self->config.client, &fd, 1);
        status = operator_give_backup(self->config.data_dir, fd, act->reason, act->request, &err);
        (void)close(fd);
        if (status == STATUS_OK) { /* the request has ended */
            free(act);
            return;
        }
    } else {
        errbuf_set(&err, "%s", status_text(status));
    }
    operator_set_end(act, CONTROL_FAILED, "%s",
                     status == STATUS_STOPPED ? "the server stops" : err.text);
    operator_finish(act);
}

/* The act is on record, and so will be in the copy; or it cannot be, as where the disk is full or
 * there are too many acts. Then a copy is wanted all the more, and says that it is not. */
static void operator_on_backup_recorded(struct ledger_op *op)
{
    struct operator_act *act = operator_act_of(op);

    if (op->status == STATUS_STOPPED) {
        operator_set_end(act, CONTROL_FAILED, "the server stops");
        operator_end(act);
        return;
    }
    if (op->status != STATUS_OK)
        operator_set_end(act, CONTROL_DONE, "this backup is not on record: %s",
                         status_text(op->status));
    act->op = (struct ledger_op){.done = operator_on_snapshot};
    ledger_client_snapshot(act->operator->config.client, &act->op);
}

/* Never refused. Without a ledger it waits for one. */
static void operator_backup(void *owner, struct control_request *request)
{
    struct operator* self = owner;
    struct operator_act *act = operator_begin(self, request, "backup");

    if (act == NULL)
        return;
    act->is_minor = true;
    (void)snprintf(act->text, sizeof(act->text), "%s", act->name);
    operator_record(act, operator_on_backup_recorded);
}

/* ------------------------------------------------------------------ begin and end */

static void operator_status(void *owner, struct control_request *request)
{
    const struct operator* self = owner;

    operator_list_status(self->config.client, request, self->config.vkey(self->config.owner));
}

static void operator_agencies(void *owner, struct control_request *request)
{
    operator_list_agencies(((const struct operator*)owner)->config.client, request);
}

static void operator_winners(void *owner, struct control_request *request)
{
    struct operator* self = owner;

    if (operator_news(self)->has_winners)
        operator_list_winners(self->config.data_dir, &self->place, request);
    else
        control_end(request, CONTROL_REFUSED, "there are no winners yet");
}

static const struct control_backend operator_backend = {
    .status = operator_status,
    .agencies = operator_agencies,
    .winners = operator_winners,
    .close = operator_close_draw,
    .draw = operator_draw,
    .next = operator_next,
    .reload = operator_reload,
    .backup = operator_backup,
};

enum status operator_start(struct operator* self, const struct operator_config *config)
{
    const struct supervisor_link_config link = {.loop = config->loop,
                                                .fd = config->supervisor_fd,
                                                .on_prepared = operator_on_prepared,
                                                .on_refused = operator_on_refused,
                                                .on_moved = operator_on_moved,
                                                .owner = self};

    *self = (struct operator){.config = *config};
    enum status status = supervisor_link_start(&self->link, &link);
    if (status != STATUS_OK)
        return status;
    self->is_linked = true;
    status = control_create(&(struct control_config){.loop = config->loop,
                                                     .path = config->socket,
                                                     .backend = &operator_backend,
                                                     .owner = self},
                            &self->control);
    if (status != STATUS_OK) {
        supervisor_link_close(&self->link);
        self->is_linked = false;
    }
    return status;
}

void operator_on_news(struct operator* self)
{
    if (self->is_linked)
        supervisor_link_tell_phase(&self->link, operator_news(self)->phase);
}

/* Ends an act that waits for somebody who will not answer any more. */
static void operator_drop(struct operator_act **act)
{
    if (*act != NULL) {
        operator_set_end(*act, CONTROL_FAILED, "the server stops");
        operator_end(*act);
    }
    *act = NULL;
}

void operator_close(struct operator* self)
{
    if (!self->is_linked)
        return;
    control_close(self->control);
    operator_drop(&self->drawing);
    /* One that is being recorded ends when the ledger's client is closed. */
    if (self->moving != NULL && self->link.state == SUPERVISOR_LINK_ASKED)
        operator_drop(&self->moving);
    supervisor_link_close(&self->link);
    self->is_linked = false;
}

void operator_fini(struct operator* self)
{
    control_destroy(self->control);
}
