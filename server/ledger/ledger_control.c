#include "ledger_control.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#define TELL_MS 1000 /* how long the supervisor may take to make room for a message */

void ledger_control_tell(int fd, const struct ledger_tells *tells)
{
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    while (send(room.fd, tells, sizeof(*tells), MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        bool may_retry = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        if (!may_retry || poll(&room, 1, TELL_MS) == 0)
            return;
    }
}

void ledger_control_tell_reason(int fd, const struct errbuf *err)
{
    struct ledger_tells tells = {.kind = LEDGER_TELLS_REASON};

    tells.text = *err;
    ledger_control_tell(fd, &tells);
}
