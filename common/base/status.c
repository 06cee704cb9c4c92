#include "status.h"

#include <errno.h>

static const char *const status_texts[STATUS_COUNT] = {
#define XX(name, text) text,
    STATUS_MAP(XX)
#undef XX
};

const char *status_text(enum status status)
{
    return (unsigned)status < STATUS_COUNT ? status_texts[status] : "?";
}

enum status status_from_errno(int error)
{
    switch (error) {
    case 0:
        return STATUS_OK;
    case ENOMEM:
        return STATUS_NOMEM;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return STATUS_NOSPACE;
    case ENOENT:
        return STATUS_NOTFOUND;
    case EINVAL:
        return STATUS_INVALID;
    case EWOULDBLOCK:
        return STATUS_INUSE;
    default:
        return STATUS_IO;
    }
}
