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
    return snprintf(out, size,
                    "id: %u\nserver: {address: %s}\nloop:\n  amount: %u\n  period: %s\n"
                    "log.level: %s\nbatch:\n  maxAmount: %u\nmode: %s\nbets.file: %s\n"
                    "connect.timeout: %s\nstart.delay: %s\n",
                    s->id, address, s->loop_amount, period, log_level_name(s->log_level),
                    s->batch_max_amount, modes[s->mode], file, timeout, delay);
}

static void check_same(const struct client_settings *a, const struct client_settings *b)
{
    FUZZ_CHECK(a->id == b->id && strcmp(a->server_address, b->server_address) == 0);
    FUZZ_CHECK(a->loop_amount == b->loop_amount && a->loop_period == b->loop_period);
    FUZZ_CHECK(a->log_level == b->log_level && a->batch_max_amount == b->batch_max_amount);
    FUZZ_CHECK(a->mode == b->mode && strcmp(a->bets_file, b->bets_file) == 0);
    FUZZ_CHECK(a->connect_timeout == b->connect_timeout);
    FUZZ_CHECK(a->start_delay == b->start_delay);
}

static void check_ranges(const struct client_settings *s)
{
    FUZZ_CHECK(s->id >= 1 && s->batch_max_amount >= 1 && s->mode <= CLIENT_MODE_ECHO);
    FUZZ_CHECK(s->log_level < LOG_LEVEL_COUNT);
    FUZZ_CHECK(s->loop_period >= 0 && s->connect_timeout >= 0 && s->start_delay >= 0);
    FUZZ_CHECK(strchr(s->server_address, ':') != NULL && s->bets_file[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct client_settings untouched;
    struct client_settings loaded = untouched;
    struct client_settings again;
    struct errbuf err = {{0}};
    char text[4096];

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
    if (used == 0)
        return 0;
    sources.path = fuzz_file((const uint8_t *)text, (size_t)used);
    FUZZ_CHECK(client_settings_load(&sources, &again, &err) == STATUS_OK);
    check_same(&loaded, &again);
    return 0;
}
