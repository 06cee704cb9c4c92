/* The seal of a draw.
 *
 * Happy path: Finished is sent, and asks for the seal. While the agency waits, it hashes its own
 * rows. The Seal arrives, is compared with them, checked and kept; then the winners, with the
 * number and the result's note: it finds its own winners in its file, compares, and keeps the note,
 * too.
 *
 * Failure modes: anything differs: the log says what, and the agency ends as failed once it has its
 * winners. The connection breaks: the hashing goes on where it was, after the next Finished; a Seal
 * that comes again has to be the same. The winners come without a seal: a warning, or a failure if
 * the settings have a key or the result's note says that there is one. The file cannot be read any
 * more, or the evidence not be written: a failure like the others.
 */
#include "seal_watch.h"

#include "base64.h"
#include "buffer.h"
#include "draw_id.h"
#include "log.h"
#include "seal_check.h"
#include "seal_evidence.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void seal_watch_advance(struct seal_watch *watch);
static void seal_watch_on_idle(uv_idle_t *idle);

/* `what` was checked: the seal, or the result. */
static void seal_watch_fail(struct seal_watch *watch, const char *what, const char *reason)
{
    watch->has_failed = true;
    LOG(ERROR, "cierre", FAIL, LOG_UINT("client_id", watch->config.settings->id),
        LOG_TEXT("checked", what), LOG_TEXT("reason", reason));
}

/* What is needed if the settings ask for a seal. */
static enum status seal_watch_prepare(struct seal_watch *watch, struct errbuf *err)
{
    const struct client_settings *settings = watch->config.settings;
    enum status status = STATUS_OK;

    if (watch->has_key) /* it was read before, with the settings */
        status = note_key_parse(text_of(settings->seal_key), &watch->key, err);
    if (status != STATUS_OK)
        return status;
    status = own_rows_init(&watch->rows, settings->id);
    if (status == STATUS_OK)
        status = text_hash_init(&watch->winners);
    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    return status;
}

bool seal_watch_init(struct seal_watch *watch, const struct seal_watch_config *config)
{
    struct errbuf err;

    watch->config = *config;
    (void)uv_idle_init(config->loop, &watch->idle);
    watch->idle.data = watch;
    watch->is_wanted = client_settings_want_seal(config->settings);
    watch->has_key = config->settings->seal_key[0] != '\0';
    if (!watch->is_wanted || seal_watch_prepare(watch, &err) == STATUS_OK)
        return true;
    seal_watch_fail(watch, "seal", err.text);
    return false;
}

/* The evidence must not take the place of the bets, or of the winners. */
enum status seal_watch_open(struct seal_watch *watch, struct bets_file *file, struct errbuf *err)
{
    const struct client_settings *settings = watch->config.settings;
    const char *path = settings->seal_file;

    watch->file = file;
    if (path[0] == '\0')
        return STATUS_OK;
    bool is_bets = bets_file_is_at(file, path);
    if (!is_bets && strcmp(path, settings->winners_file) != 0)
        return kept_file_init(&watch->evidence, path, err);
    errbuf_set(err, "%s: is the file of %s: set seal.file to another name", path,
               is_bets ? "bets" : "winners");
    return STATUS_INVALID;
}

void seal_watch_close(struct seal_watch *watch)
{
    uv_close((uv_handle_t *)&watch->idle, NULL);
    own_rows_fini(&watch->rows);
    text_hash_fini(&watch->winners);
}

/* Begins to go through the own rows. */
static void seal_watch_walk(struct seal_watch *watch, enum seal_watch_stage stage)
{
    watch->stage = stage;
    (void)uv_idle_start(&watch->idle, seal_watch_on_idle);
}

/* Checks nothing from now on; the winners may still come. */
static void seal_watch_give_up(struct seal_watch *watch, enum status status)
{
    (void)uv_idle_stop(&watch->idle);
    watch->has_given_up = true;
    seal_watch_fail(watch, "seal", status_text(status));
}

void seal_watch_begin(struct seal_watch *watch, uint64_t rows)
{
    if (!watch->is_wanted || watch->has_given_up)
        return;
    watch->are_winners_there = false;
    watch->drawn.size = 0;
    enum status status = text_hash_restart(&watch->winners);
    if (watch->stage == SEAL_WATCH_OFF || watch->rows.rows != rows) {
        watch->seal.size = 0;
        watch->is_good = false;
        if (status == STATUS_OK)
            status = own_rows_begin_lines(&watch->rows, rows);
        seal_watch_walk(watch, SEAL_WATCH_HASHING);
    } else if (watch->stage == SEAL_WATCH_HASHING) {
        own_rows_leave(&watch->rows);
        seal_watch_walk(watch, SEAL_WATCH_HASHING);
    }
    if (status != STATUS_OK)
        seal_watch_give_up(watch, status);
}

void seal_watch_pause(struct seal_watch *watch)
{
    (void)uv_idle_stop(&watch->idle);
}

