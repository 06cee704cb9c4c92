/* Movements: to the next draw, and to new settings, without closing the listening socket.
 *
 * Happy path: the settings are read again; the next generation, with the folder of the next draw,
 * is made and checked while the present one runs. When the coordinator has recorded the act, or at
 * once if a signal asks for it, the present children are stopped as at the end of a server, and the
 * next ledger is started. When it has recovered, `current` is replaced, and the others are started.
 * Meanwhile agencies wait in the listening socket's queue.
 *
 * Failure modes: something is wrong with the settings or the folder: refused, and nothing has
 * changed. The coordinator dies before it commits: undone. A child does not stop in time: it is
 * killed. The last ledger fails while it stops, the next one cannot begin, or `current` cannot be
 * written: back to the present generation. It is not known whether `current` is on disk: the server
 * stops. A stop is asked for: the movement ends where it is; the next start goes by `current`. So
 * it does when the supervisor is killed: the next draw has begun when `current` names it, and not
 * before.
 */
#include "clock.h"
#include "draws.h"
#include "log.h"
#include "notifier.h"
#include "server_tls.h"
#include "settings_change.h"
#include "supervisor_state.h"

#include <stdio.h>
#include <string.h>

static void movement_log(enum log_level level, enum log_result result,
                         const struct movement *movement, const char *reason)
{
    const bool is_next = movement->kind == MOVEMENT_NEXT;
    struct log_field fields[3];
    size_t count = 0;

    if (is_next)
        fields[count++] = LOG_TEXT("sorteo", movement->id);
    if (reason != NULL)
        fields[count++] = LOG_TEXT("reason", reason);
    fields[count++] = LOG_UINT("uid", movement->uid);
    log_write(level, is_next ? "siguiente_sorteo" : "recarga", result, fields, count);
}

/* Says what became of a movement, if nobody else does: in the log, and to the coordinator of the
 * generation that runs from now on. */
static void movement_report(const struct supervisor *self, enum log_level level,
                            const struct movement *movement, const struct errbuf *reason)
{
    movement_log(level, LOG_FAIL, movement, reason->text);
    if (self->is_lottery)
        coordinator_child_tell_moved(&self->generation->coordinator, movement, reason);
}

/* ------------------------------------------------------------------ preparing */

static enum status movement_check_next(const struct supervisor *self,
                                       const struct movement *movement,
                                       const struct server_settings *settings, struct errbuf *err)
{
    const struct generation *generation = self->generation;

    if (!self->is_lottery) {
        errbuf_set(err, "there are no draws in mode echo");
        return STATUS_INVALID;
    }
    if (strcmp(movement->id, generation->id) == 0) {
        errbuf_set(err, "%s is the draw in force: choose another id", movement->id);
        return STATUS_INVALID;
    }
    if (generation->ledger.phase != DRAW_DRAWN) {
        errbuf_set(err, "the draw in force has not been held yet");
        return STATUS_INVALID;
    }
    if (movement->close_at_s == 0)
        return STATUS_OK;
    if (settings->draw != SERVER_DRAW_MANUAL) {
        errbuf_set(err, "only a draw that an operator runs has a closing time: set LOTTERY_DRAW to "
                        "manual");
        return STATUS_INVALID;
    }
    if ((uint64_t)clock_wall_s() < movement->close_at_s)
        return STATUS_OK;
    errbuf_set(err, "the closing time has passed already");
    return STATUS_INVALID;
}

static enum status movement_check_settings(const struct supervisor *self,
                                           const struct movement *movement,
                                           const struct server_settings *settings,
                                           struct errbuf *err)
{
    const struct generation *generation = self->generation;
    const struct settings_change change = {
        .from = &generation->settings,
        .to = settings,
        .id = generation->id,
        .close_at_s = generation->config.close_at_s,
        .phase = generation->ledger.phase,
        .is_next = movement->kind == MOVEMENT_NEXT,
    };

    enum status status = settings_change_check(&change, err);
    if (status == STATUS_OK && movement->kind == MOVEMENT_NEXT)
        status = movement_check_next(self, movement, settings, err);
    return status;
}

/* Makes the generation that takes the place of the one that runs. */
static enum status movement_create(struct supervisor *self, const struct movement *movement,
                                   const struct server_settings *settings, struct generation **out,
                                   struct errbuf *err)
{
    const struct generation *generation = self->generation;
    const bool is_next = movement->kind == MOVEMENT_NEXT;
    struct generation_config config = {
        .settings = settings,
        .base_dir = generation->config.base_dir,
        .http_fd = self->http_fd,
        .started_s = self->started_s,
        .id = is_next ? movement->id : generation->id,
        .close_at_s = is_next ? movement->close_at_s : generation->config.close_at_s,
        .must_exist = !is_next,
        .replaces = is_next ? NULL : generation,
        .on_fork = supervisor_on_fork,
        .context = self,
    };

