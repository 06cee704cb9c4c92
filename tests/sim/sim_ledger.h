/* sim_ledger.h - the ledger's process: the real core, store and recovery over the simulated disk
 * and links, and the part of the supervisor that the ledger speaks to.
 */
#ifndef LOTTERY_SIM_LEDGER_H
#define LOTTERY_SIM_LEDGER_H

#include "data_dir.h"
#include "draw.h"
#include "errbuf.h"
#include "sim_process.h"

#include <stdbool.h>
#include <stdint.h>

struct ledger_core;
struct store;

struct sim_ledger {
    struct sim_process process;
    struct data_dir data_dir;
    struct draw draw;
    struct store *store;
    struct ledger_core *core;    /* NULL: it recovers */
    uint32_t committed_finished; /* as of the last commit, or what it recovered */
    uint32_t committed_phase;
    int exit_status;          /* why it ended by itself; 0: it did not */
    enum status start_status; /* of the last start */
    struct errbuf err;        /* of the last start */

    /* The supervisor, which outlives the ledger. */
    uint32_t agencies; /* as the settings say, like the next */
    uint32_t winner_number;
    bool was_ready;            /* a ledger of this server was */
    bool owes_acknowledgement; /* the ledger told that the draw was held */
    bool has_acknowledged;     /* this ledger was told that the supervisor knows */
    bool has_told;             /* that it was held, in the log of this server */
    unsigned told;             /* how often */
};

extern struct sim_ledger sim_ledger;

/* A new server: all is forgotten except what is on disk. The ledger is dead. */
void sim_ledger_new_server(uint32_t agencies, uint32_t winner_number);

/* Starts the ledger, which is dead: it recovers. Returns true if it is ready. If false, it died
 * (exit_status 0), or ended by itself: start_status and err say why. */
bool sim_ledger_start(void);

/* Takes up to `count` messages from links, in any order between these, and commits. Returns false
 * if there was nothing to do. */
bool sim_ledger_step(unsigned count);

/* Some time has passed: perhaps the closing time has come. */
void sim_ledger_tick(void);

/* Nothing happened for a while. */
void sim_ledger_idle(void);

/* Closes one of its links, as if it had no memory for it. */
void sim_ledger_drop_link(void);

/* The supervisor sends the message of the draw back. */
void sim_ledger_acknowledge(void);

/* A clean stop, with its last checkpoint. It may die on the way. */
void sim_ledger_stop(void);

/* Kills it. */
void sim_ledger_kill(void);

#endif
