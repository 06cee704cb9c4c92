/* The output of the log.
 *
 * Happy path: lines are put at the end of `pending` and written at once, which leaves it empty.
 *
 * Failure modes: no room: the lines stay, and the descriptor is watched; later lines join the end,
 * so the order is kept. No room in `pending` either: poll(2) until there is, or until the process
 * has stopped for LOG_STOP_MS; then what is kept is dropped. An error: what is kept is dropped and
 * counted; the count is put before the next lines. If only part of a line was written before the
 * error, a newline goes first.
 */
#include "log_output.h"

#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#define FULL (LOG_PENDING_MAX / 4 * 3)
#define ROOM (LOG_PENDING_MAX / 2)
#define WAIT_MS 50 /* between two looks for a signal to stop */

/* How to write without being made to wait. */
enum log_way {
    LOG_WAY_WRITE,  /* a file, or a description of our own that does not block */
    LOG_WAY_NOWAIT, /* a pipe or socket that others have, too: each write says not to wait */
    LOG_WAY_POLL    /* ask whether there is room, then write: others may take it meanwhile */
};

static struct {
    int fd; /* what is written to */
    enum log_way way;
    int epoll_fd;           /* log_output_fd() */
    int timer_fd;           /* in it; -1 = none yet */
    bool is_watched;        /* `fd` is in epoll_fd, too */
    void (*callback)(void); /* of timer_fd */
    size_t head;            /* where in `pending` the bytes begin that are kept */
    size_t size; /* how many there are: whole lines, except that the first may be begun */
    bool is_full;
    uint64_t room_since_ms;        /* monotonic: when is_full last ended */
    uint64_t dropped;              /* lines; not in a line yet that says so */
    uint64_t told;                 /* those in a line that says so, while that is not written */
    size_t told_left;              /* bytes of it; it is the first that is kept */
    bool is_torn;                  /* a line of which a part was written was dropped */
    char last;                     /* the last byte that was written */
    uint64_t stop_ms;              /* monotonic: when this process had to stop; 0 = it has not */
    _Atomic uint64_t *all_stop_ms; /* the same for all; shared with forked processes; NULL = none */
} output = {
    .fd = STDOUT_FILENO, .way = LOG_WAY_WRITE, .epoll_fd = -1, .timer_fd = -1, .last = '\n'};

/* Only what was once used of it takes memory. */
static char pending[LOG_PENDING_MAX];

/* ------------------------------------------------------------------ the descriptors */

/* Opens what is stdout for ourselves, so that it can be non-blocking for us alone. */
static int log_output_reopen(void)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
        return -1;
    return open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static enum log_way log_output_find_way(void)
{
    struct stat found;

    if (fstat(STDOUT_FILENO, &found) < 0)
        return LOG_WAY_POLL;
    if (S_ISSOCK(found.st_mode))
        return LOG_WAY_NOWAIT;
    if (!S_ISFIFO(found.st_mode) && isatty(STDOUT_FILENO) == 0)
        return LOG_WAY_WRITE;
    int fd = log_output_reopen();
    if (fd < 0)
        return LOG_WAY_NOWAIT;
    output.fd = fd;
    return LOG_WAY_WRITE;
}

