#include "ledger_core_store.h"

#include "log.h"

static void core_fail(struct ledger_core *core, enum status status, const struct errbuf *err)
{
    core->has_failed = true;
    core->config.events->fail(
        core->config.owner, status == STATUS_GONE ? LEDGER_EXIT_GONE : LEDGER_EXIT_UNCERTAIN, err);
}

enum status core_status_of(enum status status)
{
    bool is_known = status == STATUS_OK || status == STATUS_NOSPACE || status == STATUS_NOMEM ||
                    status == STATUS_UNCERTAIN || status == STATUS_GONE;

    return is_known ? status : STATUS_IO;
}

bool core_note_store(struct ledger_core *core, enum core_work work, enum status status,
                     const struct errbuf *err)
{
    if (status == STATUS_UNCERTAIN || status == STATUS_GONE) {
        core_fail(core, status, err);
        return false;
    }
    if (status != STATUS_OK && !core->has_trouble[work])
        LOG(ERROR, "store", FAIL, LOG_TEXT("reason", err->text));
    core->has_trouble[work] = status != STATUS_OK;
    return true;
}
