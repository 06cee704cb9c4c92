#include "settings.h"

#include "assertion.h"
#include "clock.h"
#include "draw_id.h"
#include "log.h"
#include "rfc3339.h"
#include "values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a file in PEM begins with. No value has it; one that does is not shown: it may be a key. */
#define PEM "-----BEGIN "

static bool settings_set_choice(const char *choices, const char *value, uint32_t *out)
{
    size_t size = strlen(value);
    uint32_t index = 0;

    for (const char *at = choices;; index++) {
        size_t length = strcspn(at, "|");
        if (length == size && memcmp(at, value, size) == 0) {
            *out = index;
            return true;
        }
        if (at[length] == '\0')
            return false;
        at += length + 1;
    }
}

static bool settings_set_text(const char *value, char *out)
{
    size_t size = strlen(value);

    if (size == 0 || size >= SETTING_TEXT_SIZE)
        return false;
    memcpy(out, value, size + 1);
    return true;
}

static bool settings_set_time(const char *value, uint64_t *out)
{
    uint64_t seconds = 0;

    if (rfc3339_parse(text_of(value), &seconds, NULL) != STATUS_OK || seconds == 0)
        return false;
    *out = seconds;
    return true;
}

static bool settings_set_listen(const char *value, char *out)
{
    char ip[VALUE_IP_SIZE];
    uint16_t port;

    if (value[0] == '\0') {
        out[0] = '\0';
        return true;
    }
    return value_listen_address(value, ip, &port) && settings_set_text(value, out);
}

static bool settings_set_draw_id(const char *value, char *out)
{
    if (value[0] != '\0' && !draw_id_is_valid(text_of(value)))
        return false;
    memcpy(out, value, strlen(value) + 1);
    return true;
}

static bool settings_set_value(const struct setting *setting, void *target, const char *value)
{
    void *slot = (char *)target + setting->offset;
    uint64_t number;

    switch (setting->kind) {
    case SETTING_UINT:
        if (!value_uint(text_of(value), setting->min, setting->max, &number))
            return false;
        *(uint32_t *)slot = (uint32_t)number;
        return true;
    case SETTING_TEXT:
        return settings_set_text(value, slot);
    case SETTING_LEVEL:
        return log_level_from_name(value, slot);
    case SETTING_DURATION: {
        int64_t ns;
        if (!value_duration(text_of(value), &ns) || ns / NS_PER_MS < (int64_t)setting->min)
            return false;
        *(int64_t *)slot = ns;
        return true;
    }
    case SETTING_CHOICE:
        return settings_set_choice(setting->choices, value, slot);
    case SETTING_ADDRESSES:
        return value_is_address_list(value) && settings_set_text(value, slot);
    case SETTING_TIME:
        return settings_set_time(value, slot);
    case SETTING_LISTEN:
        return settings_set_listen(value, slot);
    case SETTING_DRAW_ID:
        return settings_set_draw_id(value, slot);
    }
    return false;
}

/* What values a setting accepts, for the error's text. */
static void settings_describe(const struct setting *setting, char *out, size_t size)
{
    switch (setting->kind) {
    case SETTING_UINT:
        (void)snprintf(out, size, "a number of %u..%u", setting->min, setting->max);
        return;
    case SETTING_TEXT:
        (void)snprintf(out, size, "a text of 1..%d bytes", SETTING_TEXT_SIZE - 1);
        return;
    case SETTING_LEVEL:
        (void)snprintf(out, size, "one of DEBUG|INFO|WARNING|ERROR|CRITICAL");
        return;
    case SETTING_DURATION:
        (void)snprintf(out, size, "a duration of at least %ums, like 5s or 1m30s", setting->min);
        return;
    case SETTING_CHOICE:
        (void)snprintf(out, size, "one of %s", setting->choices);
        return;
    case SETTING_ADDRESSES:
        (void)snprintf(out, size, "host:port, or up to %d of them with commas in between",
                       VALUE_ADDRESSES_MAX);
        return;
    case SETTING_TIME:
        (void)snprintf(out, size, "a time with its offset, like 2026-11-25T21:00:00-03:00");
        return;
    case SETTING_LISTEN:
        (void)snprintf(out, size,
                       "a port, or an IP address and a port, like 9090, 0.0.0.0:9090 or "
                       "[::1]:9090");
        return;
    case SETTING_DRAW_ID:
        (void)snprintf(out, size,
                       "a draw's id: up to %d letters, digits, - and _, the first a letter or "
                       "digit, and not \"current\"",
                       DRAW_ID_MAX);
        return;
    }
}

static enum status settings_set_checked(const struct setting *setting, void *target,
                                        const char *where, const char *name, const char *value,
                                        struct errbuf *err)
{
    char expected[160] = "";

    if (strstr(value, PEM) != NULL) {
        errbuf_set(err, "%s: %s: a key or certificate, where the name of its file should be", where,
                   name);
        return STATUS_INVALID;
    }
    if (settings_set_value(setting, target, value))
        return STATUS_OK;
    settings_describe(setting, expected, sizeof(expected));
    errbuf_set(err, "%s: %s: \"%.64s\" is not %s", where, name, value, expected);
    return STATUS_INVALID;
}

static const struct setting *settings_find(const struct settings_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->settings[i].key, key) == 0)
            return &table->settings[i];
    }
    return NULL;
}

enum status settings_set(const struct settings_table *table, void *target,
                         struct settings_seen *seen, const char *where, const char *key,
                         const char *value, struct errbuf *err)
{
    const struct setting *setting = settings_find(table, key);

    if (setting == NULL) {
        errbuf_set(err, "%s: %.64s: unknown key", where, key);
        return STATUS_INVALID;
    }
    uint64_t bit = UINT64_C(1) << (setting - table->settings);
    if ((seen->bits & bit) != 0) {
        errbuf_set(err, "%s: %s: given twice", where, key);
        return STATUS_INVALID;
    }
    seen->bits |= bit;
    return settings_set_checked(setting, target, where, key, value, err);
}

bool settings_is_list(const struct settings_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->settings[i].key, key) == 0)
            return table->settings[i].kind == SETTING_ADDRESSES;
    }
    return false;
}

enum status settings_read_environment(const struct settings_table *table, void *target,
                                      struct errbuf *err)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct setting *setting = &table->settings[i];
        const char *value = getenv(setting->variable);
        if (value == NULL)
            continue;
        enum status status =
            settings_set_checked(setting, target, "environment", setting->variable, value, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

void settings_add_argument(struct settings_sources *sources, const char *option, const char *key,
                           const char *value)
{
    size_t at = 0;

    while (at < sources->arguments_count && strcmp(sources->arguments[at].key, key) != 0)
        at++;
    ASSERT(at < SETTINGS_ARGUMENTS_MAX);
    sources->arguments[at] = (struct settings_argument){option, key, value};
    if (at == sources->arguments_count)
        sources->arguments_count++;
}

enum status settings_read_arguments(const struct settings_table *table, void *target,
                                    const struct settings_sources *sources, struct errbuf *err)
{
    for (size_t i = 0; i < sources->arguments_count; i++) {
        const struct settings_argument *argument = &sources->arguments[i];
        const struct setting *setting = settings_find(table, argument->key);
        ASSERT(setting != NULL);
        enum status status = settings_set_checked(setting, target, "command line", argument->option,
                                                  argument->value, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}
