/* notifier.h - tells the service manager that has started the server, such as systemd, what
 * the server is at, and that it is alive: sd_notify(3), spoken by the supervisor only.
 *
 * Without NOTIFY_SOCKET in the environment there is nobody to tell, and nothing happens. That the
 * socket cannot be reached is no error, and not logged: the server does its work without.
 */
#ifndef LOTTERY_NOTIFIER_H
#define LOTTERY_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

enum notifier_state {
    NOTIFIER_STARTING,  /* agencies cannot connect yet */
    NOTIFIER_READY,     /* they can */
    NOTIFIER_RELOADING, /* they wait: other settings, or another draw */
    NOTIFIER_STOPPING   /* the last one */
};

#define NOTIFIER_MESSAGE_MAX 512 /* bytes of a message, with its NUL */

struct notifier {
    struct sockaddr_un address; /* of its socket */
    socklen_t address_size;     /* 0: there is none */
    enum notifier_state state;  /* that was told last */
    uint64_t watchdog_ms;       /* how often to say that we live; 0: nobody waits for that */
    uint64_t due_ms;            /* monotonic: when something has to be said again */
    bool is_pending;            /* the state could not be told yet */
    char message[NOTIFIER_MESSAGE_MAX]; /* that tells it */
};

/* Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and removes them from the environment, so
 * that nothing which is forked or executed later speaks for the server. To be called before that.
 */
void notifier_init(struct notifier *self);

/* In all of these NULL is fine, as in a test. None of them waits. */

/* Tells that the server is in this state, and `text` about it for people: it is made safe, and cut
 * when it is long. A state that was told already is not told again, and after STOPPING none is. */
void notifier_tell(struct notifier *self, enum notifier_state state, const char *text);

/* How long the supervisor may wait before it calls notifier_turn(): `wait_ms`, -1 being
 * without limit, or less. */
int notifier_wait(const struct notifier *self, int wait_ms);

/* Says that we live, if that is due. While the server is not ready, asks for more time as well: a
 * recovery may take longer than the manager usually allows. */
void notifier_turn(struct notifier *self);

#endif
