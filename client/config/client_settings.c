#include "client_settings.h"

#include "clock.h"
#include "note_key.h"
#include "seal_note.h"
#include "settings.h"
#include "values.h"
#include "yaml_file.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(sizeof(((struct client_settings *)0)->server_address) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->bets_file) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->winners_file) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->seal_file) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->seal_key) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->tls_cert) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->tls_key) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->tls_ca) == SETTING_TEXT_SIZE, "text");
_Static_assert(sizeof(((struct client_settings *)0)->tls_server_name) == SETTING_TEXT_SIZE, "text");

/* The table stores a choice as a uint32_t. */
_Static_assert(sizeof(enum log_format) == sizeof(uint32_t), "log.format");
_Static_assert(sizeof(enum client_mode) == sizeof(uint32_t), "mode");
_Static_assert(sizeof(enum seal_check) == sizeof(uint32_t), "seal.check");
_Static_assert(sizeof(struct bets_format) == 4 * sizeof(uint32_t), "bets.*");

#define FIELD(name) offsetof(struct client_settings, name)

static const struct setting settings[] = {
    {"id", "CLI_ID", SETTING_UINT, FIELD(id), 1, UINT32_MAX, NULL},
    {"server.address", "CLI_SERVER_ADDRESS", SETTING_ADDRESSES, FIELD(server_address), 0, 0, NULL},
    {"loop.amount", "CLI_LOOP_AMOUNT", SETTING_UINT, FIELD(loop_amount), 0, UINT32_MAX, NULL},
    {"loop.period", "CLI_LOOP_PERIOD", SETTING_DURATION, FIELD(loop_period), 0, 0, NULL},
    {"log.level", "CLI_LOG_LEVEL", SETTING_LEVEL, FIELD(log_level), 0, 0, NULL},
    {"log.format", "CLI_LOG_FORMAT", SETTING_CHOICE, FIELD(log_format), 0, 0, LOG_FORMAT_NAMES},
    {"batch.maxAmount", "CLI_BATCH_MAXAMOUNT", SETTING_UINT, FIELD(batch_max_amount), 1, UINT32_MAX,
     NULL},
    {"mode", "CLI_MODE", SETTING_CHOICE, FIELD(mode), 0, 0, "lottery|bet|echo"},
    {"bets.file", "CLI_BETS_FILE", SETTING_TEXT, FIELD(bets_file), 0, 0, NULL},
    {"bets.encoding", "CLI_BETS_ENCODING", SETTING_CHOICE, FIELD(bets_format.encoding), 0, 0,
     BETS_ENCODING_NAMES},
    {"bets.delimiter", "CLI_BETS_DELIMITER", SETTING_CHOICE, FIELD(bets_format.delimiter), 0, 0,
     BETS_DELIMITER_NAMES},
    {"bets.header", "CLI_BETS_HEADER", SETTING_CHOICE, FIELD(bets_format.header), 0, 0,
     "none|skip"},
    {"bets.allowEmpty", "CLI_BETS_ALLOWEMPTY", SETTING_CHOICE, FIELD(bets_format.empty), 0, 0,
     "false|true"},
    {"winners.file", "CLI_WINNERS_FILE", SETTING_TEXT, FIELD(winners_file), 0, 0, NULL},
    {"connect.timeout", "CLI_CONNECT_TIMEOUT", SETTING_DURATION, FIELD(connect_timeout), 0, 0,
     NULL},
    {"start.delay", "CLI_START_DELAY", SETTING_DURATION, FIELD(start_delay), 0, 0, NULL},
    {"draw", "CLI_DRAW", SETTING_DRAW_ID, FIELD(draw), 0, 0, NULL},
    {"seal.check", "CLI_SEAL_CHECK", SETTING_CHOICE, FIELD(seal_check), 0, 0, "no|yes"},
    {"seal.file", "CLI_SEAL_FILE", SETTING_TEXT, FIELD(seal_file), 0, 0, NULL},
    {"seal.key", "CLI_SEAL_KEY", SETTING_TEXT, FIELD(seal_key), 0, 0, NULL},
    {"tls.cert", "CLI_TLS_CERT", SETTING_TEXT, FIELD(tls_cert), 0, 0, NULL},
    {"tls.key", "CLI_TLS_KEY", SETTING_TEXT, FIELD(tls_key), 0, 0, NULL},
    {"tls.ca", "CLI_TLS_CA", SETTING_TEXT, FIELD(tls_ca), 0, 0, NULL},
    {"tls.serverName", "CLI_TLS_SERVERNAME", SETTING_TEXT, FIELD(tls_server_name), 0, 0, NULL},
};
static const struct settings_table table = {settings, sizeof(settings) / sizeof(settings[0])};

