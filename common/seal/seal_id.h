/* seal_id.h - the id of a draw, as it stands in the texts of a seal. */
#ifndef LOTTERY_SEAL_ID_H
#define LOTTERY_SEAL_ID_H

#include "text.h"

#include <stdbool.h>

#define SEAL_ID_MAX 64 /* bytes of a draw's id */

/* May a draw have this id? [A-Za-z0-9][A-Za-z0-9_-]*, at most SEAL_ID_MAX bytes; or none, which is
 * the empty text. */
bool seal_is_id(struct text id);

/* What the texts say for this id: `-` for none. */
static inline const char *seal_id_shown(const char *id)
{
    return id[0] != '\0' ? id : "-";
}

#endif