    enum status status = server_tls_reload(settings, &config.tls, err);
    if (status == STATUS_OK)
        status = generation_create(&config, out, err);
    if (status != STATUS_OK || !is_next)
        return status;
    status = generation_check_new(*out, err);
    if (status != STATUS_OK)
        generation_undo(*out);
    return status;
}

static enum status movement_prepare(struct supervisor *self, const struct movement *movement,
                                    struct errbuf *err)
{
    struct server_settings settings;
    struct generation *next = NULL;

    if (self->movement.generation != NULL || self->step != SUPERVISOR_RUNS) {
        errbuf_set(err, "another movement is under way");
        return STATUS_INUSE;
    }
    enum status status = server_settings_reload(self->config->sources, &settings, err);
    if (status == STATUS_OK)
        status = movement_check_settings(self, movement, &settings, err);
    if (status == STATUS_OK)
        status = movement_create(self, movement, &settings, &next, err);
    if (status == STATUS_OK)
        self->movement = (struct supervisor_movement){.generation = next, .what = *movement};
    return status;
}

void supervisor_drop_movement(struct supervisor *self)
{
    if (self->movement.generation != NULL)
        generation_undo(self->movement.generation);
    self->movement = (struct supervisor_movement){0};
}

/* ------------------------------------------------------------------ moving */

/* The generation's children are due again after they were stopped; what its coordinator had said in
 * the end counts for nothing. */
static void movement_start_over(struct supervisor *self)
{
    struct generation *generation = self->generation;

    ledger_child_forgive(&generation->ledger);
    if (self->is_lottery) {
        struct supervisor_message message;
        bool has_more;
        do
            has_more = coordinator_child_hear(&generation->coordinator, &message);
        while (has_more);
        coordinator_child_forget(&generation->coordinator);
    }
    children_start_over(&generation->roles.all);
    roles_tell_stop(&generation->roles, false);
    self->step = SUPERVISOR_RUNS;
}

/* Puts the generation before back in its place; none of the other's children runs. */
static void movement_go_back(struct supervisor *self, const struct movement *movement,
                             const struct errbuf *reason)
{
    generation_take_counts(self->kept, self->generation);
    generation_destroy(self->generation);
    self->generation = self->kept;
    self->kept = NULL;
    log_set_level(self->generation->settings.log_level);
    log_set_format(self->generation->settings.log_format);
    movement_start_over(self);
    movement_report(self, LOG_ERROR, movement, reason);
}

/* Starts the next ledger, and makes its draw the one in force. `err` says why not. UNCERTAIN: the
 * server cannot go on. */
static enum status movement_begin(struct supervisor *self, const struct movement *movement,
                                  struct errbuf *err)
{
    struct generation *generation = self->generation;

    if (!self->is_lottery)
        return STATUS_OK;
    self->step = SUPERVISOR_STARTS;
    if (generation->config.replaces != NULL)
        ledger_child_continue(&generation->ledger, &self->kept->ledger);
    supervisor_start_ledger(self);
    if (self->is_stopping)
        return STATUS_STOPPED;
    if (generation->ledger.has_failed) {
        *err = generation->ledger.reason;
        return STATUS_IO;
    }
    if (movement->kind != MOVEMENT_NEXT)
        return STATUS_OK;
    return draws_write_current(&self->base_dir, movement->id, err);
}

/* The settings of the draw that has begun: what they say about the first one is past. */
static void movement_log_settings(const struct supervisor *self)
{
    struct server_settings settings = self->generation->settings;

    (void)snprintf(settings.draw_id, sizeof(settings.draw_id), "%s", self->generation->id);
    settings.close_at_s = self->generation->config.close_at_s;
    server_settings_log(&settings);
}

static void movement_end(struct supervisor *self, const struct movement *movement)
{
    self->step = SUPERVISOR_RUNS;
    self->generation->config.replaces = NULL;
    generation_destroy(self->kept);
    self->kept = NULL;
    movement_log_settings(self);
    server_tls_log(&self->generation->settings, self->generation->config.tls);
    movement_log(LOG_INFO, LOG_SUCCESS, movement, NULL);
    if (self->is_lottery && self->movement.number == 0)
        coordinator_child_tell_moved(&self->generation->coordinator, movement,
                                     &(struct errbuf){{0}});
}

/* The present ledger has ended with an error, so what is on disk has to be looked at first. */
static void movement_stay(struct supervisor *self, const struct movement *movement)
{
    struct errbuf reason = self->generation->ledger.reason;

    if (self->is_stopping) {
        supervisor_fail(self, reason.text);
        return;
    }
    supervisor_drop_movement(self);
    movement_start_over(self);
    movement_report(self, LOG_ERROR, movement, &reason);
}

static void movement_tell_manager(const struct supervisor *self, const struct movement *movement)
{
    notifier_tell(self->config->notifier, NOTIFIER_RELOADING,
                  movement->kind == MOVEMENT_NEXT ? "going over to the next draw"
                                                  : "reading its settings again");
}

