#include "assertion.h"

#include "log.h"
#include "log_output.h"

#include <stdlib.h>

void assertion_failed(const char *condition, const char *file, unsigned line)
{
    LOG(CRITICAL, "assert", FAIL, LOG_TEXT("condition", condition), LOG_TEXT("file", file),
        LOG_UINT("line", line));
    log_release(); /* the line may be among those that are being collected */
    log_output_finish(LOG_STOP_MS);
    abort();
}