/* Writes the evidence: the seal and, if there is one, the note of the result. */
static void seal_watch_keep(struct seal_watch *watch, const struct seal_claim *claim,
                            struct text result)
{
    struct buffer text = {0};
    struct errbuf err = {{0}};

    if (watch->evidence.path[0] == '\0' ||
        (!watch->is_good && kept_file_exists(&watch->evidence))) /* what is there may be better */
        return;
    enum status status = seal_evidence_put(claim, &text);
    if (status == STATUS_OK && result.size > 0)
        (void)seal_evidence_put_result(result, &text); /* or without it, if it is not one */
    if (status == STATUS_OK)
        status = kept_file_write(&watch->evidence, (struct text){text.data, text.size}, &err);
    else
        errbuf_set(&err, "%s: %s", watch->evidence.path, status_text(status));
    buffer_fini(&text);
    if (status == STATUS_OK) {
        LOG(INFO, "guardar_cierre", SUCCESS, LOG_TEXT("file", watch->evidence.path));
        return;
    }
    watch->has_failed = true;
    LOG(ERROR, "guardar_cierre", FAIL, LOG_UINT("client_id", watch->config.settings->id),
        LOG_TEXT("reason", err.text));
}

static const struct note_key *seal_watch_key(const struct seal_watch *watch)
{
    return watch->has_key ? &watch->key : NULL;
}

/* The seal is right. */
static void seal_watch_tell_seal(const struct seal_watch *watch)
{
    const struct client_settings *settings = watch->config.settings;
    char root[BASE64_SIZE(SHA256_SIZE) + 1];

    *base64_encode(watch->note.root.bytes, SHA256_SIZE, root) = '\0';
    LOG(INFO, "cierre", SUCCESS, LOG_UINT("client_id", settings->id), LOG_TEXT("checked", "seal"),
        LOG_TEXT("draw", draw_id_shown(settings->draw)), LOG_UINT("bets", watch->rows.rows),
        LOG_TEXT("root", root), LOG_TEXT("signature", watch->has_key ? "checked" : "not checked"));
}

/* Compares the seal with the own rows. */
static void seal_watch_check_seal(struct seal_watch *watch)
{
    const struct client_settings *settings = watch->config.settings;
    struct seal_own own = {
        .agency = settings->id,
        .draw = settings->draw,
        .total = watch->rows.rows,
        .key = seal_watch_key(watch),
    };
    struct seal_view view;
    struct errbuf err;

    if (!seal_view_open(&view, &watch->seal)) {
        seal_watch_fail(watch, "seal", status_text(STATUS_NOMEM));
        return;
    }
    memcpy(own.digest, watch->digest.bytes, sizeof(own.digest));
    watch->is_good = seal_check(&view.claim, &own, &watch->note, &err) == SEAL_GOOD;
    if (watch->is_good)
        seal_watch_tell_seal(watch);
    else
        seal_watch_fail(watch, "seal", err.text);
    seal_watch_keep(watch, &view.claim, (struct text){"", 0});
    seal_view_close(&view);
}

/* The winners have come without a seal. */
static void seal_watch_miss_seal(struct seal_watch *watch)
{
    Lottery__V1__Drawn *drawn =
        lottery__v1__drawn__unpack(NULL, watch->drawn.size, watch->drawn.bytes);
    bool is_sealed = drawn != NULL && drawn->note[0] != '\0';

    lottery__v1__drawn__free_unpacked(drawn, NULL);
    if (is_sealed)
        seal_watch_fail(watch, "seal", "the draw is sealed, and the central has sent no seal");
    else if (watch->has_key)
        seal_watch_fail(watch, "seal", "the central has sent no seal, and seal.key is set");
    else
        LOG(WARNING, "cierre", IN_PROGRESS, LOG_UINT("client_id", watch->config.settings->id),
            LOG_TEXT("reason", "the central has sent no seal, so nothing is checked: the draw is "
                               "not sealed, or the central is too old"));
}

/* Checks the result's note, and keeps it. */
static bool seal_watch_check_note(struct seal_watch *watch, const Lottery__V1__Drawn *drawn)
{
    const struct result_claim claim = result_claim_of(drawn);
    struct seal_view view;
    struct errbuf err;

    bool is_good =
        seal_check_result(&claim, &watch->note, seal_watch_key(watch), NULL, &err) == SEAL_GOOD;
    if (!is_good)
        seal_watch_fail(watch, "result", err.text);
    if (!seal_view_open(&view, &watch->seal)) {
        seal_watch_fail(watch, "result", status_text(STATUS_NOMEM));
        return false;
    }
    seal_watch_keep(watch, &view.claim, claim.note);
    seal_view_close(&view);
    return is_good;
}

