#include "draw_id.h"

#define RESERVED "current"

bool draw_id_is_valid(struct text id)
{
    if (id.size < 1 || id.size > DRAW_ID_MAX)
        return false;
    for (size_t i = 0; i < id.size; i++) {
        char c = id.data[i];
        bool is_word = text_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!is_word && (i == 0 || (c != '_' && c != '-')))
            return false;
    }
    return id.size != sizeof(RESERVED) - 1 || memcmp(id.data, RESERVED, id.size) != 0;
}