/* A stop that is asked for meanwhile ends the movement: the caller stops what runs. */
static void movement_move(struct supervisor *self)
{
    const struct movement movement = self->movement.what;
    struct errbuf err = {{0}};

    movement_tell_manager(self, &movement);
    supervisor_halt(self);
    if (self->generation->ledger.has_failed) {
        movement_stay(self, &movement);
        return;
    }
    if (self->is_stopping)
        return;
    self->kept = self->generation;
    self->generation = self->movement.generation;
    self->movement.generation = NULL;
    generation_take_counts(self->generation, self->kept);
    log_set_level(self->generation->settings.log_level);
    log_set_format(self->generation->settings.log_format);
    roles_listen(&self->generation->roles, self->listen_fd);
    enum status status = movement_begin(self, &movement, &err);
    if (status == STATUS_OK) {
        movement_end(self, &movement);
        return;
    }
    if (status == STATUS_UNCERTAIN)
        supervisor_fail(self, err.text);
    if (self->is_stopping)
        return;
    supervisor_halt(self);
    if (!self->is_stopping)
        movement_go_back(self, &movement, &err);
}

/* ------------------------------------------------------------------ who asks */

static void movement_refuse(const struct supervisor *self, uint32_t number,
                            const struct movement *movement, const struct errbuf *reason)
{
    movement_log(LOG_WARNING, LOG_FAIL, movement, reason->text);
    coordinator_child_refuse(&self->generation->coordinator, number, reason);
}

static void movement_on_prepare(struct supervisor *self, const struct supervisor_message *message)
{
    struct errbuf err = {{0}};

    if (movement_prepare(self, &message->movement, &err) != STATUS_OK) {
        movement_refuse(self, message->number, &message->movement, &err);
        return;
    }
    self->movement.number = message->number;
    coordinator_child_prepared(&self->generation->coordinator, message->number);
}

/* Is it about the movement that is prepared? */
static bool movement_is_known(const struct supervisor *self,
                              const struct supervisor_message *message)
{
    return self->movement.generation != NULL && message->number == self->movement.number;
}

static void movement_on_message(struct supervisor *self, const struct supervisor_message *message)
{
    const struct errbuf unknown = {"it is not prepared any more"};

    switch (message->kind) {
    case SUPERVISOR_PREPARE:
        movement_on_prepare(self, message);
        break;
    case SUPERVISOR_COMMIT:
        if (movement_is_known(self, message))
            self->movement.is_committed = true;
        else
            coordinator_child_refuse(&self->generation->coordinator, message->number, &unknown);
        break;
    case SUPERVISOR_CANCEL:
        if (movement_is_known(self, message) && !self->movement.is_committed)
            supervisor_drop_movement(self);
        break;
    case SUPERVISOR_PHASE:
        if (message->phase > self->generation->ledger.phase)
            self->generation->ledger.phase = message->phase;
        break;
    case SUPERVISOR_PREPARED:
    case SUPERVISOR_REFUSED:
    case SUPERVISOR_MOVED:
        break; /* ours */
    }
}

static void movement_hear_coordinator(struct supervisor *self)
{
    struct supervisor_message message;

    while (coordinator_child_hear(&self->generation->coordinator, &message))
        movement_on_message(self, &message);
}

/* It is not started again before this. Perhaps the act is on record, and only the commit is
 * missing: the next coordinator records that nothing came of it. */
static void movement_end_coordinator(struct supervisor *self)
{
    const struct errbuf reason = {"the coordinator has ended before the movement began"};

    coordinator_child_forget(&self->generation->coordinator);
    if (self->movement.generation == NULL || self->movement.is_committed)
        return;
    if (!self->is_stopping)
        movement_report(self, LOG_ERROR, &self->movement.what, &reason);
    supervisor_drop_movement(self);
}

static void movement_reload(struct supervisor *self)
{
    const struct movement movement = {.kind = MOVEMENT_RELOAD, .uid = self->reload_uid};
    struct errbuf err = {{0}};

    movement_tell_manager(self, &movement);
    if (movement_prepare(self, &movement, &err) == STATUS_OK)
        self->movement.is_committed = true;
    else if (!self->is_stopping)
        movement_report(self, LOG_WARNING, &movement, &err);
}

void supervisor_move_due(struct supervisor *self)
{
    if (self->is_lottery)
        movement_hear_coordinator(self);
    if (self->generation->coordinator.has_ended)
        movement_end_coordinator(self);
    if (self->is_reload_due && !self->is_stopping && !self->movement.is_committed) {
        self->is_reload_due = false;
        movement_reload(self);
    }
    if (self->movement.is_committed && !self->is_stopping)
        movement_move(self);
    if (self->step == SUPERVISOR_RUNS && self->movement.generation == NULL)
        self->movement = (struct supervisor_movement){0};
    if (!self->is_stopping && !self->movement.is_committed)
        supervisor_tell_ready(self); /* again, if one of these has begun and ended */
}
