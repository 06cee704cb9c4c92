/* ctl_json.h - writes JSON (RFC 8259), in one line, without white space.
 *
 * The members of an object and the items of an array are written in turn; commas come by
 * themselves. `key` is the member's name, NULL in an array.
 */
#ifndef LOTTERY_CTL_JSON_H
#define LOTTERY_CTL_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ctl_json {
    FILE *out;        /* borrowed */
    bool needs_comma; /* something came before, within the same object or array */
};

/* `bracket` is '{' or '['. */
void ctl_json_open(struct ctl_json *json, const char *key, char bracket);

/* `bracket` is '}' or ']'. */
void ctl_json_close(struct ctl_json *json, char bracket);

/* A text of any bytes: what is not UTF-8 becomes U+FFFD. */
void ctl_json_text(struct ctl_json *json, const char *key, const char *text);
void ctl_json_uint(struct ctl_json *json, const char *key, uint64_t value);
void ctl_json_bool(struct ctl_json *json, const char *key, bool value);
void ctl_json_null(struct ctl_json *json, const char *key);

/* Seconds since 1970, as a text after RFC 3339. */
void ctl_json_time(struct ctl_json *json, const char *key, uint64_t seconds);

/* Bytes, as a text in base64. */
void ctl_json_base64(struct ctl_json *json, const char *key, const uint8_t *bytes, size_t size);

#endif
