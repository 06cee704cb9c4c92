#include "ledger_core_settings.h"

#include "log.h"

#include <inttypes.h>

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

enum status core_check_settings(struct ledger_core *core, struct errbuf *err)
{
    const struct ledger_core_config *config = &core->config;
    const struct draw *draw = config->draw;

    if (draw->phase == DRAW_NEW) {
        struct draw_record record = {
            .type = DRAW_OPENED,
            .opened = {.agencies = config->agencies, .winner_number = config->winner_number}};
        return core_record_alone(core, &record, err);
    }
    if (config->winner_number != draw->winner_number && draw->phase != DRAW_DRAWN)
        return core_refuse(err, "LOTTERY_WINNER_NUMBER", config->winner_number,
                           draw->winner_number);
    if (config->agencies > draw->agencies && draw->phase == DRAW_OPEN)
        return core_add_agencies(core, err);
    if (config->agencies != draw->agencies)
        return core_refuse(err, "LOTTERY_AGENCIES", config->agencies, draw->agencies);
    if (config->winner_number != draw->winner_number)
        LOG(WARNING, "config", SUCCESS,
            LOG_TEXT("reason", "LOTTERY_WINNER_NUMBER has changed since the draw was held"),
            LOG_UINT("setting", config->winner_number), LOG_UINT("drawn", draw->winner_number));
    return STATUS_OK;
}
