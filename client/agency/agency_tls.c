#include "agency_tls.h"

#include "clock.h"
#include "log.h"
#include "rfc3339.h"
#include "tls_context.h"

/* The first bytes of an alert's record (RFC 8446, 5.1). */
#define RECORD_ALERT 0x15
#define RECORD_MAJOR 0x03

static void agency_tls_log(const struct tls_context *context, const char *certificate)
{
    struct errbuf err = {{0}};
    char until[RFC3339_SIZE];

    rfc3339_format((uint64_t)tls_context_end_s(context), until);
    LOG(INFO, "tls", SUCCESS, LOG_TEXT("certificate", certificate), LOG_TEXT("valid_until", until));
    if (tls_context_check_dates(context, (int64_t)clock_wall_s(), &err) != STATUS_OK)
        LOG(WARNING, "tls", IN_PROGRESS, LOG_TEXT("reason", err.text));
}

enum agency_exit agency_tls_open(const struct client_settings *settings, struct tls_context **out)
{
    const struct tls_files files = {
        .cert = settings->tls_cert, .key = settings->tls_key, .ca = settings->tls_ca};
    struct errbuf err = {{0}};

    *out = NULL;
    if (!client_settings_have_tls(settings))
        return AGENCY_EXIT_OK;
    enum status status = tls_context_create(TLS_CLIENT, &files, out, &err);
    if (status != STATUS_OK) {
        LOG(CRITICAL, "tls", FAIL, LOG_TEXT("reason", err.text));
        return status == STATUS_NOMEM ? AGENCY_EXIT_FAIL : AGENCY_EXIT_USAGE;
    }
    agency_tls_log(*out, settings->tls_cert);
    return AGENCY_EXIT_OK;
}

const char *agency_tls_hint(const uint8_t *data, size_t size)
{
    if (size < 2 || data[0] != RECORD_ALERT || data[1] != RECORD_MAJOR)
        return NULL;
    return "the central wants TLS: set tls.cert, tls.key and tls.ca";
}
