/* config.ini with any bytes: the result is either settings within their ranges, which are the same
 * when they are written to a file and loaded again, or an error with file and line. */
#include "fuzz.h"
#include "rfc3339.h"
#include "server_settings.h"
#include "settings.h"
#include "values.h"

/* Those of the draw: where they have their defaults, nothing. */
static int write_draw(const struct server_settings *s, char *out, size_t size)
{
    static const char *const seals[] = {"LOTTERY_SEAL=no\n", "LOTTERY_SEAL=yes\n", ""};
    char close_at[RFC3339_SIZE];

    rfc3339_format(s->close_at_s, close_at);
    return snprintf(out, size, "LOTTERY_DRAW=%s\n%s%s%s%sLOTTERY_DRAW_ID=%s\n%s%s%s",
                    s->draw == SERVER_DRAW_MANUAL ? "manual" : "auto", seals[s->seal],
                    s->close_at_s > 0 ? "LOTTERY_CLOSE_AT=" : "", s->close_at_s > 0 ? close_at : "",
                    s->close_at_s > 0 ? "\n" : "", s->draw_id,
                    s->seal_key[0] != '\0' ? "LOTTERY_SEAL_KEY=" : "", s->seal_key,
                    s->seal_key[0] != '\0' ? "\n" : "");
}

/* Those of the observer. */
static int write_http(const struct server_settings *s, char *out, size_t size)
{
    return snprintf(out, size, "SERVER_HTTP_ADDRESS=%s\nSERVER_METRICS_PER_AGENCY=%s\n",
                    s->http_address, s->metrics == SERVER_METRICS_PER_AGENCY ? "yes" : "no");
}

/* Those of TLS that are set. */
static int write_tls(const struct server_settings *s, char *out, size_t size)
{
    if (!server_settings_has_tls(s))
        return 0;
    return snprintf(out, size, "TLS_CERT=%s\nTLS_KEY=%s\nTLS_CA=%s\n%s%s%s", s->tls_cert,
                    s->tls_key, s->tls_ca, s->tls_crl[0] != '\0' ? "TLS_CRL=" : "", s->tls_crl,
                    s->tls_crl[0] != '\0' ? "\n" : "");
}

static int write_settings(const struct server_settings *s, char *out, size_t size)
{
    char durations[3][VALUE_DURATION_MAX];

    value_duration_print(s->handshake_timeout, durations[0]);
    value_duration_print(s->frame_timeout, durations[1]);
    value_duration_print(s->idle_timeout, durations[2]);
    return snprintf(out, size,
                    "[DEFAULT]\nSERVER_PORT=%u\nSERVER_IP=%s\nSERVER_LISTEN_BACKLOG=%u\n"
                    "LOGGING_LEVEL=%s\nLOG_FORMAT=%s\nSERVER_MODE=%s\nSERVER_WORKERS=%u\n"
                    "SERVER_MAX_CONNECTIONS=%u\nSERVER_MAX_CONNECTIONS_PER_IP=%u\n"
                    "SERVER_MAX_BUFFERED=%u\n"
                    "SERVER_HANDSHAKE_TIMEOUT=%s\nSERVER_FRAME_TIMEOUT=%s\nSERVER_IDLE_TIMEOUT=%s\n"
                    "LOTTERY_AGENCIES=%u\nLOTTERY_WINNER_NUMBER=%u\nLOTTERY_DATA_DIR=%s\n",
                    s->port, s->ip, s->listen_backlog, log_level_name(s->log_level),
                    log_format_name(s->log_format), server_mode_name(s->mode), s->workers,
                    s->max_connections, s->max_connections_per_ip, s->max_buffered, durations[0],
                    durations[1], durations[2], s->agencies, s->winner_number, s->data_dir);
}

