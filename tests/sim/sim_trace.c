#include "sim_trace.h"

#include "sim_world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool sim_is_verbose;
int sim_exit_status = 1;

void sim_trace(const char *format, ...)
{
    va_list args;

    (void)printf("%6" PRIu64 " ", sim_world.steps);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
}

void sim_print_command(void)
{
    (void)printf("seed %" PRIu64 ", step %" PRIu64 "; this history alone: %s --seed %" PRIu64
                 " --histories 1 -v\n",
                 sim_world.seed, sim_world.steps, sim_program, sim_world.seed);
    (void)fflush(stdout);
}

const char *sim_program = "sim";

void sim_fail(const char *format, ...)
{
    va_list args;

    (void)printf("BROKEN: ");
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
    sim_print_command();
    _exit(sim_exit_status);
}
