#include "recovery_pace.h"

#include "clock.h"
#include "log.h"

#define REPORT_MS 1000

enum status recovery_pause(struct recovery_pace *pace, struct errbuf *err)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (pace->must_stop != NULL && pace->must_stop()) {
        errbuf_set(err, "the recovery was stopped");
        return STATUS_STOPPED;
    }
    if (pace->next_report_ms == 0)
        pace->next_report_ms = now_ms + REPORT_MS;
    if (now_ms < pace->next_report_ms)
        return STATUS_OK;
    pace->next_report_ms = now_ms + REPORT_MS;
    uint64_t done = pace->bytes_done < pace->bytes_all ? pace->bytes_done : pace->bytes_all;
    LOG(INFO, "recover_store", IN_PROGRESS,
        LOG_UINT("percent", done / (pace->bytes_all / 100 + 1)));
    return STATUS_OK;
}
