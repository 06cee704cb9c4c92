/* The names of levels and results. */
#include "log_line.h"

#include <strings.h>

static const char *const level_names[LOG_LEVEL_COUNT] = {
#define XX(name) #name,
    LOG_LEVEL_MAP(XX)
#undef XX
};
static const char *const result_names[] = {"success", "fail", "in_progress"};

const char *log_level_name(enum log_level level)
{
    return (unsigned)level < LOG_LEVEL_COUNT ? level_names[level] : "?";
}

bool log_level_from_name(const char *name, enum log_level *out)
{
    for (unsigned level = 0; level < LOG_LEVEL_COUNT; level++) {
        if (strcasecmp(name, level_names[level]) == 0) {
            *out = (enum log_level)level;
            return true;
        }
    }
    return false;
}

const char *log_result_name(enum log_result result)
{
    return result_names[result];
}
