/* sim_world.h - one history: who is there, what happens next, and what goes wrong. */
#ifndef LOTTERY_SIM_WORLD_H
#define LOTTERY_SIM_WORLD_H

#include "commit.h"
#include "prng.h"
#include "sim_process.h"

#include <stdbool.h>
#include <stdint.h>

struct sim_world {
    uint64_t seed;
    struct prng prng;       /* all decisions come from here */
    uint64_t steps;         /* so far; also the clock */
    uint32_t agencies;      /* model agencies */
    uint32_t n;             /* LOTTERY_AGENCIES of the server that runs */
    uint32_t n_before;      /* of the server before, while `n` has not been accepted yet */
    uint32_t winner_number; /* of an automatic draw; in any, the one that most bets have */
    uint32_t drawn_number;  /* that of a manual draw is known once it is drawn */
    struct draw_terms terms;
    uint32_t workers;
    uint32_t bets_max;   /* of an agency */
    bool is_hard_start;  /* until a ledger is ready for the first time, the power is often cut */
    bool is_big;         /* there is more than one MiB of bets */
    bool has_opened;     /* a ledger was ready: the draw is recorded */
    bool was_accepted;   /* `n` was, by a ledger that was ready */
    bool draw_is_closed; /* the coordinator was told so */
    bool draw_is_held;   /* somebody was told so */
    bool power_is_due;   /* the power is cut before the next step */

    /* What goes wrong; chances in 1000. */
    bool is_calm;   /* nothing any more */
    uint32_t odd;   /* an agency sends something odd */
    uint32_t cuts;  /* a message is cut into pieces */
    uint32_t event; /* per step: somebody is killed, ... */
    uint32_t death; /* a process is started that will die within an operation */
    uint32_t power; /* a death within an operation is a power cut */
    bool has_disk_faults;
    bool has_memory_faults;
    bool has_operator; /* somebody meddles with the data directory */

    uint32_t haste;              /* the chance, each time that the ledger has read a message */
    uint32_t group_max;          /* operations in a commit group */
    struct commit_limits limits; /* of the store: small, so that few bets reach them */
};

/* How often things happened, in all histories. */
struct sim_counts {
    uint64_t steps;
    uint64_t recoveries;
    uint64_t deaths; /* of ledgers */
    uint64_t growths;
    uint64_t refused_settings;
    uint64_t meddlings;
    uint64_t lost_winners;    /* files */
    uint64_t old_directories; /* of the first release */
    uint64_t big;             /* histories with more than one MiB of bets */
    uint64_t attempts;        /* to hold the draw */
    uint64_t manual;          /* histories with a manual draw */
    uint64_t closed_early;    /* of these, before all had finished */
    uint64_t cut;             /* agencies that were cut off by that */
    uint64_t seals;           /* made */
    uint64_t acts;            /* acknowledged */
    uint64_t copies;          /* of a draw, that were right */
};
extern struct sim_counts sim_counts;

extern struct sim_world sim_world;

/* Lets a process that was just started die at some point, or not. */
void sim_world_plan_death(struct sim_process *process);

/* A process has died within an operation. Perhaps because the power was cut. */
void sim_world_note_death(void);

/* Within a turn of a process: with a chance of `parts` in 1000 others have theirs. */
void sim_world_let_others_go_on(uint32_t parts);

/* So many things happen, one after the other. */
void sim_world_step(uint32_t count);

void sim_world_kill_all(void);
void sim_world_cut_power(void);

/* A new server, on what was put back if somebody had meddled with it. All processes are dead. */
void sim_world_start_server(uint32_t winner_number);

/* Perhaps there is little space on the disk from now on, or again enough. */
void sim_world_fill_disk(void);

/* Runs the history of a seed from its beginning to its end, and checks it. */
void sim_world_run(uint64_t seed);

#endif
