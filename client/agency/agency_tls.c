#include "agency_tls.h"

#include "log.h"
#include "tls_context.h"
#include "tls_log.h"

/* The first bytes of an alert's record (RFC 8446, 5.1). */
#define RECORD_ALERT 0x15
#define RECORD_MAJOR 0x03

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
    tls_log_own(*out, settings->tls_cert);
    return AGENCY_EXIT_OK;
}

const char *agency_tls_hint(const uint8_t *data, size_t size)
{
    if (size < 2 || data[0] != RECORD_ALERT || data[1] != RECORD_MAJOR)
        return NULL;
    return "the central wants TLS: set tls.cert, tls.key and tls.ca";
}
