/* forked.h - what all processes have in common that a server forks. */
#ifndef LOTTERY_FORKED_H
#define LOTTERY_FORKED_H

#include <stddef.h>
#include <sys/types.h>

/* In the child, first thing: has the kernel kill it when `parent`, which forked it, has ended,
 * gives up what no process of ours needs (privileges_give_up()), and leaves the parent's log lines,
 * and counts of lines, to the parent. Ends it with status 1 if the parent has ended already. */
void forked_end_with(pid_t parent);

/* Writes how a process has ended, by its status of waitpid(2): "killed by signal 9 (Killed)". */
void forked_describe_end(int status, char *out, size_t size);

#endif
