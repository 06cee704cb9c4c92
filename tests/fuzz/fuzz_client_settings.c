/* config.yaml with any bytes: the result is either settings within their ranges, which are the same
 * when they are written to a file and loaded again, or an error with file and line. */
#include "client_settings.h"
#include "fuzz.h"
#include "settings.h"
#include "values.h"

/* Quotes for YAML; false when the text is not printable ASCII. */
static bool quote(const char *text, char *out)
{
    *out++ = '"';
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~')
            return false;
        if (*text == '"' || *text == '\\')
            *out++ = '\\';
        *out++ = *text;
    }
    *out++ = '"';
    *out = '\0';
    return true;
}

static int write_down(const struct client_settings *s, char *out, size_t size)
{
    static const char *const modes[] = {"lottery", "bet", "echo"};
    char period[VALUE_DURATION_MAX];
    char timeout[VALUE_DURATION_MAX];
    char delay[VALUE_DURATION_MAX];
    char address[2 * sizeof(s->server_address) + 2];
    char file[2 * sizeof(s->bets_file) + 2];

    if (!quote(s->server_address, address) || !quote(s->bets_file, file))
        return 0;
    value_duration_print(s->loop_period, period);
    value_duration_print(s->connect_timeout, timeout);
    value_duration_print(s->start_delay, delay);
    return snprintf(
        out, size,
        "id: %u\nserver: {address: %s}\nloop:\n  amount: %u\n  period: %s\n"
        "log.level: %s\nlog.format: %s\nbatch:\n  maxAmount: %u\nmode: %s\nbets.file: %s\n"
        "connect.timeout: %s\nstart.delay: %s\n",
        s->id, address, s->loop_amount, period, log_level_name(s->log_level),
        log_format_name(s->log_format), s->batch_max_amount, modes[s->mode], file, timeout, delay);
}

/* Those of TLS, if they are set. */
static int write_tls(const struct client_settings *s, char *out, size_t size)
{
    char cert[2 * sizeof(s->tls_cert) + 2];
    char key[2 * sizeof(s->tls_key) + 2];
    char ca[2 * sizeof(s->tls_ca) + 2];
    char name[2 * sizeof(s->tls_server_name) + 2];

    if (!client_settings_have_tls(s))
        return 0;
    if (!quote(s->tls_cert, cert) || !quote(s->tls_key, key) || !quote(s->tls_ca, ca) ||
        !quote(s->tls_server_name, name))
        return -1;
    return snprintf(out, size, "tls: {cert: %s, key: %s, ca: %s%s%s}\n", cert, key, ca,
                    s->tls_server_name[0] != '\0' ? ", serverName: " : "",
                    s->tls_server_name[0] != '\0' ? name : "");
}

static void check_same(const struct client_settings *a, const struct client_settings *b)
{
    FUZZ_CHECK(a->id == b->id && strcmp(a->server_address, b->server_address) == 0);
    FUZZ_CHECK(a->loop_amount == b->loop_amount && a->loop_period == b->loop_period);
    FUZZ_CHECK(a->log_level == b->log_level && a->batch_max_amount == b->batch_max_amount);
    FUZZ_CHECK(a->log_format == b->log_format);
    FUZZ_CHECK(a->mode == b->mode && strcmp(a->bets_file, b->bets_file) == 0);
    FUZZ_CHECK(a->connect_timeout == b->connect_timeout);
    FUZZ_CHECK(a->start_delay == b->start_delay);
    FUZZ_CHECK(strcmp(a->tls_cert, b->tls_cert) == 0 && strcmp(a->tls_key, b->tls_key) == 0);
    FUZZ_CHECK(strcmp(a->tls_ca, b->tls_ca) == 0);
    FUZZ_CHECK(strcmp(a->tls_server_name, b->tls_server_name) == 0);
}

static void check_ranges(const struct client_settings *s)
{
    FUZZ_CHECK(s->id >= 1 && s->batch_max_amount >= 1 && s->mode <= CLIENT_MODE_ECHO);
    FUZZ_CHECK(s->log_level < LOG_LEVEL_COUNT);
    FUZZ_CHECK(s->log_format <= LOG_FORMAT_JOURNAL);
    FUZZ_CHECK(s->loop_period >= 0 && s->connect_timeout >= 0 && s->start_delay >= 0);
    FUZZ_CHECK(strchr(s->server_address, ':') != NULL && s->bets_file[0] != '\0');
    const bool has_tls = client_settings_have_tls(s);
    FUZZ_CHECK((s->tls_key[0] != '\0') == has_tls && (s->tls_ca[0] != '\0') == has_tls);
    FUZZ_CHECK(has_tls || s->tls_server_name[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client_settings untouched;
    struct client_settings loaded = untouched;
    struct client_settings again;
    struct errbuf err = {{0}};
    char text[8192];

    const char *path = fuzz_file(data, size);
    struct settings_sources sources = {.path = path};
    enum status status = client_settings_load(&sources, &loaded, &err);
    if (status != STATUS_OK) {
        FUZZ_CHECK(status == STATUS_INVALID);
        FUZZ_CHECK(memcmp(&loaded, &untouched, sizeof(loaded)) == 0);
        FUZZ_CHECK(strncmp(err.text, path, strlen(path)) == 0);
        return 0;
    }
    check_ranges(&loaded);
    int used = write_down(&loaded, text, sizeof(text));
    int more = write_tls(&loaded, text + used, sizeof(text) - (size_t)used);
    if (used == 0 || more < 0)
        return 0;
    sources.path = fuzz_file((const uint8_t *)text, (size_t)(used + more));
    FUZZ_CHECK(client_settings_load(&sources, &again, &err) == STATUS_OK);
    check_same(&loaded, &again);
    return 0;
}
