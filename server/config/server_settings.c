#include "server_settings.h"

#include "clock.h"
#include "config_file.h"
#include "rfc3339.h"
#include "settings.h"
#include "values.h"

#include <ini.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

_Static_assert(sizeof(((struct server_settings *)0)->ip) == SETTING_TEXT_SIZE, "text setting");
_Static_assert(sizeof(((struct server_settings *)0)->data_dir) == SETTING_TEXT_SIZE,
               "text setting");
_Static_assert(sizeof(((struct server_settings *)0)->seal_key) == SETTING_TEXT_SIZE,
               "text setting");
_Static_assert(sizeof(((struct server_settings *)0)->tls_cert) == SETTING_TEXT_SIZE,
               "text setting");
_Static_assert(sizeof(((struct server_settings *)0)->tls_key) == SETTING_TEXT_SIZE, "text setting");
_Static_assert(sizeof(((struct server_settings *)0)->tls_ca) == SETTING_TEXT_SIZE, "text setting");
_Static_assert(sizeof(((struct server_settings *)0)->tls_crl) == SETTING_TEXT_SIZE, "text setting");
_Static_assert(sizeof(((struct server_settings *)0)->http_address) == SETTING_TEXT_SIZE,
               "text setting");
_Static_assert(SERVER_HTTP_IP_SIZE == VALUE_IP_SIZE, "an address");
_Static_assert(sizeof(enum log_format) == sizeof(uint32_t), "choice setting");
_Static_assert(sizeof(enum server_mode) == sizeof(uint32_t), "choice setting");
_Static_assert(sizeof(enum server_draw) == sizeof(uint32_t), "choice setting");
_Static_assert(sizeof(enum server_metrics) == sizeof(uint32_t), "choice setting");
_Static_assert(sizeof(enum server_seal) == sizeof(uint32_t), "choice setting");

#define FIELD(name) offsetof(struct server_settings, name)
#define NAMED(name) name, name
#define TLS_PREFIX "TLS_"
#define MAX_BUFFERED (1024 * 8192) /* bytes of as many messages as may wait; more has no effect */

static const struct setting settings[] = {
    {NAMED("SERVER_PORT"), SETTING_UINT, FIELD(port), 0, 65535, NULL},
    {NAMED("SERVER_IP"), SETTING_TEXT, FIELD(ip), 0, 0, NULL},
    {NAMED("SERVER_LISTEN_BACKLOG"), SETTING_UINT, FIELD(listen_backlog), 1, 65535, NULL},
    {NAMED("LOGGING_LEVEL"), SETTING_LEVEL, FIELD(log_level), 0, 0, NULL},
    {NAMED("LOG_FORMAT"), SETTING_CHOICE, FIELD(log_format), 0, 0, LOG_FORMAT_NAMES},
    {NAMED("SERVER_MODE"), SETTING_CHOICE, FIELD(mode), 0, 0, "lottery|echo"},
    {NAMED("SERVER_WORKERS"), SETTING_UINT, FIELD(workers), 0, 256, NULL},
    {NAMED("SERVER_MAX_CONNECTIONS"), SETTING_UINT, FIELD(max_connections), 1, 1000000, NULL},
    {NAMED("SERVER_MAX_CONNECTIONS_PER_IP"), SETTING_UINT, FIELD(max_connections_per_ip), 1,
     1000000, NULL},
    {NAMED("SERVER_MAX_BUFFERED"), SETTING_UINT, FIELD(max_buffered), 1, MAX_BUFFERED, NULL},
    {NAMED("SERVER_HANDSHAKE_TIMEOUT"), SETTING_DURATION, FIELD(handshake_timeout), 1000, 0, NULL},
    {NAMED("SERVER_FRAME_TIMEOUT"), SETTING_DURATION, FIELD(frame_timeout), 1000, 0, NULL},
    {NAMED("SERVER_IDLE_TIMEOUT"), SETTING_DURATION, FIELD(idle_timeout), 1000, 0, NULL},
    {NAMED("SERVER_HTTP_ADDRESS"), SETTING_LISTEN, FIELD(http_address), 0, 0, NULL},
    {NAMED("SERVER_METRICS_PER_AGENCY"), SETTING_CHOICE, FIELD(metrics), 0, 0, "no|yes"},
    {NAMED("LOTTERY_AGENCIES"), SETTING_UINT, FIELD(agencies), 0, SERVER_AGENCIES_MAX, NULL},
    {NAMED("LOTTERY_WINNER_NUMBER"), SETTING_UINT, FIELD(winner_number), 0, 9999, NULL},
    {NAMED("LOTTERY_DATA_DIR"), SETTING_TEXT, FIELD(data_dir), 0, 0, NULL},
    {NAMED("LOTTERY_DRAW"), SETTING_CHOICE, FIELD(draw), 0, 0, "auto|manual"},
    {NAMED("LOTTERY_SEAL"), SETTING_CHOICE, FIELD(seal), 0, 0, "no|yes"},
    {NAMED("LOTTERY_CLOSE_AT"), SETTING_TIME, FIELD(close_at_s), 0, 0, NULL},
    {NAMED("LOTTERY_DRAW_ID"), SETTING_DRAW_ID, FIELD(draw_id), 0, 0, NULL},
    {NAMED("LOTTERY_SEAL_KEY"), SETTING_TEXT, FIELD(seal_key), 0, 0, NULL},
    {NAMED("TLS_CERT"), SETTING_TEXT, FIELD(tls_cert), 0, 0, NULL},
    {NAMED("TLS_KEY"), SETTING_TEXT, FIELD(tls_key), 0, 0, NULL},
    {NAMED("TLS_CA"), SETTING_TEXT, FIELD(tls_ca), 0, 0, NULL},
    {NAMED("TLS_CRL"), SETTING_TEXT, FIELD(tls_crl), 0, 0, NULL},
};
static const struct settings_table table = {settings, sizeof(settings) / sizeof(settings[0])};