/* Compares the winners that have come with those among the own rows. */
static void seal_watch_check_winners(struct seal_watch *watch, const struct text_digest *own)
{
    char reason[160];
    bool is_same = own->count == watch->told.count &&
                   memcmp(own->bytes, watch->told.bytes, sizeof(own->bytes)) == 0;

    if (is_same) {
        LOG(INFO, "cierre", SUCCESS, LOG_UINT("client_id", watch->config.settings->id),
            LOG_TEXT("checked", "result"), LOG_UINT("numero", watch->rows.number),
            LOG_UINT("cant_ganadores", own->count));
        return;
    }
    (void)snprintf(reason, sizeof(reason),
                   "the winners are not this agency's bets with number %" PRIu32
                   ": the file has %" PRIu64 " of them, and %" PRIu64 " winners have come",
                   watch->rows.number, own->count, watch->told.count);
    seal_watch_fail(watch, "result", reason);
}

/* All winners of a sealed draw are there. */
static void seal_watch_check_result(struct seal_watch *watch)
{
    Lottery__V1__Drawn *drawn =
        lottery__v1__drawn__unpack(NULL, watch->drawn.size, watch->drawn.bytes);

    watch->stage = SEAL_WATCH_DONE;
    if (drawn == NULL || watch->drawn.size == 0) {
        seal_watch_fail(watch, "result",
                        "the draw is sealed, and its winners came without its "
                        "number");
    } else if (seal_watch_check_note(watch, drawn)) {
        if (own_rows_begin_winners(&watch->rows, watch->rows.rows, drawn->number) == STATUS_OK)
            seal_watch_walk(watch, SEAL_WATCH_COUNTING);
        else
            seal_watch_fail(watch, "result", status_text(STATUS_NOMEM));
    }
    lottery__v1__drawn__free_unpacked(drawn, NULL);
}

/* Does what can be done with what is there. */
static void seal_watch_advance(struct seal_watch *watch)
{
    if (watch->stage == SEAL_WATCH_WAITING && watch->seal.size > 0) {
        watch->stage = SEAL_WATCH_SEALED;
        seal_watch_check_seal(watch);
    }
    if (!watch->are_winners_there)
        return;
    if (watch->stage == SEAL_WATCH_WAITING) {
        watch->stage = SEAL_WATCH_DONE;
        seal_watch_miss_seal(watch);
    } else if (watch->stage == SEAL_WATCH_SEALED && watch->is_good) {
        seal_watch_check_result(watch);
    } else if (watch->stage == SEAL_WATCH_SEALED) {
        watch->stage = SEAL_WATCH_DONE;
    }
    if (watch->stage == SEAL_WATCH_DONE)
        watch->config.on_done(watch->config.owner);
}

static void seal_watch_on_idle(uv_idle_t *idle)
{
    struct seal_watch *watch = idle->data;
    bool is_counting = watch->stage == SEAL_WATCH_COUNTING;
    struct text_digest digest;
    struct errbuf err = {{0}};
    bool is_done;

    enum status status = own_rows_step(&watch->rows, watch->file, &is_done, &digest, &err);
    if (status == STATUS_OK && !is_done)
        return;
    (void)uv_idle_stop(idle);
    if (status != STATUS_OK) {
        seal_watch_fail(watch, is_counting ? "result" : "seal", err.text);
        watch->stage = is_counting ? SEAL_WATCH_DONE : SEAL_WATCH_SEALED;
    } else if (is_counting) {
        watch->stage = SEAL_WATCH_DONE;
        seal_watch_check_winners(watch, &digest);
    } else {
        watch->stage = SEAL_WATCH_WAITING;
        watch->digest = digest;
    }
    seal_watch_advance(watch);
}

bool seal_watch_take_seal(struct seal_watch *watch, const Lottery__V1__Seal *seal)
{
    if (!watch->is_wanted || watch->has_given_up)
        return watch->is_wanted;
    if (watch->seal.size > 0) {
        if (!kept_message_is(&watch->seal, &seal->base))
            seal_watch_fail(watch, "seal", "the central has sent another seal before");
        return true;
    }
    if (!kept_message_set(&watch->seal, &seal->base))
        seal_watch_fail(watch, "seal", "the seal is empty");
    seal_watch_advance(watch);
    return true;
}

void seal_watch_take_winners(struct seal_watch *watch, const Lottery__V1__Winners *winners)
{
    if (!watch->is_wanted || watch->has_given_up)
        return;
    if (winners->drawn != NULL && watch->drawn.size == 0)
        (void)kept_message_set(&watch->drawn, &winners->drawn->base);
    for (size_t i = 0; i < winners->n_documents; i++)
        text_hash_add_document(&watch->winners, text_of(winners->documents[i]));
    if (winners->more)
        return;
    watch->told = text_hash_end(&watch->winners);
    watch->are_winners_there = true;
    seal_watch_advance(watch);
}

bool seal_watch_is_busy(const struct seal_watch *watch)
{
    return watch->is_wanted && !watch->has_given_up && watch->stage != SEAL_WATCH_DONE;
}
