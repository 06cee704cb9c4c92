/* cpu_count.h - how many processors this process may keep busy. */
#ifndef LOTTERY_CPU_COUNT_H
#define LOTTERY_CPU_COUNT_H

#include <stdint.h>

/* The processors that this process may run on (its affinity), but no more than cpu_quota(). At
 * least 1. `root` and blocking as below. */
uint32_t cpu_count(const char *root);

/* How many processors the CPU quota of this process's control groups pays for, rounded up, so at
 * least 1; UINT32_MAX: as many as there are. Both versions of control groups are read, each group
 * and those that it is in; what cannot be read does not limit. `root` stands in front of the files'
 * paths: "" for the system's own, a folder for tests. Blocks on a few small files. */
uint32_t cpu_quota(const char *root);

#endif