/* What is read from the environment before the table is, and from nowhere else. */
static const struct setting shared[] = {
    {"", "LOG_FORMAT", SETTING_CHOICE, offsetof(struct client_settings, log_format), 0, 0,
     LOG_FORMAT_NAMES},
};
static const struct settings_table shared_table = {shared, sizeof(shared) / sizeof(shared[0])};

static const struct client_settings defaults = {
    .id = 0, /* none: it is required */
    .server_address = "server:12345",
    .loop_amount = 5,
    .loop_period = 5 * NS_PER_S,
    .log_level = LOG_INFO,
    .log_format = LOG_FORMAT_TEXT,
    .batch_max_amount = 150,
    .mode = CLIENT_MODE_LOTTERY,
    .bets_file = "./bets.csv",
    .bets_format.encoding = BETS_ENCODING_UTF_8,
    .bets_format.delimiter = BETS_DELIMITER_COMMA,
    .bets_format.header = BETS_HEADER_NONE,
    .bets_format.empty = BETS_EMPTY_REFUSED,
    .winners_file = "", /* none */
    .connect_timeout = 120 * NS_PER_S,
    .start_delay = 0,
    .draw = "", /* it has no id */
    .seal_check = SEAL_CHECK_NO,
    .seal_file = "", /* none */
    .seal_key = "",  /* none */
    .tls_cert = "",  /* none, like the next three */
    .tls_key = "",
    .tls_ca = "",
    .tls_server_name = "",
};

/* A mistake in the key is to be known before the draw. */
static enum status client_settings_check_key(const struct settings_sources *sources,
                                             const struct client_settings *loaded,
                                             struct errbuf *err)
{
    struct note_key key;
    enum status status = STATUS_OK;

    if (loaded->seal_key[0] == '\0')
        return STATUS_OK;
    status = note_key_parse(text_of(loaded->seal_key), &key, err);
    if (status == STATUS_OK && strcmp(key.name, SEAL_KEY_NAME) != 0) {
        errbuf_set(err, "the key's name is not " SEAL_KEY_NAME);
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK)
        return STATUS_OK;
    if (getenv("CLI_SEAL_KEY") != NULL) /* it wins over the file */
        errbuf_wrap(err, "environment: CLI_SEAL_KEY");
    else
        errbuf_wrap(err, "%s: seal.key", sources->path);
    return status;
}

/* Whoever sets one of tls.* wants TLS: without all three files there would be none, or nobody would
 * be proven. */
static enum status client_settings_check_tls(const struct settings_sources *sources,
                                             const struct client_settings *loaded,
                                             struct errbuf *err)
{
    const struct {
        const char *value;
        const char *key;
        const char *variable;
    } files[] = {{loaded->tls_cert, "tls.cert", "CLI_TLS_CERT"},
                 {loaded->tls_key, "tls.key", "CLI_TLS_KEY"},
                 {loaded->tls_ca, "tls.ca", "CLI_TLS_CA"}};
    bool has_any = loaded->tls_server_name[0] != '\0';
    char keys[64] = "";
    char variables[64] = "";

    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *comma = keys[0] != '\0' ? ", " : "";
        if (files[i].value[0] != '\0') {
            has_any = true;
            continue;
        }
        (void)snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s", comma,
                       files[i].key);
        (void)snprintf(variables + strlen(variables), sizeof(variables) - strlen(variables), "%s%s",
                       comma, files[i].variable);
    }
    if (!has_any || keys[0] == '\0')
        return STATUS_OK;
    errbuf_set(err,
               "%s: %s: missing, and no %s in the environment: for TLS set tls.cert, tls.key and "
               "tls.ca, for none leave out all of tls.*",
               sources->path, keys, variables);
    return STATUS_INVALID;
}

enum status client_settings_load_without_id(const struct settings_sources *sources,
                                            struct client_settings *out, struct errbuf *err)
{
    struct client_settings loaded = defaults;

    enum status status = yaml_file_read(sources, &table, &loaded, err);
    if (status == STATUS_OK)
        status = settings_read_environment(&shared_table, &loaded, err);
    if (status == STATUS_OK)
        status = settings_read_environment(&table, &loaded, err);
    if (status == STATUS_OK)
        status = settings_read_arguments(&table, &loaded, sources, err);
    if (status == STATUS_OK)
        status = client_settings_check_key(sources, &loaded, err);
    if (status == STATUS_OK)
        *out = loaded;
    return status;
}

enum status client_settings_load(const struct settings_sources *sources,
                                 struct client_settings *out, struct errbuf *err)
{
    struct client_settings loaded;