static const struct server_settings defaults = {
    .port = 12345,
    .ip = "server", /* SERVER_IP_ALL */
    .ip_place = "default",
    .listen_backlog = 5,
    .log_level = LOG_INFO,
    .log_format = LOG_FORMAT_TEXT,
    .mode = SERVER_MODE_LOTTERY,
    .workers = 0,
    .max_connections = 20000,
    .max_connections_per_ip = 12000,
    .max_buffered = 1024 * 1024,
    .handshake_timeout = 30 * NS_PER_S,
    .frame_timeout = 30 * NS_PER_S,
    .idle_timeout = 600 * NS_PER_S,
    .http_address = "",
    .metrics = SERVER_METRICS_TOTALS,
    .agencies = 5,
    .winner_number = 7574,
    .data_dir = ".",
    .draw = SERVER_DRAW_AUTO,
    .seal = SERVER_SEAL_UNSET,
    .close_at_s = 0,
    .draw_id = "",
    .seal_key = "",
    .tls_cert = "",
    .tls_key = "",
    .tls_ca = "",
    .tls_crl = "",
};

/* inih reads with server_settings_read_line(), which counts the lines. inih calls the handler of a
 * setting right after it has read its line, so an error can name `line`. */
struct ini_source {
    FILE *file;
    const char *path;
    unsigned line;
    struct server_settings *target;
    struct settings_seen seen;
    struct errbuf *err;
    enum status status;
};

static char *server_settings_refuse_line(struct ini_source *source, const char *reason)
{
    errbuf_set(source->err, "%s:%u: %s", source->path, source->line, reason);
    source->status = STATUS_INVALID;
    return NULL;
}

/* Notes where a setting was set that errors may still be about when all are read. */
static void server_settings_note_place(struct server_settings *s, const char *name,
                                       const char *place)
{
    if (strcmp(name, "SERVER_IP") == 0)
        (void)snprintf(s->ip_place, sizeof(s->ip_place), "%s", place);
    if (strcmp(name, "LOTTERY_CLOSE_AT") == 0)
        (void)snprintf(s->close_at_place, sizeof(s->close_at_place), "%s", place);
    if (strncmp(name, TLS_PREFIX, strlen(TLS_PREFIX)) == 0)
        (void)snprintf(s->tls_place, sizeof(s->tls_place), "%s: %s", place, name);
}

/* Like fgets(), but refuses a NUL byte, which would hide the rest of its line, and a long line,
 * which fgets() would return in two pieces. */
