#include "json_value.h"

#include "base64.h"
#include "rfc3339.h"

#include <stdlib.h>

json_t *json_value_text(const char *text)
{
    return json_string_nocheck(text);
}

json_t *json_value_uint(uint64_t value)
{
    return json_integer((json_int_t)value);
}

json_t *json_value_time(uint64_t seconds)
{
    char text[RFC3339_SIZE];

    rfc3339_format(seconds, text);
    return json_string_nocheck(text);
}

json_t *json_value_base64(const uint8_t *bytes, size_t size)
{
    char *text = malloc(BASE64_SIZE(size) + 1);

    if (text == NULL)
        return NULL;
    json_t *value = json_stringn_nocheck(text, (size_t)(base64_encode(bytes, size, text) - text));
    free(text);
    return value;
}

void json_value_add(json_t **object, const char *key, json_t *value)
{
    if (json_object_set_new_nocheck(*object, key, value) == 0)
        return;
    json_decref(*object);
    *object = NULL;
}

void json_value_append(json_t **array, json_t *value)
{
    if (json_array_append_new(*array, value) == 0)
        return;
    json_decref(*array);
    *array = NULL;
}
