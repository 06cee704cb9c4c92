/* Happy path: each message is a datagram to the manager's socket, from a socket that is open only
 * for that moment, so nobody inherits it. The supervisor wakes up as often as the manager wants to
 * hear that it lives, and while it is not ready, also to ask for more time.
 *
 * Failure modes: the manager's queue is full: the state is told a moment later, and that we live
 * when it is due again. Its socket is gone, or we may not write to it: the message is lost. The
 * supervisor hangs: it says nothing, and the manager ends it.
 */
#include "notifier.h"

#include "clock.h"
#include "log_text.h"
#include "values.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RETRY_MS 500                          /* after which a state is told again */
#define EXTEND_EVERY_MS 5000                  /* how often to ask for more time */
#define EXTEND "EXTEND_TIMEOUT_USEC=30000000" /* more than that from now on */
#define TEXT_MAX 300                          /* bytes of what people are told */

/* ------------------------------------------------------------------ the environment */

/* A number of the environment, which is removed; 0 if it is not set, or none. */
static uint64_t notifier_take_number(const char *name)
{
    const char *value = getenv(name);
    uint64_t number = 0;

    if (value != NULL)
        (void)value_uint(text_of(value), 0, UINT64_MAX, &number);
    (void)unsetenv(name);
    return number;
}

/* The path of a socket, or a name of Linux's own that begins with '@'. Anything else is ignored. */
static void notifier_set_address(struct notifier *self, const char *name)
{
    const size_t size = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof(self->address.sun_path))
        return;
    self->address.sun_family = AF_UNIX;
    memcpy(self->address.sun_path, name, size);
    if (name[0] == '@')
        self->address.sun_path[0] = '\0';
    self->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

/* Half of the time after which the manager believes that we hang. */
static void notifier_set_watchdog(struct notifier *self, uint64_t watchdog_us, uint64_t pid)
{
    if (watchdog_us == 0 || (pid != 0 && pid != (uint64_t)getpid()))
        return;
    self->watchdog_ms = watchdog_us / 2 / 1000;
    if (self->watchdog_ms == 0)
        self->watchdog_ms = 1;
}

void notifier_init(struct notifier *self)
{
    const char *name = getenv("NOTIFY_SOCKET");

    *self = (struct notifier){0};
    if (name != NULL)
        notifier_set_address(self, name);
    (void)unsetenv("NOTIFY_SOCKET");
    const uint64_t pid = notifier_take_number("WATCHDOG_PID");
    notifier_set_watchdog(self, notifier_take_number("WATCHDOG_USEC"), pid);
    self->due_ms = clock_monotonic_ms();
}

/* ------------------------------------------------------------------ messages */

/* False when it may be possible a moment later. */
static bool notifier_send(const struct notifier *self, const char *message)
{
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool is_over = true;

    if (fd < 0)
        return false;
    if (sendto(fd, message, strlen(message), MSG_DONTWAIT | MSG_NOSIGNAL,
               (const struct sockaddr *)&self->address, self->address_size) < 0)
        is_over = errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM;
    (void)close(fd);
    return is_over;
}

/* Systemd compares the time with its own. */
static uint64_t notifier_monotonic_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)(now.tv_nsec / NS_PER_US);
}

static void notifier_write(struct notifier *self, const char *text)
{
    char safe[TEXT_MAX + 1];
    char first[64] = "";
    size_t taken;

    safe[log_text_copy(safe, TEXT_MAX, text, strlen(text), &taken)] = '\0';
    switch (self->state) {
    case NOTIFIER_STARTING:
        break;
    case NOTIFIER_READY:
        (void)snprintf(first, sizeof(first), "READY=1\n");
        break;
    case NOTIFIER_RELOADING:
        (void)snprintf(first, sizeof(first), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n",
                       notifier_monotonic_us());
        break;
    case NOTIFIER_STOPPING:
        (void)snprintf(first, sizeof(first), "STOPPING=1\n");
        break;
    }
    (void)snprintf(self->message, sizeof(self->message), "%sSTATUS=%s", first, safe);
}

void notifier_tell(struct notifier *self, enum notifier_state state, const char *text)
{
    if (self == NULL || self->address_size == 0 || self->state == NOTIFIER_STOPPING ||
        (self->state == state && state != NOTIFIER_STARTING))
        return;
    self->state = state;
    notifier_write(self, text);
    self->is_pending = !notifier_send(self, self->message);
    self->due_ms = clock_monotonic_ms();
}

/* ------------------------------------------------------------------ signs of life */

/* How often something has to be said; 0: never. */
static uint64_t notifier_period_ms(const struct notifier *self)
{
    const uint64_t period_ms = self->state == NOTIFIER_READY ? 0 : EXTEND_EVERY_MS;

    if (self->is_pending)
        return RETRY_MS;
    if (self->watchdog_ms == 0 || (period_ms != 0 && period_ms < self->watchdog_ms))
        return period_ms;
    return self->watchdog_ms;
}

int notifier_wait(const struct notifier *self, int wait_ms)
{
    if (self == NULL || self->address_size == 0 || notifier_period_ms(self) == 0)
        return wait_ms;
    const uint64_t now_ms = clock_monotonic_ms();
    const uint64_t left_ms = self->due_ms > now_ms ? self->due_ms - now_ms : 0;
    if (wait_ms >= 0 && (uint64_t)wait_ms <= left_ms)
        return wait_ms;
    return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

void notifier_turn(struct notifier *self)
{
    if (self == NULL || self->address_size == 0 || notifier_period_ms(self) == 0)
        return;
    const uint64_t now_ms = clock_monotonic_ms();
    if (now_ms < self->due_ms)
        return;
    if (self->is_pending)
        self->is_pending = !notifier_send(self, self->message);
    if (self->state != NOTIFIER_READY)
        (void)notifier_send(self, EXTEND);
    if (self->watchdog_ms != 0)
        (void)notifier_send(self, "WATCHDOG=1");
    const uint64_t period_ms = notifier_period_ms(self);
    self->due_ms = now_ms + period_ms;
}
