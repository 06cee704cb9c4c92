/* settings.h - a program's settings as a table: name, kind and range of each.
 *
 * A setting comes from the environment; if it is not there, from the file; if it is not there
 * either, it keeps the default that the program put into its struct. A program parses its own file
 * format (INI, YAML) and passes what it finds to settings_set(). Nothing is guessed: an unknown
 * name, a name given twice and a value out of range are errors, and their text says where.
 */
#ifndef LOTTERY_SETTINGS_H
#define LOTTERY_SETTINGS_H

#include "errbuf.h"
#include "status.h"

#include <stddef.h>
#include <stdint.h>

#define SETTINGS_MAX 64       /* settings in one table */
#define SETTING_TEXT_SIZE 512 /* bytes of a text value, including its NUL */

enum setting_kind {
    SETTING_UINT,     /* uint32_t, min..max */
    SETTING_TEXT,     /* char[SETTING_TEXT_SIZE], not empty */
    SETTING_LEVEL,    /* enum log_level */
    SETTING_DURATION, /* int64_t nanoseconds, at least `min` milliseconds; Go's notation */
    SETTING_CHOICE,   /* uint32_t, the index in `choices` */
    SETTING_ADDRESS   /* char[SETTING_TEXT_SIZE], host:port */
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

/* Overwrites `target` with every variable of the table that is in the environment. Returns
 * STATUS_INVALID at the first bad value, and *err names its variable. */
enum status settings_read_environment(const struct settings_table *table, void *target,
                                      struct errbuf *err);

#endif