static char *server_settings_read_line(char *buffer, int size, void *stream)
{
    struct ini_source *source = stream;
    int length = 0;
    int byte = 0;

    if (source->status != STATUS_OK)
        return NULL;
    source->line++;
    while (byte != '\n' && (byte = getc(source->file)) != EOF) {
        if (byte == '\0')
            return server_settings_refuse_line(source, "a NUL byte");
        if (byte != '\n' && length + 2 == size) /* even at the end of the file */
            return server_settings_refuse_line(source, "line too long");
        buffer[length++] = (char)byte;
    }
    buffer[length] = '\0';
    return length > 0 ? buffer : NULL;
}

static int server_settings_on_setting(void *context, const char *section, const char *name,
                                      const char *value)
{
    struct ini_source *source = context;
    char where[SETTING_TEXT_SIZE + 16];

    if (source->status != STATUS_OK)
        return 1;
    (void)snprintf(where, sizeof(where), "%s:%u", source->path, source->line);
    if (strcmp(section, "DEFAULT") != 0) {
        errbuf_set(source->err, "%s: %s: belongs in section [DEFAULT]", where, name);
        source->status = STATUS_INVALID;
    } else {
        source->status =
            settings_set(&table, source->target, &source->seen, where, name, value, source->err);
        server_settings_note_place(source->target, name, where);
    }
    return 1;
}

static enum status server_settings_read_file(const struct settings_sources *sources,
                                             struct server_settings *out, struct errbuf *err)
{
    const char *path = sources->path;
    struct ini_source source = {.path = path, .target = out, .err = err};
    size_t size = 0;
    char *text = NULL;

    enum status status = config_file_read(path, sources->must_file_exist, &text, &size, err);
    if (status != STATUS_OK)
        return status == STATUS_NOTFOUND ? STATUS_OK : status;
    source.file = fmemopen(text, size, "r");
    if (source.file == NULL) {
        errbuf_set(err, "%s: %s", path, status_text(STATUS_NOMEM));
        free(text);
        return STATUS_NOMEM;
    }
    /* Reading ends at the first line that our handler refuses. After a line that inih itself does
     * not understand it reads on, and returns the number of the first such line. */
    int bad_line =
        ini_parse_stream(server_settings_read_line, &source, server_settings_on_setting, &source);
    if (bad_line > 0 && (source.status == STATUS_OK || (unsigned)bad_line < source.line)) {
        errbuf_set(err, "%s:%d: neither [section] nor KEY = value", path, bad_line);
        source.status = STATUS_INVALID;
    }
    (void)fclose(source.file);
    free(text);
    return source.status;
}

/* Half a configuration must not look like a whole one, neither to us nor to who has made it. */
static enum status server_settings_check_tls(const struct server_settings *s, struct errbuf *err)
{
    const bool has_cert = s->tls_cert[0] != '\0';
    const bool has_key = s->tls_key[0] != '\0';
    const bool has_ca = s->tls_ca[0] != '\0';

    if (s->tls_place[0] == '\0' || (has_cert && has_key && has_ca))
        return STATUS_OK;
    const char *missing = !has_cert ? "TLS_CERT" : !has_key ? "TLS_KEY" : "TLS_CA";
    errbuf_set(err,
               "%s: TLS needs certificate, key and authority: set %s as well, or none of TLS_CERT, "
               "TLS_KEY, TLS_CA and TLS_CRL",
               s->tls_place, missing);
    return STATUS_INVALID;
}

static enum status server_settings_check(const struct server_settings *s, struct errbuf *err)
{
    if (s->close_at_s == 0 || s->draw == SERVER_DRAW_MANUAL)
        return server_settings_check_tls(s, err);
    errbuf_set(err,
               "%s: LOTTERY_CLOSE_AT: only a draw that an operator runs has a closing time: set "
               "LOTTERY_DRAW to manual as well, or remove it",
               s->close_at_place);
    return STATUS_INVALID;
}

enum status server_settings_load(const struct settings_sources *sources,
                                 struct server_settings *out, struct errbuf *err)
{
    static const char *const placed[] = {"SERVER_IP", "LOTTERY_CLOSE_AT", "TLS_CERT",
                                         "TLS_KEY",   "TLS_CA",           "TLS_CRL"};
    struct server_settings loaded = defaults;

