/* log_output.h - where the lines of the log go: to stdout, without waiting for its reader.
 *
 * What stdout does not take at once is kept, up to LOG_PENDING_MAX bytes, and written when it can
 * be: by the loop or the poll(2) that watches log_output_fd(), and with later lines. Nothing is
 * kept that could be written: after a crash, what was logged before is there. While much is kept
 * (log_output_is_full), a process should take no more work that will be logged. When all of it is
 * used, the process waits until there is room again, or until it has to stop.
 *
 * stdout is often shared with other processes, and O_NONBLOCK would be theirs, too. So a pipe or a
 * terminal is opened once more for ourselves. Where that is not possible, each write asks not to
 * wait, or on older kernels is preceded by a poll(2). One write has whole lines and at most
 * LOG_WRITE_MAX bytes, which a pipe takes as a whole: lines of several processes never mix.
 *
 * An error (the disk is full, the file is as large as it may be, nobody reads) drops the lines that
 * cannot be written. They are counted: log.c puts a line that says so before the next one.
 *
 * Not for several threads. Without log_output_open() a write waits for its reader.
 */
#ifndef LOTTERY_LOG_OUTPUT_H
#define LOTTERY_LOG_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_PENDING_MAX ((size_t)4 * 1024 * 1024) /* bytes that a process keeps */
#define LOG_WRITE_MAX ((size_t)4096) /* PIPE_BUF on Linux: a pipe takes up to this as a whole */
#define LOG_STOP_MS 500              /* how long a process that has to stop waits for the log */

/* Prepares the output, at the program's start, after standard_fds_open(). Ignores SIGPIPE and
 * SIGXFSZ: a log that cannot be written must not end the program. */
void log_output_open(void);

/* Writes what can be written of these whole lines, and keeps the rest. Waits only when there is no
 * room for them. At most LOG_WRITE_MAX bytes. */
void log_output_write(const char *lines, size_t size);

/* How many lines errors have dropped that no line tells yet; and a line that does, which is written
 * before the next ones. */
uint64_t log_output_dropped(void);
void log_output_tell_dropped(const char *line, size_t size);

/* A descriptor that is readable when log_output_on_ready() has something to do, for poll(2) or a
 * loop; -1 when the system has none. It stays the same until log_output_forked(). */
int log_output_fd(void);
void log_output_on_ready(void);

/* Calls `callback` from log_output_on_ready(), after `ms` milliseconds. One at a time: a second
 * call replaces the first. Does nothing without a log_output_fd(). */
void log_output_call_later(uint64_t ms, void (*callback)(void));

/* Is so much kept that no more work should be taken? It is false again when half is written. */
bool log_output_is_full(void);

/* Since when there has been room: a time of the monotonic clock; now, while it is full. Others
 * could not do their part before, so limits of time begin then at the earliest. */
uint64_t log_output_room_since_ms(void);

/* This process has to stop: it waits for the log for LOG_STOP_MS from now on at most. A pending
 * SIGTERM or SIGINT has the same effect. log_output_stop_all() also speaks for the processes that
 * were forked since log_output_open(). */
void log_output_stop(void);
void log_output_stop_all(void);

/* Before the process ends: waits until all is written, for `limit_ms` at most. What cannot be
 * written by then is dropped. */
void log_output_finish(uint64_t limit_ms);
#define LOG_NO_LIMIT UINT64_MAX /* except that of a stop */

/* In a process that was just forked: what its parent keeps is the parent's to write. */
void log_output_forked(void);

/* The descriptors above 2 that the output needs, for a process that closes what it has inherited;
 * returns how many these are. */
#define LOG_FDS_MAX 3
size_t log_output_fds(int out[LOG_FDS_MAX]);

#endif
