/* Looking up SERVER_IP.
 *
 * Happy path: it is an address, or the default: nothing to do. A name: a child looks it up and
 * writes the address into a pipe.
 *
 * Failure modes: not a name either: refused, with a hint at what is often meant. The name is not
 * found: refused. The name service does not answer: the child waits for it, and a signal to stop
 * ends both. The child dies: nothing is known about the name. A child, because a lookup can be
 * neither interrupted nor left behind in a thread of a process that will fork.
 */
#include "resolve.h"

#include "forked.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* What the child has found. */
struct resolve_answer {
    int code;                  /* of getaddrinfo() */
    char ip[INET6_ADDRSTRLEN]; /* when that is 0; "" = no address of a known kind */
};

static bool resolve_is_address(const char *text)
{
    struct in6_addr any;

    return inet_pton(AF_INET, text, &any) == 1 || inet_pton(AF_INET6, text, &any) == 1;
}

static bool resolve_is_in(char c, const char *set)
{
    return strchr(set, c) != NULL;
}

/* Can it be a host's name? Letters, digits, "-" and "_", with dots in between; but not digits alone
 * after the last dot: that is an address with a mistake. */
static bool resolve_is_name(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    static const char digits[] = "0123456789";
    size_t label = 0; /* characters since the last dot */
    bool has_letter = false;

    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '.' && label > 0 && at[1] != '\0') {
            label = 0;
            has_letter = false;
            continue;
        }
        if (!resolve_is_in(*at, letters) && !resolve_is_in(*at, digits))
            return false;
        has_letter |= resolve_is_in(*at, letters);
        label++;
    }
    return label > 0 && has_letter;
}

/* What was probably meant by a text that is neither an address nor a name. */
static const char *resolve_hint(const char *text)
{
    if (strchr(text, '#') != NULL)
        return "; a comment after a value begins with \";\"";
    if (strpbrk(text, "\"'") != NULL)
        return "; it needs no quotes";
    if (strpbrk(text, "[]") != NULL)
        return "; it needs no brackets";
    if (strchr(text, ':') != NULL && strchr(text, '.') != NULL)
        return "; the port has a setting of its own, SERVER_PORT";
    return "";
}

static enum status resolve_refuse(const struct server_settings *settings, struct errbuf *err,
                                  const char *what, const char *why)
{
    errbuf_set(err, "%s: SERVER_IP: \"%.64s\" %s%s", settings->ip_place, settings->ip, what, why);
    return STATUS_INVALID;
}

/* Writes the first address of the family. Returns whether there is one. */
static bool resolve_take(const struct addrinfo *list, int family, char *out)
{
    while (list != NULL && list->ai_family != family)
        list = list->ai_next;
    return list != NULL && getnameinfo(list->ai_addr, list->ai_addrlen, out, INET6_ADDRSTRLEN, NULL,
                                       0, NI_NUMERICHOST) == 0;
}

static void resolve_child(const char *name, int fd, pid_t parent)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct resolve_answer answer = {0};
    struct addrinfo *list = NULL;

    forked_end_with(parent);
    answer.code = getaddrinfo(name, NULL, &hints, &list);
    if (answer.code == 0 && !resolve_take(list, AF_INET, answer.ip) &&
        !resolve_take(list, AF_INET6, answer.ip))
        answer.ip[0] = '\0';
    /* Less than a pipe takes at once; an incomplete answer counts for none. */
    _exit(write(fd, &answer, sizeof(answer)) == (ssize_t)sizeof(answer) ? 0 : 1);
}

/* Waits until the pipe has something, or until a signal to stop. */
static enum status resolve_wait(int fd)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fds[1].fd < 0)
        return STATUS_IO;
    int count;
    do {
        count = poll(fds, 2, -1);
    } while (count < 0 && errno == EINTR);
    (void)close(fds[1].fd);
    if (count < 0)
        return STATUS_IO;
    return fds[1].revents != 0 ? STATUS_STOPPED : STATUS_OK;
}

static enum status resolve_fail(struct errbuf *err, const char *why)
{
    errbuf_set(err, "cannot look up SERVER_IP: %s", why);
    return STATUS_IO;
}

/* Waits for the child's answer and reads it. */
static enum status resolve_receive(int fd, struct resolve_answer *answer, struct errbuf *err)
{
    enum status status = resolve_wait(fd);

    if (status == STATUS_IO)
        return resolve_fail(err, strerror(errno));
    if (status == STATUS_OK && read(fd, answer, sizeof(*answer)) != (ssize_t)sizeof(*answer))
        return resolve_fail(err, "the process that does it has died");
    return status;
}

static enum status resolve_ask(const char *name, struct resolve_answer *answer, struct errbuf *err)
{
    pid_t parent = getpid();
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return resolve_fail(err, strerror(errno));
    pid_t pid = fork();
    if (pid == 0)
        resolve_child(name, fds[1], parent);
    enum status status = pid < 0 ? resolve_fail(err, strerror(errno)) : STATUS_OK;
    (void)close(fds[1]);
    if (pid > 0) {
        status = resolve_receive(fds[0], answer, err);
        (void)kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    (void)close(fds[0]);
    return status;
}

enum status resolve_listen_ip(struct server_settings *settings, struct errbuf *err)
{
    struct resolve_answer answer = {0};

    if (strcmp(settings->ip, SERVER_IP_ALL) == 0 || resolve_is_address(settings->ip))
        return STATUS_OK;
    if (!resolve_is_name(settings->ip))
        return resolve_refuse(settings, err, "is neither an IP address nor a name",
                              resolve_hint(settings->ip));
    enum status status = resolve_ask(settings->ip, &answer, err);
    if (status != STATUS_OK)
        return status;
    if (answer.code != 0)
        return resolve_refuse(settings, err, "cannot be looked up: ", gai_strerror(answer.code));
    if (answer.ip[0] == '\0')
        return resolve_refuse(settings, err, "has no IP address", "");
    (void)snprintf(settings->ip, sizeof(settings->ip), "%s", answer.ip);
    return STATUS_OK;
}
