#include "cpu_count.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CGROUP_MOUNT "/sys/fs/cgroup"
#define CPUS_MAX ((size_t)1 << 20) /* far more than a kernel supports */

/* Where the groups of one version and its CPU controller are: the folders of their mounts, of which
 * a system has one, and the name of the group below it. */
struct cgroup {
    const char *mounts[3]; /* up to the first NULL */
    const char *path;      /* as in /proc/self/cgroup: "/" or "/a/b" */
};

/* How many processors a quota of `quota` in each `period` pays for, rounded up; UINT32_MAX: no
 * limit. */
static uint32_t cpus_of_quota(int64_t quota, int64_t period)
{
    if (quota <= 0 || period <= 0)
        return UINT32_MAX;
    int64_t cpus = quota / period + (quota % period > 0);
    return cpus < UINT32_MAX ? (uint32_t)cpus : UINT32_MAX;
}

/* Reads the first line of a file. False when there is none. */
static bool read_line(const char *root, const char *folder, const char *name, char *out, int size)
{
    char path[PATH_MAX];
    bool is_read = false;

    int length = snprintf(path, sizeof(path), "%s%s%s", root, folder, name);
    if (length < 0 || (size_t)length >= sizeof(path))
        return false;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        is_read = fgets(out, size, file) != NULL;
        (void)fclose(file);
    }
    return is_read;
}

/* Reads a number from *text and moves *text past it; -1 when there is none. */
static int64_t cpu_count_take_number(const char **text)
{
    char *end;

    errno = 0;
    long long number = strtoll(*text, &end, 10);
    if (end == *text || errno != 0)
        return -1;
    *text = end;
    return number;
}

/* The quota that the files of one group set; UINT32_MAX: none. Version 2 has "QUOTA PERIOD" or "max
 * PERIOD" in one file, version 1 has two files and -1 for none. */
static uint32_t folder_cpus(const char *root, const char *folder)
{
    char line[64];
    const char *text = line;

    if (read_line(root, folder, "/cpu.max", line, sizeof(line))) {
        int64_t quota = cpu_count_take_number(&text);
        return cpus_of_quota(quota, cpu_count_take_number(&text));
    }
    if (!read_line(root, folder, "/cpu.cfs_quota_us", line, sizeof(line)))
        return UINT32_MAX;
    int64_t quota = cpu_count_take_number(&text);
    if (!read_line(root, folder, "/cpu.cfs_period_us", line, sizeof(line)))
        return UINT32_MAX;
    text = line;
    return cpus_of_quota(quota, cpu_count_take_number(&text));
}

/* The smallest quota of a group and of those that it is in. In a container the mount may begin with
 * the group itself, so that only the last folder that is tried, the mount, exists. */
static uint32_t cgroup_cpus(const char *root, const struct cgroup *cgroup)
{
    uint32_t fewest = UINT32_MAX;

    for (size_t i = 0; cgroup->mounts[i] != NULL; i++) {
        char folder[PATH_MAX];
        size_t mount_size = strlen(cgroup->mounts[i]);
        int length = snprintf(folder, sizeof(folder), "%s%s", cgroup->mounts[i], cgroup->path);
        if (length < 0 || (size_t)length >= sizeof(folder))
            continue;
        for (size_t size = (size_t)length; size >= mount_size; size--) {
            if (folder[size] != '/' && folder[size] != '\0')
                continue;
            folder[size] = '\0';
            uint32_t cpus = folder_cpus(root, folder);
            if (cpus < fewest)
                fewest = cpus;
        }
    }
    return fewest;
}

/* Is "cpu" one of the names in a list with commas? */
static bool has_cpu(const char *controllers)
{
    const size_t size = strlen("cpu");

    for (const char *name = controllers; name != NULL; name = strchr(name, ',')) {
        name += *name == ',';
        if (strncmp(name, "cpu", size) == 0 && (name[size] == ',' || name[size] == '\0'))
            return true;
    }
    return false;
}

/* The quota by one line of /proc/self/cgroup, "NUMBER:CONTROLLERS:PATH"; version 2 has no
 * controllers there. */
static uint32_t line_cpus(const char *root, char *line)
{
    char mount[256];

    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *path = controllers == NULL ? NULL : strchr(controllers + 1, ':');
    if (path == NULL)
        return UINT32_MAX;
    *controllers++ = '\0';
    *path++ = '\0';
    if (*controllers == '\0')
        return cgroup_cpus(root,
                           &(struct cgroup){{CGROUP_MOUNT, CGROUP_MOUNT "/unified", NULL}, path});
    if (!has_cpu(controllers))
        return UINT32_MAX;
    (void)snprintf(mount, sizeof(mount), CGROUP_MOUNT "/%s", controllers);
    return cgroup_cpus(root, &(struct cgroup){{CGROUP_MOUNT "/cpu", mount, NULL}, path});
}

uint32_t cpu_quota(const char *root)
{
    char path[PATH_MAX];
    char line[PATH_MAX];
    uint32_t fewest = UINT32_MAX;

    (void)snprintf(path, sizeof(path), "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return fewest;
    while (fgets(line, sizeof(line), file) != NULL) {
        uint32_t cpus = line_cpus(root, line);
        if (cpus < fewest)
            fewest = cpus;
    }
    (void)fclose(file);
    return fewest;
}

/* The set has to be as large as the kernel's, whose size only trying can tell. */
static uint32_t affinity_cpus(void)
{
    for (size_t cpus = CPU_SETSIZE; cpus <= CPUS_MAX; cpus *= 2) {
        size_t size = CPU_ALLOC_SIZE(cpus);
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (set == NULL)
            break;
        int result = sched_getaffinity(0, size, set);
        int error = errno;
        int count = result == 0 ? CPU_COUNT_S(size, set) : 0;
        CPU_FREE(set);
        if (count > 0)
            return (uint32_t)count;
        if (error != EINVAL)
            break;
    }
    return 1;
}

uint32_t cpu_count(const char *root)
{
    uint32_t affinity = affinity_cpus();
    uint32_t quota = cpu_quota(root);

    return quota < affinity ? quota : affinity;
}
