#include "seal_id.h"

#include <stddef.h>

bool seal_is_id(struct text id)
{
    if (id.size > SEAL_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];
        bool is_word = text_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_word && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return true;
}
