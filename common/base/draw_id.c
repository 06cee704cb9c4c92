#include "draw_id.h"

#include <string.h>

bool draw_id_is_valid(const char *id)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    size_t size = strspn(id, letters);

    return size >= 1 && size <= DRAW_ID_MAX && id[size] == '\0' && id[0] != '_' && id[0] != '-' &&
           strcmp(id, "current") != 0;
}
