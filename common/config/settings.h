/* settings.h - a program's settings as a table: name, kind and range of each.
 *
 * A setting comes from the command line; if it is not there, from the environment; if it is not
 * there, from the file; if it is not there either, it keeps the default that the program put into
 * its struct. A program parses its own file format (INI, YAML) and passes what it finds to
 * settings_set(). Nothing is guessed: an unknown name, a name given twice and a value out of range
 * are errors, and their text says where.
 */
#ifndef LOTTERY_SETTINGS_H
#define LOTTERY_SETTINGS_H

#include "errbuf.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SETTINGS_MAX 64       /* settings in one table */
#define SETTING_TEXT_SIZE 512 /* bytes of a text value, including its NUL */

enum setting_kind {
    SETTING_UINT,      /* uint32_t, min..max */
    SETTING_TEXT,      /* char[SETTING_TEXT_SIZE], not empty */
    SETTING_LEVEL,     /* enum log_level */
    SETTING_DURATION,  /* int64_t nanoseconds, at least `min` milliseconds; Go's notation */
    SETTING_CHOICE,    /* uint32_t, the index in `choices` */
    SETTING_ADDRESSES, /* char[SETTING_TEXT_SIZE], host:port, or several with commas in between */
    SETTING_TIME,      /* uint64_t, seconds since 1970; RFC 3339 with offset; not 0 */
    SETTING_LISTEN,    /* char[SETTING_TEXT_SIZE], where to listen, or empty; values.h */
    SETTING_DRAW_ID    /* char[DRAW_ID_MAX + 1], of a draw, or empty */
};

struct setting {
    const char *key;      /* its name in the file */
    const char *variable; /* its name in the environment */
    enum setting_kind kind;
    size_t offset;       /* where the value is in the program's struct */
    uint32_t min;        /* SETTING_UINT, SETTING_DURATION */
    uint32_t max;        /* SETTING_UINT */
    const char *choices; /* SETTING_CHOICE: "lottery|bet|echo" */
};

struct settings_table {
    const struct setting *settings;
    size_t count; /* <= SETTINGS_MAX */
};

/* An option of the command line that is a setting. */
struct settings_argument {
    const char *option; /* as people write it, "--port": errors begin with it */
    const char *key;    /* of the setting */
    const char *value;
};

#define SETTINGS_ARGUMENTS_MAX 8

/* Where a program's settings come from, besides its defaults and the environment. */
struct settings_sources {
    const char *path;     /* of the file */
    bool must_file_exist; /* else it may be absent */
    size_t arguments_count;
    struct settings_argument arguments[SETTINGS_ARGUMENTS_MAX];
};

/* Adds an option; of one that was given twice the last counts. */
void settings_add_argument(struct settings_sources *sources, const char *option, const char *key,
                           const char *value);

/* Which settings the file has set so far. Zeroed at the start. */
struct settings_seen {
    uint64_t bits;
};

/* Sets `key` from a file to `value` in `target`, the program's struct. `where` is "file:line" and
 * begins the error's text. Returns STATUS_INVALID for an unknown key, a key given twice or a bad
 * value; then `target` is unchanged. */
enum status settings_set(const struct settings_table *table, void *target,
                         struct settings_seen *seen, const char *where, const char *key,
                         const char *value, struct errbuf *err);

/* Does the table have a setting `key` that takes a list? */
bool settings_is_list(const struct settings_table *table, const char *key);

/* Overwrites `target` with every variable of the table that is in the environment. Returns
 * STATUS_INVALID at the first bad value, and *err names its variable. */
enum status settings_read_environment(const struct settings_table *table, void *target,
                                      struct errbuf *err);

/* Overwrites `target` with the settings of the command line. Returns STATUS_INVALID at the first
 * bad value, and *err names its option. */
enum status settings_read_arguments(const struct settings_table *table, void *target,
                                    const struct settings_sources *sources, struct errbuf *err);

/* Logs a WARNING for each variable in the environment whose name begins with one of `prefixes`, an
 * array that ends with NULL, and that is none of the table, with the name that it may be meant to
 * have. */
void settings_warn_of_unknown(const struct settings_table *table, const char *const *prefixes);

#endif
