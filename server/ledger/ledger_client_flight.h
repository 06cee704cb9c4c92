/* ledger_client_flight.h - a client's operations that have no outcome, in order, and their bets
 * in the region.
 *
 * First in the list are those that were sent, then those that wait. Batches wait on the heap while
 * the region is full, and move to it in order as outcomes make room.
 */
#ifndef LOTTERY_LEDGER_CLIENT_FLIGHT_H
#define LOTTERY_LEDGER_CLIENT_FLIGHT_H

#include "ledger_client_state.h"

/* The kind of a request for files that a lost link has ended. */
#define KIND_STOPPED UINT32_MAX

/* Adds an operation, as the last one; its bets, if it has any, are `bytes` long. */
void client_push(struct ledger_client *client, struct ledger_op *op, size_t bytes);

/* Takes the first operation out of the list. Its place in the region stays taken. */
struct ledger_op *client_pop(struct ledger_client *client);

/* Hands operations that wait to the link, which must be there, as many as may be in flight and have
 * room. STATUS_NOMEM when the link cannot take one: then it is of no use any more. */
enum status client_send_all(struct ledger_client *client);

/* Gives the client a region that no ledger has, with the bets of its operations, in the place of
 * the one that it has. STATUS_NOMEM or STATUS_IO: nothing has changed. */
enum status client_renew_region(struct ledger_client *client);

/* The link is lost: all operations wait to be sent. */
void client_unsend(struct ledger_client *client);

#endif
