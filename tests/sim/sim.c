/* sim - the simulator: runs histories of a server in which everything goes wrong that can, and
 * checks after each one that the promise was kept. A seed determines its history.
 *
 *   sim [--seed S] [--histories N] [--seconds T] [--expect-broken] [-v]
 *
 * Runs the seeds S, S + 1, ...: N of them, or for T seconds. Without --seed it begins with a fresh
 * one, which it prints. With --expect-broken the code under test has a fault, and it is an error
 * not to find it.
 */
#include "log.h"
#include "sim_disk.h"
#include "sim_trace.h"
#include "sim_world.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define MEMORY_KEPT (1 << 28) /* bytes */
#define CLOCK_EACH 64         /* histories between two readings of the clock */

struct options {
    uint64_t seed;
    uint64_t histories;
    double seconds;
    bool is_broken_expected;
};

static double seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void usage(void)
{
    (void)fprintf(stderr, "usage: sim [--seed S] [--histories N] [--seconds T] "
                          "[--expect-broken] [-v]\n");
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text != NULL ? text : "", &end, 0);

    if (text == NULL || *text == '\0' || *end != '\0')
        usage();
    return value;
}

static struct options read_options(char **args)
{
    struct options options = {.histories = UINT64_MAX, .seconds = 10};
    bool has_seed = false;

    for (args++; *args != NULL; args++) {
        if (strcmp(*args, "-v") == 0) {
            sim_is_verbose = true;
        } else if (strcmp(*args, "--expect-broken") == 0) {
            options.is_broken_expected = true;
        } else if (strcmp(*args, "--seed") == 0) {
            options.seed = number(*++args);
            has_seed = true;
        } else if (strcmp(*args, "--histories") == 0) {
            options.histories = number(*++args);
            options.seconds = 1e9;
        } else if (strcmp(*args, "--seconds") == 0) {
            options.seconds = (double)number(*++args);
        } else {
            usage();
        }
    }
    if (!has_seed && getrandom(&options.seed, sizeof(options.seed) / 2, 0) < 0)
        usage();
    return options;
}

/* An assertion of the code under test, or worse: says which history it was. */
static void on_crash(int signal_number)
{
    (void)printf("BROKEN: signal %d\n", signal_number);
    sim_print_command();
    _exit(sim_exit_status);
}

static void print_summary(uint64_t histories, double seconds)
{
    const struct {
        const char *what;
        uint64_t count;
    } counts[] = {{"steps", sim_counts.steps},
                  {"file operations", sim_disk_counts.operations},
                  {"power cuts", sim_disk_counts.power_cuts},
                  {"failed writes", sim_disk_counts.failed_writes},
                  {"failed syncs", sim_disk_counts.failed_syncs},
                  {"failed allocations", sim_memory_faults.count},
                  {"deaths of the ledger", sim_counts.deaths},
                  {"recoveries", sim_counts.recoveries},
                  {"larger numbers of agencies", sim_counts.growths},
                  {"refused settings", sim_counts.refused_settings},
                  {"directories of the first release", sim_counts.old_directories},
                  {"with more than one MiB", sim_counts.big},
                  {"meddlings with the directory", sim_counts.meddlings},
                  {"removed files of winners", sim_counts.lost_winners},
                  {"attempts to hold the draw", sim_counts.attempts},
                  {"manual draws", sim_counts.manual},
                  {"closed early", sim_counts.closed_early},
                  {"agencies cut off", sim_counts.cut},
                  {"seals", sim_counts.seals},
                  {"acts", sim_counts.acts},
                  {"copies", sim_counts.copies}};

    (void)printf("%" PRIu64 " histories in %.1f s, %.0f each second:", histories, seconds,
                 (double)histories / seconds);
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        (void)printf("%s %" PRIu64 " %s", i > 0 ? "," : "", counts[i].count, counts[i].what);
    (void)printf("\n");
}

int main(int argc, char **argv)
{
    struct options options = read_options(argv);
    double begin = seconds_now();
    double spent = 0;
    uint64_t done = 0;

    (void)argc;
    sim_program = argv[0];
    sim_exit_status = options.is_broken_expected ? 0 : 1;
    /* The memory of a process that has ended is wanted by the next one. */
    (void)mallopt(M_MMAP_THRESHOLD, MEMORY_KEPT);
    (void)mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT);
    (void)signal(SIGABRT, on_crash);
    (void)signal(SIGSEGV, on_crash);
    log_set_level(LOG_LEVEL_COUNT);
    (void)printf("seed %" PRIu64 "\n", options.seed);
    (void)fflush(stdout);
    while (done < options.histories && spent < options.seconds) {
        sim_world_run(options.seed + done);
        done++;
        if (done % CLOCK_EACH == 0)
            spent = seconds_now() - begin;
    }
    print_summary(done, seconds_now() - begin);
    if (options.is_broken_expected)
        (void)printf("the fault was not found\n");
    return options.is_broken_expected ? 1 : 0;
}
