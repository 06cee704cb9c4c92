#include "store_failure.h"

#include "log.h"

#include <unistd.h>

void store_failed(const char *reason)
{
    LOG(CRITICAL, "store", FAIL, LOG_TEXT("reason", reason));
    _exit(STORE_FAILURE_EXIT);
}
