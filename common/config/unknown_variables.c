/* Variables of the environment that look like settings and are none. */
#include "log.h"
#include "settings.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_SIZE 64 /* bytes of a name for which a similar one is looked for */

extern char **environ;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters have to be inserted, removed or replaced to make `b` of `a` (Levenshtein). Both
 * are shorter than NAME_MAX_SIZE. */
static size_t distance_of(const char *a, const char *b)
{
    size_t row[NAME_MAX_SIZE];
    size_t size = strlen(b);

    for (size_t k = 0; k <= size; k++)
        row[k] = k;
    for (size_t i = 0; a[i] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t k = 1; k <= size; k++) {
            size_t replaced = diagonal + (a[i] != b[k - 1]);
            diagonal = row[k];
            row[k] = smaller(replaced, smaller(row[k], row[k - 1]) + 1);
        }
    }
    return row[size];
}

/* The name of the table that is most like `name`, and of two the one of the same length, as when
 * letters have changed places; NULL when none is like it. */
static const char *nearest_variable(const struct settings_table *table, const char *name)
{
    size_t best = 2 * (strlen(name) / 3 + 1); /* from there on they have little in common */
    const char *nearest = NULL;

    if (strlen(name) >= NAME_MAX_SIZE)
        return NULL;
    for (size_t i = 0; i < table->count; i++) {
        const char *variable = table->settings[i].variable;
        size_t distance = 2 * distance_of(name, variable) + (strlen(name) != strlen(variable));
        if (distance < best) {
            best = distance;
            nearest = variable;
        }
    }
    return nearest;
}

static bool is_known_variable(const struct settings_table *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->settings[i].variable, name) == 0)
            return true;
    }
    return false;
}

static bool has_prefix(const char *name, const char *const *prefixes)
{
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(name, *prefixes, strlen(*prefixes)) == 0)
            return true;
    }
    return false;
}

void settings_warn_of_unknown(const struct settings_table *table, const char *const *prefixes)
{
    char name[SETTING_TEXT_SIZE];
    char reason[128];

    for (char **variable = environ; *variable != NULL; variable++) {
        if (!has_prefix(*variable, prefixes))
            continue;
        (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(*variable, "="), *variable);
        if (is_known_variable(table, name))
            continue;
        const char *nearest = nearest_variable(table, name);
        (void)snprintf(reason, sizeof(reason), "unknown variable%s%s%s", nearest ? ": is it " : "",
                       nearest ? nearest : "", nearest ? "?" : "");
        LOG(WARNING, "config", SUCCESS, LOG_TEXT("variable", name), LOG_TEXT("reason", reason));
    }
}
