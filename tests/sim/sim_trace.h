/* sim_trace.h - says what happens in a history, and what was wrong with it. */
#ifndef LOTTERY_SIM_TRACE_H
#define LOTTERY_SIM_TRACE_H

#include <stdbool.h>

/* With -v: each step is printed. */
extern bool sim_is_verbose;

/* This program, for the command that is printed. */
extern const char *sim_program;

/* What a broken promise ends the program with. */
extern int sim_exit_status;

/* Prints a line if sim_is_verbose. */
#define SIM_TRACE(...)                                                                             \
    do {                                                                                           \
        if (__builtin_expect(sim_is_verbose, 0))                                                   \
            sim_trace(__VA_ARGS__);                                                                \
    } while (0)
void sim_trace(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The promise is broken: prints what is wrong, the seed, and the command that runs this history
 * alone; ends the program. */
void sim_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn, cold));

/* Prints the seed of the history that runs, and the command. */
void sim_print_command(void);

#endif