    enum status status = client_settings_load_without_id(sources, &loaded, err);
    if (status == STATUS_OK && loaded.id == 0) {
        errbuf_set(err, "%s: id: missing, and neither CLI_ID in the environment nor --id",
                   sources->path);
        status = STATUS_INVALID;
    }
    if (status == STATUS_OK)
        status = client_settings_check_tls(sources, &loaded, err);
    if (status == STATUS_OK)
        *out = loaded;
    return status;
}

static const char *client_mode_name(enum client_mode mode)
{
    switch (mode) {
    case CLIENT_MODE_LOTTERY:
        return "lottery";
    case CLIENT_MODE_BET:
        return "bet";
    case CLIENT_MODE_ECHO:
        return "echo";
    }
    return "?";
}

static const char *client_encoding_name(enum bets_encoding encoding)
{
    switch (encoding) {
    case BETS_ENCODING_UTF_8:
        return "utf-8";
    case BETS_ENCODING_WINDOWS_1252:
        return "windows-1252";
    case BETS_ENCODING_ISO_8859_1:
        return "iso-8859-1";
    case BETS_ENCODING_UTF_16:
        return "utf-16";
    case BETS_ENCODING_UTF_16LE:
        return "utf-16le";
    case BETS_ENCODING_UTF_16BE:
        return "utf-16be";
    }
    return "?";
}

static const char *client_delimiter_name(enum bets_delimiter delimiter)
{
    switch (delimiter) {
    case BETS_DELIMITER_COMMA:
        return ",";
    case BETS_DELIMITER_SEMICOLON:
        return ";";
    case BETS_DELIMITER_TAB:
        return "tab";
    }
    return "?";
}

bool client_settings_want_seal(const struct client_settings *s)
{
    return s->seal_check == SEAL_CHECK_YES || s->seal_file[0] != '\0' || s->seal_key[0] != '\0';
}

bool client_settings_have_tls(const struct client_settings *s)
{
    return s->tls_cert[0] != '\0';
}

/* What only an agency has that names its draw, or asks for the seal. Returns how many fields. */
static size_t client_settings_draw_fields(const struct client_settings *s, struct log_field *out)
{
    size_t count = 0;

    if (s->draw[0] != '\0')
        out[count++] = LOG_TEXT("draw", s->draw);
    if (client_settings_want_seal(s))
        out[count++] = LOG_TEXT("seal_check", "yes");
    if (s->seal_file[0] != '\0')
        out[count++] = LOG_TEXT("seal_file", s->seal_file);
    if (s->seal_key[0] != '\0')
        out[count++] = LOG_TEXT("seal_key", s->seal_key);
    return count;
}

void client_settings_log(const struct client_settings *s)
{
    const struct bets_format *format = &s->bets_format;
    char period[VALUE_DURATION_MAX];
    char timeout[VALUE_DURATION_MAX];
    char delay[VALUE_DURATION_MAX];

    value_duration_print(s->loop_period, period);
    value_duration_print(s->connect_timeout, timeout);
    value_duration_print(s->start_delay, delay);
    struct log_field fields[21] = {
        LOG_UINT("client_id", s->id),
        LOG_TEXT("server_address", s->server_address),
        LOG_UINT("loop_amount", s->loop_amount),
        LOG_TEXT("loop_period", period),
        LOG_TEXT("log_level", log_level_name(s->log_level)),
        LOG_TEXT("mode", client_mode_name(s->mode)),
        LOG_UINT("batch_max_amount", s->batch_max_amount),
        LOG_TEXT("bets_file", s->bets_file),
        LOG_TEXT("connect_timeout", timeout),
        LOG_TEXT("start_delay", delay),
        LOG_TEXT("bets_encoding", client_encoding_name(format->encoding)),
        LOG_TEXT("bets_delimiter", client_delimiter_name(format->delimiter)),
        LOG_TEXT("bets_header", format->header == BETS_HEADER_SKIP ? "skip" : "none"),
        LOG_TEXT("bets_allow_empty", format->empty == BETS_EMPTY_ALLOWED ? "true" : "false"),
        LOG_TEXT("winners_file", s->winners_file),
    };
    size_t count = 15 + client_settings_draw_fields(s, fields + 15);
    if (s->log_format != LOG_FORMAT_TEXT)
        fields[count++] = LOG_TEXT("log_format", log_format_name(s->log_format));
    fields[count++] = LOG_TEXT("tls", client_settings_have_tls(s) ? "on" : "off");
    log_write(LOG_INFO, "config", LOG_SUCCESS, fields, count);
    settings_warn_of_unknown(&table, (const char *const[]){"CLI_", NULL});
}
