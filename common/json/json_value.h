/* json_value.h - values of jansson's from ours.
 *
 * Every function returns a value that the caller owns, or NULL when there is no memory. NULL may be
 * handed to json_value_add() and to the functions of json_print.h, so that only what these return
 * has to be looked at. Other values come from jansson's json_boolean(), json_null(), json_real(),
 * json_object() and json_array().
 */
#ifndef LOTTERY_JSON_VALUE_H
#define LOTTERY_JSON_VALUE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* A text of any bytes; only json_print.h writes it as it should be. */
json_t *json_value_text(const char *text);

/* jansson's integers have a sign: what is above INT64_MAX is kept as the negative one with the same
 * bits, and only json_print.h writes it as it should be. */
json_t *json_value_uint(uint64_t value);

/* Seconds since 1970, as a text after RFC 3339. */
json_t *json_value_time(uint64_t seconds);

/* Bytes, as a text in base64. */
json_t *json_value_base64(const uint8_t *bytes, size_t size);

/* Puts a member at the end of *object; `key` is not in it yet. Takes `value`, always. When one of
 * the two is NULL, or there is no memory, *object is freed and becomes NULL. */
void json_value_add(json_t **object, const char *key, json_t *value);

/* Puts an item at the end of *array, in the same way. */
void json_value_append(json_t **array, json_t *value);

#endif
