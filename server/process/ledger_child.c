/* The supervisor's side of the ledger.
 *
 * Happy path: the ledger reports that it has recovered; then the others are started. When the draw
 * was held, it reports that, too, waits until the line is logged, and only then tells all others.
 *
 * Failure modes: the ledger dies between the record of the draw and the line: its successor finds
 * the record and tells it again. It is killed, or a sync fails: it is started again and recovers. A
 * recovery ends in an error: the first one of a server ends the server, later ones do when there
 * are LEDGER_FAILURES_MAX in a row; kills in between do not count. The data directory is gone: the
 * server stops. It was emptied: a successor refuses to begin a new draw in it.
 */
#include "ledger_child.h"

#include "log.h"
#include "sockets.h"
#include "store_csv.h"
#include "sync_timer.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "data directory " /* what reasons about it begin with */

enum status ledger_child_init(struct ledger_child *self, const struct ledger_child_config *config,
                              struct errbuf *err)
{
    int control[2];

    *self =
        (struct ledger_child){.config = *config, .listen_fd = -1, .control_fd = -1, .far_fd = -1};
    enum status status =
        socket_listen_unix(&self->listen_fd, &self->address, &self->address_size, err);
    if (status == STATUS_OK)
        status = socket_pair(control, err);
    if (status != STATUS_OK)
        return status;
    self->control_fd = control[0];
    self->far_fd = control[1];
    return STATUS_OK;
}

void ledger_child_fini(struct ledger_child *self)
{
    const int fds[] = {self->listen_fd, self->control_fd, self->far_fd};

    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
}

void ledger_child_continue(struct ledger_child *self, const struct ledger_child *before)
{
    self->is_continued = true;
    self->config.must_exist = true;
    self->phase = before->phase;
    self->is_draw_told = before->is_draw_told;
}

void ledger_child_forgive(struct ledger_child *self)
{
    self->has_failed = false;
    self->failures = 0;
    self->reason.text[0] = '\0';
}

/* In a draw that an operator runs, nobody knows the number before. */
static uint32_t ledger_child_number(const struct ledger_child *self)
{
    return self->config.terms.mode == DRAW_MANUAL ? 0 : self->config.settings->winner_number;
}

static enum status ledger_child_open_store(void *context, struct draw *draw,
                                           bool (*must_stop)(void), struct store **out,
                                           struct errbuf *err)
{
    const struct ledger_child *self = context;
    const struct store_csv_config config = {
        .data_dir = &self->timed_dir,
        .opened = {.agencies = self->config.settings->agencies,
                   .winner_number = ledger_child_number(self),
                   .terms = self->config.terms},
        /* A successor that began a new draw would drop bets that were acknowledged. */
        .must_exist = self->was_ready || self->config.must_exist,
        .must_stop = must_stop,
    };
    struct store_csv_report report = {0};

    if ((self->was_ready || self->is_continued) &&
        !data_dir_is_in_place(self->config.data_dir, err))
        return STATUS_GONE;
    enum status status = store_csv_open(&config, draw, out, &report, err);
    if (status == STATUS_OK && report.is_carried_over)
        LOG(INFO, "recover_store", SUCCESS,
            LOG_TEXT("reason", "the folder of an earlier release was carried over"));
    return status;
}

int ledger_child_run(struct ledger_child *self, struct scoreboard_ledger *scoreboard)
{
    self->timed_dir = *self->config.data_dir;
    self->timed_dir.ops = sync_timer_start(self->timed_dir.ops, scoreboard);
    return ledger_run(&(struct ledger_config){
        .listen_fd = self->listen_fd,
        .control_fd = self->far_fd,
        .agencies = self->config.settings->agencies,
        .winner_number = ledger_child_number(self),
        .terms = self->config.terms,
        .scoreboard = scoreboard,
        .open_store = ledger_child_open_store,
        .context = self,
    });
}

/* The draw was held. A server that found it held when it started does not report it. */
static void ledger_child_hear_drawn(struct ledger_child *self, const struct ledger_tells *told)
{
    if (!self->is_draw_told)
        LOG(INFO, "sorteo", SUCCESS, LOG_UINT("ganadores", told->winners));
    self->is_draw_told = true;
    self->phase = DRAW_DRAWN;
    /* If the ledger has died meanwhile, its successor tells it again. */
    (void)send(self->control_fd, told, sizeof(*told), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void ledger_child_hear_ready(struct ledger_child *self, const struct ledger_tells *told)
{
    if (!self->was_ready && !self->is_continued && told->phase == DRAW_DRAWN)
        self->is_draw_told = true;
    self->phase = told->phase;
    self->is_ready = true;
    self->was_ready = true;
    self->failures = 0;
    if (told->phase == DRAW_DRAWN)
        ledger_child_hear_drawn(self, told);
}

void ledger_child_hear(struct ledger_child *self)
{
    struct ledger_tells told;

    while (recv(self->control_fd, &told, sizeof(told), MSG_DONTWAIT) == (ssize_t)sizeof(told)) {
        switch (told.kind) {
        case LEDGER_TELLS_READY:
            ledger_child_hear_ready(self, &told);
            break;
        case LEDGER_TELLS_DRAWN:
            ledger_child_hear_drawn(self, &told);
            break;
        case LEDGER_TELLS_REASON:
            told.text.text[sizeof(told.text.text) - 1] = '\0';
            self->reason = told.text;
            break;
        }
    }
}

/* What was sent to the ledger that has ended is not for its successor. */
static void ledger_child_forget_answers(const struct ledger_child *self)
{
    struct ledger_tells told;
    ssize_t size;

    do
        size = recv(self->far_fd, &told, sizeof(told), MSG_DONTWAIT);
    while (size >= 0);
}

/* Puts the folder in front of the reason. */
static void ledger_child_name_folder(struct ledger_child *self)
{
    const char *id = self->config.terms.id;

    errbuf_wrap(&self->reason, FOLDER "%s%s%s", self->config.settings->data_dir,
                id[0] != '\0' ? "/" : "", id);
}

/* The server has to stop: completes the reason. */
static bool ledger_child_fail(struct ledger_child *self)
{
    /* When the folder itself is gone, the reason names it. */
    if (strncmp(self->reason.text, FOLDER, strlen(FOLDER)) != 0)
        ledger_child_name_folder(self);
    self->has_failed = true;
    return false;
}

/* Has the server to stop, because the ledger has ended with this exit status? */
static bool ledger_child_is_last(struct ledger_child *self, int exit_status, bool is_stopping)
{
    if (is_stopping || exit_status == LEDGER_EXIT_GONE)
        return true;
    if (self->is_ready)
        return false;
    self->failures++;
    return !self->was_ready || self->failures == LEDGER_FAILURES_MAX;
}

bool ledger_child_end(struct ledger_child *self, int status, bool is_stopping)
{
    ledger_child_hear(self);
    ledger_child_forget_answers(self);
    /* Whoever kills it says nothing about the data; nor does a stop. */
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0) {
        if (self->reason.text[0] == '\0')
            errbuf_set(&self->reason, "the ledger ended with status %d", WEXITSTATUS(status));
        if (ledger_child_is_last(self, WEXITSTATUS(status), is_stopping))
            return ledger_child_fail(self);
        LOG(ERROR, "ledger", FAIL, LOG_TEXT("reason", self->reason.text));
    }
    self->is_ready = false;
    self->reason.text[0] = '\0';
    return true;
}
