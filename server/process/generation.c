#include "generation.h"

#include "draw.h"
#include "draws.h"
#include "scoreboard.h"
#include "store_csv.h"
#include "tls_context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Opens the folder of a draw with an id that no other generation has open. */
static enum status generation_open_folder(struct generation *self, struct errbuf *err)
{
    const struct data_dir *base = self->config.base_dir;
    enum status status = STATUS_OK;

    if (!self->config.must_exist)
        status = draws_make_folder(base, self->id, &self->is_folder_made, err);
    if (status == STATUS_OK)
        status = data_dir_open_draw(base, self->id, self->path, &self->data_dir, err);
    return status;
}

static enum status generation_open_data(struct generation *self, struct errbuf *err)
{
    const struct data_dir *base = self->config.base_dir;
    const bool has_id = self->id[0] != '\0';

    (void)snprintf(self->path, sizeof(self->path), "%s%s%s", base->path, has_id ? "/" : "",
                   self->id);
    if (self->config.replaces != NULL)
        return data_dir_share(&self->config.replaces->data_dir, self->path, &self->data_dir, err);
    if (has_id)
        return generation_open_folder(self, err);
    return data_dir_share(base, self->path, &self->data_dir, err);
}

static struct draw_terms generation_terms(const struct generation *self)
{
    struct draw_terms terms = {
        .mode = self->settings.draw == SERVER_DRAW_MANUAL ? DRAW_MANUAL : DRAW_AUTO,
        .has_seal = server_settings_has_seal(&self->settings),
        .close_at_s = self->config.close_at_s,
    };

    memcpy(terms.id, self->id, sizeof(terms.id));
    return terms;
}

static enum status generation_open(struct generation *self, struct errbuf *err)
{
    enum status status = STATUS_OK;

    if (self->is_lottery) {
        const struct ledger_child_config ledger = {
            .settings = &self->settings,
            .data_dir = &self->data_dir,
            .terms = generation_terms(self),
            .must_exist = self->config.must_exist,
        };
        status = generation_open_data(self, err);
        if (status == STATUS_OK)
            status = ledger_child_init(&self->ledger, &ledger, err);
        if (status == STATUS_OK)
            status = coordinator_child_init(&self->coordinator, err);
    }
    if (status != STATUS_OK)
        return status;
    status =
        roles_init(&self->roles, &(struct roles_config){
                                     .settings = &self->settings,
                                     .tls = self->config.tls,
                                     .http_fd = self->config.http_fd,
                                     .started_s = self->config.started_s,
                                     .data_dir = self->is_lottery ? &self->data_dir : NULL,
                                     .base_dir = self->config.base_dir,
                                     .ledger = self->is_lottery ? &self->ledger : NULL,
                                     .coordinator = self->is_lottery ? &self->coordinator : NULL,
                                     .on_fork = self->config.on_fork,
                                     .context = self->config.context,
                                 });
    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    return status;
}

enum status generation_create(const struct generation_config *config, struct generation **out,
                              struct errbuf *err)
{
    struct generation *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        tls_context_destroy(config->tls);
        errbuf_set(err, "%s", status_text(STATUS_NOMEM));
        return STATUS_NOMEM;
    }
    self->settings = *config->settings;
    self->config = *config;
    self->config.settings = &self->settings;
    self->config.id = self->id;
    (void)snprintf(self->id, sizeof(self->id), "%s", config->id);
    self->is_lottery = config->base_dir != NULL;
    self->data_dir = (struct data_dir){.fd = -1, .old_lock_fd = -1};
    self->ledger = (struct ledger_child){.listen_fd = -1, .control_fd = -1, .far_fd = -1};
    self->coordinator = (struct coordinator_child){.near_fd = -1, .far_fd = -1};
    self->roles = (struct roles){.listen_fd = -1, .stop_fd = -1};
    enum status status = generation_open(self, err);
    if (status != STATUS_OK) {
        generation_undo(self);
        return status;
    }
    *out = self;
    return STATUS_OK;
}

/* The next draw always has another id. */
void generation_take_counts(struct generation *self, const struct generation *before)
{
    scoreboard_take_over(self->roles.scoreboard, before->roles.scoreboard,
                         strcmp(self->id, before->id) == 0);
}

static void generation_wipe_key(struct generation *self)
{
    tls_context_destroy(self->config.tls);
    self->config.tls = NULL;
}

void generation_leave(struct generation *self)
{
    generation_wipe_key(self);
    scoreboard_destroy(self->roles.scoreboard);
    self->roles.scoreboard = NULL;
}

void generation_destroy(struct generation *self)
{
    if (self == NULL)
        return;
    ledger_child_fini(&self->ledger);
    coordinator_child_fini(&self->coordinator);
    data_dir_close(&self->data_dir);
    generation_wipe_key(self);
    roles_fini(&self->roles);
    free(self);
}

void generation_undo(struct generation *self)
{
    if (self->is_folder_made)
        draws_remove_folder(self->config.base_dir, self->id);
    generation_destroy(self);
}

/* Is there a file of this name, and are there bytes in it? */
static bool generation_has_bytes(const struct generation *self, const char *name)
{
    struct stat info;

    return fstatat(self->data_dir.fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && info.st_size > 0;
}

/* Would the recorded draw be opened in the same way, and is there nothing in it? */
static bool generation_is_untouched(const struct generation *self, const struct draw *draw)
{
    const struct draw_terms terms = generation_terms(self);

    return draw->phase == DRAW_NEW ||
           (draw->phase == DRAW_OPEN && draw->bets == 0 && draw->finished == 0 &&
            draw->agencies == self->settings.agencies && draw->terms.mode == terms.mode &&
            draw->terms.has_seal == terms.has_seal && draw->terms.close_at_s == terms.close_at_s &&
            strcmp(draw->terms.id, terms.id) == 0 &&
            (terms.mode == DRAW_MANUAL || draw->winner_number == self->settings.winner_number));
}

enum status generation_check_new(const struct generation *self, struct errbuf *err)
{
    struct store_csv_report report = {0};
    struct draw draw;
    bool is_free = !generation_has_bytes(self, "bets.csv");

    if (is_free && generation_has_bytes(self, "bets.journal")) {
        draw_init(&draw);
        enum status status = store_csv_check(&self->data_dir, &draw, &report, err);
        is_free = generation_is_untouched(self, &draw);
        draw_fini(&draw);
        if (status != STATUS_OK) {
            errbuf_wrap(err, "data directory %s", self->path);
            return status;
        }
    }
    if (is_free)
        return STATUS_OK;
    errbuf_set(err, "data directory %s: it has a draw already: choose another id", self->path);
    return STATUS_INVALID;
}
