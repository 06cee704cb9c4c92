#include "tls_log.h"

#include "clock.h"
#include "log.h"
#include "rfc3339.h"

void tls_log_own(const struct tls_context *context, const char *cert)
{
    struct errbuf err = {{0}};
    char end[RFC3339_SIZE];

    if (context == NULL)
        return;
    const int64_t end_s = tls_context_end_s(context); /* may be before 1970 */
    rfc3339_format(end_s > 0 ? (uint64_t)end_s : 0, end);
    LOG(INFO, "tls", SUCCESS, LOG_TEXT("certificate", cert), LOG_TEXT("valid_until", end));
    if (tls_context_check_dates(context, clock_wall_s(), &err) != STATUS_OK)
        LOG(WARNING, "tls", IN_PROGRESS, LOG_TEXT("reason", err.text));
}
