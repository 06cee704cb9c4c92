/* exposition.h - writes the text format in which Prometheus reads metrics, version 0.0.4. Pure.
 *
 * A family has a name, a type and a help text, and then its samples. Names, label names and help
 * texts are ours and static; the values of labels may be any text.
 */
#ifndef LOTTERY_EXPOSITION_H
#define LOTTERY_EXPOSITION_H

#include "buffer.h"
#include "status.h"

#include <stdint.h>

struct exposition {
    struct buffer *out; /* borrowed */
    const char *name;   /* of the family that was begun; borrowed */
    enum status status; /* NOMEM once there was no memory: then nothing more is written */
};

enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

/* Begins a family. `help`: one sentence without a line feed or a backslash. */
void exposition_family(struct exposition *self, enum exposition_type type, const char *name,
                       const char *help);

/* Adds a sample to the family: its only one, or one of several that differ by a label. */
void exposition_add(struct exposition *self, uint64_t value);
void exposition_add_for(struct exposition *self, const char *label, const char *label_value,
                        uint64_t value);

/* The same for one whose label is a number. */
void exposition_add_for_number(struct exposition *self, const char *label, uint32_t number,
                               uint64_t value);

/* Adds the samples of a histogram of times: `up_to[i]` of them took at most `bounds_ns[i]`, which
 * ascend; `count` is how many there are, and `total_ns` what they took together. They are written
 * in seconds. */
void exposition_add_times(struct exposition *self, const uint64_t *bounds_ns, const uint64_t *up_to,
                          int bounds, uint64_t count, uint64_t total_ns);

#endif