void log_output_open(void)
{
    (void)signal(SIGPIPE, SIG_IGN);
    (void)signal(SIGXFSZ, SIG_IGN);
    output.way = log_output_find_way();
    void *shared = mmap(NULL, sizeof(*output.all_stop_ms), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    output.all_stop_ms = shared == MAP_FAILED ? NULL : shared;
    output.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
}

void log_output_forked(void)
{
    if (output.timer_fd >= 0)
        (void)close(output.timer_fd);
    output.timer_fd = -1;
    if (output.epoll_fd >= 0) {
        (void)close(output.epoll_fd);
        output.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    }
    output.is_watched = false;
    output.head = 0;
    output.size = 0;
    output.is_full = false;
    output.dropped = 0;
    output.told = 0;
    output.told_left = 0;
}

size_t log_output_fds(int out[LOG_FDS_MAX])
{
    const int fds[LOG_FDS_MAX] = {output.fd, output.epoll_fd, output.timer_fd};
    size_t count = 0;

    for (size_t i = 0; i < LOG_FDS_MAX; i++) {
        if (fds[i] > STDERR_FILENO)
            out[count++] = fds[i];
    }
    return count;
}

int log_output_fd(void)
{
    return output.epoll_fd;
}

/* Is not watched without need: a pipe without a reader would always be ready. */
static void log_output_watch(bool is_watched)
{
    struct epoll_event event = {.events = EPOLLOUT};
    int operation = is_watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL;

    if (output.epoll_fd >= 0 && is_watched != output.is_watched &&
        epoll_ctl(output.epoll_fd, operation, output.fd, &event) == 0)
        output.is_watched = is_watched;
}

/* ------------------------------------------------------------------ writing */

static void log_output_note_size(void)
{
    if (output.size >= FULL) {
        output.is_full = true;
    } else if (output.is_full && output.size <= ROOM) {
        output.is_full = false;
        output.room_since_ms = clock_monotonic_ms();
    }
}

/* Appends to what is kept; the caller has checked that it fits. */
static void log_output_keep(const char *lines, size_t size)
{
    if (size > LOG_PENDING_MAX - output.head - output.size) {
        memmove(pending, pending + output.head, output.size);
        output.head = 0;
    }
    memcpy(pending + output.head + output.size, lines, size);
    output.size += size;
}

static void log_output_drop(void)
{
    const char *begin = pending + output.head + output.told_left;
    const char *end = pending + output.head + output.size;

    for (const char *p = begin; p < end; p++)
        output.dropped += *p == '\n';
    output.dropped += output.told;
    output.told = 0;
    output.told_left = 0;
    output.is_torn = output.last != '\n';
    output.head = 0;
    output.size = 0;
}

static void log_output_advance(size_t size)
{
    output.last = pending[output.head + size - 1];
    output.head += size;
    output.size -= size;
    output.told_left -= size < output.told_left ? size : output.told_left;
    if (output.told_left == 0)
        output.told = 0;
    if (output.size == 0)
        output.head = 0;
}

/* How much of what is kept goes into one write: whole lines. */
static size_t log_output_chunk(void)
{
    const char *begin = pending + output.head;

    if (output.size <= LOG_WRITE_MAX)
        return output.size;
    const char *end = memrchr(begin, '\n', LOG_WRITE_MAX);
    return end != NULL ? (size_t)(end - begin) + 1 : LOG_WRITE_MAX;
}

/* Fails with EAGAIN when the caller would have to wait. */
static ssize_t log_output_try(char *bytes, size_t size)
{
    struct pollfd room = {.fd = output.fd, .events = POLLOUT};
    const struct iovec part = {bytes, size};

    if (output.way == LOG_WAY_NOWAIT) {
        ssize_t written = pwritev2(output.fd, &part, 1, -1, RWF_NOWAIT);
        if (written >= 0 || errno != EOPNOTSUPP)
            return written;
        output.way = LOG_WAY_POLL; /* a terminal, or an older kernel */
    }
    if (output.way == LOG_WAY_POLL && poll(&room, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
    }
    return write(output.fd, bytes, size);
}

/* Writes what can be written. */
static void log_output_flush(void)
{
    while (output.size > 0) {
        ssize_t written = log_output_try(pending + output.head, log_output_chunk());
        if (written > 0)
            log_output_advance((size_t)written);
        else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        else if (written == 0 || errno != EINTR)
            log_output_drop();
    }
    log_output_watch(output.size > 0);
    log_output_note_size();
}

/* ------------------------------------------------------------------ waiting */

void log_output_stop(void)
{
    if (output.stop_ms == 0)
        output.stop_ms = clock_monotonic_ms();
}

void log_output_stop_all(void)
{
    log_output_stop();
    if (output.all_stop_ms != NULL)
        atomic_store(output.all_stop_ms, output.stop_ms);
}

/* Both signals are blocked while loops take them from a descriptor. */
static bool log_output_is_stop_pending(void)
{
    sigset_t set;

    return sigpending(&set) == 0 &&
           (sigismember(&set, SIGTERM) == 1 || sigismember(&set, SIGINT) == 1);
}

static bool log_output_is_stop_over(void)
{
    uint64_t now = clock_monotonic_ms();
    uint64_t all = output.all_stop_ms != NULL ? atomic_load(output.all_stop_ms) : 0;

    if (output.stop_ms == 0 && log_output_is_stop_pending())
        log_output_stop();
    return (output.stop_ms != 0 && now - output.stop_ms >= LOG_STOP_MS) ||
           (all != 0 && now - all >= LOG_STOP_MS);
}

static void log_output_wait(void)
{
    struct pollfd room = {.fd = output.fd, .events = POLLOUT};
    size_t before = output.size;

    (void)poll(&room, 1, WAIT_MS);
    log_output_flush();
    if (output.size == before && room.revents != 0)
        (void)poll(NULL, 0, 1); /* others were faster */
}

void log_output_write(const char *lines, size_t size)
{
    while (size > LOG_PENDING_MAX - output.size && !log_output_is_stop_over())
        log_output_wait();
    if (size > LOG_PENDING_MAX - output.size)
        log_output_drop();
    log_output_keep(lines, size);
    log_output_flush();
}

uint64_t log_output_dropped(void)
{
    return output.dropped;
}

void log_output_tell_dropped(const char *line, size_t size)
{
    /* Otherwise this comes after others have been written. */
    if (output.dropped == 0 || output.size > 0)
        return;
    if (output.is_torn)
        log_output_keep("\n", 1);
    log_output_keep(line, size);
    output.told = output.dropped;
    output.told_left = output.size;
    output.dropped = 0;
    output.is_torn = false;
}

void log_output_finish(uint64_t limit_ms)
{
    const uint64_t begin = clock_monotonic_ms();

    log_output_flush();
    while (output.size > 0 && !log_output_is_stop_over() && clock_monotonic_ms() - begin < limit_ms)
        log_output_wait();
    log_output_drop();
    log_output_watch(false);
}

bool log_output_is_full(void)
{
    return output.is_full;
}

uint64_t log_output_room_since_ms(void)
{
    return output.is_full ? clock_monotonic_ms() : output.room_since_ms;
}

/* ------------------------------------------------------------------ watching */

void log_output_call_later(uint64_t ms, void (*callback)(void))
{
    const struct itimerspec time = {
        .it_value = {(time_t)(ms / 1000), (long)(ms % 1000) * NS_PER_MS}};
    struct epoll_event event = {.events = EPOLLIN};

    if (output.epoll_fd < 0)
        return;
    if (output.timer_fd < 0) {
        output.timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
        (void)epoll_ctl(output.epoll_fd, EPOLL_CTL_ADD, output.timer_fd, &event);
    }
    output.callback = callback;
    (void)timerfd_settime(output.timer_fd, 0, &time, NULL);
}

void log_output_on_ready(void)
{
    uint64_t count;

    if (output.size > 0)
        log_output_flush();
    if (output.timer_fd >= 0 &&
        read(output.timer_fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
        output.callback();
}
