#include "ledger_core_settings.h"

#include "log.h"

#include <inttypes.h>
#include <string.h>

/* A record that is a group of its own. */
static enum status core_record_alone(struct ledger_core *core, struct draw_record *record,
                                     struct errbuf *err)
{
    struct draw_outcome outcome = draw_apply(core->config.draw, record);
    enum status status = outcome.status;

    if (status == STATUS_OK && outcome.is_recorded) {
        status = store_append(core->config.store, record, NULL, 0);
        if (status == STATUS_OK)
            return store_commit(core->config.store, err);
    }
    if (status != STATUS_OK)
        errbuf_set(err, "%s", status_text(status));
    return status;
}

static enum status core_refuse(struct errbuf *err, const char *name, uint32_t given,
                               uint32_t recorded)
{
    errbuf_set(err,
               "%s is %" PRIu32 ", but this draw was opened with %" PRIu32
               ": set it back, or choose another data directory",
               name, given, recorded);
    return STATUS_INVALID;
}

static enum status core_add_agencies(struct ledger_core *core, struct errbuf *err)
{
    uint32_t before = core->config.draw->agencies;
    struct draw_record record = {.type = DRAW_AGENCIES, .agencies = core->config.agencies};

    enum status status = core_record_alone(core, &record, err);
    if (status == STATUS_OK)
        LOG(INFO, "agencies", SUCCESS, LOG_UINT("agencies", core->config.agencies),
            LOG_UINT("before", before));
    return status;
}

static enum status core_refuse_term(struct errbuf *err, const char *name, const char *given,
                                    const char *recorded)
{
    errbuf_set(err,
               "%s is %s, but this draw was opened with %s: set it back, or choose another data "
               "directory",
               name, given, recorded);
    return STATUS_INVALID;
}

/* In what it is opened with, a draw does not change. The closing time in the settings is that of
 * the first draw only, so another one there means nothing. */
static enum status core_check_terms(const struct ledger_core *core, struct errbuf *err)
{
    static const char *const modes[] = {[DRAW_AUTO] = "auto", [DRAW_MANUAL] = "manual"};
    static const char *const answers[] = {"no", "yes"};
    const struct draw_terms *given = &core->config.terms;
    const struct draw_terms *recorded = &core->config.draw->terms;

    if (strcmp(given->id, recorded->id) != 0)
        return core_refuse_term(err, "LOTTERY_DRAW_ID", given->id[0] != '\0' ? given->id : "empty",
                                recorded->id[0] != '\0' ? recorded->id : "none");
    if (given->mode != recorded->mode)
        return core_refuse_term(err, "LOTTERY_DRAW", modes[given->mode], modes[recorded->mode]);
    if (given->has_seal != recorded->has_seal)
        return core_refuse_term(err, "LOTTERY_SEAL", answers[given->has_seal],
                                answers[recorded->has_seal]);
    return STATUS_OK;
}

/* In a manual draw it is not known before it is drawn. */
static uint32_t core_winner_number(const struct ledger_core_config *config)
{
    return config->terms.mode == DRAW_AUTO ? config->winner_number : 0;
}

enum status core_check_settings(struct ledger_core *core, struct errbuf *err)
{
    const struct ledger_core_config *config = &core->config;
    const struct draw *draw = config->draw;
    uint32_t winner_number = core_winner_number(config);

    if (draw->phase == DRAW_NEW) {
        struct draw_record record = {.type = DRAW_OPENED,
                                     .opened = {.agencies = config->agencies,
                                                .winner_number = winner_number,
                                                .terms = config->terms}};
        return core_record_alone(core, &record, err);
    }
    enum status status = core_check_terms(core, err);
    if (status != STATUS_OK)
        return status;
    if (winner_number != draw->winner_number && draw->phase != DRAW_DRAWN)
        return core_refuse(err, "LOTTERY_WINNER_NUMBER", winner_number, draw->winner_number);
    if (config->agencies > draw->agencies && draw->phase == DRAW_OPEN)
        return core_add_agencies(core, err);
    if (config->agencies != draw->agencies)
        return core_refuse(err, "LOTTERY_AGENCIES", config->agencies, draw->agencies);
    if (winner_number != draw->winner_number)
        LOG(WARNING, "config", SUCCESS,
            LOG_TEXT("reason", "LOTTERY_WINNER_NUMBER has changed since the draw was held"),
            LOG_UINT("setting", winner_number), LOG_UINT("drawn", draw->winner_number));
    return STATUS_OK;
}
