#include "server_tls.h"

#include "clock.h"
#include "tls_context.h"
#include "tls_log.h"
#include "tls_memory.h"

enum status server_tls_load(const struct server_settings *settings, struct tls_context **out,
                            struct errbuf *err)
{
    const struct tls_files files = {
        .cert = settings->tls_cert,
        .key = settings->tls_key,
        .ca = settings->tls_ca,
        .crl = settings->tls_crl,
    };

    *out = NULL;
    if (!server_settings_has_tls(settings))
        return STATUS_OK;
    (void)tls_memory_init(); /* the first time */
    return tls_context_create(TLS_SERVER, &files, out, err);
}

enum status server_tls_reload(const struct server_settings *settings, struct tls_context **out,
                              struct errbuf *err)
{
    struct tls_context *loaded = NULL;

    enum status status = server_tls_load(settings, &loaded, err);
    if (status == STATUS_OK && loaded != NULL)
        status = tls_context_check_dates(loaded, clock_wall_s(), err);
    if (status == STATUS_OK)
        *out = loaded;
    else
        tls_context_destroy(loaded);
    return status;
}

void server_tls_log(const struct server_settings *settings, const struct tls_context *tls)
{
    tls_log_own(tls, settings->tls_cert);
}