static void check_same(const struct server_settings *a, const struct server_settings *b)
{
    FUZZ_CHECK(a->port == b->port && strcmp(a->ip, b->ip) == 0);
    FUZZ_CHECK(a->listen_backlog == b->listen_backlog && a->log_level == b->log_level);
    FUZZ_CHECK(a->log_format == b->log_format);
    FUZZ_CHECK(a->mode == b->mode && a->workers == b->workers);
    FUZZ_CHECK(a->max_connections == b->max_connections &&
               a->max_connections_per_ip == b->max_connections_per_ip &&
               a->max_buffered == b->max_buffered);
    FUZZ_CHECK(a->handshake_timeout == b->handshake_timeout &&
               a->frame_timeout == b->frame_timeout && a->idle_timeout == b->idle_timeout);
    FUZZ_CHECK(a->agencies == b->agencies && a->winner_number == b->winner_number);
    FUZZ_CHECK(strcmp(a->data_dir, b->data_dir) == 0);
    FUZZ_CHECK(strcmp(a->http_address, b->http_address) == 0 && a->metrics == b->metrics);
    FUZZ_CHECK(a->draw == b->draw && a->seal == b->seal && a->close_at_s == b->close_at_s);
    FUZZ_CHECK(strcmp(a->draw_id, b->draw_id) == 0 && strcmp(a->seal_key, b->seal_key) == 0);
    FUZZ_CHECK(strcmp(a->tls_cert, b->tls_cert) == 0 && strcmp(a->tls_key, b->tls_key) == 0);
    FUZZ_CHECK(strcmp(a->tls_ca, b->tls_ca) == 0 && strcmp(a->tls_crl, b->tls_crl) == 0);
}

static void check_ranges(const struct server_settings *s)
{
    FUZZ_CHECK(s->port <= 65535 && s->listen_backlog >= 1 && s->workers <= 256);
    FUZZ_CHECK(s->log_level < LOG_LEVEL_COUNT && s->mode <= SERVER_MODE_ECHO);
    FUZZ_CHECK(s->log_format <= LOG_FORMAT_JOURNAL);
    FUZZ_CHECK(s->max_connections >= 1 && s->max_connections_per_ip >= 1 && s->max_buffered >= 1);
    FUZZ_CHECK(s->handshake_timeout > 0 && s->frame_timeout > 0 && s->idle_timeout > 0);
    FUZZ_CHECK(s->agencies <= SERVER_AGENCIES_MAX && s->winner_number <= 9999);
    FUZZ_CHECK(s->ip[0] != '\0' && s->data_dir[0] != '\0');
    FUZZ_CHECK(s->draw <= SERVER_DRAW_MANUAL && s->seal <= SERVER_SEAL_UNSET);
    FUZZ_CHECK(s->close_at_s == 0 || s->draw == SERVER_DRAW_MANUAL);
    char ip[SERVER_HTTP_IP_SIZE];
    uint16_t port;
    FUZZ_CHECK(server_settings_http(s, ip, &port) == (s->http_address[0] != '\0'));
    FUZZ_CHECK(s->metrics <= SERVER_METRICS_PER_AGENCY);
    const bool has_tls = server_settings_has_tls(s);
    FUZZ_CHECK((s->tls_key[0] != '\0') == has_tls && (s->tls_ca[0] != '\0') == has_tls);
    FUZZ_CHECK(has_tls || s->tls_crl[0] == '\0');
    FUZZ_CHECK(s->draw_id[0] == '\0' || draw_id_is_valid(text_of(s->draw_id)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct server_settings untouched;
    struct server_settings loaded = untouched;
    struct server_settings again;
    struct errbuf err = {{0}};
    char text[8192];

    const char *path = fuzz_file(data, size);
    struct settings_sources sources = {.path = path};
    enum status status = server_settings_load(&sources, &loaded, &err);
    if (status != STATUS_OK) {
        FUZZ_CHECK(status == STATUS_INVALID);
        FUZZ_CHECK(memcmp(&loaded, &untouched, sizeof(loaded)) == 0);
        FUZZ_CHECK(strncmp(err.text, path, strlen(path)) == 0);
        FUZZ_CHECK(strtoul(err.text + strlen(path) + 1, NULL, 10) > 0);
        return 0;
    }
    check_ranges(&loaded);
    int used = write_settings(&loaded, text, sizeof(text));
    used += write_draw(&loaded, text + used, sizeof(text) - (size_t)used);
    used += write_http(&loaded, text + used, sizeof(text) - (size_t)used);
    used += write_tls(&loaded, text + used, sizeof(text) - (size_t)used);
    sources.path = fuzz_file((const uint8_t *)text, (size_t)used);
    FUZZ_CHECK(server_settings_load(&sources, &again, &err) == STATUS_OK);
    check_same(&loaded, &again);
    return 0;
}
