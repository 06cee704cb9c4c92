#include "findings_log.h"

#include "log.h"

const struct errbuf *findings_log_faults(const struct bets_findings *findings, uint32_t agency)
{
    size_t last = findings->faults_count - 1;

    for (size_t i = 0; i < last; i++)
        LOG(ERROR, "leer_apuestas", FAIL, LOG_UINT("client_id", agency),
            LOG_TEXT("reason", findings->faults[i].text));
    return &findings->faults[last];
}

void findings_log_warnings(const struct bets_findings *findings, uint32_t agency)
{
    for (size_t i = 0; i < findings->warnings_count; i++)
        LOG(WARNING, "leer_apuestas", IN_PROGRESS, LOG_UINT("client_id", agency),
            LOG_TEXT("reason", findings->warnings[i].text));
}
