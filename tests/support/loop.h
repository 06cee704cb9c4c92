/* loop.h - a libuv loop for one test, which can be run until something becomes true.
 *
 * A test that leaves a handle open fails in loop_end. A test that waits for something that never
 * happens fails after LOOP_WAIT_MS: nothing sleeps, nothing hangs.
 */
#ifndef LOTTERY_LOOP_H
#define LOTTERY_LOOP_H

#include <stdbool.h>
#include <uv.h>

#define LOOP_WAIT_MS 20000 /* the bound of every wait; generous, as it only ends failing tests */

/* Fills in the loop. Ends the test when it cannot. */
void loop_begin(uv_loop_t *loop);

/* Runs the loop until `is_true(context)`, which is called after each turn. Turns are at most a few
 * milliseconds apart, so the condition may also depend on something that is not a handle of the
 * loop. Fails the test, naming `what`, when LOOP_WAIT_MS have passed. */
void loop_until(uv_loop_t *loop, bool (*is_true)(void *context), void *context, const char *what);

/* Runs the loop until the counter is at least `min`; bounded like loop_until. */
void loop_until_count(uv_loop_t *loop, const unsigned *counter, unsigned min, const char *what);

/* One turn without waiting: callbacks that are due run, nothing else. */
void loop_turn(uv_loop_t *loop);

/* Runs the loop until its closing handles are closed, then asserts that uv_loop_close() succeeds.
 */
void loop_end(uv_loop_t *loop);

#endif
