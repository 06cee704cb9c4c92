/* control_json.h - the answers of proto/control.proto as JSON, for lottery-ctl and for the
 * observer.
 *
 * Every function that returns an object does so as json_value.h says: owned by the caller, or NULL.
 * Texts in messages may have any bytes.
 */
#ifndef LOTTERY_CONTROL_JSON_H
#define LOTTERY_CONTROL_JSON_H

#include "control.pb-c.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Is the state of the draw known? Is it closed, sealed or drawn? Is it drawn? */
bool control_json_is_known(const Lottery__Control__V1__Status *status);
bool control_json_is_closed(const Lottery__Control__V1__Status *status);
bool control_json_is_drawn(const Lottery__Control__V1__Status *status);

/* The words for phase and mode: static. "unknown" for a phase that this release does not know. */
const char *control_json_phase(Lottery__Control__V1__Phase phase);
const char *control_json_mode(const Lottery__Control__V1__Status *status);

/* The draw: {"phase":"open","draw":...}; only {"phase":"unknown"} if its state is not known. */
json_t *control_json_status(const Lottery__Control__V1__Status *status);

/* A row of the agencies: {"agency":1,"bets":26000,"finished":false}. */
json_t *control_json_agency(uint32_t id, uint64_t bets, bool has_finished);

/* A row of the winners: {"agency":1,"document":"30904465"}. */
json_t *control_json_winner(uint32_t agency, const char *document);

/* A backup that was made: {"path":"...","draw":...,"phase":"open","bets":200,"bytes":12000}. */
json_t *control_json_backup(const char *path, const Lottery__Control__V1__Snapshot *snapshot,
                            uint64_t bytes);

/* {"error":"..."}. */
json_t *control_json_error(const char *text);

#endif