    enum status status = server_settings_read_file(sources, &loaded, err);
    if (status == STATUS_OK)
        status = settings_read_environment(&table, &loaded, err);
    for (size_t i = 0; i < sizeof(placed) / sizeof(placed[0]); i++) {
        if (getenv(placed[i]) != NULL)
            server_settings_note_place(&loaded, placed[i], "environment");
    }
    if (status == STATUS_OK)
        status = settings_read_arguments(&table, &loaded, sources, err);
    if (status == STATUS_OK)
        status = server_settings_check(&loaded, err);
    if (status == STATUS_OK)
        *out = loaded;
    return status;
}

enum status server_settings_reload(const struct settings_sources *sources,
                                   struct server_settings *out, struct errbuf *err)
{
    struct stat info;

    if (stat(sources->path, &info) == 0 && !S_ISREG(info.st_mode)) {
        errbuf_set(err, "%s: only a regular file can be read again", sources->path);
        return STATUS_INVALID;
    }
    return server_settings_load(sources, out, err);
}

const char *server_mode_name(enum server_mode mode)
{
    return mode == SERVER_MODE_ECHO ? "echo" : "lottery";
}

bool server_settings_has_seal(const struct server_settings *s)
{
    return s->seal == SERVER_SEAL_UNSET ? s->draw == SERVER_DRAW_MANUAL
                                        : s->seal == SERVER_SEAL_YES;
}

bool server_settings_http(const struct server_settings *s, char ip[SERVER_HTTP_IP_SIZE],
                          uint16_t *port)
{
    return value_listen_address(s->http_address, ip, port);
}

bool server_settings_has_tls(const struct server_settings *s)
{
    return s->tls_cert[0] != '\0';
}

/* What only a draw has that is not run by itself, and has no id. Returns how many fields. */
static size_t server_settings_draw_fields(const struct server_settings *s,
                                          char close_at[RFC3339_SIZE], struct log_field *out)
{
    const bool is_manual = s->draw == SERVER_DRAW_MANUAL;
    const bool has_seal = server_settings_has_seal(s);
    size_t count = 0;

    if (is_manual)
        out[count++] = LOG_TEXT("draw", "manual");
    if (is_manual || has_seal)
        out[count++] = LOG_TEXT("seal", has_seal ? "yes" : "no");
    if (s->close_at_s > 0) {
        rfc3339_format(s->close_at_s, close_at);
        out[count++] = LOG_TEXT("close_at", close_at);
    }
    if (s->draw_id[0] != '\0')
        out[count++] = LOG_TEXT("draw_id", s->draw_id);
    if (s->seal_key[0] != '\0')
        out[count++] = LOG_TEXT("seal_key", s->seal_key);
    return count;
}

void server_settings_log(const struct server_settings *s)
{
    char close_at[RFC3339_SIZE];
    struct log_field fields[18] = {
        LOG_UINT("port", s->port),
        LOG_UINT("listen_backlog", s->listen_backlog),
        LOG_TEXT("logging_level", log_level_name(s->log_level)),
        LOG_TEXT("ip", s->ip),
        LOG_TEXT("mode", server_mode_name(s->mode)),
        LOG_UINT("workers", s->workers),
        LOG_UINT("agencies", s->agencies),
        LOG_UINT("winner_number", s->winner_number),
        LOG_TEXT("data_dir", s->data_dir),
    };

    size_t count = 9 + server_settings_draw_fields(s, close_at, fields + 9);
    if (s->http_address[0] != '\0')
        fields[count++] = LOG_TEXT("http_address", s->http_address);
    if (s->metrics == SERVER_METRICS_PER_AGENCY)
        fields[count++] = LOG_TEXT("metrics_per_agency", "yes");
    if (s->log_format != LOG_FORMAT_TEXT)
        fields[count++] = LOG_TEXT("log_format", log_format_name(s->log_format));
    fields[count++] = LOG_TEXT("tls", server_settings_has_tls(s) ? "on" : "off");
    log_write(LOG_INFO, "config", LOG_SUCCESS, fields, count);
    settings_warn_of_unknown(&table,
                             (const char *const[]){"SERVER_", "LOTTERY_", TLS_PREFIX, NULL});
}
