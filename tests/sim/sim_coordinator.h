/* sim_coordinator.h - the coordinator's process: the real decisions, scan, winners' files and join,
 * over the simulated disk and a simulated link to the ledger. The scanners are steps of its own.
 */
#ifndef LOTTERY_SIM_COORDINATOR_H
#define LOTTERY_SIM_COORDINATOR_H

#include "coordinator_core.h"
#include "data_dir.h"
#include "sim_check.h"
#include "sim_client.h"
#include "sim_process.h"

#include <stdbool.h>

struct sim_coordinator {
    struct sim_process process;
    struct sim_client client;
    struct coordinator_core core;
    struct ledger_op op; /* the one in flight */
    /* The operators, who speak to the coordinator. */
    struct ledger_op close_op;
    struct ledger_op act_op;
    bool is_closing; /* close_op is in flight */
    bool is_acting;  /* act_op is */
    struct ledger_op copy_op;
    bool is_copying;      /* copy_op is */
    struct sim_copy copy; /* what that has to have */
    bool is_pausing;      /* before the next try */
    struct data_dir data_dir;
};

extern struct sim_coordinator sim_coordinator;

void sim_coordinator_start(void);
void sim_coordinator_kill(void);

/* Takes one message of the ledger, or does what the news asks for. Returns false if there was
 * nothing to do. */
bool sim_coordinator_step(void);

#endif
